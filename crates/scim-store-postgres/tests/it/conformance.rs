//! The suite that every store runs, and our own check of the database after each case.

use std::sync::Arc;

use scim_store::{Tenant, conformance};
use scim_store_postgres::Options;

use crate::cluster::{Database, connect, runtime};

#[test]
fn postgres_store_conforms() {
    let database = Database::new();
    let superuser = connect(&database.text("postgres"));
    for case in conformance::cases() {
        database.clear();
        let store = Arc::new(database.open(Options::default()));
        println!("{}", case.name);
        case.run(Arc::clone(&store) as _);
        let rows = runtime().block_on(superuser.query("SELECT name FROM scim.tenant", &[])).expect("rows");
        let name = |row: &tokio_postgres::Row| Tenant::new(row.get(0)).unwrap_or_else(|_| Tenant::system());
        let tenants: Vec<Tenant> = rows.iter().map(name).collect();
        assert_eq!(store.check(&tenants).expect("a check"), [""; 0], "{}", case.name);
    }
}
