//! A [`Store`](scim_store::Store) in one SQLite file.
//!
//! * **Writers** queue. One thread takes all changesets that wait, works each out by itself, writes them in one
//!   transaction and syncs once, so that many writers share the cost of durability. A conflict is found before anything
//!   is written and concerns its own changeset alone; if the transaction fails, everyone in it is told.
//! * **Readers** never wait for writers (WAL). What is found in a few steps is read on the calling thread; what may walk
//!   goes to a few threads of its own, through a bounded queue. A read transaction outlives its call by some
//!   milliseconds, and only until the next commit.
//! * **Another process** may write to the same file. Waiting for it is bounded.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use scim_store::Store;
//! use scim_store_sqlite::{Options, SqliteStore};
//!
//! let store: Arc<dyn Store> = Arc::new(SqliteStore::open("scim.db", Options::default())?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here decides what a filter or a changeset means: that is [`scim_store::plan`], the evaluator in `scim-core`,
//! and [`scim_store::draft`]. SQL text is made of constants; what clients send is only ever bound.
#![warn(missing_debug_implementations)]

mod apply;
mod check;
mod checkpoints;
mod database;
mod entries;
mod error;
mod existing;
mod files;
mod line;
mod options;
mod people;
mod readers;
mod reports;
mod rows;
mod schema;
mod search;
mod store;
mod transfer;
mod writer;

pub use error::OpenError;
pub use options::{Options, Trace};
pub use store::SqliteStore;
