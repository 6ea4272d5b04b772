//! `cargo xtask load`: the load generator is a program of its own, so that this one stays quick to build.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Builds server and load generator together, optimised, and starts the generator with these options.
pub(crate) fn run(root: &Path, options: &[&str]) -> ExitCode {
    match start(root, options) {
        Ok(code) => code,
        Err(problem) => {
            eprintln!("load: {problem}");
            ExitCode::from(2)
        }
    }
}

fn start(root: &Path, options: &[&str]) -> Result<ExitCode, String> {
    let build = ["build", "--release", "--quiet", "-p", "scimd", "-p", "scim-bench", "--bins"];
    if !status(crate::tidy::cargo().args(build).current_dir(root))? {
        return Ok(ExitCode::FAILURE);
    }
    let metadata = crate::tidy::metadata(root)?;
    let target = metadata.get("target_directory").and_then(serde_json::Value::as_str);
    let target = PathBuf::from(target.ok_or("cargo metadata names no target directory")?);
    let succeeded = status(Command::new(target.join("release/load")).args(options))?;
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn status(command: &mut Command) -> Result<bool, String> {
    let status = command.status().map_err(|error| format!("{command:?} does not start: {error}"))?;
    Ok(status.success())
}
