//! What is done to a running server, and what may become of what it acknowledged: it is killed, ended, locked out of its
//! file or of its disk, crowded and left hanging.
//!
//! Each test is a row of `docs/faults.md`, in a file of the row's name: in its short form, or in its long one where
//! `FAULTS=long`; on SQLite, or on PostgreSQL where `SCIM_TEST_STORE=postgres`. What was seen goes to standard error as `fault: ROW: …`, also of a test that succeeds, and so does why one
//! cannot be carried out here: it counts as not run, and whoever starts the tests says how many there were. A figure is
//! printed and never asserted.

mod disk;
mod exhausted;
mod failover;
mod idle;
mod journal;
mod kill;
pub(crate) mod lock;
mod log;
mod neighbours;
mod power;
mod restart;
mod servers;
mod slow;
mod stage;
mod state;
mod terminate;
mod traffic;

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

/// The configuration of most rows: nobody is stopped for being fast.
const FAST: &str = "[limits]\nrequests_per_second = 1000000";

/// The tenant.
const TENANT: &str = "acme";

/// Which of two sizes is asked for.
fn sized<T>(short: T, long: T) -> T {
    match std::env::var("FAULTS").as_deref() {
        Ok("long") => long,
        _ => short,
    }
}

/// Says what was seen.
fn seen(row: &str, what: impl Display) {
    let _ = writeln!(std::io::stderr(), "fault: {row}: {what}");
}

/// Says why a row cannot be carried out here.
fn not_run(row: &str, why: impl Display) {
    seen(row, format_args!("NOT RUN, {why}"));
}

/// Whether PostgreSQL is what is tested.
pub(crate) fn on_postgres() -> bool {
    std::env::var("SCIM_TEST_STORE").is_ok()
}

fn millis(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1000.0)
}
