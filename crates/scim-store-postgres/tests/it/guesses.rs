//! Writes that are sent without reading first: they come to what they would have come to, whoever else writes, and nobody
//! is told otherwise when their answer is lost.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use scim_core::person::{Derived, Person};
use scim_core::time::Timestamp;
use scim_store::conformance::words::Random;
use scim_store::conformance::{content, wait};
use scim_store::transfer::Portable;
use scim_store::{
    AuditEntry, ChangeKind, Changeset, CommitError, Conflict, Content, EdgeQuery, Guard, Hidden, MemberDelta,
    MemoryStore, Operation, PersonQuery, Query, Report, ReportQuery, Side, Store, UnknownMembers,
};
use scim_store_postgres::Options;
use serde_json::json;

use crate::people::{Town, a_tenant, acme, report};
use crate::writers::all_at_once;

const USERS: [&str; 16] =
    ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9", "ua", "ub", "uc", "ud", "ue", "uf"];
const GROUPS: [&str; 4] = ["g0", "g1", "g2", "g3"];

/// Changesets of all kinds. For a while they are about few of the resources, so that they meet; what becomes of the others
/// is forgotten meanwhile.
struct Mill<'a> {
    town: &'a Town,
    random: Random,
    made: i64,
    users: Vec<&'static str>,
    groups: Vec<&'static str>,
    /// The versions that somebody has seen.
    versions: HashMap<&'static str, u64>,
}

