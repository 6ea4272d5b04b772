//! End-to-end tests: the real `scimd`, over real sockets, on a real disk.
//!
//! They run on SQLite, and with `SCIM_TEST_STORE=postgres` on databases of their own in PostgreSQL.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, with the line that was wrong"
)]

mod audit;
#[path = "../../../scim-store-postgres/tests/it/cluster.rs"]
#[expect(dead_code, reason = "the tests of the store need more of it")]
mod cluster;
mod commands;
mod databases;
mod deletion;
mod differential;
mod entra_validator;
mod faults;
mod following;
mod http;
mod import;
mod ledger;
mod messages;
mod moving;
mod observing;
mod policies;
mod pruning;
mod python;
mod security;
mod server;
mod tls;
mod transcript;
mod transcripts;
mod unread;
