//! Carrying out again what was refused, once its cause is mended.
//!
//! Identity providers try again by themselves, some of them after hours. A replay does not wait for them: it takes what
//! was refused and is not settled, oldest first, and sends it the way it came. A request that was overtaken is never
//! carried out: whatever was accepted about the same subject since has settled it.

use std::sync::atomic::AtomicBool;

use scim_core::{Error, ErrorKind, Result, json};
use scim_store::{Changeset, ReportQuery, Reported, Store, Tenant};
use serde_json::Value;

use super::rehearsal::Rehearsal;
use super::{Origin, Rules, Sent};
use crate::Service;
use crate::context::{Context, store_error};
use crate::directory::TenantEntry;
use crate::etag::Precondition;
use crate::route::Endpoint;

/// What became of a request that was carried out again.
#[derive(Debug)]
pub struct Replayed {
    /// The request, and what was said of it.
    pub reported: Reported,
    /// Why it was refused again, if it was.
    pub refusal: Option<Error>,
}

impl Service {
    /// Carries out again what was refused.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant, `Forbidden` when its connection is paused; otherwise when the store cannot
    /// be read or written.
    pub async fn replay(&self, tenant: &str, actor: &str) -> Result<Vec<Replayed>> {
        let entry = self.entry(tenant).await?;
        let rules = self.rules_of(&entry)?;
        let mut replayed = Vec::new();
        for reported in open(self.store(), &entry.tenant).await? {
            let outcome = again(self, self.store(), &entry, &rules, &reported, actor).await;
            let refusal = match outcome {
                Ok(()) => {
                    settle(self, &entry.tenant, &rules, &reported).await?;
                    None
                }
                Err(error) if error.kind().status() >= 500 => return Err(error),
                Err(error) => Some(error),
            };
            replayed.push(Replayed { reported, refusal });
        }
        Ok(replayed)
    }
}

/// The requests that were refused and are not settled, oldest first.
pub(super) async fn open(store: &dyn Store, tenant: &Tenant) -> Result<Vec<Reported>> {
    let mut query = ReportQuery { after: 0, count: 500, settled: Some(false), subject: None };
    let mut found: Vec<Reported> = Vec::new();
    loop {
        let page = store.reports(tenant, &query).await.map_err(store_error)?;
        let more = page.len() == query.count;
        query.after = page.last().map_or(query.after, |last| last.number);
        found.extend(page.into_iter().filter(|reported| reported.report.status >= 400));
        if !more {
            return Ok(found);
        }
    }
}

/// Whether these rules would let a request pass that was refused.
pub(super) async fn would_pass(
    service: &Service,
    entry: &TenantEntry,
    rules: &Rules,
    reported: &Reported,
) -> Result<bool> {
    let rehearsal = Rehearsal(service.shared_store());
    match again(service, &rehearsal, entry, rules, reported, "dry run").await {
        Ok(()) => Ok(true),
        Err(error) if error.kind().status() >= 500 => Err(error),
        Err(_) => Ok(false),
    }
}

async fn again(
    service: &Service,
    store: &dyn Store,
    entry: &TenantEntry,
    rules: &Rules,
    reported: &Reported,
    actor: &str,
) -> Result<()> {
    let report = &reported.report;
    if report.body.is_empty() {
        return Err(Error::new(ErrorKind::InvalidValue, "the request was too long to be kept")
            .remedy("let the identity provider send it again"));
    }
    let body = json::parse(&report.body)?;
    let origin = Origin { method: &report.method, path: &report.path, body: Sent::Bytes(&report.body) };
    let stale = AtomicBool::new(false);
    let base = service.base_of(&entry.tenant);
    let context = service.context(store, entry, rules, &base, actor, &report.request, origin, &stale);
    carry_out(&context, body).await
}

/// Carries out the request that the context came from.
async fn carry_out(context: &Context<'_>, body: Value) -> Result<()> {
    let Origin { method, path, .. } = context.origin;
    match (method, Endpoint::of(path, context.registry)) {
        ("POST", Some(Endpoint::Collection(resource_type))) => {
            context.create(&resource_type, body).await.map(drop)
        }
        ("PUT", Some(Endpoint::Resource(resource_type, id))) => {
            context.replace(&resource_type, &id, body, &Precondition::NONE).await.map(drop)
        }
        ("PATCH", Some(Endpoint::Resource(resource_type, id))) => {
            context.modify(&resource_type, &id, body, &Precondition::NONE).await.map(drop)
        }
        _ => Err(Error::new(ErrorKind::NotFound, "there is no such endpoint any more")),
    }
}

/// What was carried out is settled, even where a change of names hides what it was about.
async fn settle(service: &Service, tenant: &Tenant, rules: &Rules, reported: &Reported) -> Result<()> {
    let changeset = Changeset {
        epoch: rules.epoch,
        settles: vec![reported.report.subject.clone()],
        ..Changeset::new(service.environment().now())
    };
    let committed = service.store().commit(tenant, changeset).await;
    committed.map(drop).map_err(|error| match error {
        scim_store::CommitError::Store(error) => store_error(error),
        scim_store::CommitError::Conflict(_) => crate::context::outdated(),
    })
}