impl Mill<'_> {
    fn turn(&mut self) {
        self.users = (0..3).map(|_| self.random.pick(&USERS)).collect();
        self.groups = (0..2).map(|_| self.random.pick(&GROUPS)).collect();
    }

    fn changeset(&mut self) -> Changeset {
        self.made += 1;
        let most = if self.random.one_in(5) { 3 } else { 1 };
        let operations = match self.random.one_in(15) {
            true => Vec::new(),
            false => (0..=self.random.below(most)).map(|_| self.operation()).collect(),
        };
        let entry = AuditEntry {
            actor: "test".to_owned(),
            request: format!("r{}", self.made),
            action: "TEST".to_owned(),
            status: 200,
            detail: String::new(),
        };
        let audit = (!self.random.one_in(20)).then_some(entry);
        let reports = if self.random.one_in(25) { vec![self.report()] } else { Vec::new() };
        let settles =
            if self.random.one_in(3) { vec![self.random.pick(&self.users).to_owned()] } else { Vec::new() };
        Changeset { operations, settles, reports, audit, ..Changeset::new(Timestamp(1_000 * self.made)) }
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
fn everything(store: &dyn Store, town: &Town) -> impl PartialEq + std::fmt::Debug + use<> {
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

/// Two servers on one database, which write in turns of random lengths, come to what one store in memory comes to. For a
/// while the turns are short.
#[test]
fn guesses_come_to_what_reading_would() {
    let town = Town::new(Options::default());
    let other = town.another();
    let model = MemoryStore::new();
    let (users, groups) = (USERS.to_vec(), GROUPS.to_vec());
    let mut mill =
        Mill { town: &town, random: Random::new(7), made: 0, users, groups, versions: HashMap::new() };
    let (mut server, mut turn) = (&town, 10);
    for _ in 0..1200 {
        if mill.random.one_in(6) {
            mill.turn();
        }
        if mill.random.one_in(100) {
            turn = mill.random.pick(&[2, 10]);
        }
        if mill.random.one_in(turn) {
            server = if std::ptr::eq(server, &town) { &other } else { &town };
        }
        for id in [mill.users.as_slice(), &mill.groups].concat() {
            if mill.random.one_in(3) {
                let reader = if mill.random.one_in(4) { &other } else { server };
                let read = wait(reader.store.get(&acme(), &[id])).expect("a record");
                assert_eq!(read, wait(model.get(&acme(), &[id])).expect("a record"));
                match read.into_iter().flatten().next() {
                    Some(record) => drop(mill.versions.insert(id, record.version)),
                    None => drop(mill.versions.remove(id)),
                }
            }
        }
        let most = if mill.random.one_in(3) { 4 } else { 1 };
        let changesets: Vec<Changeset> = (0..=mill.random.below(most)).map(|_| mill.changeset()).collect();
        // They come in this order, and may share a transaction.
        let mut waiting: Vec<_> =
            changesets.iter().map(|changeset| server.store.commit(a_tenant(), changeset.clone())).collect();
        let early: Vec<Poll<_>> = waiting
            .iter_mut()
            .map(|commit| Pin::new(commit).poll(&mut Context::from_waker(Waker::noop())))
            .collect();
        for ((commit, early), changeset) in waiting.into_iter().zip(early).zip(changesets) {
            let expected = wait(model.commit(a_tenant(), changeset.clone()));
            let outcome = match early {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => wait(commit),
            };
            assert_eq!(format!("{outcome:?}"), format!("{expected:?}"), "{changeset:?}");
        }
    }
    let (stored, expected) = (everything(&town.store, &town), everything(&model, &town));
    assert!(stored == expected, "{stored:#?}");
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
    let all = [town.trips(), other.trips()].concat();
    let guesses = all.iter().filter(|trip| is_guess(trip)).count();
    let others =
        all.iter().filter(|trip| trip.last().is_some_and(|sql| sql == "COMMIT") && is_second(trip)).count();
    assert!(guesses > 100 && others > 100, "{guesses} guesses, {others} that had read");
}

fn is_guess(trip: &[String]) -> bool {
    trip.first().is_some_and(|sql| sql.contains("READ COMMITTED"))
        && trip.last().is_some_and(|sql| sql == "COMMIT")
}

fn is_second(trip: &[String]) -> bool {
    trip.iter().any(|sql| sql.starts_with("UPDATE tenant")) && !is_guess(trip)
}

/// A second server on the database of a town, which has written so often that it does not read before it writes.
fn confident(town: &Town) -> Town {
    let other = town.another();
    for id in ["v1", "v2"] {
        other.commit(town.user(id)).expect("created");
    }
    other.trips();
    other
}

/// A value that was taken for free, and that the same transaction gives back: whoever has it is found all the same.
#[test]
fn what_is_given_back_is_not_taken_for_free() {
    let town = Town::new(Options::default());
    town.commit(town.user("b")).expect("created");
    let other = confident(&town);
    let named = |id: &str, name: &str, is_new: bool| {
        let mut changeset = town.user(name);
        for operation in &mut changeset.operations {
            if let Operation::Create { id: old, resource_type, content, members } = operation {
                let (id, content, members) = (id.to_owned(), content.clone(), members.clone());
                let (resource_type, guard) = (Arc::clone(resource_type), Guard::Exists);
                *operation = match is_new {
                    true => {
                        *old = id;
                        continue;
                    }
                    false => Operation::Replace {
                        id,
                        resource_type,
                        guard,
                        content: Some(content),
                        members,
                        kind: ChangeKind::Modified,
                    },
                };
            }
        }
        changeset
    };
    let changesets = [named("a", "a", true), named("a", "b", false), named("a", "c", false)];
    let outcomes = all_at_once(&town, &other.store, changesets).iter().map(Result::is_ok).collect::<Vec<_>>();
    assert_eq!(outcomes, [true, false, true]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// A member whom somebody else has added is taken for none, and found to be one.
#[test]
fn a_member_is_not_added_twice() {
    let town = Town::new(Options::default());
    town.commit(town.user("a")).expect("created");
    town.commit(town.group("g", &["a"])).expect("created");
    let other = confident(&town);
    for id in ["a", "g"] {
        drop(wait(other.store.get(&acme(), &[id])).expect("a record"));
    }
    other.trips();
    let members = MemberDelta { add: vec!["a".to_owned()], ..MemberDelta::default() };
    let (id, resource_type) = ("g".to_owned(), "Group".into());
    let (guard, kind) = (Guard::Exists, ChangeKind::Modified);
    let operation = Operation::Replace { id, resource_type, guard, content: None, members, kind };
    let changeset = Changeset { operations: vec![operation], ..town.user("x") };
    let committed = other.commit(changeset).expect("no conflict");
    assert_eq!((committed.sequence, committed.applied[0].changed), (4, false));
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// What a server has read is derived anew by another before it writes: unique values and the person are those that it writes, though
/// they are as they were when it read.
#[test]
fn what_was_derived_anew_meanwhile_is_not_taken_for_what_was_read() {
    let town = Town::new(Options::default());
    let other = confident(&town);
    let created = |id: &str| match town.user(id).operations.pop() {
        Some(Operation::Create { resource_type, content, members, .. }) => (resource_type, content, members),
        operation => panic!("{operation:?}"),
    };
    let person = |name: &str| {
        let person = Person { first_name: Some(name.to_owned()), ..Person::default() };
        Some(Derived { person, pick: None })
    };
    let (resource_type, content, members) = created("u");
    let content = Content { person: person("Ada"), ..content };
    let one = |operation: Operation| Changeset { operations: vec![operation], ..town.user("x") };
    let id = || "u".to_owned();
    let create = Operation::Create {
        id: id(),
        resource_type: Arc::clone(&resource_type),
        content: content.clone(),
        members: members.clone(),
    };
    town.commit(one(create)).expect("created");
    let read = wait(other.store.get(&acme(), &["u"])).expect("a record").remove(0).expect("it is there");
    let Content { unique, index, .. } = created("elsewhere").1;
    let guard = Guard::Exists;
    let kind = Arc::clone(&resource_type);
    let rederive =
        Operation::Rederive { id: id(), resource_type: kind, guard, unique, index, person: person("Bea") };
    town.commit(one(rederive)).expect("derived anew");
    let content = Content { body: "{}".into(), ..content };
    let (guard, kind) = (Guard::Version(read.version), ChangeKind::Modified);
    let replace =
        Operation::Replace { id: id(), resource_type, guard, content: Some(content), members, kind };
    other.trips();
    other.commit(one(replace)).expect("nobody has written it");
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    let persons = wait(town.store.persons(&acme(), &PersonQuery::Of(vec![id()]))).expect("persons").persons;
    assert_eq!(persons[0].person.first_name.as_deref(), Some("Ada"));
    let taken = |id: &str, name: &str| {
        let (resource_type, content, members) = created(name);
        town.commit(one(Operation::Create { id: id.to_owned(), resource_type, content, members })).is_err()
    };
    assert_eq!((taken("v", "u"), taken("w", "elsewhere")), (true, false));
}

/// A group's members change by one operation.
fn join(town: &Town, group: &str, add: &[&str], remove: &[&str], exclusive: bool) -> Changeset {
    let owned = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
    let members = MemberDelta { add: owned(add), remove: owned(remove), exclusive, ..MemberDelta::default() };
    let (id, resource_type) = (group.to_owned(), "Group".into());
    let (guard, kind) = (Guard::Exists, ChangeKind::Modified);
    let operation = Operation::Replace { id, resource_type, guard, content: None, members, kind };
    Changeset { operations: vec![operation], ..town.user("x") }
}

fn members(town: &Town, group: &str) -> Vec<String> {
    let of = vec![group.to_owned()];
    let edges = EdgeQuery { side: Side::Members, of, after: None, count: 1000 };
    let edges = wait(town.store.edges(&acme(), &edges)).expect("edges").edges;
    edges.into_iter().map(|edge| edge.id).collect()
}

/// Somebody is deleted of whom it is remembered that he is in no group, after another server has put him into one.
#[test]
fn who_has_come_into_a_group_meanwhile_leaves_it_when_deleted() {
    let town = Town::new(Options::default());
    town.commit(town.group("g", &[])).expect("created");
    let other = confident(&town);
    other.commit(other.user("a")).expect("created");
    town.commit(join(&town, "g", &["a", "v1"], &[], false)).expect("joined");
    let delete = |id: &str| {
        let (id, resource_type, guard) = (id.to_owned(), "User".into(), Guard::Exists);
        let operation = Operation::Delete { id, resource_type, guard };
        Changeset { operations: vec![operation], ..town.user("x") }
    };
    other.trips();
    let committed = other.commit(delete("a")).expect("deleted");
    let trips = other.trips();
    assert!(is_guess(&trips[0]) && trips.len() == 3, "it was tried: {trips:#?}");
    assert_eq!(members(&town, "g"), ["v1"]);
    let group = wait(town.store.get(&acme(), &["g"])).expect("records").remove(0).expect("it is there");
    assert_eq!(group.version, committed.sequence);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Who may be in one group only is taken for somebody who is in none: not if another server has put him into one, and not
/// twice by one transaction.
#[test]
fn nobody_is_put_into_two_groups_that_exclude_each_other() {
    let town = Town::new(Options::default());
    for id in ["a", "b"] {
        town.commit(town.user(id)).expect("created");
    }
    for id in ["g", "h"] {
        town.commit(town.group(id, &[])).expect("created");
    }
    let other = confident(&town);
    other.commit(join(&other, "g", &["v1"], &[], true)).expect("it is in no group");
    other.trips();
    other.commit(join(&other, "g", &["v2"], &[], true)).expect("it is in no group");
    assert_eq!(other.trips().len(), 1, "nothing was read");
    town.commit(join(&town, "g", &["a"], &[], true)).expect("it is in no group");
    let refused = other.commit(join(&other, "h", &["a"], &[], true)).expect_err("it is in a group");
    assert!(matches!(refused, CommitError::Conflict(Conflict::Membership { .. })), "{refused}");
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    let both = ["g", "h"].map(|group| join(&other, group, &["b"], &[], true));
    let outcomes = all_at_once(&town, &other.store, both).iter().map(Result::is_ok).collect::<Vec<_>>();
    assert_eq!(outcomes, [true, false]);
    other.commit(join(&other, "g", &[], &["b"], true)).expect("it leaves");
    other.commit(join(&other, "h", &["b"], &[], true)).expect("it is in no group any more");
    assert_eq!(
        (members(&town, "g").join(" "), members(&town, "h").join(" ")),
        ("a v1 v2".to_owned(), "b".to_owned())
    );
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// What a server has read is changed by another before it writes: what belonged to that goes as well.
#[test]
fn what_was_changed_meanwhile_is_not_taken_for_what_was_read() {
    let town = Town::new(Options::default());
    town.commit(town.user("u")).expect("created");
    let other = confident(&town);
    let renamed = |name: &str| {
        let Some(Operation::Create { content, resource_type, members, .. }) =
            town.user(name).operations.pop()
        else {
            panic!("a creation")
        };
        let (id, guard, kind) = ("u".to_owned(), Guard::Exists, ChangeKind::Modified);
        let content = Some(content);
        let operation = Operation::Replace { id, resource_type, guard, content, members, kind };
        Changeset { operations: vec![operation], ..town.user("x") }
    };
    drop(wait(other.store.get(&acme(), &["u"])).expect("a record"));
    town.commit(renamed("a")).expect("renamed");
    other.trips();
    other.commit(renamed("b")).expect("renamed");
    let trips = other.trips();
    assert!(is_guess(&trips[0]) && trips.len() == 3, "it was tried: {trips:#?}");
    for name in ["u", "a"] {
        let mut taken = town.user(name);
        for operation in &mut taken.operations {
            if let Operation::Create { id, .. } = operation {
                *id = format!("new{name}");
            }
        }
        other.commit(taken).expect("nobody has this name any more");
    }
}

/// Somebody who is deleted by another server is not taken for whom this one has created.
#[test]
fn who_was_deleted_meanwhile_does_not_become_a_member() {
    let town = Town::new(Options::default());
    town.commit(town.group("g", &[])).expect("created");
    let other = confident(&town);
    let (id, resource_type, guard) = ("v2".to_owned(), "User".into(), Guard::Exists);
    let delete = Operation::Delete { id, resource_type, guard };
    town.commit(Changeset { operations: vec![delete], ..town.user("x") }).expect("deleted");
    let refused = other.commit(join(&other, "g", &["v2"], &[], false)).expect_err("it is not there");
    assert!(matches!(refused, CommitError::Conflict(Conflict::UnknownMembers { .. })), "{refused}");
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// A report that another server has stored is settled by whoever knows of none.
#[test]
fn a_report_that_has_come_meanwhile_is_settled() {
    let town = Town::new(Options::default());
    let other = confident(&town);
    let refusal = Changeset { operations: Vec::new(), reports: vec![report("u")], ..town.user("x") };
    town.commit(refusal).expect("stored");
    other.trips();
    other.commit(Changeset { settles: vec!["u".to_owned()], ..town.user("u") }).expect("created");
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    let open = ReportQuery { after: 0, count: 10, settled: Some(false), subject: None };
    assert_eq!(wait(town.store.reports(&acme(), &open)).expect("reports").len(), 0);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Nobody writes by rules that another server has replaced.
#[test]
fn rules_that_were_replaced_meanwhile_are_not_written_by() {
    let town = Town::new(Options::default());
    let other = confident(&town);
    town.commit(Changeset { epoch: 5, ..town.user("a") }).expect("created");
    let refused = other.commit(other.user("b")).expect_err("these are the rules of before");
    assert!(matches!(refused, CommitError::Conflict(Conflict::Epoch { current: 5 })), "{refused}");
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    other.commit(Changeset { epoch: 5, ..other.user("b") }).expect("created");
}

/// Who has left a group and is put back by another server is a member by then.
#[test]
fn who_is_back_in_a_group_does_not_come_into_it() {
    let town = Town::new(Options::default());
    town.commit(town.group("g", &[])).expect("created");
    let other = confident(&town);
    for (add, remove) in [(&["v1"][..], &[][..]), (&[], &["v1"])] {
        other.commit(join(&other, "g", add, remove, false)).expect("no conflict");
    }
    let back = town.commit(join(&town, "g", &["v1"], &[], false)).expect("it is there");
    other.trips();
    let committed = other.commit(join(&other, "g", &["v1"], &[], false)).expect("it is there");
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    assert_eq!((committed.applied[0].changed, committed.applied[0].version), (false, back.sequence));
}

/// A tenant that was removed begins anew, whatever is remembered of it.
#[test]
fn a_tenant_that_was_removed_begins_anew() {
    let town = Town::new(Options::default());
    let other = confident(&town);
    while wait(town.store.discard(&acme(), Some(0), 100)).expect("removed") > 0 {}
    let committed = other.commit(other.user("w")).expect("nobody is there");
    assert_eq!((committed.sequence, committed.applied[0].version), (1, 1));
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}
