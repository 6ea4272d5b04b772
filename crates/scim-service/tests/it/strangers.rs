//! What somebody without a token can learn from how much work an answer is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use scim_core::schema::Registry;
use scim_service::directory::{Connection, Idp};
use scim_service::{Service, Settings};
use scim_store::{Change, MemoryStore, Pending, Record, Store, Tenant, pass_on};

use crate::world::{Clockwork, now};

/// A store that counts how often it is asked.
#[derive(Default)]
struct Counted {
    inner: MemoryStore,
    reads: AtomicUsize,
}

impl Store for Counted {
    pass_on!(self => &self.inner; query, edges, crowded, persons, audit, reports, commit);

    fn get<'a>(&'a self, tenant: &'a Tenant, ids: &'a [&'a str]) -> Pending<'a, Vec<Option<Record>>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.get(tenant, ids)
    }

    fn changes<'a>(&'a self, tenant: &'a Tenant, after: u64, count: usize) -> Pending<'a, Vec<Change>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.changes(tenant, after, count)
    }
}

/// Looking something up takes longer than knowing it, in a database by a journey over the network.
#[test]
fn a_refusal_is_as_much_work_whether_there_is_the_tenant_or_not() {
    let store = Arc::new(Counted::default());
    let registry = Arc::new(Registry::builtin().expect("built in"));
    let settings = Settings::new("https://scim.example");
    let service = Service::new(store.clone(), registry, Arc::new(Clockwork::default()), settings);
    now(service.prepare()).expect("an empty store fits every schema");
    let directory = service.directory();
    now(directory.refresh()).expect("follows");
    let tokens = ["acme", "globex"].map(|name| {
        let tenant = now(directory.create_tenant(name, "test")).expect("created");
        now(directory.create_connection(&tenant, Connection::new(Idp::Okta), "test")).expect("connected");
        now(directory.create_token(&tenant, None, "test")).expect("drawn").token
    });
    now(directory.refresh()).expect("follows");
    let asked = |name: &str, credential: &str| {
        let before = store.reads.load(Ordering::Relaxed);
        let request = Request::get(format!("/t/{name}/scim/v2/Users")).header("authorization", credential);
        let answer = now(service.handle(request.body(Full::new(Bytes::new())).expect("a request")));
        (answer.status().as_u16(), store.reads.load(Ordering::Relaxed) - before)
    };
    // Both tenants and their tokens are known to the server from now on.
    for (name, token) in ["acme", "globex"].iter().zip(&tokens) {
        assert_eq!(asked(name, &format!("Bearer {token}")).0, 200);
    }
    let [acme, globex] = &tokens;
    let (head, _) = acme.rsplit_once('_').expect("a secret");
    let forged = format!("Bearer {head}_{}", "A".repeat(43));
    let unknown = format!("Bearer scim_abcd2345_{}", "A".repeat(43));
    for credential in ["Bearer nonsense", "nonsense", &forged, &unknown, &format!("Bearer {globex}"), globex]
    {
        let (there, nowhere) = (asked("acme", credential), asked("nobody", credential));
        assert_eq!((there.0, there), (401, nowhere), "{credential}");
    }
}
