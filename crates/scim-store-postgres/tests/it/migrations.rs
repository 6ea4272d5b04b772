//! Making and changing the tables.

use std::time::Duration;

use scim_store::conformance::wait;
use scim_store::{CommitError, Conflict, Spent, Store, Tenant};
use scim_store_postgres::{Address, Migrated, OpenError, Options, PostgresStore, migrate, standing};

use crate::cluster::{Database, ROLE, patient};
use crate::people::{Town, a_tenant};

#[test]
fn many_migrate_at_once_and_one_does_it() {
    let database = Database::empty();
    let all: Vec<Migrated> = std::thread::scope(|scope| {
        let each = || migrate(&database.owner(), patient(), Some(ROLE)).expect("migrates");
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(each)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let known = standing(&database.owner(), patient()).expect("a standing").known;
    assert!(all.iter().all(|migrated| migrated.to == known));
    assert_eq!(all.iter().filter(|migrated| migrated.from == 0).count(), 1);
    PostgresStore::open(&database.address(), patient()).expect("opens");
}

#[test]
fn other_schemas_are_refused_by_name() {
    let database = Database::empty();
    let check = |words: &str| {
        let refused = PostgresStore::open(&database.address(), patient()).expect_err("another schema");
        assert!(refused.to_string().contains(words), "{refused}");
    };
    check("has no tables of this software; run `scimd store migrate`");
    let missing = migrate(&database.owner(), patient(), Some("nobody \"here\"")).expect_err("no role");
    assert!(matches!(missing, OpenError::NoRole { .. }), "{missing}");
    check("has no tables of this software");
    migrate(&database.owner(), patient(), Some(ROLE)).expect("migrates");
    let known = standing(&database.owner(), patient()).expect("a standing").known;
    database.run(&format!("INSERT INTO scim.migration (step) VALUES ({})", known + 1));
    check("and this software knows up to");
    let newer = migrate(&database.owner(), patient(), Some(ROLE)).expect_err("newer");
    assert!(matches!(newer, OpenError::Newer { .. }), "{newer}");
    database.run("DELETE FROM scim.migration; INSERT INTO scim.migration (step) VALUES (0)");
    check("has no tables of this software");
}

#[test]
fn what_is_set_for_the_owner_is_in_nobodys_way() {
    let database = Database::empty();
    let name = database.run("SELECT current_database()").concat();
    let settings = ["default_transaction_read_only = on", "search_path = nowhere"];
    database.run(&settings.map(|setting| format!("ALTER DATABASE {name} SET {setting};")).concat());
    migrate(&database.owner(), patient(), Some(ROLE)).expect("migrates");
    database.open(patient());
}

#[test]
fn texts_are_in_utf_8_or_nothing_is_made() {
    for encoding in ["latin1", "sql_ascii"] {
        let other = Database::empty();
        let address = format!("{}_{encoding}", other.text("postgres"));
        let (_, name) = address.rsplit_once('/').expect("a database");
        other.run(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"));
        let owner: Address = address.parse().expect("an address");
        let refused = migrate(&owner, patient(), Some(ROLE)).expect_err("another encoding");
        assert!(matches!(refused, OpenError::Encoding { .. }), "{refused}");
        assert!(refused.to_string().contains(&encoding.to_uppercase()), "{refused}");
        let standing = standing(&owner, patient()).expect("a standing");
        assert_eq!((standing.schema, standing.encoding), (0, encoding.to_uppercase()));
        other.run(&format!("DROP DATABASE {name}"));
    }
}

/// Whoever served before serves after, without being named again.
#[test]
fn a_table_that_is_added_is_for_whoever_may_use_the_others() {
    let database = Database::new();
    database.run(
        "DROP TABLE scim.debt; ALTER TABLE scim.tenant DROP COLUMN fence; ALTER TABLE scim.audit DROP COLUMN token;
        DELETE FROM scim.migration WHERE step > 1",
    );
    let refused = PostgresStore::open(&database.address(), patient()).expect_err("older tables");
    assert!(refused.to_string().contains("run `scimd store migrate` as the tables' owner"), "{refused}");
    let migrated = migrate(&database.owner(), patient(), None).expect("migrates");
    assert_eq!(migrated.from, 1);
    let store = database.open(patient());
    let spent = Spent { by: "acme".to_owned(), amount: Duration::from_secs(9), within: Duration::ZERO };
    let owed = wait(store.spend(&Tenant::system(), &[spent])).expect("it may");
    assert!(owed.first().is_some_and(|owed| *owed > Duration::ZERO), "this store keeps books: {owed:?}");
    let of_another = Tenant::new("acme").expect("a name");
    let none = Spent { by: "acme".to_owned(), amount: Duration::ZERO, within: Duration::ZERO };
    assert_eq!(wait(store.spend(&of_another, &[none])).expect("it may"), [Duration::ZERO]);
}

/// Servers go on while tables change under what they have prepared, if they understand what it gives by then.
#[test]
fn what_was_prepared_before_a_migration_is_prepared_anew() {
    let town = Town::new(Options { pool: 2, ..patient() });
    let audit = || wait(town.store.audit(a_tenant(), 0, 10)).expect("an answer").len();
    let create = |id: &str| town.commit(town.user(id)).map(|_| ());
    create("u1").expect("created");
    assert_eq!(audit(), 1);
    let taken = |id: &str| match create(id) {
        Err(CommitError::Conflict(Conflict::Unique { holder, .. })) => holder,
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!(taken("U1"), "u1");
    for kind in ["varchar", "text"] {
        town.database.run(&format!(
            "ALTER TABLE scim.audit ALTER COLUMN actor TYPE {kind}; ALTER TABLE scim.claim ALTER COLUMN id TYPE {kind}"
        ));
        assert_eq!(audit(), 1, "{kind}");
        assert_eq!(taken("U1"), "u1", "{kind}");
    }
    create("u2").expect("created");
}
