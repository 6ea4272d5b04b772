//! A store on which a write can be rehearsed: it reads what is there, and writes nothing.
//!
//! Guards are not checked, since nothing is committed. What a rehearsal shows is what the rules say.

use std::sync::Arc;

use scim_store::{
    Applied, Audited, Change, Changeset, CommitError, Committed, EdgePage, EdgeQuery, Page, Pending,
    PersonPage, PersonQuery, Query, Record, ReportQuery, Reported, Side, Store, Tenant,
};

/// Passes reads on, and says of every write that it was done.
pub(super) struct Rehearsal(pub(super) Arc<dyn Store>);

impl Store for Rehearsal {
    fn get<'a>(&'a self, tenant: &'a Tenant, ids: &'a [&'a str]) -> Pending<'a, Vec<Option<Record>>> {
        self.0.get(tenant, ids)
    }

    fn query<'a>(&'a self, tenant: &'a Tenant, query: &'a Query) -> Pending<'a, Page> {
        self.0.query(tenant, query)
    }

    fn edges<'a>(&'a self, tenant: &'a Tenant, query: &'a EdgeQuery) -> Pending<'a, EdgePage> {
        self.0.edges(tenant, query)
    }

    fn get_with_edges<'a>(
        &'a self,
        tenant: &'a Tenant,
        id: &'a str,
        side: Side,
        count: usize,
    ) -> Pending<'a, Option<(Record, EdgePage)>> {
        self.0.get_with_edges(tenant, id, side, count)
    }

    fn crowded<'a>(
        &'a self,
        tenant: &'a Tenant,
        after: Option<&'a str>,
        count: usize,
    ) -> Pending<'a, Vec<String>> {
        self.0.crowded(tenant, after, count)
    }

    fn persons<'a>(&'a self, tenant: &'a Tenant, query: &'a PersonQuery) -> Pending<'a, PersonPage> {
        self.0.persons(tenant, query)
    }

    fn commit<'a>(&'a self, _: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError> {
        let at = changeset.at;
        let applied = Applied { version: 0, created: at, modified: at, changed: false };
        let committed = Committed { sequence: 0, applied: vec![applied; changeset.operations.len()] };
        Box::pin(async move { Ok(committed) })
    }

    fn changes<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Change>> {
        self.0.changes(tenant, after, count)
    }

    fn audit<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Audited>> {
        self.0.audit(tenant, after, count)
    }

    fn reports<'a>(&'a self, tenant: &'a Tenant, query: &'a ReportQuery) -> Pending<'a, Vec<Reported>> {
        self.0.reports(tenant, query)
    }
}
