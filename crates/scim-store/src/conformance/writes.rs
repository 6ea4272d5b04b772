//! Guards, versions, unique values and operations that change nothing.

use serde_json::json;

use super::fixture::{Fixture, adding};
use super::{Case, wait};
use crate::{Applied, Changeset, Conflict, Content, Guard, Hidden, MemberDelta, Operation, UniqueKey};

pub(super) const CASES: &[Case] = &[
    Case::new("a created resource can be read", created),
    Case::new("get answers in the order of the question", get_order),
    Case::new("an identifier is taken once, whatever the type", taken_id),
    Case::new("what is missing, or of another type, is missing", missing),
    Case::new("a version guard holds only for the current version", version_guard),
    Case::new("guards see what earlier operations left", guards_in_order),
    Case::new("replacing gives a new version and keeps the creation", replaced),
    Case::new("an equal document changes nothing", unchanged),
    Case::new("hidden values count as content", hidden),
    Case::new("unique values are taken once per type", unique),
    Case::new("unique values can be swapped and handed on in one changeset", swapped),
    Case::new("unique values come free", freed),
    Case::new("two creations of one changeset conflict", conflict_within),
    Case::new("entries can be derived anew without a change", reindexed),
    Case::new("what was planned under other rules is refused", epochs),
    Case::new("a conflict leaves no trace", no_trace),
    Case::new("an empty changeset is a commit", empty),
    Case::new("tenants see nothing of each other", isolated),
];

fn created(f: &Fixture) {
    assert_eq!(f.record("u1"), None);
    let operation = f.create("User", "u1", json!({ "userName": "Ada", "displayName": "Ada L." }));
    let committed = f.commit(vec![operation]).unwrap();
    let applied = Applied { version: 1, created: f.now(), modified: f.now(), changed: true };
    assert_eq!((committed.sequence, committed.applied), (1, vec![applied]));
    let record = f.record("u1").unwrap();
    assert_eq!((record.id.as_str(), &*record.resource_type, record.version), ("u1", "User", 1));
    assert_eq!((record.created, record.modified), (f.now(), f.now()));
    assert_eq!(record.label, "Ada L.");
    let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"Ada","displayName":"Ada L."}"#;
    assert_eq!(record.body, body);
}

fn get_order(f: &Fixture) {
    f.must(vec![f.user("a", "a"), f.user("b", "b"), f.group("c", &[])]);
    let found = f.records(&["c", "x", "a", "c", ""]);
    let found: Vec<Option<&str>> = found.iter().map(|r| r.as_ref().map(|r| r.id.as_str())).collect();
    assert_eq!(found, [Some("c"), None, Some("a"), Some("c"), None]);
    assert_eq!(f.records(&[]), []);
}

fn taken_id(f: &Fixture) {
    f.must(vec![f.user("x", "ada")]);
    assert_eq!(
        f.commit(vec![f.user("y", "bob"), f.user("x", "eve")]),
        Err(Conflict::Exists { operation: 1 })
    );
    assert_eq!(f.commit(vec![f.group("x", &[])]), Err(Conflict::Exists { operation: 0 }));
    f.must(vec![f.delete("User", "x"), f.group("x", &[])]);
    assert_eq!(&*f.record("x").unwrap().resource_type, "Group");
}

fn missing(f: &Fixture) {
    f.must(vec![f.user("u", "ada")]);
    for operation in [
        f.replace("User", "x", json!({ "userName": "eve" })),
        f.replace("Group", "u", json!({ "displayName": "eve" })),
        f.link("u", MemberDelta::default()),
        f.delete("User", "x"),
        f.delete("Group", "u"),
    ] {
        assert_eq!(f.commit(vec![operation]), Err(Conflict::Missing { operation: 0 }));
    }
    f.must(vec![f.delete("User", "u")]);
    assert_eq!(f.record("u"), None);
    assert_eq!(f.commit(vec![f.delete("User", "u")]), Err(Conflict::Missing { operation: 0 }));
}

