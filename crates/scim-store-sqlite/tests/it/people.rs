//! Users and groups to fill a store with.

use std::path::Path;
use std::sync::{Arc, Mutex};

use scim_core::filter::Filter;
use scim_core::schema::{Registry, ResourceType};
use scim_core::sort::Sort;
use scim_core::time::Timestamp;
use scim_store::conformance::{content, wait};
use scim_store::{Changeset, CommitError, Committed, MemberDelta, Operation, Query, Store, Tenant};
use scim_store_sqlite::{Options, SqliteStore};
use serde_json::{Value, json};

/// A store in a directory of its own, its file, and the statements that it runs.
pub(crate) struct Town {
    pub(crate) store: SqliteStore,
    pub(crate) statements: Arc<Mutex<Vec<String>>>,
    pub(crate) registry: Registry,
    pub(crate) directory: tempfile::TempDir,
}

pub(crate) fn acme() -> Tenant {
    Tenant::new("acme").expect("a name")
}

impl Town {
    pub(crate) fn new(options: Options) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let statements = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&statements);
        let trace = Arc::new(move |sql: &str| seen.lock().expect("not poisoned").push(sql.to_owned()));
        let options = Options { trace: Some(trace), ..options };
        let store = SqliteStore::open(directory.path().join("scim.db"), options).expect("opens");
        let registry = Registry::builder().and_then(|builder| builder.build()).expect("built in");
        Self { store, statements, registry, directory }
    }

    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.directory.path().join("scim.db")
    }

    pub(crate) fn kind(&self, name: &str) -> Arc<ResourceType> {
        Arc::clone(self.registry.resource_type(name).expect("a built-in type"))
    }

    pub(crate) fn user(&self, id: &str) -> Changeset {
        let name = format!("{id}@example.com");
        let document = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": name, "externalId": format!("x-{id}"), "active": true,
            "emails": [{ "value": name, "type": "work", "primary": true }, { "value": "b@example.com" }],
        });
        self.create("User", id, &document, &[])
    }

    pub(crate) fn create(&self, kind: &str, id: &str, document: &Value, members: &[&str]) -> Changeset {
        let map = document.as_object().expect("an object");
        let operation = Operation::Create {
            id: id.to_owned(),
            resource_type: kind.into(),
            content: content(&self.kind(kind), map),
            members: MemberDelta {
                add: members.iter().map(|&id| id.to_owned()).collect(),
                ..MemberDelta::default()
            },
        };
        Changeset { operations: vec![operation], ..Changeset::new(Timestamp(1_700_000_000_000)) }
    }

    pub(crate) fn commit(&self, changeset: Changeset) -> Result<Committed, CommitError> {
        wait(self.store.commit(&acme(), changeset))
    }

    pub(crate) fn query(&self, kind: &str, filter: &str, sort: &str) -> Query {
        let resource_type = self.kind(kind);
        let filter = (!filter.is_empty()).then(|| Filter::parse(filter, &resource_type).expect("a filter"));
        let sort = sort
            .split_once(' ')
            .map(|(by, order)| Sort::parse(by, Some(order), &resource_type).expect("a sort"));
        Query { filter, sort, total: true, ..Query::all(resource_type, 10) }
    }

    /// The statements since the last call.
    pub(crate) fn statements(&self) -> Vec<String> {
        std::mem::take(&mut *self.statements.lock().expect("not poisoned"))
    }
}

/// A connection of somebody else to the same file.
pub(crate) fn stranger(file: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(file).expect("opens")
}
