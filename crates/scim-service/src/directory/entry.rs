//! What the directory knows: tenants, connections and tokens.

use std::fmt;

use scim_core::text::nearest;
use scim_core::time::Timestamp;
use scim_core::{Error, ErrorKind, Result};
use scim_store::{Record, Tenant, UnknownMembers};
use serde_json::Value;

use super::record::{
    ConnectionBody, PolicyBody, SchemasBody, TenantBody, TokenBody, corrupt, read, read_bytes,
};
use super::token::Hash;
use crate::quirk::{Quirk, Quirks};
use crate::rules::Memo;

/// A kind of identity provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Idp {
    /// Microsoft Entra ID.
    Entra,
    /// Okta.
    Okta,
    /// Anything that keeps to the RFCs.
    Generic,
}

impl Idp {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Entra, Self::Okta, Self::Generic];

    /// The name that operators use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Okta => "okta",
            Self::Generic => "generic",
        }
    }

    /// The kind of this name.
    ///
    /// # Errors
    /// `invalidValue`. For a product that is known not to push SCIM by itself, the remedy says what does.
    pub fn parse(name: &str) -> Result<Self> {
        let folded = name.to_ascii_lowercase();
        if let Some(idp) = Self::ALL.into_iter().find(|idp| idp.name() == folded) {
            return Ok(idp);
        }
        let error =
            |words: &str| Error::new(ErrorKind::InvalidValue, format!("`{}` {words}", name.escape_debug()));
        Err(match folded.as_str() {
            "azure" | "azuread" | "azure-ad" | "aad" | "microsoft" => {
                error("is called `entra` here").remedy("use `entra`")
            }
            "adfs" | "ad-fs" => error("signs people in but does not provision them")
                .remedy("let Entra ID provision (with Entra Connect if the users live in Active Directory): use `entra`"),
            "ad" | "active-directory" | "activedirectory" | "windows" => error("does not speak SCIM").remedy(
                "synchronise Active Directory to Entra ID and provision from there (`entra`), or put a SCIM client such \
                 as midPoint in front of it (`generic`)",
            ),
            "ldap" | "openldap" | "389ds" => error("does not speak SCIM")
                .remedy("put a SCIM client such as midPoint or Apache Syncope in front of it: use `generic`"),
            "shibboleth" | "simplesamlphp" | "saml" | "oidc" | "oauth" | "cas" => {
                error("signs people in but does not provision them").remedy(
                    "connect the directory behind it with a SCIM client such as midPoint: use `generic`",
                )
            }
            "onelogin" | "ping" | "pingone" | "pingfederate" | "jumpcloud" | "keycloak" | "google" | "sailpoint"
            | "midpoint" | "authentik" => error("has no kind of its own").remedy("use `generic`"),
            _ => match nearest(&folded, Self::ALL.map(Self::name)) {
                Some(near) => error("is not a kind of identity provider").remedy(format!("did you mean `{near}`?")),
                None => error("is not a kind of identity provider").remedy("use `entra`, `okta` or `generic`"),
            },
        })
    }
}

impl fmt::Display for Idp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A tenant's single link to its identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// What kind it is. It decides which quirks are active.
    pub idp: Idp,
    /// Which tenant or organisation there.
    pub idp_tenant: Option<String>,
    /// Names of quirks that are active besides.
    pub quirks: Vec<String>,
    /// Whether groups are provisioned over it. Without the licence for that (Entra ID P1) users are provisioned one by
    /// one, and the Groups endpoint is off.
    pub groups: bool,
    /// Whether its requests are refused for now.
    pub paused: bool,
}

impl Connection {
    /// A connection to this kind of identity provider, with nothing particular about it.
    pub fn new(idp: Idp) -> Self {
        Self { idp, idp_tenant: None, quirks: Vec::new(), groups: true, paused: false }
    }

    /// The quirks that are active: those of the kind and those of the operator's choice.
    pub fn quirks(&self) -> Quirks {
        let chosen = self.quirks.iter().filter_map(|name| Quirk::parse(name).ok());
        chosen.fold(Quirks::of(self.idp), Quirks::with)
    }

    /// Checks what an operator typed.
    pub(super) fn check(&self) -> Result<()> {
        for name in &self.quirks {
            Quirk::parse(name)?;
        }
        let Some(id) = &self.idp_tenant else { return Ok(()) };
        let error =
            |words: &str| Error::new(ErrorKind::InvalidValue, format!("`{}` {words}", id.escape_debug()));
        match self.idp {
            Idp::Entra if uuid::Uuid::try_parse(id).is_err() || id.len() != 36 => {
                Err(error("is not an Entra tenant ID").remedy(
                    "it is a GUID such as `8f14e45f-ceea-467f-a3a1-0123456789ab`; the Entra portal shows it under Overview",
                ))
            }
            Idp::Okta if !is_okta_org(id) => Err(error("is not an Okta organisation")
                .remedy("use its URL such as `https://example.okta.com`, or its ID such as `00o1abcd2EFGH3ijk4l5`")),
            Idp::Generic if id.is_empty() || id.len() > 255 || id.chars().any(char::is_control) => {
                Err(error("is not usable as an identifier").remedy("use 1 to 255 printable characters"))
            }
            Idp::Entra | Idp::Okta | Idp::Generic => Ok(()),
        }
    }

    pub(super) fn read(record: &Record) -> Result<Self> {
        let body: ConnectionBody = read(record)?;
        Ok(Self {
            idp: Idp::parse(&body.idp)?,
            idp_tenant: body.idp_tenant,
            quirks: body.quirks,
            groups: !body.users_only,
            paused: body.paused,
        })
    }

