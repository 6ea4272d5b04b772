//! How a store uses its file. Every setting has a default that serves.

use std::sync::Arc;
use std::time::Duration;

/// Is shown the text of every statement before it runs, with placeholders instead of values.
pub type Trace = Arc<dyn Fn(&str) + Send + Sync>;

/// How a store uses its file.
#[derive(Clone)]
pub struct Options {
    /// How long to wait for another process that writes, before giving up.
    pub wait: Duration,
    /// Most changesets of one tenant that may wait, and most of its long reads.
    pub queue: usize,
    /// Most changesets that share a transaction.
    pub batch: usize,
    /// Connections for short reads, which run on the calling thread.
    pub readers: usize,
    /// Threads for reads of one tenant that may take longer. There is one more, for others.
    pub walkers: usize,
    /// Memory for pages of the file, in KiB: five eighths of it for short reads, where it saves most, an eighth for long
    /// ones and a quarter for the writer.
    pub cache: u32,
    /// Shown every statement.
    pub trace: Option<Trace>,
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            wait: Duration::from_secs(5),
            queue: 1024,
            batch: 256,
            readers: cores.clamp(2, 8),
            walkers: cores.clamp(2, 4),
            cache: 64 << 10,
            trace: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("wait", &self.wait)
            .field("queue", &self.queue)
            .field("batch", &self.batch)
            .field("readers", &self.readers)
            .field("walkers", &self.walkers)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}
