//! The writer: for each tenant that is written to, one task, one connection at a time, one transaction for all who wait.
//!
//! A transaction locks the tenant's row, works each changeset out against what the one before has left, writes what is left
//! of them in the end, and commits. However many changesets there are, that is one round trip where what they ask for is
//! remembered or can be taken for granted ([`Guess`]). Otherwise, and where a guess was wrong, it is two: the first
//! locks and reads, the second writes and commits.
//!
//! # Unknown outcomes
//!
//! Where the connection is lost while a commit is on its way, the next transaction asks for the fate of the last one. It
//! holds the tenant's lock by then, so that one whose number is known is over. If it was committed, its first entry of the
//! audit trail is there. If that is there, its number tells whether it is its own or that of a guess in whose place it was
//! made. The number alone tells nothing: a database that fails may give it again, to anybody. So where a batch makes no
//! entry, it is known to be committed as long as the tenant's row is as it has left it, and afterwards only an abort is
//! believed.
//!
//! Of a guess the number is lost with the answer, and it may still be on its way. But as long as the tenant's row is as it
//! was, it has not been committed, and once others have written the row, it cannot be: if it was, its entry is there.
//!
//! What is found to be committed may have lost its connection while it waited for a standby. It is not acknowledged before
//! the transaction that found it is committed too, behind it.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use scim_store::draft::{Counts, Draft};
use scim_store::transfer::Totals;
use scim_store::{Audited, Changeset, CommitError, Committed, StoreError, Tenant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_postgres::Row;

use crate::apply;
use crate::error::{Failed, Kind, corrupt};
use crate::existing::{Known, Outcome};
use crate::guess::{Guess, mark};
use crate::memory::{Memories, Memory};
use crate::pool::{Lent, Pool, WRITE};
use crate::rows::{audit_step, audited, totals, totals_columns};
use crate::session::{Step, column, step};
use crate::wishes::{Reading, Wishes};

/// Hands changesets to the tasks.
pub(crate) struct Writer {
    desk: Arc<Desk>,
    runtime: Handle,
}

struct Desk {
    pool: Arc<Pool>,
    memories: Arc<Memories>,
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
        let (memories, queues) = (Arc::default(), Mutex::default());
        let desk = Desk { pool, memories, queues, queue, batch: batch.max(1), patience };
        Self { desk: Arc::new(desk), runtime }
    }

    /// What is remembered of the tenants that are written to.
    pub(crate) fn memories(&self) -> &Arc<Memories> {
        &self.desk.memories
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
            total += job.changeset.weight();
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
    evidence: Evidence,
    answers: Vec<Answer>,
}

/// What tells of its end.
enum Evidence {
    /// Its number, and the first entry of the audit trail that it makes.
    Number { number: String, entry: Audited },
    /// Its number, and the state in which it leaves the tenant. It makes no entry.
    State { number: String, mark: String, totals: Totals },
    /// The mark of the tenant's state before it, and the first entry that it makes.
    Witness { mark: String, entry: Audited },
}

/// What came of an attempt in which something may have been done.
enum Attempt {
    /// These are the answers to the first of the jobs, and the others have to be tried anew.
    Done(Vec<Answer>),
    /// The connection was lost while a commit was on its way.
    Lost(Failed, Doubt),
}

impl Desk {
    /// Commits all or nothing, and tells.
    async fn write(&self, tenant: &Tenant, mut jobs: Vec<Job>) {
        let started = Instant::now();
        let mut doubts: Vec<Doubt> = Vec::new();
        let failed = loop {
            let changesets: Vec<&Changeset> = jobs.iter().map(|job| &job.changeset).collect();
            let failed = match self.attempt(tenant, &changesets, &mut doubts).await {
                Ok(Attempt::Done(answers)) => {
                    let rest = jobs.split_off(answers.len().min(jobs.len()));
                    for (job, answer) in jobs.into_iter().zip(answers) {
                        // Whoever does not listen any more does not want to know.
                        let _ = job.answer.send(answer);
                    }
                    self.put_back(tenant, rest);
                    return;
                }
                Ok(Attempt::Lost(failed, lost)) => {
                    doubts.push(lost);
                    failed
                }
                // Nothing was done.
                Err(failed) => failed,
            };
            let is_late = started.elapsed() >= self.patience;
            match failed.kind {
                Kind::Lost | Kind::Again if !is_late => self.pool.forget_idle(),
                // Somebody who waits for an answer about a commit is worth some patience.
                Kind::Away | Kind::Busy if !doubts.is_empty() && !is_late => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Kind::Unsent | Kind::Fault if jobs.len() > 1 && doubts.is_empty() => {
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
            let failed = match doubts.is_empty() {
                true => failed.clone(),
                false => failed.clone().with_unknown_outcome(),
            };
            let _ = job.answer.send(Err(failed.into()));
        }
    }

    /// One transaction, or two if the first was a guess and wrong.
    async fn attempt(
        &self,
        tenant: &Tenant,
        changesets: &[&Changeset],
        doubts: &mut Vec<Doubt>,
    ) -> Result<Attempt, Failed> {
        let mut lent = self.pool.lend(tenant).await?;
        let wishes = Wishes::of(changesets.iter().copied());
        let mut memory = self.memories.take(tenant, &wishes)?;
        if let Some(last) = memory.take_if(|memory| memory.is_trusted && doubts.is_empty()) {
            let known = last.known.excerpt(&wishes);
            match Guess::of(tenant.as_str(), &last.mark, last.totals, known, changesets)? {
                Some(guess) => match self.guessed(&mut lent, tenant, last, guess).await? {
                    Some(attempt) => return Ok(attempt),
                    None => self.memories.forget(tenant),
                },
                None => memory = Some(last),
            }
        }
        self.read_and_write(lent, tenant, changesets, wishes, memory, doubts).await
    }

    /// Writes a guess. Nothing where it was wrong; then nothing was done.
    async fn guessed(
        &self,
        lent: &mut Lent,
        tenant: &Tenant,
        memory: Memory,
        guess: Guess,
    ) -> Result<Option<Attempt>, Failed> {
        let Guess { steps, commits, totals, known, witness } = guess;
        let answers = commits.into_iter().map(Ok).collect();
        match lent.whole(WRITE, tenant, steps).await {
            Ok(rows) => {
                // It is committed, whatever can be read of what it says.
                match rows.first().and_then(|rows| rows.first()).map(|first| column(first, 1)) {
                    Some(Ok(mark)) => self.memories.keep(tenant, memory.after(mark, totals), known),
                    Some(Err(_)) | None => self.memories.forget(tenant),
                }
                Ok(Some(Attempt::Done(answers)))
            }
            Err(failed) if failed.kind == Kind::Lost => {
                let evidence = Evidence::Witness { mark: memory.mark, entry: witness };
                Ok(Some(Attempt::Lost(failed, Doubt { evidence, answers })))
            }
            // Whoever reads finds out why.
            Err(failed) if matches!(failed.kind, Kind::Fault | Kind::Again) => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    /// Reads what the changesets ask for under the tenant's lock, and writes what they come to.
    async fn read_and_write(
        &self,
        mut lent: Lent,
        tenant: &Tenant,
        changesets: &[&Changeset],
        wishes: Wishes,
        memory: Option<Memory>,
        doubts: &mut Vec<Doubt>,
    ) -> Result<Attempt, Failed> {
        let name = tenant.as_str().to_owned();
        let (locked, found) = begin(&mut lent, tenant, changesets, wishes).await?;
        if let Some(index) = settle(&lent, &name, &locked, doubts).await? {
            // A standby may not have it yet. This one has locked the row, which is in the log behind it, and waits for both.
            lent.end("COMMIT", Vec::new()).await?;
            return Ok(Attempt::Done(doubts.swap_remove(index).answers));
        }
        let Locked { mut totals, last, number, mark } = locked;
        // Whoever has written to the tenant in between has made it another.
        let memory = memory.filter(|memory| memory.mark == last);
        let mut known = Known::default();
        for (read, rows) in found {
            read(&mut known, rows)?;
        }
        let mut outcome = Outcome::default();
        let mut answers: Vec<Answer> = Vec::with_capacity(changesets.len());
        let mut is_untouched = true;
        for changeset in changesets {
            match draft(&mut lent, &name, &mut known, totals.counts, changeset, is_untouched).await? {
                Drafted::Postponed => break,
                Drafted::Conflict(conflict) => answers.push(Err(conflict)),
                Drafted::Fine(draft) => {
                    is_untouched = false;
                    known.learn(&draft);
                    totals.counts = draft.counts;
                    answers.push(Ok(Committed {
                        sequence: draft.counts.sequence,
                        applied: draft.applied.clone(),
                    }));
                    let audited = totals.audited;
                    totals.audited += u64::from(draft.audit.is_some());
                    outcome.add(*draft, audited);
                }
            }
        }
        if is_untouched {
            // Nothing was written. Whether the connection lives to say so does not matter.
            let _ = lent.end("ROLLBACK", Vec::new()).await;
            if let Some(memory) = memory {
                self.memories.keep(tenant, memory, known);
            }
            return Ok(Attempt::Done(answers));
        }
        let entry = outcome.audit.first().cloned();
        let steps = apply::statements(&name, totals, outcome)?;
        match lent.end("COMMIT", steps).await {
            Ok(_) => {
                match memory {
                    Some(memory) => self.memories.keep(tenant, memory.after(mark, totals), known),
                    None => self.memories.begin(tenant, mark, totals, known),
                }
                Ok(Attempt::Done(answers))
            }
            Err(failed) if failed.kind == Kind::Lost => {
                let evidence = match entry {
                    Some(entry) => Evidence::Number { number, entry },
                    None => Evidence::State { number, mark, totals },
                };
                Ok(Attempt::Lost(failed, Doubt { evidence, answers }))
            }
            Err(failed) => Err(failed),
        }
    }
}

/// Begins a transaction: locks the tenant's row, and gives what was wished for, with how it becomes known.
async fn begin(
    lent: &mut Lent,
    tenant: &Tenant,
    changesets: &[&Changeset],
    wishes: Wishes,
) -> Result<(Locked, Vec<(Reading, Vec<Row>)>), Failed> {
    let name = tenant.as_str();
    let (steps, readings) = wishes.statements(name);
    let mut all = vec![lock(name)];
    all.extend(steps);
    let mut rows = lent.begin(WRITE, tenant, all).await?.into_iter();
    let mut locked = Locked::read(rows.next().unwrap_or_default())?;
    if locked.is_none() {
        // The first that is written to the tenant. What was read before its row is locked does not count.
        let (steps, _) = Wishes::of(changesets.iter().copied()).statements(name);
        let mut all = vec![step!(NEW_TENANT, name.to_owned()), lock(name)];
        all.extend(steps);
        rows = lent.run(all).await?.into_iter();
        locked = Locked::read(rows.nth(1).unwrap_or_default())?;
    }
    let locked = locked.ok_or_else(|| corrupt("a tenant cannot be locked"))?;
    Ok((locked, readings.into_iter().zip(rows).collect()))
}

/// Finds out about transactions whose end is not known, under the lock of a tenant: which of them was committed. Those that
/// were not, and cannot be any more, are in doubt no longer.
///
/// The last comes first: where it took the place of a guess, both may have made the same entry, and it is its own unless
/// it was not committed.
async fn settle(
    lent: &Lent,
    tenant: &str,
    locked: &Locked,
    doubts: &mut Vec<Doubt>,
) -> Result<Option<usize>, Failed> {
    for index in (0..doubts.len()).rev() {
        let Some(Doubt { evidence, .. }) = doubts.get(index) else { continue };
        match is_committed(lent, tenant, locked, evidence).await? {
            Some(true) => return Ok(Some(index)),
            Some(false) => drop(doubts.remove(index)),
            None => {}
        }
    }
    Ok(None)
}

/// Whether a transaction was committed. Nothing where it was not and still could be, unless the tenant's row is written.
async fn is_committed(
    lent: &Lent,
    tenant: &str,
    locked: &Locked,
    evidence: &Evidence,
) -> Result<Option<bool>, Failed> {
    let unknown = || Failed::new(Kind::Fault, "the database does not know whether it committed");
    match evidence {
        Evidence::Number { number, entry } => match is_there(lent, tenant, entry).await? {
            true => ended_with_commit(lent, number).await?.ok_or_else(unknown).map(Some),
            false => Ok(Some(false)),
        },
        Evidence::State { mark, totals, .. } if *mark == locked.last && *totals == locked.totals => {
            Ok(Some(true))
        }
        Evidence::State { number, .. } => match ended_with_commit(lent, number).await? {
            Some(false) => Ok(Some(false)),
            // It may be another's by now.
            Some(true) | None => Err(unknown()),
        },
        Evidence::Witness { mark, .. } if *mark == locked.last => Ok(None),
        Evidence::Witness { entry, .. } => is_there(lent, tenant, entry).await.map(Some),
    }
}

/// Whether an entry of the audit trail is there.
async fn is_there(lent: &Lent, tenant: &str, entry: &Audited) -> Result<bool, Failed> {
    let answer = lent.run(vec![audit_step(tenant, entry.number.saturating_sub(1), 1)]).await?;
    let found = answer.first().and_then(|rows| rows.first()).map(audited).transpose()?;
    Ok(found.as_ref() == Some(entry))
}

/// Whether the number of a transaction that is over stands for a commit. It does not where it is in use, or has yet to be
/// given: then it was lost, and given again. Nothing where it is too old to tell.
async fn ended_with_commit(lent: &Lent, number: &str) -> Result<Option<bool>, Failed> {
    let sql = "SELECT CASE WHEN $1::text::xid8 < pg_current_xact_id() THEN pg_xact_status($1::text::xid8) = 'committed'
        ELSE false END";
    let answer = lent.run(vec![step!(sql, number.to_owned())]).await?;
    Ok(answer.first().and_then(|rows| rows.first()).map(|row| column(row, 0)).transpose()?.flatten())
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

/// A tenant's row under lock.
pub(crate) struct Locked {
    pub(crate) totals: Totals,
    /// The mark of its state.
    last: String,
    /// The number of the transaction that holds it.
    number: String,
    /// The mark of the state that this one leaves behind, if it writes the row.
    mark: String,
}

/// Makes the row of a tenant that has none.
pub(crate) const NEW_TENANT: &str = "INSERT INTO tenant (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";

/// Locks a tenant's row and reads it.
pub(crate) fn lock(tenant: &str) -> Step {
    let sql = concat!(
        "SELECT ",
        totals_columns!(),
        ", ",
        mark!("xmin"),
        ", pg_current_xact_id()::text, ",
        mark!("pg_current_xact_id()::xid"),
        " FROM tenant WHERE name = $1 FOR NO KEY UPDATE"
    );
    step!(sql, tenant.to_owned())
}

impl Locked {
    pub(crate) fn read(rows: Vec<Row>) -> Result<Option<Self>, Failed> {
        let Some(row) = rows.first() else { return Ok(None) };
        let (last, number, mark) = (column(row, 6)?, column(row, 7)?, column(row, 8)?);
        Ok(Some(Self { totals: totals(row)?, last, number, mark }))
    }
}

fn unavailable(why: &'static str) -> CommitError {
    CommitError::Store(StoreError::Unavailable(why.into()))
}
