//! The tenant to try things out with, and what is printed when it can be.

use scim_core::ErrorKind;
use scim_service::directory::{Connection, Directory, Idp, TenantEntry};

use crate::Failure;

const TENANT: &str = "demo";
/// Whoever begins with it.
pub(super) const ACTOR: &str = "cli:quickstart";

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

/// What is printed when everything is ready.
pub(super) struct Welcome<'a> {
    pub(super) idp: Idp,
    pub(super) base_url: &'a str,
    /// What this machine reaches the server under.
    pub(super) local: &'a str,
    pub(super) token: &'a str,
    pub(super) place: &'a str,
}

impl Welcome<'_> {
    pub(super) fn text(&self) -> String {
        let Self { idp, base_url, local, token, place } = self;
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

curl -sS '{local}/t/{TENANT}/scim/v2/Users' \\
  -H 'Authorization: Bearer {token}' \\
  -H 'Content-Type: application/scim+json' \\
  -d '{{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],\"userName\":\"ada@example.com\",\
\"name\":{{\"givenName\":\"Ada\",\"familyName\":\"Lovelace\"}},\"active\":true}}'
{reach}
",
            version = env!("CARGO_PKG_VERSION"),
        )
    }
}
