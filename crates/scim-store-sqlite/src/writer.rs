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
        let waiting = Arc::clone(&jobs);
        let mut queue = Queue {
            waiting,
            limit: batch,
            waited: None,
            answered: 0,
            sync: Duration::ZERO,
            hope: Hope::default(),
        };
        let line = Arc::clone(&jobs);
        let run = move || {
            let _closing = line.closing();
            while let Some(batch) = queue.batch() {
                let (mut outcome, rest) = commit(&database, &files, batch);
                readers.is_news();
                queue.note(&outcome, rest);
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

/// Takes batches from the queue.
///
/// Whoever was just answered tends to come back at once. If nobody waited for them, writers would fall into two groups that
/// take turns, each paying for a sync of its own. So a batch waits until as many have come as were answered last, beside
/// those who were there before, but no longer than a sync takes. Writers that take longer than that to come back are better
/// off in two groups, one of which comes while the other is written: how often a batch waits follows from how often it was
/// in vain ([`Hope`]). A lone writer never waits.
struct Queue {
    waiting: Arc<Line<Job>>,
    limit: usize,
    /// Those who waited through the last transaction.
    waited: Option<Batch>,
    /// How many were answered last, and how long their commit took.
    answered: usize,
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
    /// Takes note of a transaction, and takes those who are there before anybody is answered, so that whoever comes later was
    /// answered just now or is new. Those for whom it had no time are first.
    fn note(&mut self, outcome: &Outcome, rest: Vec<Job>) {
        self.answered = outcome.askers.len();
        self.sync = outcome.sync;
        let mut batch = Batch::default();
        rest.into_iter().for_each(|job| batch.take(job));
        self.fill(&mut batch);
        self.waited = Some(batch);
    }

    /// Takes those who are there.
    fn fill(&self, batch: &mut Batch) {
        while batch.has_room(self.limit)
            && let Some(job) = self.waiting.try_next()
        {
            batch.take(job);
        }
    }

    /// Everybody who waits. Where another process holds the file, they have waited for it as long as those who were first,
    /// and would otherwise wait as long again for each batch before theirs.
    fn turned_away(&mut self) -> impl Iterator<Item = oneshot::Sender<Answer>> {
        let waited = self.waited.take().unwrap_or_default().jobs;
        waited.into_iter().chain(std::iter::from_fn(|| self.waiting.try_next())).map(|job| job.answer)
    }

    /// The first changeset to come, and what comes with it. `None` when none will come any more.
    fn batch(&mut self) -> Option<Vec<Job>> {
        let mut batch = self.waited.take().unwrap_or_default();
        let expected = batch.jobs.len() + self.answered;
        if batch.jobs.is_empty() {
            batch.take(self.waiting.next()?);
        }
        self.fill(&mut batch);
        let falls_short = |batch: &Batch| batch.jobs.len() < expected && batch.has_room(self.limit);
        if falls_short(&batch) && self.hope.tries() {
            let until = Instant::now() + self.sync.min(PATIENCE);
            while falls_short(&batch)
                && let Some(job) = self.waiting.next_until(until)
            {
                batch.take(job);
            }
            self.hope.note(!falls_short(&batch));
            self.fill(&mut batch);
        }
        Some(batch.jobs)
    }
}

/// The changesets of one transaction, as they are collected.
#[derive(Default)]
struct Batch {
    jobs: Vec<Job>,
    weight: usize,
}

impl Batch {
    fn take(&mut self, job: Job) {
        self.weight += job.changeset.weight();
        self.jobs.push(job);
    }

    fn has_room(&self, limit: usize) -> bool {
        self.jobs.len() < limit && self.weight < WEIGHT_LIMIT
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

/// Commits all or nothing of what there is time for, and gives back the rest.
fn commit(database: &Database, files: &Files, batch: Vec<Job>) -> (Outcome, Vec<Job>) {
    let began = Instant::now();
    let mut jobs = batch.into_iter();
    // Apart from the work, so that all are told why, wherever it ended.
    let mut askers = Vec::with_capacity(jobs.len());
    let mut sync = Duration::ZERO;
    let write = || {
        let mut answers = Vec::with_capacity(jobs.len());
        files.are_there()?;
        database.run("BEGIN IMMEDIATE", &[])?;
        database.check_version()?;
        let mut counters = Counters::default();
        while (answers.is_empty() || began.elapsed() < LONG)
            && let Some(Job { tenant, changeset, answer }) = jobs.next()
        {
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
    if matches!(answers, Some(Ok(_))) {
        return (Outcome { askers, answers, sync }, jobs.collect());
    }
    roll_back(database);
    askers.extend(jobs.map(|job| job.answer));
    (Outcome { askers, answers, sync }, Vec::new())
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
        match std::error::Error::source(&*self.0) {
            Some(source) => write!(f, "{source}"),
            None => write!(f, "{}", self.0),
        }
    }
}

impl std::error::Error for Shared {}

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
