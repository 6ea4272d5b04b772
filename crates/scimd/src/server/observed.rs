//! A store whose commits are counted.

use std::sync::Arc;

use scim_store::{
    Audited, Change, Changeset, CommitError, Committed, EdgePage, EdgeQuery, Page, Pending, PersonPage,
    PersonQuery, Query, Record, ReportQuery, Reported, Side, Store, Tenant,
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

    fn crowded<'a>(
        &'a self,
        tenant: &'a Tenant,
        after: Option<&'a str>,
        count: usize,
    ) -> Pending<'a, Vec<String>> {
        self.store.crowded(tenant, after, count)
    }

    fn persons<'a>(&'a self, tenant: &'a Tenant, query: &'a PersonQuery) -> Pending<'a, PersonPage> {
        self.store.persons(tenant, query)
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

    fn reports<'a>(&'a self, tenant: &'a Tenant, query: &'a ReportQuery) -> Pending<'a, Vec<Reported>> {
        self.store.reports(tenant, query)
    }
}
