//! End-to-end tests: the real `scimd`, over real sockets, on a real disk.

mod entra_validator;
mod http;
mod kill;
mod ledger;
mod messages;
mod python;
mod security;
mod server;
mod transcript;
mod transcripts;
