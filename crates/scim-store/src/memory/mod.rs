//! A store in memory: the reference for what every store answers, for tests, and for trying things out.
//!
//! One lock guards everything. A changeset is first worked out against the state without touching it ([`Draft`]), then
//! applied in steps that cannot fail. Nothing survives the process.

mod reports;
mod search;
mod state;

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use self::state::State;
use crate::draft::Draft;
use crate::{
    Audited, Change, Changeset, CommitError, Committed, EdgePage, EdgeQuery, Page, Pending, PersonPage,
    PersonQuery, Query, Record, ReportQuery, Reported, Store, Tenant,
};

/// A [`Store`] that keeps everything in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tenants: RwLock<BTreeMap<Tenant, State>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn read<T>(&self, tenant: &Tenant, answer: impl FnOnce(&State) -> T) -> T {
        // A panic elsewhere cannot have left half a change behind: nothing that applies one can panic.
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        match tenants.get(tenant) {
            Some(state) => answer(state),
            None => answer(&State::default()),
        }
    }
}

impl Store for MemoryStore {
    fn get<'a>(&'a self, tenant: &'a Tenant, ids: &'a [&'a str]) -> Pending<'a, Vec<Option<Record>>> {
        Box::pin(async move {
            Ok(self.read(tenant, |state| ids.iter().map(|id| state.record(id).cloned()).collect()))
        })
    }

    fn query<'a>(&'a self, tenant: &'a Tenant, query: &'a Query) -> Pending<'a, Page> {
        Box::pin(async move { self.read(tenant, |state| state.query(query)) })
    }

    fn edges<'a>(&'a self, tenant: &'a Tenant, query: &'a EdgeQuery) -> Pending<'a, EdgePage> {
        Box::pin(async move { Ok(self.read(tenant, |state| state.edges(query))) })
    }

    fn crowded<'a>(
        &'a self,
        tenant: &'a Tenant,
        after: Option<&'a str>,
        count: usize,
    ) -> Pending<'a, Vec<String>> {
        Box::pin(async move { Ok(self.read(tenant, |state| state.crowded(after, count))) })
    }

    fn persons<'a>(&'a self, tenant: &'a Tenant, query: &'a PersonQuery) -> Pending<'a, PersonPage> {
        Box::pin(async move { Ok(self.read(tenant, |state| state.persons(query))) })
    }

    fn commit<'a>(&'a self, tenant: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError> {
        Box::pin(async move {
            let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
            let state = tenants.entry(tenant.clone()).or_default();
            let draft = Draft::new(state, state.counts, changeset)?;
            Ok(state.apply(draft))
        })
    }

    fn changes<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Change>> {
        Box::pin(async move { Ok(self.read(tenant, |state| state.changes(after, count))) })
    }

    fn audit<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Audited>> {
        Box::pin(async move { Ok(self.read(tenant, |state| state.audit(after, count))) })
    }

    fn reports<'a>(&'a self, tenant: &'a Tenant, query: &'a ReportQuery) -> Pending<'a, Vec<Reported>> {
        Box::pin(async move { Ok(self.read(tenant, |state| state.reports(query))) })
    }
}
