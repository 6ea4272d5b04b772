//! Connections to read with: some for the calling thread, some with threads of their own, for which tenants take turns.
//!
//! Beginning and ending a read transaction takes locks of the file, for which threads of a process wait for one another.
//! So a connection of the calling thread keeps its transaction, and reads on in it until something was committed. What
//! another process commits cannot be noticed that way, which is why none is kept longer than [`KEEP`], or past a walk:
//! whoever has found a change in the log looks at what was changed next, and must not find it as it was before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use scim_store::{StoreError, Tenant};
use tokio::sync::oneshot;

use crate::database::Database;
use crate::files::Files;
use crate::line::Line;

/// How old the state may be that a read on the calling thread sees of what other processes wrote.
const KEEP: Duration = Duration::from_millis(5);

/// How long walks that are held wait for the writer, which does not come where nobody writes. One that is writing does,
/// however long its disk takes.
const MOMENT: Duration = Duration::from_millis(100);

/// How long a walk may be in the way of the log while others wait for it. It ends without an answer then, since otherwise no
/// tenant could walk for as long as one walk may take.
const GRACE: Duration = Duration::from_secs(1);

/// All connections that read.
pub(crate) struct Readers {
    points: Arc<Points>,
    threads: Vec<JoinHandle<()>>,
}

/// The connections that read on the calling thread, and what waits for the others.
pub(crate) struct Points {
    idle: Mutex<Idle>,
    /// What waits for a thread of its own.
    walks: Line<Walk>,
    returned: Condvar,
    files: Arc<Files>,
    wait: Duration,
    /// How often there was something that reads from then on have to see: this process committed, or a walk, which may have
    /// seen what another one committed, was over.
    news: AtomicU64,
    /// Whether the writer has a transaction, after which it looks at the log.
    is_writing: AtomicBool,
}

/// See [`Points::writing`].
pub(crate) struct Writing<'a>(&'a AtomicBool);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Those that nobody reads with.
struct Idle {
    points: Vec<Point>,
    /// How many threads wait for one. Waking nobody would be a call into the kernel for every read.
    waiting: usize,
}

/// A connection, and the transaction that it keeps.
struct Point {
    database: Database,
    kept: Option<Kept>,
}

/// A read transaction that is open.
#[derive(Clone, Copy)]
struct Kept {
    /// How much news there had been when it began.
    news: u64,
    since: Instant,
}

type Walk = Box<dyn FnOnce(&Database) + Send>;

/// Whether anybody waits for an answer.
pub(crate) type IsAwaited<'a> = &'a dyn Fn() -> bool;

impl Readers {
    pub(crate) fn start(
        points: Vec<Database>,
        walkers: Vec<Database>,
        files: &Arc<Files>,
        queue: usize,
        wait: Duration,
    ) -> std::io::Result<Self> {
        let points = points.into_iter().map(|database| Point { database, kept: None }).collect();
        let points = Arc::new(Points {
            idle: Mutex::new(Idle { points, waiting: 0 }),
            // One thread is kept from each tenant, whatever the tenant asks, and there for others.
            walks: Line::new(queue, walkers.len().saturating_sub(1).max(1)),
            returned: Condvar::new(),
            files: Arc::clone(files),
            wait,
            news: AtomicU64::default(),
            is_writing: AtomicBool::new(false),
        });
        // The threads that there are end with it, should one not start.
        let mut readers = Self { points, threads: Vec::new() };
        for database in walkers {
            let points = Arc::clone(&readers.points);
            let builder = thread::Builder::new().name("scim-sqlite-reader".to_owned());
            readers.threads.push(builder.spawn(move || walk(&database, &points))?);
        }
        Ok(readers)
    }

    /// Those who want to know of each commit.
    pub(crate) fn points(&self) -> Arc<Points> {
        Arc::clone(&self.points)
    }

