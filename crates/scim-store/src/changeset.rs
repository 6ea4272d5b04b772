//! Writes: a [`Changeset`] is plain data that commits whole or not at all.
//!
//! A store applies the operations in order, in one transaction. Guards are checked in that order, each against what the
//! operations before it have left. Unique keys and the existence of members are checked against the state *after* all
//! operations of the changeset, so that resources which refer to each other can be created together. The first
//! operation with an unmet guard, an unknown member or a member that may not be one is reported, and if there is none,
//! the first with a unique value that is taken. The change log, persons, reports and the audit entry are written in the
//! same transaction.

use std::sync::Arc;

use bytes::Bytes;
use scim_core::key::Key;
use scim_core::person::Derived;
use scim_core::time::{Instant, Timestamp};

use crate::{ChangeKind, Report};

/// One indivisible write to one tenant.
#[derive(Debug, Clone)]
pub struct Changeset {
    /// When it is made. It becomes `meta.lastModified` of everything it changes.
    pub at: Timestamp,
    /// The number of the tenant's rules under which it was planned. A store keeps the highest that it has seen of a
    /// tenant, 0 at first, and refuses what was planned under a lower one.
    pub epoch: u64,
    /// What is done, in this order. May be empty: a refusal is an audit entry and reports alone.
    pub operations: Vec<Operation>,
    /// Subjects whose unsettled reports are settled by it, before its own reports are stored.
    pub settles: Vec<String>,
    /// Beginnings of subjects: every unsettled report about a subject that begins so is settled as well.
    pub settles_below: Vec<String>,
    /// Reports that go for good, settled or not: whom each is about, and its number. All of them have to be there. They go
    /// before anything is settled.
    pub forgets: Vec<(String, u64)>,
    /// The report whose request this carries out again.
    pub retries: Option<Retry>,
    /// What the tenant's rules said of the request.
    pub reports: Vec<Report>,
    /// What is recorded of it, once. `None` only where an operator asked for no record.
    pub audit: Option<AuditEntry>,
}

impl Changeset {
    /// One that does nothing, under the first rules and without a record. What it does is set on it:
    /// `Changeset { operations, ..Changeset::new(at) }`.
    pub fn new(at: Timestamp) -> Self {
        Self {
            at,
            epoch: 0,
            operations: Vec::new(),
            settles: Vec::new(),
            settles_below: Vec::new(),
            forgets: Vec::new(),
            retries: None,
            reports: Vec::new(),
            audit: None,
        }
    }

    /// About how many rows it writes, and pages of text, for stores that let several share a transaction: what one holds may
    /// be thousands of times what another does.
    pub fn weight(&self) -> usize {
        let written = |content: &Content| {
            content.index.len() + content.unique.len() + content.hidden.len() + content.body.len() / PAGE
        };
        let named = |members: &MemberDelta| members.add.len() + members.remove.len();
        let of = |operation: &Operation| match operation {
            Operation::Create { content, members, .. } => 1 + named(members) + written(content),
            Operation::Replace { content, members, .. } => {
                1 + named(members) + content.as_ref().map_or(0, written)
            }
            Operation::Rederive { unique, index, .. } => 1 + unique.len() + index.len(),
            Operation::Delete { .. } => 1,
        };
        let reports = self.reports.iter().map(|report| 1 + report.body.len() / PAGE).sum::<usize>();
        self.operations.iter().map(of).sum::<usize>() + self.settles.len() + self.forgets.len() + reports
    }
}

/// Bytes of text that count as a row.
const PAGE: usize = 4096;

/// A report whose request is carried out again. It has to be there and not settled, so that nothing that came about the
/// same subject since is undone, and the changeset settles no report that is newer. A report that the changeset brings
/// while it is unsettled takes its place, number and sequence included: that a request was retried makes it no newer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// Whom it is about.
    pub subject: String,
    /// Its number.
    pub number: u64,
    /// Its sequence.
    pub sequence: u64,
}

