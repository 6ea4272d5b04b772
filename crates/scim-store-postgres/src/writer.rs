//! The writer: for each tenant that is written to, one task, one connection at a time, one transaction for all who wait.
//!
//! A transaction locks the tenant's row, works each changeset out against what the one before has left, writes what is left
//! of them in the end, and commits. However many changesets there are, that is one round trip ([`Guess`]), where what they ask
//! for is known or can be taken for granted. What is not is read before, without the lock. Where a guess was wrong, and where
//! nobody could tell of it, the transaction is two round trips: the first locks and reads, the second writes and commits.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use scim_store::draft::{Counts, Draft};
use scim_store::transfer::Totals;
use scim_store::{Changeset, CommitError, Committed, Operation, StoreError, Tenant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_postgres::Row;

use crate::apply::{self, Leap};
use crate::doubt::{Doubt, Entry, Evidence, settle};
use crate::error::{Failed, Kind, corrupt};
use crate::existing::{Known, Outcome};
use crate::guess::{Doubted, Guess, Worked, Written};
use crate::memory::{Ground, Memories, Memory};
use crate::pool::{Lent, Pool, READ, WRITE};
use crate::rows::totals;
use crate::session::{Step, column, number, step};
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

pub(crate) type Answer = Result<Committed, CommitError>;

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

/// What came of an attempt in which something may have been done.
enum Attempt {
    /// These are the answers to the first of the jobs, and the others have to be tried anew.
    Done(Vec<Answer>),
    /// The connection was lost while a commit was on its way.
    Lost(Failed, Doubt),
}

/// What came of a guess.
enum Guessed {
    Right(Attempt),
    /// Nothing was done.
    Wrong(Box<Memory>),
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
        if let Some(mut last) = memory.take_if(|_| doubts.is_empty()) {
            let known = last.excerpt(&wishes);
            let mut worked = Guess::of(tenant.as_str(), &last.ground, known, changesets)?;
            if matches!(worked, Worked::Unknown) {
                let read = look(&mut lent, tenant, &wishes).await?;
                let known = last.excerpt_of(read, &wishes);
                worked = Guess::of(tenant.as_str(), &last.ground, known, changesets)?;
            }
            match worked {
                Worked::Out(guess) => match self.guessed(&mut lent, tenant, last, *guess).await? {
                    Guessed::Right(attempt) => return Ok(attempt),
                    Guessed::Wrong(last) => memory = Some(*last),
                },
                Worked::Unknown | Worked::Unfit => memory = Some(last),
            }
        }
        self.read_and_write(lent, tenant, changesets, wishes, memory, doubts).await
    }

    /// Writes a guess.
    async fn guessed(
        &self,
        lent: &mut Lent,
        tenant: &Tenant,
        mut memory: Memory,
        mut guess: Guess,
    ) -> Result<Guessed, Failed> {
        let steps = std::mem::take(&mut guess.steps);
        let failed = match lent.whole(WRITE, tenant, steps).await {
            Ok(rows) => match answered(&mut guess, &rows) {
                Ok((locked, Written { commits, totals, known })) => {
                    memory.was_right();
                    let ground = locked.left(totals, locked.fence);
                    self.memories.keep(tenant, Some(memory), &locked.last, ground, known);
                    return Ok(Guessed::Right(Attempt::Done(commits.into_iter().map(Ok).collect())));
                }
                // It is committed all the same.
                Err(failed) => failed,
            },
            // Whoever reads finds out why.
            Err(failed) if matches!(failed.kind, Kind::Fault | Kind::Again) => {
                memory.was_wrong();
                return Ok(Guessed::Wrong(Box::new(memory)));
            }
            Err(failed) if failed.kind == Kind::Lost => failed,
            Err(failed) => return Err(failed),
        };
        let Ground { token, totals, .. } = memory.ground;
        let Doubted { commits, sequence, born } = guess.doubted();
        let evidence = Evidence::Entry(Entry { token, after: totals.audited, sequence, may_come: true });
        let answers = commits.into_iter().map(Ok).collect();
        Ok(Guessed::Right(Attempt::Lost(failed, Doubt { evidence, answers, born })))
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
        if let Some(found) = settle(&lent, &name, &locked, doubts).await? {
            // A standby may not have it yet. This one has locked the row, which is in the log behind it, and waits for both.
            lent.end("COMMIT", Vec::new()).await?;
            return Ok(Attempt::Done(found.answers(doubts)?));
        }
        let before = locked.totals;
        let mut totals = before;
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
        // Those that are in doubt still may be on their way.
        let mut is_fenced = !doubts.is_empty();
        if is_untouched && !is_fenced {
            // Nothing was written. Whether the connection lives to say so does not matter.
            let _ = lent.end("ROLLBACK", Vec::new()).await;
            let ground = Ground { mark: locked.last.clone(), ..locked.left(totals, locked.fence) };
            self.memories.keep(tenant, memory, &locked.last, ground, known);
            return Ok(Attempt::Done(answers));
        }
        is_fenced |= changesets.iter().flat_map(|changeset| &changeset.operations).any(is_fencing);
        let entry = outcome.audit.first().map(|audited| audited.sequence);
        let leap = Leap { before, after: totals, is_fenced, token: Some(locked.token.clone()) };
        let steps = apply::statements(&name, leap, outcome)?;
        match lent.end("COMMIT", steps).await {
            Ok(_) => {
                let ground = locked.left(totals, locked.fence + u64::from(is_fenced));
                self.memories.keep(tenant, memory, &locked.last, ground, known);
                Ok(Attempt::Done(answers))
            }
            Err(failed) if failed.kind == Kind::Lost && !is_untouched => {
                let Locked { number, mark, token, .. } = locked;
                let evidence = match entry {
                    Some(sequence) => {
                        Evidence::Entry(Entry { token, after: before.audited, sequence, may_come: false })
                    }
                    None => Evidence::State { number, mark, totals },
                };
                Ok(Attempt::Lost(failed, Doubt { evidence, answers, born: Vec::new() }))
            }
            Err(failed) => Err(failed),
        }
    }
}

