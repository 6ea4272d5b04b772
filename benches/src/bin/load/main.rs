//! The load generator: drives a running SCIM server over HTTP, ours or any other, and prints what came of it.
//!
//! It judges no time. With `--ratios` it compares figures of one run with each other, which another machine can repeat.

mod bare;
mod cli;
mod client;
mod curves;
mod drive;
mod field;
mod histogram;
mod outcome;
mod peers;
mod plot;
mod process;
mod progress;
mod random;
mod ratios;
mod report;
mod scenario;
mod seed;
mod server;

use std::process::ExitCode;

use clap::Parser;
use scim_bench::world::Failure;

use crate::cli::{Cli, Command, StoreKind};
use crate::client::Target;
use crate::field::{Field, group_sizes};
use crate::process::Watched;
use crate::report::Report;
use crate::server::Scimd;

/// How many users there are unless told: where they are created in one go, and where over HTTP.
const USERS: usize = 100_000;
const USERS_OVER_HTTP: usize = 1000;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut report = Report::default();
    let outcome = run(&cli, &mut report);
    // What a run has found is shown, even when it has come to grief.
    if !report.is_empty() {
        report.print(cli.work().json);
    }
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli, report: &mut Report) -> Result<(), Failure> {
    match &cli.command {
        Some(Command::Bare { answer, rows }) => bare::run(answer, rows.as_deref()),
        Some(Command::Plot { folder }) => plot::draw(&folder.clone().unwrap_or_else(curves::folder)),
        Some(Command::Peers { only, work }) => peers::run(only, work, report),
        None if cli.ratios => ratios::run(cli, report),
        None if cli.curves => curves::run(cli, report),
        None => scenarios(cli, report),
    }
}

/// Runs the scenarios that were asked for.
fn scenarios(cli: &Cli, report: &mut Report) -> Result<(), Failure> {
    if let Some(url) = &cli.against {
        let target = Target::parse(url, cli.token.as_deref(), &cli.header)?;
        let watched = cli.pid.map(Watched::new).transpose()?;
        let neighbours = cli.tenant.chunks(2).map(|pair| match pair {
            [url, token] => Target::parse(url, Some(token), &cli.header),
            _ => Err("`--tenant` has a URL and a token".into()),
        });
        let neighbours = neighbours.collect::<Result<Vec<_>, _>>()?;
        return over_http(cli, url, &target, &neighbours, watched, report);
    }
    if cli.store == StoreKind::Memory {
        let folder = seed::folder()?;
        let (server, target) = Scimd::in_memory(folder.path())?;
        return over_http(cli, "scimd, memory", &target, &[], Some(server.watched()), report);
    }
    let users = cli.work.users.unwrap_or(USERS);
    let place = seed::Place::new(cli.store, users, &group_sizes(users))?;
    let server = Scimd::start(&place)?;
    let name = match cli.store {
        StoreKind::Sqlite | StoreKind::Memory => "scimd, SQLite",
        StoreKind::Postgres => "scimd, Postgres",
    };
    let field = place.field(&server, name)?;
    scenario::run(&cli.work, &field, report)?;
    report.note(name, "users", users as f64, "");
    report.note(name, "filling the store", place.took.as_secs_f64(), "s");
    report.note(name, "start to first answer", server.first_answer.as_secs_f64() * 1e3, "ms");
    report.note(name, "largest memory (VmHWM)", server.watched().peak_memory()? as f64 / 1024.0, "MiB");
    Ok(())
}

/// Runs them on a server that is filled over HTTP, and deletes everything again.
fn over_http(
    cli: &Cli,
    name: &str,
    target: &Target,
    neighbours: &[Target],
    watched: Option<Watched>,
    report: &mut Report,
) -> Result<(), Failure> {
    let (users, connections) = (cli.work.users.unwrap_or(USERS_OVER_HTTP), cli.work.connections);
    let mut field = Field::over_http(name, target, watched, users, connections)?;
    let outcome = (|| {
        for neighbour in neighbours {
            field.neighbours.push(Field::over_http(name, neighbour, None, users, connections)?);
        }
        scenario::run(&cli.work, &field, report)
    })();
    let left = field.clear(connections)?;
    report.note(name, "created here and not deleted", left as f64, "");
    outcome
}
