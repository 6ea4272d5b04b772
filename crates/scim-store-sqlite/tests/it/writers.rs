//! Many writers: one sync for all who wait, bounded waiting for other processes, and readers that wait for nobody.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use scim_core::key::Key;
use scim_store::conformance::wait;
use scim_store::{Changeset, CommitError, IndexEntry, Operation, Store, StoreError};
use scim_store_sqlite::{Options, SqliteStore};

use serde_json::json;

use crate::people::{Town, acme, stranger};

/// Of a store that waits for another process for as long as a test may need for what it does meanwhile.
fn patient() -> Options {
    Options { wait: Duration::from_secs(120), ..Options::default() }
}

/// How many transactions have been ended since because they took long, at most. It is none unless the machine is slow.
fn long_ones(since: Instant) -> usize {
    // A quarter of a second is what one may take in changesets for.
    usize::try_from(since.elapsed().as_millis() / 250).expect("few")
}

#[test]
fn waiting_writers_share_a_sync() {
    let town = Town::new(patient());
    town.commit(town.user("first")).expect("created");
    town.statements();
    // Somebody else writes; meanwhile all of ours come to wait.
    let other = stranger(&town.file());
    other.execute_batch("BEGIN IMMEDIATE").expect("begins");
    let mut waiting: Vec<_> =
        (0..64).map(|n| town.store.commit(town_tenant(), town.user(&format!("u{n}")))).collect();
    for commit in &mut waiting {
        let polled = Pin::new(commit).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
    }
    let begun = Instant::now();
    other.execute_batch("ROLLBACK").expect("ends");
    let mut sequences: Vec<u64> =
        waiting.into_iter().map(|commit| wait(commit).expect("created").sequence).collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (2..=65).collect::<Vec<u64>>());
    let commits = town.statements().iter().filter(|sql| *sql == "COMMIT").count();
    // The first may go alone.
    assert!((1..=2 + long_ones(begun)).contains(&commits), "{commits} transactions for 64 changesets");
}

