//! The writer: one thread, one connection, one sync for all who wait. Where more wait than fit one transaction, tenants take
//! turns.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use scim_store::{Changeset, CommitError, Committed, StoreError, Tenant};
use tokio::sync::oneshot;

use crate::apply::Counters;
use crate::checkpoints::Checkpoints;
use crate::database::Database;
use crate::files::Files;
use crate::line::Line;
use crate::readers::Points;

/// Hands changesets to the thread. Dropping it lets the thread finish what waits.
pub(crate) struct Writer {
    jobs: Arc<Line<Job>>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    tenant: Tenant,
    changeset: Changeset,
    answer: oneshot::Sender<Answer>,
}

type Answer = Result<Committed, CommitError>;

/// The longest that a transaction waits for more to come.
const PATIENCE: Duration = Duration::from_millis(2);

/// The most batches in a row that do not wait, where it was in vain.
const MOST_SKIPS: u32 = 64;

/// How much the changesets of one transaction may weigh before another one is taken in, so that nobody waits long for giants.
const WEIGHT_LIMIT: usize = 20_000;

/// How long a transaction takes in more of its batch. What a deletion takes away is not known before it is done.
const LONG: Duration = Duration::from_millis(250);

impl Writer {
    pub(crate) fn start(
        database: Database,
        mut checkpoints: Checkpoints,
        readers: Arc<Points>,
        files: Arc<Files>,
        queue: usize,
        batch: usize,
    ) -> std::io::Result<Self> {
        let jobs = Arc::new(Line::new(queue, usize::MAX));
        let mut queue = Queue {
            waiting: Arc::clone(&jobs),
            limit: batch,
            expected: 0,
            sync: Duration::ZERO,
            hope: Hope::default(),
        };
        let line = Arc::clone(&jobs);
        let run = move || {
            let _closing = line.closing();
            while let Some(batch) = queue.batch() {
                let _writing = readers.writing();
                let mut outcome = commit(&database, &files, batch);
                readers.is_news();
                queue.note(&outcome);
                if outcome.is_held_up() {
                    outcome.askers.extend(queue.turned_away());
                }
                outcome.tell();
                checkpoints.follow(&database, &readers);
            }
        };
        let thread = thread::Builder::new().name("scim-sqlite-writer".to_owned()).spawn(run)?;
        Ok(Self { jobs, thread: Some(thread) })
    }

    /// Puts a changeset in the queue and waits for its outcome.
    pub(crate) async fn commit(&self, tenant: &Tenant, changeset: Changeset) -> Answer {
        let (answer, outcome) = oneshot::channel();
        let job = Job { tenant: tenant.clone(), changeset, answer };
        if !self.jobs.push(tenant, job) {
            return Err(unavailable("too many changes wait already"));
        }
        outcome
            .await
            .unwrap_or_else(|_| Err(unavailable("the writer did not answer; the outcome is unknown")))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs.end();
        if let Some(thread) = self.thread.take() {
            // It ends after what waits; a panic of its own was contained before.
            let _ = thread.join();
        }
    }
}

/// Gives each transaction its changesets.
///
/// Whoever was just answered tends to come back at once. If nobody waited for them, writers would fall into two groups that
/// take turns, each paying for a sync of its own. So a transaction stays open until as many have come as were answered last,
/// beside those who were there before, but no longer than a sync takes. Writers that take longer than that to come back are
/// better off in two groups, one of which comes while the other is written: how often a transaction waits follows from how
/// often it was in vain ([`Hope`]). A lone writer is never waited for.
struct Queue {
    waiting: Arc<Line<Job>>,
    limit: usize,
    /// How many there were when the last ones had their answers, and those themselves.
    expected: usize,
    /// How long the last commit took.
    sync: Duration,
    hope: Hope,
}

