//! `cargo xtask faults`: runs the rows of docs/faults.md, which are tests of `scimd`, and sums up what they saw.
//!
//! A row that cannot be carried out here is no success: the exit code says so. What the rows do is in
//! `crates/scimd/tests/it/faults/`.

use std::io::{BufRead, BufReader, read_to_string};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// The rows, which are the files of the tests.
const ROWS: [&str; 13] = [
    "kill",
    "power",
    "terminate",
    "disk",
    "log",
    "lock",
    "exhausted",
    "neighbours",
    "slow",
    "idle",
    "servers",
    "restart",
    "failover",
];

const HELP: &str = "\
usage: cargo xtask faults [--long] [--store sqlite|postgres] [--debug] [ROW]...

Does to a running scimd what may happen to it, and checks what became of everything that it acknowledged.

  ROW           kill, power, terminate, disk, log, lock, exhausted, neighbours, slow, idle, servers, restart,
                failover
                [default: all]
  --long        the numbers of docs/faults.md instead of the quick ones of the test command
  --store       what the servers keep their data in [default: sqlite]; postgres starts a cluster of its own, or takes
                the one that SCIM_TEST_POSTGRES names
  --debug       a build without optimisation

Examples:
  cargo xtask faults
  cargo xtask faults --long kill
  cargo xtask faults --long --store postgres servers

Exit codes:
  0  every row was carried out, and held
  1  a row did not hold
  2  the command line is wrong, or nothing could be built
  3  every row that was carried out held, and some could not be carried out here";

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options<'a> {
    long: bool,
    debug: bool,
    postgres: bool,
    rows: Vec<&'a str>,
}

/// Runs the rows that the options name.
pub(crate) fn run(root: &Path, options: &[&str]) -> ExitCode {
    if options.iter().any(|option| matches!(*option, "--help" | "-h")) {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match parse(options).and_then(|options| start(root, &options)) {
        Ok(code) => ExitCode::from(code),
        Err(problem) => {
            eprintln!("faults: {problem}");
            ExitCode::from(2)
        }
    }
}

fn parse<'a>(options: &[&'a str]) -> Result<Options<'a>, String> {
    let mut parsed = Options::default();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            "--long" => parsed.long = true,
            "--debug" => parsed.debug = true,
            "--store" => match options.next() {
                Some(&"postgres") => parsed.postgres = true,
                Some(&"sqlite") => parsed.postgres = false,
                _ => return Err("`--store` is `sqlite` or `postgres`".to_owned()),
            },
            flag if flag.starts_with('-') => {
                return Err(format!("there is no option `{flag}`; see `cargo xtask faults --help`"));
            }
            row if ROWS.contains(&row) => parsed.rows.push(row),
            other => return Err(format!("there is no row `{other}`; there are {}", ROWS.join(", "))),
        }
    }
    Ok(parsed)
}

fn start(root: &Path, options: &Options<'_>) -> Result<u8, String> {
    let mut cargo = crate::tidy::cargo();
    cargo.args(["test", "--quiet", "-p", "scimd", "--test", "it"]).current_dir(root);
    if !options.debug {
        cargo.arg("--release");
    }
    cargo.arg("--");
    match options.rows.as_slice() {
        [] => drop(cargo.arg("faults::")),
        rows => drop(cargo.args(rows.iter().map(|row| format!("faults::{row}::")))),
    }
    // One row at a time, since each wants the whole machine.
    cargo.arg("--test-threads=1").stdout(Stdio::piped()).stderr(Stdio::piped());
    cargo.env("FAULTS", if options.long { "long" } else { "short" });
    match options.postgres {
        true => cargo.env("SCIM_TEST_STORE", "postgres"),
        false => cargo.env_remove("SCIM_TEST_STORE"),
    };
    follow(cargo)
}

/// Passes on what the rows say, and sums it up.
fn follow(mut cargo: Command) -> Result<u8, String> {
    let mut child = cargo.spawn().map_err(|error| format!("cargo does not start: {error}"))?;
    let (mut seen, mut not_run) = (0, 0);
    // The harness has a pipe of its own for what it says in the end of those that failed.
    let harness = child.stdout.take().map(|stdout| std::thread::spawn(move || read_to_string(stdout)));
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if let Some(row) = line.strip_prefix("fault: ") {
                println!("{row}");
                *(if row.contains(": NOT RUN") { &mut not_run } else { &mut seen }) += 1;
            } else {
                eprintln!("{line}");
            }
        }
    }
    let held = child.wait().map_err(|error| format!("cargo: {error}"))?.success();
    let said = harness.and_then(|harness| harness.join().ok()?.ok()).unwrap_or_default();
    if let Some((_, failures)) = said.split_once("failures:\n").filter(|_| !held) {
        eprintln!("{failures}");
    }
    println!("faults: {seen} rows held, {not_run} not run{}", if held { "" } else { ", some did not hold" });
    Ok(match (held, seen, not_run) {
        (false, ..) => 1,
        (true, 0, 0) => 2,
        (true, _, 0) => 0,
        (true, ..) => 3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_understood_or_refused() {
        let expected = Options { long: true, postgres: true, rows: vec!["kill", "disk"], debug: false };
        assert_eq!(parse(&["--long", "kill", "--store", "postgres", "disk"]), Ok(expected));
        assert_eq!(parse(&[]), Ok(Options::default()));
        for wrong in [
            &["--lnog"][..],
            &["--store"],
            &["--store", "sqlite:x"],
            &["--store", "postgres://x"],
            &["nosuch"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
