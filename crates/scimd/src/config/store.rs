//! Where resources are kept, as operators write it: `sqlite:PATH`, `postgres://USER@HOST/DATABASE` or `memory`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use scim_core::text::nearest;
use scim_store_postgres::Address;
use serde::{Deserialize, Deserializer};

/// A store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// An SQLite database in a file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(Address),
    /// The memory of the process. Nothing survives it.
    Memory,
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("scimd.db"))
    }
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        // An address of another kind may have a password in it, and what is wrong ends up in a log.
        let is_secretive = text.contains('@') || text.to_ascii_lowercase().contains("password");
        let complaint = |remedy: &str| {
            Err(match is_secretive {
                true => format!("what is given is not a store; {remedy}"),
                false => format!("`{}` is not a store; {remedy}", text.escape_debug()),
            })
        };
        match text.split_once(':') {
            Some(("sqlite", "")) => complaint("name its file, as in `sqlite:/var/lib/scimd/scimd.db`"),
            // A folder called `postgres:` is less likely.
            Some(("sqlite", path)) if path.trim_start_matches('/').contains("://") => {
                complaint("after `sqlite:` comes the path of a file; leave `sqlite:` out for a database")
            }
            Some(("sqlite", path)) => {
                Ok(Self::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
            }
            // What is wrong with it is said without quoting it: there may be a password in it.
            Some(("postgres" | "postgresql", _)) => match text.parse() {
                Ok(address) => Ok(Self::Postgres(address)),
                Err(error) => Err(format!("the address of the database cannot be read; {error}")),
            },
            scheme => {
                match nearest(scheme.map_or(text, |(scheme, _)| scheme), ["sqlite", "postgres", "memory"]) {
                    Some("sqlite") => complaint("did you mean `sqlite:PATH`?"),
                    Some("postgres") => {
                        Err("the address of a database begins with `postgres://`, as in `postgres://scimd@HOST/DATABASE`"
                            .to_owned())
                    }
                    Some(near) => complaint(&format!("did you mean `{near}`?")),
                    None => complaint("use `sqlite:PATH`, `postgres://USER@HOST/DATABASE` or `memory`"),
                }
            }
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(address) => address.fmt(f),
            Self::Memory => f.write_str("memory"),
        }
    }
}

impl StoreUrl {
    /// As it is written in a command, where a shell would otherwise understand something else.
    pub fn argument(&self) -> String {
        let text = self.to_string();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+,=".contains(&byte);
        match text.bytes().all(is_plain) {
            true => text,
            false => format!("'{}'", text.replace('\'', "'\\''")),
        }
    }

    /// Whether it is a file that is not there yet.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Sqlite(path) if !path.exists())
    }

    /// Whether a password is written into it.
    pub fn has_password(&self) -> bool {
        matches!(self, Self::Postgres(address) if address.has_password())
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
