//! What a database holds besides resources: audit, change log, and whether it is whole.
//!
//! Read through the store's own interface, as an application beside the server would.

use std::path::Path;

use scim_store::{Audited, Change, Store, Tenant};
use scim_store_sqlite::{Options, SqliteStore};

/// A look into a database, whether or not a server has it open.
pub(crate) struct Ledger(SqliteStore);

impl Ledger {
    pub(crate) fn open(database: &Path) -> Self {
        Self(SqliteStore::open(database, Options::default()).expect("the database opens"))
    }

    /// What is wrong with the file.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.0.check().expect("the database can be read")
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

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}