/// One step of a changeset.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Creates a resource. Its version is the number of this change.
    Create {
        /// The new identifier; it must not exist in the tenant.
        id: String,
        /// Name of the resource type.
        resource_type: Arc<str>,
        /// What it consists of.
        content: Content,
        /// Members to begin with. Only `add` counts.
        members: MemberDelta,
    },
    /// Replaces a resource's content, and changes its members along with it.
    Replace {
        /// The resource.
        id: String,
        /// Name of its resource type; a resource of another type counts as missing.
        resource_type: Arc<str>,
        /// What must hold.
        guard: Guard,
        /// The new content, or `None` to leave it and change members only. Hidden values that are not named stay.
        content: Option<Content>,
        /// What to do to the members.
        members: MemberDelta,
        /// How the log calls a change of content.
        kind: ChangeKind,
    },
    /// Gives a resource the unique values, index entries and person that the same content has under other schemas or
    /// other rules. The resource does not change, and its version stays; a person that is another is logged as
    /// [`ChangeKind::PersonChanged`].
    Rederive {
        /// The resource.
        id: String,
        /// Name of its resource type.
        resource_type: Arc<str>,
        /// What must hold.
        guard: Guard,
        /// As in [`Content`].
        unique: Vec<UniqueKey>,
        /// As in [`Content`].
        index: Vec<IndexEntry>,
        /// As in [`Content`].
        person: Option<Derived>,
    },
    /// Deletes a resource, its memberships on both sides, its hidden values and its person. Every other group that it was a member
    /// of gets a new version and a log entry, after that of the deletion and in the order of identifiers.
    Delete {
        /// The resource.
        id: String,
        /// Name of its resource type.
        resource_type: Arc<str>,
        /// What must hold.
        guard: Guard,
    },
}

impl Operation {
    /// The resource that it is about.
    pub fn id(&self) -> &str {
        match self {
            Self::Create { id, .. }
            | Self::Replace { id, .. }
            | Self::Rederive { id, .. }
            | Self::Delete { id, .. } => id,
        }
    }
}

/// What a resource consists of, as the store keeps it.
#[derive(Debug, Clone)]
pub struct Content {
    /// What the resource is called where others refer to it.
    pub label: String,
    /// The canonical document as JSON.
    pub body: Bytes,
    /// The values that no other resource of the tenant and type may have.
    pub unique: Vec<UniqueKey>,
    /// The entries that make the resource findable. For each index of the type exactly one is `leading`. The keys of
    /// [`IndexEntry::CREATED`] and [`IndexEntry::MODIFIED`] are the store's to set, whatever is given.
    pub index: Vec<IndexEntry>,
    /// Values that are never read back, to be set (`Some`) or removed (`None`).
    pub hidden: Vec<Hidden>,
    /// The application's record of somebody. It is kept apart from the resource, and another one is a change like
    /// another document. `None` leaves the resource without.
    pub person: Option<Derived>,
}

/// A claim on a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UniqueKey {
    /// The attribute path, canonical.
    pub path: Arc<str>,
    /// The whole value, folded where case does not matter.
    pub value: String,
}

/// One entry of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The attribute path, canonical.
    pub path: Arc<str>,
    /// The key; [`Key::absent`] when the resource has no value.
    pub key: Key,
    /// Whether the resource sorts by this entry.
    pub leading: bool,
}

impl IndexEntry {
    /// The path whose key follows the time of creation.
    pub const CREATED: &str = "meta.created";
    /// The path whose key follows every change of the resource and of its members.
    pub const MODIFIED: &str = "meta.lastModified";

    /// Sets the key if it is one of those that the store sets.
    pub fn settle(&mut self, created: Timestamp, modified: Timestamp) {
        let moment = match &*self.path {
            Self::CREATED => created,
            Self::MODIFIED => modified,
            _ => return,
        };
        self.key = Self::moment(moment);
    }

    /// The key that the store sets for a moment.
    pub fn moment(moment: Timestamp) -> Key {
        let nanos = moment.0.rem_euclid(1000) as u32 * 1_000_000;
        Key::instant(Instant { seconds: moment.0.div_euclid(1000), nanos })
    }
}

/// A value that a store keeps and never gives back through [`crate::Store`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// The attribute path, canonical.
    pub path: Arc<str>,
    /// JSON to keep, or `None` to forget.
    pub value: Option<String>,
}

/// What must hold of a resource when the changeset commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// It exists.
    Exists,
    /// It exists and has this version.
    Version(u64),
}

