//! The connections: so many at most, made when they are needed, kept while they are whole.
//!
//! Whoever finds all of them busy waits for so long and is then refused; tenants take turns. A connection that was given
//! back inside a transaction, or that is closed, old, or as old as one that led to a standby, is not lent again.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use scim_store::{Load, Tenant};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::{Client, Config, Row};

use crate::address::Address;
use crate::error::{Failed, Kind, OpenError};
use crate::options::Options;
use crate::places::{Place, Places};
use crate::session::{Leaves, Session, Step, step};
use crate::tls::Tls;

/// All connections.
pub(crate) struct Pool {
    places: Arc<Places>,
    size: usize,
    idle: Mutex<Idle>,
    /// Told of each that is given back.
    returned: Notify,
    config: Config,
    /// After how many seconds without a word the database asks whether we are there, and how often then.
    keepalives: [u64; 2],
    tls: Tls,
    options: Options,
    /// What drives the connections.
    home: Handle,
}

/// The connections that nobody uses.
#[derive(Default)]
struct Idle {
    sessions: Vec<Session>,
    /// When those that there were then turned out to lead to a server that only reads.
    left: Option<Instant>,
}

/// A connection that is lent.
pub(crate) struct Lent {
    pool: Arc<Pool>,
    session: Option<Session>,
    _place: Place,
}

/// How long the network may keep from us that something has arrived. What was asked may take longer to be answered.
const SILENCE: Duration = Duration::from_secs(20);

/// How long a connection is kept, so that a server that was moved is found where it is now.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

impl Pool {
    pub(crate) fn new(address: &Address, options: Options, home: Handle) -> Result<Self, OpenError> {
        let size = address.pool.unwrap_or(options.pool).max(2);
        let mut config = Config::clone(&address.config);
        if let Some(file) = &address.password_file {
            let refused = |error: std::io::Error| OpenError::Password { file: file.clone(), error };
            let password = std::fs::read_to_string(file).map_err(refused)?;
            config.password(password.trim_end_matches(['\r', '\n']));
        }
        if config.get_application_name().is_none() {
            config.application_name("scimd");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(options.connect);
        }
        // A zero, which the configuration does not keep, means what the system does.
        if !address.says("keepalives_idle") {
            config.keepalives_idle(Duration::from_secs(30));
        }
        if !address.says("keepalives_interval") {
            config.keepalives_interval(Duration::from_secs(10));
        }
        if !address.says("tcp_user_timeout") {
            config.tcp_user_timeout(options.statement.min(SILENCE));
        }
        // One that is told 0 does as the system does, on both sides.
        let (idle, interval) = match config.get_keepalives() {
            true => (config.get_keepalives_idle(), config.get_keepalives_interval().unwrap_or_default()),
            false => <(Duration, Duration)>::default(),
        };
        let keepalives = [idle, interval].map(|duration| duration.as_secs());
        let tls = Tls::trusting(address.root_certificates.as_deref())?;
        let places = Places::new(size, size, options.queue);
        let (idle, returned) = (Mutex::default(), Notify::new());
        Ok(Self { places, size, idle, returned, config, keepalives, tls, options, home })
    }

    /// A connection for a tenant, an idle one or a new one.
    pub(crate) async fn lend(self: &Arc<Self>, tenant: &Tenant) -> Result<Lent, Failed> {
        let place = timeout(self.options.wait, self.places.take(tenant)).await;
        let Ok(Some(place)) = place else { return Err(Failed::new(Kind::Busy, "all connections are busy")) };
        let session = match self.take_idle() {
            Some(session) => session,
            None => match self.connect().await {
                Err(failed) if failed.kind == Kind::Busy => self.take_returned(failed).await?,
                connected => connected?,
            },
        };
        Ok(Lent { pool: Arc::clone(self), session: Some(session), _place: place })
    }

