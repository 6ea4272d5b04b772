//! Changing a tenant's rules: what would become of everybody, and making it so.
//!
//! The dry run and the real one judge with the same policy, over the same people. What is stored stays stored: a User that
//! the new rules would not let in is reported, keeps the person that it is, and is refused when it next changes, unless it
//! leaves.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use scim_core::document::Document;
use scim_core::person::Derived;
use scim_core::{Error, ErrorKind, Result, decode};
use scim_policy::{Explanation, Finding, Severity};
use scim_store::{PersonQuery, Query, Record, Reported, Start, UniqueKey};
use serde_json::Value;

use super::rehearsal::Rehearsal;
use super::replay::{Open, Outcome, Replay, without_body};
use super::{Judged, Rules, user};
use crate::Service;
use crate::context::store_error;
use crate::directory::{TenantEntry, faster};
use crate::resource::content;

/// How many Users are looked at at once.
const PAGE: usize = 500;

/// What other rules would mean for those who are there.
#[derive(Debug, Default)]
pub struct Comparison {
    /// How many Users are stored.
    pub users: usize,
    /// Those that would be refused if they came now and are not refused today, by identifier.
    pub refused: Vec<Concerned>,
    /// Those whose person would become another.
    pub changed: Vec<Concerned>,
    /// Requests that were refused and would be accepted, without their bodies.
    pub accepted: Vec<Reported>,
    /// Requests that were refused and would be refused again. One that is not kept is in neither.
    pub still_refused: usize,
}

/// A stored User that other rules make a difference to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concerned {
    /// The identifier.
    pub id: String,
    /// The name that the person signs in with.
    pub user_name: String,
    /// The person today, if there is one.
    pub before: Option<Derived>,
    /// The person under the other rules.
    pub after: Option<Derived>,
    /// What the other rules say.
    pub findings: Vec<Finding>,
}

/// What came of changing the rules.
#[derive(Debug)]
pub struct Changed {
    /// How many Users were looked at.
    pub users: usize,
    /// How many persons became others.
    pub persons: usize,
    /// Users against the new rules, with what they say.
    pub against: Vec<(String, Vec<Finding>)>,
}

/// The rules that a tenant is to have. What is not given stays.
#[derive(Debug, Clone, Default)]
pub struct NewRules {
    /// The policy as TOML, or `Some(None)` for none.
    pub policy: Option<Option<String>>,
    /// The schema documents that extend the tenant's Users, all of them.
    pub schemas: Option<Vec<Value>>,
    /// The [`TenantEntry::epoch`] of the rules that they were made from, where it matters that these are still in force.
    pub instead_of: Option<u64>,
}

impl Service {
    /// What these rules would mean for the tenant. Nothing changes.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant, `InvalidValue` when the rules do not fit.
    pub async fn compare_rules(&self, tenant: &str, rules: &NewRules) -> Result<Comparison> {
        let entry = self.directory().find(tenant).await?;
        let next = with(&entry, rules);
        let (old, new) = (self.rules_of(&entry)?, self.rules_of(&next)?);
        let mut comparison = Comparison::default();
        let (mut held, mut holders) = (Holders::new(), Holders::new());
        self.each_user(&entry, &old, |record, document| {
            comparison.users += 1;
            let today = judged(&old, &entry, record, document, &mut held)?;
            compare(
                today,
                judged(&new, &entry, record, document, &mut holders)?,
                record,
                document,
                &mut comparison,
            );
            Ok(())
        })
        .await?;
        let rehearsal = Rehearsal::new(self.shared_store(), holders, Arc::clone(&new), entry.quirks());
        let mut replay = Replay::rehearsed(self, &rehearsal, &next, &new);
        let mut open = Open::of(self.store(), &entry.tenant);
        while let Some(reported) = open.next().await? {
            // Of rows of a file nothing is kept that could be tried.
            if reported.report.body.is_empty() {
                continue;
            }
            match replay.again(&reported).await {
                Outcome::Done => comparison.accepted.push(without_body(reported)),
                Outcome::Refused(_) | Outcome::Overtaken => comparison.still_refused += 1,
                Outcome::Failed(error) => return Err(error),
            }
        }
        Ok(comparison)
    }

    /// Puts rules in force and derives everybody's person anew. Other servers on the store follow within seconds; until
    /// then what they plan under the old rules is planned again.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant, `InvalidValue` when the rules do not fit, `Conflict` when somebody else
    /// changed them meanwhile, or the servers on the store have other schemas than this service. An error that begins with
    /// "the rules … are in force" leaves what is stored partly as it was, until they are put in force again or a service does
    /// the rest ([`Service::prepare`], [`Service::finish_rules`]).
    pub async fn change_rules(&self, tenant: &str, rules: &NewRules, actor: &str) -> Result<Changed> {
        let entry = self.directory().find(tenant).await?;
        self.check_schemas().await?;
        if rules.instead_of.is_some_and(|epoch| epoch != entry.epoch) {
            return Err(faster(tenant));
        }
        let mut next = with(&entry, rules);
        self.rules_of(&next)?;
        let (policy, schemas) = (next.policy.clone(), next.schemas.clone());
        next.epoch = self.directory().put_rules(&entry, policy, schemas, actor).await?;
        next.rules = super::Memo::default();
        let rules = self.rules_of(&next)?;
        self.derive_all(&next, &rules).await.map_err(|error| {
            let words = format!(
                "the rules of tenant `{tenant}` are in force, and not everything that is stored is derived by them yet: {}",
                error.detail()
            );
            let error = Error::new(error.kind(), words).caused_by(error);
            error.remedy(
                "mend that and put them in force again; a server tries again too, when it starts, and every ten minutes",
            )
        })
    }

