//! What it is worth that writers share a transaction: users created a second by 1, 16 and 64 writers, against the same store
//! with one transaction for each changeset. All take turns, and the median ratio is printed. At last come users whose names
//! lie anywhere among those that are there, so that each row of an index goes to a page of its own.

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

/// Where the keys of new rows lie among those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Beside the last one's, mostly.
    InOrder,
    /// Anywhere.
    Scattered,
}

impl Keys {
    /// The number in the keys of what comes as `number`.
    pub(crate) fn of(self, number: u64) -> u64 {
        match self {
            Self::InOrder => number,
            Self::Scattered => scatter(number),
        }
    }
}

/// Measures a store whose transactions have one changeset each, and others that share them.
pub(crate) fn measure(alone: Box<dyn Store>, others: Vec<(&str, Box<dyn Store>)>) {
    let alone = Load::new(alone);
    let others: Vec<(&str, Load)> =
        others.into_iter().map(|(name, store)| (name, Load::new(store))).collect();
    println!("writers   one by one/s   others (users/s, median ratio of {ROUNDS})");
    let in_order = [1, 16, 64].map(|writers| (writers, Keys::InOrder));
    for (writers, keys) in in_order.into_iter().chain([16, 64].map(|writers| (writers, Keys::Scattered))) {
        let mut rounds: Vec<Vec<(f64, f64)>> = others.iter().map(|_| Vec::new()).collect();
        for _ in 0..ROUNDS {
            let one_by_one = alone.created(writers, keys);
            for (rounds, (_, other)) in rounds.iter_mut().zip(&others) {
                rounds.push((one_by_one, other.created(writers, keys)));
            }
        }
        print!("{writers:>7}");
        for (n, (rounds, (name, _))) in rounds.iter_mut().zip(&others).enumerate() {
            rounds.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
            let (one_by_one, together) = rounds[ROUNDS / 2];
            if n == 0 {
                print!(" {one_by_one:>14.0}");
            }
            print!("   {name} {together:.0} {:.1} ×", together / one_by_one);
        }
        println!("{}", if keys == Keys::Scattered { "   scattered" } else { "" });
    }
}

/// A store, and how many users it has been given.
struct Load {
    store: Box<dyn Store>,
    kind: Arc<ResourceType>,
    users: AtomicUsize,
    runtime: Runtime,
}

impl Load {
    fn new(store: Box<dyn Store>) -> Self {
        let registry = Registry::builder().and_then(|builder| builder.build()).expect("built in");
        let kind = Arc::clone(registry.resource_type("User").expect("a built-in type"));
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        Self { store, kind, users: AtomicUsize::new(0), runtime }
    }

    /// Users created a second by so many writers.
    fn created(&self, writers: usize, keys: Keys) -> f64 {
        let before = self.users.load(Ordering::Relaxed);
        let start = Instant::now();
        let writer = || async {
            while start.elapsed() < ROUND {
                self.create(keys).await;
            }
        };
        let all = futures_util::future::join_all((0..writers).map(|_| writer()));
        self.runtime.block_on(all);
        (self.users.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64()
    }

    async fn create(&self, keys: Keys) {
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        let id = format!("{number:032x}");
        let number = keys.of(number as u64);
        let document = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": format!("user{number}@example.com"), "externalId": format!("{number}"), "active": true,
            "name": { "givenName": "Ada", "familyName": format!("Lovelace{number}") },
            "emails": [{ "value": format!("user{number}@example.com"), "type": "work", "primary": true }],
        });
        let map = document.as_object().expect("an object");
        let operation = Operation::Create {
            id,
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

/// A number for each number, no two the same, in no order: the last steps of MurmurHash3.
fn scatter(mut number: u64) -> u64 {
    for factor in [0xff51_afd7_ed55_8ccd_u64, 0xc4ce_b9fe_1a85_ec53] {
        number ^= number >> 33;
        number = number.wrapping_mul(factor);
    }
    number ^ (number >> 33)
}
