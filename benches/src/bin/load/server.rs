//! Server processes, and what the system says that they use.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use scim_bench::world::Failure;
use serde_json::json;

use crate::bare;
use crate::client::{Answer, Call, Client, Target};
use crate::report::Use;
use crate::seed::Place;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with this value.
pub(crate) struct Process(Child);

/// A running `scimd`.
pub(crate) struct Scimd {
    process: Process,
    pub(crate) target: Target,
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
        let address = free_address()?;
        let config = place.path().join("scimd.toml");
        let store = json!(format!("sqlite:{}", place.store().display()));
        fs::write(
            &config,
            format!(
                "listen = \"{address}\"\nstore = {store}\n[metrics]\nlisten = \"\"\n\
                 [limits]\nrequests_per_second = {}\n[log]\nformat = \"json\"\n",
                u32::MAX
            ),
        )?;
        let program = sibling("scimd")?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(&config).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let mut process = Process(command.spawn()?);
        let target = place.target(&address)?;
        let call = Call { method: "GET", path: format!("/Users/{}", place.user()?), body: String::new() };
        loop {
            let status = Client::connect(&target).and_then(|mut client| client.status(&call));
            if matches!(status, Ok(200)) {
                return Ok(Self { process, target, first_answer: start.elapsed() });
            }
            if let Some(status) = process.0.try_wait()? {
                return Err(format!("scimd ended at once: {status}").into());
            }
            if start.elapsed() > PATIENCE {
                return Err("scimd does not answer".into());
            }
            thread::sleep(Duration::from_micros(500));
        }
    }

    /// The most memory that was ever resident, in KiB.
    pub(crate) fn peak_memory(&self) -> Result<u64, Failure> {
        self.process.status("VmHWM:")
    }

    /// Runs something and says what the server used meanwhile.
    pub(crate) fn watch<T>(&self, run: impl FnOnce() -> T) -> Result<(T, Use), Failure> {
        self.process.watch(run)
    }
}

impl Bare {
    /// Starts this program as a server that always gives `answer`.
    pub(crate) fn start(answer: &Answer, folder: &Path) -> Result<Self, Failure> {
        let file = folder.join("answer.json");
        bare::write(&file, answer)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare").arg(&file).stdout(Stdio::piped());
        let mut process = Process(command.spawn()?);
        let mut address = String::new();
        let output = process.0.stdout.take().ok_or("the bare server has no output")?;
        BufReader::new(output).read_line(&mut address)?;
        let target = Target::parse(&format!("http://{}/t/acme/scim/v2", address.trim()), &"t".repeat(57))?;
        Ok(Self { process, target })
    }

    /// Runs something and says what the server used meanwhile.
    pub(crate) fn watch<T>(&self, run: impl FnOnce() -> T) -> Result<(T, Use), Failure> {
        self.process.watch(run)
    }
}

impl Process {
    fn watch<T>(&self, run: impl FnOnce() -> T) -> Result<(T, Use), Failure> {
        let (before, start) = (self.ticks()?, Instant::now());
        let value = run();
        let seconds = (self.ticks()? - before) as f64 / TICKS;
        let cores = seconds / start.elapsed().as_secs_f64().max(1e-9);
        Ok((value, Use { cores, memory: self.status("VmRSS:")? }))
    }

    /// Processor time in ticks (proc(5), `stat`, fields 14 and 15).
    fn ticks(&self) -> Result<u64, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        let (_, fields) = text.rsplit_once(')').ok_or("proc(5) has changed")?;
        let numbers = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        Ok(numbers.collect::<Result<Vec<_>, _>>()?.iter().sum())
    }

    /// A size in KiB of `/proc/…/status`.
    fn status(&self, name: &str) -> Result<u64, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("proc(5) has changed")?;
        Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ticks a second, which Linux has fixed for what it shows to programs.
const TICKS: f64 = 100.0;

fn free_address() -> Result<String, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// A program that was built beside this one.
fn sibling(name: &str) -> Result<std::path::PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.exists() {
        return Ok(path);
    }
    Err(format!("there is no {}; `cargo xtask load` builds it", path.display()).into())
}
