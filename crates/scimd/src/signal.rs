//! What the operating system tells the process.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Failure;

/// The signals that end the server: SIGTERM, and SIGINT as from Ctrl-C.
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Takes the signals over from the default, which is to end at once.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn new() -> Result<Self, Failure> {
        let take = |kind| signal(kind).map_err(|error| Failure::io("cannot handle signals", &error));
        Ok(Self { terminate: take(SignalKind::terminate())?, interrupt: take(SignalKind::interrupt())? })
    }

    /// Waits for one of them.
    pub async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Acts at each SIGHUP. It is taken over from the default, which is to end, when this is called and not when it is first
/// polled.
pub(crate) fn on_hangup(act: impl Fn()) -> impl Future<Output = ()> {
    let hangups = signal(SignalKind::hangup());
    async move {
        match hangups {
            Ok(mut hangups) => {
                while hangups.recv().await.is_some() {
                    act();
                }
            }
            Err(error) => tracing::warn!(%error, "SIGHUP ends the server instead of reading its files again"),
        }
    }
}
