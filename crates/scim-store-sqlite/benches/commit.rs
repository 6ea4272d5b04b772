//! What it is worth that many writers share a sync: to the store, and to SQLite alone, which says how much of it this disk
//! allows. All files are on one disk.
//!
//! ```sh
//! cargo bench -p scim-store-sqlite
//! ```
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a measurement fails by panicking")]

use scim_store_sqlite::{Options, SqliteStore};

mod bare;
mod sharing;

fn main() {
    // `cargo test --benches` asks for no measurement.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    // Not the directory for temporary files, which may have no disk under it.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let open = |file: &str, batch| {
        SqliteStore::open(directory.path().join(file), Options { batch, ..Options::default() })
            .expect("opens")
    };
    let (alone, shared) = (open("alone.db", 1), open("shared.db", Options::default().batch));
    sharing::measure(Box::new(alone), vec![("shared", Box::new(shared))]);
    bare::measure(directory.path());
}
