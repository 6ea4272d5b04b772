//! A Postgres that is restarted, and that loses its backends in the middle of commits.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::journal::Journal;
use super::state::verify;
use super::traffic::{Ending, Seen, Watch, Writer, groups};
use super::{FAST, TENANT, millis, not_run, place, postgres, seen, sized};
use crate::http::Client;
use crate::server::Place;

#[test]
fn postgres_restarts_and_loses_backends() {
    const ROW: &str = "restart";
    let cycles = sized(3, 20);
    if let Err(why) = postgres() {
        return not_run(ROW, why);
    }
    let Ok(cluster) = std::env::var("FAULTS_POSTGRES") else {
        return not_run(
            ROW,
            "FAULTS_POSTGRES must name the folder of the cluster, so that it can be restarted",
        );
    };
    let place = place(FAST);
    let token = place.tenant(TENANT, "generic");
    let journal = Journal::create(place.directory.path());
    let watch = Watch::default();
    let server = place.serve();
    let mut client = Client::new(server.address, &crate::server::base(TENANT), &token);
    let groups = groups(&mut client, 4);
    let ended = AtomicBool::new(false);
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| {
        for number in 0..16 {
            let (client, groups, journal, watch) = (client.clone(), &groups, &journal, &watch);
            let ended = &ended;
            scope.spawn(move || {
                let writer = Writer { client, groups, journal, watch, reconnects: false };
                writer.run(&format!("w{number}"), || ended.load(Ordering::Relaxed))
            });
        }
        let _ending = Ending(&ended);
        for cycle in 0..cycles {
            let before = journal.count();
            journal.wait("for writes", |count| count.done > before.done + 50);
            if cycle % 2 == 0 {
                kill_backends(&place);
            } else {
                cluster_script("stop", &cluster);
                cluster_script("start", &cluster);
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
fn kill_backends(place: &Place) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> \
               pg_backend_pid()";
    let status = Command::new("psql").arg(place.store.to_string()).args(["-qAtc", sql]).output();
    assert!(status.expect("psql runs").status.success(), "backends cannot be killed");
}

/// Starts or stops the cluster as `scripts/postgres.sh` does.
fn cluster_script(what: &str, cluster: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/postgres.sh");
    let status = Command::new(script).args([what, cluster]).status().expect("the script runs");
    assert!(status.success(), "scripts/postgres.sh {what} {cluster}");
}
