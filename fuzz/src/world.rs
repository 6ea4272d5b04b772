//! A service over the in-memory store, with a tenant for each kind of identity provider.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, response};
use http_body_util::{BodyExt, Full};
use scim_core::schema::{GROUP, USER};
use scim_core::time::Timestamp;
use scim_service::directory::{Connection, Idp};
use scim_service::environment::Environment;
use scim_service::{Service, Settings};
use scim_store::{MemoryStore, Tenant};
use serde_json::{Value, json};

use crate::REGISTRY;

/// A clock that goes on by a millisecond a look, and numbers that only look random.
struct Clockwork {
    clock: AtomicI64,
    random: AtomicU64,
}

impl Environment for Clockwork {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.fetch_add(1, Ordering::Relaxed))
    }

    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let mixed = self.random.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            *byte = ((mixed ^ (mixed >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 56) as u8;
        }
    }
}

/// The service and its tenants.
pub struct World {
    service: Service,
    /// One for each kind of identity provider.
    pub tenants: Vec<Peer>,
}

/// A tenant, as its identity provider knows it.
pub struct Peer {
    /// The name in the base URL.
    pub name: &'static str,
    /// A token that is valid.
    pub token: String,
    /// Identifiers of two users.
    pub users: [String; 2],
    /// Identifier of a group that has the first user.
    pub group: String,
}

/// The memory store never waits, so that one poll is enough.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the store waits"),
    }
}

impl World {
    /// A new world. It is always the same one.
    pub fn new() -> Self {
        let mut settings = Settings::new("https://scim.example");
        settings.requests_per_second = 1_000_000;
        let environment = Clockwork { clock: AtomicI64::new(1_700_000_000_000), random: AtomicU64::new(1) };
        let store = Arc::new(MemoryStore::new());
        let service = Service::new(store, Arc::clone(&REGISTRY), Arc::new(environment), settings);
        let mut world = Self { service, tenants: Vec::new() };
        for (name, idp) in [("entra", Idp::Entra), ("okta", Idp::Okta), ("generic", Idp::Generic)] {
            let peer = world.peer(name, idp);
            world.tenants.push(peer);
        }
        world
    }

    fn peer(&self, name: &'static str, idp: Idp) -> Peer {
        let token = now(async {
            let directory = self.service.directory();
            let tenant: Tenant = directory.create_tenant(name, "fuzz").await?;
            let connection = Connection::new(idp);
            directory.create_connection(&tenant, connection, "fuzz").await?;
            directory.create_token(&tenant, None, "fuzz").await
        });
        let token = token.expect("a token").token;
        let create = |path: &str, body: Value| {
            let request = Request::post(format!("/t/{name}/scim/v2{path}"))
                .header("authorization", format!("Bearer {token}"))
                .header("content-type", "application/scim+json")
                .body(Full::new(Bytes::from(body.to_string())));
            let (head, body) = self.send(request.expect("a request"));
            assert_eq!(head.status.as_u16(), 201);
            let body: Value = serde_json::from_slice(&body).expect("JSON");
            body.get("id").and_then(Value::as_str).expect("an id").to_owned()
        };
        let email = json!([{"value": "ada@x.org", "type": "work", "primary": true}]);
        let users = [
            create("/Users", json!({"schemas": [USER], "userName": "ada", "emails": email})),
            create("/Users", json!({"schemas": [USER], "userName": "bob", "active": true})),
        ];
        let members = json!([{"value": users[0]}]);
        let group = create("/Groups", json!({"schemas": [GROUP], "displayName": "Crew", "members": members}));
        Peer { name, token, users, group }
    }

    /// Sends a request, and reads the answer whole.
    pub fn send(&self, request: Request<Full<Bytes>>) -> (response::Parts, Bytes) {
        let (head, body) = now(self.service.handle(request)).into_parts();
        let body = now(body.collect()).expect("in memory").to_bytes();
        (head, body)
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
