//! Tables that are partitioned as `docs/partition.sql` does it serve as well as whole ones, and protect as well.

use scim_store_postgres::{PostgresStore, migrate};

use crate::cluster::{Database, ROLE, patient, run};

const PARTITION: &str = include_str!("../../../../docs/partition.sql");

#[test]
fn a_store_on_partitions_conforms() {
    let database = Database::new();
    // Each statement takes longer to plan the more there are. What random filters come to is asked where there are none.
    let few = PARTITION.replace("partitions constant integer := 16", "partitions constant integer := 3");
    assert_ne!(few, PARTITION);
    database.run(&few);
    crate::conformance::check(&database, |case| case != "random queries of devices");
}

#[test]
fn partitioning_keeps_rows_rights_and_protection() {
    let database = Database::new();
    database.run(
        "INSERT INTO scim.tenant (name) VALUES ('acme'), ('globex');
         INSERT INTO scim.total VALUES ('acme', 'User', 3), ('globex', 'User', 4);
         INSERT INTO scim.resource VALUES ('acme', 'u1', 'User', 1, 0, 0, '', '', '');
         INSERT INTO scim.person (tenant, id, active, extra) VALUES ('acme', 'u1', true, '{}')",
    );
    database.run(PARTITION);
    let as_server = |tenant: &str, table: &str| {
        let sql = format!("SET ROLE {ROLE}; SET scim.tenant = '{tenant}'; SELECT count(*) FROM scim.{table}");
        database.run(&sql)
    };
    assert_eq!(as_server("acme", "total"), ["1"]);
    assert_eq!(as_server("", "total"), ["0"]);
    assert_eq!(database.run("SELECT sum(count) FROM scim.total"), ["7"]);
    // A statement that sets its tenant itself sees it, even where nothing else says which partition it is about.
    for (column, table, found) in [("count", "total", "3"), ("id", "persons", "u1")] {
        let itself = format!(
            "SELECT s.* FROM (SELECT set_config('scim.tenant', 'acme', true) AS name) t
             CROSS JOIN LATERAL (SELECT {column} FROM scim.{table} WHERE t.name IS NOT NULL OFFSET 0) s"
        );
        assert_eq!(run(&database.text(ROLE), &itself), [found], "{table}");
    }
    // Later migrations let the server use all tables. A partition shows nothing even so.
    migrate(&database.owner(), patient(), Some(ROLE)).expect("migrates");
    let partitions = database.run(
        "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r' AND relnamespace = 'scim'::regnamespace",
    );
    assert_eq!(partitions.len(), 12 * 16);
    for partition in partitions.iter().filter(|name| name.starts_with("total_")) {
        assert_eq!(as_server("acme", partition), ["0"], "{partition}");
    }
    let store = PostgresStore::open(&database.address(), patient()).expect("opens");
    assert_eq!(store.standing().unprotected, [""; 0]);
    for (table, size) in &store.standing().tables {
        assert!(*size > 0, "the size of `{table}` is that of its partitions");
    }
}
