//! What the operating system tells the process.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
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
        Ok(Self { terminate: taken(SignalKind::terminate())?, interrupt: taken(SignalKind::interrupt())? })
    }
}

/// Each of them, as it comes.
impl Stream for Stop {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let is_asked = self.terminate.poll_recv(cx).is_ready() || self.interrupt.poll_recv(cx).is_ready();
        if is_asked { Poll::Ready(Some(())) } else { Poll::Pending }
    }
}

/// SIGHUP, which would end the server.
pub struct Hangups(Signal);

impl Hangups {
    /// Takes it over from the default. None is missed from now on.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn new() -> Result<Self, Failure> {
        taken(SignalKind::hangup()).map(Self)
    }

    /// Acts at each.
    pub(crate) async fn each(mut self, act: impl Fn()) {
        while self.0.recv().await.is_some() {
            act();
        }
    }
}

fn taken(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::io("cannot handle signals", &error))
}
