//! How much sharing a commit is worth to SQLite itself on this disk, with nothing of ours: a row of a document and six rows
//! of an index for each user, one user a commit, and 16 and 64 of them as savepoints of one. Nothing that is built on SQLite
//! gains more by sharing commits than this, but what it spends on each beside SQLite.
//!
//! Where keys lie decides as much as the disk. Those in order go to the same pages of the index, one after the other;
//! scattered ones to a page each, once there are as many users as are filled in first.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::sharing::Keys;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);
const FILLED: i64 = 100_000;
const SHARED: [i64; 3] = [1, 16, 64];

/// What the document of a user takes.
const DOCUMENT: [u8; 700] = [b'x'; 700];

const TABLES: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA cache_size = -65536;
PRAGMA wal_autocheckpoint = 4000;
CREATE TABLE user (num INTEGER PRIMARY KEY, document BLOB NOT NULL) STRICT;
CREATE TABLE entry (path INTEGER NOT NULL, key BLOB NOT NULL, num INTEGER NOT NULL, PRIMARY KEY (path, key))
    STRICT, WITHOUT ROWID;
";

/// Measures with files in a directory.
pub(crate) fn measure(directory: &Path) {
    println!("SQLite alone   one a commit/s   savepoints of one commit (users/s, median ratio of {ROUNDS})");
    for (name, keys) in [("in order", Keys::InOrder), ("scattered", Keys::Scattered)] {
        let mut files = SHARED.map(|shared| {
            let file = directory.join(format!("{name}-{shared}.db"));
            let connection = Connection::open(file).expect("opens");
            connection.execute_batch(TABLES).expect("makes tables");
            let mut users = Users { connection, keys, next: 0 };
            users.create(FILLED, 1000);
            users
        });
        let mut rounds: Vec<[f64; 3]> = Vec::new();
        for _ in 0..ROUNDS {
            let mut round = [0.0; 3];
            for ((figure, users), shared) in round.iter_mut().zip(&mut files).zip(SHARED) {
                *figure = users.created(shared);
            }
            rounds.push(round);
        }
        print!("{name:<12}");
        for n in 1..SHARED.len() {
            rounds.sort_by(|a, b| (a[n] / a[0]).total_cmp(&(b[n] / b[0])));
            let median = rounds[ROUNDS / 2];
            if n == 1 {
                print!(" {:>16.0}", median[0]);
            }
            print!("   {} at once {:.0} {:.1} ×", SHARED[n], median[n], median[n] / median[0]);
        }
        println!();
    }
}

/// A file, and how many users it has been given.
struct Users {
    connection: Connection,
    keys: Keys,
    next: i64,
}

impl Users {
    /// Users created a second, so many in a commit.
    fn created(&mut self, shared: i64) -> f64 {
        let (before, start) = (self.next, Instant::now());
        while start.elapsed() < ROUND {
            self.create(shared, shared);
        }
        (self.next - before) as f64 / start.elapsed().as_secs_f64()
    }

    fn create(&mut self, count: i64, shared: i64) {
        for _ in 0..count / shared {
            self.run("BEGIN IMMEDIATE");
            for _ in 0..shared {
                self.run("SAVEPOINT one");
                self.insert();
                self.run("RELEASE one");
            }
            self.run("COMMIT");
        }
    }

    fn insert(&mut self) {
        self.next += 1;
        let mut user = self.connection.prepare_cached("INSERT INTO user VALUES (?1, ?2)").expect("prepares");
        user.execute((self.next, DOCUMENT)).expect("inserts");
        let mut entry =
            self.connection.prepare_cached("INSERT INTO entry VALUES (?1, ?2, ?3)").expect("prepares");
        for path in 0..6_u64 {
            let number = self.keys.of(self.next as u64 ^ (path << 56));
            let key = format!("{number:016x}.somebody@example.com");
            entry.execute((path as i64, key.as_bytes(), self.next)).expect("inserts");
        }
    }

    fn run(&self, sql: &str) {
        self.connection.prepare_cached(sql).expect("prepares").execute(()).expect("runs");
    }
}
