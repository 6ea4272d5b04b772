//! A bar on the terminal that says how far things are. It is not there when nobody looks.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

const WIDTH: usize = 24;

/// Progress of one thing, whose line is wiped out at its end.
pub(crate) struct Progress {
    name: String,
    shown: Option<Instant>,
    on: bool,
}

impl Progress {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), shown: None, on: stderr().is_terminal() }
    }

    /// Shows that this share is done.
    pub(crate) fn show(&mut self, share: f64, words: &str) {
        let soon = |last: Instant| last.elapsed() < Duration::from_millis(100);
        if !self.on || self.shown.is_some_and(soon) {
            return;
        }
        self.shown = Some(Instant::now());
        let full = (share.clamp(0.0, 1.0) * WIDTH as f64) as usize;
        let bar = format!("{}{}", "█".repeat(full), "░".repeat(WIDTH - full));
        let _ = write!(stderr(), "\r\x1b[2K{:<28} {bar} {words}", self.name);
        let _ = stderr().flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(stderr(), "\r\x1b[2K");
        }
    }
}