/// Reads the answers to a guess.
fn answered(guess: &mut Guess, answers: &[Vec<Row>]) -> Result<(Locked, Written), Failed> {
    let locked = answers.first().map(|rows| Locked::read(rows)).transpose()?.flatten();
    let locked = locked.ok_or_else(|| corrupt("a tenant is not counted"))?;
    let written = guess.written(locked.totals, answers)?;
    Ok((locked, written))
}

/// Whether what an operation does leaves versions as they are.
fn is_fencing(operation: &Operation) -> bool {
    matches!(operation, Operation::Rederive { .. })
}

/// Reads what is wished for, in one state of the tenant. Others go on writing to it.
async fn look(lent: &mut Lent, tenant: &Tenant, wishes: &Wishes) -> Result<Known, Failed> {
    let wishes = Wishes { leaving: BTreeSet::new(), ..wishes.clone() };
    let (steps, readings) = wishes.statements(tenant.as_str());
    let mut known = Known::default();
    for (read, rows) in readings.into_iter().zip(lent.whole(READ, tenant, steps).await?) {
        read(&mut known, rows)?;
    }
    Ok(known)
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
    let mut locked = Locked::read(&rows.next().unwrap_or_default())?;
    if locked.is_none() {
        // The first that is written to the tenant. What was read before its row is locked does not count.
        let (steps, _) = Wishes::of(changesets.iter().copied()).statements(name);
        let mut all = vec![step!(NEW_TENANT, name.to_owned()), lock(name)];
        all.extend(steps);
        rows = lent.run(all).await?.into_iter();
        locked = Locked::read(&rows.nth(1).unwrap_or_default())?;
    }
    let locked = locked.ok_or_else(|| corrupt("a tenant cannot be locked"))?;
    Ok((locked, readings.into_iter().zip(rows).collect()))
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
    pub(crate) last: String,
    /// The number of the transaction that holds it.
    number: String,
    /// The mark of the state that this one leaves behind, if it writes the row.
    mark: String,
    fence: u64,
    /// The run of the database.
    run: String,
    /// What this transaction can be known by, and what the next.
    token: String,
    next: String,
}

/// What stands for a state of a tenant: the transaction that wrote its row last. Its number is good for as long as the
/// database runs that has given it. One that took the place of another may know less, and give the number again.
macro_rules! mark {
    ($transaction:literal) => {
        concat!("concat(", $transaction, ", '@', extract(epoch FROM pg_postmaster_start_time()))")
    };
}

/// The columns of [`Locked`], of `tenant`.
macro_rules! locked_columns {
    () => {
        concat!(
            $crate::rows::totals_columns!(),
            ", ",
            $crate::writer::mark!("xmin"),
            " AS last, pg_current_xact_id()::text AS number, ",
            $crate::writer::mark!("pg_current_xact_id()::xid"),
            " AS mark, fence, extract(epoch FROM pg_postmaster_start_time())::text AS run,
            gen_random_uuid()::text AS token, gen_random_uuid()::text AS next"
        )
    };
}
pub(crate) use {locked_columns, mark};

/// Makes the row of a tenant that has none.
pub(crate) const NEW_TENANT: &str = "INSERT INTO tenant (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";

/// Locks a tenant's row and reads it. What is worked out from then on is numbered as it will be.
pub(crate) fn lock(tenant: &str) -> Step {
    let sql = concat!(
        "SELECT t.*, set_config('scim.changes', '0', true), set_config('scim.entries', '0', true) FROM (SELECT ",
        locked_columns!(),
        " FROM tenant WHERE name = $1 FOR NO KEY UPDATE) t"
    );
    step!(sql, tenant.to_owned())
}

impl Locked {
    pub(crate) fn read(rows: &[Row]) -> Result<Option<Self>, Failed> {
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Self {
            totals: totals(row)?,
            last: column(row, 6)?,
            number: column(row, 7)?,
            mark: column(row, 8)?,
            fence: number(row, 9)?,
            run: column(row, 10)?,
            token: column(row, 11)?,
            next: column(row, 12)?,
        }))
    }

    /// How the transaction that writes the row leaves the tenant.
    fn left(&self, totals: Totals, fence: u64) -> Ground {
        let (mark, run, token) = (self.mark.clone(), self.run.clone(), self.next.clone());
        Ground { mark, totals, fence, run, token }
    }
}

fn unavailable(why: &'static str) -> CommitError {
    CommitError::Store(StoreError::Unavailable(why.into()))
}
