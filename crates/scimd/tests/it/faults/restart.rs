//! A Postgres that is restarted, and that loses its backends in the middle of commits.

use std::time::{Duration, Instant};

use super::stage::Stage;
use super::{FAST, millis, seen, sized};
use crate::cluster::Cluster;
use crate::server::Place;

#[test]
fn postgres_restarts_and_loses_backends() {
    const ROW: &str = "restart";
    let cycles = sized(4, 20);
    let cluster = Cluster::start();
    let stage = Stage::new(Place::in_this(cluster.database(), FAST), 4);
    let mut slowest = Duration::ZERO;
    stage.act(16, |journal| {
        for cycle in 0..cycles {
            let before = journal.count();
            journal.wait("for writes", |count| count.done > before.done + 50);
            if cycle % 2 == 0 {
                stage.server.place.database().run(BACKENDS_END);
            } else {
                cluster.restart();
            }
            let (begun, before) = (Instant::now(), journal.count());
            journal.wait("for writes after Postgres is back", |count| count.done > before.done);
            slowest = slowest.max(begun.elapsed());
        }
    });
    let statuses = stage.verify(&[200, 201, 204, 409, 503]).statuses;
    let count = stage.journal.count();
    seen(
        ROW,
        format_args!(
            "{cycles} times, {} acknowledged, {} unknown; answers {statuses:?}; writes again after {} at most; 0 lost, 0 twice",
            count.done,
            count.unknown,
            millis(slowest)
        ),
    );
}

/// Ends every session of the database but the one that asks for it.
const BACKENDS_END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";
