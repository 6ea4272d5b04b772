//! The clock, the source of randomness and the turn of others, given to the service as a parameter.
//!
//! Nothing in this crate reads a clock or draws a random number otherwise, so that a test can hold both still.

use std::future::{Future, ready};
use std::pin::Pin;

use scim_core::time::Timestamp;

/// Time, randomness, and a pause for others.
pub trait Environment: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Fills `bytes` from a cryptographically secure generator.
    fn fill(&self, bytes: &mut [u8]);

    /// Lets other requests have their turn, in the middle of long work. An environment whose executor runs several requests
    /// on one thread gives the thread away here, as `tokio::task::yield_now` does, and can end a request that takes too long.
    fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(ready(()))
    }
}

/// An identifier for something that is asked for, where nobody has given it one.
pub(crate) fn random_id(environment: &dyn Environment) -> String {
    let mut random = [0; 8];
    environment.fill(&mut random);
    format!("{:016x}", u64::from_be_bytes(random))
}
