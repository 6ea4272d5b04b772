//! More than the store lets wait: those are refused at once, and what needs nothing of it lives. In SQLite that are writes,
//! for which there is a queue; in PostgreSQL whatever finds all connections taken.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::journal::{Intent, Journal};
use super::lock::{Held, Part};
use super::state::verify;
use super::traffic::{Ending, Watch, Writer, groups};
use super::{TENANT, millis, not_run, on_postgres, seen};
use crate::http::Client;
use crate::observing::{counted, until_ready};
use crate::server::{PATIENCE, Place, Server};

const ROW: &str = "exhausted";
/// More than one transaction takes and the queue holds.
const CLIENTS: usize = 1600;
/// As many as one transaction takes and the queue holds.
const ROOM: usize = 256 + 1024;
/// Several times as many as there are connections.
const READERS: usize = 64;
const WRITERS: usize = 8;

/// Nobody is stopped for being fast, and health can be asked for.
const OBSERVED: &str = "[limits]\nrequests_per_second = 1000000\n[metrics]\nlisten = \"127.0.0.1:0\"";

#[test]
fn the_queue_of_writes_is_full() {
    if on_postgres() {
        return;
    }
    scimd::descriptors::raise_limit();
    let place = Place::new(OBSERVED);
    let token = place.tenant(TENANT, "generic");
    let journal = Journal::create(place.directory.path());
    let watch = Watch::default();
    let server = Server { process: place.serve(), place };
    let observer = server.process.metrics();
    let mut client = server.client(TENANT, &token);
    let held = Held::by_another(&server.place, Part::File);
    let sent = AtomicUsize::new(0);
    let (mut probes, mut taken) = (Vec::new(), 0);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (client, journal, watch, sent) = (client.clone(), &journal, &watch, &sent);
            let thread = std::thread::Builder::new().stack_size(256 << 10);
            let write = move || {
                let mut writer = Writer { client, groups: &[], journal, watch, reconnects: true };
                sent.fetch_add(1, Ordering::Relaxed);
                let name = format!("u{number}");
                writer.send(&Intent::Create { given: format!("G {name}"), name }).expect("an answer");
                journal.end();
            };
            thread.spawn_scoped(scope, write).expect("a thread");
        }
        let mut observing = Client::bare(observer, "");
        let since = Instant::now();
        while journal.count().unknown == 0 {
            assert!(since.elapsed() < PATIENCE, "nothing is refused: {:?}", journal.count());
            taken = taken.max(counted(&observing.get("/metrics"), "scimd_requests_in_flight"));
        }
        // The queue is full: what comes now is refused without waiting for anything.
        for path in ["/healthz", "/readyz", "/metrics"] {
            probes.push((path, probe(observer, path, 200)));
        }
        let begun = Instant::now();
        client.get("/Users?count=0").expect(200);
        probes.push(("a read", begun.elapsed()));
        held.release();
    });
    let (_, err) = server.process.printed();
    let seen_by_clients = watch.only(&[201, 503]);
    verify(&server.place.store, &mut client, &[], &journal);
    if !err.contains("too many changes wait already") {
        assert!(taken <= ROOM as u64, "{taken} writes waited, and none was refused");
        return not_run(ROW, "on a machine that does not take so many writes while the first of them waits");
    }
    seen(
        ROW,
        format_args!(
            "{CLIENTS} writes at once while the file was held: {:?}; meanwhile {}",
            seen_by_clients.statuses,
            told(&probes)
        ),
    );
}

#[test]
fn all_connections_are_taken() {
    if !on_postgres() {
        return;
    }
    let place = Place::new(OBSERVED);
    let token = place.tenant(TENANT, "generic");
    let journal = Journal::create(place.directory.path());
    let watch = Watch::default();
    let server = Server { process: place.serve(), place };
    let observer = server.process.metrics();
    let mut client = server.client(TENANT, &token);
    let groups = groups(&mut client, 2);
    let ended = AtomicBool::new(false);
    let mut probes = Vec::new();
    let mut waits = Vec::new();
    std::thread::scope(|scope| {
        let (groups, journal, watch) = (&groups, &journal, &watch);
        let writer = Writer { client: client.clone(), groups, journal, watch, reconnects: false };
        writer.multiply(WRITERS, scope, &ended);
        let _ending = Ending(&ended);
        journal.wait("for writes", |count| count.done > 50);
        let held = Held::by_another(&server.place, Part::Everything);
        let before = journal.count();
        // Lists are not let have all connections.
        let paths = ["/Users?count=1".to_owned(), format!("/Groups/{}", groups[0])];
        let readers: Vec<_> = (0..READERS)
            .map(|number| {
                let (mut client, path) = (client.clone(), paths[number % paths.len()].clone());
                scope.spawn(move || {
                    let begun = Instant::now();
                    let answer = client.get(&path);
                    assert_eq!(answer.status, 503, "{}", answer.text());
                    assert!(answer.header("retry-after").is_some(), "when to come again");
                    begun.elapsed()
                })
            })
            .collect();
        // Some wait for the table and have all connections; the others are not let wait for those.
        server.process.wait_for("that all are taken", |_, err| err.find("all connections are busy"));
        for (path, status) in [("/healthz", 200), ("/readyz", 503), ("/metrics", 200)] {
            probes.push((path, probe(observer, path, status)));
        }
        waits = readers.into_iter().map(|reader| reader.join().expect("no panic")).collect();
        journal.wait("for writers to be told", |count| count.unknown >= before.unknown + WRITERS);
        held.release();
        let before = journal.count();
        journal.wait("for writes after it was released", |count| count.done > before.done + 50);
        until_ready(&mut Client::bare(observer, ""));
        client.get("/Users?count=1").expect(200);
    });
    let seen_by_writers = watch.only(&[200, 201, 204, 409, 503]);
    verify(&server.place.store, &mut client, &groups, &journal);
    waits.sort();
    seen(
        ROW,
        format_args!(
            "{READERS} readers while a table was held, each told 503 after {} to {}; meanwhile {}; writers {:?}; 0 lost",
            millis(waits[0]),
            millis(waits[READERS - 1]),
            told(&probes),
            seen_by_writers.statuses
        ),
    );
}

/// Asks for health or metrics, and gives how long that took. Where the machine does not let the store show in time that it
/// answers, it is asked again.
#[track_caller]
fn probe(observer: SocketAddr, path: &str, status: u16) -> Duration {
    let begun = Instant::now();
    Client::bare(observer, "").get_until("asked", path, |answer| answer.status == status);
    begun.elapsed()
}

fn told(probes: &[(&str, Duration)]) -> String {
    let told: Vec<String> = probes.iter().map(|(what, took)| format!("{what} {}", millis(*took))).collect();
    told.join(", ")
}
