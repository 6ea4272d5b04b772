//! A read is one statement where it can be, which sets its tenant first, and one that nobody waits for any more ends well.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use scim_core::key::Key;
use scim_store::conformance::wait;
use scim_store::{
    EdgeQuery, Pending, PersonQuery, Position, Query, ReportQuery, Side, Start, Store, StoreError, Tenant,
};
use scim_store_postgres::Options;

use crate::cluster::{ROLE, patient, run, superuser_of, until};
use crate::people::{Town, a_tenant, acme};

fn town() -> Town {
    let town = Town::new(Options { pool: 2, ..patient() });
    for id in ["u1", "u2", "u3"] {
        town.commit(town.user(id)).expect("created");
    }
    town.commit(town.group("g1", &["u1"])).expect("created");
    town.trips();
    town
}

/// The statement of a read that has no other.
#[track_caller]
fn only<T>(town: &Town, what: &str, read: Pending<'_, T>) -> String {
    drop(wait(read).expect("an answer"));
    let trips = town.trips();
    assert_eq!(trips.iter().map(Vec::len).collect::<Vec<_>>(), [1], "{what}: {trips:?}");
    trips.concat().pop().expect("it was asked")
}

#[test]
fn a_read_is_one_statement() {
    let town = town();
    let (store, acme) = (&town.store, a_tenant());
    only(&town, "one", store.get(acme, &["u1"]));
    only(&town, "several", store.get(acme, &["u1", "u2", "nobody"]));
    only(&town, "one and its groups", store.get_with_edges(acme, "u1", Side::Groups, 10));
    let edges = |of: &[&str]| EdgeQuery {
        side: Side::Groups,
        of: of.iter().map(|&id| id.to_owned()).collect(),
        after: None,
        count: 10,
    };
    only(&town, "groups of one", store.edges(acme, &edges(&["u1"])));
    only(&town, "groups of several", store.edges(acme, &edges(&["u1", "u2"])));
    only(&town, "members of several groups", store.crowded(acme, None, 10));
    only(&town, "a page of persons", store.persons(acme, &PersonQuery::Page { after: None, count: 10 }));
    only(&town, "changes", store.changes(acme, 0, 10));
    only(&town, "audit entries", store.audit(acme, 0, 10));
    let reports = ReportQuery { after: 0, count: 10, settled: None, subject: None };
    only(&town, "reports", store.reports(acme, &reports));
    for (filter, sort) in [
        ("", ""),
        (r#"id eq "u1""#, ""),
        (r#"userName eq "u1@example.com""#, ""),
        (r#"externalId eq "nobody""#, ""),
        (r#"userName sw "u""#, "userName ascending"),
        ("", "userName descending"),
    ] {
        let query = town.query("User", filter, sort);
        only(&town, filter, store.query(acme, &query));
        only(&town, filter, store.query_with_edges(acme, &query, Side::Groups, 10));
        let query = Query { count: 0, ..query };
        only(&town, filter, store.query(acme, &query));
        only(&town, filter, store.query_with_edges(acme, &query, Side::Groups, 10));
    }
}

/// A page and its total come together, also where one of them is empty.
#[test]
fn a_total_comes_with_its_page() {
    let town = town();
    let page = |filter: &str, offset: u64, count: usize| {
        let query = Query { start: Start::Offset(offset), count, ..town.query("User", filter, "") };
        let page = wait(town.store.query(&acme(), &query)).expect("a page");
        (
            page.records.into_iter().map(|record| record.id).collect::<Vec<_>>(),
            page.total,
            page.next.is_some(),
        )
    };
    let ids = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
    assert_eq!(page("", 0, 2), (ids(&["u1", "u2"]), Some(3), true));
    assert_eq!(page("", 2, 2), (ids(&["u3"]), Some(3), false));
    assert_eq!(page("", 9, 2), (ids(&[]), Some(3), false));
    assert_eq!(page(r#"id eq "u2""#, 0, 2), (ids(&["u2"]), Some(1), false));
    assert_eq!(page(r#"id eq "u2""#, 1, 2), (ids(&[]), Some(1), false));
    assert_eq!(page(r#"userName eq "nobody""#, 0, 2), (ids(&[]), Some(0), false));
    assert_eq!(page(r#"userName sw "u""#, 1, 1), (ids(&["u2"]), Some(3), true));
    // What the filter holds has ended where the page begins, and nothing is walked.
    for total in [true, false] {
        let start = Start::After(Position { key: Some(Key::text("zz")), id: "u1".to_owned() });
        let query = town.query("User", r#"userName lt "z""#, "userName ascending");
        let page = wait(town.store.query(&acme(), &Query { start, total, ..query })).expect("a page");
        assert_eq!((page.records.len(), page.total, page.next), (0, total.then_some(3), None));
    }
}

#[test]
fn connections_serve_tenants_in_turns() {
    let town = town();
    let umbrella = Tenant::new("umbrella").expect("a name");
    wait(town.store.commit(&umbrella, town.group("u1", &[]))).expect("created");
    for _ in 0..10 {
        for (tenant, kind, others) in [(acme(), "User", Some("u2")), (umbrella.clone(), "Group", None)] {
            let records = wait(town.store.get(&tenant, &["u1", "u2"])).expect("records");
            let found: Vec<_> = records.into_iter().flatten().collect();
            assert_eq!(&*found.first().expect("both have it").resource_type, kind);
            assert_eq!(found.get(1).map(|record| record.id.as_str()), others);
        }
    }
}

/// What holds a statement to its tenant is the policy of the table: whatever else it says, it sees the tenant that it sets,
/// and of that nothing is left behind.
#[test]
fn a_statement_sees_the_tenant_that_it_sets() {
    let town = town();
    let umbrella = Tenant::new("umbrella").expect("a name");
    wait(town.store.commit(&umbrella, town.user("u1"))).expect("created");
    town.trips();
    let record = town.store.get_with_edges(a_tenant(), "u1", Side::Groups, 10);
    let query = town.query("User", r#"id eq "u1""#, "");
    let page = town.store.query_with_edges(a_tenant(), &query, Side::Groups, 10);
    let as_role = town.database.text(ROLE);
    for (what, sql, arguments) in [
        ("a record", only(&town, "one and its groups", record), "'u1', 10"),
        ("a page", only(&town, "a look-up", page), "'User', 10, 1000, 10, 0, 'u1', 'u1', 'u1', 'u1'"),
    ] {
        let execute = |asked: &str, set: &str| format!("EXECUTE asked('{asked}', {arguments}, '{set}');");
        for mode in ["force_generic_plan", "force_custom_plan"] {
            let ask = |statements: &str| {
                let sql = format!(
                    "SET search_path = scim; SET plan_cache_mode = {mode};
                     PREPARE asked AS SELECT z.id FROM ({sql}) z; {statements}"
                );
                run(&as_role, &sql)
            };
            assert_eq!(ask(&execute("acme", "acme")), ["u1", "g1"], "{what} {mode}");
            assert_eq!(ask(&execute("umbrella", "umbrella")), ["u1"], "{what} {mode}");
            assert_eq!(ask(&execute("acme", "umbrella")), [""; 0], "{what} {mode}");
            assert_eq!(ask(&execute("umbrella", "acme")), [""; 0], "{what} {mode}");
            assert_eq!(ask(&execute("acme", "")), [""; 0], "{what} {mode}");
            // Each of them is sent as a transaction by itself.
            let left = "SELECT coalesce(nullif(current_setting('scim.tenant', true), ''), 'nobody')";
            assert_eq!(
                ask(&format!("BEGIN; {} COMMIT; {left}", execute("acme", "acme"))),
                ["u1", "g1", "nobody"]
            );
        }
    }
}

/// Why an order that is wrong could only hide something.
#[test]
fn a_tenant_that_is_set_too_late_shows_nothing() {
    let town = town();
    let too_late = "SELECT r.id FROM scim.resource r CROSS JOIN LATERAL
        (SELECT set_config('scim.tenant', r.tenant, true) AS name OFFSET 0) t";
    assert_eq!(town.database.run(too_late).len(), 4, "whoever is not bound sees all");
    assert_eq!(run(&town.database.text(ROLE), too_late), [""; 0]);
}

/// It is worked off, its connection is kept, and until then nobody else gets it.
#[test]
fn a_read_that_nobody_waits_for_ends_well() {
    const BACKENDS: &str = "SELECT pid::text FROM pg_stat_activity
        WHERE datname = current_database() AND usename = 'scim_test' ORDER BY pid";
    let town = Town::new(Options { pool: 2, wait: Duration::from_millis(1), ..patient() });
    town.commit(town.user("u1")).expect("created");
    let ids = ["u1"];
    let both = || [town.store.get(a_tenant(), &ids), town.store.get(a_tenant(), &ids)];
    let begin = |reads: &mut [Pending<'_, _>]| {
        for read in reads {
            assert!(Pin::new(read).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
    };
    let other = superuser_of(&town.database);
    other.run("BEGIN; LOCK TABLE scim.resource IN ACCESS EXCLUSIVE MODE");
    let mut reads = both();
    begin(&mut reads);
    drop(reads);
    let held =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    town.database.until_found(2, held);
    // Those with which the store was opened may still be ending.
    let backends = until("for the others to end", || {
        Some(town.database.run(BACKENDS)).filter(|backends| backends.len() == 2)
    });
    let refused = wait(town.store.get(&acme(), &["u1"])).expect_err("both are in use");
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    other.run("ROLLBACK");
    until("for a connection", || wait(town.store.get(&acme(), &["u1"])).ok());
    assert_eq!(town.database.run(BACKENDS), backends);
}

/// Opening waits on its thread, which may be the only one of the runtime that is lent; one that cannot go on meanwhile is
/// not used.
#[test]
fn a_runtime_can_be_lent() {
    let lent =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("built");
    let held_up = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("built");
    let work = || async {
        let runtime = Some(tokio::runtime::Handle::current());
        let town = Town::new(Options { runtime, ..patient() });
        town.store.commit(&acme(), town.user("u1")).await.expect("created");
        let records = town.store.get(&acme(), &["u1"]).await.expect("records");
        assert_eq!(records.iter().flatten().count(), 1);
    };
    lent.block_on(async { tokio::spawn(work()).await.expect("no panic") });
    held_up.block_on(work());
}