    /// What the tenant's rules make of a User as its identity provider would send it. Nothing changes.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant; what the schemas say of the User.
    pub async fn explain(&self, tenant: &str, mut user: Value) -> Result<Explanation> {
        let entry = self.directory().find(tenant).await?;
        let rules = self.rules_of(&entry)?;
        let resource_type = super::user(&rules.registry)?;
        crate::quirk::rewrite_resource(&mut user, resource_type, entry.quirks());
        let mut document = decode::resource(&user, resource_type)?.document;
        document.fill("active", true);
        Ok(rules.policy.explain(document.as_map()))
    }

    /// What the tenant's rules make of a User that is stored, its user group included. Nothing changes.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant or User.
    pub async fn explain_stored(&self, tenant: &str, id: &str) -> Result<Explanation> {
        let entry = self.directory().find(tenant).await?;
        let rules = self.rules_of(&entry)?;
        let resource_type = super::user(&rules.registry)?;
        let records = self.store().get(&entry.tenant, &[id]).await.map_err(store_error)?;
        let is_user = |record: &Record| *record.resource_type == *resource_type.name();
        let Some(record) = records.into_iter().flatten().find(is_user) else {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("tenant `{tenant}` has no User with the id `{}`", id.escape_debug()),
            ));
        };
        let mut explanation = rules.policy.explain(Document::from_stored(&record.body)?.as_map());
        // Memberships are no part of a User. What is named after one is looked up.
        let query = PersonQuery::Of(vec![record.id]);
        let mut persons = self.store().persons(&entry.tenant, &query).await.map_err(store_error)?.persons;
        let member = persons.pop().filter(|person| person.derived.pick.is_some());
        let field = explanation.fields.iter_mut().find(|explained| explained.field == "user_group");
        if let (Some(field), Some(group)) = (field, member.and_then(|member| member.person.user_group)) {
            (field.path, field.value) = (Some("groups".to_owned()), Some(group));
        }
        Ok(explanation)
    }

    /// The rules of an entry.
    pub(crate) fn rules_of(&self, entry: &TenantEntry) -> Result<Arc<Rules>> {
        entry.rules.rules(|| Rules::of(entry, self.registry())).map(Arc::clone)
    }

    /// Shows every User of a tenant.
    pub(crate) async fn each_user(
        &self,
        entry: &TenantEntry,
        rules: &Rules,
        mut show: impl FnMut(&Record, &Document) -> Result<()>,
    ) -> Result<()> {
        let mut query = Query::all(Arc::clone(user(&rules.registry)?), PAGE);
        loop {
            let page = self.store().query(&entry.tenant, &query).await.map_err(store_error)?;
            for record in &page.records {
                show(record, &Document::from_stored(&record.body)?)?;
            }
            match page.next {
                Some(position) => query.start = Start::After(position),
                None => return Ok(()),
            }
        }
    }
}

/// The entry with other rules.
pub(super) fn with(entry: &TenantEntry, rules: &NewRules) -> TenantEntry {
    let mut next = entry.clone();
    next.rules = super::Memo::default();
    if let Some(policy) = &rules.policy {
        next.policy.clone_from(policy);
    }
    if let Some(schemas) = &rules.schemas {
        next.schemas.clone_from(schemas);
    }
    next
}

/// Which User has a unique value.
type Holders = HashMap<UniqueKey, String>;

/// What rules make of a stored User and say of it, beside those whose values `holders` has.
fn judged(
    rules: &Rules,
    entry: &TenantEntry,
    record: &Record,
    document: &Document,
    holders: &mut Holders,
) -> Result<(Option<Derived>, Vec<Finding>)> {
    let resource_type = user(&rules.registry)?;
    let mut content = content(document, resource_type, entry.quirks(), record.modified);
    let Judged { mut findings, email_path } = rules.derive(document, resource_type, &mut content);
    for key in content.unique {
        match holders.entry(key) {
            Entry::Vacant(free) => drop(free.insert(record.id.clone())),
            Entry::Occupied(taken) if *taken.key().path == *super::EMAIL => {
                let holder = Some(taken.get().as_str());
                findings.extend(rules.policy.email_taken(&taken.key().value, &email_path, holder));
            }
            Entry::Occupied(_) => {}
        }
    }
    Ok((content.person, findings))
}

fn compare(
    (before, old_findings): (Option<Derived>, Vec<Finding>),
    (after, findings): (Option<Derived>, Vec<Finding>),
    record: &Record,
    document: &Document,
    comparison: &mut Comparison,
) {
    let is_refused =
        |findings: &[Finding]| findings.iter().any(|finding| finding.severity == Severity::Error);
    let (refused, changed) = (is_refused(&findings) && !is_refused(&old_findings), before != after);
    let user_name = document.as_map().get("userName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let concerned = Concerned { id: record.id.clone(), user_name, before, after, findings };
    match (refused, changed) {
        (true, true) => {
            comparison.refused.push(concerned.clone());
            comparison.changed.push(concerned);
        }
        (true, false) => comparison.refused.push(concerned),
        (false, true) => comparison.changed.push(concerned),
        (false, false) => {}
    }
}
