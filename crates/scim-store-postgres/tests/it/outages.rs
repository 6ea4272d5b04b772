//! The database goes away: between calls, before a commit, while one is on its way, and for good.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use scim_core::time::Timestamp;
use scim_store::conformance::wait;
use scim_store::{Changeset, CommitError, Committed, Conflict, Pending, Store, StoreError};
use scim_store_postgres::{Options, PostgresStore, migrate, standing};

use crate::cluster::{Cluster, Database, Session, patient, superuser_of, until};
use crate::people::{Town, a_tenant, acme};
use crate::proxy::{Mode, Proxy};

const KILL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = 'scim_test'";

fn town(proxy: &Proxy, options: Options) -> Town {
    let database = Database::new();
    let town = Town::at(&proxy.address(&database, "127.0.0.1", "sslmode=disable"), database, options);
    town.commit(town.user("first")).expect("created");
    town
}

/// One that has written so often that it does not read before it writes.
fn confident(proxy: &Proxy) -> Town {
    let town = town(proxy, patient());
    for id in ["second", "third"] {
        town.commit(town.user(id)).expect("created");
    }
    town
}

type Waiting<'a> = Pending<'a, Committed, CommitError>;

fn poll(commit: &mut Waiting<'_>) -> Poll<Result<Committed, CommitError>> {
    Pin::new(commit).poll(&mut Context::from_waker(Waker::noop()))
}

/// Begins a commit and leaves it where its last statements wait for a lock, until the session is told to let go.
fn begin<'a>(town: &'a Town, id: &str) -> (Waiting<'a>, Session) {
    begin_with(town, town.user(id))
}

fn begin_with(town: &Town, changeset: Changeset) -> (Waiting<'_>, Session) {
    let other = superuser_of(&town.database);
    other.run("BEGIN; LOCK TABLE scim.change IN ACCESS EXCLUSIVE MODE");
    let mut commit = town.store.commit(a_tenant(), changeset);
    assert!(poll(&mut commit).is_pending());
    until_waiting(town, "wait_event_type = 'Lock'");
    (commit, other)
}

/// Waits until a connection waits for this, and gives its process.
#[track_caller]
fn until_waiting(town: &Town, what: &str) -> String {
    let sql = format!("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND {what}");
    town.database.until_found(1, &sql).remove(0)
}

/// Lets go of a commit that this session holds, until its change is there. What the database says of it goes nowhere.
fn let_go(town: &Town, proxy: &Proxy, session: &Session, sequence: u64) {
    proxy.set(Mode::Swallow);
    session.run("ROLLBACK");
    let is_there = format!("SELECT 1 FROM scim.tenant WHERE sequence = {sequence}");
    town.database.until_found(1, &is_there);
}

/// The same, and its answer is lost.
fn lose_its_answer(town: &Town, proxy: &Proxy, session: &Session, sequence: u64) {
    let_go(town, proxy, session, sequence);
    proxy.cut();
}

fn changes(town: &Town) -> Vec<String> {
    wait(town.store.changes(&acme(), 0, 100)).expect("changes").into_iter().map(|change| change.id).collect()
}

#[test]
fn connections_that_were_cut_are_made_anew() {
    let town = Town::new(patient());
    town.commit(town.user("u1")).expect("created");
    for n in 2..5 {
        assert!(!town.database.run(KILL).is_empty());
        let read = wait(town.store.get(&acme(), &["u1"])).expect("read by another connection");
        assert_eq!(read.iter().flatten().count(), 1);
        town.database.run(KILL);
        town.commit(town.user(&format!("u{n}"))).expect("written by another connection");
    }
    assert_eq!(changes(&town), ["u1", "u2", "u3", "u4"]);
}

