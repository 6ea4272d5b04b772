//! The SCIM 2.0 protocol (RFC 7644) as a function from `http::Request` to `http::Response`.
//!
//! [`Service`] authenticates a request, finds its tenant, rewrites the oddities of the tenant's identity provider
//! ([`quirk`]) and answers it from a [`scim_store::Store`]. It opens no socket and starts no thread, so that it can
//! be mounted in any HTTP server; `scimd` is one.

mod body;
mod bulk;
mod caller;
mod context;
mod cursor;
pub mod directory;
mod discovery;
mod dispatch;
pub mod environment;
mod etag;
mod import;
mod media;
mod query;
pub mod quirk;
mod rate;
mod reindex;
mod reply;
mod resource;
mod route;
mod rules;
mod service;
mod settings;

pub use import::{Headers, Import, ImportedRow, Outcome};
pub use rules::{Changed, Comparison, Concerned, GenderWord, GenderWords, NewRules, Replayed};
pub use service::{RequestId, Served, Service};
pub use settings::{PasswordHasher, Settings};
