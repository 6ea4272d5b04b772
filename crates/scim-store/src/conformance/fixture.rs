//! A store with a tenant, a clock and a resource type that has an attribute of every kind.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use scim_core::filter::Filter;
use scim_core::key::Key;
use scim_core::path::AttributePath;
use scim_core::person::{Derived, Person, Pick};
use scim_core::schema::{Registry, ResourceType};
use scim_core::sort::Sort;
use scim_core::text::fold;
use scim_core::time::Timestamp;
use serde_json::{Map, Value, json};

use super::wait;
use crate::{
    Applied, AuditEntry, Change, ChangeKind, Changeset, CommitError, Committed, Conflict, Content, Edge,
    EdgeQuery, Guard, IndexEntry, MemberDelta, Operation, Page, PersonPage, PersonQuery, PersonRecord,
    Position, Query, Record, ReportQuery, Reported, Side, Start, Store, Tenant, UniqueKey, UnknownMembers,
};

/// The schema of the type that has an attribute of every kind.
pub const DEVICE: &str = "urn:example:Device";

pub(super) struct Fixture {
    pub(super) store: Arc<dyn Store>,
    pub(super) tenant: Tenant,
    pub(super) registry: Arc<Registry>,
    clock: AtomicI64,
}

impl Fixture {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        let tenant = Tenant::new("acme").expect("a name");
        Self { store, tenant, registry: Arc::new(registry()), clock: AtomicI64::new(1_700_000_000_000) }
    }

    /// The same store as another tenant.
    pub(super) fn other_tenant(&self, name: &str) -> Self {
        let tenant = Tenant::new(name).expect("a name");
        let clock = AtomicI64::new(self.clock.load(Ordering::Relaxed));
        Self { store: Arc::clone(&self.store), tenant, registry: Arc::clone(&self.registry), clock }
    }

    /// The same tenant at the same time in another store.
    pub(super) fn twin(&self, store: Arc<dyn Store>) -> Self {
        Self { store, ..self.other_tenant(self.tenant.as_str()) }
    }

    pub(super) fn kind(&self, name: &str) -> Arc<ResourceType> {
        Arc::clone(self.registry.resource_type(name).expect(name))
    }

    /// The time of the latest commit.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::Relaxed))
    }

    // Writing.

    pub(super) fn content(&self, kind: &str, mut document: Value) -> Content {
        let kind = self.kind(kind);
        let mut map = Map::new();
        map.insert("schemas".to_owned(), json!([kind.schema().id()]));
        map.append(document.as_object_mut().expect("an object"));
        content(&kind, &map)
    }

    pub(super) fn create(&self, kind: &str, id: &str, document: Value) -> Operation {
        Operation::Create {
            id: id.to_owned(),
            resource_type: kind.into(),
            content: self.content(kind, document),
            members: MemberDelta::default(),
        }
    }

    pub(super) fn user(&self, id: &str, user_name: &str) -> Operation {
        self.create("User", id, json!({ "userName": user_name }))
    }

    pub(super) fn group(&self, id: &str, members: &[&str]) -> Operation {
        self.group_with(id, adding(members))
    }

    pub(super) fn group_with(&self, id: &str, members: MemberDelta) -> Operation {
        Operation::Create {
            id: id.to_owned(),
            resource_type: "Group".into(),
            content: self.content("Group", json!({ "displayName": format!("The {id}") })),
            members,
        }
    }

    /// A new user with a person.
    pub(super) fn person(&self, id: &str, derived: Derived) -> Operation {
        Operation::Create {
            id: id.to_owned(),
            resource_type: "User".into(),
            content: self.person_content(id, Some(derived)),
            members: MemberDelta::default(),
        }
    }

    /// Gives a user another person, or none.
    pub(super) fn new_person(&self, id: &str, person: Option<Derived>) -> Operation {
        Operation::Replace {
            id: id.to_owned(),
            resource_type: "User".into(),
            guard: Guard::Exists,
            content: Some(self.person_content(id, person)),
            members: MemberDelta::default(),
            kind: ChangeKind::Modified,
        }
    }

    pub(super) fn rederive(&self, id: &str, guard: Guard, person: Option<Derived>) -> Operation {
        let Content { unique, index, person, .. } = self.person_content(id, person);
        Operation::Rederive { id: id.to_owned(), resource_type: "User".into(), guard, unique, index, person }
    }

    fn person_content(&self, id: &str, person: Option<Derived>) -> Content {
        Content { person, ..self.content("User", json!({ "userName": id })) }
    }

    pub(super) fn replace(&self, kind: &str, id: &str, document: Value) -> Operation {
        Operation::Replace {
            id: id.to_owned(),
            resource_type: kind.into(),
            guard: Guard::Exists,
            content: Some(self.content(kind, document)),
            members: MemberDelta::default(),
            kind: ChangeKind::Modified,
        }
    }

    pub(super) fn link(&self, group: &str, members: MemberDelta) -> Operation {
        Operation::Replace {
            id: group.to_owned(),
            resource_type: "Group".into(),
            guard: Guard::Exists,
            content: None,
            members,
            kind: ChangeKind::Modified,
        }
    }

    pub(super) fn delete(&self, kind: &str, id: &str) -> Operation {
        Operation::Delete { id: id.to_owned(), resource_type: kind.into(), guard: Guard::Exists }
    }

    pub(super) fn commit(&self, operations: Vec<Operation>) -> Result<Committed, Conflict> {
        self.commit_audited(operations, None)
    }

    pub(super) fn commit_audited(
        &self,
        operations: Vec<Operation>,
        audit: Option<AuditEntry>,
    ) -> Result<Committed, Conflict> {
        self.offer(Changeset { operations, audit, ..Changeset::new(Timestamp(0)) })
    }

    /// Commits a changeset at the next moment.
    pub(super) fn offer(&self, changeset: Changeset) -> Result<Committed, Conflict> {
        let at = Timestamp(self.clock.fetch_add(1_500, Ordering::Relaxed) + 1_500);
        match wait(self.store.commit(&self.tenant, Changeset { at, ..changeset })) {
            Ok(committed) => Ok(committed),
            Err(CommitError::Conflict(conflict)) => Err(conflict),
            Err(CommitError::Store(error)) => panic!("the store failed: {error}"),
        }
    }

    /// Commits what must succeed.
    pub(super) fn must(&self, operations: Vec<Operation>) -> Vec<Applied> {
        self.commit(operations).expect("no conflict").applied
    }

    // Reading.

    pub(super) fn records(&self, ids: &[&str]) -> Vec<Option<Record>> {
        wait(self.store.get(&self.tenant, ids)).expect("an answer")
    }

    pub(super) fn record(&self, id: &str) -> Option<Record> {
        self.records(&[id]).pop().expect("one answer for one identifier")
    }

    pub(super) fn ask(&self, query: &Query) -> Page {
        wait(self.store.query(&self.tenant, query)).expect("an answer")
    }

    /// Whether a query gives the same together with memberships as they do one after the other.
    pub(super) fn ask_together(&self, query: &Query, side: Side, count: usize) {
        let (page, found) =
            wait(self.store.query_with_edges(&self.tenant, query, side, count)).expect("an answer");
        let expected = self.ask(query);
        let of: Vec<&str> = expected.records.iter().map(|record| record.id.as_str()).collect();
        let edges = self.edges(side, &of, None, count);
        assert_eq!((page, (found.edges, found.more)), (expected, edges), "{query:?} {side:?} {count}");
    }

    pub(super) fn query(&self, kind: &str, filter: &str, sort: &str) -> Query {
        let resource_type = self.kind(kind);
        let filter = (!filter.is_empty())
            .then(|| Filter::parse(filter, &resource_type).unwrap_or_else(|e| panic!("{filter}: {e}")));
        let sort = sort.split_once(' ').map(|(by, order)| {
            Sort::parse(by, Some(order), &resource_type).unwrap_or_else(|e| panic!("{sort}: {e}"))
        });
        Query { filter, sort, total: true, ..Query::all(resource_type, 1000) }
    }

    /// The identifiers that match.
    pub(super) fn find(&self, kind: &str, filter: &str, sort: &str) -> Vec<String> {
        let page = self.ask(&self.query(kind, filter, sort));
        assert_eq!(page.total, Some(page.records.len() as u64), "{filter} {sort}");
        assert_eq!(page.next, None, "{filter} {sort}");
        ids(&page)
    }

    pub(super) fn edges(
        &self,
        side: Side,
        of: &[&str],
        after: Option<(&str, &str)>,
        count: usize,
    ) -> (Vec<Edge>, bool) {
        let after = after.map(|(of, id)| (of.to_owned(), id.to_owned()));
        let query = EdgeQuery { side, of: of.iter().map(|&of| of.to_owned()).collect(), after, count };
        let page = wait(self.store.edges(&self.tenant, &query)).expect("an answer");
        (page.edges, page.more)
    }

    pub(super) fn linked(&self, side: Side, of: &str) -> Vec<String> {
        self.edges(side, &[of], None, 100_000).0.into_iter().map(|edge| edge.id).collect()
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        wait(self.store.changes(&self.tenant, 0, 100_000)).expect("an answer")
    }

    pub(super) fn crowded(&self, after: Option<&str>, count: usize) -> Vec<String> {
        wait(self.store.crowded(&self.tenant, after, count)).expect("an answer")
    }

    pub(super) fn persons(&self, query: &PersonQuery) -> PersonPage {
        wait(self.store.persons(&self.tenant, query)).expect("an answer")
    }

    pub(super) fn all_persons(&self) -> Vec<PersonRecord> {
        self.persons(&PersonQuery::Page { after: None, count: 100_000 }).persons
    }

    pub(super) fn reports(&self, query: &ReportQuery) -> Vec<Reported> {
        wait(self.store.reports(&self.tenant, query)).expect("an answer")
    }

    pub(super) fn all_reports(&self) -> Vec<Reported> {
        self.reports(&ReportQuery { after: 0, count: 100_000, settled: None, subject: None })
    }

    /// Everything that a tenant can see, to compare before and after.
    pub(super) fn everything(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let pages: Vec<Page> =
            ["User", "Group", "Device"].iter().map(|kind| self.ask(&self.query(kind, "", ""))).collect();
        let members: Vec<Vec<Edge>> = pages[1]
            .records
            .iter()
            .map(|group| self.edges(Side::Members, &[&group.id], None, 100_000).0)
            .collect();
        let audit = wait(self.store.audit(&self.tenant, 0, 100_000)).expect("an answer");
        (pages, members, self.changes(), audit, self.all_persons(), self.all_reports())
    }
}

