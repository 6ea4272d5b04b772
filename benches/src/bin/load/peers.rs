//! Other SCIM servers, installed from package registries and measured with the same scenarios as `scimd`, one after the
//! other. What each of them is made of is in `benches/peers/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use scim_bench::world::Failure;

use crate::cli::{StoreKind, Work};
use crate::client::Target;
use crate::field::Field;
use crate::process::Process;
use crate::report::Report;
use crate::scenario;
use crate::seed::{Place, folder, root};
use crate::server::{Scimd, free_address, wait};

/// How many users there are unless told: as many as the slowest can be filled with.
const USERS: usize = 1000;

/// A server that is not ours.
struct Peer {
    /// The folder in `benches/peers`.
    name: &'static str,
    /// With its version and what it keeps things in.
    title: &'static str,
}

const PEERS: [Peer; 3] = [
    Peer { name: "scimmy", title: "scimmy 1.3.5 on express 5.3.0, memory" },
    Peer { name: "scim2-server", title: "scim2-server 0.8.3 on gunicorn 27.0.1, memory" },
    Peer { name: "django-scim2", title: "django-scim2 0.23.0 on gunicorn 27.0.1, SQLite" },
];

/// Names of ours, and where it keeps things.
const OWN: [(&str, &str, StoreKind); 2] =
    [("scimd", "scimd, SQLite", StoreKind::Sqlite), ("scimd-memory", "scimd, memory", StoreKind::Memory)];

/// Measures all that were named, or all. One that cannot be installed or started does not keep the others from it.
pub(crate) fn run(only: &[String], work: &Work, report: &mut Report) -> Result<(), Failure> {
    let names: Vec<&str> = OWN.iter().map(|own| own.0).chain(PEERS.iter().map(|peer| peer.name)).collect();
    if let Some(unknown) = only.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(format!("there is no peer `{unknown}`; there are {}", names.join(", ")).into());
    }
    let wanted = |name: &str| only.is_empty() || only.iter().any(|wanted| wanted == name);
    for (name, title, store) in OWN {
        if wanted(name) {
            let outcome = own(title, store, work, report);
            complain(title, outcome, report);
        }
    }
    for peer in PEERS {
        if wanted(peer.name) {
            let outcome = peer.measure(work, report);
            complain(peer.title, outcome, report);
        }
    }
    Ok(())
}

fn complain(title: &str, outcome: Result<(), Failure>, report: &mut Report) {
    if let Err(error) = outcome {
        report.refuse(title, "everything", error.to_string());
    }
}

/// `scimd`, filled over HTTP as the others are.
fn own(title: &str, store: StoreKind, work: &Work, report: &mut Report) -> Result<(), Failure> {
    let folder = folder()?;
    if store == StoreKind::Memory {
        let (server, target) = Scimd::in_memory(folder.path())?;
        return play(title, &target, server.watched(), work, report);
    }
    let place = Place::new(store, 1, &[])?;
    let server = Scimd::start(&place)?;
    play(title, &place.target(server.address(), 0)?, server.watched(), work, report)
}

impl Peer {
    fn measure(&self, work: &Work, report: &mut Report) -> Result<(), Failure> {
        let source = root().join("benches/peers").join(self.name);
        let cache = cache()?.join(self.name);
        eprintln!("{}: installing into {}", self.title, cache.display());
        let installed = Command::new(source.join("install.sh")).arg(&cache).stdout(Stdio::null()).status()?;
        if !installed.success() {
            return Err(format!("could not be installed: {installed}").into());
        }
        let address = free_address()?;
        let (_, port) = address.rsplit_once(':').ok_or("an address has no port")?;
        let log = fs::File::create(cache.join("log"))?;
        let mut command = Command::new(source.join("start.sh"));
        command.arg(&cache).arg(port).stdout(log.try_clone()?).stderr(log);
        let mut process = Process::spawn(&mut command)?;
        let target = Target::parse(&format!("http://{address}/scim/v2"), Some("peer"), &[])?;
        wait(&mut process, &target, "/Users?startIndex=1&count=1")?;
        play(self.title, &target, process.watched(), work, report)
    }
}

/// Fills a server, runs the scenarios, and empties it again.
fn play(
    title: &str,
    target: &Target,
    watched: crate::process::Watched,
    work: &Work,
    report: &mut Report,
) -> Result<(), Failure> {
    let connections = work.connections;
    let users = work.users.unwrap_or(USERS);
    let field = Field::over_http(title, target, Some(watched), users, connections)?;
    let outcome = scenario::run(work, &field, report);
    let left = field.clear(connections)?;
    report.note(title, "created here and not deleted", left as f64, "");
    outcome
}

/// Where peers are installed: beside what is built.
fn cache() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).map(Path::to_owned).ok_or("the program has no folder")?;
    Ok(target.join("peers"))
}
