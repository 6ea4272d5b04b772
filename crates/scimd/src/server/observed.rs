//! A store whose commits are counted, and what the rules refused with them.

use std::sync::Arc;

use scim_store::{Changeset, CommitError, Committed, Pending, Store, Tenant, pass_on};

use super::metrics::{Commit, Metrics};

/// Passes everything on, and counts.
pub(super) struct Observed {
    pub(super) store: Arc<dyn Store>,
    pub(super) metrics: Arc<Metrics>,
}

impl Store for Observed {
    pass_on!(
        self => &*self.store;
        get, query, edges, crowded, persons, get_with_edges, query_with_edges, changes, audit, reports, spend,
        load
    );

    fn commit<'a>(&'a self, tenant: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError> {
        // Of a refusal, the audit trail has the reasons.
        let refusal = changeset.audit.as_ref().filter(|entry| entry.status >= 400);
        let reasons = refusal.map(|entry| entry.detail.clone());
        Box::pin(async move {
            let result = self.store.commit(tenant, changeset).await;
            self.metrics.committed(match &result {
                Ok(_) => Commit::Done,
                Err(CommitError::Conflict(_)) => Commit::Conflict,
                Err(CommitError::Store(_)) => Commit::Failed,
            });
            if let (Some(reasons), Ok(_)) = (reasons, &result) {
                self.metrics.refused(&reasons);
            }
            result
        })
    }
}
