//! Where resources are kept: the [`Store`] trait, what is asked of it ([`Query`], [`EdgeQuery`], [`PersonQuery`],
//! [`ReportQuery`]) and what is written to it ([`Changeset`]), and an in-memory implementation.
//!
//! A write is one plain value that commits whole or not at all, with its guards, unique keys, index entries, person,
//! change log, reports and audit entry. Nothing here decides what may be written: schemas, policies and quirks are applied before a
//! changeset exists. Nothing here knows HTTP, and a store never interprets client text.
//!
//! # Reading
//!
//! An application reads the store that the service writes to, whichever it is.
//!
//! ```
//! use std::sync::Arc;
//!
//! use scim_core::filter::Filter;
//! use scim_core::schema::Registry;
//! use scim_core::view::User;
//! use scim_store::persons::{self, Mark};
//! use scim_store::{MemoryStore, Query, Store, Tenant};
//!
//! # scim_store::conformance::wait(async {
//! let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
//! let tenant = Tenant::new("acme")?;
//!
//! // Users as the identity provider sent them, a page of those that match a filter.
//! let registry = Registry::builtin()?;
//! let users = registry.resource_type("User").expect("built in");
//! let filter = Filter::parse(r#"active eq true and emails.value ew "@example.com""#, users)?;
//! let query = Query { filter: Some(filter), ..Query::all(Arc::clone(users), 100) };
//! for record in store.query(&tenant, &query).await?.records {
//!     let document = record.document()?;
//!     println!("{} {}", record.id, User::new(&document).user_name().unwrap_or_default());
//! }
//!
//! // People as the customer's rules made them, and from here on those that come, change or go.
//! let page = persons::changes(&*store, &tenant, &Mark::default(), 100).await?;
//! for change in page.changes {
//!     println!("{} {:?}", change.id, change.person.map(|record| record.person));
//! }
//! println!("next time after {}", page.next);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Writing a store
//!
//! What is the same for every store is here, so that a store is left with keeping things and finding them:
//!
//! * **Commit**: tell what is stored ([`draft::Existing`]), let [`draft::Draft::new`] work the changeset out,
//!   write what the draft says. Guards, uniqueness, memberships, versions and the log are done with.
//! * **Query**: let [`plan::Plan::new`] say where to look, show every resource that matches to a
//!   [`window::Window`] and give what it kept. A store without indexes may walk through all resources of the
//!   type and ask which are in the plan's source.
//! * **The rest**: records by identifier, memberships from either side, persons, two logs and reports by number.
//!
//! The suite in `scim_store::conformance` (feature `conformance`) holds a store to the contract; run it from
//! a test of the store. `examples/own_store` in the repository is a small store that does all of this.
#![warn(missing_debug_implementations)]

mod changeset;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod draft;
mod memory;
mod pass_on;
pub mod persons;
pub mod plan;
mod query;
mod record;
mod report;
pub mod retention;
mod spent;
mod store;
mod tenant;
pub mod transfer;
mod turns;
mod walk;
pub mod window;

pub use changeset::{
    Applied, AuditEntry, Changeset, Committed, Conflict, Content, Guard, Hidden, IndexEntry, MemberDelta,
    Operation, Retry, UniqueKey, UnknownMembers,
};
pub use memory::MemoryStore;
pub use query::{
    Edge, EdgePage, EdgeQuery, Page, PersonPage, PersonQuery, Position, Query, ReportQuery, Room, Side, Start,
};
pub use record::{Audited, Change, ChangeKind, PersonRecord, Record};
pub use report::{Report, Reported};
pub use spent::Spent;
pub use store::{CommitError, Load, Pending, Store, StoreError};
pub use tenant::{InvalidTenant, Tenant};
pub use turns::{Taken, Turns};
pub use walk::Walk;
