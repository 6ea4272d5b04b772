//! Carrying out again what was refused, once its cause is mended.
//!
//! Identity providers try again by themselves, some of them after hours. A replay does not wait for them: it takes what
//! was refused and is not settled, oldest first, and sends it the way it came. A request that was overtaken is never
//! carried out, which the store sees to while it commits:
//!
//! * Whatever was accepted about the same subject since has settled it.
//! * A request about one member of a group says nothing of the rest. Any other one about a group would undo what has
//!   happened to the group since, and is carried out only if nothing has, but for what this very replay did.
//!
//! What leads to nothing any more (somebody who is deleted, a name that somebody else has by now) is settled besides.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use scim_core::filter::Filter;
use scim_core::schema::{Membership, ResourceType};
use scim_core::{Error, ErrorKind, Result, json};
use scim_store::{
    AuditEntry, Changeset, CommitError, Conflict, Query, Report, ReportQuery, Reported, Retry, Store, Tenant,
};
use serde_json::Value;

use super::rehearsal::Rehearsal;
use super::{Origin, Rules, Sent};
use crate::Service;
use crate::caller::in_use;
use crate::context::{Context, Course, outdated, store_error};
use crate::directory::TenantEntry;
use crate::etag::Precondition;
use crate::route::Endpoint;

/// How many reports are read at once. Each may be as large as [`Report::MOST_BODY`].
const PAGE: usize = 50;

/// What became of a request that was carried out again.
#[derive(Debug)]
pub struct Replayed {
    /// The request, without its body, and what was said of it.
    pub reported: Reported,
    /// Why it was refused again, if it was. `NotFound` and `Uniqueness` say that it can never be carried out: it is
    /// settled then.
    pub refusal: Option<Error>,
}

impl Service {
    /// Carries out again what was refused.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant, `Forbidden` when it has no connection or that is paused; otherwise when
    /// the store cannot be read or written. What was carried out until then stays.
    pub async fn replay(&self, tenant: &str, actor: &str) -> Result<Vec<Replayed>> {
        let entry = self.directory().find(tenant).await?;
        self.check_schemas().await?;
        in_use(&entry)?;
        let rules = self.rules_of(&entry)?;
        let mut replay = Replay::new(self, &entry, &rules, actor);
        let (mut replayed, mut open) = (Vec::new(), Open::of(self.store(), &entry.tenant));
        while let Some(reported) = open.next().await? {
            let refusal = match replay.again(&reported).await {
                Outcome::Done => None,
                Outcome::Overtaken => continue,
                Outcome::Refused(error) => Some(error),
                Outcome::Failed(error) => return Err(error),
            };
            if refusal.as_ref().is_none_or(is_final) {
                settle(self, &entry, &reported, None).await?;
            }
            replayed.push(Replayed { reported: without_body(reported), refusal });
        }
        Ok(replayed)
    }
}

/// What became of it.
pub(super) enum Outcome {
    /// It was accepted.
    Done,
    /// Something newer has settled it meanwhile.
    Overtaken,
    /// It cannot be carried out.
    Refused(Error),
    /// Nobody knows.
    Failed(Error),
}

/// Whether a request that failed so can never succeed.
fn is_final(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Uniqueness)
}

pub(super) fn without_body(mut reported: Reported) -> Reported {
    reported.report.body = Bytes::new();
    reported
}

/// The requests that were refused and are not settled, oldest first. What comes while they are gone through is not left
/// out, but they end.
pub(super) struct Open<'a> {
    store: &'a dyn Store,
    tenant: &'a Tenant,
    query: ReportQuery,
    page: std::vec::IntoIter<Reported>,
    left: u64,
}

impl<'a> Open<'a> {
    pub(super) fn of(store: &'a dyn Store, tenant: &'a Tenant) -> Self {
        let query = ReportQuery { after: 0, count: PAGE, settled: Some(false), subject: None };
        Self { store, tenant, query, page: Vec::new().into_iter(), left: Report::MOST }
    }

