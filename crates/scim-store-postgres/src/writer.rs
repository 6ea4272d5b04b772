//! The writer: for each tenant that is written to, one task, one connection at a time, one transaction for all who wait.
//!
//! A transaction locks the tenant's row, reads under the lock what the changesets ask for, works each out against what the
//! one before has left, writes what is left of them in the end, and commits. That is two round trips, however many
//! changesets there are: the first locks and reads, the second writes and commits.
//!
//! # Unknown outcomes
//!
//! Where the connection is lost while a commit is on its way, the next transaction asks for the fate of the last one by its
//! number. It holds the tenant's lock by then, so that the last one is over.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use scim_store::draft::{Counts, Draft};
use scim_store::{Changeset, CommitError, Committed, Content, Operation, StoreError, Tenant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_postgres::Row;

use crate::apply::{self, TenantRow};
use crate::error::{Failed, Kind, corrupt};
use crate::existing::{Known, Outcome};
use crate::pool::{Lent, Pool, WRITE};
use crate::session::{Step, column, number, step};
use crate::wishes::Wishes;

/// Hands changesets to the tasks.
pub(crate) struct Writer {
    desk: Arc<Desk>,
    runtime: Handle,
}

struct Desk {
    pool: Arc<Pool>,
    /// Those who wait, by tenant. A tenant is in it as long as its task runs.
    queues: Mutex<HashMap<Tenant, VecDeque<Job>>>,
    queue: usize,
    batch: usize,
    patience: Duration,
}

struct Job {
    changeset: Changeset,
    answer: oneshot::Sender<Answer>,
}

type Answer = Result<Committed, CommitError>;

/// Most identifiers and pages of documents in the changesets of one transaction, beyond the first, so that nobody waits
/// long for a giant.
const WEIGHT_LIMIT: usize = 20_000;

impl Writer {
    pub(crate) fn new(
        pool: Arc<Pool>,
        runtime: Handle,
        queue: usize,
        batch: usize,
        patience: Duration,
    ) -> Self {
        let desk = Desk { pool, queues: Mutex::default(), queue, batch: batch.max(1), patience };
        Self { desk: Arc::new(desk), runtime }
    }

    /// Puts a changeset in the tenant's queue and waits for its outcome.
    pub(crate) async fn commit(&self, tenant: &Tenant, changeset: Changeset) -> Answer {
        let (answer, outcome) = oneshot::channel();
        let job = Job { changeset, answer };
        {
            let mut queues = self.desk.queues();
            match queues.get_mut(tenant) {
                Some(queue) if queue.len() >= self.desk.queue => {
                    return Err(unavailable("too many changes wait already"));
                }
                Some(queue) => queue.push_back(job),
                None => {
                    queues.insert(tenant.clone(), VecDeque::from([job]));
                    self.runtime.spawn(work(Arc::clone(&self.desk), tenant.clone()));
                }
            }
        }
        outcome
            .await
            .unwrap_or_else(|_| Err(unavailable("the writer did not answer; the outcome is unknown")))
    }
}

impl Desk {
    fn queues(&self) -> std::sync::MutexGuard<'_, HashMap<Tenant, VecDeque<Job>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those who wait, as many as fit one transaction. Nothing when nobody does; the tenant's task is over then.
    fn next(&self, tenant: &Tenant) -> Vec<Job> {
        let mut queues = self.queues();
        let Some(queue) = queues.get_mut(tenant) else { return Vec::new() };
        let (mut jobs, mut total) = (Vec::new(), 0);
        while jobs.len() < self.batch
            && let Some(job) = queue.front()
        {
            total += weight(&job.changeset);
            if total > WEIGHT_LIMIT && !jobs.is_empty() {
                break;
            }
            jobs.extend(queue.pop_front());
        }
        if jobs.is_empty() {
            queues.remove(tenant);
        }
        jobs
    }

    /// Everybody who waits.
    fn turned_away(&self, tenant: &Tenant) -> VecDeque<Job> {
        self.queues().get_mut(tenant).map(std::mem::take).unwrap_or_default()
    }

    /// Puts back those for whom there was no room.
    fn put_back(&self, tenant: &Tenant, jobs: Vec<Job>) {
        if let Some(queue) = self.queues().get_mut(tenant) {
            for job in jobs.into_iter().rev() {
                queue.push_front(job);
            }
        }
    }
}

fn weight(changeset: &Changeset) -> usize {
    let pages = |content: &Content| content.body.len() / 4096;
    let of = |operation: &Operation| match operation {
        Operation::Create { members, content, .. } => 1 + members.add.len() + pages(content),
        Operation::Replace { members, content, .. } => {
            1 + members.add.len() + members.remove.len() + content.as_ref().map_or(0, pages)
        }
        Operation::Rederive { .. } | Operation::Delete { .. } => 1,
    };
    let reports = changeset.reports.iter().map(|report| 1 + report.body.len() / 4096).sum::<usize>();
    changeset.operations.iter().map(of).sum::<usize>() + changeset.settles.len() + reports
}

/// Writes for one tenant until nobody waits.
async fn work(desk: Arc<Desk>, tenant: Tenant) {
    loop {
        let jobs = desk.next(&tenant);
        if jobs.is_empty() {
            return;
        }
        // Whoever waited for a transaction that panicked is told that its outcome is unknown.
        let _ = AssertUnwindSafe(desk.write(&tenant, jobs)).catch_unwind().await;
    }
}

/// A transaction whose end is not known.
struct Doubt {
    /// Its number.
    xid: String,
    answers: Vec<Answer>,
}

/// What an attempt came to.
enum Attempt {
    /// These are the answers to the first of the jobs, and the others have to be tried anew.
    Done(Vec<Answer>),
    /// Nothing was done.
    Failed(Failed),
    /// The connection was lost while a commit was on its way.
    Lost(Failed, Doubt),
}

impl Desk {
    /// Commits all or nothing, and tells.
    async fn write(&self, tenant: &Tenant, mut jobs: Vec<Job>) {
        let started = Instant::now();
        let mut doubt: Option<Doubt> = None;
        let failed = loop {
            let changesets: Vec<&Changeset> = jobs.iter().map(|job| &job.changeset).collect();
            let failed = match self.attempt(tenant, &changesets, &mut doubt).await {
                Attempt::Done(answers) => {
                    let rest = jobs.split_off(answers.len().min(jobs.len()));
                    for (job, answer) in jobs.into_iter().zip(answers) {
                        // Whoever does not listen any more does not want to know.
                        let _ = job.answer.send(answer);
                    }
                    self.put_back(tenant, rest);
                    return;
                }
                Attempt::Failed(failed) => failed,
                Attempt::Lost(failed, lost) => {
                    doubt = Some(lost);
                    failed
                }
            };
            let is_late = started.elapsed() >= self.patience;
            match failed.kind {
                Kind::Lost | Kind::Again if !is_late => self.pool.forget_idle(),
                // Somebody who waits for an answer about a commit is worth some patience.
                Kind::Away | Kind::Busy if doubt.is_some() && !is_late => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Kind::Unsent | Kind::Fault if jobs.len() > 1 && doubt.is_none() => {
                    // One of them is at fault. Each by itself, the others are not.
                    let rest = jobs.split_off(1);
                    self.put_back(tenant, rest);
                }
                Kind::Lost
                | Kind::Again
                | Kind::Away
                | Kind::Busy
                | Kind::Full
                | Kind::Unsent
                | Kind::Fault => {
                    break failed;
                }
            }
        };
        // Those who came meanwhile have waited as long, and would wait as long again for each batch before theirs.
        let is_held_up = matches!(failed.kind, Kind::Busy | Kind::Away | Kind::Lost);
        let others = if is_held_up { self.turned_away(tenant) } else { VecDeque::new() };
        for job in others {
            let _ = job.answer.send(Err(failed.clone().into()));
        }
        for job in jobs {
            let failed = match doubt {
                Some(_) => failed.clone().with_unknown_outcome(),
                None => failed.clone(),
            };
            let _ = job.answer.send(Err(failed.into()));
        }
    }

    /// One transaction.
    async fn attempt(
        &self,
        tenant: &Tenant,
        changesets: &[&Changeset],
        doubt: &mut Option<Doubt>,
    ) -> Attempt {
        match self.try_to_write(tenant, changesets, doubt).await {
            Ok(attempt) => attempt,
            Err(failed) => Attempt::Failed(failed),
        }
    }

    async fn try_to_write(
        &self,
        tenant: &Tenant,
        changesets: &[&Changeset],
        doubt: &mut Option<Doubt>,
    ) -> Result<Attempt, Failed> {
        let name = tenant.as_str().to_owned();
        let mut lent = self.pool.lend().await?;
        let mut known = Known::default();
        let (steps, readings) = Wishes::of(changesets.iter().copied()).statements(&name);
        let mut all = vec![lock(&name)];
        all.extend(steps);
        let mut rows = lent.begin(WRITE, tenant, all).await?.into_iter();
        let mut locked = Locked::read(rows.next().unwrap_or_default())?;
        if locked.is_none() {
            // The first that is written to the tenant. What was read before its row is locked does not count.
            let sql = "INSERT INTO tenant (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
            let (steps, _) = Wishes::of(changesets.iter().copied()).statements(&name);
            let mut all = vec![step!(sql, name.clone()), lock(&name)];
            all.extend(steps);
            rows = lent.run(all).await?.into_iter();
            locked = Locked::read(rows.nth(1).unwrap_or_default())?;
        }
        let Some(Locked { mut row, xid }) = locked else { return Err(corrupt("a tenant cannot be locked")) };
        if let Some(Doubt { xid: last, .. }) = doubt {
            let sql = "SELECT pg_xact_status($1::text::xid8)";
            let answer = lent.run(vec![step!(sql, last.clone())]).await?;
            let status = answer.first().and_then(|rows| rows.first());
            let status: Option<String> = status.map(|row| column(row, 0)).transpose()?.flatten();
            match status.as_deref() {
                Some("committed") => {
                    let answers = doubt.take().map(|doubt| doubt.answers).unwrap_or_default();
                    let _ = lent.end("ROLLBACK", Vec::new()).await;
                    return Ok(Attempt::Done(answers));
                }
                Some("aborted") => *doubt = None,
                _ => return Err(Failed::new(Kind::Busy, "the database does not know whether it committed")),
            }
        }
        for (read, rows) in readings.into_iter().zip(rows) {
            read(&mut known, rows)?;
        }
        let mut outcome = Outcome::default();
        let mut answers: Vec<Answer> = Vec::with_capacity(changesets.len());
        let mut is_untouched = true;
        for changeset in changesets {
            match draft(&mut lent, &name, &mut known, row.counts, changeset, is_untouched).await? {
                Drafted::Postponed => break,
                Drafted::Conflict(conflict) => answers.push(Err(conflict)),
                Drafted::Fine(draft) => {
                    is_untouched = false;
                    known.learn(&draft);
                    row.counts = draft.counts;
                    answers.push(Ok(Committed {
                        sequence: draft.counts.sequence,
                        applied: draft.applied.clone(),
                    }));
                    let audited = row.audited;
                    row.audited += u64::from(draft.audit.is_some());
                    outcome.add(*draft, audited);
                }
            }
        }
        if is_untouched {
            // Nothing was written. Whether the connection lives to say so does not matter.
            let _ = lent.end("ROLLBACK", Vec::new()).await;
            return Ok(Attempt::Done(answers));
        }
        let steps = apply::statements(&name, row, outcome)?;
        match lent.end("COMMIT", steps).await {
            Ok(_) => Ok(Attempt::Done(answers)),
            Err(failed) if failed.kind == Kind::Lost => Ok(Attempt::Lost(failed, Doubt { xid, answers })),
            Err(failed) => Err(failed),
        }
    }
}

/// What was worked out of one changeset.
enum Drafted {
    Fine(Box<Draft>),
    Conflict(CommitError),
    /// It asks for what was not foreseen, and what others of the batch have changed is not in the database yet.
    Postponed,
}

async fn draft(
    lent: &mut Lent,
    tenant: &str,
    known: &mut Known,
    counts: Counts,
    changeset: &Changeset,
    is_untouched: bool,
) -> Result<Drafted, Failed> {
    loop {
        let drafted = Draft::new(known, counts, changeset.clone());
        let wishes = known.wishes();
        if wishes.is_empty() {
            return match drafted {
                Ok(draft) => Ok(Drafted::Fine(Box::new(draft))),
                Err(conflict) => Ok(Drafted::Conflict(conflict)),
            };
        }
        if !is_untouched {
            return Ok(Drafted::Postponed);
        }
        let (steps, readings) = wishes.statements(tenant);
        for (read, rows) in readings.into_iter().zip(lent.run(steps).await?) {
            read(known, rows)?;
        }
    }
}

/// A tenant's row under lock, and the number of the transaction that holds it.
pub(crate) struct Locked {
    pub(crate) row: TenantRow,
    xid: String,
}

/// Locks a tenant's row and reads it.
pub(crate) fn lock(tenant: &str) -> Step {
    let sql = "SELECT sequence, epoch, reported, reports, open, audited, pg_current_xact_id()::text
        FROM tenant WHERE name = $1 FOR NO KEY UPDATE";
    step!(sql, tenant.to_owned())
}

impl Locked {
    pub(crate) fn read(rows: Vec<Row>) -> Result<Option<Self>, Failed> {
        let Some(row) = rows.first() else { return Ok(None) };
        let counts = Counts {
            sequence: number(row, 0)?,
            epoch: number(row, 1)?,
            reported: number(row, 2)?,
            reports: number(row, 3)?,
            open: number(row, 4)?,
        };
        let row_found = TenantRow { counts, audited: number(row, 5)? };
        Ok(Some(Self { row: row_found, xid: column(row, 6)? }))
    }
}

fn unavailable(why: &'static str) -> CommitError {
    CommitError::Store(StoreError::Unavailable(why.into()))
}
