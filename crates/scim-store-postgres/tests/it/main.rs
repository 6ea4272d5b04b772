//! The PostgreSQL store from outside: the suite of every store, and what only a database can get wrong.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod cluster;
mod conformance;
mod crowds;
mod guesses;
mod migrations;
mod mill;
mod outages;
mod partitions;
mod people;
mod plans;
mod pooler;
mod proxy;
mod reads;
mod searches;
mod sessions;
mod tenants;
mod tls;
mod transfer;
mod turns;
mod writers;
