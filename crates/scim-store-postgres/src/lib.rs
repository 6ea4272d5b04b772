//! A [`Store`](scim_store::Store) in a PostgreSQL database, for many servers.
//!
//! * **Tenants** are held apart by the database: row-level security is forced on every table, a transaction names its
//!   tenant, and a statement that forgets it sees nothing. A role that is not bound by that is refused.
//! * **Writers** of one tenant wait for one another, so that changes are numbered in the order in which they become
//!   visible. Those of one server share a transaction: one sync and one round trip for all who wait.
//! * **Readers** wait for no writer. A point read is one round trip, a page a constant number of them. For what may take long
//!   there are fewer places than connections, for which tenants take turns.
//! * **What is acknowledged** is synced. A commit whose connection is lost is looked for, and otherwise reported as
//!   unknown.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use scim_store::Store;
//! use scim_store_postgres::{Address, Options, PostgresStore, migrate};
//!
//! // Once for each version, as the role that owns the tables; servers are another role.
//! let owner: Address = "postgres://owner@db.example.com/scim".parse()?;
//! migrate(&owner, Options::default(), Some("server"))?;
//!
//! let server: Address = "postgres://server@db.example.com/scim".parse()?;
//! let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&server, Options::default())?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here decides what a filter or a changeset means: that is [`scim_store::plan`], the evaluator in `scim-core`,
//! and [`scim_store::draft`]. SQL text is made of constants; what clients send is only ever bound. Nothing the database
//! says reaches a client.
#![warn(missing_debug_implementations)]

mod address;
mod apply;
mod assumed;
mod check;
mod debt;
mod doubt;
mod entries;
mod error;
mod existing;
mod guess;
mod memory;
mod options;
mod people;
mod places;
mod pool;
mod reports;
mod rows;
mod runtime;
mod schema;
mod search;
mod session;
mod store;
mod tls;
mod touched;
mod transfer;
mod wishes;
mod writer;

pub use address::Address;
pub use error::OpenError;
pub use options::{Options, Trace};
pub use schema::{Migrated, Standing};
pub use store::{PostgresStore, migrate, standing};
