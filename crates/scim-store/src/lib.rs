//! Where resources are kept: the [`Store`] trait, what is asked of it ([`Query`], [`EdgeQuery`]) and what is written to
//! it ([`Changeset`]), and an in-memory implementation.
//!
//! A write is one plain value that commits whole or not at all, with its guards, unique keys, index entries, change
//! log and audit entry. Nothing here decides what may be written: schemas, policies and quirks are applied before a
//! changeset exists. Nothing here knows HTTP, and a store never interprets client text.

mod changeset;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod draft;
mod memory;
pub mod plan;
mod query;
mod record;
mod store;
mod tenant;
pub mod window;

pub use changeset::{
    Applied, AuditEntry, Changeset, Committed, Conflict, Content, Guard, Hidden, IndexEntry, MemberDelta,
    Operation, UniqueKey, UnknownMembers,
};
pub use memory::MemoryStore;
pub use query::{Edge, EdgePage, EdgeQuery, Page, Position, Query, Side, Start};
pub use record::{Audited, Change, ChangeKind, Record};
pub use store::{CommitError, Pending, Store, StoreError};
pub use tenant::{InvalidTenant, Tenant};
