use std::fs;
use std::io::Write;

use scim_core::time::Timestamp;
use scim_store::conformance::wait;
use scim_store::{AuditEntry, Changeset, Store, Tenant};

use crate::store::FileStore;

/// A changeset that is an audit entry alone.
fn note(action: &str) -> Changeset {
    let entry = AuditEntry {
        actor: "test".to_owned(),
        request: "1".to_owned(),
        action: action.to_owned(),
        status: 400,
        detail: String::new(),
    };
    Changeset { audit: Some(entry), ..Changeset::new(Timestamp(1_700_000_000_000)) }
}

fn notes(store: &FileStore, tenant: &Tenant) -> Vec<String> {
    let audit = wait(store.audit(tenant, 0, 10)).expect("an answer");
    audit.into_iter().map(|audited| audited.entry.action).collect()
}

#[test]
fn half_a_line_is_no_commit() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("torn.jsonl");
    let tenant = Tenant::new("acme").expect("a name");
    let store = FileStore::open(&file).expect("opens");
    wait(store.commit(&tenant, note("one"))).expect("commits");
    wait(store.commit(&Tenant::system(), note("other"))).expect("commits");
    drop(store);
    let mut torn = fs::OpenOptions::new().append(true).open(&file).expect("opens");
    torn.write_all(br#"{"tenant":"acme","at":1"#).expect("writes");
    drop(torn);
    let store = FileStore::open(&file).expect("opens");
    wait(store.commit(&tenant, note("two"))).expect("commits");
    drop(store);
    let store = FileStore::open(&file).expect("opens");
    assert_eq!(notes(&store, &tenant), ["one", "two"]);
    assert_eq!(notes(&store, &Tenant::system()), ["other"]);
}

#[test]
fn a_file_is_opened_once_and_only_if_it_is_ours() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("open.jsonl");
    let store = FileStore::open(&file).expect("opens");
    assert!(FileStore::open(&file).is_err(), "it is open");
    drop(store);
    for text in ["something else", "something else\n", "{\"tenant\":7}\n"] {
        fs::write(&file, text).expect("writes");
        assert!(FileStore::open(&file).is_err(), "it is not ours");
        assert_eq!(fs::read_to_string(&file).expect("reads"), text);
    }
}
