//! Changesets of all kinds at random, about few resources, and all that becomes of them.

use std::collections::HashMap;
use std::sync::Arc;

use scim_core::person::{Derived, Person};
use scim_core::time::Timestamp;
use scim_store::conformance::words::Random;
use scim_store::conformance::{content, wait};
use scim_store::{
    AuditEntry, ChangeKind, Changeset, Content, EdgeQuery, Guard, Hidden, MemberDelta, Operation,
    PersonQuery, Query, Record, Report, ReportQuery, Side, Store, UnknownMembers,
};
use serde_json::json;

use crate::people::{Town, acme, report};

pub(crate) const USERS: [&str; 16] =
    ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "ua", "ub", "uc", "ud", "ue", "uf"];
pub(crate) const GROUPS: [&str; 4] = ["g0", "g1", "g2", "g3"];

/// Changesets of all kinds. For a while they are about few of the resources, so that they meet; what becomes of the others
/// is forgotten meanwhile.
pub(crate) struct Mill<'a> {
    pub(crate) town: &'a Town,
    pub(crate) random: Random,
    /// The number of the last.
    made: i64,
    pub(crate) users: Vec<&'static str>,
    pub(crate) groups: Vec<&'static str>,
    /// The versions that somebody has seen.
    versions: HashMap<&'static str, u64>,
}

impl<'a> Mill<'a> {
    /// One whose changesets are numbered from here on.
    pub(crate) fn new(town: &'a Town, seed: u64, made: i64) -> Self {
        let (random, users, groups) = (Random::new(seed), USERS.to_vec(), GROUPS.to_vec());
        Self { town, random, made, users, groups, versions: HashMap::new() }
    }

    pub(crate) fn turn(&mut self) {
        self.users = (0..3).map(|_| self.random.pick(&USERS)).collect();
        self.groups = (0..2).map(|_| self.random.pick(&GROUPS)).collect();
    }

    pub(crate) fn changeset(&mut self) -> Changeset {
        self.made += 1;
        let most = if self.random.one_in(5) { 3 } else { 1 };
        let operations = match self.random.one_in(15) {
            true => Vec::new(),
            false => (0..=self.random.below(most)).map(|_| self.operation()).collect(),
        };
        let audit = (!self.random.one_in(20)).then(|| self.entry());
        let reports = if self.random.one_in(25) { vec![self.report()] } else { Vec::new() };
        let settles =
            if self.random.one_in(3) { vec![self.random.pick(&self.users).to_owned()] } else { Vec::new() };
        Changeset { operations, settles, reports, audit, ..Changeset::new(Timestamp(1_000 * self.made)) }
    }

    /// What is recorded of the latest.
    pub(crate) fn entry(&self) -> AuditEntry {
        AuditEntry {
            actor: "test".to_owned(),
            request: format!("r{}", self.made),
            action: "TEST".to_owned(),
            status: 200,
            detail: String::new(),
        }
    }

    /// What somebody has seen of a resource.
    pub(crate) fn see(&mut self, id: &'static str, record: Option<&Record>) {
        match record {
            Some(record) => drop(self.versions.insert(id, record.version)),
            None => drop(self.versions.remove(id)),
        }
    }

    fn report(&mut self) -> Report {
        let digest = [self.random.below(2) as u8; 32];
        Report { digest, request: format!("r{}", self.made), ..report(self.random.pick(&self.users)) }
    }

    fn operation(&mut self) -> Operation {
        let is_user = self.random.below(3) > 0;
        let (id, kind) = match is_user {
            true => (self.random.pick(&self.users), "User"),
            false => (self.random.pick(&self.groups), "Group"),
        };
        let guard = match self.versions.get(id) {
            Some(version) if self.random.one_in(2) => Guard::Version(*version),
            Some(_) | None => Guard::Exists,
        };
        let (id, resource_type) = (id.to_owned(), Arc::from(kind));
        // Most of what is there already is not created again, and most of what is not is created.
        let most = if self.versions.contains_key(&*id) { 24 } else { 6 };
        match self.random.below(most) {
            0..4 => {
                let members = if is_user { MemberDelta::default() } else { self.delta(true) };
                Operation::Create { id, resource_type, content: self.content(kind), members }
            }
            4 => Operation::Delete { id, resource_type, guard },
            5 => {
                let Content { unique, index, person, .. } = self.content(kind);
                Operation::Rederive { id, resource_type, guard, unique, index, person }
            }
            6..14 => {
                let (content, members) = (Some(self.content(kind)), MemberDelta::default());
                Operation::Replace { id, resource_type, guard, content, members, kind: ChangeKind::Modified }
            }
            _ => {
                let id = self.random.pick(&self.groups);
                let (members, kind) = (self.delta(false), ChangeKind::Modified);
                let guard = match self.versions.get(id) {
                    Some(version) if self.random.one_in(3) => Guard::Version(*version),
                    Some(_) | None if self.random.one_in(40) => Guard::Version(0),
                    Some(_) | None => Guard::Exists,
                };
                let (id, resource_type) = (id.to_owned(), "Group".into());
                Operation::Replace { id, resource_type, guard, content: None, members, kind }
            }
        }
    }

