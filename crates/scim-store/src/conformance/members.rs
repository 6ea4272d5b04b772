//! Memberships: deltas, unknown members, both sides, and what a deletion does to them.

use serde_json::json;

use super::fixture::{Fixture, adding, exclusively, ignoring, removing, setting};
use super::{Case, wait};
use crate::{ChangeKind, Conflict, Edge, Guard, MemberDelta, Operation, Query, Side};

pub(super) const CASES: &[Case] = &[
    Case::new("members are seen from both sides", both_sides),
    Case::new("deltas clear, remove and add", deltas),
    Case::new("deltas that change nothing change nothing", no_op_deltas),
    Case::new("a record comes with its memberships", together),
    Case::new("unknown members are refused by name", refused),
    Case::new("unknown members can be ignored", ignored),
    Case::new("resources that refer to each other are created together", mutual),
    Case::new("a member that goes in the same changeset is unknown", short_lived),
    Case::new("deleting a member changes its groups", member_deleted),
    Case::new("deleting a group changes no member, and the log has them", group_deleted),
    Case::new("groups nest, even in themselves", nested),
    Case::new("content and members change in one step", content_and_members),
    Case::new("edges come in pages", paged),
    Case::new("a membership has the number of the change that made it", since),
    Case::new("a member of one group only is refused by the next", exclusive),
    Case::new("only who is not there yet is refused", exclusive_no_op),
    Case::new("what earlier operations left decides who is in a group", exclusive_in_order),
    Case::new("groups of another type are no rivals", exclusive_by_type),
    Case::new("groups can be barred from groups", barred),
    Case::new("those in several groups are listed", crowded),
];

fn people(f: &Fixture, ids: &[&str]) {
    f.must(ids.iter().map(|id| f.user(id, id)).collect());
}

fn both_sides(f: &Fixture) {
    people(f, &["a", "b"]);
    f.must(vec![f.group("h", &["b"]), f.group("g", &["b", "a"])]);
    assert_eq!(f.linked(Side::Members, "g"), ["a", "b"]);
    assert_eq!(f.linked(Side::Groups, "b"), ["g", "h"]);
    assert_eq!(f.linked(Side::Groups, "g"), [""; 0]);
    assert_eq!(f.linked(Side::Members, "nobody"), [""; 0]);
    let (edges, more) = f.edges(Side::Groups, &["a"], None, 10);
    let edge = Edge {
        of: "a".to_owned(),
        id: "g".to_owned(),
        resource_type: "Group".into(),
        label: "The g".to_owned(),
        since: 4,
    };
    assert_eq!((edges, more), (vec![edge], false));
    f.must(vec![f.replace("Group", "g", json!({ "displayName": "Renamed" }))]);
    assert_eq!(f.edges(Side::Groups, &["a"], None, 10).0[0].label, "Renamed");
    assert_eq!(f.linked(Side::Members, "g"), ["a", "b"], "new content leaves the members");
}

fn deltas(f: &Fixture) {
    people(f, &["a", "b", "c", "d"]);
    f.must(vec![f.group("g", &[])]);
    let check = |delta: MemberDelta, expected: &[&str], added: &[&str], removed: &[&str]| {
        let applied = f.must(vec![f.link("g", delta)])[0];
        assert!(applied.changed);
        assert_eq!((applied.modified, f.record("g").unwrap().modified), (f.now(), f.now()));
        assert_eq!(f.record("g").unwrap().version, applied.version);
        assert_eq!(f.linked(Side::Members, "g"), expected);
        let change = f.changes().pop().unwrap();
        assert_eq!((change.kind, change.sequence), (ChangeKind::MembersChanged, applied.version));
        assert_eq!((change.id.as_str(), &*change.resource_type), ("g", "Group"));
        assert_eq!((change.added, change.removed), (added.to_vec(), removed.to_vec()).into_owned());
    };
    check(adding(&["b", "a"]), &["a", "b"], &["a", "b"], &[]);
    check(adding(&["c", "a"]), &["a", "b", "c"], &["c"], &[]);
    check(removing(&["b", "d", "unknown"]), &["a", "c"], &[], &["b"]);
    check(setting(&["d", "c"]), &["c", "d"], &["d"], &["a"]);
    let both = MemberDelta { remove: vec!["c".to_owned()], ..adding(&["a"]) };
    check(both, &["a", "d"], &["a"], &["c"]);
    check(setting(&[]), &[], &[], &["a", "d"]);
    let modified = format!("meta.lastModified ge \"{}\"", f.now());
    assert_eq!(f.find("Group", &modified, ""), ["g"], "the index follows");
}

