//! What it is worth that writers share a transaction: users created a second by 1, 16 and 64 writers, against the same store
//! with one transaction for each changeset. Both take turns, and the median ratio is printed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use scim_core::schema::{Registry, ResourceType};
use scim_core::time::Timestamp;
use scim_store::conformance::content;
use scim_store::{AuditEntry, Changeset, MemberDelta, Operation, Store, Tenant};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);

/// Measures one store whose transactions have one changeset each, and one that shares them.
pub(crate) fn measure(alone: impl Store, shared: impl Store) {
    let (alone, shared) = (Load::new(alone), Load::new(shared));
    println!("writers   one by one/s   shared/s   ratio (median of {ROUNDS})");
    for writers in [1, 16, 64] {
        let mut rounds: Vec<(f64, f64)> =
            (0..ROUNDS).map(|_| (alone.created(writers), shared.created(writers))).collect();
        rounds.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
        let (one_by_one, together) = rounds[ROUNDS / 2];
        println!("{writers:>7} {one_by_one:>14.0} {together:>10.0} {:>7.1}", together / one_by_one);
    }
}

/// A store, and how many users it has been given.
struct Load<S> {
    store: S,
    kind: Arc<ResourceType>,
    users: AtomicUsize,
    runtime: Runtime,
}

impl<S: Store> Load<S> {
    fn new(store: S) -> Self {
        let registry = Registry::builder().and_then(|builder| builder.build()).expect("built in");
        let kind = Arc::clone(registry.resource_type("User").expect("a built-in type"));
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        Self { store, kind, users: AtomicUsize::new(0), runtime }
    }

    /// Users created a second by so many writers.
    fn created(&self, writers: usize) -> f64 {
        let before = self.users.load(Ordering::Relaxed);
        let start = Instant::now();
        let writer = || async {
            while start.elapsed() < ROUND {
                self.create().await;
            }
        };
        let all = futures_util::future::join_all((0..writers).map(|_| writer()));
        self.runtime.block_on(all);
        (self.users.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64()
    }

    async fn create(&self) {
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        let document = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": format!("user{number}@example.com"), "externalId": format!("{number}"), "active": true,
            "name": { "givenName": "Ada", "familyName": format!("Lovelace{number}") },
            "emails": [{ "value": format!("user{number}@example.com"), "type": "work", "primary": true }],
        });
        let map = document.as_object().expect("an object");
        let operation = Operation::Create {
            id: format!("{number:032x}"),
            resource_type: "User".into(),
            content: content(&self.kind, map),
            members: MemberDelta::default(),
        };
        let audit = AuditEntry {
            actor: "bench".to_owned(),
            request: "bench".to_owned(),
            action: "create".to_owned(),
            status: 201,
            detail: String::new(),
        };
        let changeset =
            Changeset { operations: vec![operation], audit: Some(audit), ..Changeset::new(Timestamp(0)) };
        let tenant = Tenant::new("acme").expect("a name");
        self.store.commit(&tenant, changeset).await.expect("created");
    }
}
