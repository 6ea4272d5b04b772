//! What it is worth that many writers of a tenant share a transaction. Both stores are on one database server.
//!
//! ```sh
//! cargo bench -p scim-store-postgres
//! ```
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a measurement fails by panicking")]

use scim_store_postgres::Options;

use crate::cluster::Database;

#[path = "../tests/it/cluster.rs"]
#[expect(dead_code, reason = "a measurement needs less of it than the tests")]
mod cluster;
#[path = "../../scim-store-sqlite/benches/sharing/mod.rs"]
mod sharing;

fn main() {
    // `cargo test --benches` asks for no measurement.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let (one, other) = (Database::new(), Database::new());
    let open = |database: &Database, batch| database.open(Options { batch, ..Options::default() });
    sharing::measure(open(&one, 1), open(&other, Options::default().batch));
}
