//! Servers that are started here: `scimd` over a store, and a bare one.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use scim_bench::world::Failure;
use serde_json::json;

use crate::bare::{self, Rows};
use crate::client::{Answer, Call, Target};
use crate::field::ask;
use crate::process::{Process, Watched};
use crate::seed::Place;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `scimd`.
pub(crate) struct Scimd {
    process: Process,
    address: String,
    /// From starting the process to its first answer.
    pub(crate) first_answer: Duration,
}

/// A running bare server.
pub(crate) struct Bare {
    process: Process,
    pub(crate) target: Target,
}

impl Scimd {
    /// Starts `scimd` over a store and waits for its first answer. Its log is made and thrown away.
    pub(crate) fn start(place: &Place) -> Result<Self, Failure> {
        let mut command = command(place.path(), place.store())?;
        command.stdout(Stdio::null());
        let start = Instant::now();
        let mut process = Process::spawn(&mut command.command)?;
        let target = place.target(&command.address, 0)?;
        wait(&mut process, &target, &format!("/Users/{}", place.user()?))?;
        Ok(Self { process, address: command.address, first_answer: start.elapsed() })
    }

    /// Starts `scimd` that keeps everything in its memory, with one tenant, and gives the target.
    pub(crate) fn in_memory(folder: &Path) -> Result<(Self, Target), Failure> {
        let mut command = command(folder, "memory")?;
        command.stdout(Stdio::piped());
        let start = Instant::now();
        let mut process = Process::spawn(&mut command.command)?;
        let mut output = BufReader::new(process.child().stdout.take().ok_or("scimd has no output")?);
        let (mut line, mut url, mut token) = (String::new(), None, None);
        while url.is_none() || token.is_none() {
            line.clear();
            if output.read_line(&mut line)? == 0 {
                return Err("scimd ended at once, without a token".into());
            }
            url = url.or_else(|| line.trim().strip_prefix("Tenant URL").map(|text| text.trim().to_owned()));
            token =
                token.or_else(|| line.trim().strip_prefix("Secret Token").map(|text| text.trim().to_owned()));
        }
        // What it says from now on is thrown away.
        thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        let target = Target::parse(&url.unwrap_or_default(), token.as_deref(), &[])?;
        wait(&mut process, &target, "/Users?count=1")?;
        Ok((Self { process, address: command.address, first_answer: start.elapsed() }, target))
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn watched(&self) -> Watched {
        self.process.watched()
    }
}

impl Bare {
    /// Starts this program as a server that always gives `answer`.
    pub(crate) fn start(answer: &Answer, folder: &Path) -> Result<Self, Failure> {
        Self::start_with(answer, folder, None)
    }

    /// Starts this program as a server that hashes the token of a request and reads a row, which has the body of `answer`.
    pub(crate) fn reading(answer: &Answer, folder: &Path, ids: &[String]) -> Result<Self, Failure> {
        let rows = folder.join("rows.db");
        Rows::fill(&rows, ids, &answer.body)?;
        Self::start_with(answer, folder, Some(&rows))
    }

    fn start_with(answer: &Answer, folder: &Path, rows: Option<&Path>) -> Result<Self, Failure> {
        let file = folder.join("answer.json");
        bare::write(&file, answer)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare").arg(&file).stdout(Stdio::piped());
        if let Some(rows) = rows {
            command.arg("--rows").arg(rows);
        }
        let mut process = Process::spawn(&mut command)?;
        let mut address = String::new();
        let output = process.child().stdout.take().ok_or("the bare server has no output")?;
        BufReader::new(output).read_line(&mut address)?;
        let url = format!("http://{}/t/acme/scim/v2", address.trim());
        Ok(Self { process, target: Target::parse(&url, Some(&"t".repeat(57)), &[])? })
    }

    pub(crate) fn watched(&self) -> Watched {
        self.process.watched()
    }
}

/// How `scimd` is started.
struct Start {
    command: Command,
    address: String,
}

impl Start {
    fn stdout(&mut self, output: Stdio) {
        self.command.stdout(output);
    }
}

fn command(folder: &Path, store: &str) -> Result<Start, Failure> {
    let address = free_address()?;
    let config = folder.join("scimd.toml");
    let store = json!(store);
    fs::write(
        &config,
        format!(
            "listen = \"{address}\"\nstore = {store}\n[metrics]\nlisten = \"\"\n\
             [limits]\nrequests_per_second = {}\n[log]\nformat = \"json\"\n",
            u32::MAX
        ),
    )?;
    let mut command = Command::new(sibling("scimd")?);
    command.arg("serve").arg("--config").arg(&config).stderr(Stdio::null());
    Ok(Start { command, address })
}

/// Waits until a server answers with success.
pub(crate) fn wait(process: &mut Process, target: &Target, path: &str) -> Result<(), Failure> {
    let start = Instant::now();
    loop {
        let answer = ask(target, &Call::get(path))?;
        if answer.succeeded() {
            return Ok(());
        }
        if let Some(status) = process.child().try_wait()? {
            return Err(format!("the server ended at once: {status}").into());
        }
        if start.elapsed() > PATIENCE {
            return Err(format!("the server does not answer GET {path}: {}", answer.excerpt()).into());
        }
        thread::sleep(Duration::from_micros(500));
    }
}

pub(crate) fn free_address() -> Result<String, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// A program that was built beside this one.
fn sibling(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() {
        return Ok(path);
    }
    Err(format!("there is no {}; `cargo xtask load` builds it", path.display()).into())
}
