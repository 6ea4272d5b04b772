//! `scimd serve` and `scimd check`.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use futures_util::StreamExt;
use scim_service::directory::Idp;
use scim_service::environment::Environment;

use super::demo::{Welcome, demo};
use super::{print, runtime};
use crate::config::{Config, Flags, StoreUrl};
use crate::descriptors;
use crate::environment::System;
use crate::server::{Observer, Server, tls};
use crate::signal::{Hangups, Stop};
use crate::{Failure, log, store};

/// How long what is still being computed may take after the server has ended.
const AFTERMATH: Duration = Duration::from_secs(1);

pub(super) fn run(flags: &Flags) -> Result<(), Failure> {
    let config = Config::load(flags)?;
    serve(&config, async |server: &Server| {
        if config.store != StoreUrl::Memory {
            return Ok(());
        }
        // Nobody else can reach this store, so that the server itself has to make it of use, as `quickstart` does.
        let directory = server.directory();
        let tenant = demo(directory, Some(Idp::Entra)).await?.tenant;
        let token = directory.create_token(&tenant, None, "cli:serve").await?.token;
        // A certificate is for the name that clients use.
        let local = match config.tls {
            Some(_) => server.base_url().to_owned(),
            None => format!("http://{}", server.address()),
        };
        print(
            &Welcome {
                idp: Idp::Entra,
                base_url: server.base_url(),
                local: &local,
                token: &token,
                place: "memory",
            }
            .text(),
        )
    })
}

/// Serves until a signal ends it. `prepare` runs when the sockets are open and nothing is served yet.
pub(super) fn serve(
    config: &Config,
    prepare: impl AsyncFnOnce(&Server) -> Result<(), Failure>,
) -> Result<(), Failure> {
    config.check_exposure()?;
    log::start(config.log);
    descriptors::raise_limit();
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        // Before anything that may take its time. Whoever closes a terminal ends what runs in it; a service that has nothing
        // to read again goes on.
        let hears = config.tls.is_some() || !stderr().is_terminal();
        let hangups = hears.then(Hangups::new).transpose()?;
        let observer = Observer::start(config).await?;
        let metrics = observer.address().map(|address| address.to_string()).unwrap_or_default();
        let (place, version) = (config.store.to_string(), env!("CARGO_PKG_VERSION"));
        tracing::info!(store = place, metrics, version, "starting");
        let registry = store::registry(config)?;
        let store = store::open(&config.store)?;
        // Deriving anew may take minutes. The first process of a container has to listen for signals to hear them.
        let mut stop = Stop::new()?;
        let server = tokio::select! {
            server = Server::bind(config, observer, registry, store) => server?,
            _ = stop.next() => {
                tracing::info!("ended before anything was served");
                return Ok(());
            }
        };
        prepare(&server).await?;
        let (address, base_url) = (server.address().to_string(), server.base_url());
        tracing::info!(address, base_url, store = place, metrics, version, "serving");
        server.run(stop, hangups).await;
        Ok(())
    });
    runtime.shutdown_timeout(AFTERMATH);
    result
}

pub(super) fn check(flags: &Flags) -> Result<(), Failure> {
    let config = Config::load(flags)?;
    config.check_exposure()?;
    let certificate = match &config.tls {
        Some(files) => {
            let material = tls::read(files)?;
            material.check(files, System.now())?;
            for warning in material.warnings(files) {
                eprintln!("warning: {warning}");
            }
            material.certificate
        }
        None => None,
    };
    let certificate = certificate.map(|own| format!("\n  certificate     ends at {}", own.until));
    if let StoreUrl::Sqlite(path) = &config.store {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(Failure::Usage(format!(
                "`store` is {}, but there is no folder {}",
                config.store,
                folder.display()
            )));
        }
    }
    if config.metrics == Some(config.listen) {
        return Err(Failure::Usage(format!(
            "`listen` and `metrics.listen` are both {}; choose two ports",
            config.listen
        )));
    }
    let registry = store::registry(&config)?;
    let types: Vec<&str> =
        registry.resource_types().iter().map(|resource_type| resource_type.name()).collect();
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let file = flags
        .config_file()
        .map_or("none: defaults and the environment".to_owned(), |file| file.display().to_string());
    let Config { listen, store, .. } = &config;
    print(&format!(
        "the configuration is fine\n  file            {file}\n  listens on      {scheme}://{listen}{}\n  clients use     {}\n  store           {store}\n  \
         resource types  {}\n",
        certificate.unwrap_or_default(),
        config.base_url(*listen),
        types.join(", ")
    ))
}
