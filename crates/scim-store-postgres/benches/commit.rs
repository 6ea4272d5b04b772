//! What it is worth that many writers of a tenant share a transaction, on one server and on two that take turns. All databases
//! are on one database server, as many microseconds away as is asked for.
//!
//! ```sh
//! cargo bench -p scim-store-postgres
//! SCIM_BENCH_DISTANCE=400 cargo bench -p scim-store-postgres
//! ```
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a measurement fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use scim_store::{Changeset, CommitError, Committed, Pending, Store, Tenant, pass_on};
use scim_store_postgres::{Options, PostgresStore};

use crate::cluster::Database;

#[path = "../tests/it/cluster.rs"]
#[expect(dead_code, reason = "a measurement needs less of it than the tests")]
mod cluster;
mod distance;
#[path = "../../scim-store-sqlite/benches/sharing/mod.rs"]
mod sharing;

fn main() {
    // `cargo test --benches` asks for no measurement.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let [one, another, third] = [Database::new(), Database::new(), Database::new()];
    let distance = std::env::var("SCIM_BENCH_DISTANCE").map_or(0, |text| text.parse().expect("microseconds"));
    let place = match distance {
        0 => None,
        _ => Some(distance::to(cluster::socket_path(cluster::superuser()), Duration::from_micros(distance))),
    };
    let open_with = |database: &Database, options: Options| match place {
        None => database.open(options),
        Some(port) => {
            let address = database.through("127.0.0.1", port, "sslmode=disable");
            PostgresStore::open(&address, options).expect("opens")
        }
    };
    let open = |database: &Database| open_with(database, Options::default());
    let alone = open_with(&one, Options { batch: 1, ..Options::default() });
    let turns = Turns { servers: [open(&third), open(&third)], writes: AtomicUsize::new(0) };
    sharing::measure(
        Box::new(alone),
        vec![("shared", Box::new(open(&another))), ("two servers", Box::new(turns))],
    );
}

/// Two servers on one database, and a balancer that gives each write to the other one.
struct Turns {
    servers: [PostgresStore; 2],
    writes: AtomicUsize,
}

impl Store for Turns {
    pass_on!(self => &self.servers[0]; get, query, edges, crowded, persons, changes, audit, reports);

    fn commit<'a>(&'a self, tenant: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError> {
        self.servers[self.writes.fetch_add(1, Ordering::Relaxed) % 2].commit(tenant, changeset)
    }
}
