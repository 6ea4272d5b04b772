//! A store of one's own, and the suite that holds it to what every store must do.
//!
//! usage: `own_store`
//!
//! [`FileStore`] is given to a service like any other: `Service::new(Arc::new(FileStore::open(path)?), …)`.
//! What makes it a store is in `store.rs`, what it keeps and answers in `state.rs` and `reports.rs`, what it
//! writes in `journal.rs` and `forms.rs`. This program runs `scim_store::conformance` against it, and opens every file once more to
//! see that nothing was lost.

mod forms;
mod journal;
mod reports;
mod state;
mod store;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;

use scim_store::conformance;

use self::store::FileStore;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    for (number, case) in conformance::cases().enumerate() {
        let file = folder.path().join(format!("{number}.jsonl"));
        let store = Arc::new(FileStore::open(&file)?);
        case.run(Arc::clone(&store) as _);
        let before = Arc::into_inner(store).ok_or("the case keeps the store")?.into_tenants();
        if FileStore::open(&file)?.into_tenants() != before {
            return Err(format!("{}: the file holds something else than the store", case.name).into());
        }
        println!("holds: {}", case.name);
    }
    Ok(())
}