fn version_guard(f: &Fixture) {
    f.must(vec![f.user("u", "ada")]);
    let guarded = |version| Operation::Replace {
        id: "u".to_owned(),
        resource_type: "User".into(),
        guard: Guard::Version(version),
        content: Some(f.content("User", json!({ "userName": format!("ada{version}") }))),
        members: MemberDelta::default(),
        kind: crate::ChangeKind::Modified,
    };
    for wrong in [0, 2, u64::MAX] {
        assert_eq!(f.commit(vec![guarded(wrong)]), Err(Conflict::Version { operation: 0, current: 1 }));
    }
    assert_eq!(f.must(vec![guarded(1)])[0].version, 2);
    assert_eq!(f.commit(vec![guarded(1)]), Err(Conflict::Version { operation: 0, current: 2 }));
    let delete = |version| Operation::Delete {
        id: "u".to_owned(),
        resource_type: "User".into(),
        guard: Guard::Version(version),
    };
    assert_eq!(f.commit(vec![delete(1)]), Err(Conflict::Version { operation: 0, current: 2 }));
    assert_eq!(f.must(vec![delete(2)])[0].version, 3);
}

fn guards_in_order(f: &Fixture) {
    f.must(vec![f.user("u", "ada")]);
    let rename = f.replace("User", "u", json!({ "userName": "eve" }));
    let delete = |version| Operation::Delete {
        id: "u".to_owned(),
        resource_type: "User".into(),
        guard: Guard::Version(version),
    };
    let conflict = Conflict::Version { operation: 1, current: 2 };
    assert_eq!(f.commit(vec![rename.clone(), delete(1)]), Err(conflict));
    let applied = f.must(vec![rename, delete(2)]);
    assert_eq!((applied[0].version, applied[1].version), (2, 3));
}

fn replaced(f: &Fixture) {
    f.must(vec![f.user("u", "ada")]);
    let created = f.now();
    let operation = f.replace("User", "u", json!({ "userName": "eve", "displayName": "Eve" }));
    let applied = f.must(vec![operation]);
    assert_eq!(applied, [Applied { version: 2, created, modified: f.now(), changed: true }]);
    let record = f.record("u").unwrap();
    assert_eq!((record.version, record.created, record.modified), (2, created, f.now()));
    assert_eq!(record.label, "Eve");
    assert_eq!(f.find("User", "userName eq \"ADA\"", ""), [""; 0]);
    assert_eq!(f.find("User", "userName eq \"EVE\"", ""), ["u"]);
    let modified = format!("meta.lastModified eq \"{}\"", f.now());
    assert_eq!(f.find("User", &modified, ""), ["u"]);
}

fn unchanged(f: &Fixture) {
    let document = json!({ "userName": "ada" });
    f.must(vec![f.create("User", "u", document.clone()), f.user("v", "bob")]);
    let (before, created) = (f.everything(), f.now());
    let committed = f.commit(vec![f.replace("User", "u", document)]).unwrap();
    let applied = Applied { version: 1, created, modified: created, changed: false };
    assert_eq!((committed.sequence, committed.applied), (2, vec![applied]));
    assert!(f.everything() == before);
}

fn hidden(f: &Fixture) {
    let with = |operation: Operation, value: Option<&str>| {
        let hide = |content: Content| {
            let hidden = Hidden { path: "password".into(), value: value.map(str::to_owned) };
            Content { hidden: vec![hidden], ..content }
        };
        match operation {
            Operation::Create { id, resource_type, content, members } => {
                Operation::Create { id, resource_type, content: hide(content), members }
            }
            Operation::Replace { id, resource_type, guard, content, members, kind } => {
                Operation::Replace { id, resource_type, guard, content: content.map(hide), members, kind }
            }
            Operation::Rederive { .. } | Operation::Delete { .. } => operation,
        }
    };
    let replace = || f.replace("User", "u", json!({ "userName": "ada" }));
    let changed = |operation: Operation| f.must(vec![operation])[0].changed;
    assert!(changed(with(f.user("u", "ada"), Some("\"one\""))));
    assert!(!changed(with(replace(), Some("\"one\""))), "the same value");
    assert!(!changed(replace()), "a value that is not named stays");
    assert!(changed(with(replace(), Some("\"two\""))), "another value");
    assert!(!changed(with(replace(), Some("\"two\""))));
    assert!(changed(with(replace(), None)), "removed");
    assert!(!changed(with(replace(), None)), "it was removed before");
    assert!(changed(with(replace(), Some("\"two\""))));
    f.must(vec![f.delete("User", "u"), f.user("u", "ada")]);
    assert!(!changed(with(replace(), None)), "it went with the resource");
    assert_eq!(f.changes().len(), 6);
}

