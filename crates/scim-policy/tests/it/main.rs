//! What the crate promises to those who use it.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod policies;
