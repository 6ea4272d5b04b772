//! The clock and the source of randomness, given to the service as a parameter.
//!
//! Nothing in this crate reads a clock or draws a random number otherwise, so that a test can hold both still.

use scim_core::time::Timestamp;

/// Time and randomness.
pub trait Environment: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Fills `bytes` from a cryptographically secure generator.
    fn fill(&self, bytes: &mut [u8]);
}