fn unique(f: &Fixture) {
    f.must(vec![f.user("a", "Straße"), f.create("Device", "d", json!({ "serial": "X1" }))]);
    let taken = |operation, path: &str, holder: &str| {
        Err(Conflict::Unique { operation, path: path.into(), holder: holder.to_owned() })
    };
    assert_eq!(f.commit(vec![f.user("b", "STRASSE")]), taken(0, "userName", "a"));
    assert_eq!(f.commit(vec![f.user("b", "b"), f.user("c", "straße")]), taken(1, "userName", "a"));
    let device = |id: &str, serial: &str| f.create("Device", id, json!({ "serial": serial }));
    assert_eq!(f.commit(vec![device("e", "X1")]), taken(0, "serial", "d"));
    f.must(vec![device("e", "x1"), device("g", "straße"), f.user("b", "X1")]);
    let rename = f.replace("User", "b", json!({ "userName": "strasse" }));
    assert_eq!(f.commit(vec![rename]), taken(0, "userName", "a"));
    // The whole value counts, however long.
    let long = "x".repeat(2000);
    f.must(vec![device("l1", &format!("{long}1")), device("l2", &format!("{long}2"))]);
    assert_eq!(f.commit(vec![device("l3", &format!("{long}2"))]), taken(0, "serial", "l2"));
    // A claim that no attribute has.
    let mut content = f.content("User", json!({ "userName": "extra" }));
    content.unique.push(UniqueKey { path: "made.up".into(), value: "1".to_owned() });
    let create = |id: &str, content: Content| Operation::Create {
        id: id.to_owned(),
        resource_type: "User".into(),
        content,
        members: MemberDelta::default(),
    };
    f.must(vec![create("m1", content.clone())]);
    content.unique.remove(0);
    assert_eq!(f.commit(vec![create("m2", content)]), taken(0, "made.up", "m1"));
}

fn swapped(f: &Fixture) {
    f.must(vec![f.user("a", "ada"), f.user("b", "bob")]);
    let name = |id: &str, name: &str| f.replace("User", id, json!({ "userName": name }));
    f.must(vec![name("a", "bob"), name("b", "ada")]);
    assert_eq!(f.find("User", "userName eq \"bob\"", ""), ["a"]);
    f.must(vec![f.user("c", "bob"), name("a", "eve")]);
    f.must(vec![f.user("d", "ada"), f.delete("User", "b")]);
    let conflict = Conflict::Unique { operation: 0, path: "userName".into(), holder: "c".to_owned() };
    assert_eq!(f.commit(vec![name("a", "bob"), name("d", "x"), name("d", "ada")]), Err(conflict));
    f.must(vec![name("a", "bob"), name("c", "x"), name("c", "y")]);
    assert_eq!(f.find("User", "", "userName ascending"), ["d", "a", "c"]);
}

fn freed(f: &Fixture) {
    f.must(vec![f.user("a", "ada")]);
    f.must(vec![f.replace("User", "a", json!({ "userName": "eve" }))]);
    f.must(vec![f.user("b", "ada"), f.delete("User", "a")]);
    f.must(vec![f.user("c", "eve")]);
    f.must(vec![f.delete("User", "b"), f.delete("User", "c")]);
    f.must(vec![f.user("d", "ada"), f.user("e", "eve")]);
}

fn conflict_within(f: &Fixture) {
    let conflict = Conflict::Unique { operation: 1, path: "userName".into(), holder: "a".to_owned() };
    assert_eq!(f.commit(vec![f.user("a", "ada"), f.user("b", "ADA")]), Err(conflict));
    assert_eq!(f.find("User", "", ""), [""; 0]);
}

fn reindexed(f: &Fixture) {
    f.must(vec![f.user("a", "Ada"), f.user("b", "Bob")]);
    let before = f.record("a");
    let derive = |id: &str, user_name: Option<&str>, guard| {
        let content = user_name.map(|name| f.content("User", json!({ "userName": name })));
        let (unique, index) = content.map(|content| (content.unique, content.index)).unwrap_or_default();
        let id = id.to_owned();
        Operation::Rederive { id, resource_type: "User".into(), guard, unique, index, person: None }
    };
    let found = || f.find("User", "userName eq \"ada\"", "");
    assert_eq!(found(), ["a"]);
    let applied = f.must(vec![derive("a", None, Guard::Version(1))]);
    assert_eq!(
        applied.iter().map(|applied| (applied.version, applied.changed)).collect::<Vec<_>>(),
        [(1, false)]
    );
    assert_eq!(found(), Vec::<String>::new(), "it has no entry");
    f.must(vec![f.user("c", "ADA")]);
    let taken = Conflict::Unique { operation: 0, path: "userName".into(), holder: "c".to_owned() };
    assert_eq!(f.commit(vec![derive("a", Some("Ada"), Guard::Exists)]), Err(taken));
    f.must(vec![f.delete("User", "c"), derive("a", Some("Ada"), Guard::Exists)]);
    assert_eq!(found(), ["a"]);
    assert_eq!(f.find("User", "userName pr", "userName ascending"), ["a", "b"]);
    assert_eq!(f.record("a"), before);
    assert_eq!(f.changes().len(), 4, "two creations, then one and its deletion");
    assert_eq!(
        f.commit(vec![derive("a", Some("Ada"), Guard::Version(9))]),
        Err(Conflict::Version { operation: 0, current: 1 })
    );
    assert_eq!(f.commit(vec![derive("x", None, Guard::Exists)]), Err(Conflict::Missing { operation: 0 }));
}

