//! A store whose commits are counted.

use std::sync::Arc;

use scim_store::{
    Audited, Change, Changeset, CommitError, Committed, EdgePage, EdgeQuery, Page, Pending, Query, Record,
    Side, Store, Tenant,
};

use super::metrics::{Commit, Metrics};

/// Passes everything on, and counts commits.
pub(crate) struct Observed {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Store for Observed {
    fn get<'a>(&'a self, tenant: &'a Tenant, ids: &'a [&'a str]) -> Pending<'a, Vec<Option<Record>>> {
        self.store.get(tenant, ids)
    }

    fn query<'a>(&'a self, tenant: &'a Tenant, query: &'a Query) -> Pending<'a, Page> {
        self.store.query(tenant, query)
    }

    fn edges<'a>(&'a self, tenant: &'a Tenant, query: &'a EdgeQuery) -> Pending<'a, EdgePage> {
        self.store.edges(tenant, query)
    }

    fn get_with_edges<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: &'a str,
        side: Side,
        count: usize,
    ) -> Pending<'a, Option<(Record, EdgePage)>> {
        self.store.get_with_edges(tenant, id, side, count)
    }

    fn commit<'a>(&'a self, tenant: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError> {
        Box::pin(async move {
            let result = self.store.commit(tenant, changeset).await;
            self.metrics.committed(match &result {
                Ok(_) => Commit::Done,
                Err(CommitError::Conflict(_)) => Commit::Conflict,
                Err(CommitError::Store(_)) => Commit::Failed,
            });
            result
        })
    }

    fn changes<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Change>> {
        self.store.changes(tenant, after, count)
    }

    fn audit<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Audited>> {
        self.store.audit(tenant, after, count)
    }
}
