//! Where resources are kept, as operators write it: `sqlite:PATH` or `memory`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use scim_core::text::nearest;
use serde::{Deserialize, Deserializer};

/// A store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// An SQLite database in a file.
    Sqlite(PathBuf),
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
        let complaint = |remedy: &str| Err(format!("`{}` is not a store; {remedy}", text.escape_debug()));
        match text.split_once(':') {
            Some(("sqlite", "")) => complaint("name its file, as in `sqlite:/var/lib/scimd/scimd.db`"),
            Some(("sqlite", path)) => {
                Ok(Self::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
            }
            Some(("postgres" | "postgresql", _)) => {
                complaint("Postgres is not supported yet; use `sqlite:PATH`")
            }
            scheme => match nearest(scheme.map_or(text, |(scheme, _)| scheme), ["sqlite", "memory"]) {
                Some("sqlite") => complaint("did you mean `sqlite:PATH`?"),
                Some(near) => complaint(&format!("did you mean `{near}`?")),
                None => complaint("use `sqlite:PATH` or `memory`"),
            },
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Memory => f.write_str("memory"),
        }
    }
}

impl<'de> Deserialize<'de> for StoreUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
