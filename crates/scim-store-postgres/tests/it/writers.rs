//! Many writers: one transaction for all who wait, bounded waiting for others, and readers that wait for nobody.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use scim_store::conformance::wait;
use scim_store::{
    ChangeKind, Changeset, CommitError, Committed, Content, EdgeQuery, Guard, Hidden, MemberDelta, Operation,
    PersonQuery, ReportQuery, Side, Store, StoreError,
};
use scim_store_postgres::Options;

use crate::cluster::{Database, ROLE, Session, patient, superuser_of};
use crate::people::{Town, a_tenant, acme, delta, report};

/// Keeps writers of the tenant waiting until it is dropped.
fn hold(town: &Town) -> Session {
    let other = superuser_of(&town.database);
    other.run("BEGIN; SELECT 1 FROM scim.tenant FOR UPDATE");
    other
}

/// Waits until somebody waits for a lock.
#[track_caller]
fn until_blocked(town: &Town, count: usize) {
    let sql =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    town.database.until_found(count, sql);
}

/// Waits until whoever was refused has let go of everything, which it does after it has said why.
#[track_caller]
fn until_nobody_writes(town: &Town) {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity
            WHERE datname = current_database() AND usename = '{ROLE}' AND xact_start IS NOT NULL"
    );
    town.database.until_gone(&sql);
}

