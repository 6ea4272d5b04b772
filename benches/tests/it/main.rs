//! The load generator against the real `scimd`, in the smallest runs that there are: it must not fall behind the server.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// Runs the load generator. Whoever tests the workspace has built `scimd` beside it already; whoever tests this package
/// alone has the one that was built last.
fn load(arguments: &[&str]) -> Output {
    scimd();
    alone(Command::new(env!("CARGO_BIN_EXE_load")))
        .args(arguments)
        .output()
        .expect("the load generator starts")
}

/// A command that starts the server, without any configuration of it from the environment.
fn alone(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SCIMD_") {
            command.env_remove(name);
        }
    }
    command
}

/// The server beside it.
fn scimd() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_load")).with_file_name("scimd");
    if !program.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "scimd"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(build.status().is_ok_and(|status| status.success()), "scimd cannot be built");
    }
    program
}

/// A folder on the disk that is built on.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

/// What it says as JSON.
fn json(arguments: &[&str]) -> Value {
    let output = load(arguments);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    assert_eq!(complaint, "", "nobody looks, so that no progress is shown");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Scenarios that were refused or had errors.
fn troubles(report: &Value) -> Vec<String> {
    let figures = report["figures"].as_array().expect("figures");
    assert!(!figures.is_empty());
    let trouble = |figure: &Value| {
        let why = [&figure["refused"], &figure["first_error"]].into_iter().find(|why| !why.is_null())?;
        Some(format!("{}: {why}", figure["scenario"]))
    };
    figures.iter().filter_map(trouble).collect()
}

fn note(report: &Value, what: &str) -> f64 {
    let notes = report["notes"].as_array().expect("notes");
    let note = notes.iter().find(|note| note["what"] == what);
    note.and_then(|note| note["value"].as_f64()).unwrap_or_else(|| panic!("no note of `{what}`: {notes:?}"))
}

#[test]
fn scimd_does_every_scenario_over_sqlite() {
    let report = json(&["--json", "--users", "20", "--seconds", "0.2", "--sync", "20"]);
    assert_eq!(troubles(&report), [""; 0]);
    let names: Vec<&str> = report["figures"]
        .as_array()
        .expect("figures")
        .iter()
        .filter_map(|figure| figure["scenario"].as_str())
        .collect();
    for name in [
        "GET /Users/{id}",
        "GET /Users?filter=userName eq",
        "GET /Users, pages of 100",
        "pages: by cursor",
        "PATCH add member, group of 10",
        "churn: one group, 16 connections",
        "steady state, Entra ID",
        "steady state, Okta",
        "tenants: quiet one beside a greedy one",
        "initial sync, Entra ID: 20 users",
        "initial sync, Okta: 2 groups",
        "POST /Users, 64 writers",
    ] {
        assert!(names.contains(&name), "no `{name}` among {names:?}");
    }
    assert_eq!(note(&report, "churn: of these, lost"), 0.0);
    assert_eq!(note(&report, "churn: members that were removed and are there"), 0.0);
    for figure in report["figures"].as_array().expect("figures") {
        assert!(figure["server_memory_kib"].as_u64() > Some(0), "{figure}");
    }
}

/// A running `scimd` that knows nothing of this, and how to reach it.
struct Running {
    process: Child,
    address: String,
    token: String,
    _folder: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let folder = folder();
        let mut process = alone(Command::new(scimd()))
            .args(["quickstart", "--idp", "entra", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path().join("data"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("scimd starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut labelled = |label: &str| {
            let mut value = lines
                .by_ref()
                .map_while(Result::ok)
                .filter_map(|line| Some(line.trim().strip_prefix(label)?.trim().to_owned()));
            value.next().expect(label)
        };
        let url = labelled("Tenant URL");
        let token = labelled("Secret Token");
        let (address, _) =
            url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address");
        let address = address.to_owned();
        // Its log must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address, token, _folder: folder }
    }

    fn url(&self) -> String {
        format!("http://{}/t/demo/scim/v2", self.address)
    }

    /// How many resources there are.
    fn count(&self, path: &str) -> u64 {
        let Self { address, token, .. } = self;
        let mut socket = TcpStream::connect(address).expect("it listens");
        let request = format!(
            "GET /t/demo/scim/v2{path}?count=0 HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("answered");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str::<Value>(body).expect("JSON")["totalResults"].as_u64().expect("a total")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn what_is_created_over_http_is_deleted() {
    let server = Running::start();
    let (url, token, pid) = (server.url(), server.token.as_str(), server.process.id().to_string());
    let report = json(&[
        "--json",
        "--against",
        &url,
        "--token",
        token,
        "--pid",
        &pid,
        "--tenant",
        &url,
        token,
        "--users",
        "20",
        "--seconds",
        "0.1",
        "--sync",
        "20",
    ]);
    assert_eq!(troubles(&report), [""; 0]);
    assert_eq!(note(&report, "created here and not deleted"), 0.0);
    assert_eq!((server.count("/Users"), server.count("/Groups")), (0, 0));
}

#[test]
fn a_store_in_memory_is_filled_over_http() {
    let report =
        json(&["--json", "--store", "memory", "--users", "20", "--seconds", "0.1", "--scenario", "get,post"]);
    assert_eq!(troubles(&report), [""; 0]);
}

#[test]
fn curves_become_figures_and_pictures() {
    let folder = folder();
    let out = folder.path().to_str().expect("text");
    let output = load(&["--curves", "--up-to", "10", "--seconds", "0.1", "--out", out]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
    let figures = read("curves.csv");
    let whats: Vec<&str> = figures.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(whats, ["get", "filter", "list", "post", "add-member"]);
    for picture in ["users.svg", "groups.svg"] {
        assert!(read(picture).contains("<polyline"), "{picture}");
    }
}

#[test]
fn what_is_not_possible_is_said() {
    let check = |arguments: &[&str], complaint: &str| {
        let output = load(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(complaint), "{arguments:?}: {said}");
    };
    check(&["--against", "https://scim.example", "--token", "t"], "TLS is not spoken here");
    check(&["--against", "http://127.0.0.1:1", "--token", "t", "--users", "1"], "no answer");
    check(&["--against", "http://127.0.0.1:1", "--pid", "4294967295"], "there is no process 4294967295");
    check(&["--curves", "--store", "memory"], "use `--store sqlite`");
    check(&["peers", "--only", "nobody"], "there is no peer `nobody`; there are scimd, ");
}