    /// One that somebody gives back, where the server has no more connections, and fewer than there are places.
    async fn take_returned(&self, failed: Failed) -> Result<Session, Failed> {
        let taken = async {
            loop {
                // Waits from here on, so that each that is given back meanwhile wakes somebody else.
                let mut returned = pin!(self.returned.notified());
                returned.as_mut().enable();
                if let Some(session) = self.take_idle() {
                    return session;
                }
                returned.await;
            }
        };
        timeout(self.options.wait, taken).await.map_err(|_| failed)
    }

    /// Most connections that are lent at a time.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// How much of it is lent.
    pub(crate) fn load(&self) -> Load {
        let (free, waiting) = self.places.free_and_waiting();
        Load { most: self.size, lent: self.size.saturating_sub(free), waiting }
    }

    /// A connection with nothing set, outside of the pool.
    pub(crate) async fn connect_plainly(&self) -> Result<Client, Failed> {
        let (config, tls) = (self.config.clone(), self.tls.clone());
        // Given up with whoever waits for it.
        let mut connecting = JoinSet::new();
        let work = async move {
            let (client, connection) =
                config.connect(tls).await.map_err(|error| Failed::to_connect(&error))?;
            // It ends with the client, and its errors reach whoever waits for an answer.
            tokio::spawn(async move { drop(connection.await) });
            Ok(client)
        };
        connecting.spawn_on(work, &self.home);
        // What listens there need not be a database, or one that answers.
        match timeout(self.patience(), connecting.join_next()).await {
            Ok(Some(Ok(connected))) => connected,
            Err(_) => Err(late()),
            Ok(Some(Err(_)) | None) => Err(Failed::new(Kind::Away, "the threads that connect have ended")),
        }
    }

    /// Lets go of those that nobody uses: one was found to be broken, and they may be too.
    pub(crate) fn forget_idle(&self) {
        self.idle().sessions.clear();
    }

    /// Lends none again of those that there are, in use or not: the server that one leads to has become a standby, and
    /// whatever the address means by now is found by a new one.
    fn leave(&self) {
        let mut idle = self.idle();
        idle.sessions.clear();
        idle.left = Some(Instant::now());
    }

    fn give_back(&self, session: Session) {
        let mut idle = self.idle();
        if session.is_idle() && idle.left.is_none_or(|left| session.since > left) {
            idle.sessions.push(session);
            self.returned.notify_one();
        }
    }

