//! Chores of this repository as a program, so that they need no tool besides cargo and git.
//!
//! `cargo xtask tidy` holds the tree to its own rules. `load`, `peers` and `plot` build the server and the load generator
//! and start the latter. No chore changes what git tracks, except `load --curves` and `plot`, which draw pictures for the
//! documentation. `faults` does to a running server what may happen to one. `sbom` prints what the server consists of.

mod faults;
mod load;
mod sbom;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy
       cargo xtask load [--help] [OPTION]...
       cargo xtask peers [--help] [OPTION]...
       cargo xtask plot [--help] [FOLDER]
       cargo xtask faults [--help] [OPTION]... [ROW]...
       cargo xtask sbom [--help] [OPTION]...";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["tidy"] => tidy(),
        ["load", options @ ..] => load::run(&root(), options),
        ["peers" | "plot", ..] => load::run(&root(), &arguments),
        ["faults", options @ ..] => faults::run(&root(), options),
        ["sbom", options @ ..] => sbom::run(&root(), options),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn tidy() -> ExitCode {
    match tidy::check(&root()) {
        Ok(findings) if findings.is_empty() => {
            println!("tidy: nothing to mend");
            ExitCode::SUCCESS
        }
        Ok(findings) => {
            for finding in &findings {
                println!("{finding}");
            }
            println!("tidy: {} to mend", findings.len());
            ExitCode::FAILURE
        }
        Err(problem) => {
            eprintln!("tidy: {problem}");
            ExitCode::from(2)
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