trait IntoOwned {
    fn into_owned(self) -> (Vec<String>, Vec<String>);
}

impl IntoOwned for (Vec<&str>, Vec<&str>) {
    fn into_owned(self) -> (Vec<String>, Vec<String>) {
        let owned = |ids: Vec<&str>| ids.into_iter().map(str::to_owned).collect();
        (owned(self.0), owned(self.1))
    }
}

fn no_op_deltas(f: &Fixture) {
    people(f, &["a", "b"]);
    let applied = f.must(vec![f.group("g", &["a"])])[0];
    let before = f.everything();
    for delta in [
        MemberDelta::default(),
        adding(&["a"]),
        removing(&["b", "unknown"]),
        setting(&["a"]),
        ignoring(adding(&["unknown"])),
        ignoring(setting(&["unknown", "a"])),
    ] {
        let again = f.must(vec![f.link("g", delta)])[0];
        assert_eq!(
            (again.version, again.modified, again.changed),
            (applied.version, applied.modified, false)
        );
    }
    assert!(f.everything() == before);
}

fn together(f: &Fixture) {
    people(f, &["a", "b", "c"]);
    f.must(vec![f.group("g", &["a", "b", "c"]), f.group("h", &["a"])]);
    for (id, side, count) in [
        ("a", Side::Groups, 9),
        ("a", Side::Groups, 1),
        ("b", Side::Groups, 0),
        ("g", Side::Members, 2),
        ("g", Side::Groups, 9),
        ("x", Side::Members, 9),
    ] {
        let found = wait(f.store.get_with_edges(&f.tenant, id, side, count)).expect("an answer");
        let expected = f.record(id).map(|record| (record, f.edges(side, &[id], None, count)));
        assert_eq!(
            found.map(|(record, page)| (record, (page.edges, page.more))),
            expected,
            "{id} {side:?} {count}"
        );
    }
    let many: Vec<String> = (0..100).map(|n| format!("m{n}")).collect();
    people(f, &many.iter().map(String::as_str).collect::<Vec<_>>());
    f.must(vec![f.group("big", &many.iter().map(String::as_str).collect::<Vec<_>>())]);
    let found = wait(f.store.get_with_edges(&f.tenant, "big", Side::Members, 1000)).expect("an answer");
    assert_eq!(found.map(|(_, page)| (page.edges.len(), page.more)), Some((100, false)));
    f.must(vec![f.group("empty", &[])]);
    for (kind, filter, sort) in [
        ("User", r#"userName eq "a""#, ""),
        ("User", r#"userName eq "a" or userName eq "b""#, "userName descending"),
        ("User", r#"userName eq "nobody""#, ""),
        ("User", r#"id eq "m7""#, ""),
        ("User", r#"groups.value eq "h""#, "userName descending"),
        ("User", r#"active eq true"#, "userName descending"),
        ("User", "", ""),
        ("Group", r#"displayName eq "the big""#, ""),
        ("Group", r#"displayName eq "the g""#, "displayName descending"),
        ("Group", r#"members.value eq "a""#, "displayName descending"),
        ("Group", r#"displayName eq "the empty""#, ""),
        ("Group", "", "displayName descending"),
    ] {
        for (page, count) in [(1000, 1000), (1000, 32), (1000, 2), (1000, 0), (1, 1), (2, 1000), (0, 9)] {
            for side in [Side::Groups, Side::Members] {
                for bytes in [usize::MAX, 400, 0] {
                    f.ask_together(&Query { count: page, bytes, ..f.query(kind, filter, sort) }, side, count);
                }
            }
        }
    }
}

fn refused(f: &Fixture) {
    people(f, &["a"]);
    f.must(vec![f.group("g", &[])]);
    let before = f.everything();
    let unknown = |operation, ids: &[&str]| {
        let (total, named) = (ids.len(), ids.iter().take(Conflict::NAMED_MEMBERS));
        let ids: Vec<String> = named.map(|&id| id.to_owned()).collect();
        Err(Conflict::UnknownMembers { operation, ids, total })
    };
    assert_eq!(f.commit(vec![f.link("g", adding(&["y", "a", "x"]))]), unknown(0, &["y", "x"]));
    assert_eq!(f.commit(vec![f.link("g", setting(&["x"]))]), unknown(0, &["x"]));
    assert_eq!(f.commit(vec![f.user("b", "b"), f.group("h", &["b", ""])]), unknown(1, &[""]));
    let many: Vec<String> = (0..25).map(|n| format!("n{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(f.commit(vec![f.link("g", adding(&many))]), unknown(0, &many));
    assert!(f.everything() == before);
}

fn ignored(f: &Fixture) {
    people(f, &["a"]);
    let Operation::Create { id, resource_type, content, members } = f.group("g", &["x", "a"]) else {
        unreachable!("a creation")
    };
    f.must(vec![Operation::Create { id, resource_type, content, members: ignoring(members) }]);
    assert_eq!(f.linked(Side::Members, "g"), ["a"]);
    assert_eq!(f.changes().pop().unwrap().added, ["a"]);
    f.must(vec![f.link("g", ignoring(setting(&["y"])))]);
    assert_eq!(f.linked(Side::Members, "g"), [""; 0]);
}

fn mutual(f: &Fixture) {
    f.must(vec![f.group("g", &["h", "u", "g"]), f.group("h", &["g"]), f.user("u", "u")]);
    assert_eq!(f.linked(Side::Members, "g"), ["g", "h", "u"]);
    assert_eq!(f.linked(Side::Groups, "g"), ["g", "h"]);
    let kinds: Vec<_> =
        f.edges(Side::Members, &["g"], None, 9).0.into_iter().map(|e| e.resource_type).collect();
    assert_eq!(kinds, ["Group".into(), "Group".into(), "User".into()]);
}

fn short_lived(f: &Fixture) {
    people(f, &["a", "b"]);
    f.must(vec![f.group("g", &[])]);
    let operations = |unknown: fn(MemberDelta) -> MemberDelta| {
        vec![f.link("g", unknown(adding(&["a", "b"]))), f.delete("User", "a")]
    };
    let conflict = Conflict::UnknownMembers { operation: 0, ids: vec!["a".to_owned()], total: 1 };
    assert_eq!(f.commit(operations(|delta| delta)), Err(conflict));
    f.must(operations(ignoring));
    assert_eq!(f.linked(Side::Members, "g"), ["b"]);
    f.must(vec![f.delete("User", "b"), f.user("b", "b"), f.link("g", adding(&["b"]))]);
    assert_eq!(f.linked(Side::Members, "g"), ["b"]);
    // What was linked before a resource went does not come back with its identifier.
    f.must(vec![f.delete("User", "b"), f.user("b", "b")]);
    assert_eq!(f.linked(Side::Members, "g"), [""; 0]);
}

fn member_deleted(f: &Fixture) {
    people(f, &["a", "b"]);
    f.must(vec![f.group("h", &["a"]), f.group("g", &["a", "b"]), f.group("i", &["b"])]);
    let last = f.changes().len() as u64;
    let committed = f.commit(vec![f.delete("User", "a")]).unwrap();
    assert_eq!((committed.sequence, committed.applied[0].version), (last + 3, last + 1));
    assert_eq!(f.linked(Side::Members, "g"), ["b"]);
    assert_eq!(f.linked(Side::Members, "h"), [""; 0]);
    assert_eq!(f.linked(Side::Groups, "a"), [""; 0]);
    let log: Vec<_> = f.changes().split_off(last as usize);
    let log: Vec<_> = log.iter().map(|c| (c.kind, c.id.as_str(), c.removed.concat())).collect();
    assert_eq!(
        log,
        [
            (ChangeKind::Deleted, "a", String::new()),
            (ChangeKind::MembersChanged, "g", "a".to_owned()),
            (ChangeKind::MembersChanged, "h", "a".to_owned()),
        ]
    );
    for (id, version) in [("g", last + 2), ("h", last + 3)] {
        let record = f.record(id).unwrap();
        assert_eq!((record.version, record.modified), (version, f.now()), "{id}");
    }
    let modified = format!("meta.lastModified eq \"{}\"", f.now());
    assert_eq!(f.find("Group", &modified, ""), ["g", "h"]);
    let stale =
        Operation::Delete { id: "g".to_owned(), resource_type: "Group".into(), guard: Guard::Version(last) };
    assert_eq!(f.commit(vec![stale]), Err(Conflict::Version { operation: 0, current: last + 2 }));
}

fn group_deleted(f: &Fixture) {
    people(f, &["a"]);
    f.must(vec![f.group("g", &["a"])]);
    let before = f.record("a");
    assert_eq!(f.commit(vec![f.delete("Group", "g")]).unwrap().sequence, 3);
    assert_eq!(f.record("a"), before);
    assert_eq!(f.linked(Side::Groups, "a"), [""; 0]);
    let last = f.changes().pop().unwrap();
    assert_eq!(
        (last.kind, last.added.len(), last.removed.concat()),
        (ChangeKind::Deleted, 0, "a".to_owned())
    );
}

fn nested(f: &Fixture) {
    f.must(vec![f.group("g", &["g"]), f.group("h", &["g"])]);
    let committed = f.commit(vec![f.delete("Group", "g")]).unwrap();
    assert_eq!(committed.sequence, 4, "the deletion, and `h`");
    assert_eq!(f.linked(Side::Members, "g"), [""; 0]);
    assert_eq!(f.linked(Side::Members, "h"), [""; 0]);
}

fn content_and_members(f: &Fixture) {
    people(f, &["a", "b"]);
    f.must(vec![f.group("g", &["a"])]);
    let step = |name: &str, members: MemberDelta| Operation::Replace {
        id: "g".to_owned(),
        resource_type: "Group".into(),
        guard: Guard::Exists,
        content: Some(f.content("Group", json!({ "displayName": name }))),
        members,
        kind: ChangeKind::Modified,
    };
    let check = |operation: Operation, kind: ChangeKind, added: &str, removed: &str| {
        let before = f.changes().len();
        assert!(f.must(vec![operation])[0].changed);
        let mut log = f.changes().split_off(before);
        assert_eq!(log.len(), 1);
        let change = log.remove(0);
        assert_eq!(
            (change.kind, change.added.concat(), change.removed.concat()),
            (kind, added.into(), removed.into())
        );
    };
    check(step("One", setting(&["b"])), ChangeKind::Modified, "b", "a");
    check(step("One", setting(&["a"])), ChangeKind::MembersChanged, "a", "b");
    check(step("Two", setting(&["a"])), ChangeKind::Modified, "", "");
    assert!(!f.must(vec![step("Two", setting(&["a"]))])[0].changed);
}

fn paged(f: &Fixture) {
    people(f, &["a", "b", "c", "d"]);
    f.must(vec![f.group("g", &["a", "b", "c"]), f.group("h", &["b", "d"]), f.group("i", &[])]);
    let pairs = |of: &[&str], after, count| {
        let (edges, more) = f.edges(Side::Members, of, after, count);
        (edges.iter().map(|edge| format!("{}{}", edge.of, edge.id)).collect::<Vec<_>>().join(" "), more)
    };
    let all = &["h", "i", "g", "x", "g"];
    let answer = |text: &str, more| (text.to_owned(), more);
    assert_eq!(pairs(all, None, 10), answer("ga gb gc hb hd", false));
    assert_eq!(pairs(all, None, 5), answer("ga gb gc hb hd", false));
    assert_eq!(pairs(all, None, 2), answer("ga gb", true));
    assert_eq!(pairs(all, Some(("g", "b")), 2), answer("gc hb", true));
    assert_eq!(pairs(all, Some(("g", "bb")), 9), answer("gc hb hd", false), "a place that is gone");
    assert_eq!(pairs(all, Some(("gg", "")), 9), answer("hb hd", false));
    assert_eq!(pairs(all, Some(("h", "d")), 9), answer("", false));
    assert_eq!(pairs(all, None, 0), answer("", true));
    assert_eq!(pairs(&[], None, 9), answer("", false));
    assert_eq!(pairs(&["h"], Some(("g", "z")), 9), answer("hb hd", false));
}

fn since(f: &Fixture) {
    people(f, &["a", "b"]);
    let made = |expected: &[(&str, u64)]| {
        let (edges, _) = f.edges(Side::Members, &["g"], None, 9);
        let found: Vec<(&str, u64)> = edges.iter().map(|edge| (edge.id.as_str(), edge.since)).collect();
        assert_eq!(found, expected);
        for edge in &edges {
            let (groups, _) = f.edges(Side::Groups, &[&edge.id], None, 9);
            assert_eq!((groups[0].id.as_str(), groups[0].since), ("g", edge.since), "from the other side");
        }
    };
    f.must(vec![f.group("g", &["a"])]);
    made(&[("a", 3)]);
    f.must(vec![f.link("g", adding(&["a", "b"]))]);
    made(&[("a", 3), ("b", 4)]);
    f.must(vec![f.link("g", setting(&["b"]))]);
    f.must(vec![f.link("g", setting(&["a", "b"]))]);
    made(&[("a", 6), ("b", 4)]);
    f.must(vec![f.link("g", removing(&["b"])), f.link("g", adding(&["b"]))]);
    made(&[("a", 6), ("b", 8)]);
    let both = f.must(vec![f.replace("Group", "g", json!({ "displayName": "New" })), f.delete("User", "a")]);
    assert_eq!(both.len(), 2);
    made(&[("b", 8)]);
    f.must(vec![f.user("a", "a"), f.link("g", adding(&["a"]))]);
    made(&[("a", 13), ("b", 8)]);
    f.must(vec![f.delete("Group", "g"), f.group("g", &["b"])]);
    made(&[("b", 15)]);
}

/// The refusal of a member that is in another group.
fn taken(operation: usize, member: &str, group: &str) -> Conflict {
    Conflict::Membership { operation, member: member.to_owned(), group: group.to_owned() }
}

fn exclusive(f: &Fixture) {
    people(f, &["a", "b", "c"]);
    f.must(vec![f.group("g", &["b"]), f.group("h", &["c"]), f.group("i", &["c"])]);
    let before = f.everything();
    let check = |operations: Vec<Operation>, conflict: Conflict| {
        assert_eq!(f.commit(operations), Err(conflict));
        assert!(f.everything() == before);
    };
    check(vec![f.link("h", exclusively(adding(&["a", "b"])))], taken(0, "b", "g"));
    check(vec![f.link("g", exclusively(adding(&["c", "a"])))], taken(0, "c", "h"));
    check(vec![f.link("h", exclusively(setting(&["b"])))], taken(0, "b", "g"));
    check(vec![f.user("d", "d"), f.group_with("j", exclusively(adding(&["d", "b"])))], taken(1, "b", "g"));
    check(vec![f.link("i", exclusively(adding(&["c", "b"])))], taken(0, "b", "g"));
    let unknown = Conflict::UnknownMembers { operation: 0, ids: vec!["x".to_owned()], total: 1 };
    check(vec![f.link("h", exclusively(adding(&["b", "x"])))], unknown);
    f.must(vec![f.link("h", exclusively(ignoring(adding(&["x", "a"]))))]);
    f.must(vec![f.link("h", adding(&["b"]))]);
    assert_eq!(f.linked(Side::Groups, "b"), ["g", "h"], "whoever does not ask is not refused");
}

fn exclusive_no_op(f: &Fixture) {
    people(f, &["a", "b"]);
    f.must(vec![f.group("g", &["a"]), f.group("h", &["a"])]);
    let before = f.everything();
    for delta in [adding(&["a"]), setting(&["a"]), removing(&["b"])] {
        assert!(!f.must(vec![f.link("h", exclusively(delta))])[0].changed);
    }
    assert!(f.everything() == before);
    f.must(vec![f.link("h", exclusively(setting(&["a", "b"])))]);
    f.must(vec![f.link("h", exclusively(removing(&["a"])))]);
    assert_eq!(f.commit(vec![f.link("h", exclusively(adding(&["a"])))]), Err(taken(0, "a", "g")));
}

fn exclusive_in_order(f: &Fixture) {
    people(f, &["a"]);
    f.must(vec![f.group("g", &["a"]), f.group("h", &[])]);
    let join = |group: &str| f.link(group, exclusively(adding(&["a"])));
    let leave = |group: &str| f.link(group, removing(&["a"]));
    assert_eq!(f.commit(vec![join("h"), leave("g")]), Err(taken(0, "a", "g")));
    f.must(vec![leave("g"), join("h")]);
    f.must(vec![f.delete("Group", "h"), join("g")]);
    assert_eq!(
        f.commit(vec![leave("g"), f.group_with("h", exclusively(adding(&["a"]))), join("g")]),
        Err(taken(2, "a", "h"))
    );
    f.must(vec![f.delete("User", "a"), f.user("a", "a"), f.group_with("h", exclusively(adding(&["a"])))]);
    assert_eq!((f.linked(Side::Groups, "a"), f.linked(Side::Members, "g")), (vec!["h".to_owned()], vec![]));
    let (new, late) = (f.group_with("j", exclusively(adding(&["z"]))), f.user("z", "z"));
    assert_eq!(
        f.commit(vec![new.clone(), late.clone(), f.group_with("k", exclusively(adding(&["z"])))]),
        Err(taken(2, "z", "j"))
    );
    f.must(vec![new, late]);
}

/// A device may have members too: the store knows nothing of what a type is for.
fn exclusive_by_type(f: &Fixture) {
    people(f, &["a"]);
    let device = |id: &str| Operation::Create {
        id: id.to_owned(),
        resource_type: "Device".into(),
        content: f.content("Device", json!({})),
        members: exclusively(adding(&["a"])),
    };
    f.must(vec![f.group_with("g", exclusively(adding(&["a"]))), device("d")]);
    assert_eq!(f.crowded(None, 9), [""; 0]);
    assert_eq!(f.commit(vec![device("e")]), Err(taken(0, "a", "d")));
    assert_eq!(f.commit(vec![f.group_with("h", exclusively(adding(&["a"])))]), Err(taken(0, "a", "g")));
}

fn barred(f: &Fixture) {
    people(f, &["a"]);
    let flat = |delta: MemberDelta| MemberDelta { barred: vec!["Group".into(), "Team".into()], ..delta };
    f.must(vec![f.group("g", &["a"]), f.group("h", &["g"]), f.group("i", &[])]);
    let nested =
        |operation, member: &str| Err(Conflict::NestedGroup { operation, member: member.to_owned() });
    assert_eq!(f.commit(vec![f.link("i", flat(adding(&["a", "h", "g"])))]), nested(0, "h"));
    assert_eq!(f.commit(vec![f.link("i", flat(adding(&["i"])))]), nested(0, "i"));
    assert_eq!(
        f.commit(vec![f.user("b", "b"), f.group_with("j", flat(adding(&["b", "g"])))]),
        nested(1, "g")
    );
    let later = vec![f.group_with("j", flat(adding(&["k"]))), f.group("k", &[])];
    assert_eq!(f.commit(later), nested(0, "k"));
    assert!(!f.must(vec![f.link("h", flat(setting(&["g"])))])[0].changed, "it is there");
    f.must(vec![f.link("h", flat(setting(&["g", "a"])))]);
    f.must(vec![f.delete("Group", "i"), f.user("i", "i"), f.link("h", flat(adding(&["i"])))]);
    assert_eq!(f.linked(Side::Members, "h"), ["a", "g", "i"]);
}

fn crowded(f: &Fixture) {
    people(f, &["a", "b", "c", "d", "e"]);
    assert_eq!(f.crowded(None, 9), [""; 0]);
    f.must(vec![f.group("g", &["a", "b", "c", "d"]), f.group("h", &["a", "c", "d", "e"])]);
    f.must(vec![f.group("i", &["a", "g"]), f.group("j", &["g"])]);
    assert_eq!(f.crowded(None, 9), ["a", "c", "d", "g"]);
    assert_eq!(f.crowded(None, 2), ["a", "c"]);
    assert_eq!(f.crowded(Some("b"), 2), ["c", "d"]);
    assert_eq!(f.crowded(Some("c"), 2), ["d", "g"]);
    assert_eq!(f.crowded(Some("g"), 2), [""; 0]);
    assert_eq!(f.crowded(None, 0), [""; 0]);
    f.must(vec![f.link("h", removing(&["c"])), f.delete("Group", "j"), f.delete("User", "d")]);
    assert_eq!(f.crowded(None, 9), ["a"]);
    assert_eq!(f.other_tenant("umbrella").crowded(None, 9), [""; 0]);
}
