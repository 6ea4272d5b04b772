//! A tenant's rules: the schemas that it speaks and the policy that its Users are held to.
//!
//! Most tenants have neither schemas nor a policy of their own and share what the service has. What a policy says is in
//! `scim_policy`; here is how it reaches a write, an answer, the reports, and what is stored already.

mod admission;
mod change;
mod dismissal;
mod extension;
mod genders;
mod redact;
mod rehearsal;
mod replay;

use std::fmt;
use std::sync::{Arc, OnceLock};

use scim_core::document::Document;
use scim_core::schema::{Registry, ResourceType};
use scim_core::{Error, ErrorKind, Result};
use scim_policy::{Finding, Policy, PolicyErrors, PolicyFile};
use scim_store::{Content, UniqueKey};

pub(crate) use self::admission::{Origin, Refusal, Remarks, Sent, take_claim};
pub use self::change::{Changed, Comparison, Concerned, NewRules};
pub use self::genders::{GenderWord, GenderWords};
pub use self::replay::Replayed;
use crate::directory::TenantEntry;

/// Under which path the e-mail address of a person is claimed, so that no two have the same.
pub(crate) const EMAIL: &str = "person.email";

/// The resource type that persons are made of.
pub(crate) const USER: &str = "User";
/// The resource type that a connection without groups does not serve.
const GROUP: &str = "Group";

/// The rules of a tenant, compiled.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) registry: Arc<Registry>,
    pub(crate) policy: Policy,
    /// Counts the rules of the tenant.
    pub(crate) epoch: u64,
}

impl Rules {
    /// The rules of a tenant that speaks `registry` beside what it declares itself.
    ///
    /// # Errors
    /// `InvalidValue` with every problem, when schemas and policy do not fit each other.
    pub(crate) fn of(entry: &TenantEntry, registry: &Arc<Registry>) -> Result<Self> {
        let TenantEntry { policy, schemas, epoch, connection, .. } = entry;
        let file = policy.as_deref().map(PolicyFile::parse);
        let groups = connection.as_ref().is_none_or(|connection| connection.groups);
        let is_plain = schemas.is_empty() && groups;
        let mut known = match is_plain {
            true => Arc::clone(registry),
            false => Arc::new(extended(registry, schemas, groups)?),
        };
        if let Some(file) = &file {
            let undeclared = file.undeclared(&known);
            if !undeclared.is_empty() {
                known = Arc::new(extended(&known, &undeclared, true)?);
            }
        }
        let user = user(&known)?;
        let policy = match file {
            Some(file) => file.compile(user).map_err(wrong)?,
            None => Policy::protocol_only(user),
        };
        Ok(Self { registry: known, policy, epoch: *epoch })
    }

    /// Adds to what is stored of a User the person that it is, and says what the rules say of it. Of other types there is
    /// nothing to say.
    pub(crate) fn derive(
        &self,
        document: &Document,
        resource_type: &ResourceType,
        content: &mut Content,
    ) -> Judged {
        if resource_type.name() != USER {
            return Judged::default();
        }
        let verdict = match document.as_map().contains_key("active") {
            true => self.policy.judge(document.as_map()),
            // Only an explicit `true` is active, and whoever created this User has said so: a PATCH took it away.
            false => {
                let mut left = document.clone();
                left.fill("active", false);
                self.policy.judge(left.as_map())
            }
        };
        // Whoever left no longer stands in the way of somebody with the same address.
        if let Some(value) = verdict.email_key.filter(|_| verdict.derived.person.active) {
            content.unique.push(UniqueKey { path: EMAIL.into(), value });
        }
        content.person = Some(verdict.derived);
        let email_path = verdict.email_path.unwrap_or_default();
        Judged { findings: verdict.findings, email_path }
    }
}

/// What the rules say of a User.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) findings: Vec<Finding>,
    /// Where the e-mail address of the person came from; empty where there is none.
    pub(crate) email_path: String,
}

/// The rules of an entry, once they were needed.
#[derive(Clone, Default)]
pub(crate) struct Memo(OnceLock<Arc<Rules>>);

impl Memo {
    /// The rules, compiled at most once.
    pub(crate) fn rules(&self, make: impl FnOnce() -> Result<Rules>) -> Result<&Arc<Rules>> {
        match self.0.get() {
            Some(rules) => Ok(rules),
            None => {
                let rules = Arc::new(make()?);
                Ok(self.0.get_or_init(|| rules))
            }
        }
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "compiled" } else { "not compiled" })
    }
}

/// The type of Users.
pub(crate) fn user(registry: &Registry) -> Result<&Arc<ResourceType>> {
    let missing = || Error::new(ErrorKind::Internal, "there is no resource type `User`");
    registry.resource_type(USER).ok_or_else(missing)
}

/// The registry with these schemas as extensions of User, and without groups if there are to be none.
///
/// # Errors
/// When a document is no schema, or one that is there already.
fn extended(registry: &Registry, schemas: &[serde_json::Value], groups: bool) -> Result<Registry> {
    let mut builder = registry.to_builder();
    for document in schemas {
        let urn = document.get("id").and_then(serde_json::Value::as_str).unwrap_or_default();
        builder = builder.schema(document)?.extend(USER, urn, false)?;
    }
    if !groups {
        builder = builder.without(GROUP);
    }
    builder.build()
}

fn wrong(problems: PolicyErrors) -> Error {
    Error::new(ErrorKind::InvalidValue, problems.to_string()).caused_by(problems)
}

/// The complaint of a request about rules that were in order once: an operator changed the schemas of the service since.
pub(crate) fn unfit(entry: &TenantEntry, problems: Error) -> Error {
    let words = format!("the rules of tenant `{}` do not fit the schemas any more", entry.tenant);
    Error::new(ErrorKind::Unavailable, words)
        .remedy(format!("its operator mends them: `scimd policy apply {} FILE`", entry.tenant))
        .caused_by(problems)
}
