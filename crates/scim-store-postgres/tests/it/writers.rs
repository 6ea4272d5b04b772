//! Many writers: one transaction for all who wait, bounded waiting for others, and readers that wait for nobody.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use scim_store::conformance::wait;
use scim_store::{CommitError, EdgeQuery, MemberDelta, Operation, PersonQuery, Side, Store, StoreError};
use scim_store_postgres::Options;

use crate::cluster::{Session, superuser_of};
use crate::people::{Town, a_tenant, acme};

/// Keeps writers of the tenant waiting until it is dropped.
fn hold(town: &Town) -> Session {
    let other = superuser_of(&town.database);
    other.run("BEGIN; SELECT 1 FROM scim.tenant FOR UPDATE");
    other
}

/// Waits until somebody waits for a lock.
fn until_blocked(town: &Town, count: usize) {
    let sql =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while town.database.run(sql).len() < count {
        std::thread::yield_now();
    }
}

#[test]
fn waiting_writers_share_a_transaction() {
    let town = Town::new(Options::default());
    town.commit(town.user("first")).expect("created");
    let other = hold(&town);
    town.trips();
    let mut waiting: Vec<_> =
        (0..64).map(|n| town.store.commit(a_tenant(), town.user(&format!("u{n:02}")))).collect();
    for commit in &mut waiting {
        assert!(Pin::new(commit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    until_blocked(&town, 1);
    other.run("ROLLBACK");
    let mut sequences: Vec<u64> =
        waiting.into_iter().map(|commit| wait(commit).expect("created").sequence).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (2..=65).collect::<Vec<u64>>());
    let commits = town.trips().concat().iter().filter(|sql| *sql == "COMMIT").count();
    // The first may go alone, and the rest could come in two parts while it does.
    assert!((1..=3).contains(&commits), "{commits} transactions for 64 changesets");
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// A conflict concerns its own changeset, not those that share its transaction.
#[test]
fn a_conflict_concerns_nobody_else() {
    let town = Town::new(Options::default());
    town.commit(town.user("first")).expect("created");
    let other = hold(&town);
    let mut waiting: Vec<_> = ["a", "b", "a", "c", "b", "a"]
        .iter()
        .map(|id| town.store.commit(a_tenant(), town.user(id)))
        .collect();
    for commit in &mut waiting {
        assert!(Pin::new(commit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    until_blocked(&town, 1);
    other.run("ROLLBACK");
    let outcomes: Vec<bool> = waiting.into_iter().map(|commit| wait(commit).is_ok()).collect();
    assert_eq!(outcomes, [true, true, false, true, false, false]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Neither does what the database cannot keep.
#[test]
fn a_broken_changeset_concerns_nobody_else() {
    let town = Town::new(Options::default());
    town.commit(town.user("first")).expect("created");
    let other = hold(&town);
    let mut broken = town.user("broken");
    if let Some(Operation::Create { content, .. }) = broken.operations.first_mut() {
        content.label = "\0".to_owned();
    }
    let mut waiting: Vec<_> = [town.user("a"), broken, town.user("b")]
        .into_iter()
        .map(|changeset| town.store.commit(a_tenant(), changeset))
        .collect();
    for commit in &mut waiting {
        assert!(Pin::new(commit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    until_blocked(&town, 1);
    other.run("ROLLBACK");
    let outcomes: Vec<bool> = waiting.into_iter().map(|commit| wait(commit).is_ok()).collect();
    assert_eq!(outcomes, [true, false, true]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

#[test]
fn another_writer_is_waited_for_so_long_and_readers_go_on() {
    let town = Town::new(Options { lock: Duration::from_millis(50), ..Options::default() });
    town.commit(town.user("u1")).expect("created");
    let other = hold(&town);
    let refused = town.commit(town.user("u2")).expect_err("the tenant is held");
    assert!(matches!(refused, CommitError::Store(StoreError::Unavailable(_))), "{refused:?}");
    let read = wait(town.store.get(&acme(), &["u1", "u2"])).expect("readers do not wait");
    assert_eq!(read.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    other.run("ROLLBACK");
    town.commit(town.user("u2")).expect("created at last");
}

/// More waiting writers than the queue holds are told so at once, and so is whoever finds no connection.
#[test]
fn queue_and_pool_are_bounded() {
    let wait_for_a_connection = Duration::from_millis(50);
    let options = Options { queue: 4, pool: 2, wait: wait_for_a_connection, ..Options::default() };
    let town = Town::new(options);
    town.commit(town.user("first")).expect("created");
    let other = superuser_of(&town.database);
    other.run("BEGIN; LOCK TABLE scim.resource IN ACCESS EXCLUSIVE MODE");
    let mut waiting = Vec::new();
    let mut refused = 0;
    for n in 0..20 {
        let mut commit = town.store.commit(a_tenant(), town.user(&format!("u{n}")));
        match Pin::new(&mut commit).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => waiting.push(commit),
            Poll::Ready(Err(CommitError::Store(StoreError::Unavailable(_)))) => refused += 1,
            Poll::Ready(answer) => panic!("{answer:?}"),
        }
    }
    assert!(refused >= 10, "{refused} of 20 refused with a queue of 4");
    until_blocked(&town, 1);
    // One of two connections writes. The other reads, and then there is none.
    let mut reading = town.store.get(a_tenant(), &["first"]);
    assert!(Pin::new(&mut reading).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    until_blocked(&town, 2);
    let busy = wait(town.store.get(&acme(), &["first"])).expect_err("no connection");
    assert!(matches!(&busy, StoreError::Unavailable(why) if why.to_string().contains("busy")), "{busy}");
    other.run("ROLLBACK");
    wait(reading).expect("read at last");
    for commit in waiting {
        wait(commit).expect("created");
    }
}

/// What a read and a write cost in round trips, once their statements are prepared.
#[test]
fn round_trips_are_few() {
    let town = Town::new(Options::default());
    for n in 0..100 {
        town.commit(town.user(&format!("u{n:03}"))).expect("created");
    }
    town.commit(town.group("g1", &["u001", "u002"])).expect("created");
    town.commit(town.group("g2", &["u001"])).expect("created");
    let trips = |what: &str, expected: usize, act: &dyn Fn()| {
        act();
        town.trips();
        act();
        let trips = town.trips();
        assert_eq!(trips.len(), expected, "{what}: {trips:#?}");
    };
    let ids: Vec<String> = (0..100).map(|n| format!("u{n:03}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    trips("a record", 1, &|| drop(wait(town.store.get(&acme(), &["u001"])).expect("records")));
    trips("many records", 1, &|| drop(wait(town.store.get(&acme(), &all)).expect("records")));
    trips("a record with its groups", 1, &|| {
        drop(wait(town.store.get_with_edges(&acme(), "u001", Side::Groups, 10)).expect("a record"));
    });
    let edges = EdgeQuery { side: Side::Members, of: vec!["g1".into(), "g2".into()], after: None, count: 10 };
    trips("edges", 1, &|| drop(wait(town.store.edges(&acme(), &edges)).expect("edges")));
    trips("persons", 1, &|| {
        drop(wait(town.store.persons(&acme(), &PersonQuery::Of(ids.clone()))).expect("persons"))
    });
    for (filter, sort, expected) in [
        (r#"userName eq "u001@example.com""#, "", 1),
        ("", "", 1),
        ("", "userName descending", 1),
        (r#"userName sw "u00""#, "", 3),
        ("title pr", "", 3),
    ] {
        for count in [2, 90] {
            let query = scim_store::Query { count, ..town.query("User", filter, sort) };
            trips(filter, expected, &|| drop(wait(town.store.query(&acme(), &query)).expect("a page")));
        }
    }
    let new = std::cell::Cell::new(0);
    trips("a creation", 2, &|| {
        new.set(new.get() + 1);
        town.commit(town.user(&format!("new{}", new.get()))).expect("created");
    });
    let joins = std::cell::Cell::new(10);
    trips("a member more", 2, &|| {
        joins.set(joins.get() + 1);
        let operation = Operation::Replace {
            id: "g1".to_owned(),
            resource_type: "Group".into(),
            guard: scim_store::Guard::Exists,
            content: None,
            members: MemberDelta { add: vec![format!("u0{}", joins.get())], ..MemberDelta::default() },
            kind: scim_store::ChangeKind::Modified,
        };
        town.commit(scim_store::Changeset { operations: vec![operation], ..town.group("x", &[]) })
            .expect("joined");
    });
    let gone = std::cell::Cell::new(50);
    trips("a deletion", 2, &|| {
        gone.set(gone.get() + 1);
        let (id, guard) = (format!("u0{}", gone.get()), scim_store::Guard::Exists);
        let operation = Operation::Delete { id, resource_type: "User".into(), guard };
        town.commit(scim_store::Changeset { operations: vec![operation], ..town.group("x", &[]) })
            .expect("gone");
    });
}