    fn take_idle(&self) -> Option<Session> {
        let mut idle = self.idle();
        while let Some(session) = idle.sessions.pop() {
            if session.is_idle() && session.since.elapsed() < LIFETIME {
                return Some(session);
            }
        }
        None
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Session, Failed> {
        let Options { statement, lock, .. } = self.options;
        let [idle, interval] = self.keepalives.map(|seconds| seconds.to_string());
        let connecting = async {
            let since = Instant::now();
            let client = self.connect_plainly().await?;
            let session = Session::new(client, since, &self.options);
            let milliseconds = |duration: Duration| duration.as_millis().to_string();
            session
                .run(
                    vec![step!(
                        PREPARE,
                        milliseconds(statement),
                        milliseconds(lock),
                        milliseconds(statement),
                        idle,
                        interval
                    )],
                    Leaves::Over,
                )
                .await?;
            Ok(session)
        };
        timeout(self.patience(), connecting).await.unwrap_or_else(|_| Err(late()))
    }

    /// How long a connection may take. The time for one host is in the configuration; this is for all of them, each but the
    /// last of which may be silent, and for what follows.
    fn patience(&self) -> Duration {
        let each = self.config.get_connect_timeout().copied().unwrap_or(self.options.connect);
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(u32::MAX);
        each.saturating_mul(hosts.max(1).saturating_add(1))
    }
}

fn late() -> Failed {
    Failed::new(Kind::Away, "the database could not be reached in time")
}

/// What every connection needs. Whoever has turned `synchronous_commit` off gets it on: what is acknowledged is durable.
/// Transactions may write unless they say otherwise.
///
/// The database asks after us as we do after it, unless it is told to do so more often: what was a connection before a
/// network or a machine was lost is otherwise kept there for two hours, and it has not many.
///
/// Every statement is made to walk an index from a known place, once for each thing that is asked for. The planner is kept
/// from anything else: what it knows of a table lags behind, and a table that was empty a minute ago is walked whole. So
/// one plan is as good for all values, and is made once. What an index has in order but for the last column is sorted as
/// it comes, key by key, instead of all before the first is given (`enable_sort`). Going through rows of an index is dear
/// (`cpu_index_tuple_cost`): rows whose places are known are not looked for in it, however few a tenant is thought to have.
const PREPARE: &str = "SELECT set_config('search_path', 'scim', false), set_config('statement_timeout', $1, false),
    set_config('lock_timeout', $2, false), set_config('idle_in_transaction_session_timeout', $3, false),
    set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false),
    set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false),
    set_config('enable_sort', 'off', false), set_config('cpu_index_tuple_cost', '1000', false),
    set_config('enable_indexscan', 'on', false), set_config('enable_indexonlyscan', 'on', false),
    set_config('enable_tidscan', 'on', false), set_config('enable_nestloop', 'on', false),
    set_config('enable_incremental_sort', 'on', false),
    set_config('plan_cache_mode', 'force_generic_plan', false), set_config('row_security', 'on', false),
    set_config('jit', 'off', false), set_config('max_parallel_workers_per_gather', '0', false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('default_transaction_read_only', 'off', false),
    set_config('tcp_keepalives_idle', coalesce(least(nullif(current_setting('tcp_keepalives_idle')::int, 0),
        nullif($4::text::int, 0)), 0)::text, false),
    set_config('tcp_keepalives_interval', coalesce(least(nullif(current_setting('tcp_keepalives_interval')::int, 0),
        nullif($5::text::int, 0)), 0)::text, false),
    set_config('synchronous_commit',
        CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END,
        false)";

impl Lent {
    /// Begins a transaction for one tenant with the first statements of it. Without the tenant, the policies of the
    /// tables show nothing.
    pub(crate) async fn begin(
        &mut self,
        how: &'static str,
        tenant: &Tenant,
        steps: Vec<Step>,
    ) -> Result<Vec<Vec<Row>>, Failed> {
        let mut rows = self.send(beginning(how, tenant).chain(steps).collect(), Leaves::Open).await?;
        Ok(rows.split_off(2))
    }

    /// Goes on in a transaction.
    pub(crate) async fn run(&self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Failed> {
        self.send(steps, Leaves::Open).await
    }

    /// Ends a transaction with the last statements of it.
    pub(crate) async fn end(&mut self, how: &'static str, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Failed> {
        let mut rows = self.send(steps.into_iter().chain([step!(how)]).collect(), Leaves::Over).await?;
        rows.pop();
        Ok(rows)
    }

    /// A transaction that needs one round trip.
    pub(crate) async fn whole(
        &mut self,
        how: &'static str,
        tenant: &Tenant,
        steps: Vec<Step>,
    ) -> Result<Vec<Vec<Row>>, Failed> {
        let all = beginning(how, tenant).chain(steps).chain([step!("COMMIT")]).collect();
        let mut rows = self.send(all, Leaves::Over).await?;
        rows.pop();
        Ok(rows.split_off(2))
    }

    /// A transaction that is one statement that reads.
    pub(crate) async fn alone(&mut self, tenant: &Tenant, step: &Step) -> Result<Vec<Row>, Failed> {
        self.session()?.alone(tenant, step).await
    }

    async fn send(&self, steps: Vec<Step>, leaves: Leaves) -> Result<Vec<Vec<Row>>, Failed> {
        let rows = self.session()?.run(steps, leaves).await;
        rows.inspect_err(|failed| {
            if failed.is_read_only {
                self.pool.leave();
            }
        })
    }

    pub(crate) fn session(&self) -> Result<&Session, Failed> {
        self.session.as_ref().ok_or_else(|| Failed::new(Kind::Fault, "the connection was given back"))
    }
}

/// What a transaction of a tenant begins with. Whoever looks at the database's sessions sees for whom each has a transaction.
fn beginning(how: &'static str, tenant: &Tenant) -> impl Iterator<Item = Step> {
    let name = tenant.as_str().to_owned();
    let sql = "SELECT set_config('scim.tenant', $1, true),
        set_config('application_name', concat_ws(' ', current_setting('application_name'), $1), true)";
    [step!(how), step!(sql, name)].into_iter()
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.pool.give_back(session);
        }
    }
}

