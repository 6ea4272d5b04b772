//! The binary: reads the command line, does what it says, and ends with the exit code that says how it went.

use std::process::ExitCode;

use clap::Parser;
use scimd::cli::Cli;
use scimd::log;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let code = match scimd::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            log::failed(&failure);
            ExitCode::from(failure.code())
        }
    };
    log::finish();
    code
}
