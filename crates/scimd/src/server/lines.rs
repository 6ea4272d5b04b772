//! How many lines of the log requests get that nobody let in: without a valid token, over a rate, or not understood at all.
//! Whoever sends them could fill the disk otherwise.
//!
//! What gets no line is counted, and the count has one. Metrics count everything, whether it has a line or not.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many lines there are at once.
const BURST: u32 = 100;
/// How long it takes until there may be one more.
const PAUSE: Duration = Duration::from_millis(100);

/// What is left of the lines.
pub(super) struct Lines(Mutex<State>);

struct State {
    /// When all lines are there again.
    full: Instant,
    /// How many requests had no line since that was last told.
    untold: u64,
}

impl Lines {
    /// All lines are left.
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { full: Instant::now(), untold: 0 }))
    }

    /// Takes one for a request that was not let in. Says whether there was one left.
    pub(super) fn take(&self) -> bool {
        self.take_at(Instant::now())
    }

    fn take_at(&self, now: Instant) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = state.full.max(now) + PAUSE;
        let is_left = full.duration_since(now) <= PAUSE * BURST;
        if is_left {
            state.full = full;
        } else {
            state.untold += 1;
        }
        is_left
    }

    /// Writes down how many had no line, if there were any. To be called once a second.
    pub(super) fn tell(&self) {
        let requests = std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).untold);
        if requests > 0 {
            tracing::warn!(
                requests,
                "so many more requests have no line: without a valid token, over a rate, not understood, or given up before they \
                 were answered"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_has_lines_and_then_ten_a_second() {
        let (few, now) = (Lines::new(), Instant::now());
        let lines = |at: Duration, requests: u32| (0..requests).filter(|_| few.take_at(now + at)).count();
        assert_eq!(lines(Duration::ZERO, 1000), 100);
        assert_eq!(lines(Duration::from_secs(1), 1000), 10);
        assert_eq!(lines(Duration::from_secs(1), 1000), 0);
        assert_eq!(lines(Duration::from_secs(3600), 1000), 100, "what nobody used is not kept for ever");
        assert_eq!(few.0.lock().expect("not poisoned").untold, 900 + 990 + 1000 + 900);
    }
}
