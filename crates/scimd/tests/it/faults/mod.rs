//! What is done to a running server, and what may become of what it acknowledged: it is killed, ended, locked out of its
//! file or of its disk, crowded and left hanging.
//!
//! Each test is a row of `docs/faults.md`, in a file of the row's name: in its short form, or in its long one where
//! `FAULTS=long`. What was seen goes to standard error as `fault: ROW: …`, also of a test that succeeds, and so does why one
//! cannot be carried out here: it counts as not run, and whoever starts the tests says how many there were. A figure is
//! printed and never asserted.

mod disk;
mod exhausted;
mod idle;
mod journal;
mod kill;
mod lock;
mod neighbours;
mod restart;
mod servers;
mod slow;
mod state;
mod terminate;
mod traffic;

use std::fmt::Display;
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// A place whose data are in the store that is asked for: an SQLite file of its own, or a database of its own in the
/// Postgres that `FAULTS_STORE` names.
fn place(config: &str) -> Place {
    match postgres() {
        Err(_) if std::env::var("FAULTS_STORE").is_err() => Place::new(config),
        Err(problem) => panic!("FAULTS_STORE: {problem}"),
        Ok(_) => Place::on(Directory::new(), database_of_its_own(), config),
    }
}

/// Creates a database beside the one that `FAULTS_STORE` names.
fn database_of_its_own() -> StoreUrl {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let url = std::env::var("FAULTS_STORE").expect("a URL");
    let name = format!("faults_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let create = Command::new("psql").arg(&url).args(["-qc", &format!("CREATE DATABASE {name}")]).status();
    assert!(create.expect("psql runs").success(), "no database can be created");
    let (server, parameters) = url.split_once('?').unwrap_or((&url, ""));
    let (server, _) = server.rsplit_once('/').expect("the URL names a database");
    format!("{server}/{name}?{parameters}").trim_end_matches('?').parse().expect("a store")
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
