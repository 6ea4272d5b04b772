//! Opening what the configuration names: the store and the schemas.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use scim_core::json;
use scim_core::schema::Registry;
use scim_store::transfer::Portable;
use scim_store::{MemoryStore, Store};
use scim_store_postgres::{Address, PostgresStore};
use scim_store_sqlite::{Options, SqliteStore};
use serde_json::Value;

use crate::Failure;
use crate::config::{Config, StoreUrl};

/// Opens a store, and makes it if there is none. The tables of a database are made by `scimd store migrate` alone.
///
/// # Errors
/// When it cannot be opened.
pub fn open(url: &StoreUrl) -> Result<Arc<dyn Store>, Failure> {
    match url {
        StoreUrl::Memory => Ok(Arc::new(MemoryStore::new())),
        StoreUrl::Sqlite(_) | StoreUrl::Postgres(_) => {
            Ok(portable(url, scim_store_postgres::Options::default().statement)?)
        }
    }
}

/// As [`open`], for one that tenants can be moved from and to, whose database may take so long for a statement.
///
/// # Errors
/// When it cannot be opened, or is in memory.
pub fn portable(url: &StoreUrl, statement: Duration) -> Result<Arc<dyn Portable>, Failure> {
    match url {
        StoreUrl::Memory => Err(Failure::Usage("the `memory` store ends with its process".to_owned())),
        StoreUrl::Sqlite(path) => {
            let store =
                SqliteStore::open(path, Options::default()).map_err(|error| cannot("open", url, &error))?;
            Ok(Arc::new(store))
        }
        StoreUrl::Postgres(address) => {
            let options = scim_store_postgres::Options {
                statement,
                runtime: tokio::runtime::Handle::try_current().ok(),
                ..scim_store_postgres::Options::default()
            };
            let store = PostgresStore::open(&with_password(address), options)
                .map_err(|error| cannot("open", url, &error))?;
            if store.standing().is_owner {
                let role = store.standing().role.as_str();
                tracing::warn!(
                    role,
                    "the role owns the tables and could turn row-level security off; see docs/operating.md"
                );
            }
            Ok(Arc::new(store))
        }
    }
}

/// Why something cannot be done with a store, and what to do where the operating system or the database has only said no.
pub(crate) fn cannot(what: &str, url: &StoreUrl, error: &dyn std::fmt::Display) -> Failure {
    let words = error.to_string();
    let says = |any: &[&str]| any.iter().any(|part| words.contains(part));
    let advice = match url {
        StoreUrl::Sqlite(path) if path.is_dir() => "it is a folder; name a file in it",
        StoreUrl::Sqlite(_) if says(&["unable to open", "readonly database", "Permission denied"]) => {
            "this user has to be able to read and write it and its folder: `chown` them, or run commands as the user that serves"
        }
        StoreUrl::Sqlite(_) if says(&["No such file or directory"]) => "make its folder first",
        StoreUrl::Postgres(_) if says(&["password missing"]) => {
            "set PGPASSWORD, or add `?password_file=FILE` to the address"
        }
        StoreUrl::Postgres(_) if says(&["(28P01)"]) => {
            "check the role, and PGPASSWORD or the file that `password_file` names"
        }
        StoreUrl::Postgres(_) if says(&["(42501)"]) => {
            "`scimd store migrate --role ROLE`, run as the owner of the database, allows the role ROLE to serve from it"
        }
        StoreUrl::Postgres(_) if says(&["UnknownIssuer"]) => {
            "this system does not know who signed the database's certificate; give the certificate of that authority with \
             `sslrootcert=FILE` in the address"
        }
        StoreUrl::Postgres(_) if says(&["error connecting to server"]) => {
            "check host and port, and whether the database runs"
        }
        StoreUrl::Sqlite(_) | StoreUrl::Postgres(_) | StoreUrl::Memory => {
            return Failure::Run(format!("cannot {what} {url}: {words}"));
        }
    };
    Failure::Run(format!("cannot {what} {url}: {words}; {advice}"))
}

/// The address with the password of the environment, unless it says where there is one.
pub(crate) fn with_password(address: &Address) -> Address {
    let password = std::env::var_os("PGPASSWORD").filter(|password| !password.is_empty());
    match password {
        Some(password) if !address.has_password() && !address.has_password_file() => {
            address.clone().with_password(password.as_encoded_bytes())
        }
        Some(_) | None => address.clone(),
    }
}

/// Loads the schemas and resource types that the configuration names, beside the built-in ones.
///
/// # Errors
/// When a document cannot be read, or they do not fit together.
pub fn registry(config: &Config) -> Result<Arc<Registry>, Failure> {
    let mut builder = Registry::builder()?;
    let mut extensions = Vec::new();
    for schema in &config.schemas {
        let document = read_json(&schema.file)?;
        if let Some(resource_type) = &schema.extends {
            let urn = document.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            extensions.push((resource_type, urn, schema.required));
        }
        builder = builder.schema(&document).map_err(|error| in_file(&schema.file, &error))?;
    }
    for file in &config.resource_types {
        builder = builder.resource_type(&read_json(file)?).map_err(|error| in_file(file, &error))?;
    }
    for (resource_type, urn, required) in extensions {
        builder = builder.extend(resource_type, &urn, required).map_err(|error| {
            Failure::Usage(format!("schema `{urn}` cannot extend `{resource_type}`: {error}"))
        })?;
    }
    Ok(Arc::new(builder.build()?))
}

/// The JSON in a file. A byte order mark in front, which editors on Windows write, is ignored.
///
/// # Errors
/// When it cannot be read, or is no JSON.
pub(crate) fn read_json(file: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", file.display())))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    serde_json::from_str(text).map_err(|error| {
        Failure::Usage(format!("{}: not JSON: {}", file.display(), json::said(text, &error)))
    })
}

fn in_file(file: &Path, error: &scim_core::Error) -> Failure {
    Failure::Usage(format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_signed_a_certificate_can_be_named() {
        let url: StoreUrl = "postgres://scimd@db.example.com/scim".parse().expect("an address");
        let Failure::Run(said) = cannot("open", &url, &"invalid peer certificate: UnknownIssuer") else {
            panic!("the command line is not at fault")
        };
        assert!(
            said.ends_with("give the certificate of that authority with `sslrootcert=FILE` in the address"),
            "{said}"
        );
    }
}
