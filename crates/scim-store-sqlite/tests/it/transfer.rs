//! Tenants moved from one file into another.

use std::sync::Arc;

use scim_store::conformance::{transfer_cases, wait};
use scim_store::transfer::{Portable, copy, verify};
use scim_store_sqlite::{Options, SqliteStore};

use crate::people::{Town, acme, stranger};

#[test]
fn files_can_be_moved() {
    for case in transfer_cases() {
        let directory = tempfile::tempdir().expect("a directory");
        let open = |name: &str| {
            Arc::new(SqliteStore::open(directory.path().join(name), Options::default()).expect("opens"))
        };
        let (from, to) = (open("from.db"), open("to.db"));
        println!("{}", case.name);
        case.run(Arc::clone(&from) as _, Arc::clone(&to) as _);
        for store in [from, to] {
            assert_eq!(store.check().expect("a check"), [""; 0], "{}", case.name);
        }
    }
}

#[test]
fn rows_that_no_resource_lists_are_missed() {
    let (here, there) = (Town::new(Options::default()), Town::new(Options::default()));
    here.commit(here.user("u1")).expect("created");
    wait(copy(&here.store, &there.store, &acme(), &mut |_| {})).expect("copied");
    let check = |sql: &str, expected: &str| {
        stranger(&there.file()).execute_batch(sql).expect("runs");
        let found = wait(verify(&here.store, &there.store, &acme(), &mut |_| {})).expect_err("differs");
        assert!(found.to_string().contains(expected), "{found}");
    };
    check("DELETE FROM claim", "unique values: 1 and 0");
    check("DELETE FROM entry WHERE leading = 1", "index entries");
}

#[test]
fn a_copy_waits_for_whoever_writes_and_not_for_ever() {
    let (here, there) = (Town::new(Options::default()), Town::new(Options::default()));
    here.commit(here.user("u1")).expect("created");
    let options = Options { wait: std::time::Duration::from_millis(10), ..Options::default() };
    let impatient = SqliteStore::open(there.file(), options).expect("opens");
    let file = stranger(&there.file());
    file.execute_batch("BEGIN IMMEDIATE").expect("begins");
    let refused = wait(copy(&here.store, &impatient, &acme(), &mut |_| {})).expect_err("busy");
    assert!(refused.to_string().contains("the store is not available"), "{refused}");
    assert!(!wait(impatient.holdings(&acme())).expect("holdings").is_unfinished());
    file.execute_batch("ROLLBACK").expect("ends");
    wait(copy(&here.store, &impatient, &acme(), &mut |_| {})).expect("copied");
}