    pub(super) async fn next(&mut self) -> Result<Option<Reported>> {
        while self.left > 0 {
            match self.page.next() {
                Some(reported) => {
                    self.left -= 1;
                    self.query.after = reported.number;
                    if reported.report.status >= 400 {
                        return Ok(Some(reported));
                    }
                }
                None => {
                    let page = self.store.reports(self.tenant, &self.query).await.map_err(store_error)?;
                    if page.is_empty() {
                        return Ok(None);
                    }
                    self.page = page.into_iter();
                }
            }
        }
        Ok(None)
    }
}

/// Carries out requests one after the other.
pub(super) struct Replay<'a> {
    service: &'a Service,
    /// Where they are carried out. It may be a rehearsal.
    store: &'a dyn Store,
    /// Whether nothing is written in truth.
    rehearses: bool,
    entry: &'a TenantEntry,
    rules: &'a Rules,
    actor: &'a str,
    /// The versions of groups that were written on the way.
    own: HashMap<String, u64>,
}

impl<'a> Replay<'a> {
    fn new(service: &'a Service, entry: &'a TenantEntry, rules: &'a Rules, actor: &'a str) -> Self {
        Self { service, store: service.store(), rehearses: false, entry, rules, actor, own: HashMap::new() }
    }

    /// Carries requests out on a store that keeps nothing of it.
    pub(super) fn rehearsed(
        service: &'a Service,
        rehearsal: &'a Rehearsal,
        entry: &'a TenantEntry,
        rules: &'a Rules,
    ) -> Self {
        Self { store: rehearsal, rehearses: true, ..Self::new(service, entry, rules, "dry run") }
    }

    /// Carries out one.
    pub(super) async fn again(&mut self, reported: &Reported) -> Outcome {
        match self.attempt(reported).await {
            Ok(written) => {
                self.own.extend(written);
                Outcome::Done
            }
            Err(error) if error.kind() == ErrorKind::Conflict => Outcome::Overtaken,
            Err(error) if error.kind().status() >= 500 => Outcome::Failed(error),
            Err(error) => Outcome::Refused(error),
        }
    }

    /// Says which group was written, and its version.
    async fn attempt(&self, reported: &Reported) -> Result<Option<(String, u64)>> {
        let Reported { number, sequence, report, .. } = reported;
        self.check_subject(&report.subject).await?;
        if report.body.is_empty() {
            return Err(Error::new(
                ErrorKind::InvalidValue,
                "the request was too long to be kept, or a row of a file",
            )
            .remedy("let the identity provider send it again"));
        }
        let body = json::parse(&report.body)?;
        let origin = Origin { method: &report.method, path: &report.path, body: Sent::Bytes(&report.body) };
        let course = Course::default();
        let base = self.service.base_of(&self.entry.tenant);
        let retry = Retry { subject: report.subject.clone(), number: *number, sequence: *sequence };
        let Self { service, store, entry, rules, actor, .. } = self;
        let context = Context {
            retries: Some(&retry),
            ..service.context(*store, entry, rules, &base, actor, &report.request, origin, &course)
        };
        self.carry_out(&context, &retry, body).await
    }