/// Whether those who were answered last are worth waiting for. After a wait in vain some batches do not wait: one, and twice
/// as many each time that it is in vain again. Each wait that is not halves that number.
#[derive(Default)]
struct Hope {
    /// How many more batches do not wait.
    skips: u32,
    /// How many did not after the last wait in vain, halved for each since that was not.
    penalty: u32,
}

impl Hope {
    /// Whether a batch waits. To be asked once for each that would.
    fn tries(&mut self) -> bool {
        let tries = self.skips == 0;
        self.skips = self.skips.saturating_sub(1);
        tries
    }

    /// Takes note of whether they came in time.
    fn note(&mut self, they_came: bool) {
        match they_came {
            true => self.penalty /= 2,
            false => {
                self.penalty = (self.penalty * 2).clamp(1, MOST_SKIPS);
                self.skips = self.penalty;
            }
        }
    }
}

impl Queue {
    /// The next transaction, once there is a changeset for it. `None` when none will come any more.
    fn batch(&mut self) -> Option<Batch<'_>> {
        let first = self.waiting.next()?;
        Some(Batch { queue: self, first: Some(first), taken: 0, weight: 0, began: None, until: None })
    }

    /// Takes note of a transaction, before anybody is answered: whoever comes later was answered just now, or is new.
    fn note(&mut self, outcome: &Outcome) {
        self.expected = self.waiting.len() + outcome.askers.len();
        self.sync = outcome.sync;
    }

    /// Everybody who waits. Where another process holds the file, they have waited for it as long as those who were first,
    /// and would otherwise wait as long again for each transaction before theirs.
    fn turned_away(&self) -> impl Iterator<Item = oneshot::Sender<Answer>> {
        std::iter::from_fn(|| self.waiting.try_next()).map(|job| job.answer)
    }
}

/// The changesets of one transaction, each taken from the queue when those before it are written: what comes meanwhile is
/// made ready by other threads beside that.
struct Batch<'a> {
    queue: &'a mut Queue,
    first: Option<Job>,
    taken: usize,
    weight: usize,
    /// When the first one was taken.
    began: Option<Instant>,
    /// Until when those who are missing are waited for.
    until: Option<Instant>,
}

impl Batch<'_> {
    /// The next one, if the transaction takes in any more.
    fn next(&mut self) -> Option<Job> {
        let began = *self.began.get_or_insert_with(Instant::now);
        let has_room = self.taken == 0
            || self.taken < self.queue.limit && self.weight < WEIGHT_LIMIT && began.elapsed() < LONG;
        if !has_room {
            return None;
        }
        let job = self.first.take().or_else(|| self.queue.waiting.try_next()).or_else(|| self.late())?;
        self.taken += 1;
        self.weight += job.changeset.weight();
        if self.until.is_some() && self.taken == self.queue.expected {
            self.queue.hope.note(true);
        }
        Some(job)
    }

    /// One of those who are missing, if they are waited for and it comes in time.
    fn late(&mut self) -> Option<Job> {
        let queue = &mut *self.queue;
        if self.taken >= queue.expected || self.until.is_none() && !queue.hope.tries() {
            return None;
        }
        let until = *self.until.get_or_insert_with(|| Instant::now() + queue.sync.min(PATIENCE));
        let job = queue.waiting.next_until(until);
        if job.is_none() {
            queue.hope.note(false);
        }
        job
    }
}

/// What became of a transaction, and who wants to know.
struct Outcome {
    askers: Vec<oneshot::Sender<Answer>>,
    /// One for each asker, or why there is none. Nothing where a panic took it all.
    answers: Option<Result<Vec<Answer>, StoreError>>,
    /// How long the commit itself took.
    sync: Duration,
}

impl Outcome {
    /// Whether the file cannot be written now, mostly because another process does.
    fn is_held_up(&self) -> bool {
        matches!(self.answers, Some(Err(StoreError::Unavailable(_))))
    }

