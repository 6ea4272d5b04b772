//! `scimd tenant`, `scimd connection` and `scimd token`.

use std::io::Write;

use scim_core::time::Timestamp;
use scim_service::directory::{Connection, TenantEntry, TenantSettings, TokenEntry};
use scim_service::environment::Environment;
use scim_store::Tenant;

use super::deletion;
use super::moving::{Side, check_vacant};
use super::{directory, handed_over, list, named, small_runtime};
use crate::Failure;
use crate::cli::{Common, Connect, ConnectionCommand, TenantCommand, TokenCommand};
use crate::config::Config;
use crate::environment::System;
use crate::table::Cells;

pub(super) fn tenant(command: TenantCommand) -> Result<(), Failure> {
    match command {
        TenantCommand::Create { name, common } => {
            let url = Config::load(&common.flags())?.store;
            let is_new = url.is_missing();
            let Side { store, directory } = Side::open(&url, true)?;
            if is_new {
                eprintln!("made {url}");
            }
            let runtime = small_runtime()?;
            runtime.block_on(check_vacant(&*store, &name))?;
            runtime.block_on(directory.create_tenant(&name, "cli:tenant create"))?;
            let again = common.again();
            eprintln!(
                "created tenant {name}; next: scimd connection create {name} --idp entra|okta|generic{again}"
            );
            Ok(())
        }
        TenantCommand::Set { tenant, unknown_members, common } => {
            let directory = directory(&common.flags())?;
            let name = named(&tenant)?;
            let settings = TenantSettings { unknown_members: unknown_members.into() };
            small_runtime()?.block_on(directory.configure_tenant(&name, settings, "cli:tenant set"))?;
            eprintln!("set up tenant {tenant}; running servers follow within five seconds");
            Ok(())
        }
        TenantCommand::Delete { tenant, yes, common } => deletion::run(&tenant, yes, &common),
        TenantCommand::List { common, output } => {
            let directory = directory(&common.flags())?;
            let tenants = small_runtime()?.block_on(directory.tenants())?;
            list(&output, &TENANT, tenants.iter().map(tenant_row))
        }
    }
}

pub(super) fn connection(command: ConnectionCommand) -> Result<(), Failure> {
    match command {
        ConnectionCommand::Create(arguments) => {
            let directory = directory(&arguments.common.flags())?;
            let (name, connection) = wanted(&arguments)?;
            let idp = connection.idp;
            small_runtime()?.block_on(directory.create_connection(
                &name,
                connection,
                "cli:connection create",
            ))?;
            let again = arguments.common.again();
            eprintln!(
                "connected tenant {name} to an identity provider of kind {idp}; next: scimd token create {name}{again}"
            );
            Ok(())
        }
        ConnectionCommand::Replace(arguments) => {
            let directory = directory(&arguments.common.flags())?;
            let (name, connection) = wanted(&arguments)?;
            let now = described(&connection);
            let replaced = directory.replace_connection(&name, connection, "cli:connection replace");
            let before = described(&small_runtime()?.block_on(replaced)?);
            eprintln!(
                "the connection of tenant {name} is now {now}; it was {before}; running servers follow within five seconds"
            );
            Ok(())
        }
        ConnectionCommand::Show { tenant, common, output } => {
            let directory = directory(&common.flags())?;
            let name = named(&tenant)?;
            let entry = small_runtime()?.block_on(directory.find(name.as_str()))?;
            if entry.connection.is_none() {
                let words = format!("tenant `{tenant}` has no connection; see `scimd connection create`");
                return Err(Failure::Run(words));
            }
            list(&output, &TENANT, [tenant_row(&entry)])
        }
        ConnectionCommand::Pause { tenant, common } => pause(&tenant, true, &common),
        ConnectionCommand::Resume { tenant, common } => pause(&tenant, false, &common),
        ConnectionCommand::Remove { tenant, common } => {
            let directory = directory(&common.flags())?;
            let name = named(&tenant)?;
            small_runtime()?.block_on(directory.remove_connection(&name, "cli:connection remove"))?;
            eprintln!(
                "removed the connection of tenant {tenant}; its requests are refused until it has another"
            );
            Ok(())
        }
    }
}

fn wanted(arguments: &Connect) -> Result<(Tenant, Connection), Failure> {
    let Connect { tenant, idp, idp_tenant, quirks, users_only, .. } = arguments;
    let connection = Connection {
        idp_tenant: idp_tenant.clone(),
        quirks: quirks.clone(),
        groups: !users_only,
        ..Connection::new(*idp)
    };
    Ok((named(tenant)?, connection))
}

