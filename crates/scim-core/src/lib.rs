//! The language of SCIM 2.0 (RFC 7643, RFC 7644): schemas, filters, paths, PATCH, projection, messages and errors.
//!
//! Everything here is a pure function of its arguments. The crate never does I/O, reads a clock, draws a random
//! number or names an HTTP type, so that a server, a client, a command-line tool and a fuzzer can use the same code.
//!
//! Text is parsed once against a [`ResourceType`](schema::ResourceType), which knows names in any case, types and
//! characteristics; what comes of it works on documents.
//!
//! ```
//! use scim_core::filter::Filter;
//! use scim_core::patch::Patch;
//! use scim_core::project::Projection;
//! use scim_core::schema::Registry;
//! use scim_core::{ErrorKind, decode};
//! use serde_json::json;
//!
//! let registry = Registry::builtin()?;
//! let users = registry.resource_type("User").expect("built in");
//! let body = json!({
//!     "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
//!     "userName": "ada@example.com",
//!     "emails": [{ "type": "work", "value": "ada@example.com" }],
//! });
//! let user = decode::resource(&body, users)?.document;
//!
//! let filter = Filter::parse(r#"emails[type EQ "WORK" and value ew "@example.com"]"#, users)?;
//! assert!(filter.matches(user.as_map()));
//!
//! let patch = json!({
//!     "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
//!     "Operations": [{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "ada@example.org" }],
//! });
//! let patched = Patch::decode(&patch, users)?.apply(&user, users)?.document;
//! assert!(!filter.matches(patched.as_map()));
//!
//! let mut shown = patched.into_map();
//! Projection::parse(&["emails.value"], &[], users)?.apply(&mut shown);
//! assert_eq!(shown["emails"], json!([{ "value": "ada@example.org" }]));
//!
//! let wrong = Filter::parse("userNam eq 1", users).expect_err("there is no such attribute");
//! assert_eq!(wrong.kind(), ErrorKind::InvalidFilter);
//! assert!(wrong.to_string().contains("userName"), "{wrong}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_debug_implementations)]

pub mod decode;
pub mod document;
pub mod error;
pub mod filter;
pub mod json;
pub mod key;
pub mod message;
pub mod patch;
pub mod path;
pub mod person;
pub mod project;
pub mod schema;
pub mod sort;
pub mod text;
pub mod time;
pub mod view;

pub use error::{Error, ErrorKind, Result};
