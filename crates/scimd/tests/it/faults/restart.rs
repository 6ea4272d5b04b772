//! A Postgres that is restarted, and that loses its backends in the middle of commits.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::journal::Journal;
use super::state::verify;
use super::traffic::{Ending, Seen, Watch, Writer, groups};
use super::{FAST, TENANT, millis, seen, sized};
use crate::cluster::Cluster;
use crate::http::Client;
use crate::server::Place;

#[test]
fn postgres_restarts_and_loses_backends() {
    const ROW: &str = "restart";
    let cycles = sized(4, 20);
    let cluster = Cluster::start();
    let place = Place::in_this(cluster.database(), FAST);
    let token = place.tenant(TENANT, "generic");
    let journal = Journal::create(place.directory.path());
    let watch = Watch::default();
    let server = place.serve();
    let mut client = Client::new(server.address, &crate::server::base(TENANT), &token);
    let groups = groups(&mut client, 4);
    let ended = AtomicBool::new(false);
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| {
        let (groups, journal, watch) = (&groups, &journal, &watch);
        let writer = Writer { client: client.clone(), groups, journal, watch, reconnects: false };
        writer.multiply(16, scope, &ended);
        let _ending = Ending(&ended);
        for cycle in 0..cycles {
            let before = journal.count();
            journal.wait("for writes", |count| count.done > before.done + 50);
            if cycle % 2 == 0 {
                place.database().run(BACKENDS_END);
            } else {
                cluster.restart();
            }
            let (begun, before) = (Instant::now(), journal.count());
            journal.wait("for writes after Postgres is back", |count| count.done > before.done);
            slowest = slowest.max(begun.elapsed());
        }
    });
    let Seen { statuses, .. } = watch.only(&[200, 201, 204, 409, 503]);
    verify(&place.store, &mut client, &groups, &journal);
    let count = journal.count();
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
