//! The in-memory store against the suite.

use std::sync::Arc;

use scim_store::{MemoryStore, conformance};

#[test]
fn memory_store_conforms() {
    conformance::run(|| Arc::new(MemoryStore::new()));
}
