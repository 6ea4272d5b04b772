//! Connections to read with: some for the calling thread, some with threads of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use scim_store::StoreError;
use tokio::sync::oneshot;

use crate::database::Database;

/// All connections that read.
pub(crate) struct Readers {
    idle: Mutex<Idle>,
    returned: Condvar,
    wait: Duration,
    walks: SyncSender<Walk>,
}

/// The connections that nobody reads with.
struct Idle {
    databases: Vec<Database>,
    /// How many threads wait for one. Waking nobody would be a call into the kernel for every read.
    waiting: usize,
}

type Walk = Box<dyn FnOnce(&Database) + Send>;

impl Readers {
    pub(crate) fn start(
        points: Vec<Database>,
        walkers: Vec<Database>,
        queue: usize,
        wait: Duration,
    ) -> std::io::Result<Self> {
        let (walks, waiting) = sync_channel(queue);
        let waiting = Arc::new(Mutex::new(waiting));
        for database in walkers {
            let waiting = Arc::clone(&waiting);
            let builder = thread::Builder::new().name("scim-sqlite-reader".to_owned());
            builder.spawn(move || walk(&database, &waiting))?;
        }
        let idle = Mutex::new(Idle { databases: points, waiting: 0 });
        Ok(Self { idle, returned: Condvar::new(), wait, walks })
    }

    /// Reads on this thread. For what is done in a few steps.
    pub(crate) fn point<T>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.databases.is_empty() {
            idle.waiting += 1;
            let waited = self.returned.wait_timeout_while(idle, self.wait, |idle| idle.databases.is_empty());
            (idle, _) = waited.unwrap_or_else(PoisonError::into_inner);
            idle.waiting -= 1;
        }
        let Some(database) = idle.databases.pop() else { return Err(unavailable("all readers are busy")) };
        drop(idle);
        let lent = Lent { readers: self, database: Some(database) };
        match &lent.database {
            Some(database) => read(database),
            None => Err(unavailable("all readers are busy")),
        }
    }

    /// Reads on a thread of its own. For what may walk.
    pub(crate) async fn walk<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, outcome) = oneshot::channel();
        let job: Walk = Box::new(move |database| {
            // Nobody waits any more if the request was given up.
            if !answer.is_closed() {
                let _ = answer.send(read(database));
            }
        });
        match self.walks.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(unavailable("too many queries wait already")),
            Err(TrySendError::Disconnected(_)) => return Err(unavailable("the readers have ended")),
        }
        outcome.await.unwrap_or_else(|_| Err(StoreError::Fault("a reader did not answer".into())))
    }
}

/// A connection that goes back when it is dropped, even by a panic.
struct Lent<'a> {
    readers: &'a Readers,
    database: Option<Database>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut idle = self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.databases.extend(self.database.take());
        if idle.waiting > 0 {
            self.readers.returned.notify_one();
        }
    }
}

fn walk(database: &Database, waiting: &Mutex<Receiver<Walk>>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic is told to whoever asked by the answer that does not come; the connection keeps no state of it.
        let _ = catch_unwind(AssertUnwindSafe(|| job(database)));
        if !database.connection.is_autocommit() {
            let _ = database.connection.execute_batch("ROLLBACK");
        }
    }
}

fn unavailable(why: &'static str) -> StoreError {
    StoreError::Unavailable(why.into())
}
