//! `kill -9` in the middle of sixteen writers, again and again: every 2xx is durable.

use std::time::{Duration, Instant};

use super::journal::Journal;
use super::state::verify;
use super::traffic::{End, Watch, Writer, groups};
use super::{FAST, TENANT, millis, seen, sized};
use crate::server::{Place, Server};

const WRITERS: usize = 16;

#[test]
fn killed_under_writers() {
    let (kills, writes) = sized((20, 100), (100, 200));
    let place = Place::new(FAST);
    let token = place.tenant(TENANT, "generic");
    let journal = Journal::create(place.directory.path());
    let watch = Watch::default();
    let mut server = Server { process: place.serve(), place };
    let groups = groups(&mut server.client(TENANT, &token), 4);

    let mut slowest = Duration::ZERO;
    for round in 0..kills {
        let client = server.client(TENANT, &token);
        let before = journal.count();
        let Server { process, place } = server;
        std::thread::scope(|scope| {
            for number in 0..WRITERS {
                let (client, groups, journal, watch) = (client.clone(), &groups, &journal, &watch);
                let writer = Writer { client, groups, journal, watch, reconnects: false };
                scope.spawn(move || {
                    let end = writer.run(&format!("r{round}w{number}"), || false);
                    assert!(!matches!(end, End::Told));
                });
            }
            journal.wait("for acknowledgements", |count| count.done >= before.done + writes);
            assert_eq!(journal.count().ended, before.ended, "a writer ended before the server was killed");
            process.kill();
        });
        let begun = Instant::now();
        server = Server { process: place.serve(), place };
        let mut client = server.client(TENANT, &token);
        client.get("/Users?count=0").expect(200);
        slowest = slowest.max(begun.elapsed());
        verify(&server.place.store, &mut client, &groups, &journal);
    }
    watch.only(&[200, 201, 204, 409]);
    let count = journal.count();
    seen(
        "kill",
        format_args!(
            "{kills} kills under {WRITERS} writers, {} acknowledged, {} refused, {} unknown; 0 lost; first answer after {} \
             at most",
            count.done,
            count.refused,
            count.unknown,
            millis(slowest)
        ),
    );
}
