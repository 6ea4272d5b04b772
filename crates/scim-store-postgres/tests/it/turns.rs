//! Tenants take turns with what takes long.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use scim_store::conformance::wait;
use scim_store::{EdgeQuery, Load, Pending, Query, Side, Store, Tenant};
use scim_store_postgres::Options;

use crate::cluster::{patient, superuser_of, until};
use crate::people::{Town, acme};

/// What one tenant asks is not behind all that another has asked before.
#[test]
fn nobody_waits_for_all_of_another() {
    let town = Town::new(Options { pool: 2, wait: Duration::from_secs(60), ..patient() });
    town.commit(town.user("u1")).expect("created");
    let (loud, quiet) = (acme(), Tenant::new("quiet").expect("a name"));
    let query = town.query("User", r#"emails.value co "nobody""#, "");
    is_served_early(&town, || town.store.query(&loud, &query), town.store.crowded(&quiet, None, 1));
    let query = EdgeQuery { side: Side::Members, of: vec!["g1".to_owned()], after: None, count: 1 };
    is_served_early(&town, || town.store.get(&loud, &["u1"]), town.store.edges(&quiet, &query));
}

/// Whether one that looks for edges is served long before the last of many that were asked for before.
#[track_caller]
fn is_served_early<'a, T>(town: &Town, ask: impl Fn() -> Pending<'a, T>, mut one: Pending<'_, impl Sized>) {
    const LOUD: usize = 200;
    town.trips();
    let other = superuser_of(&town.database);
    other.run("BEGIN; LOCK TABLE scim.resource, scim.edge IN ACCESS EXCLUSIVE MODE");
    let mut context = Context::from_waker(Waker::noop());
    let mut many: Vec<_> = (0..LOUD).map(|_| ask()).collect();
    for read in &mut many {
        assert!(Pin::new(read).poll(&mut context).is_pending());
    }
    assert!(Pin::new(&mut one).poll(&mut context).is_pending());
    other.run("ROLLBACK");
    assert!(wait(one).is_ok());
    for read in many {
        assert!(wait(read).is_ok());
    }
    let trips = town.trips();
    let place = trips.iter().position(|trip| trip.iter().any(|sql| sql.contains("FROM edge")));
    let place = place.expect("it was run");
    assert!(place < trips.len() / 2, "round trip {place} of {}", trips.len());
}

/// Lists that wait for one another are not in the way of what is short, of the same tenant.
#[test]
fn what_is_short_does_not_wait_for_what_is_long() {
    let town = Town::new(Options { pool: 4, wait: Duration::from_secs(60), ..patient() });
    town.commit(town.user("u1")).expect("created");
    let long = town.query("User", r#"userName sw "u""#, "");
    let other = superuser_of(&town.database);
    other.run("BEGIN; LOCK TABLE scim.entry IN ACCESS EXCLUSIVE MODE");
    let (tenant, mut context) = (acme(), Context::from_waker(Waker::noop()));
    let mut lists: Vec<_> = (0..50).map(|_| town.store.query(&tenant, &long)).collect();
    for list in &mut lists {
        assert!(Pin::new(list).poll(&mut context).is_pending());
    }
    assert_eq!(wait(town.store.get(&tenant, &["u1"])).expect("a record").iter().flatten().count(), 1);
    for count in [1, 0] {
        let few = Query { count, ..town.query("User", "", "") };
        assert_eq!(wait(town.store.query(&tenant, &few)).expect("a page").total, Some(1));
    }
    other.run("ROLLBACK");
    for list in lists {
        assert_eq!(wait(list).expect("a page").total, Some(1));
    }
}

/// Who watches sees that connections are missing.
#[test]
fn a_store_tells_how_many_connections_it_has_lent() {
    let town = Town::new(Options { pool: 2, wait: Duration::from_secs(60), ..patient() });
    town.commit(town.user("u1")).expect("created");
    let other = superuser_of(&town.database);
    other.run("BEGIN; LOCK TABLE scim.resource IN ACCESS EXCLUSIVE MODE");
    let (tenant, mut context) = (acme(), Context::from_waker(Waker::noop()));
    let mut reads: Vec<_> = (0..10).map(|_| town.store.get(&tenant, &["u1"])).collect();
    for read in &mut reads {
        assert!(Pin::new(read).poll(&mut context).is_pending());
    }
    let full = Load { most: 2, lent: 2, waiting: 8 };
    until("for all connections", || (town.store.load() == Some(full)).then_some(()));
    other.run("ROLLBACK");
    for read in reads {
        wait(read).expect("a record");
    }
    let idle = Load { lent: 0, waiting: 0, ..full };
    until("for connections that are given back", || (town.store.load() == Some(idle)).then_some(()));
}
