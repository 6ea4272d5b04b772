//! Several processes on one file, of which each store here stands for one: neither knows of the other's commits.

use scim_store::Store;
use scim_store::conformance::wait;
use scim_store_sqlite::{Options, SqliteStore};

use crate::people::{Town, acme};

/// Whoever follows the change log looks at what was changed next. What it would find as it was before, it would never look at
/// again: an application would miss a person, a server would go on with a token that was revoked.
#[test]
fn what_the_change_log_tells_of_is_there() {
    let town = Town::new(Options::default());
    let other = SqliteStore::open(town.file(), Options::default()).expect("opens");
    for n in 0..100 {
        let id = format!("u{n:03}");
        // A read that keeps its state for what comes soon.
        assert_eq!(wait(town.store.get(&acme(), &[&id])).expect("an answer"), [None]);
        wait(other.commit(&acme(), town.user(&id))).expect("created by the other");
        let changes = wait(town.store.changes(&acme(), n, 100)).expect("changes");
        assert_eq!(changes.iter().map(|change| change.id.as_str()).collect::<Vec<_>>(), [&id]);
        let found = wait(town.store.get(&acme(), &[&id])).expect("an answer");
        assert!(found.iter().all(Option::is_some), "{id} is in the log and not there");
    }
}
