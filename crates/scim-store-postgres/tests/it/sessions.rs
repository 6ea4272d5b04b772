//! Which connections are lent again, and what becomes of those that the server or the network ends.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use scim_store::conformance::wait;
use scim_store::retention::Cut;
use scim_store::transfer::Portable;
use scim_store::{Changeset, CommitError, Query, ReportQuery, Spent, Store, StoreError, Tenant};
use scim_store_postgres::Options;
use tokio::time::timeout;

use crate::cluster::{Cluster, Database, Session, patient, runtime, superuser_of};
use crate::people::{Town, a_tenant, acme};
use crate::proxy::{Mode, Proxy};

/// How long something may take that could hang.
const LONG: Duration = Duration::from_secs(60);

const BACKENDS: &str = "SELECT pid::text FROM pg_stat_activity
    WHERE datname = current_database() AND usename = 'scim_test'";

fn poll<T>(pending: &mut Pin<Box<dyn Future<Output = T> + Send + '_>>) {
    assert!(pending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// What is written, in one of several ways.
type Write = fn(&Town) -> Result<(), StoreError>;

fn commit(town: &Town) -> Result<(), StoreError> {
    let written = town.commit(town.user("u4")).map(drop);
    written.map_err(|error| match error {
        CommitError::Store(error) => error,
        other => StoreError::Fault(other.to_string().into()),
    })
}

fn spend(town: &Town) -> Result<(), StoreError> {
    let second = Duration::from_secs(1);
    let spent = Spent { by: "somebody".to_owned(), amount: second, within: second };
    wait(town.store.spend(&acme(), &[spent])).map(drop)
}

fn discard(town: &Town) -> Result<(), StoreError> {
    wait(town.store.discard(&Tenant::new("umbrella").expect("a name"), None, 10)).map(drop)
}

fn prune(town: &Town) -> Result<(), StoreError> {
    let cut = Cut { changes: 1..2, audit: 0..0 };
    wait(town.store.prune(&acme(), &cut, 10)).map(|gone| assert_eq!(gone, 1))
}

/// Holds reads of reports up, on a standby too.
fn hold(primary: &Session, standby: &Database) {
    // A lock is sent to a standby with what is written next, which otherwise comes after a quarter of a minute.
    primary.run("BEGIN; LOCK TABLE scim.report IN ACCESS EXCLUSIVE MODE; SELECT pg_switch_wal()");
    standby.until_found(
        1,
        "SELECT pid FROM pg_locks WHERE relation = 'scim.report'::regclass AND mode = 'AccessExclusiveLock'",
    );
}

/// Its name leads to the primary again after one refusal, whoever is still connected to the standby.
#[test]
fn a_server_that_only_reads_is_left() {
    let (cluster, proxy) = (Cluster::start(), Proxy::new(None));
    let database = cluster.database();
    let standby = cluster.standby();
    proxy.lead_to(&database);
    let address = proxy.address(&database, "127.0.0.1", "sslmode=disable");
    let mut town = Town::at(&address, database, patient());
    for id in ["u1", "u2", "u3"] {
        town.commit(town.user(id)).expect("created");
    }
    let primary = superuser_of(&town.database);
    let writes: [(&str, Write); 4] =
        [("commit", commit), ("spend", spend), ("discard", discard), ("prune", prune)];
    for (what, write) in writes {
        town.database.move_to(&standby);
        proxy.lead_to(&town.database);
        proxy.cut();
        hold(&primary, &town.database);
        let reports = ReportQuery { after: 0, count: 10, settled: None, subject: None };
        {
            let mut read = town.store.reports(a_tenant(), &reports);
            poll(&mut read);
            town.database.until_found(1, "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
            let refused = write(&town).expect_err("it is a standby");
            assert!(matches!(refused, StoreError::Unavailable(_)), "{what}: {refused}");
            assert!(!refused.to_string().contains("unknown"), "{what}: {refused}");
            primary.run("ROLLBACK");
            assert_eq!(wait(read).expect("a standby is read from"), []);
        }
        town.database.move_to(&cluster);
        proxy.lead_to(&town.database);
        write(&town).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// The server says so when it ends a session, and a request that was sent before that is read gets another.
#[test]
fn a_session_that_was_idle_for_too_long_is_made_anew() {
    let proxy = Proxy::new(None);
    let database = Database::new();
    database.run(
        "DO $$ BEGIN
            EXECUTE format('ALTER ROLE scim_test IN DATABASE %I SET idle_session_timeout = 300', current_database());
        END $$",
    );
    let address = proxy.address(&database, "127.0.0.1", "sslmode=disable");
    let town = Town::at(&address, database, patient());
    town.commit(town.user("u1")).expect("created");
    let ids = ["u1"];
    let read = loop {
        wait(town.store.get(a_tenant(), &ids)).expect("read");
        proxy.set(Mode::Hold);
        town.database.until_gone(BACKENDS);
        let mut read = town.store.get(a_tenant(), &ids);
        poll(&mut read);
        if proxy.until_kept(b'S', 1).is_some() {
            break read;
        }
        // What the server said had come through before it could be held back, and another session is being made.
        drop(read);
        proxy.cut();
    };
    proxy.set(Mode::Forward);
    assert_eq!(wait(read).expect("read by another session").iter().flatten().count(), 1);
}

/// A list that is counted is not waited for any longer than the server may take for it.
#[test]
fn rows_that_do_not_come_are_given_up() {
    let proxy = Proxy::new(None);
    let database = Database::new();
    // Nothing else gives up meanwhile.
    let address = proxy.address(&database, "127.0.0.1", "sslmode=disable&keepalives_idle=600");
    let statement = Duration::from_secs(5);
    let town = Town::at(&address, database, Options { statement, ..patient() });
    let ids: Vec<String> = (0..300).map(|n| format!("u{n:03}")).collect();
    let operations = ids.iter().flat_map(|id| town.user(id).operations).collect();
    let another = town.database.open(patient());
    wait(another.commit(a_tenant(), Changeset { operations, ..town.user("x") })).expect("created");
    let query = Query { total: true, ..town.query("User", "not (title pr)", "") };
    assert_eq!(wait(town.store.query(a_tenant(), &query)).expect("a page").total, Some(300));
    proxy.set(Mode::Fade);
    let read = runtime().block_on(async { timeout(LONG, town.store.query(a_tenant(), &query)).await });
    let refused = read.expect("it does not hang").expect_err("the rows do not come");
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    proxy.set(Mode::Forward);
    assert_eq!(wait(town.store.query(a_tenant(), &query)).expect("a page").total, Some(300));
}

/// A round trip has its statements, whatever is kept of them.
#[test]
fn a_connection_need_not_keep_what_it_has_prepared() {
    let town = Town::new(Options { prepared: 1, ..patient() });
    for id in ["u1", "u2", "u3"] {
        town.commit(town.user(id)).expect("created");
    }
    town.commit(town.group("g1", &["u1", "u2"])).expect("created");
    for filter in ["not (title pr)", r#"userName sw "u""#] {
        let page = wait(town.store.query(a_tenant(), &town.query("User", filter, ""))).expect("a page");
        assert_eq!(page.total, Some(3), "{filter}");
    }
    assert_eq!(town.store.check(&[acme()]).expect("a check"), [""; 0]);
}

/// Whoever waits, and whoever is waited for.
#[test]
fn the_database_tells_for_which_tenant_a_session_waits() {
    let town = Town::new(patient());
    town.commit(town.user("u1")).expect("created");
    let other = superuser_of(&town.database);
    other.run("BEGIN; SELECT FROM scim.tenant WHERE name = 'acme' FOR UPDATE");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| town.commit(town.user("u2")));
        let sql = "SELECT application_name FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting = town.database.until_found(1, sql);
        other.run("COMMIT");
        assert_eq!(waiting, ["scimd acme"]);
        writer.join().expect("no panic").expect("created");
    });
    let sql = "SELECT DISTINCT application_name FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'scimd%'";
    assert_eq!(town.database.run(sql), ["scimd"], "of those that wait for work");
}

/// Whoever finds no more connections waits for one of those that there are.
#[test]
fn a_server_makes_do_with_the_connections_that_it_gets() {
    let town = Town::new(Options { pool: 8, wait: LONG, ..patient() });
    town.commit(town.user("u1")).expect("created");
    let name = town.database.run("SELECT current_database()").concat();
    town.database.run(&format!("ALTER DATABASE {name} CONNECTION LIMIT 2"));
    let acme = acme();
    let mut reads: Vec<_> = (0..100).map(|_| town.store.get(&acme, &["u1"])).collect();
    reads.iter_mut().for_each(poll);
    for read in reads {
        wait(read).expect("a record");
    }
}
