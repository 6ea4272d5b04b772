//! Searches that walk: in portions where they may end early, and past everything where all have to be seen.

use scim_store::conformance::wait;
use scim_store::{Changeset, Start, Store};

use crate::cluster::patient;
use crate::people::{Town, acme};

#[test]
fn a_walk_goes_on_in_portions_and_ends_early() {
    let town = Town::new(patient());
    let ids: Vec<String> = (0..450).map(|n| format!("u{n:03}")).collect();
    for some in ids.chunks(150) {
        let operations = some.iter().flat_map(|id| town.user(id).operations).collect();
        town.commit(Changeset { operations, ..town.user("x") }).expect("created");
    }
    let check = |count: usize, total: bool, fetches: usize| {
        let query = town.query("User", "not (title pr)", "");
        let query = scim_store::Query { count, total, ..query };
        town.trips();
        let page = wait(town.store.query(&acme(), &query)).expect("a page");
        let found: Vec<&str> = page.records.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(found, ids.iter().take(count).map(String::as_str).collect::<Vec<_>>());
        assert_eq!(page.total, total.then_some(450));
        let fetched = town.trips().concat().iter().filter(|sql| sql.starts_with("FETCH")).count();
        assert_eq!(fetched, fetches, "{count}");
        page.next
    };
    check(10, false, 1);
    check(199, false, 1);
    // One more is looked for, to know whether more follow.
    check(200, false, 2);
    assert_eq!(check(450, false, 3), None);
    check(10, true, 0);
    let next = check(300, false, 2).expect("more follow");
    let query = scim_store::Query {
        start: Start::After(next),
        count: 500,
        total: false,
        ..town.query("User", "not (title pr)", "")
    };
    let page = wait(town.store.query(&acme(), &query)).expect("the rest");
    assert_eq!(page.records.len(), 150);
}