/// Has changesets wait together for somebody who holds the tenant's row, and tells what becomes of each once it is let go.
pub(crate) fn all_at_once(
    town: &Town,
    store: &dyn Store,
    changesets: impl IntoIterator<Item = Changeset>,
) -> Vec<Result<Committed, CommitError>> {
    let other = hold(town);
    let mut waiting: Vec<_> =
        changesets.into_iter().map(|changeset| store.commit(a_tenant(), changeset)).collect();
    for commit in &mut waiting {
        assert!(Pin::new(commit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    until_blocked(town, 1);
    other.run("ROLLBACK");
    waiting.into_iter().map(wait).collect()
}

#[test]
fn waiting_writers_share_a_transaction() {
    let town = Town::new(patient());
    town.commit(town.user("first")).expect("created");
    town.trips();
    let outcomes = all_at_once(&town, &town.store, (0..64).map(|n| town.user(&format!("u{n:02}"))));
    let mut sequences: Vec<u64> =
        outcomes.into_iter().map(|outcome| outcome.expect("created").sequence).collect();
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
    let town = Town::new(patient());
    town.commit(town.user("first")).expect("created");
    let users = ["a", "b", "a", "c", "b", "a"].map(|id| town.user(id));
    let outcomes = all_at_once(&town, &town.store, users).iter().map(Result::is_ok).collect::<Vec<_>>();
    assert_eq!(outcomes, [true, true, false, true, false, false]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Neither does what the database cannot keep.
#[test]
fn a_broken_changeset_concerns_nobody_else() {
    let town = Town::new(patient());
    town.commit(town.user("first")).expect("created");
    let mut broken = town.user("broken");
    if let Some(Operation::Create { content, .. }) = broken.operations.first_mut() {
        content.label = "\0".to_owned();
    }
    let changesets = [town.user("a"), broken, town.user("b")];
    let outcomes = all_at_once(&town, &town.store, changesets).iter().map(Result::is_ok).collect::<Vec<_>>();
    assert_eq!(outcomes, [true, false, true]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// A report that is settled by who comes with it has no body either.
#[test]
fn a_report_is_settled_by_who_shares_its_transaction() {
    let town = Town::new(patient());
    town.commit(town.user("first")).expect("created");
    let refused =
        |subject: &str| Changeset { operations: Vec::new(), reports: vec![report(subject)], ..town.user("") };
    let accepted = Changeset { settles: vec!["ada".to_owned()], ..town.user("ada") };
    // The first goes alone, the others wait for it and go together.
    let changesets = [town.user("alone"), refused("ada"), refused("bob"), accepted];
    assert!(all_at_once(&town, &town.store, changesets).iter().all(Result::is_ok));
    let all = ReportQuery { after: 0, count: 10, settled: None, subject: None };
    let found = wait(town.store.reports(&acme(), &all)).expect("reports");
    let state = found.iter().map(|found| (found.settled, found.report.body.is_empty())).collect::<Vec<_>>();
    assert_eq!(state, [(true, true), (false, false)]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

#[test]
fn another_writer_is_waited_for_so_long_and_readers_go_on() {
    let town = Town::new(Options { lock: Duration::from_millis(50), ..patient() });
    town.commit(town.user("u1")).expect("created");
    let other = hold(&town);
    let refused = town.commit(town.user("u2")).expect_err("the tenant is held");
    assert!(matches!(refused, CommitError::Store(StoreError::Unavailable(_))), "{refused:?}");
    let read = wait(town.store.get(&acme(), &["u1", "u2"])).expect("readers do not wait");
    assert_eq!(read.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    until_nobody_writes(&town);
    other.run("ROLLBACK");
    town.commit(town.user("u2")).expect("created at last");
}

/// A statement that is not prepared yet waits for a table as one that is, and fails inside the transaction as well: the
/// connection is not lent again before that is over.
#[test]
fn a_table_that_is_held_is_waited_for_so_long() {
    let town = Town::new(patient());
    town.commit(town.user("first")).expect("created");
    for table in ["resource", "entry", "edge", "audit"] {
        let options = Options { lock: Duration::from_millis(50), pool: 2, ..patient() };
        let unprepared = Town::at(&town.database.address(), Database::new(), options);
        for is_prepared in [false, true] {
            let group = town.group(&format!("{table}-{is_prepared}"), &["first"]);
            let other = superuser_of(&town.database);
            other.run(&format!("BEGIN; LOCK TABLE scim.{table} IN SHARE MODE"));
            for _ in 0..3 {
                let refused = unprepared.commit(group.clone()).expect_err("the table is held");
                assert!(
                    matches!(refused, CommitError::Store(StoreError::Unavailable(_))),
                    "{table}: {refused:?}"
                );
            }
            until_nobody_writes(&town);
            other.run("ROLLBACK");
            unprepared.commit(group).unwrap_or_else(|error| panic!("{table}: {error}"));
        }
    }
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// More waiting writers than the queue holds are told so at once, and so is whoever finds no connection.
#[test]
fn queue_and_pool_are_bounded() {
    let wait_for_a_connection = Duration::from_millis(50);
    let options = Options { queue: 4, pool: 2, wait: wait_for_a_connection, ..patient() };
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

/// What a read costs in round trips, once its statements are prepared.
#[test]
fn round_trips_of_reads_are_few() {
    let town = Town::new(patient());
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
            trips(filter, expected, &|| {
                let found = wait(town.store.query_with_edges(&acme(), &query, Side::Groups, 10));
                drop(found.expect("a page and its groups"));
            });
        }
    }
}

/// What a write costs in round trips: one where what it rests on is known, from what was written or read before, and two
/// where it has to be read first.
#[test]
fn round_trips_of_writes_are_few() {
    let town = Town::new(patient());
    for n in 0..10 {
        town.commit(town.user(&format!("u{n}"))).expect("created");
    }
    for (id, members) in [("g1", &["u1", "u2"][..]), ("g2", &[])] {
        town.commit(town.group(id, members)).expect("created");
    }
    let another = town.another();
    let join = |group: &str, add: &[&str], remove: &[&str]| town.join(group, add, remove);
    let change = |id: &str, title: &str| {
        let (label, body) = (title.to_owned(), format!("{{\"title\":\"{title}\"}}").into());
        let content = Content { label, body, ..town.content(id) };
        town.replace("User", id, Some(content), MemberDelta::default())
    };
    let delete = |id: &str| town.delete("User", id);
    let trips = |what: &str, town: &Town, changeset: Changeset| {
        // Statements are prepared on the way. Somebody else's round trips do not count.
        town.trips();
        town.commit(changeset).unwrap_or_else(|error| panic!("{what}: {error}"));
        town.trips().len()
    };
    assert_eq!(trips("a creation", &town, town.user("new")), 1);
    assert_eq!(trips("a member", &town, join("g1", &["u3"], &[])), 1);
    assert_eq!(trips("another member", &town, join("g1", &["u4"], &["u1"])), 1);
    assert_eq!(trips("a change of what was written", &town, change("u1", "a")), 1);
    assert_eq!(
        trips("an entry of the audit trail alone", &town, Changeset { operations: Vec::new(), ..delete("") }),
        1
    );
    assert_eq!(trips("a deletion of what was written", &town, delete("u1")), 1);
    // To another server nothing is known, and the first it writes is read first.
    assert_eq!(trips("the first of a server", &another, another.user("v1")), 2);
    assert_eq!(trips("its second", &another, another.user("v2")), 1);
    assert_eq!(trips("its third", &another, another.user("v3")), 1);
    assert_eq!(trips("a change of what was not read", &another, change("u5", "a")), 2);
    for (id, title) in [("u6", "a"), ("u7", "b"), ("u6", "c")] {
        drop(wait(another.store.get(&acme(), &[id])).expect("a record"));
        assert_eq!(trips("a change of what was read", &another, change(id, title)), 1);
    }
    assert_eq!(trips("a group that was not read", &another, join("g2", &["v1"], &[])), 1);
    assert_eq!(trips("members that were not read", &another, join("g2", &["u2", "u3"], &["v1"])), 1);
    assert_eq!(trips("a deletion of what was not read", &another, delete("u9")), 2);
    // Others may write as long as it is something else, and change the same groups.
    assert_eq!(trips("a creation behind others", &town, town.user("late")), 1);
    assert_eq!(trips("another", &town, town.user("later")), 1);
    assert_eq!(trips("a change of what was written behind others", &town, change("late", "z")), 1);
    assert_eq!(trips("a group that others have changed", &town, join("g2", &["u6"], &[])), 1);
    assert_eq!(trips("and again", &another, join("g2", &["u7"], &["u6"])), 1);
    assert_eq!(trips("a guess that is wrong", &town, join("g2", &["u7", "u8"], &[])), 3);
    // What was written is not relied on for a while after that, and for longer after each time that it was wrong.
    assert_eq!(trips("a change of what was not read", &town, change("late", "a")), 2);
    assert_eq!(trips("a change of what was written", &town, change("late", "b")), 2);
    assert_eq!(trips("a change of what was written", &town, change("late", "c")), 1);
    // Of reports, only those about the same are in the way.
    let refusal = Changeset { operations: Vec::new(), reports: vec![report("somebody")], ..delete("") };
    assert_eq!(trips("a refusal", &town, refusal), 2);
    let settling = |id: &str, subject: &str| Changeset { settles: vec![subject.to_owned()], ..town.user(id) };
    assert_eq!(trips("what settles nothing", &town, settling("new2", "somebody else")), 1);
    assert_eq!(trips("what settles something", &town, settling("new3", "somebody")), 3);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// The tenant's lock is held for one round trip. What has to be known is read before, without it.
#[test]
fn nobody_holds_a_tenant_between_round_trips() {
    let town = Town::new(patient());
    for n in 0..6 {
        town.commit(town.user(&format!("u{n}"))).expect("created");
    }
    for id in ["g1", "g2", "g3"] {
        town.commit(town.group(id, &["u0", "u1", "u2"])).expect("created");
    }
    let another = town.another();
    another.commit(another.user("first")).expect("created");
    let all = MemberDelta { clear: true, ..delta(&["u3"], &[]) };
    let hidden = vec![Hidden { path: "password".into(), value: Some("\"hash\"".to_owned()) }];
    let secret = Content { hidden, ..town.content("u5") };
    let titled = Content { body: "{\"title\":\"a\"}".into(), ..town.content("u4") };
    for changeset in [
        town.replace("User", "u4", Some(titled), MemberDelta::default()),
        town.replace("User", "u5", Some(secret), MemberDelta::default()),
        town.replace("Group", "g1", None, all),
        town.delete("User", "u0"),
        town.delete("Group", "g2"),
    ] {
        let what = format!("{:?}", changeset.operations);
        another.trips();
        another.commit(changeset).expect("no conflict");
        let trips = another.trips();
        let [read, written] = trips.as_slice() else { panic!("{what}: {trips:#?}") };
        assert!(read.iter().all(|sql| !sql.contains("FOR NO KEY UPDATE")), "{what}: {read:#?}");
        assert!(is_whole(read) && is_whole(written), "{what}: {trips:#?}");
    }
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Whether a round trip is all of a transaction.
fn is_whole(trip: &[String]) -> bool {
    trip.first().is_some_and(|sql| sql.starts_with("BEGIN")) && trip.last().is_some_and(|sql| sql == "COMMIT")
}

/// Somebody has come into a group after its members were read, and before it is deleted.
#[test]
fn what_is_written_after_it_was_read_is_read_again() {
    let town = Town::new(patient());
    for id in ["a", "b"] {
        town.commit(town.user(id)).expect("created");
    }
    town.commit(town.group("g", &["a"])).expect("created");
    let another = town.another();
    another.commit(another.user("first")).expect("created");
    let other = hold(&town);
    let mut commit = another.store.commit(a_tenant(), town.delete("Group", "g"));
    assert!(Pin::new(&mut commit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    until_blocked(&town, 1);
    other.run(
        "INSERT INTO scim.edge (tenant, grp, member, since) VALUES ('acme', 'g', 'b', 5);
        INSERT INTO scim.change (tenant, sequence, at, kind, type, id, added, removed, person, renamed)
            SELECT tenant, 5, at, 'membersChanged', 'Group', 'g', '{b}', '{}', false, false FROM scim.change WHERE sequence = 4;
        UPDATE scim.resource SET version = 5 WHERE id = 'g';
        UPDATE scim.tenant SET sequence = 5 WHERE name = 'acme';
        COMMIT",
    );
    assert_eq!(wait(commit).expect("deleted").sequence, 6);
    let changes = wait(town.store.changes(&acme(), 5, 10)).expect("changes");
    assert_eq!(changes[0].removed, ["a", "b"]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Servers that take turns with a tenant write what they have read, and what is new, in one round trip each, and are told the
/// numbers that it has got.
#[test]
fn servers_that_take_turns_need_one_round_trip() {
    let servers = {
        let first = Town::new(patient());
        let others = [first.another(), first.another()];
        let [second, third] = others;
        [first, second, third]
    };
    for (n, server) in servers.iter().enumerate() {
        server.commit(server.user(&format!("first{n}"))).expect("created");
    }
    let mut sequence = 3;
    for (n, server) in servers.iter().cycle().take(30).enumerate() {
        let id = format!("u{n}");
        server.trips();
        let committed = server.commit(server.user(&id)).expect("created");
        assert_eq!(server.trips().len(), 1, "a creation");
        sequence += 1;
        assert_eq!((committed.sequence, committed.applied[0].version), (sequence, sequence));
        let other = &servers[(n + 1) % 3];
        let record =
            |town: &Town| wait(town.store.get(&acme(), &[&id])).expect("records").remove(0).expect("it");
        let read = record(other);
        assert_eq!(read.version, sequence);
        let content = Content { body: "{}".into(), unique: Vec::new(), ..other.content("x") };
        let (id, resource_type, content) = (id.clone(), "User".into(), Some(content));
        let (guard, kind) = (Guard::Version(read.version), ChangeKind::Modified);
        let members = MemberDelta::default();
        let operation = Operation::Replace { id, resource_type, guard, content, members, kind };
        other.trips();
        let committed = other.commit(other.one(operation)).expect("replaced");
        assert_eq!(other.trips().len(), 1, "a change of what was read");
        sequence += 1;
        assert_eq!((committed.sequence, committed.applied[0].version), (sequence, sequence));
        assert_eq!(record(server).version, sequence);
    }
    assert_eq!(servers[0].store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// However many users are created in between: a group that changes is not read.
#[test]
fn groups_are_not_read_to_change_their_members() {
    let town = Town::new(patient());
    let groups: Vec<String> = (0..20).map(|n| format!("g{n}")).collect();
    for group in &groups {
        town.commit(town.group(group, &[])).expect("created");
    }
    town.trips();
    let mut trips = [0, 0];
    for (n, group) in groups.iter().cycle().take(400).enumerate() {
        let id = format!("u{n}");
        for (trips, changeset) in trips.iter_mut().zip([town.user(&id), town.join(group, &[&id], &[])]) {
            town.commit(changeset).expect("no conflict");
            *trips += town.trips().len();
        }
    }
    assert_eq!(trips, [400, 400], "round trips of users and of groups");
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}
