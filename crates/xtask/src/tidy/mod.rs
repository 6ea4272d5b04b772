//! The rules of the tree as code.
//!
//! A rule is a pure function from text to findings; only [`check`] reads files. A finding says what to do about it,
//! and there is no way to silence one.

mod dependencies;
mod links;
mod sources;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::process::Command;

/// Something to mend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Relative to the root of the repository.
    pub(crate) file: String,
    /// The line, starting at 1, or 0 where the whole file is meant.
    pub(crate) line: usize,
    /// What is wrong, and what to do.
    pub(crate) message: String,
}

impl Finding {
    fn new(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// Holds the repository at `root` to all rules.
///
/// # Errors
/// When git or cargo cannot be asked, or a file cannot be read.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let files = tracked(root)?;
    let mut findings = dependencies::check(&metadata(root)?);
    findings.extend(changelog(&files));
    for file in &files {
        let Ok(text) = std::fs::read_to_string(root.join(file)) else { continue };
        findings.extend(sources::machine_paths(file, &text));
        if file.ends_with(".rs") {
            findings.extend(sources::check(file, &text));
        }
        if file.ends_with("/Cargo.toml") && file.starts_with("crates/") {
            findings.extend(dependencies::lints(file, &text));
        }
        if file.ends_with(".md") {
            let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
            findings.extend(links::check(file, &text, &files, &read));
        }
    }
    findings.sort();
    Ok(findings)
}

/// Everything that git tracks or would track.
fn tracked(root: &Path) -> Result<BTreeSet<String>, String> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let listing = run(root, Command::new("git"), &arguments)?;
    Ok(listing.split('\0').filter(|file| !file.is_empty()).map(str::to_owned).collect())
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
}

/// What cargo tells of the workspace.
///
/// # Errors
/// When cargo cannot be asked.
pub(crate) fn metadata(root: &Path) -> Result<serde_json::Value, String> {
    let text = run(root, cargo(), &["metadata", "--no-deps", "--format-version", "1"])?;
    serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))
}

/// What a program prints in the root of the repository.
///
/// # Errors
/// When it does not start, or fails.
pub(crate) fn run(root: &Path, mut program: Command, arguments: &[&str]) -> Result<String, String> {
    let name = program.get_program().to_string_lossy().into_owned();
    let what = || format!("`{name} {}`", arguments.join(" "));
    let output = program
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|error| format!("{} does not start: {error}", what()))?;
    if !output.status.success() {
        return Err(format!("{} failed: {}", what(), String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{} did not print UTF-8", what()))
}

fn changelog(files: &BTreeSet<String>) -> Option<Finding> {
    let message = "is missing; every change that a user notices is written there, in the same commit";
    (!files.contains("CHANGELOG.md")).then(|| Finding::new("CHANGELOG.md", 0, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_like_a_compiler_message() {
        assert_eq!(Finding::new("a.rs", 3, "is odd").to_string(), "a.rs:3: is odd");
        assert_eq!(Finding::new("a.rs", 0, "is odd").to_string(), "a.rs: is odd");
    }

    #[test]
    fn a_changelog_is_demanded() {
        assert_eq!(changelog(&BTreeSet::from(["CHANGELOG.md".to_owned()])), None);
        assert!(changelog(&BTreeSet::new()).is_some());
    }
}
