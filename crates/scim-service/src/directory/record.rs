//! How the directory is written into records of the system tenant: their identifiers, types and JSON.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use scim_core::filter::Filter;
use scim_core::key::Key;
use scim_core::schema::{Registry, ResourceType};
use scim_core::{Error, ErrorKind, Result};
use scim_store::{Content, IndexEntry, Record, Tenant};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::token::Hash;

/// The types of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Tenant,
    Connection,
    Policy,
    Schemas,
    Token,
    Secret,
    Index,
    Unfinished,
}

/// Whose a record is, and so whether it goes along when a tenant moves to another store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Of the tenant that it is named after.
    Tenant,
    /// Of the tenant that it names.
    Field,
    /// Of the store.
    Store,
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Tenant,
        Self::Connection,
        Self::Policy,
        Self::Schemas,
        Self::Token,
        Self::Secret,
        Self::Index,
        Self::Unfinished,
    ];

    /// The name of the resource type.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tenant => "Tenant",
            Self::Connection => "Connection",
            Self::Policy => "Policy",
            Self::Schemas => "Schemas",
            Self::Token => "Token",
            Self::Secret => "Secret",
            Self::Index => "Index",
            Self::Unfinished => "Unfinished",
        }
    }

    /// Whose records of this type are.
    pub(super) fn owner(self) -> Owner {
        match self {
            Self::Tenant | Self::Connection | Self::Policy | Self::Schemas | Self::Unfinished => {
                Owner::Tenant
            }
            Self::Token => Owner::Field,
            Self::Secret | Self::Index => Owner::Store,
        }
    }

    /// The identifier of the record: its type and its name, so that what must exist once can exist once only.
    pub(super) fn id(self, name: &str) -> String {
        format!("{}/{name}", self.name())
    }

    /// The type and name behind an identifier.
    pub(super) fn of(id: &str) -> Option<(Self, &str)> {
        let (kind, name) = id.split_once('/')?;
        Some((Self::ALL.into_iter().find(|known| known.name() == kind)?, name))
    }
}

/// What a `Tenant` record holds.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TenantBody {
    pub(super) name: String,
    /// By its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unknown_members: Option<String>,
}

/// What a `Connection` record holds.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectionBody {
    pub(super) tenant: String,
    pub(super) idp: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) idp_tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) quirks: Vec<String>,
    /// Whether groups are not provisioned over it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) users_only: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) paused: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What a `Policy` record holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PolicyBody {
    /// The TOML, as it was given; `None` where a policy was taken back.
    pub(super) text: Option<String>,
    /// Counts the policies and schemas of the tenant.
    pub(super) epoch: u64,
    /// Whether the tenant is being deleted: it is not known any more, and its data are not all gone. What is left of the
    /// record afterwards is the count, above which the next tenant of that name begins.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) leaving: bool,
}

impl PolicyBody {
    /// These rules, in force.
    pub(super) fn new(text: Option<String>, epoch: u64) -> Self {
        Self { text, epoch, leaving: false }
    }
}

/// What a `Schemas` record holds: the schema documents that extend the tenant's Users, in the order they were added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SchemasBody {
    pub(super) documents: Vec<serde_json::Value>,
}

/// What an `Unfinished` record holds, which is there from when a tenant gets other rules until everything that is kept of
/// its resources follows from them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UnfinishedBody {
    /// Of the rules.
    pub(super) epoch: u64,
    /// How often servers have gone on with it: each time the record changes, and so its date.
    #[serde(default)]
    pub(super) tries: u64,
}

/// What a `Token` record holds.
#[derive(Serialize, Deserialize)]
pub(super) struct TokenBody {
    pub(super) tenant: String,
    /// SHA-256 of the secret part, in base64.
    pub(super) hash: String,
    /// Milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<i64>,
}

/// What a `Secret` record holds.
#[derive(Serialize, Deserialize)]
struct SecretBody {
    /// In base64.
    value: String,
}

/// What an `Index` record holds: what stores keep of the resources of a type beside their documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IndexBody {
    /// The paths that have entries, and what their keys depend on.
    pub(crate) entries: Vec<String>,
    /// The paths whose values are unique.
    pub(crate) unique: Vec<String>,
    /// Whether a person is derived from each.
    #[serde(default)]
    pub(crate) persons: bool,
    /// By which definition texts are folded ([`scim_core::text::FOLDING`]); 0 before it was remembered.
    #[serde(default)]
    pub(crate) folding: u32,
}

impl IndexBody {
    /// No path is called that, so that this is what no server wants, of whatever version.
    const BEGUN: &str = "(begun)";