/// How a transaction begins that reads in one state of the database.
pub(crate) const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// How a transaction begins that writes: after the tenant's lock each statement sees what others have committed. That it
/// writes is the default of the connection: a standby would refuse to be told so with the code of whatever it lacks.
pub(crate) const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// A transaction that reads. It begins with the first statements.
pub(crate) struct Snapshot {
    lent: Lent,
    tenant: Tenant,
    begun: bool,
}

impl Snapshot {
    pub(crate) fn new(lent: Lent, tenant: Tenant) -> Self {
        Self { lent, tenant, begun: false }
    }

    /// Statements after which more follow.
    pub(crate) async fn run(&mut self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Failed> {
        match std::mem::replace(&mut self.begun, true) {
            true => self.lent.run(steps).await,
            false => self.lent.begin(READ, &self.tenant, steps).await,
        }
    }

    /// The last statements. One that is the only one needs no transaction around it.
    pub(crate) async fn last(mut self, steps: Vec<Step>) -> Result<Vec<Vec<Row>>, Failed> {
        match (self.begun, steps.as_slice()) {
            (false, [step]) => Ok(vec![self.lent.alone(&self.tenant, step).await?]),
            (false, _) => self.lent.whole(READ, &self.tenant, steps).await,
            (true, _) => self.lent.end("COMMIT", steps).await,
        }
    }

    /// The last statement.
    pub(crate) async fn rows(self, step: Step) -> Result<Vec<Row>, Failed> {
        Ok(self.last(vec![step]).await?.pop().unwrap_or_default())
    }

    pub(crate) fn session(&self) -> Result<&Session, Failed> {
        self.lent.session()
    }

    pub(crate) fn tenant(&self) -> String {
        self.tenant.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_how_long_a_silent_network_is_borne() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("built");
        let check = |options: &str, expected: (u64, Option<u64>, Option<u64>)| {
            let text = format!("postgres://scimd@localhost/scim?{options}");
            let address: Address = text.parse().expect("an address");
            let pool = Pool::new(&address, Options::default(), runtime.handle().clone()).expect("made");
            let config = &pool.config;
            let found = (
                config.get_keepalives_idle().as_secs(),
                config.get_keepalives_interval().map(|interval| interval.as_secs()),
                config.get_tcp_user_timeout().map(Duration::as_secs),
            );
            assert_eq!(found, expected, "{options}");
        };
        check("pool=4", (30, Some(10), Some(20)));
        check("keepalives_idle=300&keepalives_interval=3&tcp_user_timeout=7000", (300, Some(3), Some(7)));
        check("keepalives_idle=7200", (7200, Some(10), Some(20)));
        check("keepalives_idle=0&keepalives_interval=0&tcp_user_timeout=0", (7200, None, None));
    }

    #[test]
    fn a_long_statement_is_no_silent_network() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("built");
        let address: Address = "postgres://scimd@localhost/scim".parse().expect("an address");
        for (statement, expected) in [(600, 20), (5, 5)] {
            let options = Options { statement: Duration::from_secs(statement), ..Options::default() };
            let pool = Pool::new(&address, options, runtime.handle().clone()).expect("made");
            assert_eq!(pool.config.get_tcp_user_timeout(), Some(&Duration::from_secs(expected)));
        }
    }

    #[test]
    fn each_host_may_take_as_long_as_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("built");
        for (text, expected) in [("a/scim", 6), ("a,b,c/scim", 12), ("a,b/scim?connect_timeout=10", 30)] {
            let address: Address = format!("postgres://scimd@{text}").parse().expect("an address");
            let pool = Pool::new(&address, Options::default(), runtime.handle().clone()).expect("made");
            assert_eq!(pool.patience(), Duration::from_secs(expected), "{text}");
        }
    }
}