    pub(super) fn into_body(self, tenant: &Tenant) -> ConnectionBody {
        let Self { idp, idp_tenant, mut quirks, groups, paused } = self;
        quirks.sort();
        quirks.dedup();
        ConnectionBody {
            tenant: tenant.as_str().to_owned(),
            idp: idp.name().to_owned(),
            idp_tenant,
            quirks,
            users_only: !groups,
            paused,
        }
    }
}

/// What differs for one tenant from the settings of the whole service. `None` is no difference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TenantSettings {
    /// What becomes of members that do not exist.
    pub unknown_members: Option<UnknownMembers>,
}

impl TenantSettings {
    pub(super) fn into_body(self, tenant: &Tenant) -> TenantBody {
        let Self { unknown_members } = self;
        TenantBody {
            name: tenant.as_str().to_owned(),
            unknown_members: unknown_members.map(|policy| policy.name().to_owned()),
        }
    }

    fn read(record: &Record) -> Result<Self> {
        let TenantBody { name: _, unknown_members } = read(record)?;
        let known = |name: String| UnknownMembers::from_name(&name).ok_or_else(|| corrupt(&record.id));
        Ok(Self { unknown_members: unknown_members.map(known).transpose()? })
    }
}

/// A tenant, as a request needs it.
#[derive(Debug, Clone)]
pub struct TenantEntry {
    /// The tenant.
    pub tenant: Tenant,
    /// When it was created.
    pub created: Timestamp,
    /// What is particular to it.
    pub settings: TenantSettings,
    /// Its connection, once it has one.
    pub connection: Option<Connection>,
    /// Its policy as TOML, if it has one.
    pub policy: Option<String>,
    /// The schema documents that extend its Users.
    pub schemas: Vec<Value>,
    /// Counts the policies and schemas that it has had.
    pub epoch: u64,
    /// Whether what is kept of its resources follows from the schemas and the version of this service, as far as is known.
    pub(crate) is_current: bool,
    /// What follows from policy and schemas.
    pub(crate) rules: Memo,
}

/// The records that an entry is made of.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    pub(super) connection: Option<&'a Record>,
    pub(super) policy: Option<&'a Record>,
    pub(super) schemas: Option<&'a Record>,
}

impl TenantEntry {
    /// The quirks of its connection; none where it has none.
    pub(crate) fn quirks(&self) -> Quirks {
        self.connection.as_ref().map_or(Quirks::NONE, Connection::quirks)
    }

    pub(super) fn read(tenant: Tenant, record: &Record, parts: Parts<'_>) -> Result<Self> {
        let policy: Option<PolicyBody> = parts.policy.map(read).transpose()?;
        let schemas: Option<SchemasBody> = parts.schemas.map(read).transpose()?;
        let (policy, epoch) = policy.map_or((None, 0), |body| (body.text, body.epoch));
        Ok(Self {
            tenant,
            created: record.created,
            settings: TenantSettings::read(record)?,
            connection: parts.connection.map(Connection::read).transpose()?,
            policy,
            schemas: schemas.unwrap_or_default().documents,
            epoch,
            is_current: true,
            rules: Memo::default(),
        })
    }
}

/// A token, without anything that would let somebody use it.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenEntry {
    /// Its identifier, which is part of the token but no secret.
    pub id: String,
    /// Whose it is.
    pub tenant: Tenant,
    /// When it was created.
    pub created: Timestamp,
    /// When it ends, if ever.
    pub expires: Option<Timestamp>,
    pub(super) hash: Hash,
}

impl TokenEntry {
    /// How many days before its end somebody should know of it.
    pub const NOTICE_DAYS: i64 = 14;

    /// Whether it is past its time.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    /// Whether it is not yet past its time, and will be within [`Self::NOTICE_DAYS`].
    pub fn is_ending(&self, now: Timestamp) -> bool {
        let notice = Self::NOTICE_DAYS * 24 * 60 * 60 * 1000;
        !self.is_expired(now) && self.expires.is_some_and(|end| end.0.saturating_sub(now.0) <= notice)
    }

    pub(super) fn read(record: &Record) -> Result<Self> {
        let body: TokenBody = read(record)?;
        Ok(Self {
            id: record.label.clone(),
            tenant: Tenant::new(&body.tenant).map_err(|error| corrupt(&record.id).caused_by(error))?,
            created: record.created,
            expires: body.expires.map(Timestamp),
            hash: read_bytes(record, &body.hash)?,
        })
    }
}

impl fmt::Debug for TokenEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, tenant, created, expires, hash: _ } = self;
        f.debug_struct("TokenEntry")
            .field("id", id)
            .field("tenant", tenant)
            .field("created", created)
            .field("expires", expires)
            .finish_non_exhaustive()
    }
}

/// A token that was just created.
pub struct NewToken {
    /// What is kept of it.
    pub entry: TokenEntry,
    /// The token itself. It cannot be shown again.
    pub token: String,
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewToken").field("entry", &self.entry).finish_non_exhaustive()
    }
}

/// `https://example.okta.com`, `example.okta.com`, or an identifier of letters and digits.
fn is_okta_org(text: &str) -> bool {
    if text.is_empty() || text.len() > 255 {
        return false;
    }
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return text.len() >= 10;
    }
    let host = text.strip_prefix("https://").unwrap_or(text);
    let host = host.strip_suffix('/').unwrap_or(host);
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.contains('.') && host.split('.').all(is_label)
}
