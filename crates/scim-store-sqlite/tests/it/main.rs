//! The SQLite store from outside: the suite of every store, and what only a file can get wrong.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod conformance;
mod files;
mod people;
mod plans;
mod processes;
mod transfer;
mod turns;
mod writers;
