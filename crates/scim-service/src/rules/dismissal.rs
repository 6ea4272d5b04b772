//! What an operator declares to be a thing of the past: a report whose request will not be sent again. It is settled as
//! whatever is accepted about the same subject would settle it, and recorded in the tenant's trail. Nothing is carried out.

use scim_core::{Error, ErrorKind, Result};
use scim_store::{AuditEntry, ReportQuery, Reported};

use super::replay::{settle, without_body};
use crate::Service;
use crate::context::store_error;

impl Service {
    /// Settles the report with this number, and what is older about the same subject. Gives back what it said.
    ///
    /// # Errors
    /// `NotFound` when there is no such tenant, or no such report, or it is settled.
    pub async fn dismiss(&self, tenant: &str, number: u64, actor: &str) -> Result<Reported> {
        let entry = self.directory().find(tenant).await?;
        let query =
            ReportQuery { after: number.saturating_sub(1), count: 1, settled: Some(false), subject: None };
        let found = self.store().reports(&entry.tenant, &query).await.map_err(store_error)?;
        let missing = || {
            Error::new(
                ErrorKind::NotFound,
                format!("tenant `{tenant}` has no open finding with the number {number}"),
            )
            .remedy(format!(
                "it is settled, or came again and has another number: see `scimd findings list {tenant}`"
            ))
        };
        let reported = found.into_iter().find(|reported| reported.number == number).ok_or_else(missing)?;
        let report = &reported.report;
        let audit = AuditEntry {
            actor: actor.to_owned(),
            request: report.request.clone(),
            action: format!("dismiss finding {number} of {} {}", report.method, report.path),
            status: 200,
            detail: String::new(),
        };
        match settle(self, &entry, &reported, Some(audit)).await? {
            true => Ok(without_body(reported)),
            false => Err(missing()),
        }
    }
}
