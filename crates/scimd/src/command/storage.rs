//! `scimd store`.

use std::sync::Arc;

use scim_service::directory::Directory;
use scim_store::{Query, Store, StoreError, Tenant};
use scim_store_postgres::{Address, Options, Standing};
use serde_json::Value;

use super::{existing, list, moving, portable, small_runtime};
use crate::Failure;
use crate::cli::{Common, Output, StoreCommand};
use crate::config::{Config, StoreUrl};
use crate::environment::System;
use crate::store::{cannot, registry, with_password};
use crate::table::Cells;

pub(super) fn run(command: StoreCommand) -> Result<(), Failure> {
    match command {
        StoreCommand::Migrate { role, common } => migrate(role.as_deref(), &common),
        StoreCommand::Status { common, output } => status(&common, &output),
        StoreCommand::Copy(arguments) => moving::run(&arguments),
        StoreCommand::Discard { tenant, common } => moving::discard(&tenant, &common),
    }
}

fn migrate(role: Option<&str>, common: &Common) -> Result<(), Failure> {
    let url = Config::load(&common.flags())?.store;
    let StoreUrl::Postgres(address) = &url else {
        if role.is_some() {
            return Err(Failure::Usage(format!(
                "`--role` is for databases, and the store is {url}; leave it out"
            )));
        }
        let is_new = url.is_missing();
        portable(&url, true)?;
        match is_new {
            true => eprintln!("made {url}"),
            false => eprintln!("{url} is up to date"),
        }
        return Ok(());
    };
    let migrated = scim_store_postgres::migrate(&with_password(address), Options::default(), role)
        .map_err(|error| cannot("migrate", &url, &error))?;
    match migrated.from == migrated.to {
        true => eprintln!("{url} is up to date, at schema version {}", migrated.to),
        false => eprintln!("migrated {url} from schema version {} to {}", migrated.from, migrated.to),
    }
    match role {
        Some(role) => eprintln!("the role `{}` may serve from it", role.escape_debug()),
        None if migrated.from == 0 => {
            eprintln!("no role was named that may serve from it; see `scimd store migrate --help`");
        }
        None => {}
    }
    Ok(())
}

fn status(common: &Common, output: &Output) -> Result<(), Failure> {
    let config = Config::load(&common.flags())?;
    let mut rows: Vec<Cells> = Vec::new();
    let mut refusal = None;
    match &config.store {
        StoreUrl::Postgres(address) => refusal = database(address, &config.store, &mut rows)?,
        StoreUrl::Sqlite(path) => {
            // What was written last is still in the log beside the file.
            for (name, suffix) in [("file", ""), ("write-ahead log", "-wal")] {
                let mut path = path.clone().into_os_string();
                path.push(suffix);
                if let Ok(metadata) = std::fs::metadata(path) {
                    rows.push(row("size", name, metadata.len()));
                }
            }
        }
        StoreUrl::Memory => {}
    }
    if refusal.is_none() {
        let store = existing(&config.store)?;
        let registry = registry(&config)?;
        let directory = Directory::new(Arc::clone(&store), Arc::new(System));
        let runtime = small_runtime()?;
        let tenants = runtime.block_on(directory.tenants())?;
        for entry in &tenants {
            for resource_type in registry.resource_types() {
                let query = Query { total: true, ..Query::all(Arc::clone(resource_type), 0) };
                let count = runtime.block_on(total(&*store, &entry.tenant, &query))?;
                let tenant = entry.tenant.as_str();
                rows.push(vec!["count".into(), tenant.into(), resource_type.name().into(), count.into()]);
            }
        }
    }
    list(output, &["what", "tenant", "name", "value"], rows)?;
    match refusal {
        Some(refusal) => Err(Failure::Run(format!("nothing is served from {}: {refusal}", config.store))),
        None => Ok(()),
    }
}

async fn total(store: &dyn Store, tenant: &Tenant, query: &Query) -> Result<u64, StoreError> {
    Ok(store.query(tenant, query).await?.total.unwrap_or_default())
}

/// What a database says of itself, and why it cannot be served from as this role, if it cannot.
fn database(address: &Address, url: &StoreUrl, rows: &mut Vec<Cells>) -> Result<Option<String>, Failure> {
    let standing = scim_store_postgres::standing(&with_password(address), Options::default())
        .map_err(|error| cannot("ask", url, &error))?;
    let Standing {
        server,
        schema,
        known,
        role,
        is_bound,
        is_owner,
        unprotected,
        is_durable,
        encoding,
        tables,
    } = &standing;
    rows.push(row("server", "version", server.as_str()));
    rows.push(row("server", "syncs commits", *is_durable));
    rows.push(row("server", "encoding", encoding.as_str()));
    rows.push(row("schema", "version", *schema));
    rows.push(row("schema", "needed", *known));
    rows.push(row("role", "name", role.as_str()));
    rows.push(row("role", "held to one tenant", *is_bound));
    rows.push(row("role", "owns the tables", *is_owner));
    let protected = match (tables.is_empty(), unprotected.is_empty()) {
        (true, _) => "there are no tables".to_owned(),
        (false, true) => "forced on every table".to_owned(),
        (false, false) => format!("not forced on {}", unprotected.join(", ")),
    };
    rows.push(row("row-level security", "state", protected));
    rows.extend(tables.iter().map(|(name, bytes)| row("size", name, *bytes)));
    let refusal = standing.admit().err().map(|error| error.to_string());
    rows.extend(refusal.iter().map(|refusal| row("serving", "refused", refusal.as_str())));
    Ok(refusal)
}

/// Of no tenant.
fn row(what: &str, name: &str, value: impl Into<Value>) -> Cells {
    vec![what.into(), Value::Null, name.into(), value.into()]
}
