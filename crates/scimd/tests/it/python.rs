//! Judges from outside: SCIM clients in Python that other people wrote, against a `generic` connection.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::server::Server;

#[test]
fn scim2_tester_finds_no_error() {
    judge("tester.py");
}

#[test]
fn scim2_client_creates_queries_replaces_patches_and_deletes() {
    judge("client.py");
}

/// Runs a script against a new server; it must end with 0.
fn judge(script: &str) {
    let server = Server::start("");
    let token = server.place.tenant("acme", "generic");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
    let output =
        Command::new(interpreter()).arg(script).arg(server.url("acme")).arg(token).output().expect("python");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{out}");
    assert!(output.status.success(), "{out}{err}");
}

/// The interpreter of the environment that `scripts/python-env.sh` makes.
fn interpreter() -> &'static Path {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/python-env.sh");
        let output = Command::new(script).output().expect("scripts/python-env.sh runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        PathBuf::from(printed.lines().last().expect("a path"))
    })
}
