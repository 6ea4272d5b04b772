//! Where the lines of the log go: to the standard error output, which a thread of its own writes to.
//!
//! Whoever reads them may stop, for a while or for good: a collector that hangs, one whose disk is full, a terminal that is held.
//! Neither a request nor the end of the server waits for that. Lines wait in memory instead, up to a bound. Those beyond it
//! are lost and counted, and when lines can be written again there is one that says how many.

use std::io::{ErrorKind, Result, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Most bytes of lines that wait, some thirty thousand lines.
const ROOM: usize = 8 * 1024 * 1024;
/// What is kept of the memory for lines when none waits.
const KEPT: usize = 64 * 1024;
/// How long lines gather once some were written. The thread would otherwise be woken for each, which costs as much as a tenth of a
/// request.
const REST: Duration = Duration::from_millis(5);
/// After which time an output that is set not to block, and is full, is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// Takes lines, and never waits for anybody who reads them.
#[derive(Clone)]
pub(super) struct Outlet(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    room: usize,
    /// There are lines to write.
    begun: Condvar,
    /// All lines were written.
    done: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    is_writing: bool,
    lost: u64,
    /// How many of those no line has told of.
    untold: u64,
}

impl Outlet {
    /// One that writes to `output`.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub(super) fn to(output: impl Write + Send + 'static) -> Result<Self> {
        Self::with_room(ROOM, output)
    }

    fn with_room(room: usize, output: impl Write + Send + 'static) -> Result<Self> {
        let (begun, done) = (Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { state: Mutex::default(), room, begun, done });
        let lines = Arc::clone(&shared);
        thread::Builder::new().name("scimd-log".to_owned()).spawn(move || lines.write_to(output))?;
        Ok(Self(shared))
    }

    /// How many lines were lost so far.
    pub(super) fn lost(&self) -> u64 {
        self.0.state().lost
    }

    /// Waits until all lines were written, and no longer than this.
    pub(super) fn finish(&self, patience: Duration) {
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        drop(self.0.done.wait_timeout_while(self.0.state(), patience, is_busy));
    }
}

impl<'a> MakeWriter<'a> for Outlet {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Each call is a line.
impl Write for &Outlet {
    fn write(&mut self, line: &[u8]) -> Result<usize> {
        let mut state = self.0.state();
        if state.waiting.len().saturating_add(line.len()) > self.0.room {
            state.lose(1);
        } else {
            // Otherwise the thread will look by itself.
            let is_idle = !state.is_writing && state.waiting.is_empty();
            state.waiting.extend_from_slice(line);
            drop(state);
            if is_idle {
                self.0.begun.notify_one();
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl State {
    fn lose(&mut self, lines: u64) {
        self.lost += lines;
        self.untold += lines;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes lines as they come, as many at once as wait.
    fn write_to(&self, mut output: impl Write) {
        let mut lines = Vec::new();
        let mut is_torn = false;
        loop {
            lines.clear();
            lines.shrink_to(KEPT);
            let mut state = self.state();
            state.is_writing = false;
            if state.waiting.is_empty() {
                self.done.notify_all();
            }
            let waited = self.begun.wait_while(state, |state| state.waiting.is_empty());
            state = waited.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut state.waiting, &mut lines);
            state.is_writing = true;
            drop(state);
            // What follows the beginning of a line would be no line either.
            is_torn = is_torn && write(&mut output, b"\n") == 0;
            let written = write(&mut output, &lines);
            let (done, rest) = lines.split_at_checked(written).unwrap_or_default();
            is_torn = done.last().map_or(is_torn, |last| *last != b'\n');
            self.tell(rest.iter().filter(|byte| **byte == b'\n').count());
            thread::sleep(REST);
        }
    }

    /// Tells of lost lines when it can, after so many more could not be written.
    fn tell(&self, unwritten: usize) {
        let mut state = self.state();
        if unwritten > 0 {
            state.lose(unwritten as u64);
            return;
        }
        let lines = std::mem::take(&mut state.untold);
        drop(state);
        if lines > 0 {
            tracing::warn!(
                lines,
                "so many lines of the log were lost, since nobody took them or they could not be written"
            );
        }
    }
}

/// Writes what can be written, and says how much that was.
fn write(output: &mut impl Write, bytes: &[u8]) -> usize {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match output.write(rest) {
            Ok(0) => break,
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(_) => break,
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// An output that takes what it is allowed to take.
    struct Output {
        takes: Receiver<Result<usize>>,
        taken: Sender<String>,
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            let most = self.takes.recv().unwrap_or(Ok(usize::MAX))?;
            let taken = &bytes[..most.min(bytes.len())];
            let _ = self.taken.send(String::from_utf8_lossy(taken).into_owned());
            Ok(taken.len())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    fn outlet(room: usize) -> (Outlet, Sender<Result<usize>>, Receiver<String>) {
        let ((allow, takes), (taken, seen)) = (channel(), channel());
        (Outlet::with_room(room, Output { takes, taken }).expect("a thread"), allow, seen)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn nobody_waits_for_who_does_not_read() {
        let (outlet, allow, seen) = outlet(12);
        let line = |text: &str| (&outlet).write_all(text.as_bytes()).expect("never fails");
        line("first\n");
        // The thread has taken the first, or it waits with the others.
        for _ in 0..10 {
            line("later\n");
        }
        assert!((8..=9).contains(&outlet.lost()), "{}", outlet.lost());
        outlet.finish(Duration::ZERO);
        drop(allow);
        outlet.finish(LONG);
        let all: String = seen.try_iter().collect();
        assert_eq!(all.lines().count() as u64, 11 - outlet.lost(), "{all:?}");
        assert!(all.starts_with("first\nlater\n") && all.ends_with("later\n"), "{all:?}");
        line("last\n");
        outlet.finish(LONG);
        assert_eq!(seen.try_recv().as_deref(), Ok("last\n"));
    }

    #[test]
    fn a_line_that_was_torn_does_not_take_the_next_with_it() {
        let (outlet, allow, seen) = outlet(ROOM);
        let full = || Err(io::Error::from(ErrorKind::StorageFull));
        let line = |text: &str| (&outlet).write_all(text.as_bytes()).expect("never fails");
        for outcome in [Ok(3), Err(ErrorKind::Interrupted.into()), Err(ErrorKind::WouldBlock.into()), full()]
        {
            allow.send(outcome).expect("it lives");
        }
        line("torn\n");
        outlet.finish(LONG);
        assert_eq!(outlet.lost(), 1);
        for outcome in [full(), full()] {
            allow.send(outcome).expect("it lives");
        }
        line("lost\n");
        outlet.finish(LONG);
        assert_eq!(outlet.lost(), 2);
        drop(allow);
        line("whole\n");
        outlet.finish(LONG);
        assert_eq!(seen.try_iter().collect::<String>(), "tor\nwhole\n");
    }
}