    /// Reads on this thread, in one state of the file. For what is done in a few steps.
    pub(crate) fn point<T>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut lent = self.points.lend()?;
        // Before the state is looked at, so that whatever was acknowledged until now is in it.
        let news = self.points.news.load(Ordering::Acquire);
        match &mut lent.point {
            Some(point) => point.read(news, &self.points.files, read),
            None => Err(unavailable("all readers are busy")),
        }
    }

    /// Reads on a thread of its own, when it is the tenant's turn. For what may walk. What is read with is told whether anybody
    /// still waits: a walk that goes on for nobody keeps the thread from other tenants.
    pub(crate) async fn walk<T: Send + 'static>(
        &self,
        tenant: &Tenant,
        read: impl FnOnce(&Database, &Tenant, IsAwaited<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let (own, points) = (tenant.clone(), Arc::clone(&self.points));
        let job: Walk = Box::new(move |database| {
            // Nobody waits any more if the request was given up.
            if !answer.is_closed() {
                let is_awaited = || !answer.is_closed() && !points.walks.is_held_for(GRACE);
                let sound = points.files.are_there().and_then(|()| database.check_version());
                let outcome = sound.and_then(|()| read(database, &own, &is_awaited));
                points.is_news();
                let _ = answer.send(outcome);
            }
        });
        if !self.points.walks.push(tenant, job) {
            return Err(unavailable("too many queries wait already"));
        }
        outcome.await.unwrap_or_else(|_| Err(StoreError::Fault("a reader did not answer".into())))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.points.walks.end();
        // Their connections are closed then: the last one of all writes what is in the log into the file, which somebody may
        // copy once the process has ended.
        for thread in self.threads.drain(..) {
            // Nobody waits for a walk any more, which ends soon; a panic of its own was contained before.
            let _ = thread.join();
        }
    }
}

impl Points {
    /// Takes note of a commit, or of a walk, before anybody is told of it.
    pub(crate) fn is_news(&self) {
        self.news.fetch_add(1, Ordering::Release);
    }

    /// Ends the transactions of connections that nobody reads with. One that is kept holds the write-ahead log: what came
    /// after it cannot be written into the file, and the log cannot start over.
    pub(crate) fn let_go(&self) {
        self.lock().points.iter_mut().for_each(Point::end);
    }

    /// The writer has a transaction, and looks at the log after it, until this is dropped.
    pub(crate) fn writing(&self) -> Writing<'_> {
        self.is_writing.store(true, Ordering::Relaxed);
        Writing(&self.is_writing)
    }

    /// Has no further walk begin before those that have begun are over, and then for a [`MOMENT`] that is there for whoever
    /// writes. Says whether none is under way.
    pub(crate) fn hold_walks(&self) -> bool {
        self.walks.hold()
    }

    /// Lets walks begin again.
    pub(crate) fn release_walks(&self) {
        self.walks.release();
    }

    /// Ends those in which nobody will read on.
    fn let_go_of_old(&self) {
        let mut idle = self.lock();
        let news = self.news.load(Ordering::Acquire);
        for point in &mut idle.points {
            if point.kept.is_some_and(|kept| !kept.is_current(news)) {
                point.end();
            }
        }
    }

    fn lend(&self) -> Result<Lent<'_>, StoreError> {
        let mut idle = self.lock();
        if idle.points.is_empty() {
            idle.waiting += 1;
            let waited = self.returned.wait_timeout_while(idle, self.wait, |idle| idle.points.is_empty());
            (idle, _) = waited.unwrap_or_else(PoisonError::into_inner);
            idle.waiting -= 1;
        }
        match idle.points.pop() {
            Some(point) => Ok(Lent { points: self, point: Some(point) }),
            None => Err(unavailable("all readers are busy")),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Point {
    fn read<T>(
        &mut self,
        news: u64,
        files: &Files,
        read: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.kept.is_some_and(|kept| kept.is_current(news)) {
            self.end();
            files.are_there()?;
            self.database.run("BEGIN", &[])?;
            self.kept = Some(Kept { news, since: Instant::now() });
            if let Err(error) = self.database.check_version() {
                self.end();
                return Err(error);
            }
        }
        let answer = read(&self.database);
        if answer.is_err() {
            self.end();
        }
        answer
    }

    /// Ends the transaction, if one is kept. There is nothing in it to lose.
    fn end(&mut self) {
        if self.kept.take().is_some() && !self.database.connection.is_autocommit() {
            let _ = self.database.run("COMMIT", &[]);
        }
    }
}

impl Kept {
    fn is_current(self, news: u64) -> bool {
        self.news == news && self.since.elapsed() < KEEP
    }
}

/// A connection that goes back when it is dropped, even by a panic.
struct Lent<'a> {
    points: &'a Points,
    point: Option<Point>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut idle = self.points.lock();
        idle.points.extend(self.point.take());
        if idle.waiting > 0 {
            self.points.returned.notify_one();
        }
    }
}

fn walk(database: &Database, points: &Points) {
    while let Some((tenant, job)) = points.walks.begin_next() {
        // A panic is told to whoever asked by the answer that does not come; the connection keeps no state of it.
        let _ = catch_unwind(AssertUnwindSafe(|| job(database)));
        if !database.connection.is_autocommit() {
            let _ = database.connection.execute_batch("ROLLBACK");
        }
        points.let_go_of_old();
        points.walks.done(&tenant, MOMENT, || points.is_writing.load(Ordering::Relaxed));
    }
}

fn unavailable(why: &'static str) -> StoreError {
    StoreError::Unavailable(why.into())
}