    /// Tells them.
    fn tell(self) {
        match self.answers {
            Some(Ok(answers)) => {
                for (asker, answer) in self.askers.into_iter().zip(answers) {
                    // Whoever does not listen any more does not want to know.
                    let _ = asker.send(answer);
                }
            }
            Some(Err(error)) => {
                let shared = Arc::new(error);
                for asker in self.askers {
                    let _ = asker.send(Err(CommitError::Store(copy(&shared))));
                }
            }
            None => {}
        }
    }
}

/// Commits all or nothing of a batch.
fn commit(database: &Database, files: &Files, mut batch: Batch<'_>) -> Outcome {
    // Apart from the work, so that all are told why, wherever it ended.
    let mut askers = Vec::new();
    let mut sync = Duration::ZERO;
    let write = || {
        let mut answers = Vec::new();
        files.are_there()?;
        database.run("BEGIN IMMEDIATE", &[])?;
        database.check_version()?;
        let mut counters = Counters::default();
        while let Some(Job { tenant, changeset, answer }) = batch.next() {
            askers.push(answer);
            answers.push(match counters.draft(database, &tenant, changeset) {
                Ok(draft) => Ok(counters.apply(database, &tenant, draft)?),
                // A statement that fails may have ended the transaction, with what others wrote in it.
                Err(CommitError::Store(error)) => return Err(error),
                Err(CommitError::Conflict(conflict)) => Err(CommitError::Conflict(conflict)),
            });
        }
        counters.finish(database)?;
        let syncing = Instant::now();
        database.run("COMMIT", &[])?;
        sync = syncing.elapsed();
        Ok(answers)
    };
    // Nothing of the transaction outlives a panic: it is rolled back, and names met in it are forgotten.
    let answers = catch_unwind(AssertUnwindSafe(write)).ok();
    if !matches!(answers, Some(Ok(_))) {
        roll_back(database);
        // Where it could not even begin.
        askers.extend(batch.first.take().map(|job| job.answer));
    }
    Outcome { askers, answers, sync }
}

fn roll_back(database: &Database) {
    database.forget_names();
    if !database.connection.is_autocommit() {
        // If even this fails, the next transaction cannot begin and says so.
        let _ = database.connection.execute_batch("ROLLBACK");
    }
}

/// The same error for one more.
fn copy(error: &Arc<StoreError>) -> StoreError {
    let source = Box::new(Shared(Arc::clone(error)));
    match **error {
        StoreError::Unavailable(_) => StoreError::Unavailable(source),
        StoreError::Full(_) => StoreError::Full(source),
        StoreError::Fault(_) => StoreError::Fault(source),
    }
}

#[derive(Debug)]
struct Shared(Arc<StoreError>);

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (StoreError::Unavailable(error) | StoreError::Full(error) | StoreError::Fault(error)) = &*self.0;
        error.fmt(f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

fn unavailable(why: &'static str) -> CommitError {
    CommitError::Store(StoreError::Unavailable(why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many batches wait, if those who were answered come back in time or not.
    fn waits(hope: &mut Hope, batches: usize, they_come: bool) -> usize {
        let wait = |hope: &mut Hope| {
            let waits = hope.tries();
            if waits {
                hope.note(they_come);
            }
            waits
        };
        (0..batches).filter(|_| wait(hope)).count()
    }

    #[test]
    fn what_is_in_vain_is_tried_less_and_less_often() {
        let mut hope = Hope::default();
        assert_eq!(waits(&mut hope, 100, true), 100);
        // After 1, 2, 4, 8, 16 and 32 that are left out.
        assert_eq!(waits(&mut hope, 70, false), 7);
        assert_eq!(waits(&mut hope, 65 * 10, false), 10);
        // It is noticed when they do, and then they are always waited for.
        assert_eq!(waits(&mut hope, 64 + 1000, true), 1000);
        assert_eq!(waits(&mut hope, 1, false), 1);
        assert_eq!(waits(&mut hope, 100, true), 99);
    }
}
