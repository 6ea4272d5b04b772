//! The SCIM 2.0 protocol (RFC 7644) as a function from `http::Request` to `http::Response`.
//!
//! [`Service`] authenticates a request, finds its tenant, rewrites the oddities of the tenant's identity provider
//! ([`quirk`]) and answers it from a [`scim_store::Store`]. It opens no socket and starts no thread, so that it can
//! be mounted in any HTTP server; `scimd` is one.
//!
//! ```
//! use std::sync::Arc;
//!
//! use http::Request;
//! use http_body_util::Full;
//! use scim_core::schema::Registry;
//! use scim_core::time::Timestamp;
//! use scim_service::directory::{Connection, Idp};
//! use scim_service::environment::Environment;
//! use scim_service::{Service, Settings};
//! use scim_store::MemoryStore;
//!
//! /// Time and randomness come from whoever embeds the service.
//! struct System;
//!
//! impl Environment for System {
//!     fn now(&self) -> Timestamp {
//!         let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
//!         Timestamp(since.as_millis() as i64)
//!     }
//!
//!     fn fill(&self, bytes: &mut [u8]) {
//!         // A cryptographically secure generator, such as the crate getrandom.
//!         # bytes.fill(7);
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Arc::new(Registry::builtin()?);
//! let settings = Settings::new("https://app.example.com");
//! let service = Service::new(Arc::new(MemoryStore::new()), registry, Arc::new(System), settings);
//! service.prepare().await?;
//!
//! // A customer, whose identity provider is Entra ID, and the token that is put in there.
//! let acme = service.directory().create_tenant("acme", "setup").await?;
//! service.directory().create_connection(&acme, Connection::new(Idp::Entra), "setup").await?;
//! let token = service.directory().create_token(&acme, None, "setup").await?.token;
//!
//! // What the HTTP server hands over, of any body type.
//! let request = Request::get("/t/acme/scim/v2/Users")
//!     .header("authorization", format!("Bearer {token}"))
//!     .body(Full::new(bytes::Bytes::new()))?;
//! assert_eq!(service.handle(request).await.status(), 200);
//! # Ok(())
//! # }
//! # let mut example = std::pin::pin!(example());
//! # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//! # match example.as_mut().poll(&mut context) {
//! #     std::task::Poll::Ready(outcome) => outcome.expect("the example runs"),
//! #     std::task::Poll::Pending => panic!("memory is always ready"),
//! # }
//! ```
//!
//! A server calls [`refresh`](directory::Directory::refresh) and [`Service::share_rates`] once a second, so that several of
//! them on one store act as one, and [`Service::finish_rules`] once a minute. `examples/axum_app` in the repository is a
//! whole one.
//!
//! Where an operator has something to mend, errors name the command of `scimd` that does. It works on SQLite and PostgreSQL
//! stores whoever serves from them; the same in code are [`directory::Directory`] and [`Service::change_rules`].
#![warn(missing_debug_implementations)]

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
mod held;
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
mod strangers;

pub use import::{Headers, Import, ImportedRow, Outcome};
pub use rules::{Changed, Comparison, Concerned, GenderWord, GenderWords, NewRules, Replayed};
pub use service::{RequestId, Served, Service};
pub use settings::{PasswordHasher, Settings};
