//! The file: what it keeps, who may read it, and what is refused to be opened.

use std::collections::BTreeSet;

use scim_core::person::{Derived, Gender, Person, Pick};
use scim_core::time::Timestamp;
use scim_store::conformance::wait;
use scim_store::{Changeset, CommitError, Guard, Operation, Store, StoreError};
use scim_store_sqlite::{Options, SqliteStore};
use serde_json::json;

use crate::people::{Town, acme, stranger};

#[test]
fn a_store_opened_again_has_everything() {
    let town = Town::new(Options::default());
    town.commit(town.user("u1")).expect("created");
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Everyone"
    });
    town.commit(town.create("Group", "g1", &group, &["u1"])).expect("created");
    let everything = |store: &SqliteStore| {
        let ask = |kind, filter| wait(store.query(&acme(), &town.query(kind, filter, ""))).expect("a page");
        let changes = wait(store.changes(&acme(), 0, 10)).expect("changes");
        (ask("User", r#"groups.value eq "g1""#), ask("Group", r#"displayName eq "everyone""#), changes)
    };
    let before = everything(&town.store);
    assert_eq!(before.0.total, Some(1));
    let file = town.file();
    let again = SqliteStore::open(&file, Options::default()).expect("opens while it is open");
    assert_eq!(everything(&again), before);
    assert_eq!(again.check().expect("a check"), [""; 0]);
    wait(again.commit(&acme(), town.user("u2"))).expect("created by the second");
    assert_eq!(wait(town.store.changes(&acme(), 2, 10)).expect("changes").len(), 1, "seen by the first");
}

/// What is written to a file that nobody can open any more would be acknowledged, and lost.
#[cfg(unix)]
#[test]
fn files_that_are_not_there_any_more_are_not_written_to() {
    let town = Town::new(Options::default());
    town.commit(town.user("first")).expect("created");
    let beside = |suffix: &str| town.directory.path().join(format!("scim.db{suffix}"));
    let assert_refused = |what: &str| {
        let refused = town.commit(town.user("lost"));
        assert!(
            matches!(refused, Err(CommitError::Store(StoreError::Unavailable(_)))),
            "{what}: {refused:?}"
        );
        let read = wait(town.store.get(&acme(), &["first"]));
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{what}: {read:?}");
        let walked = wait(town.store.changes(&acme(), 0, 10));
        assert!(matches!(walked, Err(StoreError::Unavailable(_))), "{what}: {walked:?}");
    };
    for (number, suffix) in ["", "-wal", "-shm"].into_iter().enumerate() {
        let (file, elsewhere) = (beside(suffix), beside("-elsewhere"));
        std::fs::rename(&file, &elsewhere).expect("moved");
        assert_refused(&format!("no {suffix}"));
        std::fs::copy(&elsewhere, &file).expect("copied");
        assert_refused(&format!("another {suffix}"));
        std::fs::rename(&elsewhere, &file).expect("moved back");
        town.commit(town.user(&format!("u{number}"))).expect("created, now that it is back");
    }
    // A folder may be moved, and be found under its old name.
    let (folder, moved) = (town.directory.path(), town.directory.path().with_extension("moved"));
    std::fs::rename(folder, &moved).expect("moved");
    assert_refused("no folder");
    std::os::unix::fs::symlink(&moved, folder).expect("a link");
    town.commit(town.user("linked")).expect("created");
    std::fs::remove_file(folder).expect("no link");
    std::fs::rename(&moved, folder).expect("moved back");
    assert_eq!(wait(town.store.changes(&acme(), 0, 10)).expect("changes").len(), 5);
    assert_eq!(town.store.check().expect("a check"), [""; 0]);
}

#[test]
fn all_is_in_the_file_once_nobody_has_it_open() {
    for round in 0..50 {
        let town = Town::new(Options::default());
        town.commit(town.user("u1")).expect("created");
        let file = town.file();
        let Town { store, directory, .. } = town;
        drop(store);
        let left: Vec<_> = std::fs::read_dir(directory.path()).expect("a directory").collect();
        assert_eq!(left.len(), 1, "beside {} after {round} rounds: {left:?}", file.display());
    }
}

/// SQLite leaves what is deleted where it was, until something else needs the room.
#[test]
fn what_is_deleted_is_not_in_the_file_any_more() {
    let town = Town::new(Options::default());
    let id = |number: u64| format!("{number:08}");
    // Names lie anywhere, so that pages of indexes are split and merged; some documents take more than a page.
    let name = |number: u64| format!("{:08x}-somebody", number.wrapping_mul(0x9e37_79b9) & 0xffff_ffff);
    let together = |operations: Vec<Operation>| {
        town.commit(Changeset { operations, ..Changeset::new(Timestamp(0)) }).expect("committed");
    };
    for numbers in [0..500, 500..1000, 1000..1500_u64] {
        let create = |number: u64| {
            let repeated = if number.is_multiple_of(50) { 600 } else { 1 };
            let document = json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name(number),
                "emails": [{ "value": format!("{}@example.com", name(number)) }],
                "title": name(number).repeat(repeated),
            });
            town.create("User", &id(number), &document, &[]).operations
        };
        together(numbers.flat_map(create).collect());
    }
    let is_deleted = |number: &u64| !number.is_multiple_of(3);
    let delete =
        |number| Operation::Delete { id: id(number), resource_type: "User".into(), guard: Guard::Exists };
    together((0..1500).filter(is_deleted).map(delete).collect());
    assert_eq!(town.store.check().expect("a check"), [""; 0]);
    let file = town.file();
    let Town { store, directory, .. } = town;
    // Whoever has it open last writes the log into it.
    drop(store);
    let bytes = std::fs::read(file).expect("reads");
    let found: BTreeSet<&[u8]> = bytes.windows(17).filter(|window| window.ends_with(b"-somebody")).collect();
    let is_found = |number: &u64| found.contains(name(*number).as_bytes());
    assert_eq!((0..1500).filter(|number| is_deleted(number) && is_found(number)).count(), 0, "left");
    assert_eq!((0..1500).filter(|number| !is_deleted(number) && !is_found(number)).count(), 0, "lost");
    drop(directory);
}

