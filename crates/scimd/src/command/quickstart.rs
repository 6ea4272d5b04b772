//! `scimd quickstart`: from nothing to a server that an identity provider can be pointed at.
//!
//! Whatever is there already is used: a second start finds the same tenant and prints the same token.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use scim_core::ErrorKind;
use scim_service::directory::{Connection, Directory, Idp, TenantEntry};

use super::print;
use super::serve::serve;
use crate::Failure;
use crate::cli::Quickstart;
use crate::config::{Config, Flags, StoreUrl};
use crate::server::Server;

const TENANT: &str = "demo";
const ACTOR: &str = "cli:quickstart";

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
        let (base_url, address) = (server.base_url(), server.address());
        print(&Welcome { idp, base_url, address, token: &token, place: &place }.text())
    })
}

/// The tenant to try things out with, made if it is not there. With `idp`, its connection is of that kind.
pub(super) async fn demo(directory: &Directory, idp: Option<Idp>) -> Result<TenantEntry, Failure> {
    match directory.create_tenant(TENANT, ACTOR).await {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::Conflict => {}
        Err(error) => return Err(error.into()),
    }
    let missing = || Failure::Run(format!("tenant `{TENANT}` was created and is gone"));
    let entry = directory.tenant(TENANT).await?.ok_or_else(missing)?;
    match (&entry.connection, idp) {
        (Some(connection), Some(idp)) if connection.idp != idp => Err(Failure::Usage(format!(
            "tenant `{TENANT}` is connected to {} already, and a tenant has one connection; leave out `--idp`, or use \
             another folder: `--data ./scimd-data-{idp}`",
            connection.idp
        ))),
        (Some(_), _) => Ok((*entry).clone()),
        (None, idp) => {
            let connection = Connection::new(idp.unwrap_or(Idp::Entra));
            directory.create_connection(&entry.tenant, connection, ACTOR).await?;
            Ok((*directory.tenant(TENANT).await?.ok_or_else(missing)?).clone())
        }
    }
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

/// What is printed when everything is ready.
pub(super) struct Welcome<'a> {
    pub(super) idp: Idp,
    pub(super) base_url: &'a str,
    pub(super) address: SocketAddr,
    pub(super) token: &'a str,
    pub(super) place: &'a str,
}

impl Welcome<'_> {
    pub(super) fn text(&self) -> String {
        let Self { idp, base_url, address, token, place } = self;
        let url = format!("{base_url}/t/{TENANT}/scim/v2");
        let reach = if base_url.starts_with("https:") {
            ""
        } else {
            "\nIdentity providers need https and a public name. To try with a real one, open a tunnel to this address and\n\
             start again with --base-url https://NAME-OF-THE-TUNNEL.\n"
        };
        let note = |form: Idp| match *idp == form {
            true => String::new(),
            false => format!(
                "\n  (this tenant's connection is {idp}: for this form, scimd quickstart --idp {form} --data FOLDER)"
            ),
        };
        let (entra, okta) = (note(Idp::Entra), note(Idp::Okta));
        format!(
            "\
scimd {version} serves tenant {TENANT} ({idp}) from {place}

Microsoft Entra ID (your application > Provisioning > Admin credentials){entra}
  Tenant URL     {url}
  Secret Token   {token}

Okta (your application > Provisioning > Integration){okta}
  SCIM connector base URL               {url}
  Unique identifier field for users     userName
  Authentication mode                   HTTP Header
  API Token                             {token}

Provision a first user:

curl -sS {local}/Users \\
  -H 'Authorization: Bearer {token}' \\
  -H 'Content-Type: application/scim+json' \\
  -d '{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"ada@example.com\",\
\"name\":{{\"givenName\":\"Ada\",\"familyName\":\"Lovelace\"}},\"active\":true}}'
{reach}
",
            version = env!("CARGO_PKG_VERSION"),
            local = format_args!("http://{address}/t/{TENANT}/scim/v2"),
        )
    }
}
