//! Tenants take turns with what takes long.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use scim_store::conformance::wait;
use scim_store::{Store, Tenant};
use scim_store_postgres::Options;

use crate::cluster::superuser_of;
use crate::people::{Town, acme};

/// What one tenant asks is not behind all that another has asked before.
#[test]
fn nobody_waits_for_all_of_another() {
    const LOUD: usize = 200;
    let town = Town::new(Options { pool: 2, wait: Duration::from_secs(60), ..Options::default() });
    town.commit(town.user("u1")).expect("created");
    let (loud, quiet) = (acme(), Tenant::new("quiet").expect("a name"));
    let query = town.query("User", r#"emails.value co "nobody""#, "");
    town.trips();
    let other = superuser_of(&town.database);
    other.run("BEGIN; LOCK TABLE scim.resource IN ACCESS EXCLUSIVE MODE");
    let mut context = Context::from_waker(Waker::noop());
    let mut lists: Vec<_> = (0..LOUD).map(|_| town.store.query(&loud, &query)).collect();
    for list in &mut lists {
        assert!(Pin::new(list).poll(&mut context).is_pending());
    }
    let mut one = town.store.crowded(&quiet, None, 1);
    assert!(Pin::new(&mut one).poll(&mut context).is_pending());
    other.run("ROLLBACK");
    wait(one).expect("an answer");
    for list in lists {
        wait(list).expect("a page");
    }
    let trips = town.trips();
    let place = trips.iter().position(|trip| trip.iter().any(|sql| sql.contains("FROM edge")));
    let place = place.expect("it was run");
    assert!(place < trips.len() / 2, "round trip {place} of {}", trips.len());
}
