//! What the database itself does to hold tenants apart, and who is not let in.

use scim_store::conformance::wait;
use scim_store::{Store, Tenant};
use scim_store_postgres::{OpenError, PostgresStore, migrate};

use crate::cluster::{Database, ROLE, patient, run};
use crate::people::{Town, acme};

const TABLES: [&str; 12] = [
    "tenant", "total", "resource", "entry", "claim", "edge", "hidden", "change", "audit", "person", "report",
    "debt",
];

#[test]
fn whoever_names_no_tenant_sees_and_changes_nothing() {
    let town = Town::new(patient());
    town.commit(town.user("u1")).expect("created");
    wait(town.store.commit(&Tenant::new("umbrella").expect("a name"), town.user("u1"))).expect("created");
    let as_role = town.database.text(ROLE);
    for table in TABLES {
        let rows = |set: &str| run(&as_role, &format!("{set}SELECT count(*) FROM scim.{table}")).pop();
        assert_eq!(rows("").as_deref(), Some("0"), "{table}");
        assert_eq!(rows("SET scim.tenant = ''; ").as_deref(), Some("0"), "{table}");
        let of_acme = rows("SET scim.tenant = 'acme'; ");
        let of_both = town.database.run(&format!("SELECT count(*) FROM scim.{table}")).pop();
        let count = |text: Option<String>| text.and_then(|text| text.parse::<u64>().ok()).expect("a number");
        assert_eq!(count(of_acme) * 2, count(of_both), "{table}");
    }
    assert!(run(&as_role, "UPDATE scim.resource SET label = 'x' RETURNING id").is_empty());
    assert!(run(&as_role, "DELETE FROM scim.audit RETURNING number").is_empty());
    let view = run(
        &as_role,
        "SET scim.tenant = 'acme'; SELECT count(*) FROM scim.persons WHERE tenant = 'umbrella'",
    );
    assert_eq!(view, ["0"]);
}

/// Every table is one of ours, has forced row-level security, and no key without the tenant in front.
#[test]
fn every_table_and_every_key_is_of_one_tenant() {
    let database = Database::new();
    let tables = database.run(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = 'scim' AND c.relkind = 'r' AND c.relrowsecurity AND c.relforcerowsecurity ORDER BY 1",
    );
    let mut expected = TABLES;
    expected.sort_unstable();
    assert_eq!(tables, expected);
    let first_columns = database.run(
        "SELECT DISTINCT a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
         WHERE n.nspname = 'scim' AND c.relname NOT IN ('tenant', 'migration')",
    );
    assert_eq!(first_columns, ["tenant"]);
    let collations = database.run(
        "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_collation l ON l.oid = a.attcollation
         WHERE n.nspname = 'scim' AND c.relkind = 'r' AND a.attnum > 0 AND l.collname <> 'C'",
    );
    assert_eq!(collations, [""; 0]);
}

#[test]
fn roles_that_are_not_bound_are_refused() {
    let database = Database::new();
    let refused = PostgresStore::open(&database.owner(), patient()).expect_err("a superuser");
    assert!(matches!(&refused, OpenError::Role { role, .. } if role == "postgres"), "{refused}");
    let bypassing = database.run("SELECT 'bypassing_' || current_database()").concat();
    database.run(&format!("CREATE ROLE {bypassing} LOGIN BYPASSRLS; GRANT {ROLE} TO {bypassing}"));
    let address = database.text(&bypassing).parse().expect("an address");
    let refused = PostgresStore::open(&address, patient()).expect_err("it is not bound");
    assert!(matches!(refused, OpenError::Role { .. }), "{refused}");
    database.run(&format!("DROP ROLE {bypassing}; ALTER TABLE scim.edge NO FORCE ROW LEVEL SECURITY"));
    let refused = PostgresStore::open(&database.address(), patient()).expect_err("a table is open");
    assert!(matches!(&refused, OpenError::Unprotected { tables } if tables == "edge"), "{refused}");
}

