//! A service with one tenant, and requests to it in one line.

mod told;

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use scim_core::key::Key;
use scim_core::schema::Registry;
use scim_core::time::Timestamp;
use scim_service::directory::{Connection, Idp};
use scim_service::environment::Environment;
use scim_service::{
    Changed, Comparison, GenderWords, Headers, Import, ImportedRow, NewRules, Outcome, Replayed, Service,
    Settings,
};
use scim_store::persons::{Mark, PersonChanges};
use scim_store::{
    ChangeKind, Changeset, Content, Guard, Hidden, IndexEntry, MemberDelta, MemoryStore, Operation,
    PersonQuery, PersonRecord, Store, Tenant, UniqueKey,
};
use serde_json::Value;

/// A clock that goes on by a millisecond a look, and numbers that only look random.
#[derive(Default)]
pub(crate) struct Clockwork {
    clock: AtomicI64,
    random: AtomicU64,
    pauses: AtomicUsize,
    /// What happens at a look at the clock, and how many looks come before it.
    interruption: Mutex<Option<(usize, Interruption)>>,
}

type Interruption = Box<dyn FnOnce() + Send>;

impl Environment for Clockwork {
    fn now(&self) -> Timestamp {
        let due =
            self.interruption.lock().expect("no panic").take_if(|(looks, _)| match looks.checked_sub(1) {
                Some(left) => {
                    *looks = left;
                    false
                }
                None => true,
            });
        if let Some((_, interruption)) = due {
            interruption();
        }
        Timestamp(self.clock.fetch_add(1, Ordering::Relaxed))
    }

    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let mixed = self.random.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            *byte = ((mixed ^ (mixed >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 56) as u8;
        }
    }

    fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.pauses.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
}

/// A service, a tenant with a connection, and a token.
pub(crate) struct World {
    service: Arc<Service>,
    token: String,
    store: Arc<MemoryStore>,
    environment: Arc<Clockwork>,
}

/// An answer with its body read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) head: http::response::Parts,
    pub(crate) body: Value,
}

impl Answer {
    /// A header's text, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The `id` of the resource in the body.
    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_default().to_owned()
    }
}

/// The memory store never waits, so that one poll is enough.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store waits"),
    }
}

/// The outcome of a row in a word, or the refusal.
fn said_of(row: &ImportedRow) -> String {
    match &row.outcome {
        Outcome::Created => "created".to_owned(),
        Outcome::Updated => "updated".to_owned(),
        Outcome::Unchanged => "unchanged".to_owned(),
        Outcome::Refused(error) => error.detail(),
    }
}

impl World {
    pub(crate) fn new(idp: Idp) -> Self {
        Self::with(idp, |_| {})
    }

    pub(crate) fn with(idp: Idp, adjust: impl FnOnce(&mut Settings)) -> Self {
        Self::of(idp, Registry::builtin().expect("built in"), adjust)
    }

    pub(crate) fn of(idp: Idp, registry: Registry, adjust: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new("https://scim.example");
        adjust(&mut settings);
        let environment =
            Arc::new(Clockwork { clock: AtomicI64::new(1_700_000_000_000), ..Clockwork::default() });
        let registry = Arc::new(registry);
        let store = Arc::new(MemoryStore::new());
        let parts = (Arc::clone(&store), Arc::clone(&environment));
        let service = Arc::new(Service::new(parts.0, registry, parts.1, settings));
        now(service.prepare()).expect("an empty store fits every schema");
        let token = now(async {
            let directory = service.directory();
            let tenant: Tenant = directory.create_tenant("acme", "test").await?;
            let connection = Connection::new(idp);
            directory.create_connection(&tenant, connection, "test").await?;
            directory.create_token(&tenant, None, "test").await
        });
        Self { service, token: token.expect("a token").token, store, environment }
    }