pub(super) fn ids(page: &Page) -> Vec<String> {
    page.records.iter().map(|record| record.id.clone()).collect()
}

pub(super) fn adding(members: &[&str]) -> MemberDelta {
    MemberDelta { add: owned(members), ..MemberDelta::default() }
}

pub(super) fn removing(members: &[&str]) -> MemberDelta {
    MemberDelta { remove: owned(members), ..MemberDelta::default() }
}

pub(super) fn setting(members: &[&str]) -> MemberDelta {
    MemberDelta { clear: true, ..adding(members) }
}

pub(super) fn ignoring(members: MemberDelta) -> MemberDelta {
    MemberDelta { unknown: UnknownMembers::Ignore, ..members }
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|&id| id.to_owned()).collect()
}

/// A member that must be in no other group.
pub(super) fn exclusively(members: MemberDelta) -> MemberDelta {
    MemberDelta { exclusive: true, ..members }
}

/// A person of that name, whose user group is one of its groups or as it is given.
pub(super) fn named(first_name: &str, pick: Option<Pick>, user_group: Option<&str>) -> Derived {
    let person = Person {
        first_name: Some(first_name.to_owned()),
        user_group: user_group.map(str::to_owned),
        active: true,
        ..Person::default()
    };
    Derived { person, pick }
}

