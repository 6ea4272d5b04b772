//! The threads of a store, so that it serves callers of any executor, and those of its callers, where they lend them.

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};

use crate::error::{Failed, Kind, OpenError};

/// The threads of a store. They do not hold up whoever drops it: what is on its way is whole or absent all the same.
pub(crate) struct Own(Option<Runtime>);

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Own {
    pub(crate) fn new(threads: usize) -> Result<Self, OpenError> {
        let built = Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("scim-postgres")
            .enable_all()
            .build();
        Ok(Self(Some(built.map_err(|error| OpenError::Refused(error.into()))?)))
    }

    pub(crate) fn handle(&self) -> Result<&Handle, Failed> {
        let runtime = self.0.as_ref().map(Runtime::handle);
        runtime.ok_or_else(|| Failed::new(Kind::Fault, "the store has ended"))
    }

    /// Waits on this thread for what the threads of the store do.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Failed> {
        let (answer, outcome) = std::sync::mpsc::sync_channel(1);
        self.handle()?.spawn(async move { drop(answer.send(work.await)) });
        let outcome = match Handle::try_current() {
            // The work may need the thread, which another takes over meanwhile.
            Ok(callers) if is_of_several(&callers) => tokio::task::block_in_place(|| outcome.recv()),
            Ok(_) | Err(_) => outcome.recv(),
        };
        outcome.map_err(|_| Failed::new(Kind::Fault, "the database was given up"))
    }
}

/// Whether a runtime goes on while one of its threads is held up.
pub(crate) fn is_of_several(runtime: &Handle) -> bool {
    runtime.runtime_flavor() == RuntimeFlavor::MultiThread
}