/// A change to a set of members that needs no knowledge of the set: `clear`, then remove, then add.
///
/// Adding a member that is there and removing one that is not change nothing and are not errors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberDelta {
    /// Whether every member that is not in `add` goes.
    pub clear: bool,
    /// Members to remove. Never overlaps `add`.
    pub remove: Vec<String>,
    /// Members to add, each once.
    pub add: Vec<String>,
    /// What to do about members to add that do not exist in the tenant.
    pub unknown: UnknownMembers,
    /// Whether a member to add must not be in another group of the same resource type. Those that are there already
    /// are not added, and stay whatever else they are in.
    pub exclusive: bool,
    /// Names of resource types of which nothing can be added: those of groups, where groups do not nest.
    pub barred: Vec<Arc<str>>,
}

impl MemberDelta {
    /// Whether it changes nothing, whatever the set.
    pub fn is_empty(&self) -> bool {
        !self.clear && self.remove.is_empty() && self.add.is_empty()
    }
}

/// What becomes of members that do not exist in the tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnknownMembers {
    /// The changeset fails with [`Conflict::UnknownMembers`].
    #[default]
    Refuse,
    /// They are left out.
    Ignore,
}

impl UnknownMembers {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Refuse, Self::Ignore];

    /// The name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Ignore => "ignore",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

/// Who did or tried what, and how it went. Never holds credentials, passwords or personal values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The credential or the operator's command.
    pub actor: String,
    /// The request's identifier, as in the log and the answer.
    pub request: String,
    /// What was asked, such as `PATCH /Users/2819c223`.
    pub action: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Why it was refused, or what else there is to say; mostly empty when it was not.
    pub detail: String,
}

/// The outcome of a changeset that took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The tenant's latest change afterwards.
    pub sequence: u64,
    /// For each operation, in order.
    pub applied: Vec<Applied>,
}

/// What an operation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The resource's version afterwards; of a deleted one, the number of the deletion. It stays when only the person
    /// changed that is derived from the resource.
    pub version: u64,
    /// When the resource was created.
    pub created: Timestamp,
    /// When it last changed. Not now if the operation changed nothing.
    pub modified: Timestamp,
    /// Whether anything was logged. An operation that changed nothing has no log entry and keeps the version.
    pub changed: bool,
}

/// Why a changeset did not take effect. It left no trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// There is no such resource of that type.
    Missing {
        /// Index of the operation.
        operation: usize,
    },
    /// The identifier of a resource to create is taken.
    Exists {
        /// Index of the operation.
        operation: usize,
    },
    /// The resource has another version.
    Version {
        /// Index of the operation.
        operation: usize,
        /// The version that it has.
        current: u64,
    },
    /// A unique value is taken.
    Unique {
        /// Index of the operation.
        operation: usize,
        /// The attribute path.
        path: Arc<str>,
        /// The resource that has it.
        holder: String,
    },
    /// Members do not exist in the tenant.
    UnknownMembers {
        /// Index of the operation.
        operation: usize,
        /// The first [`Conflict::NAMED_MEMBERS`] of them, in the order they were given.
        ids: Vec<String>,
        /// How many there are.
        total: usize,
    },
    /// A member to add has a resource type that is barred.
    NestedGroup {
        /// Index of the operation.
        operation: usize,
        /// The first such member, in the order they were given.
        member: String,
    },
    /// A member to add is in another group, and was to be in no other.
    Membership {
        /// Index of the operation.
        operation: usize,
        /// The first such member, in the order they were given.
        member: String,
        /// The group that it is in; of several, the first by identifier.
        group: String,
    },
    /// Other rules have come into force since it was planned. This is looked at before anything else.
    Epoch {
        /// The number of the rules in force.
        current: u64,
    },
    /// The report that is retried is settled or gone, or one to forget is gone. This is looked at next.
    Settled,
}

impl Conflict {
    /// Most unknown members that a conflict names.
    pub const NAMED_MEMBERS: usize = 3;

    /// The index of the operation at fault, unless it is the whole changeset.
    pub fn operation(&self) -> Option<usize> {
        match self {
            Self::Missing { operation }
            | Self::Exists { operation }
            | Self::Version { operation, .. }
            | Self::Unique { operation, .. }
            | Self::UnknownMembers { operation, .. }
            | Self::NestedGroup { operation, .. }
            | Self::Membership { operation, .. } => Some(*operation),
            Self::Epoch { .. } | Self::Settled => None,
        }
    }
}