fn epochs(f: &Fixture) {
    let offer = |epoch, operations| f.offer(Changeset { epoch, operations, ..Changeset::new(f.now()) });
    let other = |current| Err(Conflict::Epoch { current });
    offer(0, vec![f.user("a", "ada")]).unwrap();
    offer(3, Vec::new()).unwrap();
    for lower in [0, 2] {
        assert_eq!(offer(lower, vec![f.user("b", "bob")]), other(3));
        assert_eq!(offer(lower, vec![f.user("a", "ada")]), other(3), "before anything else");
        assert_eq!(offer(lower, Vec::new()), other(3));
    }
    offer(3, vec![f.user("b", "bob")]).unwrap();
    assert_eq!(offer(7, vec![f.user("b", "bob")]), Err(Conflict::Exists { operation: 0 }));
    offer(3, vec![f.user("c", "eve")]).expect("what failed has raised nothing");
    offer(u64::from(u32::MAX), vec![f.delete("User", "c")]).unwrap();
    assert_eq!(offer(3, Vec::new()), other(u64::from(u32::MAX)));
    assert_eq!(f.find("User", "", ""), ["a", "b"]);
    f.other_tenant("umbrella").commit(Vec::new()).expect("each tenant has its own");
}

fn no_trace(f: &Fixture) {
    f.must(vec![f.user("a", "ada"), f.user("b", "bob"), f.group("g", &["a"])]);
    let before = f.everything();
    let refused = |last: Operation| {
        let operations = vec![
            f.user("c", "eve"),
            f.replace("User", "b", json!({ "userName": "bert" })),
            f.link("g", adding(&["b", "c"])),
            f.delete("User", "a"),
            last,
        ];
        f.commit(operations).expect_err("a conflict");
        assert!(f.everything() == before);
    };
    refused(f.user("d", "eve"));
    refused(f.user("b", "new"));
    refused(f.link("g", adding(&["a"])));
    refused(f.delete("User", "a"));
    f.must(vec![f.user("c", "eve")]);
}

fn empty(f: &Fixture) {
    let committed = f.commit(Vec::new()).unwrap();
    assert_eq!((committed.sequence, committed.applied), (0, Vec::new()));
    f.must(vec![f.user("u", "ada")]);
    assert_eq!(f.commit(Vec::new()).unwrap().sequence, 1);
}

fn isolated(f: &Fixture) {
    let other = f.other_tenant("umbrella");
    f.must(vec![f.user("a", "ada"), f.group("g", &["a"])]);
    let before = f.everything();
    assert_eq!(other.record("a"), None);
    assert_eq!(other.find("User", "", ""), [""; 0]);
    assert_eq!(other.find("User", "userName eq \"ada\"", ""), [""; 0]);
    assert_eq!(other.find("User", "id eq \"a\"", ""), [""; 0]);
    assert_eq!(other.linked(crate::Side::Members, "g"), [""; 0]);
    assert_eq!(other.changes(), []);
    let unknown = Conflict::UnknownMembers { operation: 0, ids: vec!["a".to_owned()], total: 1 };
    assert_eq!(other.commit(vec![other.group("h", &["a"])]), Err(unknown));
    assert_eq!(other.commit(vec![other.delete("User", "a")]), Err(Conflict::Missing { operation: 0 }));
    // The same names and identifiers belong to each.
    let applied = other.must(vec![other.user("a", "ada"), other.group("g", &["a"])]);
    assert_eq!((applied[0].version, applied[1].version), (1, 2));
    other.must(vec![other.delete("User", "a")]);
    assert!(f.everything() == before);
    let system = crate::Tenant::system();
    let changeset = Changeset { operations: vec![f.user("a", "ada")], ..Changeset::new(f.now()) };
    wait(f.store.commit(&system, changeset)).unwrap();
    assert_eq!(wait(f.store.get(&system, &["g"])).unwrap(), [None]);
}