#[test]
fn a_file_that_a_later_version_has_changed_is_left_alone() {
    let town = Town::new(Options::default());
    town.commit(town.user("u1")).expect("created");
    let everybody = town.query("User", "displayName co \"x\"", "");
    wait(town.store.query(&acme(), &everybody)).expect("a page");
    stranger(&town.file()).execute_batch("PRAGMA user_version = 99").expect("runs");
    let check = |what: &str, error: StoreError| {
        assert!(matches!(error, StoreError::Unavailable(_)), "{what}: {error:?}");
        assert!(error.to_string().contains("the file has schema version 99"), "{what}: {error}");
    };
    let Err(CommitError::Store(error)) = town.commit(town.user("u2")) else { panic!("it was written") };
    check("a commit", error);
    check("a query", wait(town.store.query(&acme(), &everybody)).expect_err("a walk"));
    // A read may go on in a state of the file from before, for some milliseconds.
    let began = std::time::Instant::now();
    let error = loop {
        match wait(town.store.get(&acme(), &["u1"])) {
            Ok(_) => assert!(began.elapsed().as_secs() < 60, "it reads on"),
            Err(error) => break error,
        }
    };
    check("a read", error);
    stranger(&town.file()).execute_batch("PRAGMA user_version = 3").expect("runs");
    assert_eq!(wait(town.store.get(&acme(), &["u1", "u2"])).expect("as before").iter().flatten().count(), 1);
}

#[test]
fn what_is_not_ours_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let check = |name: &str, prepare: &dyn Fn(&std::path::Path), expected: &str| {
        let file = directory.path().join(name);
        prepare(&file);
        let error = SqliteStore::open(&file, Options::default()).expect_err(name);
        assert_eq!(error.to_string(), expected);
    };
    let run = |file: &std::path::Path, sql: &str| stranger(file).execute_batch(sql).expect("runs");
    check(
        "foreign.db",
        &|file| run(file, "CREATE TABLE t (a)"),
        "the file is a database, but not one of this software; choose another path",
    );
    check(
        "newer.db",
        &|file| {
            drop(SqliteStore::open(file, Options::default()).expect("opens"));
            run(file, "PRAGMA user_version = 99");
        },
        "the file has schema version 99, and this software knows up to 3; run the version that wrote it, or a later one",
    );
    check(
        "text.db",
        &|file| std::fs::write(file, "not a database, ".repeat(100)).expect("writes"),
        "the file cannot be opened: file is not a database",
    );
    for name in ["", ":memory:", "file:x?mode=memory"] {
        let error = SqliteStore::open(name, Options::default()).expect_err(name);
        assert_eq!(error.to_string(), "a store needs the path of a file; in memory nothing would be durable");
    }
    let error = SqliteStore::open(directory.path().join("no/such/directory.db"), Options::default());
    assert!(error.expect_err("no directory").to_string().starts_with("the file cannot be opened: "));
}

