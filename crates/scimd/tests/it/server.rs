//! The real server in a process of its own, with a directory of its own.
//!
//! Nothing here waits for time to pass: a server is ready when it says so, and gone when the system says so. What it
//! leaves behind is kept when a test fails.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use scimd::config::StoreUrl;

use crate::cluster::{Database, patient};
use crate::http::Client;

/// How long a server may take for what is waited for. Only a broken one needs it, or a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A directory that is removed when the test succeeded.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        // Tests that were killed leave theirs, and the number of a process comes again.
        let made = tempfile::Builder::new().prefix("scimd-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Self(made.expect("a directory").keep())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path
    }

    /// Every file in it, whole.
    pub(crate) fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(bytes) = fs::read(&path) {
                    found.push((path, bytes));
                }
            }
        }
        found
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept: {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A place with a configuration, where commands can be run and servers started.
pub(crate) struct Place {
    pub(crate) directory: Directory,
    pub(crate) store: StoreUrl,
    /// The database of the store, where it is none in a file.
    database: Option<Database>,
    pub(crate) config: PathBuf,
    /// What commands and servers find in their environment besides.
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

impl Place {
    /// A place with this configuration besides: keys first, then tables. `SCIM_TEST_STORE=postgres` puts its data into
    /// a database of its own in PostgreSQL.
    pub(crate) fn new(config: &str) -> Self {
        match std::env::var("SCIM_TEST_STORE").as_deref() {
            Ok("postgres") => Self::in_database(config),
            _ => Self::in_file(config),
        }
    }

    /// A place whose data are in a file of its own.
    pub(crate) fn in_file(config: &str) -> Self {
        let directory = Directory::new();
        let store = StoreUrl::Sqlite(directory.path().join("scimd.db"));
        Self::on(directory, store, config)
    }

    /// A place whose data are in a database of its own in PostgreSQL.
    pub(crate) fn in_database(config: &str) -> Self {
        Self::in_this(Database::new(), config)
    }

    /// A place whose data are in this database.
    pub(crate) fn in_this(database: Database, config: &str) -> Self {
        let store = StoreUrl::Postgres(database.address());
        Self { database: Some(database), ..Self::on(Directory::new(), store, config) }
    }

    /// A place whose data are in this store.
    pub(crate) fn on(directory: Directory, store: StoreUrl, config: &str) -> Self {
        let metrics = if config.contains("[metrics]") { "" } else { "[metrics]\nlisten = \"\"\n" };
        // No test is about these that does not say so: a slow machine is not told that it takes too long, nor a fast one that
        // it asks too often.
        let usual = ["request_timeout_seconds = 300\n", "requests_per_second = 1000000\n"];
        let said = |key: &&str| !config.contains(key.split(' ').next().unwrap_or_default());
        let limits = format!("[limits]\n{}", usual.into_iter().filter(said).collect::<String>());
        let config = match config.contains("[limits]\n") {
            true => config.replacen("[limits]\n", &limits, 1),
            false => format!("{config}\n{limits}"),
        };
        let text = format!("listen = \"127.0.0.1:0\"\nstore = \"{store}\"\n{config}\n{metrics}");
        let config = directory.write("scimd.toml", &text);
        Self { directory, store, database: None, config, environment: Vec::new() }
    }

    /// The database, where it is in PostgreSQL.
    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().expect("a database")
    }

    /// What is wrong with the database.
    pub(crate) fn faults(&self) -> Vec<String> {
        // What faults leave can be hundreds of thousands of rows, all of which are looked at.
        let patient = scim_store_postgres::Options { statement: PATIENCE * 10, ..patient() };
        let store = self.database().open(patient);
        store.check(&self.database().tenants()).expect("the database can be read")
    }

    /// Every file, and every row of a database.
    pub(crate) fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = self.directory.contents();
        if let Some(database) = &self.database {
            for table in database.run("SELECT tablename FROM pg_tables WHERE schemaname = 'scim'") {
                let sql = format!("SET bytea_output = 'escape'; SELECT t::text FROM scim.{table} t");
                found.push((PathBuf::from(&table), database.run(&sql).join("\n").into_bytes()));
            }
        }
        found
    }

    /// Runs a command against the configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.scimd();
        command.args(arguments).arg("--config").arg(&self.config);
        Ran::new(command.output().expect("scimd runs"))
    }

    /// Runs a command that must succeed, and gives back what it printed.
    #[track_caller]
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "scimd {arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Makes a tenant with a connection to this kind of identity provider, and gives back a token.
    #[track_caller]
    pub(crate) fn tenant(&self, name: &str, idp: &str) -> String {
        self.command(&["tenant", "create", name]);
        self.connect(name, idp);
        self.token(name)
    }

    #[track_caller]
    fn connect(&self, name: &str, idp: &str) {
        let mut arguments = vec!["connection", "create", name, "--idp", idp];
        match idp {
            "entra" => arguments.extend(["--idp-tenant", "8f0e2d4c-5b6a-4978-8695-a4b3c2d1e0f9"]),
            "okta" => arguments.extend(["--idp-tenant", "https://example.okta.com"]),
            _ => {}
        }
        self.command(&arguments);
    }

    /// Another token of a tenant.
    #[track_caller]
    pub(crate) fn token(&self, name: &str) -> String {
        let printed = self.command(&["token", "create", name]);
        let token = printed.split_whitespace().find(|word| word.starts_with("scim_"));
        token.unwrap_or_else(|| panic!("no token in {printed}")).to_owned()
    }

    /// Starts a server and waits until it listens.
    pub(crate) fn serve(&self) -> Process {
        self.begin().serving()
    }

    /// Starts a server.
    pub(crate) fn begin(&self) -> Process {
        let mut command = self.scimd();
        command.arg("serve").arg("--config").arg(&self.config);
        Process::begin(command)
    }

    fn scimd(&self) -> Command {
        let mut command = scimd();
        command
            .current_dir(self.directory.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A server at a place of its own.
pub(crate) struct Server {
    // The process goes before the files that it has open.
    pub(crate) process: Process,
    pub(crate) place: Place,
}

impl Server {
    /// A server with this configuration besides the necessary.
    pub(crate) fn start(config: &str) -> Self {
        let place = Place::new(config);
        Self { process: place.serve(), place }
    }

    /// A server, and a client of a new tenant with this kind of identity provider.
    pub(crate) fn with(idp: &str) -> (Self, Client) {
        let server = Self::start("");
        let client = server.tenant("acme", idp);
        (server, client)
    }

    /// Makes a tenant and gives back a client of it.
    #[track_caller]
    pub(crate) fn tenant(&self, name: &str, idp: &str) -> Client {
        let token = self.place.tenant(name, idp);
        self.client(name, &token)
    }

    /// A client of a tenant.
    pub(crate) fn client(&self, name: &str, token: &str) -> Client {
        Client::new(self.process.address, &base(name), token)
    }

    /// The tenant's base URL.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}{}", self.process.address, base(name))
    }
}

/// The path of a tenant's base URL.
pub(crate) fn base(name: &str) -> String {
    format!("/t/{name}/scim/v2")
}

/// A command that ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The program, without any configuration from the environment.
pub(crate) fn scimd() -> Command {
    let mut command = alone(Command::new(env!("CARGO_BIN_EXE_scimd")));
    command.stdin(Stdio::null());
    command
}

/// A command that starts the program, without any configuration from the environment.
pub(crate) fn alone(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("SCIMD_") || text.starts_with("PG") || text == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs the program in a directory.
pub(crate) fn run_in(directory: &Path, arguments: &[&str]) -> Ran {
    Ran::new(scimd().args(arguments).current_dir(directory).output().expect("scimd runs"))
}

/// A running server. It is killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    printed: Arc<Printed>,
    readers: Vec<JoinHandle<()>>,
}

/// What a process has printed so far, on both streams.
#[derive(Default)]
struct Printed {
    /// Standard output, standard error, and how many of the two have ended.
    state: Mutex<(String, String, usize)>,
    more: Condvar,
}

impl Process {
    /// Starts a server and waits until it says where it listens.
    pub(crate) fn start(command: Command) -> Self {
        Self::begin(command).serving()
    }

    /// Starts a server.
    pub(crate) fn begin(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("scimd starts");
        let printed = Arc::new(Printed::default());
        let out = child.stdout.take().expect("a pipe");
        let err = child.stderr.take().expect("a pipe");
        let readers = vec![follow(out, false, &printed), follow(err, true, &printed)];
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { child, address: anywhere, printed, readers }
    }

    /// Waits until it says where it listens.
    pub(crate) fn serving(mut self) -> Self {
        self.address = self.wait_for("that it serves", |_, err| err.lines().find_map(address_of));
        self
    }

    /// Where metrics and health are served.
    pub(crate) fn metrics(&self) -> SocketAddr {
        self.wait_for("where metrics are", |_, err| {
            let lines = err.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            lines.into_iter().find_map(|event| event["metrics"].as_str()?.parse().ok())
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until what was printed on standard output and standard error has what is looked for.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, look: impl Fn(&str, &str) -> Option<T>) -> T {
        let begun = Instant::now();
        let mut state = self.printed.state.lock().expect("the lock");
        loop {
            if let Some(found) = look(&state.0, &state.1) {
                return found;
            }
            (state, _) = self.printed.more.wait_timeout(state, PATIENCE).expect("the lock");
            let ended = state.2 == 2 && look(&state.0, &state.1).is_none();
            assert!(
                !ended && begun.elapsed() < PATIENCE,
                "scimd did not say {what}:\n{}\n{}",
                state.0,
                state.1
            );
        }
    }

    /// Everything printed so far: standard output and standard error.
    pub(crate) fn printed(&self) -> (String, String) {
        // Whoever waits in vain panics with the lock, and a panic while another is under way would end all tests.
        let state = self.printed.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.0.clone(), state.1.clone())
    }

    /// Waits for something that is not printed, as long as the process runs.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let has_ended = self.printed.state.lock().expect("the lock").2 == 2;
            if let Some(found) = look() {
                return found;
            }
            assert!(
                !has_ended && begun.elapsed() < PATIENCE,
                "scimd ended, or it took too long, before {what}"
            );
            std::thread::yield_now();
        }
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(sent.expect("kill runs").success(), "the process is gone");
    }

    /// Waits until the process has ended, and gives back its exit code and what it printed.
    pub(crate) fn ended(mut self) -> (Option<i32>, String, String) {
        let state = self.printed.state.lock().expect("the lock");
        let waited = self.printed.more.wait_timeout_while(state, PATIENCE, |state| state.2 < 2);
        assert!(!waited.expect("the lock").1.timed_out(), "scimd did not end");
        let code = self.child.wait().expect("a child").code();
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader");
        }
        let (out, err) = self.printed();
        (code, out, err)
    }

    /// Ends the process as a power failure would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("a child");
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let (out, err) = self.printed();
            let _ = writeln!(std::io::stderr(), "--- scimd printed:\n{out}{err}---");
        }
    }
}

fn follow(stream: impl Read + Send + 'static, is_error: bool, printed: &Arc<Printed>) -> JoinHandle<()> {
    let printed = Arc::clone(printed);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut state = printed.state.lock().expect("the lock");
            let text = if is_error { &mut state.1 } else { &mut state.0 };
            text.push_str(&line);
            text.push('\n');
            printed.more.notify_all();
        }
        printed.state.lock().expect("the lock").2 += 1;
        printed.more.notify_all();
    })
}

/// The address in the line of the log that says that the server serves.
fn address_of(line: &str) -> Option<SocketAddr> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    (event["message"] == "serving").then(|| event["address"].as_str()?.parse().ok())?
}
