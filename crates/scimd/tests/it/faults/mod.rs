//! What is done to a running server, and what may become of what it acknowledged: it is killed, ended, locked out of its
//! file or of its disk, crowded and left hanging.
//!
//! Each test is a row of `docs/faults.md`, in its short form, or in its long one where `FAULTS=long`. What was seen goes
//! to standard error as `fault: ROW: …`, also of a test that succeeds, and so does why one cannot be carried out here: it
//! counts as not run, and whoever starts the tests says how many there were. A figure is printed and never asserted.

mod clients;
mod disk;
mod exhausted;
mod journal;
mod kill;
mod lock;
mod neighbours;
mod servers;
mod state;
mod terminate;
mod traffic;

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

use scimd::config::StoreUrl;

use crate::server::{Directory, Place};

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

/// A place whose data are in the store that is asked for: an SQLite file of its own, or what `FAULTS_STORE` names.
fn place(config: &str) -> Place {
    match std::env::var("FAULTS_STORE") {
        Err(_) => Place::new(config),
        Ok(url) => match url.parse::<StoreUrl>() {
            Ok(store) => Place::on(Directory::new(), store, config),
            Err(problem) => panic!("FAULTS_STORE: {problem}"),
        },
    }
}

/// The URL of the Postgres that is asked for, or why there is none.
fn postgres() -> Result<StoreUrl, String> {
    let url = std::env::var("FAULTS_STORE").unwrap_or_default();
    if !url.starts_with("postgres") {
        return Err("it needs a Postgres: `cargo xtask faults --store postgres://…`".to_owned());
    }
    url.parse()
}

/// Whether another store than this row's is asked for; says so.
fn only_sqlite(row: &str) -> bool {
    let other = std::env::var("FAULTS_STORE").is_ok();
    if other {
        not_run(row, "it is about SQLite files");
    }
    !other
}

fn millis(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1000.0)
}
