//! A PostgreSQL whose own log has no room left: it ends all sessions in the middle of commits, cannot recover, and ends. It is
//! started again when there is room, as whatever manages services would; the server has to find that out by itself.

use std::time::{Duration, Instant};

use super::disk::Disk;
use super::stage::Stage;
use super::{FAST, millis, not_run, seen, sized};
use crate::cluster::{self, Cluster};
use crate::server::Place;

#[test]
fn postgres_has_no_room_for_its_log() {
    const ROW: &str = "log";
    let cycles = sized(1, 20);
    let directory = cluster::directory();
    let disk = match Disk::mount(&directory, "log") {
        Ok(disk) => disk,
        Err(why) => return not_run(ROW, why),
    };
    let cluster = Cluster::start_in(directory);
    // What is kept of it to be used again is what is written before there is no room.
    cluster::run(&cluster.superuser, "ALTER SYSTEM SET min_wal_size = '2MB'");
    cluster.restart();
    let running = cluster.directory.join("data/postmaster.pid");
    let stage = Stage::new(Place::in_this(cluster.database(), FAST), 4);
    let mut client = stage.client();
    let mut slowest = Duration::ZERO;
    stage.act(16, |journal| {
        for _ in 0..cycles {
            let before = journal.count();
            journal.wait("for writes", |count| count.done > before.done + 50);
            disk.fill();
            // It may come back a few times, as long as there are files of its log that it can use again.
            journal.wait("for PostgreSQL to end", |_| !running.exists());
            for path in ["/Users?count=0", &format!("/Groups/{}", stage.groups[0])] {
                let answer = client.get(path);
                assert!(answer.status == 503 && answer.header("retry-after").is_some(), "{answer:?}");
            }
            disk.free();
            let before = journal.count();
            cluster.restart();
            let begun = Instant::now();
            journal.wait("for writes after there is room again", |count| count.done > before.done);
            slowest = slowest.max(begun.elapsed());
        }
    });
    let statuses = stage.verify(&[200, 201, 204, 409, 503, 507]).statuses;
    assert_eq!(stage.server.place.faults(), [""; 0]);
    let count = stage.journal.count();
    seen(
        ROW,
        format_args!(
            "{cycles} times full, {} acknowledged, {} unknown; answers {statuses:?}; writes again {} after PostgreSQL had started, \
             at most; 0 lost, 0 twice",
            count.done,
            count.unknown,
            millis(slowest)
        ),
    );
}
