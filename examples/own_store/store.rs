//! The store: one file that every commit adds a line to, and everything in memory besides.
//!
//! One lock guards both. A changeset is worked out against the state ([`Draft`]), written and synced, and
//! only then made true in memory, so that nobody reads what a crash could take back. It refuses to be fast: a
//! real store keeps indexes where this one walks, and does not block a caller's thread while a disk syncs.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use scim_store::draft::Draft;
use scim_store::{
    Audited, Change, Changeset, CommitError, Committed, EdgePage, EdgeQuery, Page, Pending, PersonPage,
    PersonQuery, Query, Record, ReportQuery, Reported, Store, Tenant,
};

use crate::journal::{Journal, Line};
use crate::state::State;

/// A [`Store`] in one file of JSON lines.
pub(crate) struct FileStore {
    kept: Mutex<Kept>,
}

struct Kept {
    journal: Journal,
    /// By the name of the tenant. No answer crosses it.
    tenants: BTreeMap<String, State>,
}

impl FileStore {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    /// When it cannot be read, is not ours, or is open already.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let (journal, lines) = Journal::open(path)?;
        let mut tenants: BTreeMap<String, State> = BTreeMap::new();
        for line in lines {
            tenants.entry(line.tenant.clone()).or_default().apply(line);
        }
        Ok(Self { kept: Mutex::new(Kept { journal, tenants }) })
    }

    /// Closes the file and gives what it held.
    pub(crate) fn into_tenants(self) -> BTreeMap<String, State> {
        self.kept.into_inner().unwrap_or_else(PoisonError::into_inner).tenants
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere cannot have left half a change behind: nothing that applies one can panic.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What one tenant has; of one that was never written to, nothing.
    fn read<T>(&self, tenant: &Tenant, answer: impl FnOnce(&State) -> T) -> T {
        match self.lock().tenants.get(tenant.as_str()) {
            Some(state) => answer(state),
            None => answer(&State::default()),
        }
    }
}

impl Store for FileStore {
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
            let mut kept = self.lock();
            let Kept { journal, tenants } = &mut *kept;
            let nothing = State::default();
            let state = tenants.get(tenant.as_str()).unwrap_or(&nothing);
            let draft = Draft::new(state, state.counts, changeset)?;
            let committed = Committed { sequence: draft.counts.sequence, applied: draft.applied.clone() };
            let line = Line::new(tenant, draft)?;
            journal.append(&line)?;
            tenants.entry(line.tenant.clone()).or_default().apply(line);
            Ok(committed)
        })
    }

    fn changes<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Change>> {
        Box::pin(async move { Ok(self.read(tenant, |state| numbered_after(&state.changes, after, count))) })
    }

    fn audit<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Audited>> {
        Box::pin(async move { Ok(self.read(tenant, |state| numbered_after(&state.audit, after, count))) })
    }

    fn reports<'a>(&'a self, tenant: &'a Tenant, query: &'a ReportQuery) -> Pending<'a, Vec<Reported>> {
        Box::pin(async move { Ok(self.read(tenant, |state| state.reports(query))) })
    }
}

/// Both logs are numbered from 1 without gaps, so that the number is the place.
fn numbered_after<T: Clone>(log: &[T], after: u64, count: usize) -> Vec<T> {
    log.iter().skip(usize::try_from(after).unwrap_or(usize::MAX)).take(count).cloned().collect()
}
