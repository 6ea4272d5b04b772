//! More writes than the store lets wait: those are refused at once, and health, reads and the rest live.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::journal::{Intent, Journal};
use super::lock::{Held, file};
use super::state::verify;
use super::traffic::{Watch, Writer};
use super::{TENANT, millis, only_sqlite, seen};
use crate::http::Client;
use crate::server::{Place, Server};

const ROW: &str = "exhausted";
/// More than one transaction takes and the queue holds.
const CLIENTS: usize = 1600;

#[test]
fn the_queue_of_writes_is_full() {
    if !only_sqlite(ROW) {
        return;
    }
    scimd::signal::raise_descriptor_limit();
    let place = Place::new("[limits]\nrequests_per_second = 1000000\n[metrics]\nlisten = \"127.0.0.1:0\"");
    let token = place.tenant(TENANT, "generic");
    let journal = Journal::create(place.directory.path());
    let watch = Watch::default();
    let server = Server { process: place.serve(), place };
    let observer = server.process.wait_for("where metrics are", |_, err| {
        let mut lines = err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find_map(|event| event["metrics"].as_str()?.parse().ok())
    });
    let mut client = server.client(TENANT, &token);
    let held = Held::by_another(file(&server.place.store));
    let sent = AtomicUsize::new(0);
    let mut probes = Vec::new();
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
        journal.wait("for refusals", |count| count.unknown > 0);
        // The queue is full: what comes now is refused without waiting for anything.
        for (what, target, path) in [
            ("healthz", observer, "/healthz"),
            ("readyz", observer, "/readyz"),
            ("metrics", observer, "/metrics"),
        ] {
            let begun = Instant::now();
            assert_eq!(Client::bare(target, "").get(path).status, 200, "{path}");
            probes.push((what, begun.elapsed()));
        }
        let begun = Instant::now();
        client.get("/Users?count=0").expect(200);
        probes.push(("a read", begun.elapsed()));
        held.release();
    });
    let (_, err) = server.process.printed();
    assert!(err.contains("too many changes wait already"), "the queue was never full");
    let seen_by_clients = watch.only(&[201, 503]);
    verify(&server.place.store, &mut client, &[], &journal);
    let probes: Vec<String> =
        probes.iter().map(|(what, took): &(&str, Duration)| format!("{what} {}", millis(*took))).collect();
    seen(
        ROW,
        format_args!(
            "{CLIENTS} writes at once while the file was held: {:?}; meanwhile {}",
            seen_by_clients.statuses,
            probes.join(", ")
        ),
    );
}
