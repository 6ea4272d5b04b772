//! How many lines of the log requests get that nobody has let in. Whoever can reach the server could fill its disk otherwise.
//!
//! What gets no line is counted, and the count has one. Metrics count everything, whether it has a line or not.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many lines there are at once.
const BURST: u32 = 100;
/// How long it takes until there may be one more.
const PAUSE: Duration = Duration::from_millis(100);

/// What is left of the lines.
pub(super) struct Strangers(Mutex<State>);

struct State {
    /// When all lines are there again.
    full: Instant,
    /// How many requests had no line since that was last told.
    untold: u64,
}

impl Strangers {
    /// All lines are left.
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { full: Instant::now(), untold: 0 }))
    }

    /// Whether a request that was not let in gets a line now.
    pub(super) fn may_have_a_line(&self) -> bool {
        self.may_have_a_line_at(Instant::now())
    }

    fn may_have_a_line_at(&self, now: Instant) -> bool {
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
                "so many more have no line: refused without a valid token, or given up before they were answered"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_has_lines_and_then_ten_a_second() {
        let (strangers, now) = (Strangers::new(), Instant::now());
        let lines = |at: Duration, requests: u32| {
            (0..requests).filter(|_| strangers.may_have_a_line_at(now + at)).count()
        };
        assert_eq!(lines(Duration::ZERO, 1000), 100);
        assert_eq!(lines(Duration::from_secs(1), 1000), 10);
        assert_eq!(lines(Duration::from_secs(1), 1000), 0);
        assert_eq!(lines(Duration::from_secs(3600), 1000), 100, "what nobody used is not kept for ever");
        assert_eq!(strangers.0.lock().expect("not poisoned").untold, 900 + 990 + 1000 + 900);
    }
}
