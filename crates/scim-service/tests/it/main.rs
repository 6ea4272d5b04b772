//! The protocol from request to answer, over the in-memory store. No sockets: a test sees what a client would.

#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod admission;
mod anything;
mod bulk;
mod clauses;
mod deriving;
mod import;
mod memberships;
mod policy;
mod protocol;
mod provisioning;
mod quirks;
mod replay;
mod schemas;
mod secrets;
mod strangers;
mod world;