/// An owner who is no superuser is bound as everybody else, and may serve; that it is the owner can be asked.
#[test]
fn an_owner_is_bound_too() {
    let database = Database::empty();
    let owner = database.run("SELECT 'owning_' || current_database()").concat();
    database.run(&format!("CREATE ROLE {owner} LOGIN; CREATE SCHEMA scim AUTHORIZATION {owner}"));
    let address = database.text(&owner).parse().expect("an address");
    migrate(&address, patient(), None).expect("migrates");
    let store = PostgresStore::open(&address, patient()).expect("opens");
    assert!(store.standing().is_owner && store.standing().is_bound);
    let town = Town::at(&address, database, patient());
    town.commit(town.user("u1")).expect("created");
    assert_eq!(wait(town.store.get(&acme(), &["u1"])).expect("records").iter().flatten().count(), 1);
    assert_eq!(run(&town.database.text(&owner), "SELECT id FROM scim.resource"), [""; 0]);
    town.database
        .run(&format!("REASSIGN OWNED BY {owner} TO postgres; DROP OWNED BY {owner}; DROP ROLE {owner}"));
}

/// What is acknowledged is durable, whatever the role's or the database's defaults are.
#[test]
fn commits_are_made_and_synced_whatever_the_defaults() {
    let database = Database::new();
    let name = database.run("SELECT current_database()").pop().expect("a name");
    database.run(&format!("ALTER DATABASE {name} SET synchronous_commit = off"));
    database.run(&format!("ALTER ROLE {ROLE} IN DATABASE {name} SET default_transaction_read_only = on"));
    let town = Town::at(&database.address(), database, patient());
    // The setting is looked at from inside of a transaction of the store.
    town.database.run(
        "CREATE FUNCTION scim.note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.label := current_setting('synchronous_commit'); RETURN NEW; END $$;
         CREATE TRIGGER note BEFORE INSERT ON scim.resource FOR EACH ROW EXECUTE FUNCTION scim.note()",
    );
    town.commit(town.user("u1")).expect("created");
    let record = wait(town.store.get(&acme(), &["u1"])).expect("records").pop().flatten().expect("there");
    assert_eq!(record.label, "on");
    assert_eq!(run(&town.database.text(ROLE), "SHOW synchronous_commit"), ["off"]);
}

/// A connection that is lost to a silent network, or with the machine at its other end, is let go of by the database too.
#[test]
fn the_database_asks_whether_we_are_there() {
    let town = Town::new(patient());
    // By TCP: a socket does not go silent.
    let by_socket = town.database.text(ROLE);
    let (_, rest) = by_socket.rsplit_once(':').expect("a port");
    let directory = tempfile::tempdir().expect("a directory");
    let password = directory.path().join("password");
    std::fs::write(&password, "known").expect("written");
    town.database.run(&format!("ALTER ROLE {ROLE} PASSWORD 'known'"));
    town.database.run(
        "CREATE FUNCTION scim.note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.label := concat_ws(' ', current_setting('tcp_keepalives_idle'),
                current_setting('tcp_keepalives_interval')); RETURN NEW; END $$;
         CREATE TRIGGER note BEFORE INSERT ON scim.resource FOR EACH ROW EXECUTE FUNCTION scim.note()",
    );
    let assert = |id: &str, options: &str, expected: &str| {
        let text =
            format!("postgres://{ROLE}@127.0.0.1:{rest}?password_file={}{options}", password.display());
        let address = text.parse().expect("an address");
        let store = PostgresStore::open(&address, patient()).expect("opens");
        wait(store.commit(&acme(), town.user(id))).expect("created");
        let record = wait(store.get(&acme(), &[id])).expect("records").pop().flatten().expect("there");
        assert_eq!(record.label, expected, "{options}");
    };
    assert("u1", "", "30 10");
    assert("u2", "&keepalives_idle=20&keepalives_interval=5", "20 5");
    // Whoever runs the database may want it to ask more often.
    let (_, name) = rest.split_once('/').expect("a database");
    town.database.run(&format!("ALTER DATABASE {name} SET tcp_keepalives_idle = 7"));
    assert("u3", "", "7 10");
}
