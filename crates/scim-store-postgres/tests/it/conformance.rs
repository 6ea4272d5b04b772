//! The suite that every store runs, and our own check of the database after each case.

use std::sync::Arc;

use scim_store::conformance;
use scim_store_postgres::Options;

use crate::cluster::Database;

#[test]
fn postgres_store_conforms() {
    let database = Database::new();
    for case in conformance::cases() {
        database.clear();
        let store = Arc::new(database.open(Options::default()));
        println!("{}", case.name);
        case.run(Arc::clone(&store) as _);
        assert_eq!(store.check(&database.tenants()).expect("a check"), [""; 0], "{}", case.name);
    }
}