pub(super) fn after(position: Position) -> Start {
    Start::After(position)
}

/// What a service would derive from a stored document: label, unique values and index entries. For tests and
/// measurements that write to a store without a service.
///
/// # Panics
/// Never for a document that was decoded.
pub fn content(kind: &ResourceType, map: &Map<String, Value>) -> Content {
    let label = map.get("displayName").and_then(Value::as_str).unwrap_or_default();
    let unique = kind.unique().iter().flat_map(|path| {
        let name: Arc<str> = path.to_string().into();
        let values: BTreeSet<String> = path
            .values(map)
            .filter_map(Value::as_str)
            .map(|text| if path.leaf().is_case_exact() { text.to_owned() } else { fold(text).into_owned() })
            .collect();
        values.into_iter().map(move |value| UniqueKey { path: Arc::clone(&name), value })
    });
    Content {
        label: label.to_owned(),
        body: Bytes::from(serde_json::to_vec(map).expect("JSON")),
        unique: unique.collect(),
        index: kind.indexed().iter().flat_map(|path| entries(path, map)).collect(),
        hidden: Vec::new(),
        person: None,
    }
}

fn entries(path: &AttributePath, map: &Map<String, Value>) -> Vec<IndexEntry> {
    let name: Arc<str> = path.to_string().into();
    let leading = Sort { path: path.clone(), descending: false }.key(map);
    let further: BTreeSet<Key> = path.values(map).filter_map(|value| Key::of(path.leaf(), value)).collect();
    let further =
        further.into_iter().filter(|key| *key != leading).map(|key| (key, false)).collect::<Vec<_>>();
    let all = std::iter::once((leading.clone(), true)).chain(further);
    all.map(|(key, leading)| IndexEntry { path: Arc::clone(&name), key, leading }).collect()
}

