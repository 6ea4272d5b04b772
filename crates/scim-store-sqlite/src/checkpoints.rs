//! When what is in the write-ahead log goes into the file: on the writer's thread, and after those who wait for a commit
//! have their answers.
//!
//! Left to itself, SQLite does it inside the COMMIT, with everybody waiting; and where a reader keeps the log from starting
//! over, it sorts the whole log again for every commit that follows. Nothing here is needed for durability: a commit is
//! synced in the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::Connection;

use crate::database::Database;
use crate::readers::Points;

/// Pages in the log from which on it is worth writing them into the file.
const MANY: i32 = 4000;

/// How many more have to come before it is tried again, where a reader was in the way.
const MORE: i32 = MANY / 8;

/// Pages from which on readers are kept out of the way. The log cannot start over while anybody reads what is in it, and of
/// long reads there may always be one that has not ended: it would grow as long as there is room on the disk.
const TOO_MANY: i32 = MANY * 4;

/// Decides when.
pub(crate) struct Checkpoints {
    /// Pages in the log after the latest commit.
    pages: Arc<AtomicI32>,
    /// From how many on something is to be done.
    due: i32,
    /// How many there were when it was looked at last.
    seen: i32,
    /// Whether long reads are held until none is under way.
    holds: bool,
}

impl Checkpoints {
    /// Takes the place of SQLite's own checkpoints on the connection that writes.
    pub(crate) fn instead_of_automatic(connection: &mut Connection) -> rusqlite::Result<Self> {
        let pages = Arc::new(AtomicI32::new(0));
        let noted = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            noted.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { pages, due: MANY, seen: 0, holds: false })
    }

    /// Writes the log into the file if there is enough of it. What goes wrong is tried again later.
    pub(crate) fn follow(&mut self, database: &Database, readers: &Points) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < self.seen {
            // It has started over.
            self.due = MANY;
            self.let_walk(readers);
        }
        self.seen = pages;
        let is_due = pages >= self.due;
        // Those that read go on to their end; others begin after that, when the log can start over. Somebody in another process
        // may be in its way all the same, so that it is tried once for so many pages.
        self.holds |= is_due && pages >= TOO_MANY;
        let is_still = self.holds && readers.hold_walks();
        if !is_due && !is_still {
            return;
        }
        readers.let_go();
        // Whatever keeps it from that, a full disk say, keeps commits from succeeding too, and is told there.
        let _ = database.first("PRAGMA wal_checkpoint(PASSIVE)", &[], |_| Ok(()));
        // The log starts over with the next write if nobody reads in it any more.
        readers.let_go();
        if is_still {
            self.let_walk(readers);
        }
        self.due = pages + MORE;
    }

    fn let_walk(&mut self, readers: &Points) {
        if std::mem::take(&mut self.holds) {
            readers.release_walks();
        }
    }
}
