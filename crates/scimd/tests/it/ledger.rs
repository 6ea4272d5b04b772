//! What a database holds besides resources: audit, change log, and whether it is whole.
//!
//! Read through the store's own interface, as an application beside the server would.

use std::path::Path;
use std::sync::Arc;

use scim_store::{Audited, Change, PersonQuery, PersonRecord, Store, Tenant};
use scim_store_sqlite::{Options, SqliteStore};
use scimd::config::StoreUrl;

/// A look into a store, whether or not a server has it open.
pub(crate) struct Ledger(Arc<dyn Store>);

impl Ledger {
    pub(crate) fn open(store: &StoreUrl) -> Self {
        Self(scimd::store::open(store).expect("the store opens"))
    }

    /// Every audit entry of a tenant.
    pub(crate) fn audit(&self, tenant: &str) -> Vec<Audited> {
        let tenant = Tenant::new(tenant).expect("a tenant");
        let mut all: Vec<Audited> = Vec::new();
        loop {
            let after = all.last().map_or(0, |entry| entry.number);
            let page = wait(self.0.audit(&tenant, after, 1000)).expect("the audit");
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    /// Every person of a tenant.
    pub(crate) fn persons(&self, tenant: &str) -> Vec<PersonRecord> {
        let tenant = Tenant::new(tenant).expect("a tenant");
        let mut all: Vec<PersonRecord> = Vec::new();
        loop {
            let after = all.last().map(|person| person.id.clone());
            let query = PersonQuery::Page { after, count: 1000 };
            let page = wait(self.0.persons(&tenant, &query)).expect("the persons");
            all.extend(page.persons);
            if !page.more {
                return all;
            }
        }
    }

    /// Every change of a tenant.
    pub(crate) fn changes(&self, tenant: &str) -> Vec<Change> {
        let tenant = Tenant::new(tenant).expect("a tenant");
        let mut all: Vec<Change> = Vec::new();
        loop {
            let after = all.last().map_or(0, |change| change.sequence);
            let page = wait(self.0.changes(&tenant, after, 1000)).expect("the change log");
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }
}

/// What is wrong with an SQLite file: its own integrity check, and what only we know.
pub(crate) fn faults(database: &Path) -> Vec<String> {
    let store = SqliteStore::open(database, Options::default()).expect("the database opens");
    store.check().expect("the database can be read")
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}