    /// What a record holds as long as not everything that is stored was derived by this.
    pub(crate) fn begun(&self) -> Self {
        let mut entries = self.entries.clone();
        if entries.first().is_none_or(|entry| entry != Self::BEGUN) {
            entries.insert(0, Self::BEGUN.to_owned());
        }
        Self { entries, ..self.clone() }
    }
}

/// The resource types, as queries need them. Only tokens are ever looked for by anything but their identifier.
pub(super) struct Types {
    pub(super) tenant: Arc<ResourceType>,
    pub(super) token: Arc<ResourceType>,
    pub(super) index: Arc<ResourceType>,
    pub(super) unfinished: Arc<ResourceType>,
}

impl Types {
    #[expect(
        clippy::expect_used,
        reason = "the documents are constants, covered by every test of the directory"
    )]
    pub(super) fn new() -> Self {
        let registry = registry().expect("the directory's own schemas");
        let of = |kind: Kind| registry.resource_type(kind.name()).map(Arc::clone).expect("declared");
        Self {
            tenant: of(Kind::Tenant),
            token: of(Kind::Token),
            index: of(Kind::Index),
            unfinished: of(Kind::Unfinished),
        }
    }

    /// The filter that finds a tenant's tokens.
    pub(super) fn tokens_of(&self, tenant: &Tenant) -> Result<Filter> {
        Filter::parse(&format!("tenant eq \"{tenant}\""), &self.token)
    }
}

fn registry() -> Result<Registry> {
    let mut builder = Registry::builder()?;
    for kind in [Kind::Tenant, Kind::Token, Kind::Index, Kind::Unfinished] {
        let (name, urn) = (kind.name(), format!("urn:scimd:directory:{}", kind.name()));
        let attribute =
            json!({ "name": if kind == Kind::Token { "tenant" } else { "name" }, "caseExact": true });
        let indexed: &[&str] = if kind == Kind::Token { &["tenant"] } else { &[] };
        builder =
            builder.schema(&json!({ "id": urn, "name": name, "attributes": [attribute] }))?.resource_type(
                &json!({ "name": name, "endpoint": format!("/{name}"), "schema": urn, "indexed": indexed }),
            )?;
    }
    builder.build()
}

/// The content of a record without index.
pub(super) fn content(label: &str, body: &impl Serialize) -> Result<Content> {
    let body = serde_json::to_vec(body).map_err(|error| {
        Error::new(ErrorKind::Internal, "a directory record cannot be written").caused_by(error)
    })?;
    Ok(Content {
        label: label.to_owned(),
        body: Bytes::from(body),
        unique: Vec::new(),
        index: Vec::new(),
        hidden: Vec::new(),
        person: None,
    })
}

/// The content of a `Token` record.
pub(super) fn token_content(id: &str, tenant: &Tenant, hash: &Hash, expires: Option<i64>) -> Result<Content> {
    let body = TokenBody { tenant: tenant.as_str().to_owned(), hash: STANDARD.encode(hash), expires };
    Ok(Content { index: vec![token_index(tenant)], ..content(id, &body)? })
}

/// What a `Token` record is found by.
pub(super) fn token_index(tenant: &Tenant) -> IndexEntry {
    IndexEntry { path: "tenant".into(), key: Key::text(tenant.as_str()), leading: true }
}

/// The content of a `Secret` record.
pub(super) fn secret_content(name: &str, secret: &[u8; 32]) -> Result<Content> {
    content(name, &SecretBody { value: STANDARD.encode(secret) })
}

/// Reads the body of a record.
pub(super) fn read<T: DeserializeOwned>(record: &Record) -> Result<T> {
    serde_json::from_slice(&record.body).map_err(|error| corrupt(&record.id).caused_by(error))
}

/// Reads a `Secret` record.
pub(super) fn read_secret(record: &Record) -> Result<[u8; 32]> {
    let body: SecretBody = read(record)?;
    read_bytes(record, &body.value)
}

/// Reads 32 bytes in base64.
pub(super) fn read_bytes(record: &Record, text: &str) -> Result<[u8; 32]> {
    let bytes = STANDARD.decode(text).map_err(|error| corrupt(&record.id).caused_by(error))?;
    bytes.try_into().map_err(|_| corrupt(&record.id))
}

/// The complaint about a record that this version of the program did not write.
pub(super) fn corrupt(id: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("the directory record `{}` cannot be read", id.escape_debug()))
        .remedy("it may come from a newer version; run that version, or restore a backup")
}
