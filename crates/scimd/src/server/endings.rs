//! Tokens that are about to end. Whoever operates the server is told while there is time to replace them: by the log once a
//! day for each token, by a metric all the time. Nothing is done about them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use scim_core::time::Timestamp;
use scim_service::directory::TokenEntry;
use scim_service::environment::Environment;
use tokio::time::sleep;

use super::exchange::Exchange;
use crate::environment::System;

/// How often it is looked which there are.
const PAUSE: Duration = Duration::from_secs(600);
/// How long nothing more is said of a token, in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Looks for them as long as the server runs.
pub(super) async fn watch(exchange: Arc<Exchange>) {
    let mut told = Told::default();
    loop {
        match exchange.service.directory().ending_tokens().await {
            Ok(ending) => {
                exchange.metrics.ending(ending.len());
                told.due(&ending, System.now()).for_each(tell);
            }
            Err(error) => {
                tracing::error!(
                    error = format!("{error:#}"),
                    "cannot look which tokens end soon; tries again in ten minutes"
                )
            }
        }
        sleep(PAUSE).await;
    }
}

fn tell(entry: &TokenEntry) {
    let ends = entry.expires.map(|end| end.to_string()).unwrap_or_default();
    tracing::warn!(
        tenant = entry.tenant.as_str(),
        token = entry.id,
        ends,
        "a token ends soon: create another, give it to the identity provider, and revoke this one"
    );
}

/// When the log was told of each.
#[derive(Default)]
struct Told(HashMap<String, Timestamp>);

impl Told {
    /// Those of which the log is to be told now. A clock that was set back tells them again.
    fn due<'a>(&mut self, ending: &'a [TokenEntry], now: Timestamp) -> impl Iterator<Item = &'a TokenEntry> {
        let is_recent = |at: Timestamp| (0..DAY).contains(&now.0.saturating_sub(at.0));
        let mut before = std::mem::take(&mut self.0);
        let mut due = Vec::new();
        for entry in ending {
            let at = before.remove(&entry.id).filter(|at| is_recent(*at)).unwrap_or_else(|| {
                due.push(entry);
                now
            });
            self.0.insert(entry.id.clone(), at);
        }
        due.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

    use scim_service::directory::Directory;
    use scim_store::MemoryStore;
    use scim_store::conformance::wait;

    use super::*;

    /// A clock that is set by hand.
    struct Clock(AtomicI64, AtomicU64);

    impl Environment for Clock {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }

        fn fill(&self, bytes: &mut [u8]) {
            let next = || self.1.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            bytes.iter_mut().for_each(|byte| *byte = (next() >> 56) as u8);
        }
    }

    #[test]
    fn each_is_told_of_once_a_day_from_two_weeks_before_its_end() {
        let clock = Arc::new(Clock(AtomicI64::new(1_000_000), AtomicU64::new(0)));
        let directory = Directory::new(Arc::new(MemoryStore::new()), Arc::clone(&clock) as _);
        let acme = wait(directory.create_tenant("acme", "test")).expect("created");
        let days = |days: i64| Timestamp(1_000_000 + days * DAY);
        let token = |end: Option<Timestamp>| {
            wait(directory.create_token(&acme, end, "test")).expect("created").entry.id
        };
        let (first, second) = (token(Some(days(16))), token(Some(days(15))));
        token(None);
        let mut told = Told::default();
        let mut at = |moment: Timestamp| {
            clock.0.store(moment.0, Ordering::Relaxed);
            let ending = wait(directory.ending_tokens()).expect("reads");
            let due: Vec<String> = told.due(&ending, moment).map(|entry| entry.id.clone()).collect();
            (ending.len(), due)
        };
        let later = |moment: Timestamp, millis: i64| Timestamp(moment.0 + millis);
        assert_eq!(at(later(days(1), -1)), (0, vec![]));
        assert_eq!(at(days(1)), (1, vec![second.clone()]));
        assert_eq!(at(later(days(2), -1)), (1, vec![]));
        assert_eq!(at(days(2)), (2, vec![second.clone(), first.clone()]), "what ends first comes first");
        assert_eq!(at(later(days(2), 1)), (2, vec![]));
        assert_eq!(at(days(1)), (1, vec![second.clone()]), "the clock was set back");
        assert_eq!(at(days(15)), (1, vec![first.clone()]), "what has ended is no news");
        wait(directory.revoke_token(&first, "test")).expect("revoked");
        assert_eq!(at(later(days(16), -1)), (0, vec![]));
    }
}