/// A connection as the flags that make it.
fn described(connection: &Connection) -> String {
    let Connection { idp, idp_tenant, quirks, groups, .. } = connection;
    let tenant = idp_tenant.iter().map(|id| format!(" --idp-tenant {id}"));
    let quirks = quirks.iter().map(|name| format!(" --quirk {name}"));
    let only = (!groups).then(|| " --users-only".to_owned());
    std::iter::once(format!("--idp {idp}")).chain(tenant).chain(quirks).chain(only).collect()
}

fn pause(tenant: &str, paused: bool, common: &Common) -> Result<(), Failure> {
    let directory = directory(&common.flags())?;
    let name = named(tenant)?;
    let (actor, done, what) = match paused {
        true => (
            "cli:connection pause",
            "paused",
            "nothing is written over it any more; running servers refuse reads too",
        ),
        false => ("cli:connection resume", "resumed", "running servers follow"),
    };
    small_runtime()?.block_on(directory.pause_connection(&name, paused, actor))?;
    eprintln!("{done} the connection of tenant {tenant}; {what} within five seconds");
    Ok(())
}

pub(super) fn token(command: TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Create { tenant, expires, common } => {
            let directory = directory(&common.flags())?;
            let name = named(&tenant)?;
            let expires = expires.map(|expiry| expiry.from(System.now()));
            let new =
                small_runtime()?.block_on(directory.create_token(&name, expires, "cli:token create"))?;
            let id = new.entry.id;
            let lost = |why: &dyn std::fmt::Display| {
                Failure::Run(format!(
                    "{why}; nobody has the token: `scimd token revoke {id}`, then try again"
                ))
            };
            let line = format!("{}\n", new.token);
            let is_read = handed_over(|output| output.write_all(line.as_bytes()));
            if !is_read.map_err(|failure| lost(&failure))? {
                return Err(lost(&"nobody reads the standard output any more"));
            }
            let end = expires.map_or("never expires".to_owned(), |end| format!("expires {end}"));
            eprintln!("token {id} of tenant {tenant}, which {end}; it is shown this once");
            Ok(())
        }
        TokenCommand::List { tenant, common, output } => {
            let directory = directory(&common.flags())?;
            let name = tenant.as_deref().map(named).transpose()?;
            let tokens = small_runtime()?.block_on(async {
                match &name {
                    Some(name) => directory.tokens(name).await,
                    None => directory.all_tokens().await,
                }
            })?;
            let now = System.now();
            list(&output, &TOKEN, tokens.iter().map(|entry| token_row(entry, now)))
        }
        TokenCommand::Revoke { id, common } => {
            let directory = directory(&common.flags())?;
            small_runtime()?.block_on(directory.revoke_token(&id, "cli:token revoke"))?;
            eprintln!("revoked token {id}; every server on the store refuses it within five seconds");
            Ok(())
        }
    }
}

const TENANT: [&str; 9] =
    ["tenant", "idp", "idp_tenant", "quirks", "groups", "state", "policy", "unknown_members", "created"];
const TOKEN: [&str; 5] = ["id", "tenant", "created", "expires", "state"];

fn tenant_row(entry: &TenantEntry) -> Cells {
    let connection = entry.connection.as_ref();
    vec![
        entry.tenant.as_str().into(),
        connection.map(|connection| connection.idp.to_string()).into(),
        connection.and_then(|connection| connection.idp_tenant.as_deref()).into(),
        connection.map(|connection| connection.quirks.clone()).into(),
        connection.map(|connection| if connection.groups { "on" } else { "off" }).into(),
        connection.map(|connection| if connection.paused { "paused" } else { "active" }).into(),
        entry.policy.is_some().into(),
        entry.settings.unknown_members.map(|policy| policy.name()).into(),
        entry.created.to_string().into(),
    ]
}

fn token_row(entry: &TokenEntry, now: Timestamp) -> Cells {
    let state = match (entry.is_expired(now), entry.is_ending(now)) {
        (true, _) => "expired",
        (false, true) => "ending",
        (false, false) => "valid",
    };
    vec![
        entry.id.as_str().into(),
        entry.tenant.as_str().into(),
        entry.created.to_string().into(),
        entry.expires.map(|end| end.to_string()).into(),
        state.into(),
    ]
}
