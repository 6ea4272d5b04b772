//! The examples run, and do what they say.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod axum_app;
mod custom_type;
mod follow_persons;
mod own_store;
mod policy_alone;