    fn delta(&mut self, is_new: bool) -> MemberDelta {
        let everyone = [self.users.as_slice(), &self.groups].concat();
        let mut add: Vec<String> =
            (0..self.random.below(3)).map(|_| self.random.pick(&everyone).to_owned()).collect();
        let mut remove: Vec<String> = match is_new {
            true => Vec::new(),
            false => (0..self.random.below(3)).map(|_| self.random.pick(&everyone).to_owned()).collect(),
        };
        for ids in [&mut add, &mut remove] {
            ids.sort_unstable();
            ids.dedup();
        }
        remove.retain(|id| !add.contains(id));
        MemberDelta {
            clear: self.random.one_in(8),
            remove,
            add,
            unknown: if self.random.one_in(2) { UnknownMembers::Ignore } else { UnknownMembers::Refuse },
            exclusive: self.random.one_in(4),
            barred: if self.random.one_in(2) { vec!["Group".into()] } else { Vec::new() },
        }
    }

    fn content(&mut self, kind: &str) -> Content {
        let (name, title) = (self.random.below(12), self.random.below(3));
        let schema = format!("urn:ietf:params:scim:schemas:core:2.0:{kind}");
        let document = match kind {
            "User" => {
                json!({ "schemas": [schema], "userName": format!("n{name}"), "title": format!("t{title}") })
            }
            _ => json!({ "schemas": [schema], "displayName": format!("n{name}") }),
        };
        let mut content = content(&self.town.kind(kind), document.as_object().expect("an object"));
        if kind == "User" && self.random.one_in(2) {
            let first_name = Some(format!("f{}", self.random.below(2)));
            let person = Person { first_name, active: true, ..Person::default() };
            content.person = Some(Derived { person, pick: None });
        }
        if kind == "User" && self.random.one_in(8) {
            content.hidden = vec![Hidden { path: "password".into(), value: Some(format!("\"{title}\"")) }];
        }
        content
    }
}

/// All that a tenant can see.
pub(crate) fn everything(store: &dyn Store, town: &Town) -> impl PartialEq + std::fmt::Debug + use<> {
    let all: Vec<&str> = USERS.into_iter().chain(GROUPS).collect();
    let of = GROUPS.map(str::to_owned).to_vec();
    let edges = EdgeQuery { side: Side::Members, of, after: None, count: 1000 };
    let reports = ReportQuery { after: 0, count: 1000, settled: None, subject: None };
    let of = PersonQuery::Of(all.iter().map(|&id| id.to_owned()).collect());
    let dated = ["User", "Group"].map(|kind| {
        let query = Query { count: 100, ..town.query(kind, "", "meta.lastModified descending") };
        let sorted = wait(store.query(&acme(), &query)).expect("a page").records;
        let found = sorted.iter().map(|record| {
            let filter = format!("meta.lastModified eq \"{}\"", record.modified);
            wait(store.query(&acme(), &town.query(kind, &filter, ""))).expect("a page").records
        });
        (found.collect::<Vec<_>>(), sorted)
    });
    (
        dated,
        wait(store.get(&acme(), &all)).expect("records"),
        wait(store.edges(&acme(), &edges)).expect("edges").edges,
        wait(store.persons(&acme(), &of)).expect("persons").persons,
        wait(store.reports(&acme(), &reports)).expect("reports"),
        wait(store.changes(&acme(), 0, 100_000)).expect("changes"),
        wait(store.audit(&acme(), 0, 100_000)).expect("entries"),
    )
}
