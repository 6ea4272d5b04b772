//! Another process writes to the SQLite file and does not end: writers wait for a bounded time and are told to come
//! again, readers notice nothing.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use scimd::config::StoreUrl;

use super::journal::Journal;
use super::state::verify;
use super::traffic::{Ending, Watch, Writer, groups};
use super::{FAST, TENANT, millis, only_sqlite, seen, sized};
use crate::server::{Place, Server};

const ROW: &str = "lock";
const WRITERS: usize = 8;

/// The file, held as by somebody who writes.
pub(super) struct Held(Connection);

impl Held {
    pub(super) fn by_another(file: &Path) -> Self {
        let connection = Connection::open(file).expect("the database opens");
        connection.busy_timeout(Duration::from_secs(60)).expect("a timeout");
        connection.execute_batch("BEGIN IMMEDIATE").expect("the lock");
        Self(connection)
    }

    pub(super) fn release(self) {
        self.0.execute_batch("ROLLBACK").expect("it ends");
    }
}

/// The SQLite file of a store.
#[track_caller]
pub(super) fn file(store: &StoreUrl) -> &Path {
    match store {
        StoreUrl::Sqlite(file) => file,
        other => panic!("{other} is no SQLite file"),
    }
}

#[test]
fn another_writer_holds_the_file() {
    let least = sized(Duration::ZERO, Duration::from_secs(30));
    if !only_sqlite(ROW) {
        return;
    }
    let place = Place::new(FAST);
    let token = place.tenant(TENANT, "generic");
    let journal = Journal::create(place.directory.path());
    let watch = Watch::default();
    let server = Server { process: place.serve(), place };
    let mut client = server.client(TENANT, &token);
    let groups = groups(&mut client, 2);
    let ended = AtomicBool::new(false);
    let mut reads = 0;
    std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let (client, groups, journal, watch) = (client.clone(), &groups, &journal, &watch);
            let ended = &ended;
            scope.spawn(move || {
                let writer = Writer { client, groups, journal, watch, reconnects: false };
                writer.run(&format!("w{number}"), || ended.load(Ordering::Relaxed))
            });
        }
        let ending = Ending(&ended);
        journal.wait("for writes", |count| count.done > 50);
        let held = Held::by_another(file(&server.place.store));
        let (begun, before) = (Instant::now(), journal.count());
        // Every writer is told once; until then, and for as long as the row wants, there are reads.
        while journal.count().unknown < before.unknown + WRITERS || begun.elapsed() < least {
            client.get("/Users?count=1").expect(200);
            reads += 1;
            assert!(begun.elapsed() < Duration::from_secs(100), "nobody is told: {:?}", journal.count());
        }
        held.release();
        let before = journal.count();
        journal.wait("for writes after it was released", |count| count.done > before.done + 50);
        drop(ending);
    });
    let seen_by_writers = watch.only(&[200, 201, 204, 409, 503]);
    verify(&server.place.store, &mut client, &groups, &journal);
    seen(
        ROW,
        format_args!(
            "answers {:?}; the longest wait {}; {reads} reads meanwhile; 0 lost",
            seen_by_writers.statuses,
            millis(seen_by_writers.slowest)
        ),
    );
}
