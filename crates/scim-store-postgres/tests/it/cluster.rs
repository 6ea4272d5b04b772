//! Databases to test with, each of its own, in the cluster that `SCIM_TEST_POSTGRES` names or in a throw-away one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use scim_store::Tenant;
use scim_store_postgres::{Address, Options, PostgresStore, migrate};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// The role that stores connect as.
pub(crate) const ROLE: &str = "scim_test";

/// A database.
pub(crate) struct Database {
    /// The address of its cluster's superuser.
    superuser: String,
    name: String,
}

/// What starts and stops clusters.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres.sh");

/// A cluster that ends with this process.
pub(crate) struct Cluster {
    /// Its own, with its data in it.
    pub(crate) directory: PathBuf,
    pub(crate) superuser: String,
}

/// The address of the superuser of the cluster that tests share.
pub(crate) fn superuser() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| {
        let address = std::env::var("SCIM_TEST_POSTGRES").unwrap_or_else(|_| lend(&directory(), None));
        create_role(&address);
        address
    })
}

fn create_role(superuser: &str) {
    let sql = format!(
        "DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$"
    );
    run(superuser, &sql);
}

/// A directory for a cluster.
pub(crate) fn directory() -> PathBuf {
    tempfile::Builder::new().prefix("scim-postgres-").tempdir().expect("a directory").keep()
}

/// Starts a cluster that ends with this process, and gives the address of its superuser. It may be a synchronous standby of
/// another.
fn lend(directory: &Path, of: Option<&Path>) -> String {
    let mut lend = Command::new(SCRIPT);
    lend.arg("lend").arg(directory).arg(std::process::id().to_string()).args(of);
    let lent = lend.output().expect("scripts/postgres.sh runs");
    assert!(
        lent.status.success(),
        "there is no PostgreSQL to test with; set SCIM_TEST_POSTGRES to what `scripts/postgres.sh start DIR` prints:\n{}",
        String::from_utf8_lossy(&lent.stderr)
    );
    String::from_utf8(lent.stdout).expect("an address").trim().to_owned()
}

pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
    })
}

/// How long something may take that is waited for. Only a broken store needs it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How a store is that gives nothing up before a test does. A test of what is given up says after how long.
pub(crate) fn patient() -> Options {
    let (wait, connect, statement) = (PATIENCE, PATIENCE, PATIENCE);
    Options { wait, connect, statement, lock: PATIENCE, patience: PATIENCE, ..Options::default() }
}

/// Waits until something is there. That it never comes is a failure with its line, and not a test that hangs.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain {what}");
        std::thread::yield_now();
    }
}

/// Runs statements as somebody, and gives the first column of their rows.
pub(crate) fn run(address: &str, sql: &str) -> Vec<String> {
    let (answer, answered) = std::sync::mpsc::channel();
    let (address, sql) = (address.to_owned(), sql.to_owned());
    // A test may be in a runtime of its own.
    runtime().spawn(async move {
        let (client, connection) = tokio_postgres::connect(&address, NoTls).await.expect("connects");
        let driving = tokio::spawn(connection);
        let messages = client.simple_query(&sql).await.expect("runs");
        drop(client);
        let _ = driving.await;
        let first = |message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        answer.send(messages.into_iter().filter_map(first).collect()).expect("somebody waits");
    });
    answered.recv().expect("the statements ran")
}

/// A connection that is kept.
pub(crate) struct Session(Client);

/// A connection of the superuser to a database.
pub(crate) fn superuser_of(database: &Database) -> Session {
    let address = database.text("postgres");
    runtime().block_on(async {
        let (client, connection) = tokio_postgres::connect(&address, NoTls).await.expect("connects");
        tokio::spawn(connection);
        Session(client)
    })
}

impl Session {
    /// Runs statements.
    pub(crate) fn run(&self, sql: &str) {
        runtime().block_on(self.0.batch_execute(sql)).expect("runs");
    }
}

impl Cluster {
    /// One that nobody else uses.
    pub(crate) fn start() -> Self {
        Self::start_in(directory())
    }

    /// One that nobody else uses, in a directory. Its own log is in the directory `log` of that, if there is one.
    pub(crate) fn start_in(directory: PathBuf) -> Self {
        let superuser = lend(&directory, None);
        create_role(&superuser);
        Self { directory, superuser }
    }

    /// A synchronous standby of it.
    pub(crate) fn standby(&self) -> Self {
        let directory = directory();
        let superuser = lend(&directory, Some(&self.directory));
        Self { directory, superuser }
    }

    /// Ends it as a failure of the machine would, and starts it again.
    pub(crate) fn restart(&self) {
        self.control("restart");
    }

    /// Ends it as a failure of the machine would, for good.
    pub(crate) fn lose(&self) {
        self.control("stop");
    }

    /// Makes a standby the primary.
    pub(crate) fn promote(&self) {
        self.control("promote");
    }