/// The view is for others: its columns are what `docs/operating.md` says, and mean that.
#[test]
fn applications_read_persons() {
    let town = Town::new(Options::default());
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Engines"
    });
    let text = |text: &str| Some(text.to_owned());
    let person = Person {
        first_name: text("Ada"),
        gender: Some(Gender::Female),
        active: true,
        extra: [("site".to_owned(), "London".to_owned())].into(),
        ..Person::default()
    };
    let mut changeset = town.user("u1");
    if let Some(Operation::Create { content, .. }) = changeset.operations.first_mut() {
        content.person = Some(Derived { person, pick: Some(Pick::Latest) });
    }
    town.commit(changeset).expect("created");
    town.commit(town.create("Group", "g1", &group, &["u1"])).expect("created");
    let reader = stranger(&town.file());
    let mut statement = reader.prepare("SELECT * FROM persons WHERE tenant = 'acme'").expect("prepares");
    let columns = statement.column_names().collect::<Vec<_>>().join(" ");
    assert_eq!(
        columns,
        "tenant id first_name last_name email gender academic_degree language locale user_group active extra version \
         modified pick"
    );
    let mut rows = statement.query([]).expect("runs");
    let row = rows.next().expect("a row").expect("one");
    let shown: Vec<String> =
        (0..15).map(|column| format!("{:?}", row.get_ref(column).expect("a value"))).collect();
    let value = |text: &str| format!("{:?}", rusqlite::types::ValueRef::Text(text.as_bytes()));
    let number = |number: i64| format!("{:?}", rusqlite::types::ValueRef::Integer(number));
    let null = || "Null".to_owned();
    let expected = [
        value("acme"),
        value("u1"),
        value("Ada"),
        null(),
        null(),
        value("female"),
        null(),
        null(),
        null(),
        value("Engines"),
        number(1),
        value(r#"{"site":"London"}"#),
        number(1),
        number(1_700_000_000_000),
        value("latest"),
    ];
    assert_eq!(shown, expected);
    assert!(rows.next().expect("the end").is_none());
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let town = Town::new(Options::default());
    town.commit(town.user("u1")).expect("created");
    for entry in std::fs::read_dir(town.directory.path()).expect("a directory") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
    }
}

/// `check` sees what SQLite cannot know to be wrong.
#[test]
fn what_does_not_belong_together_is_found() {
    let check = |sql: &str, expected: &str| {
        let town = Town::new(Options::default());
        town.commit(town.user("u1")).expect("created");
        stranger(&town.file()).execute_batch(sql).expect("runs");
        let found = town.store.check().expect("a check");
        assert!(found.iter().any(|line| line == expected), "{sql}: {found:?}");
    };
    check("DELETE FROM resource", "7 index entries of resources that do not exist");
    check("DELETE FROM resource", "1 unique values of resources that do not exist");
    check("INSERT INTO edge VALUES (9, 'u1', 1, 1)", "1 memberships of resources that do not exist");
    check("INSERT INTO edge VALUES (1, 'u2', 1, 1)", "1 memberships of resources that do not exist");
    check("INSERT INTO edge VALUES (1, 'u1', 1, 1)", "1 memberships that their members do not have");
    check("INSERT INTO membership VALUES (1, 'u1', 1, 1)", "1 memberships that their groups do not have");
    check("INSERT INTO edge VALUES (1, 'u1', 1, 2)", "1 memberships that were made by no change");
    check("UPDATE entry SET num = 2 WHERE leading = 0", "1 index entries of resources that do not exist");
    let person = "INSERT INTO person (tenant, id, active, extra) VALUES (1, 'x', 1, '{}')";
    check(person, "1 persons of resources that do not exist");
    check("UPDATE tenant SET reports = 1", "1 tenants whose reports are not counted right");
    check("UPDATE tenant SET open = 1", "1 tenants whose reports are not counted right");
    check("DELETE FROM change", "1 tenants whose log of changes has gaps");
    check("UPDATE tenant SET audited = 3", "1 tenants whose audit trail has gaps");
    check("UPDATE total SET count = 7", "1 totals that do not count what is there");
}
