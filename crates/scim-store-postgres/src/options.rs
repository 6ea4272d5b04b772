//! How a store uses its database. Every setting has a default that serves.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

/// Is shown the texts of the statements of every round trip, with placeholders instead of values.
pub type Trace = Arc<dyn Fn(&[&str]) + Send + Sync>;

/// How a store uses its database.
#[derive(Clone)]
pub struct Options {
    /// Most connections, where the address does not say. A quarter of them is kept from long reads.
    pub pool: usize,
    /// How long to wait for a connection of the pool.
    pub wait: Duration,
    /// How long to wait for a new connection to one host.
    pub connect: Duration,
    /// The longest that one statement may take.
    pub statement: Duration,
    /// How long to wait for others that write to the same tenant.
    pub lock: Duration,
    /// How long a commit is tried again after losing its connection.
    pub patience: Duration,
    /// Most changesets of one tenant that may wait, most of its long reads, and most that wait for connections.
    pub queue: usize,
    /// Most changesets that share a transaction.
    pub batch: usize,
    /// Most statements that a connection keeps prepared. There are fewer, unless sources of every shape are asked for.
    pub prepared: usize,
    /// Threads for writing and for what takes long, and for everything where there is no [`Self::runtime`].
    pub threads: usize,
    /// The runtime of those who call, which then drives the connections, so that a short read wakes no other thread. It has
    /// to outlive the store, and to have several threads, or it is not used.
    pub runtime: Option<Handle>,
    /// Shown every statement.
    pub trace: Option<Trace>,
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            pool: 16,
            wait: Duration::from_secs(1),
            connect: Duration::from_secs(3),
            statement: Duration::from_secs(20),
            lock: Duration::from_secs(5),
            patience: Duration::from_secs(5),
            queue: 1024,
            batch: 256,
            prepared: 500,
            threads: cores.clamp(1, 4),
            runtime: None,
            trace: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("pool", &self.pool)
            .field("wait", &self.wait)
            .field("connect", &self.connect)
            .field("statement", &self.statement)
            .field("lock", &self.lock)
            .field("patience", &self.patience)
            .field("queue", &self.queue)
            .field("batch", &self.batch)
            .field("prepared", &self.prepared)
            .field("threads", &self.threads)
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}