    fn control(&self, how: &str) {
        let status = Command::new(SCRIPT).arg(how).arg(&self.directory).status();
        assert!(status.expect("scripts/postgres.sh runs").success(), "{how} failed");
    }

    /// A database in it with tables.
    pub(crate) fn database(&self) -> Database {
        Database::with_tables(Database::empty_in(&self.superuser))
    }
}

impl Database {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        Self::empty_in(superuser())
    }

    fn empty_in(superuser: &str) -> Self {
        // Tests that were killed leave theirs, and the number of a process comes again.
        let name = run(superuser, "SELECT 't' || replace(gen_random_uuid()::text, '-', '')").concat();
        run(superuser, &format!("CREATE DATABASE {name} TEMPLATE template0"));
        Self { superuser: superuser.to_owned(), name }
    }

    /// One with tables, made by the superuser for [`ROLE`].
    pub(crate) fn new() -> Self {
        Self::with_tables(Self::empty())
    }

    fn with_tables(database: Self) -> Self {
        migrate(&database.owner(), Options::default(), Some(ROLE)).expect("migrates");
        database
    }

    /// The address for a role.
    pub(crate) fn text(&self, role: &str) -> String {
        let (place, _) = self.superuser.rsplit_once('/').expect("a database");
        let (scheme, host) =
            (place.split_once("://").expect("a scheme").0, place.rsplit_once('@').expect("a host").1);
        format!("{scheme}://{role}@{host}/{}", self.name)
    }

    /// The address for servers that find it on its cluster or on a standby, whichever is the primary.
    pub(crate) fn on_either(&self, standby: &Cluster) -> Address {
        let host = |address: &str| {
            let (_, place) = address.rsplit_once('@').expect("a host");
            place.split_once('/').expect("a database").0.to_owned()
        };
        let (one, other) = (host(&self.superuser), host(&standby.superuser));
        let text = format!("postgres://{ROLE}@{one},{other}/{}?target_session_attrs=read-write", self.name);
        text.parse().expect("an address")
    }

    /// The address for servers that come by a port.
    pub(crate) fn through(&self, host: &str, port: u16, options: &str) -> Address {
        format!("postgres://{ROLE}@{host}:{port}/{}?{options}", self.name).parse().expect("an address")
    }

    /// It is where a standby has it from now on.
    pub(crate) fn move_to(&mut self, standby: &Cluster) {
        self.superuser.clone_from(&standby.superuser);
    }

    pub(crate) fn owner(&self) -> Address {
        self.text("postgres").parse().expect("an address")
    }

    pub(crate) fn address(&self) -> Address {
        self.text(ROLE).parse().expect("an address")
    }

    pub(crate) fn open(&self, options: Options) -> PostgresStore {
        PostgresStore::open(&self.address(), options).expect("opens")
    }

    /// Runs statements as the superuser.
    pub(crate) fn run(&self, sql: &str) -> Vec<String> {
        run(&self.text("postgres"), sql)
    }

    /// Cuts all connections and lets nobody in.
    pub(crate) fn close(&self) {
        let name = &self.name;
        run(&self.superuser, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
        let sql =
            format!("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'");
        run(&self.superuser, &sql);
    }

    /// Lets everybody in again.
    pub(crate) fn reopen(&self) {
        run(&self.superuser, &format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name));
    }

    /// Who has something stored.
    pub(crate) fn tenants(&self) -> Vec<Tenant> {
        let names = self.run("SELECT name FROM scim.tenant ORDER BY name");
        names.iter().map(|name| Tenant::new(name).unwrap_or_else(|_| Tenant::system())).collect()
    }

    /// Waits until statements that the superuser runs find so many rows, and gives their first column.
    #[track_caller]
    pub(crate) fn until_found(&self, count: usize, sql: &str) -> Vec<String> {
        until(&format!("for {count} rows of {sql}"), || {
            Some(self.run(sql)).filter(|rows| rows.len() >= count)
        })
    }

    /// Waits until they find none any more.
    #[track_caller]
    pub(crate) fn until_gone(&self, sql: &str) {
        until(&format!("for an end of {sql}"), || self.run(sql).is_empty().then_some(()));
    }

    /// Takes all rows away.
    pub(crate) fn clear(&self) {
        let tables = [
            "tenant", "total", "resource", "entry", "claim", "edge", "hidden", "change", "audit", "person",
            "report", "debt",
        ];
        self.run(&tables.map(|table| format!("DELETE FROM scim.{table};")).concat());
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            run(&self.superuser, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

/// The socket of the cluster of an address.
pub(crate) fn socket_path(address: &str) -> String {
    let place = address.rsplit_once('@').expect("a host").1;
    let (directory, rest) = place.split_once(':').expect("a port");
    let port = rest.split_once('/').expect("a database").0;
    format!("{}/.s.PGSQL.{port}", directory.replace("%2F", "/"))
}
