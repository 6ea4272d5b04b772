//! The suite that every store runs, and our own check of the database after each case.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use scim_store::{Store, conformance, pass_on};
use scim_store_postgres::PostgresStore;

use crate::cluster::{Database, patient};

#[test]
fn postgres_store_conforms() {
    check(&Database::new(), |_| true);
}

/// Runs the cases of the suite whose names are wanted on a database.
pub(crate) fn check(database: &Database, is_wanted: impl Fn(&str) -> bool) {
    for case in conformance::cases().filter(|case| is_wanted(case.name)) {
        database.clear();
        let store = Arc::new(database.open(patient()));
        println!("{}", case.name);
        case.run(Arc::clone(&store) as _);
        assert_eq!(store.check(&database.tenants()).expect("a check"), [""; 0], "{}", case.name);
    }
}

/// Two servers on one database. Whatever is asked goes to the one or the other, in turns.
struct Two([PostgresStore; 2], AtomicUsize);

impl Two {
    fn next(&self) -> &PostgresStore {
        let [first, second] = &self.0;
        if self.1.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) { first } else { second }
    }
}

impl Store for Two {
    pass_on!(self => self.next(); get, query, edges, crowded, persons, commit, changes, audit, reports, spend);
}

/// Many writers, on two servers.
#[test]
fn two_servers_conform_where_many_write() {
    let database = Database::new();
    let open = || database.open(patient());
    let store = Arc::new(Two([open(), open()], AtomicUsize::new(0)));
    let races =
        conformance::cases().filter(|case| case.name.contains("many") || case.name.contains("own writes"));
    let mut count = 0;
    for case in races {
        database.clear();
        println!("{}", case.name);
        case.run(Arc::clone(&store) as _);
        assert_eq!(store.next().check(&database.tenants()).expect("a check"), [""; 0], "{}", case.name);
        count += 1;
    }
    assert!(count >= 5, "the cases have other names");
}
