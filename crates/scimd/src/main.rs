//! The binary: reads the command line, does what it says, and ends with the exit code that says how it went.

use std::process::ExitCode;

use clap::Parser;
use scimd::cli::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match scimd::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("scimd: {failure}");
            ExitCode::from(failure.code())
        }
    }
}
