//! The suite that every store runs, and our own check of the file after each case.

use std::sync::Arc;

use scim_store::conformance;
use scim_store_sqlite::{Options, SqliteStore};

#[test]
fn sqlite_store_conforms() {
    for case in conformance::cases() {
        let directory = tempfile::tempdir().expect("a directory");
        let store =
            Arc::new(SqliteStore::open(directory.path().join("scim.db"), Options::default()).expect("opens"));
        println!("{}", case.name);
        case.run(Arc::clone(&store) as _);
        assert_eq!(store.check().expect("a check"), [""; 0], "{}", case.name);
    }
}
