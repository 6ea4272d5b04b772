//! Users and groups to fill a store with.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use scim_core::filter::Filter;
use scim_core::schema::{Registry, ResourceType};
use scim_core::sort::Sort;
use scim_core::time::Timestamp;
use scim_store::conformance::{content, wait};
use scim_store::{
    AuditEntry, ChangeKind, Changeset, CommitError, Committed, Content, Guard, MemberDelta, Operation, Query,
    Report, Store, Tenant,
};
use scim_store_postgres::{Address, Options, PostgresStore};
use serde_json::{Value, json};

use crate::cluster::{Database, patient};

/// A store on a database of its own, and the statements of each round trip.
pub(crate) struct Town {
    pub(crate) store: PostgresStore,
    pub(crate) trips: Trips,
    pub(crate) registry: Registry,
    pub(crate) database: Database,
}

type Trips = Arc<Mutex<Vec<Vec<String>>>>;

pub(crate) fn acme() -> Tenant {
    Tenant::new("acme").expect("a name")
}

pub(crate) fn a_tenant() -> &'static Tenant {
    static ACME: std::sync::OnceLock<Tenant> = std::sync::OnceLock::new();
    ACME.get_or_init(acme)
}

impl Town {
    pub(crate) fn new(options: Options) -> Self {
        let database = Database::new();
        let address = database.address();
        Self::at(&address, database, options)
    }

    /// One whose store takes another way to the database.
    pub(crate) fn at(address: &Address, database: Database, options: Options) -> Self {
        let trips = Trips::default();
        let seen = Arc::clone(&trips);
        let trace = Arc::new(move |statements: &[&str]| {
            seen.lock().expect("not poisoned").push(statements.iter().map(|&sql| sql.to_owned()).collect());
        });
        let options = Options { trace: Some(trace), ..options };
        let store = PostgresStore::open(address, options).expect("opens");
        let registry = Registry::builder().and_then(|builder| builder.build()).expect("built in");
        Self { store, trips, registry, database }
    }

    /// Another server on the same database.
    pub(crate) fn another(&self) -> Self {
        Self::at(&self.database.address(), Database::new(), patient())
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

    pub(crate) fn group(&self, id: &str, members: &[&str]) -> Changeset {
        let document = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": format!("Group {id}")
        });
        self.create("Group", id, &document, members)
    }

    fn create(&self, kind: &str, id: &str, document: &Value, members: &[&str]) -> Changeset {
        let map = document.as_object().expect("an object");
        let operation = Operation::Create {
            id: id.to_owned(),
            resource_type: kind.into(),
            content: content(&self.kind(kind), map),
            members: delta(members, &[]),
        };
        let audit = AuditEntry {
            actor: "test".to_owned(),
            request: format!("request of {id}"),
            action: format!("POST /{kind}s"),
            status: 201,
            detail: String::new(),
        };
        let changeset = Changeset::new(Timestamp(1_700_000_000_000));
        Changeset { operations: vec![operation], audit: Some(audit), ..changeset }
    }

    /// A changeset of one operation.
    pub(crate) fn one(&self, operation: Operation) -> Changeset {
        Changeset { operations: vec![operation], ..self.user("x") }
    }

    /// What a user is created with.
    pub(crate) fn content(&self, id: &str) -> Content {
        match self.user(id).operations.pop() {
            Some(Operation::Create { content, .. }) => content,
            operation => unreachable!("{operation:?}"),
        }
    }

    /// Other contents or other members, whatever version there is.
    pub(crate) fn replace(
        &self,
        kind: &str,
        id: &str,
        content: Option<Content>,
        members: MemberDelta,
    ) -> Changeset {
        let (id, resource_type) = (id.to_owned(), kind.into());
        let (guard, kind) = (Guard::Exists, ChangeKind::Modified);
        self.one(Operation::Replace { id, resource_type, guard, content, members, kind })
    }

    /// Members come into a group and leave it.
    pub(crate) fn join(&self, group: &str, add: &[&str], remove: &[&str]) -> Changeset {
        self.replace("Group", group, None, delta(add, remove))
    }

    pub(crate) fn delete(&self, kind: &str, id: &str) -> Changeset {
        let (id, resource_type, guard) = (id.to_owned(), kind.into(), Guard::Exists);
        self.one(Operation::Delete { id, resource_type, guard })
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

    /// The round trips since the last call.
    pub(crate) fn trips(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut *self.trips.lock().expect("not poisoned"))
    }
}

pub(crate) fn delta(add: &[&str], remove: &[&str]) -> MemberDelta {
    let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
    MemberDelta { add: owned(add), remove: owned(remove), ..MemberDelta::default() }
}

/// A refusal to create somebody.
pub(crate) fn report(subject: &str) -> Report {
    let [request, method, path] = ["r", "POST", "/Users"].map(str::to_owned);
    let (body, findings) = (Bytes::from_static(b"{}"), Bytes::from_static(b"[]"));
    Report {
        subject: subject.to_owned(),
        digest: [0; 32],
        request,
        method,
        path,
        body,
        status: 400,
        findings,
    }
}
