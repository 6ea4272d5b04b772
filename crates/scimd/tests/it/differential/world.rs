//! Services over one store, with a clock and random numbers that the requests before do not move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use scim_core::schema::Registry;
use scim_core::time::Timestamp;
use scim_service::directory::{Connection, Idp};
use scim_service::environment::Environment;
use scim_service::{NewRules, Service, Settings};
use scim_store::conformance::registry;
use scim_store::conformance::words::Random;
use scim_store::{MemoryStore, PersonQuery, ReportQuery, Store, Tenant};
use scim_store_sqlite::{Options, SqliteStore};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::cluster::{Database, patient};
use crate::server::Directory;

/// The tenants of every world.
const TENANTS: [&str; 2] = ["acme", "globex"];

/// Time stands still within a request.
struct Steps {
    clock: AtomicI64,
    random: AtomicU64,
}

impl Steps {
    /// Begins step `number`, which looks the same in every world.
    fn begin(&self, number: u64) {
        self.clock.store(1_700_000_000_000 + 7 * number as i64, Ordering::Relaxed);
        self.random.store(Random::new(number).number(), Ordering::Relaxed);
    }
}

impl Environment for Steps {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::Relaxed))
    }

    fn fill(&self, bytes: &mut [u8]) {
        let mut random = Random::new(self.random.load(Ordering::Relaxed));
        bytes.iter_mut().for_each(|byte| *byte = (random.number() >> 32) as u8);
        self.random.store(random.number(), Ordering::Relaxed);
    }
}

/// A request to be sent to every world.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) if_match: Option<String>,
}

impl Sent {
    pub(crate) fn new(method: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self { method, path: path.into(), body, if_match: None }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path, Value::Null)
    }
}

