//! Files of earlier versions.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use scim_core::person::{Derived, Person, Pick};
use scim_core::time::Timestamp;
use scim_store::conformance::wait;
use scim_store::{
    Change, ChangeKind, Changeset, EdgeQuery, Guard, Operation, PersonQuery, Side, Store, Tenant,
};

use super::*;
use crate::{Options, SqliteStore};

/// A file as version 1 left it: a user in two groups.
const FIRST: &str = "
INSERT INTO tenant VALUES (1, 'acme', 4, 1);
INSERT INTO name VALUES (1, 'User'), (2, 'Group'), (3, 'userName');
INSERT INTO total VALUES (1, 1, 1), (1, 2, 2);
INSERT INTO resource (tenant, id, type, version, created, modified, label, body, entries) VALUES
    (1, 'u', 1, 1, 1000, 1000, 'Ada', CAST('{}' AS BLOB), CAST('' AS BLOB)),
    (1, 'h', 2, 2, 1000, 1000, 'Hotel', CAST('{}' AS BLOB), CAST('' AS BLOB)),
    (1, 'g', 2, 4, 1000, 2000, 'Golf', CAST('{}' AS BLOB), CAST('' AS BLOB));
INSERT INTO entry VALUES (1, 1, 3, X'61', 'u', 1), (1, 1, 3, X'62', 'u', 0);
INSERT INTO edge VALUES (1, 'h', 'u'), (1, 'g', 'u');
INSERT INTO hidden VALUES (1, 'u', 3, '\"x\"');
INSERT INTO change VALUES
    (1, 1, 1000, 'created', 1, 'u', '[]', '[]'),
    (1, 2, 1000, 'created', 2, 'h', '[\"u\"]', '[]'),
    (1, 3, 1000, 'created', 2, 'g', '[]', '[]'),
    (1, 4, 2000, 'membersChanged', 2, 'g', '[\"u\"]', '[]');
INSERT INTO audit VALUES (1, 1, 4, 2000, 'actor', 'r', 'POST /Users', 201, '');
";

#[test]
fn every_connection_syncs_to_the_medium() {
    let connection = Connection::open_in_memory().expect("opens");
    prepare(&connection, Duration::ZERO, 64).expect("prepares");
    for (name, expected) in [("synchronous", 2), ("fullfsync", 1), ("secure_delete", 1)] {
        let found: i64 = connection.pragma_query_value(None, name, |row| row.get(0)).expect("a number");
        assert_eq!(found, expected, "{name}");
    }
}

fn file_of_version(steps: usize, file: &Path, rows: &str) {
    let mut connection = Connection::open(file).expect("opens");
    prepare(&connection, Duration::ZERO, 64).expect("prepares");
    migrate(&mut connection, &MIGRATIONS[..steps]).expect("migrates");
    connection.execute_batch(rows).expect("fills");
}

#[test]
fn a_file_of_version_1_becomes_current() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("scim.db");
    file_of_version(1, &file, FIRST);
    let acme = Tenant::new("acme").expect("a name");
    let store = SqliteStore::open(&file, Options::default()).expect("opens");
    assert_eq!(store.check().expect("a check"), [""; 0]);
    let connection = Connection::open(&file).expect("opens");
    let sql = "SELECT hex(key), leading, r.id FROM entry e JOIN resource r ON r.num = e.num ORDER BY key";
    let mut statement = connection.prepare(sql).expect("prepares");
    let entries =
        statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("entries");
    let entries: Vec<(String, i64, String)> = entries.collect::<Result<_, _>>().expect("entries");
    assert_eq!(entries, [("61".to_owned(), 1, "u".to_owned()), ("62".to_owned(), 0, "u".to_owned())]);
    let edges = |side, of: &str| {
        let query = EdgeQuery { side, of: vec![of.to_owned()], after: None, count: 9 };
        let edges = wait(store.edges(&acme, &query)).expect("edges").edges;
        edges.into_iter().map(|edge| (edge.id, edge.since)).collect::<Vec<_>>()
    };
    assert_eq!(edges(Side::Groups, "u"), [("g".to_owned(), 0), ("h".to_owned(), 0)]);
    assert_eq!(edges(Side::Members, "g"), [("u".to_owned(), 0)]);
    let log = wait(store.changes(&acme, 3, 9)).expect("changes");
    let expected = Change {
        sequence: 4,
        at: Timestamp(2000),
        kind: ChangeKind::MembersChanged,
        resource_type: "Group".into(),
        id: "g".to_owned(),
        added: vec!["u".to_owned()],
        removed: Vec::new(),
        person: false,
        renamed: false,
    };
    assert_eq!(log, [expected]);
    assert_eq!(wait(store.crowded(&acme, None, 9)).expect("members"), ["u"]);
    let persons = || {
        let page = PersonQuery::Page { after: None, count: 9 };
        wait(store.persons(&acme, &page)).expect("persons").persons
    };
    assert_eq!(persons(), []);
    for (pick, group) in [(Pick::First, "Golf"), (Pick::Latest, "Hotel")] {
        let operation = Operation::Rederive {
            id: "u".to_owned(),
            resource_type: "User".into(),
            guard: Guard::Version(1),
            unique: Vec::new(),
            index: Vec::new(),
            person: Some(Derived { person: Person::default(), pick: Some(pick) }),
        };
        let changeset = Changeset { operations: vec![operation], ..Changeset::new(Timestamp(3000)) };
        wait(store.commit(&acme, changeset)).expect("derived");
        assert_eq!(persons()[0].person.user_group.as_deref(), Some(group));
    }
    assert_eq!(store.check().expect("a check"), [""; 0]);
}

/// An application may have made views over `persons`, which is away for a moment.
#[test]
fn views_of_others_stay() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("scim.db");
    file_of_version(2, &file, "CREATE VIEW mine AS SELECT id FROM persons WHERE active = 1");
    let store = SqliteStore::open(&file, Options::default()).expect("opens");
    assert_eq!(store.check().expect("a check"), [""; 0]);
    let connection = Connection::open(&file).expect("opens");
    let count: i64 =
        connection.query_row("SELECT count(*) FROM mine", (), |row| row.get(0)).expect("a count");
    assert_eq!(count, 0);
}

/// What was released stays as it is: a file may have any version.
#[test]
fn released_steps_stay() {
    let sum =
        |text: &str| text.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    assert_eq!(sum(MIGRATIONS[0]), 1_283_414_243);
}
