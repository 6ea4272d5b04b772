//! The power fails under sixteen writers to an SQLite file: what was acknowledged had been synced. A process that is killed leaves everything
//! that it wrote to the system, so that `kill` would hold without a single sync; here what was written and not synced is lost,
//! in any part and order.
//!
//! A library before the system's ([`disk.c`](disk.c)) writes down what commands and a server do to the file, from its creation
//! on. Then the disk is put together as it may be found after a failure at one point or another, and a server is started on
//! that. What PostgreSQL syncs is its own affair.

mod trace;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use scim_store::conformance::words::Random;
use scimd::config::StoreUrl;

use self::trace::{Disk, Left, Trace};
use super::journal::Journal;
use super::state::agree;
use super::traffic::{Watch, Writer, body, groups};
use super::{FAST, TENANT, not_run, seen, sized};
use crate::server::{Directory, Place, Server};

const ROW: &str = "power";
const WRITERS: usize = 16;

#[test]
fn the_power_fails() {
    let (failures, writes) = sized((30, 1_500), (400, 5_000));
    let beside = Directory::new();
    let library = match compiled(beside.path()) {
        Ok(library) => library,
        Err(why) => return not_run(ROW, why),
    };
    let trace = beside.path().join("trace");
    let mut place = Place::in_file(FAST);
    let StoreUrl::Sqlite(file) = place.store.clone() else { unreachable!("the place is in a file") };
    place.environment = vec![
        ("LD_PRELOAD", library.into_os_string()),
        ("POWER_FILES", file.into_os_string()),
        ("POWER_TRACE", trace.clone().into_os_string()),
    ];

    let token = place.tenant(TENANT, "generic");
    let made = fs::metadata(&trace).expect("a trace").len();
    let journal = Journal::beside(place.directory.path(), &trace);
    let watch = Watch::default();
    let server = Server { process: place.serve(), place };
    let groups = groups(&mut server.client(TENANT, &token), 4);
    let begun = fs::metadata(&trace).expect("a trace").len();
    let client = server.client(TENANT, &token);
    // The place stays: the journal is there.
    let Server { process, place: _place } = server;
    std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let (client, groups, journal, watch) = (client.clone(), &groups, &journal, &watch);
            let writer = Writer { client, groups, journal, watch, reconnects: false };
            scope.spawn(move || writer.run(&format!("w{number}"), || false));
        }
        journal.wait("for acknowledgements", |count| count.done >= writes);
        process.kill();
    });
    watch.only(&[200, 201, 204, 409]);

    let trace = Trace::read(&trace);
    let seed = match std::env::var("POWER_SEED") {
        Ok(seed) => seed.parse().expect("POWER_SEED is a number"),
        Err(_) => u64::from(std::process::id()),
    };
    seen(ROW, format_args!("POWER_SEED={seed}"));
    let random = &mut Random::new(seed);
    let points = points(&trace, &journal, begun, failures, random);
    // Nobody had groups when the tenant had been made: only that it is there can be asked.
    let (mut disk, mut lost) = (Disk::default(), 0);
    let mut at = trace.replay(&mut disk, 0, made);
    check(&token, &[], &journal, &disk.after_failure(Left::Nothing, random).0, made);

    for (number, point) in points.into_iter().enumerate() {
        at = trace.replay(&mut disk, at, point);
        let left = match number % 8 {
            0 => Left::Everything,
            1 | 2 => Left::Nothing,
            _ => Left::Anything,
        };
        let (files, missing) = disk.after_failure(left, random);
        lost += missing;
        check(&token, &groups, &journal, &files, point);
    }
    assert!(lost > 0, "whatever was written was synced at every point: nothing was tried");
    seen(
        ROW,
        format_args!(
            "failed {failures} times under {WRITERS} writers, {} acknowledged, {lost} sectors gone or older than written; 0 lost",
            journal.count().done,
        ),
    );
}

/// When the power fails, in order: a half right after an acknowledgement had been read, a quarter amid what is done to the
/// database itself, which is a checkpoint, and a quarter anywhere.
fn points(trace: &Trace, journal: &Journal, begun: u64, count: usize, random: &mut Random) -> Vec<u64> {
    let told: Vec<u64> = journal.told().into_iter().filter(|at| *at > begun).collect();
    let (checkpoints, all) = (trace.ends("scimd.db", begun), trace.ends("", begun));
    assert!(!checkpoints.is_empty(), "nothing was moved from the log into the database");
    let mut points: Vec<u64> = (0..count)
        .map(|number| match number % 4 {
            0 | 1 => random.pick(&told),
            2 => random.pick(&checkpoints),
            _ => random.pick(&all),
        })
        .collect();
    points.sort_unstable();
    points
}

/// Starts a server on what was found, compares it with what had been acknowledged by then, and writes.
#[track_caller]
fn check(token: &str, groups: &[String], journal: &Journal, files: &[(String, Vec<u8>)], point: u64) {
    let directory = Directory::new();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).expect("a file");
    }
    let store = StoreUrl::Sqlite(directory.path().join("scimd.db"));
    let place = Place::on(directory, store, FAST);
    let server = Server { process: place.serve(), place };
    let mut client = server.client(TENANT, token);
    agree(&server.place.store, &mut client, groups, &journal.until(point));
    client.post("/Users", &body("afterwards", "A")).expect(201);
}

/// The library, compiled into a folder.
fn compiled(folder: &Path) -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/faults/power/disk.c");
    let library = folder.join("disk.so");
    let mut compiler = Command::new("cc");
    compiler
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-pthread", "-o"])
        .arg(&library)
        .arg(source);
    match compiler.output() {
        Err(error) => Err(format!("`cc` does not start: {error}")),
        Ok(output) if output.status.success() => Ok(library),
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stderr)),
    }
}
