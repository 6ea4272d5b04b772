//! End-to-end tests: the real `scimd`, over real sockets, on a real disk.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, with the line that was wrong"
)]

mod commands;
mod differential;
mod entra_validator;
mod faults;
mod http;
mod import;
mod ledger;
mod messages;
mod policies;
mod python;
mod security;
mod server;
mod tls;
mod transcript;
mod transcripts;
