//! The load generator: drives a running SCIM server over HTTP, ours or any other, and prints what came of it.
//!
//! It judges no time. With `--ratios` it compares figures of one run with each other, which another machine can repeat.

mod bare;
mod cli;
mod client;
mod drive;
mod progress;
mod ratios;
mod report;
mod scenario;
mod seed;
mod server;

use clap::Parser;
use scim_bench::world::Failure;

use crate::cli::{Cli, Command};
use crate::client::Target;
use crate::report::Report;
use crate::scenario::Field;

fn main() -> Result<(), Failure> {
    let cli = Cli::parse();
    if let Some(Command::Bare { answer }) = &cli.command {
        return bare::run(answer);
    }
    let report = if cli.ratios { ratios::run(&cli)? } else { scenarios(&cli)? };
    report.print(cli.json);
    Ok(())
}

/// Runs the scenarios that were asked for.
fn scenarios(cli: &Cli) -> Result<Report, Failure> {
    let mut report = Report::default();
    match (&cli.against, &cli.token) {
        (Some(url), Some(token)) => {
            let target = Target::parse(url, token)?;
            let users = cli.users.unwrap_or(1000);
            let field = Field::over_http(&target, users)?;
            let outcome = scenario::run(cli, &field, None, &mut report);
            field.clear()?;
            outcome?;
        }
        _ => {
            let users = cli.users.unwrap_or(100_000);
            let place = seed::Place::new(users, &scenario::group_sizes(users))?;
            let server = server::Scimd::start(&place)?;
            let field = place.field(&server);
            scenario::run(cli, &field, Some(&server), &mut report)?;
            report.note("users", users as f64, "");
            report.note("start to first answer", server.first_answer.as_secs_f64() * 1e3, "ms");
            report.note("largest memory (VmHWM)", server.peak_memory()? as f64 / 1024.0, "MiB");
        }
    }
    Ok(report)
}