    /// The same tenant with a connection of another kind.
    pub(crate) fn reconnected(self, idp: Idp) -> Self {
        self.connected(Connection::new(idp))
    }

    /// The same tenant with another connection.
    pub(crate) fn connected(self, connection: Connection) -> Self {
        let tenant = Tenant::new("acme").expect("a name");
        now(async {
            let directory = self.service.directory();
            directory.remove_connection(&tenant, "test").await?;
            directory.create_connection(&tenant, connection, "test").await
        })
        .expect("another connection");
        self
    }

    /// The same tenant without a connection.
    pub(crate) fn disconnected(self) -> Self {
        self.remove_connection();
        self
    }

    /// Begins an import.
    pub(crate) fn begin_import(&self, headers: &Headers) -> scim_core::Result<Import<'_>> {
        now(self.service.import("acme", headers, "test"))
    }

    /// What would become of rows; the first is in line 2.
    pub(crate) fn rehearsed(&self, headers: &Headers, rows: &[&[&str]]) -> Vec<String> {
        let mut import = self.begin_import(headers).expect("columns");
        let numbered = rows.iter().zip(2..);
        numbered
            .map(|(cells, line)| said_of(&now(import.rehearse(line, cells, false)).expect("in memory")))
            .collect()
    }

    /// What becomes of rows.
    pub(crate) fn imported(&self, headers: &Headers, rows: &[&[&str]]) -> Vec<String> {
        let import = self.begin_import(headers).expect("columns");
        rows.iter().map(|cells| said_of(&now(import.write(cells)).expect("in memory"))).collect()
    }

    /// The words for genders.
    pub(crate) fn genders(&self) -> GenderWords {
        now(self.service.gender_words("acme")).expect("in memory")
    }

    /// A resource as it is stored.
    pub(crate) fn stored(&self, id: &str) -> Value {
        let tenant = Tenant::new("acme").expect("a name");
        let records = now(self.store.get(&tenant, &[id])).expect("in memory");
        let record = records.into_iter().flatten().next().expect("it is there");
        serde_json::from_slice(&record.body).expect("JSON")
    }

    /// Whether this, or nothing, is what is kept of a User under a path and never given back: to write it again is no change.
    pub(crate) fn keeps(&self, id: &str, path: &str, value: Option<&str>) -> bool {
        let tenant = Tenant::new("acme").expect("a name");
        let records = now(self.store.get(&tenant, &[id])).expect("in memory");
        let record = records.into_iter().flatten().next().expect("it is there");
        let person = self.persons().into_iter().find(|person| person.id == id).map(|person| person.derived);
        let hidden = vec![Hidden { path: path.into(), value: value.map(str::to_owned) }];
        let (label, body) = (record.label, record.body);
        let same = Operation::Replace {
            id: id.to_owned(),
            resource_type: record.resource_type,
            guard: Guard::Exists,
            content: Some(Content { label, body, unique: Vec::new(), index: Vec::new(), hidden, person }),
            members: MemberDelta::default(),
            kind: ChangeKind::Modified,
        };
        let changeset = Changeset { operations: vec![same], ..Changeset::new(Timestamp(0)) };
        !now(self.store.commit(&tenant, changeset)).expect("no conflict").applied[0].changed
    }

    /// How many changes there were, and how many audit entries.
    pub(crate) fn trace(&self) -> (usize, usize) {
        let tenant = Tenant::new("acme").expect("a name");
        let changes = now(self.store.changes(&tenant, 0, 10_000)).expect("in memory").len();
        (changes, now(self.store.audit(&tenant, 0, 10_000)).expect("in memory").len())
    }

    /// The same store under other schemas, and what preparing it said.
    pub(crate) fn restarted(self, registry: Registry) -> (Self, scim_core::Result<()>) {
        let world = self.beside(registry);
        let prepared = now(world.service.prepare());
        (world, prepared)
    }

    /// Prepares another service on the same store, which clients reach under this URL.
    pub(crate) fn below(&self, base_url: &str) -> scim_core::Result<()> {
        let parts = (Arc::clone(&self.store), Arc::clone(&self.environment));
        let registry = Arc::new(Registry::builtin().expect("built in"));
        now(Service::new(parts.0, registry, parts.1, Settings::new(base_url)).prepare())
    }

    /// Another service on the same store, which was not prepared.
    pub(crate) fn beside(&self, registry: Registry) -> Self {
        let parts = (Arc::clone(&self.store), Arc::clone(&self.environment));
        let settings = Settings::new("https://scim.example");
        let service = Arc::new(Service::new(parts.0, Arc::new(registry), parts.1, settings));
        let (store, environment) = (Arc::clone(&self.store), Arc::clone(&self.environment));
        Self { service, token: self.token.clone(), store, environment }
    }

    /// Puts the store in the state that the first version would have left it in: the User's `userName` under this key, and
    /// no record of how keys are folded.
    pub(crate) fn as_of_first_folding(&self, id: &str, user_name: &str) {
        let path: Arc<str> = "userName".into();
        let user = Operation::Rederive {
            id: id.to_owned(),
            resource_type: "User".into(),
            guard: Guard::Exists,
            unique: vec![UniqueKey { path: Arc::clone(&path), value: user_name.to_owned() }],
            index: vec![IndexEntry { path, key: Key::text(user_name), leading: true }],
            person: None,
        };
        let record = Operation::Delete {
            id: "Index/User".to_owned(),
            resource_type: "Index".into(),
            guard: Guard::Exists,
        };
        let changeset = |operation| Changeset { operations: vec![operation], ..Changeset::new(Timestamp(0)) };
        now(async {
            self.store
                .commit(&Tenant::new("acme").expect("a name"), changeset(user))
                .await
                .expect("the user");
            self.store.commit(&Tenant::system(), changeset(record)).await.expect("the record");
        });
    }

    /// Prepares the service.
    pub(crate) fn prepare(&self) -> scim_core::Result<()> {
        now(self.service.prepare())
    }

    /// Whether the service serves.
    pub(crate) fn is_current(&self) -> bool {
        now(self.service.is_current()).expect("in memory")
    }

    /// Changes what the directory remembers of a type: by what its resources were derived.
    pub(crate) fn remember_otherwise(&self, resource_type: &str, change: impl FnOnce(&mut Value)) {
        let id = format!("Index/{resource_type}");
        let mut records = now(self.store.get(&Tenant::system(), &[&id])).expect("in memory");
        let record = records.pop().flatten().expect("a service was prepared");
        let mut body = serde_json::from_slice(&record.body).expect("JSON");
        change(&mut body);
        let content = Content {
            label: record.label,
            body: body.to_string().into(),
            unique: Vec::new(),
            index: Vec::new(),
            hidden: Vec::new(),
            person: None,
        };
        let replace = Operation::Replace {
            id,
            resource_type: record.resource_type,
            guard: Guard::Exists,
            kind: ChangeKind::Modified,
            content: Some(content),
            members: MemberDelta::default(),
        };
        let changeset = Changeset { operations: vec![replace], ..Changeset::new(Timestamp(0)) };
        now(self.store.commit(&Tenant::system(), changeset)).expect("in memory");
    }

    /// The tenant's token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Sends a request as it is.
    pub(crate) fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let response: Response<Full<Bytes>> = now(self.service.handle(request));
        let (head, body) = response.into_parts();
        let bytes = now(body.collect()).expect("in memory").to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
        Answer { status: head.status, head, body }
    }

    /// Sends an authenticated request whose body is not done before the tenant's tokens are revoked.
    pub(crate) fn revoked_meanwhile(&self, method: &str, path: &str, body: &Value) -> StatusCode {
        let (head, body) = self.written(method, path, body, &[]).into_parts();
        let (service, tenant) = (Arc::clone(&self.service), Tenant::new("acme").expect("a name"));
        let body = body.map_frame(move |frame| {
            let directory = service.directory();
            for token in now(directory.tokens(&tenant)).expect("the store answers") {
                now(directory.revoke_token(&token.id, "test")).expect("it is there");
            }
            frame
        });
        now(self.service.handle(Request::from_parts(head, body))).status()
    }

    /// Sends an authenticated request whose body is not done before the connection was replaced by one without groups.
    pub(crate) fn without_groups_meanwhile(&self, method: &str, path: &str, body: &Value) -> StatusCode {
        let (head, body) = self.written(method, path, body, &[]).into_parts();
        let (service, tenant) = (Arc::clone(&self.service), Tenant::new("acme").expect("a name"));
        let body = body.map_frame(move |frame| {
            let directory = service.directory();
            now(directory.remove_connection(&tenant, "test")).expect("it has one");
            let users_only = Connection { groups: false, ..Connection::new(Idp::Generic) };
            now(directory.create_connection(&tenant, users_only, "test")).expect("it has none");
            frame
        });
        now(self.service.handle(Request::from_parts(head, body))).status()
    }

    /// Sends an authenticated request with more headers.
    pub(crate) fn with_headers(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.send(self.written(method, path, body, headers))
    }

    fn written(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/t/acme/scim/v2{path}"))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/scim+json; charset=utf-8");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        request.body(Full::new(bytes)).expect("a request")
    }

    /// Sends a request once the service looks at the clock again, after so many looks.
    pub(crate) fn interrupt(&self, looks: usize, method: &str, path: &str, body: &Value) {
        let (service, request) = (Arc::clone(&self.service), self.written(method, path, body, &[]));
        let interruption = move || {
            let answer = now(service.handle(request));
            assert!(answer.status().is_success(), "{}", answer.status());
        };
        *self.environment.interruption.lock().expect("no panic") = Some((looks, Box::new(interruption)));
    }

    /// Sends a request once this or another service looks at the clock again, after so many looks, whatever becomes of it.
    pub(crate) fn interrupt_anyhow(&self, looks: usize, method: &str, path: &str, body: &Value) {
        let (service, request) = (Arc::clone(&self.service), self.written(method, path, body, &[]));
        let interruption = move || drop(now(service.handle(request)));
        *self.environment.interruption.lock().expect("no panic") = Some((looks, Box::new(interruption)));
    }

    /// Puts a policy in force once the service looks at the clock again, after so many looks.
    pub(crate) fn interrupt_by(&self, looks: usize, policy: &str) {
        let (service, rules) = (Arc::clone(&self.service), rules(policy));
        let interruption = move || drop(now(service.change_rules("acme", &rules, "test")).expect("a policy"));
        *self.environment.interruption.lock().expect("no panic") = Some((looks, Box::new(interruption)));
    }

    /// Has another process delete the tenant and make one of the same name, with a connection, once the service looks at the
    /// clock again, after so many looks. Gives how many users there are by then.
    pub(crate) fn interrupt_by_another_tenant(&self, looks: usize) -> Arc<AtomicUsize> {
        let other = self.beside(Registry::builtin().expect("built in"));
        let users = Arc::new(AtomicUsize::default());
        let counted = Arc::clone(&users);
        let interruption = move || {
            counted.store(other.persons().len(), Ordering::Relaxed);
            let tenant = Tenant::new("acme").expect("a name");
            now(async {
                let directory = other.service.directory();
                directory.remove_connection(&tenant, "test").await?;
                directory.delete_tenant(&tenant, "test", String::new()).await?;
                directory.finish_deletion(&tenant, "test").await?;
                directory.create_tenant("acme", "test").await?;
                directory.create_connection(&tenant, Connection::new(Idp::Generic), "test").await
            })
            .expect("another tenant");
        };
        *self.environment.interruption.lock().expect("no panic") = Some((looks, Box::new(interruption)));
        users
    }

    /// Has another process put a policy in force, that ends once it looks at the clock again, after so many looks. Says
    /// whether it ended so.
    pub(crate) fn change_ended(&self, looks: usize, policy: &str) -> bool {
        self.ended(looks, |other| drop(now(other.service.change_rules("acme", &rules(policy), "test"))))
    }

    /// Has another process do something, as [`Self::change_ended`] does.
    pub(crate) fn ended(&self, looks: usize, work: impl Fn(&Self)) -> bool {
        let other = self.beside(Registry::builtin().expect("built in"));
        let ended: Interruption = Box::new(|| std::panic::resume_unwind(Box::new("ended")));
        *self.environment.interruption.lock().expect("no panic") = Some((looks, ended));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&other)));
        *self.environment.interruption.lock().expect("no panic") = None;
        outcome.is_err()
    }

    /// Lets time go by.
    pub(crate) fn pass(&self, seconds: i64) {
        self.environment.clock.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    /// Finishes what others began.
    pub(crate) fn finish_rules(&self) {
        now(self.service.finish_rules()).expect("in memory");
    }

    /// Whether whatever is kept of people follows from their rules, as far as the directory knows.
    pub(crate) fn is_finished(&self) -> bool {
        now(self.store.get(&Tenant::system(), &["Unfinished/acme"])).expect("in memory") == [None]
    }

    /// Whether everything that was to interrupt has done so.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.environment.interruption.lock().expect("no panic").is_none()
    }

    /// Sends an authenticated request.
    pub(crate) fn request(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.with_headers(method, path, body, &[])
    }

    /// Reads.
    /// How often others have had their turn.
    pub(crate) fn pauses(&self) -> usize {
        self.environment.pauses.load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &Value::Null)
    }

    /// Creates a user of this name, which is shown too, and gives its identifier.
    pub(crate) fn user(&self, name: &str) -> String {
        let body =
            serde_json::json!({"schemas": [scim_core::schema::USER], "userName": name, "displayName": name});
        let answer = self.request("POST", "/Users", &body);
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.id()
    }

    /// Creates a group of this name with these members and gives its identifier.
    pub(crate) fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| serde_json::json!({"value": id})).collect();
        let body = serde_json::json!({"schemas": [scim_core::schema::GROUP], "displayName": name, "members": members});
        let answer = self.request("POST", "/Groups", &body);
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.id()
    }

    /// Puts a policy in force, and gives the stored Users that are against it.
    pub(crate) fn govern(&self, policy: &str) -> Vec<String> {
        self.change(policy).against.into_iter().map(|(id, _)| id).collect()
    }

    /// Puts a policy in force.
    pub(crate) fn change(&self, policy: &str) -> Changed {
        now(self.service.change_rules("acme", &rules(policy), "test")).expect("a policy")
    }

    /// Gives the tenant other rules, or says why not.
    pub(crate) fn try_change(&self, rules: &NewRules) -> scim_core::Result<Changed> {
        now(self.service.change_rules("acme", rules, "test"))
    }

    /// What a policy would mean.
    pub(crate) fn compare(&self, policy: &str) -> Comparison {
        now(self.service.compare_rules("acme", &rules(policy))).expect("a policy")
    }

    /// Carries out again what was refused, and says how often that succeeded.
    pub(crate) fn replay(&self) -> usize {
        self.replayed().iter().filter(|replayed| replayed.refusal.is_none()).count()
    }

    /// Carries out again what was refused.
    pub(crate) fn replayed(&self) -> Vec<Replayed> {
        self.try_replay().expect("the store answers")
    }

    /// Begins to follow what others change in the directory, and to believe until then what it has read.
    pub(crate) fn follow(&self) {
        now(self.service.directory().refresh()).expect("in memory");
    }

    /// Carries out again what was refused, or says why not.
    pub(crate) fn try_replay(&self) -> scim_core::Result<Vec<Replayed>> {
        now(self.service.replay("acme", "replayer"))
    }

    /// How many changes of the directory are recorded.
    pub(crate) fn directory_audit(&self) -> usize {
        now(self.store.audit(&Tenant::system(), 0, 10_000)).expect("in memory").len()
    }

    /// Ends the tenant's connection.
    pub(crate) fn remove_connection(&self) {
        let tenant = Tenant::new("acme").expect("a name");
        now(self.service.directory().remove_connection(&tenant, "test")).expect("it has one");
    }

    /// Replaces the connection once the service looks at the clock again, after so many looks.
    pub(crate) fn interrupt_by_reconnecting(&self, looks: usize, idp: Idp) {
        let (service, tenant) = (Arc::clone(&self.service), Tenant::new("acme").expect("a name"));
        let interruption = move || {
            let directory = service.directory();
            now(directory.remove_connection(&tenant, "test")).expect("it has one");
            now(directory.create_connection(&tenant, Connection::new(idp), "test")).expect("it has none");
        };
        *self.environment.interruption.lock().expect("no panic") = Some((looks, Box::new(interruption)));
    }

    /// Pauses the tenant's connection and resumes it once a service looks at the clock again, after so many looks.
    pub(crate) fn interrupt_by_pausing(&self, looks: usize) {
        let (service, tenant) = (Arc::clone(&self.service), Tenant::new("acme").expect("a name"));
        let interruption = move || {
            for paused in [true, false] {
                now(service.directory().pause_connection(&tenant, paused, "test")).expect("it has one");
            }
        };
        *self.environment.interruption.lock().expect("no panic") = Some((looks, Box::new(interruption)));
    }

    /// Has the requests of the tenant refused, or says why not.
    pub(crate) fn try_pause(&self) -> scim_core::Result<()> {
        let tenant = Tenant::new("acme").expect("a name");
        now(self.service.directory().pause_connection(&tenant, true, "test"))
    }

    /// The kind of the tenant's connection.
    pub(crate) fn idp(&self) -> Option<Idp> {
        let entry = now(self.service.directory().tenant("acme")).expect("in memory").expect("a tenant");
        entry.connection.as_ref().map(|connection| connection.idp)
    }

    /// Has the requests of the tenant refused.
    pub(crate) fn pause_connection(&self) {
        self.try_pause().expect("a connection");
    }

    /// Lets them in again.
    pub(crate) fn resume_connection(&self) {
        let tenant = Tenant::new("acme").expect("a name");
        now(self.service.directory().pause_connection(&tenant, false, "test")).expect("a connection");
    }

    /// Has the requests of the tenant refused from now on.
    pub(crate) fn pause(&self) -> scim_core::Error {
        self.pause_connection();
        now(self.service.replay("acme", "test")).expect_err("the connection is paused")
    }

    /// The persons, by identifier.
    pub(crate) fn persons(&self) -> Vec<PersonRecord> {
        let tenant = Tenant::new("acme").expect("a name");
        let query = PersonQuery::Page { after: None, count: 1000 };
        now(self.store.persons(&tenant, &query)).expect("in memory").persons
    }

    /// What became of persons after a place in the change log.
    pub(crate) fn followed(&self, mark: &Mark, count: usize) -> PersonChanges {
        let tenant = Tenant::new("acme").expect("a name");
        now(scim_store::persons::changes(&*self.store, &tenant, mark, count)).expect("in memory")
    }

    /// Sends a PATCH.
    pub(crate) fn patch(&self, path: &str, operations: &Value) -> Answer {
        let body = serde_json::json!({"schemas": [scim_core::patch::MESSAGE], "Operations": operations});
        self.request("PATCH", path, &body)
    }
}

fn rules(policy: &str) -> NewRules {
    NewRules { policy: Some(Some(policy.to_owned())), ..NewRules::default() }
}