/// The built-in types, and Device, which has an attribute of every kind.
///
/// # Panics
/// Never: the documents are constants.
pub fn registry() -> Registry {
    let builder = Registry::builder().expect("built in");
    let attributes = json!([
        { "name": "displayName", "type": "string" },
        { "name": "serial", "type": "string", "caseExact": true, "uniqueness": "server" },
        { "name": "note", "type": "string" },
        { "name": "code", "type": "string", "caseExact": true },
        { "name": "size", "type": "integer" },
        { "name": "weight", "type": "decimal" },
        { "name": "seen", "type": "dateTime" },
        { "name": "on", "type": "boolean" },
        { "name": "made", "type": "string", "mutability": "immutable" },
        { "name": "tags", "type": "string", "multiValued": true },
        { "name": "marks", "type": "string", "multiValued": true },
        { "name": "ports", "type": "complex", "multiValued": true, "subAttributes": [
            { "name": "value", "type": "string" },
            { "name": "type", "type": "string" },
            { "name": "rank", "type": "integer" },
            { "name": "primary", "type": "boolean" },
        ] },
        { "name": "place", "type": "complex", "subAttributes": [
            { "name": "room", "type": "string" },
            { "name": "floor", "type": "integer" },
            { "name": "names", "type": "string", "multiValued": true },
        ] },
    ]);
    let schema = json!({ "id": DEVICE, "name": "Device", "attributes": attributes });
    let kind = json!({
        "name": "Device", "endpoint": "/Devices", "schema": DEVICE,
        "indexed": ["displayName", "code", "size", "weight", "seen", "on", "tags", "ports.value", "ports.rank",
            "place.room", "place.names", "meta.created", "meta.lastModified"],
    });
    let builder = builder.schema(&schema).expect("a schema").resource_type(&kind).expect("a type");
    builder.build().expect("a registry")
}
