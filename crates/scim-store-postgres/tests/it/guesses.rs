//! Writes that are sent without reading first: they come to what they would have come to, whoever else writes, and nobody
//! is told otherwise when their answer is lost.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use scim_core::person::{Derived, Person};
use scim_store::conformance::wait;
use scim_store::transfer::Portable;
use scim_store::{
    ChangeKind, Changeset, CommitError, Conflict, Content, EdgeQuery, Guard, MemberDelta, MemoryStore,
    Operation, PersonQuery, ReportQuery, Side, Store,
};

use crate::cluster::patient;
use crate::mill::{Mill, everything};
use crate::people::{Town, a_tenant, acme, delta, report};
use crate::writers::all_at_once;

/// Two servers on one database, which write in turns of random lengths, come to what one store in memory comes to. For a
/// while the turns are short.
#[test]
fn guesses_come_to_what_reading_would() {
    let town = Town::new(patient());
    let other = town.another();
    let model = MemoryStore::new();
    let mut mill = Mill::new(&town, 7, 0);
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
                mill.see(id, read.iter().flatten().next());
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

/// Somebody gets the name of another.
fn renamed(town: &Town, id: &str, name: &str) -> Changeset {
    town.replace("User", id, Some(town.content(name)), MemberDelta::default())
}

/// Somebody with the name of another.
fn namesake(town: &Town, id: &str, name: &str) -> Changeset {
    let (id, resource_type, content) = (id.to_owned(), "User".into(), town.content(name));
    town.one(Operation::Create { id, resource_type, content, members: MemberDelta::default() })
}

/// A value that was taken for free, and that the same transaction gives back: whoever has it is found all the same.
#[test]
fn what_is_given_back_is_not_taken_for_free() {
    let town = Town::new(patient());
    town.commit(town.user("b")).expect("created");
    let other = confident(&town);
    let changesets = [town.user("a"), renamed(&town, "a", "b"), renamed(&town, "a", "c")];
    let outcomes = all_at_once(&town, &other.store, changesets).iter().map(Result::is_ok).collect::<Vec<_>>();
    assert_eq!(outcomes, [true, false, true]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Whoever has the name is known, though not as the one who has it, and gives it up later in the same transaction.
#[test]
fn what_is_given_up_later_is_not_taken_for_free() {
    let town = Town::new(patient());
    for id in ["b", "c"] {
        town.commit(town.user(id)).expect("created");
    }
    let other = confident(&town);
    other.commit(renamed(&other, "b", "c")).expect_err("somebody has the name");
    // The first is by itself, and the others come together.
    let changesets = [other.user("x"), namesake(&other, "a", "b"), renamed(&other, "b", "d")];
    let outcomes = all_at_once(&town, &other.store, changesets);
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// A member whom somebody else has added is taken for none, and found to be one.
#[test]
fn a_member_is_not_added_twice() {
    let town = Town::new(patient());
    town.commit(town.user("a")).expect("created");
    town.commit(town.group("g", &["a"])).expect("created");
    let other = confident(&town);
    for id in ["a", "g"] {
        drop(wait(other.store.get(&acme(), &[id])).expect("a record"));
    }
    other.trips();
    let committed = other.commit(town.join("g", &["a"], &[])).expect("no conflict");
    assert_eq!((committed.sequence, committed.applied[0].changed), (4, false));
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// What a server has read is derived anew by another before it writes: unique values and the person are those that it writes, though
/// they are as they were when it read.
#[test]
fn what_was_derived_anew_meanwhile_is_not_taken_for_what_was_read() {
    let town = Town::new(patient());
    let other = confident(&town);
    let person = |name: &str| {
        let person = Person { first_name: Some(name.to_owned()), ..Person::default() };
        Some(Derived { person, pick: None })
    };
    let content = Content { person: person("Ada"), ..town.content("u") };
    let (id, kind) = (|| "u".to_owned(), || "User".into());
    let (first, members) = (content.clone(), MemberDelta::default());
    let create = Operation::Create { id: id(), resource_type: kind(), content: first, members };
    town.commit(town.one(create)).expect("created");
    let read = wait(other.store.get(&acme(), &["u"])).expect("a record").remove(0).expect("it is there");
    let Content { unique, index, .. } = town.content("elsewhere");
    let (guard, person) = (Guard::Exists, person("Bea"));
    let rederive = Operation::Rederive { id: id(), resource_type: kind(), guard, unique, index, person };
    town.commit(town.one(rederive)).expect("derived anew");
    let replace = Operation::Replace {
        id: id(),
        resource_type: kind(),
        guard: Guard::Version(read.version),
        content: Some(Content { body: "{}".into(), ..content }),
        members: MemberDelta::default(),
        kind: ChangeKind::Modified,
    };
    other.trips();
    other.commit(other.one(replace)).expect("nobody has written it");
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    let persons = wait(town.store.persons(&acme(), &PersonQuery::Of(vec![id()]))).expect("persons").persons;
    assert_eq!(persons[0].person.first_name.as_deref(), Some("Ada"));
    let taken = |id: &str, name: &str| town.commit(namesake(&town, id, name)).is_err();
    assert_eq!((taken("v", "u"), taken("w", "elsewhere")), (true, false));
}

/// A group's members change, who may be in no other if it is exclusive.
fn join(town: &Town, group: &str, add: &[&str], remove: &[&str], exclusive: bool) -> Changeset {
    town.replace("Group", group, None, MemberDelta { exclusive, ..delta(add, remove) })
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
    let town = Town::new(patient());
    town.commit(town.group("g", &[])).expect("created");
    let other = confident(&town);
    other.commit(other.user("a")).expect("created");
    town.commit(join(&town, "g", &["a", "v1"], &[], false)).expect("joined");
    other.trips();
    let committed = other.commit(town.delete("User", "a")).expect("deleted");
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
    let town = Town::new(patient());
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
    let town = Town::new(patient());
    town.commit(town.user("u")).expect("created");
    let other = confident(&town);
    drop(wait(other.store.get(&acme(), &["u"])).expect("a record"));
    town.commit(renamed(&town, "u", "a")).expect("renamed");
    other.trips();
    other.commit(renamed(&town, "u", "b")).expect("renamed");
    let trips = other.trips();
    assert!(is_guess(&trips[0]) && trips.len() == 3, "it was tried: {trips:#?}");
    for name in ["u", "a"] {
        other.commit(namesake(&town, &format!("new{name}"), name)).expect("nobody has this name any more");
    }
}

/// Somebody who is deleted by another server is not taken for whom this one has created.
#[test]
fn who_was_deleted_meanwhile_does_not_become_a_member() {
    let town = Town::new(patient());
    town.commit(town.group("g", &[])).expect("created");
    let other = confident(&town);
    town.commit(town.delete("User", "v2")).expect("deleted");
    let refused = other.commit(join(&other, "g", &["v2"], &[], false)).expect_err("it is not there");
    assert!(matches!(refused, CommitError::Conflict(Conflict::UnknownMembers { .. })), "{refused}");
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// A report that another server has stored is settled by whoever knows of none.
#[test]
fn a_report_that_has_come_meanwhile_is_settled() {
    let town = Town::new(patient());
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
    let town = Town::new(patient());
    let other = confident(&town);
    town.commit(Changeset { epoch: 5, ..town.user("a") }).expect("created");
    let refused = other.commit(other.user("b")).expect_err("these are the rules of before");
    assert!(matches!(refused, CommitError::Conflict(Conflict::Epoch { current: 5 })), "{refused}");
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    other.commit(Changeset { epoch: 5, ..other.user("b") }).expect("created");
}

/// A server numbers what it works out from where it has left the tenant, which is what another server's change has been
/// numbered since: neither is taken for the other, by whoever asks for a version or looks for what is to be written.
#[test]
fn versions_of_others_are_not_taken_for_those_to_come() {
    let replace = |other: &Town, kind: &str, title: &str, version: u64| Operation::Replace {
        id: "u".to_owned(),
        resource_type: kind.into(),
        guard: Guard::Version(version),
        content: (kind == "User")
            .then(|| Content { body: format!("{title:?}").into(), ..other.content("u") }),
        members: if kind == "User" { MemberDelta::default() } else { delta(&[title], &[]) },
        kind: ChangeKind::Modified,
    };
    for kind in ["User", "Group"] {
        for titles in [&["v1"][..], &["v1", "v2"]] {
            let town = Town::new(patient());
            let other = confident(&town);
            let create = if kind == "User" { town.user("u") } else { town.group("u", &[]) };
            town.commit(create).expect("created");
            let read =
                || wait(other.store.get(&acme(), &["u"])).expect("records").remove(0).expect("it is there");
            let version = read().version;
            let operations = titles.iter().map(|title| replace(&other, kind, title, version)).collect();
            other.trips();
            let outcome = other.commit(Changeset { operations, ..other.user("x") });
            assert_eq!(other.trips().len(), titles.len(), "one is guessed, and two are not");
            match outcome {
                Ok(committed) => {
                    assert_eq!((titles.len(), committed.applied[0].version), (1, version + 1));
                    assert_eq!(read().version, version + 1);
                    assert!(kind == "Group" || read().body == "\"v1\"", "it was written");
                }
                Err(CommitError::Conflict(conflict)) => {
                    assert_eq!(conflict, Conflict::Version { operation: 1, current: version + 1 });
                    assert_eq!(read().version, version);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Who has left a group and is put back by another server is a member by then.
#[test]
fn who_is_back_in_a_group_does_not_come_into_it() {
    let town = Town::new(patient());
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
    let town = Town::new(patient());
    let other = confident(&town);
    while wait(town.store.discard(&acme(), Some(0), 100)).expect("removed") > 0 {}
    let committed = other.commit(other.user("w")).expect("nobody is there");
    assert_eq!((committed.sequence, committed.applied[0].version), (1, 1));
    assert!(other.trips().first().is_some_and(|trip| is_guess(trip)), "it was tried");
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Who was found to be there by a refusal is deleted by another server, and does not become a member.
#[test]
fn who_was_seen_by_a_refusal_and_is_deleted_does_not_become_a_member() {
    let town = Town::new(patient());
    for id in ["a", "b"] {
        town.commit(town.user(id)).expect("created");
    }
    town.commit(town.group("g", &[])).expect("created");
    let other = confident(&town);
    other.commit(join(&other, "g", &["v1"], &[], false)).expect("joined");
    let delete = |guard: Guard| Operation::Delete { id: "a".to_owned(), resource_type: "User".into(), guard };
    other.commit(other.one(delete(Guard::Version(99)))).expect_err("it has another version");
    town.commit(town.one(delete(Guard::Exists))).expect("deleted");
    let refused = other.commit(join(&other, "g", &["a"], &[], false)).expect_err("it is not there");
    assert!(matches!(refused, CommitError::Conflict(Conflict::UnknownMembers { .. })), "{refused}");
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Members of a group that are replaced as a whole are those that it has by then, though the group was read in the meantime and
/// only its members are remembered from before.
#[test]
fn members_that_are_remembered_are_not_taken_for_those_of_a_group_that_was_read_since() {
    let town = Town::new(patient());
    for id in ["a", "b"] {
        town.commit(town.user(id)).expect("created");
    }
    let other = confident(&town);
    other.commit(other.group("g", &["v1"])).expect("created");
    town.commit(join(&town, "g", &["a"], &[], false)).expect("joined");
    drop(wait(other.store.get(&acme(), &["g"])).expect("a record"));
    let all = MemberDelta { clear: true, ..delta(&["b"], &[]) };
    other.commit(other.replace("Group", "g", None, all)).expect("replaced");
    assert_eq!(members(&town, "g"), ["b"]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Who is in a group, as another changeset of the same transaction has left it or found it, is not put into a second.
#[test]
fn who_is_known_to_be_in_a_group_is_not_put_into_another_that_excludes_it() {
    for (is_there, both) in [(false, false), (true, false), (true, true)] {
        let town = Town::new(patient());
        town.commit(town.user("a")).expect("created");
        for id in ["g", "h"] {
            town.commit(town.group(id, if is_there && id == "g" { &["a"] } else { &[] })).expect("created");
        }
        let other = confident(&town);
        other.commit(join(&other, "g", &["v1"], &[], false)).expect("joined");
        let [first, second] = [join(&other, "g", &["a"], &[], false), join(&other, "h", &["a"], &[], true)];
        match both {
            true => {
                let operations = [first.operations, second.operations].concat();
                other.commit(join(&other, "g", &["v2"], &[], false)).expect("joined");
                let refused = other.commit(Changeset { operations, ..town.user("x") }).expect_err("in two");
                assert!(matches!(refused, CommitError::Conflict(Conflict::Membership { .. })), "{refused}");
            }
            false => {
                // The first is by itself, and the others come together.
                let outcomes = all_at_once(&town, &other.store, [other.user("b"), first, second]);
                assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);
            }
        }
        assert_eq!(members(&town, "h"), [""; 0]);
    }
}

/// Who leaves a group later in the same changeset is in it until then.
#[test]
fn who_is_to_leave_a_group_is_in_it_until_then() {
    let town = Town::new(patient());
    town.commit(town.user("a")).expect("created");
    for id in ["g", "h"] {
        town.commit(town.group(id, if id == "g" { &["a"] } else { &[] })).expect("created");
    }
    let other = confident(&town);
    other.commit(join(&other, "g", &["v1"], &[], false)).expect("joined");
    let [enter, leave] = [join(&other, "h", &["a"], &[], true), join(&other, "g", &[], &["a"], false)];
    let both = |one: &Changeset, two: &Changeset| Changeset {
        operations: [one.operations.clone(), two.operations.clone()].concat(),
        ..town.user("x")
    };
    let refused = other.commit(both(&enter, &leave)).expect_err("it is still in a group");
    assert!(matches!(refused, CommitError::Conflict(Conflict::Membership { .. })), "{refused}");
    other.commit(both(&leave, &enter)).expect("it has left");
    assert_eq!(
        (members(&town, "g").join(" "), members(&town, "h").join(" ")),
        ("v1".to_owned(), "a".to_owned())
    );
}

/// Who is created by a later changeset of the same transaction is not there before.
#[test]
fn who_is_created_later_is_not_a_member_before() {
    let town = Town::new(patient());
    town.commit(town.group("g", &[])).expect("created");
    let other = confident(&town);
    other.commit(join(&other, "g", &["v1"], &[], false)).expect("joined");
    // The first is by itself, and the others come together.
    let changesets = [other.user("b"), join(&other, "g", &["a"], &[], false), other.user("a")];
    let outcomes = all_at_once(&town, &other.store, changesets);
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(members(&town, "g"), ["v1"]);
}
