//! What an operator declares to be a thing of the past: a report whose request will not be sent again, or one that nobody may
//! keep any longer. The former is settled as whatever is accepted about the same subject would settle it; the latter goes. Both
//! are recorded in the tenant's trail. Nothing is carried out.

use scim_core::{Error, ErrorKind, Result};
use scim_store::{AuditEntry, Changeset, CommitError, Conflict, ReportQuery, Reported};

use super::replay::{settle, without_body};
use crate::Service;
use crate::context::{outdated, store_error};
use crate::directory::TenantEntry;

impl Service {
    /// Settles the report with this number, and what is older about the same subject. Gives back what it said.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant, or no such report, or it is settled.
    pub async fn dismiss(&self, tenant: &str, number: u64, actor: &str) -> Result<Reported> {
        let entry = self.directory().find(tenant).await?;
        let missing = || {
            Error::new(
                ErrorKind::NotFound,
                format!("tenant `{tenant}` has no open finding with the number {number}"),
            )
            .remedy(format!(
                "it is settled, or came again and has another number: see `scimd findings list {tenant}`"
            ))
        };
        let reported = self.reported(&entry, number, Some(false)).await?.ok_or_else(missing)?;
        let audit = audit_of("dismiss", &reported, actor);
        match settle(self, &entry, &reported, Some(audit)).await? {
            true => Ok(without_body(reported)),
            false => Err(missing()),
        }
    }

    /// Erases the report with this number, settled or not, and what is kept of its request. Gives back what it said.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant, or no such report.
    pub async fn erase(&self, tenant: &str, number: u64, actor: &str) -> Result<Reported> {
        let entry = self.directory().find(tenant).await?;
        let missing = || {
            Error::new(
                ErrorKind::NotFound,
                format!("tenant `{tenant}` has no finding with the number {number}"),
            )
            .remedy(format!(
                "it is gone, or came again and has another number: see `scimd findings list {tenant} --all`"
            ))
        };
        let reported = self.reported(&entry, number, None).await?.ok_or_else(missing)?;
        let changeset = Changeset {
            epoch: entry.epoch,
            forgets: vec![(reported.report.subject.clone(), number)],
            audit: Some(audit_of("erase", &reported, actor)),
            ..Changeset::new(self.environment().now())
        };
        match self.store().commit(&entry.tenant, changeset).await {
            Ok(_) => Ok(without_body(reported)),
            Err(CommitError::Conflict(Conflict::Settled)) => Err(missing()),
            Err(CommitError::Conflict(_)) => Err(outdated()),
            Err(CommitError::Store(error)) => Err(store_error(error)),
        }
    }

    /// The report with this number, if it is there and in this state.
    async fn reported(
        &self,
        entry: &TenantEntry,
        number: u64,
        settled: Option<bool>,
    ) -> Result<Option<Reported>> {
        let query = ReportQuery { after: number.saturating_sub(1), count: 1, settled, subject: None };
        let found = self.store().reports(&entry.tenant, &query).await.map_err(store_error)?;
        Ok(found.into_iter().find(|reported| reported.number == number))
    }
}

/// What the trail has of it. It says nothing of what the report said.
fn audit_of(what: &str, reported: &Reported, actor: &str) -> AuditEntry {
    let report = &reported.report;
    AuditEntry {
        actor: actor.to_owned(),
        request: report.request.clone(),
        action: format!("{what} finding {} of {} {}", reported.number, report.method, report.path),
        status: 200,
        detail: String::new(),
    }
}