    /// Refuses what is about somebody or something that is gone.
    async fn check_subject(&self, subject: &str) -> Result<()> {
        // A subject is an identifier, or a group and a member, or stands for what is to be created.
        let ids: Vec<&str> = subject.split('/').collect();
        if subject.contains(':') || ids.len() < 2 {
            return Ok(());
        }
        let records = self.service.store().get(&self.entry.tenant, &ids).await.map_err(store_error)?;
        match records.iter().all(Option::is_some) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::NotFound, "the group or the member is deleted")
                .remedy("nothing needs to be done")),
        }
    }

    async fn carry_out(
        &self,
        context: &Context<'_>,
        retry: &Retry,
        body: Value,
    ) -> Result<Option<(String, u64)>> {
        let Origin { method, path, .. } = context.origin;
        let endpoint = Endpoint::of(path, context.registry);
        match (method, endpoint) {
            ("POST", Some(Endpoint::Collection(resource_type))) => {
                self.check_source(&resource_type, &body).await?;
                let record = context.create(&resource_type, body).await?;
                Ok(Some((record.id, record.version)))
            }
            ("PUT", Some(Endpoint::Resource(resource_type, id))) => {
                let precondition = self.untouched(&resource_type, &id, retry).await?;
                let record = context.replace(&resource_type, &id, body, &precondition).await?;
                Ok(Some((id, record.version)))
            }
            ("PATCH", Some(Endpoint::Resource(resource_type, id))) => {
                let precondition = match retry.subject.split_once('/') {
                    Some((group, member))
                        if context.is_about_member(&resource_type, group, body.clone(), member)? =>
                    {
                        Precondition::NONE
                    }
                    _ => self.untouched(&resource_type, &id, retry).await?,
                };
                let modified = context.modify(&resource_type, &id, body, &precondition).await?;
                Ok(Some((id, modified.version())))
            }
            _ => Err(Error::new(ErrorKind::InvalidValue, "such a request is not carried out again")
                .remedy("let the identity provider send it again")),
        }
    }

    /// Refuses to create anew whom the identity provider has created under another name by now: its administrator has mended
    /// the name, and nothing would ever change or end this one.
    async fn check_source(&self, resource_type: &Arc<ResourceType>, body: &Value) -> Result<()> {
        let Some(source) = body.get("externalId").and_then(Value::as_str) else { return Ok(()) };
        if resource_type.membership() != Some(Membership::Member) {
            return Ok(());
        }
        let filter = Filter::parse(&format!("externalId eq {}", Value::from(source)), resource_type)?;
        let query = Query { filter: Some(filter), ..Query::all(Arc::clone(resource_type), 1) };
        let page = self.service.store().query(&self.entry.tenant, &query).await.map_err(store_error)?;
        match page.records.first() {
            None => Ok(()),
            Some(record) => Err(Error::new(
                ErrorKind::Uniqueness,
                format!("`{}` has the same externalId and was accepted since", record.id),
            )
            .remedy("nothing needs to be done")),
        }
    }

    /// What has to hold for a request about more than one member of a group: that nobody else wrote to the group since.
    async fn untouched(&self, resource_type: &ResourceType, id: &str, retry: &Retry) -> Result<Precondition> {
        if resource_type.membership() != Some(Membership::Group) {
            return Ok(Precondition::NONE);
        }
        let records = self.service.store().get(&self.entry.tenant, &[id]).await.map_err(store_error)?;
        let current = records.into_iter().flatten().next().map_or(0, |record| record.version);
        let own = self.own.get(id).copied().unwrap_or(0);
        if current > retry.sequence.max(own) {
            return Err(Error::new(ErrorKind::PreconditionFailed, "the group has changed since")
                .remedy("let the identity provider send the request again"));
        }
        match self.rehearses {
            true => Ok(Precondition::NONE),
            false => Ok(Precondition::of_version(current)),
        }
    }
}

/// Settles a report, and what is older about the same subject, unless something newer has. Says whether it was this that did.
///
/// What was carried out is settled even where a change of names hides what it was about, or nothing had to be changed.
pub(super) async fn settle(
    service: &Service,
    entry: &TenantEntry,
    reported: &Reported,
    audit: Option<AuditEntry>,
) -> Result<bool> {
    let Reported { number, sequence, report, .. } = reported;
    let retry = Retry { subject: report.subject.clone(), number: *number, sequence: *sequence };
    let changeset = Changeset {
        epoch: entry.epoch,
        settles: vec![report.subject.clone()],
        retries: Some(retry),
        audit,
        ..Changeset::new(service.environment().now())
    };
    match service.store().commit(&entry.tenant, changeset).await {
        Ok(_) => Ok(true),
        Err(CommitError::Conflict(Conflict::Settled)) => Ok(false),
        Err(CommitError::Conflict(_)) => Err(outdated()),
        Err(CommitError::Store(error)) => Err(store_error(error)),
    }
}
