//! The language of SCIM 2.0 (RFC 7643, RFC 7644): schemas, filters, paths, PATCH, projection, messages and errors.
//!
//! Everything here is a pure function of its arguments. The crate never does I/O, reads a clock, draws a random
//! number or names an HTTP type, so that a server, a client, a command-line tool and a fuzzer can use the same code.

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

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