/// An answer, whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The body, or null where there is none.
    pub(crate) fn json(&self) -> Value {
        if self.body.is_empty() { Value::Null } else { serde_json::from_str(&self.body).expect("JSON") }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// Services over a store, which take turns.
pub(crate) struct World {
    pub(crate) name: &'static str,
    pub(crate) registry: Arc<Registry>,
    services: Vec<Service>,
    stores: Vec<Arc<dyn Store>>,
    environment: Arc<Steps>,
    tokens: Vec<String>,
    runtime: Runtime,
    /// Where the store keeps its data. It is removed after the store.
    #[expect(dead_code, reason = "kept for its end")]
    place: Option<Place>,
}

enum Place {
    File(#[expect(dead_code, reason = "kept for its end")] Directory),
    Database(#[expect(dead_code, reason = "kept for its end")] Database),
}

impl World {
    /// One over each store that there is, and one of two servers on one database.
    pub(crate) fn of_every_store(policy: Option<&str>) -> Vec<Self> {
        let directory = Directory::new();
        let file = directory.path().join("scim.db");
        let sqlite = SqliteStore::open(file, Options { cache: 256, ..Options::default() }).expect("opens");
        let sqlite = Self::over("sqlite", vec![Arc::new(sqlite)], policy);
        let on_postgres = |name, servers| {
            let database = Database::new();
            let open = |_| Arc::new(database.open(patient())) as _;
            let world = Self::over(name, (0..servers).map(open).collect(), policy);
            Self { place: Some(Place::Database(database)), ..world }
        };
        vec![
            Self::over("memory", vec![Arc::new(MemoryStore::new())], policy),
            Self { place: Some(Place::File(directory)), ..sqlite },
            on_postgres("postgres", 1),
            on_postgres("two servers on postgres", 2),
        ]
    }

    fn over(name: &'static str, stores: Vec<Arc<dyn Store>>, policy: Option<&str>) -> Self {
        let environment = Arc::new(Steps { clock: AtomicI64::new(0), random: AtomicU64::new(0) });
        environment.begin(0);
        let registry = Arc::new(registry());
        let settings = Settings { requests_per_second: u32::MAX, ..Settings::new("https://scim.example") };
        let service = |store: &Arc<dyn Store>| {
            let parts = (Arc::clone(store), Arc::clone(&registry), Arc::clone(&environment));
            Service::new(parts.0, parts.1, parts.2, settings.clone())
        };
        let services: Vec<Service> = stores.iter().map(service).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let tokens = runtime.block_on(async {
            for service in &services {
                service.prepare().await.expect("an empty store fits every schema");
            }
            let service = services.first().expect("a service");
            let directory = service.directory();
            let mut tokens = Vec::new();
            for tenant in TENANTS {
                let tenant = directory.create_tenant(tenant, "test").await.expect("a tenant");
                let connection = Connection::new(Idp::Generic);
                directory.create_connection(&tenant, connection, "test").await.expect("a connection");
                tokens.push(directory.create_token(&tenant, None, "test").await.expect("a token").token);
                if let Some(policy) = policy {
                    let rules = NewRules { policy: Some(Some(policy.to_owned())), ..NewRules::default() };
                    service.change_rules(tenant.as_str(), &rules, "test").await.expect("a policy");
                }
            }
            // It is made when it is first needed, and would depend on who needs it first.
            directory.secret("cursor").await.expect("a secret");
            for service in &services {
                service.directory().refresh().await.expect("a directory");
            }
            tokens
        });
        Self { name, registry, services, stores, environment, tokens, runtime, place: None }
    }

    /// Sends a request as step `number` of a conversation.
    pub(crate) fn send(&self, tenant: &str, number: u64, sent: &Sent) -> Answer {
        self.environment.begin(number);
        let token = TENANTS.iter().position(|known| *known == tenant).map(|index| &self.tokens[index]);
        let mut request = Request::builder()
            .method(sent.method)
            .uri(format!("/t/{tenant}/scim/v2{}", sent.path))
            .header("authorization", format!("Bearer {}", token.expect("a tenant")))
            .header("content-type", "application/scim+json");
        if let Some(tag) = &sent.if_match {
            request = request.header("if-match", tag);
        }
        let body = if sent.body.is_null() { Bytes::new() } else { Bytes::from(sent.body.to_string()) };
        let request = request.body(Full::new(body)).expect("a request");
        // Neither server has all of the turns, nor every other one.
        let service = &self.services[Random::new(!number).below(self.services.len())];
        self.runtime.block_on(async {
            let (head, body) = service.handle(request).await.into_parts();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
            let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
                (name.to_string(), text(value.as_bytes()))
            };
            let mut headers: Vec<_> = head.headers.iter().map(header).collect();
            headers.sort();
            let body = body.collect().await.expect("in memory").to_bytes();
            Answer { status: head.status.as_u16(), headers, body: text(&body) }
        })
    }

    /// All that is kept of a tenant beside its resources: changes, audit, persons and reports, one a line.
    fn logs(&self, tenant: &str) -> Vec<String> {
        let mut all = self.stores.iter().map(|store| self.logs_of(&**store, tenant));
        let first = all.next().expect("a store");
        all.for_each(|other| assert_eq!(first, other, "{}", self.name));
        first
    }

    fn logs_of(&self, store: &dyn Store, tenant: &str) -> Vec<String> {
        let tenant = Tenant::new(tenant).expect("a name");
        let (everything, none) = (100_000, None);
        let persons = PersonQuery::Page { after: none, count: everything };
        let reports = ReportQuery { after: 0, count: everything, settled: None, subject: None };
        self.runtime.block_on(async {
            let mut lines = Vec::new();
            let changes = store.changes(&tenant, 0, everything).await.expect("changes");
            lines.extend(changes.iter().map(|change| format!("{change:?}")));
            let audit = store.audit(&tenant, 0, everything).await.expect("audit");
            lines.extend(audit.iter().map(|entry| format!("{entry:?}")));
            let persons = store.persons(&tenant, &persons).await.expect("persons").persons;
            lines.extend(persons.iter().map(|person| format!("{person:?}")));
            let reports = store.reports(&tenant, &reports).await.expect("reports");
            lines.extend(reports.iter().map(|report| format!("{report:?}")));
            lines
        })
    }
}

/// Compares what two worlds keep of a tenant.
pub(crate) fn logs_alike(one: &World, other: &World, tenant: &str) {
    let (ones, others) = (one.logs(tenant), other.logs(tenant));
    for (a, b) in ones.iter().zip(&others) {
        assert_eq!(a, b, "{} and {}", one.name, other.name);
    }
    assert_eq!(ones.len(), others.len(), "{} and {}", one.name, other.name);
    assert!(!ones.is_empty(), "nothing was written");
}

/// Compares what all worlds keep of a tenant.
pub(crate) fn kept_alike(worlds: &[World], tenant: &str) {
    worlds.windows(2).for_each(|pair| logs_alike(&pair[0], &pair[1], tenant));
}