/// A transaction takes in what comes while it writes.
#[test]
fn who_comes_while_others_are_written_shares_their_sync() {
    let town = Town::new(Options::default());
    town.commit(town.user("first")).expect("created");
    let ((writing, is_writing), (go_on, may_go_on)) = (channel(), channel::<()>());
    let (writing, may_go_on) = (Mutex::new(Some(writing)), Mutex::new(may_go_on));
    let commits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&commits);
    let trace = Arc::new(move |sql: &str| {
        let first =
            sql.contains("INTO resource").then(|| writing.lock().expect("not poisoned").take()).flatten();
        if let Some(writing) = first {
            writing.send(()).expect("awaited");
            let _ = may_go_on.lock().expect("not poisoned").recv();
        }
        counted.fetch_add(usize::from(sql == "COMMIT"), Ordering::Relaxed);
    });
    let store =
        SqliteStore::open(town.file(), Options { trace: Some(trace), ..Options::default() }).expect("opens");
    let mut waiting = Vec::new();
    let begun = Instant::now();
    for n in 0..10 {
        let mut commit = store.commit(town_tenant(), town.user(&format!("u{n}")));
        assert!(Pin::new(&mut commit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        waiting.push(commit);
        if n == 0 {
            is_writing.recv().expect("it writes");
        }
    }
    drop(go_on);
    for commit in waiting {
        wait(commit).expect("created");
    }
    let commits = commits.load(Ordering::Relaxed);
    assert!((1..=1 + long_ones(begun)).contains(&commits), "{commits} transactions for 10 changesets");
}

/// One changeset may have as much to write as thousands of others, which do not wait for more than one such.
#[test]
fn giants_do_not_share_a_transaction() {
    let town = Town::new(patient());
    let giant = |n: usize| {
        let mut changeset = town.user(&format!("giant{n}"));
        let Some(Operation::Create { content, .. }) = changeset.operations.first_mut() else {
            panic!("it creates a user")
        };
        let entry =
            |n| IndexEntry { path: "emails.value".into(), key: Key::text(&format!("{n}")), leading: n == 0 };
        content.index = (0..3_000).map(entry).collect();
        changeset
    };
    let other = stranger(&town.file());
    other.execute_batch("BEGIN IMMEDIATE").expect("begins");
    town.statements();
    let mut waiting: Vec<_> = (0..20).map(|n| town.store.commit(town_tenant(), giant(n))).collect();
    for commit in &mut waiting {
        assert!(Pin::new(commit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    other.execute_batch("ROLLBACK").expect("ends");
    for commit in waiting {
        wait(commit).expect("created");
    }
    let commits = town.statements().iter().filter(|sql| *sql == "COMMIT").count();
    assert!(commits >= 3, "{commits} transactions for 20 giants");
    assert_eq!(town.store.check().expect("a check"), [""; 0]);
}

fn town_tenant() -> &'static scim_store::Tenant {
    static ACME: std::sync::OnceLock<scim_store::Tenant> = std::sync::OnceLock::new();
    ACME.get_or_init(acme)
}

/// A conflict concerns its own changeset, not those that share its transaction.
#[test]
fn a_conflict_concerns_nobody_else() {
    let town = Town::new(patient());
    let other = stranger(&town.file());
    other.execute_batch("BEGIN IMMEDIATE").expect("begins");
    let mut waiting: Vec<_> = ["a", "b", "a", "c", "b", "a"]
        .iter()
        .map(|id| town.store.commit(town_tenant(), town.user(id)))
        .collect();
    for commit in &mut waiting {
        assert!(Pin::new(commit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    other.execute_batch("ROLLBACK").expect("ends");
    let outcomes: Vec<bool> = waiting.into_iter().map(|commit| wait(commit).is_ok()).collect();
    assert_eq!(outcomes, [true, true, false, true, false, false]);
    assert_eq!(town.store.check().expect("a check"), [""; 0]);
}

#[test]
fn another_writer_is_waited_for_so_long_and_readers_go_on() {
    let town = Town::new(Options { wait: Duration::from_millis(50), ..Options::default() });
    town.commit(town.user("u1")).expect("created");
    let other = stranger(&town.file());
    other.execute_batch("BEGIN IMMEDIATE; DELETE FROM edge").expect("begins");
    let refused = town.commit(town.user("u2")).expect_err("the file is held");
    assert!(matches!(refused, CommitError::Store(StoreError::Unavailable(_))), "{refused:?}");
    let read = wait(town.store.get(&acme(), &["u1", "u2"])).expect("readers do not wait");
    assert_eq!(read.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
    other.execute_batch("ROLLBACK").expect("ends");
    town.commit(town.user("u2")).expect("created at last");
    assert_eq!(town.store.check().expect("a check"), [""; 0]);
}

/// Batches do not wait one after the other for the same other process, and everybody is told why.
#[test]
fn whoever_waited_for_another_process_is_told_with_the_first() {
    let wait_for_others = Duration::from_millis(200);
    let town = Town::new(Options { wait: wait_for_others, batch: 1, ..Options::default() });
    let other = stranger(&town.file());
    other.execute_batch("BEGIN IMMEDIATE").expect("begins");
    town.statements();
    let begun = Instant::now();
    let mut waiting: Vec<_> =
        (0..20).map(|n| town.store.commit(town_tenant(), town.user(&format!("u{n}")))).collect();
    for commit in &mut waiting {
        assert!(Pin::new(commit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    // Whoever comes when the first have been told is told with others.
    let late = usize::try_from(begun.elapsed().as_millis() / wait_for_others.as_millis()).expect("few");
    for commit in waiting {
        let refused = wait(commit).expect_err("the file is held").to_string();
        assert!(refused.contains("database is locked"), "{refused}");
    }
    let attempts = town.statements().iter().filter(|sql| *sql == "BEGIN IMMEDIATE").count();
    assert!((1..=2 + late).contains(&attempts), "{attempts} attempts for 20 changesets");
    other.execute_batch("ROLLBACK").expect("ends");
    town.commit(town.user("u1")).expect("created at last");
}

/// More waiting writers than the queue holds are told so at once; the others are served.
#[test]
fn the_queue_is_bounded() {
    let town = Town::new(Options { queue: 4, ..patient() });
    let other = stranger(&town.file());
    other.execute_batch("BEGIN IMMEDIATE").expect("begins");
    let mut waiting = Vec::new();
    let mut refused = 0;
    for n in 0..20 {
        let mut commit = town.store.commit(town_tenant(), town.user(&format!("u{n}")));
        match Pin::new(&mut commit).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => waiting.push(commit),
            Poll::Ready(Err(CommitError::Store(StoreError::Unavailable(_)))) => refused += 1,
            Poll::Ready(answer) => panic!("{answer:?}"),
        }
    }
    assert!(refused >= 10, "{refused} of 20 refused with a queue of 4");
    // The queue is the tenant's own.
    let quiet = scim_store::Tenant::new("quiet").expect("a name");
    let mut commit = town.store.commit(&quiet, town.user("u"));
    assert!(Pin::new(&mut commit).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    other.execute_batch("ROLLBACK").expect("ends");
    wait(commit).expect("created");
    for commit in waiting {
        wait(commit).expect("created");
    }
}

/// A reader in another process can keep the log from starting over for as long as it likes. What is tried in vain is not tried
/// with every commit.
#[test]
fn the_log_is_not_gone_through_for_every_commit() {
    let town = Town::new(Options::default());
    town.commit(town.user("u")).expect("created");
    let other = stranger(&town.file());
    other.execute_batch("BEGIN; SELECT count(*) FROM resource;").expect("reads");
    town.statements();
    for n in 0..420 {
        town.commit(everyone(&town, n)).expect("created");
    }
    let tried = town.statements().iter().filter(|sql| sql.contains("wal_checkpoint")).count();
    // Some 20,000 pages in all.
    assert!((10..60).contains(&tried), "tried {tried} times");
    other.execute_batch("COMMIT").expect("ends");
}

/// A group whose body takes some fifty pages.
fn everyone(town: &Town, number: usize) -> Changeset {
    let document = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "Everyone",
        "externalId": "x".repeat(200_000),
    });
    town.create("Group", &format!("g{number}"), &document, &["u"])
}

/// Readers keep their state for a moment. It must not keep the write-ahead log from starting over.
#[test]
fn the_log_starts_over_while_others_read() {
    let town = Town::new(Options::default());
    let log = town.file().with_file_name("scim.db-wal");
    town.commit(town.user("u")).expect("created");
    for n in 0..300 {
        town.commit(everyone(&town, n)).expect("created");
        let found = wait(town.store.get(&acme(), &["u"])).expect("readable");
        assert!(found.iter().all(Option::is_some));
    }
    let mebibytes = std::fs::metadata(&log).expect("a log").len() >> 20;
    // It starts over at some 16 MiB. More than 57 were written in all.
    assert!((8..32).contains(&mebibytes), "{mebibytes} MiB");
}

/// Of long reads one may begin before the other ends, for hours. The log starts over all the same.
#[test]
fn the_log_starts_over_while_somebody_always_walks() {
    const COMMITS: usize = 1000;
    let town = Town::new(Options::default());
    town.commit(town.user("u")).expect("created");
    for n in 0..300 {
        town.commit(town.user(&format!("u{n}"))).expect("created");
    }
    // Between its two statements a walk waits for some commits, so that it is in their way. They are not as many each time, or
    // all walks would end together. Commits wait for those that the machine does not let go on.
    let (commits, more) = (Arc::new(Mutex::new((0_usize, Vec::new()))), Arc::new(Condvar::new()));
    let (seen, awaited) = (Arc::clone(&commits), Arc::clone(&more));
    let next = AtomicUsize::new(0);
    let trace = Arc::new(move |sql: &str| {
        if sql.contains("json_each") {
            let more = 5 + next.fetch_add(1, Ordering::Relaxed) * 7 % 23;
            let mut state = seen.lock().expect("not poisoned");
            let enough = (state.0 + more).min(COMMITS);
            state.1.push(enough);
            let mut state = awaited.wait_while(state, |state| state.0 < enough).expect("not poisoned");
            let place = state.1.iter().position(|other| *other == enough).expect("it is there");
            state.1.swap_remove(place);
            awaited.notify_all();
        }
    });
    let options = Options { trace: Some(trace), ..Options::default() };
    let store = SqliteStore::open(town.file(), options).expect("opens");
    let log = town.file().with_file_name("scim.db-wal");
    let query = town.query("User", r#"emails.value co "nobody""#, "");
    let walks = AtomicUsize::new(0);
    let mut largest = 0;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while commits.lock().expect("not poisoned").0 < COMMITS {
                    wait(store.query(&acme(), &query)).expect("a page");
                    walks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for n in 0..COMMITS {
            wait(store.commit(&acme(), everyone(&town, n))).expect("created");
            largest = largest.max(std::fs::metadata(&log).expect("a log").len() >> 20);
            let mut state = commits.lock().expect("not poisoned");
            state.0 += 1;
            more.notify_all();
            let is_held_up =
                |state: &mut (usize, Vec<usize>)| state.1.iter().any(|enough| enough + 5 < state.0);
            drop(more.wait_while(state, is_held_up).expect("not poisoned"));
        }
    });
    // Walks are held from some 62 MiB on. More than 190 were written in all.
    assert!((8..150).contains(&largest), "{largest} MiB");
    assert!(walks.load(Ordering::Relaxed) > 10);
}

/// A long read is in the way of the log, and all others wait until it can start over. So it ends.
#[test]
fn a_walk_that_others_wait_for_ends() {
    const PATIENCE: usize = 5_000;
    // Walks are held from some 320 on.
    const IN_THE_WAY: usize = 350;
    let town = Town::new(Options::default());
    for n in 0..60 {
        let emails: Vec<_> =
            (0..2_000).map(|n| json!({ "value": format!("address-{n}@example.com") })).collect();
        let document = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("u{n}"), "emails": emails,
        });
        town.commit(town.create("User", &format!("u{n}"), &document, &[])).expect("created");
    }
    town.commit(town.user("u")).expect("created");
    let filter: Vec<String> = (0..490).map(|n| format!(r#"emails.value co "nobody-{n}""#)).collect();
    let query = town.query("User", &filter.join(" or "), "");
    // It begins in earnest when it is in the way already, or it would be over before that where a disk is slow.
    let (begin, may_begin) = channel::<()>();
    let may_begin = Mutex::new(may_begin);
    let trace = Arc::new(move |sql: &str| {
        if sql.contains("json_each") {
            let _ = may_begin.lock().expect("not poisoned").recv();
        }
    });
    let options = Options { trace: Some(trace), ..Options::default() };
    let store = SqliteStore::open(town.file(), options).expect("opens");
    let is_over = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let mut begin = Some(begin);
        let walk = scope.spawn(|| {
            let outcome = wait(store.query(&acme(), &query));
            is_over.store(1, Ordering::Relaxed);
            outcome
        });
        let mut commits = 0;
        while is_over.load(Ordering::Relaxed) == 0 && commits < PATIENCE {
            wait(store.commit(&acme(), everyone(&town, commits))).expect("created");
            commits += 1;
            begin = begin.filter(|_| commits < IN_THE_WAY);
        }
        let outcome = walk.join().expect("no panic");
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?} after {commits} commits");
    });
    // The others go on.
    wait(store.query(&acme(), &town.query("User", r#"emails.value co "nobody""#, ""))).expect("a page");
}
