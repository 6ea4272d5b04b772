//! A store on which a write can be rehearsed: it reads what is there, and writes nothing.
//!
//! Guards are not checked, since nothing is committed. What a rehearsal shows is what the rules say.

use std::sync::{Arc, Mutex, PoisonError};

use scim_store::{
    Applied, Audited, Change, Changeset, CommitError, Committed, EdgePage, EdgeQuery, Page, Pending,
    PersonPage, PersonQuery, Query, Record, ReportQuery, Reported, Side, Store, Tenant,
};

/// Passes reads on, and keeps what would have been written.
pub(super) struct Rehearsal {
    store: Arc<dyn Store>,
    written: Mutex<Vec<Changeset>>,
}

impl Rehearsal {
    pub(super) fn on(store: Arc<dyn Store>) -> Self {
        Self { store, written: Mutex::default() }
    }

    /// What would have been written since this was last asked.
    pub(super) fn take(&self) -> Vec<Changeset> {
        std::mem::take(&mut self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for Rehearsal {
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

    fn commit<'a>(&'a self, _: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError> {
        let at = changeset.at;
        let applied = Applied { version: 0, created: at, modified: at, changed: false };
        let committed = Committed { sequence: 0, applied: vec![applied; changeset.operations.len()] };
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(changeset);
        Box::pin(async move { Ok(committed) })
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
