//! Somebody else holds what a server wants to write and does not let go: another process the SQLite file, another session
//! the tenant's row or a table in PostgreSQL. Writers wait for a bounded time and are told to come again, readers notice
//! nothing, and neither does another tenant whose row is not held.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use scimd::config::StoreUrl;

use super::journal::Journal;
use super::state::verify;
use super::traffic::{Ending, Watch, Writer, groups};
use super::{FAST, TENANT, millis, on_postgres, seen, sized};
use crate::cluster::{Session, superuser_of};
use crate::messages::user;
use crate::server::{PATIENCE, Place, Server};

const ROW: &str = "lock";
const WRITERS: usize = 8;

/// What somebody else can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The SQLite file, as whoever writes to it does.
    File,
    /// The row that writers of the tenant lock in PostgreSQL.
    Row,
    /// A table that is written, as by whoever makes an index.
    Table,
    /// A table that everybody reads.
    Everything,
}

/// Something that is held by somebody else.
pub(crate) enum Held {
    File(Connection),
    Database(Session),
}

impl Held {
    pub(crate) fn by_another(place: &Place, part: Part) -> Self {
        let sql = match part {
            Part::File => {
                let StoreUrl::Sqlite(file) = &place.store else {
                    panic!("{} is no SQLite file", place.store)
                };
                let connection = Connection::open(file).expect("the database opens");
                connection.busy_timeout(Duration::from_secs(60)).expect("a timeout");
                connection.execute_batch("BEGIN IMMEDIATE").expect("the lock");
                return Self::File(connection);
            }
            Part::Row => format!("SELECT FROM scim.tenant WHERE name = '{TENANT}' FOR UPDATE"),
            Part::Table => "LOCK TABLE scim.entry IN SHARE MODE".to_owned(),
            Part::Everything => "LOCK TABLE scim.resource IN ACCESS EXCLUSIVE MODE".to_owned(),
        };
        let session = superuser_of(place.database());
        session.run(&format!("BEGIN; {sql}"));
        Self::Database(session)
    }

    pub(crate) fn release(self) {
        match self {
            Self::File(connection) => connection.execute_batch("ROLLBACK").expect("it ends"),
            Self::Database(session) => session.run("ROLLBACK"),
        }
    }
}

#[test]
fn somebody_else_holds_what_is_written() {
    let least = sized(Duration::ZERO, Duration::from_secs(30));
    let parts = if on_postgres() { &[Part::Row, Part::Table][..] } else { &[Part::File] };
    let place = Place::new(FAST);
    let token = place.tenant(TENANT, "generic");
    let beside = place.tenant("beside", "generic");
    let journal = Journal::create(place.directory.path());
    let watch = Watch::default();
    let server = Server { process: place.serve(), place };
    let mut client = server.client(TENANT, &token);
    let mut beside = server.client("beside", &beside);
    let groups = groups(&mut client, 2);
    let ended = AtomicBool::new(false);
    let mut reads = 0;
    std::thread::scope(|scope| {
        let (groups, journal, watch) = (&groups, &journal, &watch);
        let writer = Writer { client: client.clone(), groups, journal, watch, reconnects: false };
        writer.multiply(WRITERS, scope, &ended);
        let _ending = Ending(&ended);
        for part in parts {
            let before = journal.count();
            journal.wait("for writes", |count| count.done > before.done + 50);
            let held = Held::by_another(&server.place, *part);
            let (begun, before) = (Instant::now(), journal.count());
            if *part == Part::Row {
                beside.post("/Users", &user("ada")).expect(201);
            }
            // Every writer is told once; until then, and for as long as the row wants, there are reads.
            while journal.count().unknown < before.unknown + WRITERS || begun.elapsed() < least {
                client.get("/Users?count=1").expect(200);
                reads += 1;
                assert!(begun.elapsed() < least + PATIENCE, "nobody is told: {:?}", journal.count());
            }
            held.release();
            let before = journal.count();
            journal.wait("for writes after it was released", |count| count.done > before.done + 50);
        }
    });
    let seen_by_writers = watch.only(&[200, 201, 204, 409, 503]);
    verify(&server.place.store, &mut client, &groups, &journal);
    seen(
        ROW,
        format_args!(
            "{parts:?} held; answers {:?}; the longest wait {}; {reads} reads meanwhile; 0 lost",
            seen_by_writers.statuses,
            millis(seen_by_writers.slowest)
        ),
    );
}
