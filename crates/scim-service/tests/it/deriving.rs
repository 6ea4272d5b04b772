//! Everybody is derived anew by other rules, in portions, and while others go on to write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use scim_core::schema::{Registry, USER};
use scim_core::time::Timestamp;
use scim_service::directory::{Connection, Idp};
use scim_service::{NewRules, Service, Settings};
use scim_store::{
    ChangeKind, Changeset, CommitError, Committed, Content, Guard, MemberDelta, MemoryStore, Operation, Page,
    Pending, Query, Store, Tenant, pass_on,
};
use serde_json::{Value, json};

use crate::world::{Clockwork, World, now};

/// More than are derived at once.
const MANY: usize = 520;

fn user(number: usize, work: &str, home: &str) -> Value {
    let emails = json!([{"type": "work", "value": work}, {"type": "home", "value": home}]);
    json!({"schemas": [USER], "userName": format!("user{number}"), "active": true, "emails": emails})
}

/// Each has the address at home that the next one has at work.
fn neighbour(number: usize) -> Value {
    let address = |number: usize| format!("user{}@example.com", number % MANY);
    user(number, &address(number), &address(number + 1))
}

/// Whose address it was is derived later, or before, in another portion.
#[test]
fn an_address_that_is_given_up_under_other_rules_goes_to_whoever_has_it_then() {
    let world = World::new(Idp::Entra);
    world.govern("[email]\nprefer = [\"work\"]\n");
    for number in 0..MANY {
        assert_eq!(world.request("POST", "/Users", &neighbour(number)).status.as_u16(), 201);
    }
    let other = "[email]\nprefer = [\"home\"]\n";
    assert_eq!(world.compare(other).refused, []);
    assert_eq!(world.govern(other), [""; 0], "nobody is against what the dry run has nobody against");
    for number in [0, 1, 499, 500, 501, MANY - 1] {
        let taken = format!("user{number}@example.com");
        let answer = world.request("POST", "/Users", &user(MANY, "ada@example.com", &taken));
        assert_eq!(answer.status.as_u16(), 400, "{taken}: {}", answer.body);
    }
}

/// A store that changes somebody on each page of more than a few Users.
#[derive(Default)]
struct Busy {
    inner: MemoryStore,
    pages: AtomicUsize,
    /// The latest rules that a write was planned under.
    rules: AtomicU64,
}

impl Store for Busy {
    pass_on!(self => &self.inner; get, edges, crowded, persons, changes, audit, reports);

    fn commit<'a>(&'a self, tenant: &'a Tenant, changeset: Changeset) -> Pending<'a, Committed, CommitError> {
        self.rules.fetch_max(changeset.epoch, Ordering::Relaxed);
        self.inner.commit(tenant, changeset)
    }

    fn query<'a>(&'a self, tenant: &'a Tenant, query: &'a Query) -> Pending<'a, Page> {
        Box::pin(async move {
            let page = self.inner.query(tenant, query).await?;
            if let Some(record) = page.records.get(20) {
                assert!(self.pages.fetch_add(1, Ordering::Relaxed) < 100, "it would go on for ever");
                let mut document: Value = serde_json::from_slice(&record.body).expect("JSON");
                document["title"] = json!(record.version.to_string());
                let content = Content {
                    label: String::new(),
                    body: document.to_string().into(),
                    unique: Vec::new(),
                    index: Vec::new(),
                    hidden: Vec::new(),
                    person: None,
                };
                let changed = Operation::Replace {
                    id: record.id.clone(),
                    resource_type: Arc::clone(&record.resource_type),
                    guard: Guard::Exists,
                    content: Some(content),
                    members: MemberDelta::default(),
                    kind: ChangeKind::Modified,
                };
                // By whatever rules there are.
                let epoch = self.rules.load(Ordering::Relaxed);
                let changeset =
                    Changeset { operations: vec![changed], epoch, ..Changeset::new(Timestamp(0)) };
                self.inner.commit(tenant, changeset).await.expect("it is there");
            }
            Ok(page)
        })
    }
}

/// Whoever is busy all day could keep other rules from ever being put in force.
#[test]
fn a_tenant_that_is_written_to_all_the_time_gets_other_rules() {
    let store = Arc::new(Busy::default());
    let registry = Arc::new(Registry::builtin().expect("built in"));
    let settings = Settings::new("https://scim.example");
    let service = Service::new(store.clone(), registry, Arc::new(Clockwork::default()), settings);
    let persons = now(async {
        service.prepare().await?;
        let directory = service.directory();
        let tenant = directory.create_tenant("acme", "test").await?;
        directory.create_connection(&tenant, Connection::new(Idp::Entra), "test").await?;
        let token = directory.create_token(&tenant, None, "test").await?.token;
        for number in 0..200 {
            let request = Request::post("/t/acme/scim/v2/Users")
                .header("authorization", format!("Bearer {token}"))
                .header("content-type", "application/scim+json")
                .body(Full::new(Bytes::from(neighbour(number).to_string())));
            assert_eq!(service.handle(request.expect("a request")).await.status().as_u16(), 201);
        }
        let policy = Some(Some("[email]\nprefer = [\"home\"]\n".to_owned()));
        service.change_rules("acme", &NewRules { policy, ..NewRules::default() }, "test").await
    });
    assert_eq!(persons.expect("in force").users, 200);
}
