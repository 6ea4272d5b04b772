//! The real clock and the operating system's randomness: the only place in the workspace that reads either.

use std::pin::Pin;
use std::time::{SystemTime, UNIX_EPOCH};

use scim_core::time::Timestamp;
use scim_service::environment::Environment;

/// The machine's clock and random generator.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Environment for System {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock comes from")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::expect_used, reason = "without randomness no token or identifier may be made")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives randomness");
    }

    fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::task::yield_now())
    }
}
