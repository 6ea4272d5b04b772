//! Many writers at once.

use std::sync::Barrier;
use std::thread;

use serde_json::json;

use super::fixture::{Fixture, adding, exclusively, setting};
use super::{Case, wait};
use crate::{ChangeKind, Changeset, CommitError, Conflict, Guard, MemberDelta, Operation, Side};

pub(super) const CASES: &[Case] = &[
    Case::new("members added by many at once are all there", many_members),
    Case::new("one of many creations with one unique value succeeds", create_race),
    Case::new("one of many writers with one version succeeds", version_race),
    Case::new("nobody comes to be in two of many groups that want them alone", exclusive_race),
    Case::new("a writer reads its own writes", own_writes),
];

pub(super) const WRITERS: usize = 8;

/// Runs `work` on many threads that start together.
pub(super) fn together<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = Barrier::new(WRITERS);
    thread::scope(|scope| {
        let spawn = |n| {
            let (work, barrier) = (&work, &barrier);
            scope.spawn(move || {
                barrier.wait();
                work(n)
            })
        };
        let threads: Vec<_> = (0..WRITERS).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

fn many_members(f: &Fixture) {
    const EACH: usize = 12;
    f.must(vec![f.group("g", &[])]);
    let versions: Vec<u64> = together(|n| {
        let add = |m| {
            let id = format!("u{n}x{m:02}");
            let operations = vec![f.user(&id, &id), f.link("g", adding(&[&id]))];
            f.must(operations)[1].version
        };
        (0..EACH).map(add).collect::<Vec<u64>>()
    })
    .concat();
    let expected: Vec<String> =
        (0..WRITERS).flat_map(|n| (0..EACH).map(move |m| format!("u{n}x{m:02}"))).collect();
    assert_eq!(f.linked(Side::Members, "g"), expected);
    assert_eq!(Some(&f.record("g").unwrap().version), versions.iter().max());
    let changes = f.changes();
    assert_eq!(changes.len(), 1 + 2 * WRITERS * EACH);
    assert!(changes.iter().zip(1..).all(|(change, number)| change.sequence == number), "without gaps");
}

fn create_race(f: &Fixture) {
    let results = together(|n| {
        let name = if n % 2 == 0 { "Ada" } else { "ADA" };
        f.commit(vec![f.user(&format!("u{n}"), name)])
    });
    let winners: Vec<usize> = (0..WRITERS).filter(|n| results[*n].is_ok()).collect();
    assert_eq!(winners.len(), 1);
    let holder = format!("u{}", winners[0]);
    let conflict = Conflict::Unique { operation: 0, path: "userName".into(), holder: holder.clone() };
    for result in results.into_iter().filter_map(Result::err) {
        assert_eq!(result, conflict);
    }
    assert_eq!(f.find("User", "", ""), [holder]);
    assert_eq!(f.changes().len(), 1);
}

fn version_race(f: &Fixture) {
    f.must(vec![f.user("u", "u")]);
    let results = together(|n| {
        f.commit(vec![Operation::Replace {
            id: "u".to_owned(),
            resource_type: "User".into(),
            guard: Guard::Version(1),
            content: Some(f.content("User", json!({ "userName": format!("u{n}") }))),
            members: MemberDelta::default(),
            kind: ChangeKind::Modified,
        }])
    });
    let lost = Err(Conflict::Version { operation: 0, current: 2 });
    assert_eq!(results.iter().filter(|result| **result == lost).count(), WRITERS - 1);
    let winner = results.iter().position(Result::is_ok).expect("a winner");
    assert_eq!(f.find("User", &format!("userName eq \"u{winner}\""), ""), ["u"]);
}

fn exclusive_race(f: &Fixture) {
    const PEOPLE: usize = 12;
    let people: Vec<String> = (0..PEOPLE).map(|n| format!("u{n:02}")).collect();
    f.must(people.iter().map(|id| f.user(id, id)).collect());
    f.must((0..WRITERS).map(|n| f.group(&format!("g{n}"), &[])).collect());
    let won = together(|n| {
        let group = format!("g{n}");
        // Everybody begins with somebody else, and lets go of every third.
        let mut members: Vec<&str> = Vec::new();
        for m in 0..PEOPLE {
            let id = &people[(m + n) % PEOPLE];
            match f.commit(vec![f.link(&group, exclusively(adding(&[id])))]) {
                Ok(_) => members.push(id),
                Err(Conflict::Membership { operation: 0, member, group: other }) => {
                    assert!(member == *id && other != group, "{member} {other}");
                }
                Err(conflict) => panic!("{conflict:?}"),
            }
            if members.len() > 2 {
                members.remove(0);
                f.must(vec![f.link(&group, exclusively(setting(&members)))]);
            }
        }
        members.len()
    });
    assert_eq!(f.crowded(None, 100), [""; 0]);
    let grouped = people.iter().filter(|id| !f.linked(Side::Groups, id).is_empty()).count();
    assert_eq!(grouped, won.iter().sum::<usize>());
}

fn own_writes(f: &Fixture) {
    together(|n| {
        for m in 0..10 {
            let id = format!("u{n}x{m}");
            let changeset = Changeset { operations: vec![f.user(&id, &id)], ..Changeset::new(f.now()) };
            match wait(f.store.commit(&f.tenant, changeset)) {
                Ok(_) => {}
                Err(CommitError::Conflict(conflict)) => panic!("{conflict:?}"),
                Err(CommitError::Store(error)) => panic!("{error}"),
            }
            assert!(f.record(&id).is_some());
            assert_eq!(f.find("User", &format!("userName eq \"{id}\""), ""), [id.as_str()]);
        }
    });
}
