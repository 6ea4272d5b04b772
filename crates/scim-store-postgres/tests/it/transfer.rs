//! Tenants moved from one database into another, and what only a database can do to a copy.

use std::sync::Arc;

use scim_store::conformance::{transfer_cases, wait};
use scim_store::transfer::{Portable, copy, verify};

use crate::cluster::{Database, patient};
use crate::people::{Town, acme};

#[test]
fn databases_can_be_moved() {
    let (here, there) = (Database::new(), Database::new());
    for case in transfer_cases() {
        let open = |database: &Database| {
            database.clear();
            Arc::new(database.open(patient()))
        };
        let (from, to) = (open(&here), open(&there));
        println!("{}", case.name);
        case.run(Arc::clone(&from) as _, Arc::clone(&to) as _);
        for (store, database) in [(from, &here), (to, &there)] {
            assert_eq!(store.check(&database.tenants()).expect("a check"), [""; 0], "{}", case.name);
        }
    }
}

#[test]
fn rows_that_no_resource_lists_are_missed() {
    let (here, there) = (Town::new(patient()), Town::new(patient()));
    here.commit(here.user("u1")).expect("created");
    wait(copy(&here.store, &there.store, &acme(), &mut |_| {})).expect("copied");
    let check = |sql: &str, expected: &str| {
        there.database.run(sql);
        let found = wait(verify(&here.store, &there.store, &acme(), &mut |_| {})).expect_err("differs");
        assert!(found.to_string().contains(expected), "{found}");
    };
    check("DELETE FROM scim.claim", "unique values: 1 and 0");
    check("DELETE FROM scim.entry WHERE leads", "index entries");
}

#[test]
fn a_copy_whose_connection_is_cut_can_be_gone_on_with() {
    let (here, there) = (Town::new(patient()), Town::new(patient()));
    for number in 0..100 {
        here.commit(here.user(&format!("u{number}"))).expect("created");
    }
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'scimd'
        AND datname = current_database()";
    let mut lots = 0;
    let copied = wait(copy(&here.store, &there.store, &acme(), &mut |_| {
        lots += 1;
        if lots == 2 {
            there.database.run(cut);
        }
    }));
    // A connection of the pool that is found to be broken is replaced, or the copy ends here and goes on below.
    if let Err(error) = copied {
        assert!(error.to_string().contains("the store to copy to: the store is not available"), "{error}");
        assert!(wait(there.store.holdings(&acme())).expect("holdings").is_unfinished());
    }
    wait(copy(&here.store, &there.store, &acme(), &mut |_| {})).expect("copied");
    assert_eq!(there.store.check(&[acme()]).expect("a check"), [""; 0]);
}
