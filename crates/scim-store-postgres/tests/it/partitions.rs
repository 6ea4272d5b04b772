//! Tables that are partitioned as `docs/partition.sql` does it serve as well as whole ones, and protect as well.

use std::sync::Arc;

use scim_store::conformance;
use scim_store_postgres::{Options, PostgresStore, migrate};

use crate::cluster::{Database, ROLE};

const PARTITION: &str = include_str!("../../../../docs/partition.sql");

#[test]
fn a_store_on_partitions_conforms() {
    let database = Database::new();
    database.run(PARTITION);
    for case in conformance::cases() {
        database.clear();
        let store = Arc::new(database.open(Options::default()));
        println!("{}", case.name);
        case.run(Arc::clone(&store) as _);
        assert_eq!(store.check(&database.tenants()).expect("a check"), [""; 0], "{}", case.name);
    }
}

#[test]
fn partitioning_keeps_rows_rights_and_protection() {
    let database = Database::new();
    database.run(
        "INSERT INTO scim.tenant (name) VALUES ('acme'), ('globex');
         INSERT INTO scim.total VALUES ('acme', 'User', 3), ('globex', 'User', 4)",
    );
    database.run(PARTITION);
    let as_server = |tenant: &str, table: &str| {
        let sql = format!("SET ROLE {ROLE}; SET scim.tenant = '{tenant}'; SELECT count(*) FROM scim.{table}");
        database.run(&sql)
    };
    assert_eq!(as_server("acme", "total"), ["1"]);
    assert_eq!(as_server("", "total"), ["0"]);
    assert_eq!(database.run("SELECT sum(count) FROM scim.total"), ["7"]);
    // Later migrations let the server use all tables. A partition shows nothing even so.
    migrate(&database.owner(), Options::default(), Some(ROLE)).expect("migrates");
    let partitions = database.run(
        "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relnamespace = 'scim'::regnamespace",
    );
    assert_eq!(partitions.len(), 12 * 16);
    for partition in partitions.iter().filter(|name| name.starts_with("total_")) {
        assert_eq!(as_server("acme", partition), ["0"], "{partition}");
    }
    let store = PostgresStore::open(&database.address(), Options::default()).expect("opens");
    assert_eq!(store.standing().unprotected, [""; 0]);
}
