//! `scimd quickstart`: from nothing to a server that an identity provider can be pointed at.
//!
//! Whatever is there already is used: a second start finds the same tenant and prints the same token.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use scim_service::directory::{Directory, Idp, TenantEntry};

use super::demo::{ACTOR, Welcome, demo};
use super::print;
use super::serve::serve;
use crate::Failure;
use crate::cli::Quickstart;
use crate::config::{Config, Flags, StoreUrl};
use crate::server::Server;

pub(super) fn run(arguments: &Quickstart) -> Result<(), Failure> {
    let Quickstart { idp, listen, base_url, data } = arguments;
    let flags = Flags { base_url: base_url.clone(), ..Flags::default() };
    let defaults = Config::of_flags(&flags)?;
    make(data)
        .map_err(|error| Failure::io(format_args!("cannot make the folder {}", data.display()), &error))?;
    let config = Config {
        listen: *listen,
        store: StoreUrl::Sqlite(data.join("scimd.db")),
        // A second server on the same machine must not fail over a port that nobody asked for.
        metrics: None,
        ..defaults
    };
    serve(&config, async |server: &Server| {
        let entry = demo(server.directory(), *idp).await?;
        let token = token(server.directory(), &entry, &data.join("token")).await?;
        let place = data.display().to_string();
        let idp = entry.connection.as_ref().map_or(Idp::Generic, |connection| connection.idp);
        let (base_url, local) = (server.base_url(), format!("http://{}", server.address()));
        print(&Welcome { idp, base_url, local: &local, token: &token, place: &place }.text())
    })
}

/// The token in the file, if it is valid, or a new one, which is written there.
async fn token(directory: &Directory, entry: &TenantEntry, file: &Path) -> Result<String, Failure> {
    if let Ok(text) = fs::read_to_string(file) {
        let kept = text.trim();
        if directory.authenticate(entry.tenant.as_str(), kept).await?.is_some() {
            return Ok(kept.to_owned());
        }
    }
    let token = directory.create_token(&entry.tenant, None, ACTOR).await?.token;
    keep(file, &token)
        .map_err(|error| Failure::io(format_args!("cannot write {}", file.display()), &error))?;
    Ok(token)
}

/// Makes a folder that only this user may look into, to stay even if the power fails next.
fn make(folder: &Path) -> std::io::Result<()> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|part| !part.as_os_str().is_empty() && !part.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for part in missing {
        let around = part.parent().filter(|around| !around.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(around)?.sync_all()?;
    }
    Ok(())
}

/// Writes a secret that only this user may read.
fn keep(file: &Path, secret: &str) -> std::io::Result<()> {
    let mut output = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    output.set_permissions(fs::Permissions::from_mode(0o600))?;
    writeln!(output, "{secret}")?;
    output.sync_all()
}