/// The database committed, and the answer was lost: it is looked up.
#[test]
fn a_commit_whose_answer_is_lost_is_found() {
    let proxy = Proxy::new(None);
    let town = town(&proxy, patient());
    let (commit, other) = begin(&town, "u1");
    lose_its_answer(&town, &proxy, &other, 2);
    assert_eq!(wait(commit).expect("it was committed").sequence, 2);
    assert_eq!(changes(&town), ["first", "u1"]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// The connection was lost before the database committed: it is done again, once.
#[test]
fn a_commit_that_was_lost_on_its_way_is_done_again() {
    let proxy = Proxy::new(None);
    let town = town(&proxy, patient());
    let (commit, other) = begin(&town, "u1");
    town.database.run(KILL);
    other.run("COMMIT");
    assert_eq!(wait(commit).expect("it is done again").sequence, 2);
    assert_eq!(changes(&town), ["first", "u1"]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// The same where nothing is read before, and no number of the transaction is known.
#[test]
fn a_guess_whose_answer_is_lost_is_found() {
    let proxy = Proxy::new(None);
    let town = confident(&proxy);
    let (commit, other) = begin(&town, "u1");
    lose_its_answer(&town, &proxy, &other, 4);
    assert_eq!(wait(commit).expect("it was committed").sequence, 4);
    is_there_once(&town);
}

#[test]
fn a_guess_that_was_lost_on_its_way_is_done_again() {
    let proxy = Proxy::new(None);
    let town = confident(&proxy);
    let (commit, other) = begin(&town, "u1");
    town.database.run(KILL);
    other.run("COMMIT");
    assert_eq!(wait(commit).expect("it is done again").sequence, 4);
    is_there_once(&town);
}

/// Somebody else has written meanwhile, what the guess would have been: their entry is not taken for its own.
#[test]
fn a_guess_that_was_lost_is_not_taken_for_what_another_server_wrote() {
    let proxy = Proxy::new(None);
    let town = confident(&proxy);
    let another = PostgresStore::open(&town.database.address(), patient()).expect("opens");
    let (commit, other) = begin(&town, "u1");
    proxy.set(Mode::Away);
    town.database.run(KILL);
    other.run("COMMIT");
    wait(another.commit(a_tenant(), town.user("u2"))).expect("created");
    proxy.set(Mode::Forward);
    assert_eq!(wait(commit).expect("it is done again").sequence, 5);
    assert_eq!(changes(&town), ["first", "second", "third", "u2", "u1"]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// What a statement ends with.
const SYNC: u8 = b'S';

/// Begins a guess that the network keeps for itself.
fn begin_late<'a>(town: &'a Town, proxy: &Proxy) -> Waiting<'a> {
    town.trips();
    proxy.set(Mode::Keep);
    let mut commit = town.store.commit(a_tenant(), town.user("u1"));
    assert!(poll(&mut commit).is_pending());
    // Each statement ends with one, and they need not come together.
    let statements = until("for a guess", || town.trips().pop()).len();
    proxy.until_kept(SYNC, statements);
    commit
}

/// Whatever became of the answer, what was begun is there once.
fn is_there_once(town: &Town) {
    assert_eq!(changes(town), ["first", "second", "third", "u1"]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// The network delivers a guess when it has long been done again.
#[test]
fn a_guess_that_comes_late_does_nothing() {
    let proxy = Proxy::new(None);
    let town = confident(&proxy);
    let commit = begin_late(&town, &proxy);
    proxy.cut();
    assert_eq!(wait(commit).expect("it is done again").sequence, 4);
    proxy.release();
    is_there_once(&town);
}

/// The network delivers a guess late, but before it is done again.
#[test]
fn a_guess_that_comes_late_is_found() {
    let proxy = Proxy::new(None);
    let town = confident(&proxy);
    let commit = begin_late(&town, &proxy);
    proxy.set(Mode::Away);
    proxy.release();
    assert_eq!(town.database.run("SELECT sequence FROM scim.tenant"), ["4"]);
    proxy.set(Mode::Forward);
    assert_eq!(wait(commit).expect("it was committed").sequence, 4);
    is_there_once(&town);
}

/// A guess is lost, and so is the answer to what was done in its place, which does not come to the same: the answers are those
/// of what was done.
#[test]
fn a_guess_is_not_taken_for_what_was_done_in_its_place() {
    let proxy = Proxy::new(None);
    let town = town(&proxy, patient());
    let another = PostgresStore::open(&town.database.address(), patient()).expect("opens");
    wait(another.commit(a_tenant(), town.user("b"))).expect("created");
    for id in ["second", "third"] {
        town.commit(town.user(id)).expect("created");
    }
    // Whoever creates one of these waits.
    let held = |id: &str| {
        let session = superuser_of(&town.database);
        session.run(&format!(
            "BEGIN; INSERT INTO scim.resource (tenant, id, type, version, created, modified, label, body, entries)
                SELECT tenant, '{id}', type, version, created, modified, label, body, entries
                FROM scim.resource WHERE id = 'first'"
        ));
        session
    };
    let (first, second) = (held("dummy"), held("a"));
    let mut dummy = town.store.commit(a_tenant(), town.user("dummy"));
    assert!(poll(&mut dummy).is_pending());
    until_waiting(&town, "wait_event_type = 'Lock'");
    // They wait for it together, and so share a transaction. The second is refused by whoever looks.
    let mut batch = ["a", "b"].map(|id| town.store.commit(a_tenant(), town.user(id)));
    assert!(batch.iter_mut().all(|commit| poll(commit).is_pending()));
    first.run("ROLLBACK");
    wait(dummy).expect("created");
    let guess = until_waiting(&town, "wait_event_type = 'Lock'");
    town.database.run(KILL);
    until_waiting(&town, &format!("wait_event_type = 'Lock' AND pid <> {guess}"));
    lose_its_answer(&town, &proxy, &second, 6);
    let outcomes = batch.map(|commit| wait(commit).is_ok());
    assert_eq!(outcomes, [true, false]);
    assert_eq!(changes(&town), ["first", "b", "second", "third", "dummy", "a"]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Where others have written before it, a guess whose answer is lost is found behind them, by the numbers that it has got.
#[test]
fn a_guess_whose_answer_is_lost_is_found_behind_others() {
    let proxy = Proxy::new(None);
    let town = confident(&proxy);
    let another = PostgresStore::open(&town.database.address(), patient()).expect("opens");
    for id in ["a", "b"] {
        wait(another.commit(a_tenant(), town.user(id))).expect("created");
    }
    let (commit, other) = begin(&town, "u1");
    let_go(&town, &proxy, &other, 6);
    wait(another.commit(a_tenant(), town.user("c"))).expect("created");
    proxy.cut();
    let committed = wait(commit).expect("it was committed");
    assert_eq!((committed.sequence, committed.applied[0].version), (6, 6));
    assert_eq!(changes(&town), ["first", "second", "third", "a", "b", "u1", "c"]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Of a group whose members change nothing is read before, and when it was created is told all the same.
#[test]
fn what_was_not_read_is_told_when_the_answer_is_lost() {
    let proxy = Proxy::new(None);
    let town = confident(&proxy);
    town.commit(town.group("g", &["first"])).expect("created");
    let created = wait(town.store.get(a_tenant(), &["g"])).expect("records")[0].as_ref().expect("it").created;
    let later = Changeset { at: Timestamp(created.0 + 1), ..town.join("g", &["second"], &[]) };
    let (commit, other) = begin_with(&town, later);
    lose_its_answer(&town, &proxy, &other, 5);
    let committed = wait(commit).expect("it was committed");
    let applied = committed.applied[0];
    assert_eq!((applied.version, applied.created, applied.modified.0), (5, created, created.0 + 1));
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// A guess is lost, and whoever sent it is refused, because somebody else was faster. When that is gone, the network delivers
/// the guess, which would be right again. It does nothing: it was refused.
#[test]
fn a_guess_that_was_refused_does_nothing_when_it_comes_late() {
    let proxy = Proxy::new(None);
    let town = confident(&proxy);
    let another = PostgresStore::open(&town.database.address(), patient()).expect("opens");
    let commit = begin_late(&town, &proxy);
    wait(another.commit(a_tenant(), town.user("u1"))).expect("created");
    proxy.cut();
    let refused = wait(commit).expect_err("somebody else was faster");
    assert!(matches!(refused, CommitError::Conflict(Conflict::Exists { .. })), "{refused}");
    wait(another.commit(a_tenant(), town.delete("User", "u1"))).expect("deleted");
    proxy.release();
    assert_eq!(changes(&town), ["first", "second", "third", "u1", "u1"]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

fn is_unknown(outcome: &Result<Committed, CommitError>) -> bool {
    match outcome {
        Err(CommitError::Store(StoreError::Unavailable(why))) => {
            why.to_string().starts_with("the outcome is unknown")
        }
        _ => false,
    }
}

/// Nobody can tell: the caller is told so.
#[test]
fn an_outcome_that_cannot_be_found_out_is_unknown() {
    let proxy = Proxy::new(None);
    let town = town(&proxy, Options { patience: Duration::from_millis(300), ..patient() });
    let (commit, other) = begin(&town, "u1");
    proxy.set(Mode::Away);
    other.run("COMMIT");
    let outcome = wait(commit);
    assert!(is_unknown(&outcome), "{outcome:?}");
    // Whatever became of it, reads are refused while the database is away, and go on afterwards.
    assert!(matches!(wait(town.store.get(&acme(), &["u1"])), Err(StoreError::Unavailable(_))));
    proxy.set(Mode::Forward);
    wait(town.store.get(&acme(), &["u1"])).expect("it is back");
    town.commit(town.user("u2")).expect("created");
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Nothing was done where there is no connection, and so nothing is unknown.
#[test]
fn a_database_that_lets_nobody_in_is_unavailable() {
    let town = Town::new(patient());
    town.commit(town.user("u1")).expect("created");
    town.database.close();
    assert!(matches!(wait(town.store.get(&acme(), &["u1"])), Err(StoreError::Unavailable(_))));
    match town.commit(town.user("u2")) {
        Err(CommitError::Store(StoreError::Unavailable(why))) => {
            assert!(!why.to_string().contains("unknown"), "{why}");
        }
        outcome => panic!("{outcome:?}"),
    }
    town.database.reopen();
    town.commit(town.user("u2")).expect("created");
    assert_eq!(changes(&town), ["u1", "u2"]);
}

/// What listens may be a proxy that waits for something itself.
#[test]
fn what_listens_and_says_nothing_is_given_up() {
    let (database, proxy) = (Database::new(), Proxy::new(None));
    proxy.set(Mode::Swallow);
    let options = Options { connect: Duration::from_millis(50), ..patient() };
    for more in ["sslmode=disable", "sslmode=require"] {
        let address = proxy.address(&database, "127.0.0.1", more);
        let refusals = [
            migrate(&address, options.clone(), None).expect_err("silent"),
            standing(&address, options.clone()).expect_err("silent"),
            PostgresStore::open(&address, options.clone()).expect_err("silent"),
        ];
        for refused in refusals {
            assert!(refused.to_string().contains("could not be reached in time"), "{refused}");
        }
    }
}

#[test]
fn a_cluster_that_fails_and_comes_back_is_found_again() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let town = Town::at(&database.address(), database, patient());
    town.commit(town.user("before")).expect("created");
    cluster.restart();
    town.commit(town.user("after")).expect("created");
    assert_eq!(changes(&town), ["before", "after"]);
}

/// Nothing that was remembered of the one that is lost is held against the one that took its place.
#[test]
fn a_standby_that_takes_over_is_written_to() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let standby = cluster.standby();
    let mut town = Town::at(&database.on_either(&standby), database, patient());
    for id in ["u1", "u2", "u3"] {
        town.commit(town.user(id)).expect("created");
    }
    cluster.lose();
    standby.promote();
    town.database.move_to(&standby);
    for id in ["u4", "u5", "u6"] {
        town.commit(town.user(id)).expect("created");
    }
    assert_eq!(changes(&town), ["u1", "u2", "u3", "u4", "u5", "u6"]);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Changes how the cluster of a database is configured.
fn configure(database: &Database, what: &str) {
    database.run(&format!("ALTER SYSTEM SET {what}"));
    database.run("SELECT pg_reload_conf()");
}

/// What a cluster that fails and comes back makes of a commit that was on its way, when the number of its transaction was
/// given to somebody else meanwhile.
fn given_again(changeset: impl FnOnce(&Town) -> Changeset) -> (Result<Committed, CommitError>, Vec<String>) {
    let cluster = Cluster::start();
    let (proxy, database) = (Proxy::of(&cluster), cluster.database());
    // What nobody waits for does not reach the disk.
    configure(&database, "wal_writer_delay = '10s'");
    let address = proxy.address(&database, "127.0.0.1", "sslmode=disable");
    let options = Options { patience: Duration::from_secs(60), ..patient() };
    let town = Town::at(&address, database, options);
    town.commit(town.user("first")).expect("created");
    let (commit, _other) = begin_with(&town, changeset(&town));
    proxy.set(Mode::Away);
    cluster.restart();
    town.database
        .run("DO $$ BEGIN FOR n IN 1..50 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$");
    proxy.set(Mode::Forward);
    let outcome = wait(commit);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
    (outcome, changes(&town))
}

#[test]
fn a_commit_that_was_lost_is_not_taken_for_one_that_was_given_its_number() {
    let (outcome, changes) = given_again(|town| town.user("u1"));
    assert_eq!(outcome.expect("it is done again").sequence, 2);
    assert_eq!(changes, ["first", "u1"]);
}

fn unaudited(town: &Town, id: &str) -> Changeset {
    Changeset { audit: None, ..town.user(id) }
}

/// Where nothing else tells, a number that stands for a commit tells nothing. It is an abort's if the disk knew of it.
#[test]
fn a_commit_without_an_entry_is_not_taken_for_one_that_was_given_its_number() {
    let (outcome, changes) = given_again(|town| unaudited(town, "u1"));
    match outcome {
        Ok(_) => assert_eq!(changes, ["first", "u1"]),
        outcome => assert!(is_unknown(&outcome) && changes == ["first"], "{outcome:?}, {changes:?}"),
    }
}

#[test]
fn a_commit_without_an_entry_whose_answer_is_lost_is_found() {
    let proxy = Proxy::new(None);
    let town = town(&proxy, patient());
    let (commit, other) = begin_with(&town, unaudited(&town, "u1"));
    lose_its_answer(&town, &proxy, &other, 2);
    assert_eq!(wait(commit).expect("it was committed").sequence, 2);
    assert_eq!(changes(&town), ["first", "u1"]);
}

/// A commit that no standby has is not acknowledged because it is found: its connection was lost while it waited for one.
#[test]
fn a_commit_that_is_found_waits_for_a_standby() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let town = Town::at(&database.address(), database, patient());
    configure(&town.database, "synchronous_standby_names = 'nobody'");
    // It takes a moment until commits wait.
    let is_waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let mut sequence = 0;
    let (mut commit, process) = 'waiting: loop {
        sequence += 1;
        let mut commit = town.store.commit(a_tenant(), town.user(&format!("u{sequence}")));
        loop {
            match (poll(&mut commit), town.database.run(is_waiting).pop()) {
                (Poll::Ready(outcome), _) => break drop(outcome.expect("created")),
                (Poll::Pending, Some(process)) => break 'waiting (commit, process),
                (Poll::Pending, None) => std::thread::yield_now(),
            }
        }
    };
    // The transaction that finds it waits as well, and the next after that.
    let mut gone = vec![process];
    for _ in 0..2 {
        town.database.run(KILL);
        let others = format!("{is_waiting} AND pid NOT IN ({})", gone.join(", "));
        gone.push(until("for a commit that waits", || {
            assert!(poll(&mut commit).is_pending(), "no standby has it");
            town.database.run(&others).pop()
        }));
    }
    assert!(poll(&mut commit).is_pending(), "no standby has it");
    configure(&town.database, "synchronous_standby_names = ''");
    assert_eq!(wait(commit).expect("it was committed").sequence, sequence);
    assert_eq!(changes(&town).len() as u64, sequence);
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}
