//! What a store gives back: records, persons, changes and audit entries.

use std::sync::Arc;

use bytes::Bytes;
use scim_core::document::Document;
use scim_core::person::{Derived, Person, Pick};
use scim_core::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::AuditEntry;

/// A stored resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The identifier, unique within the tenant across all types.
    pub id: String,
    /// Name of the resource type.
    pub resource_type: Arc<str>,
    /// Sequence number of the tenant's latest change to the resource or to its members. It never repeats. Changes to
    /// the person alone do not count.
    pub version: u64,
    /// When the resource was created.
    pub created: Timestamp,
    /// When the resource or its members last changed.
    pub modified: Timestamp,
    /// What the resource is called where others refer to it.
    pub label: String,
    /// The canonical document as JSON, without `id`, `meta` and memberships.
    pub body: Bytes,
}

impl Record {
    /// The entity tag: weak, because derived attributes such as a member's `display` are not part of it.
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    /// The document with `id` and `meta` (without `location`), as filters and sorting see it.
    ///
    /// # Errors
    /// `Internal` when the stored bytes are not a document.
    pub fn document(&self) -> scim_core::Result<Map<String, Value>> {
        let mut map = Document::from_stored(&self.body)?.into_map();
        map.insert("id".to_owned(), self.id.as_str().into());
        map.insert(
            "meta".to_owned(),
            json!({
                "resourceType": &*self.resource_type,
                "created": self.created.to_string(),
                "lastModified": self.modified.to_string(),
                "version": self.etag(),
            }),
        );
        Ok(map)
    }
}

/// What happened to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// It was created.
    Created,
    /// Its attributes changed.
    Modified,
    /// Its attributes changed, and `active` became false.
    Deactivated,
    /// Its attributes changed, and `active` became true again.
    Reactivated,
    /// Members were added to it or removed from it.
    MembersChanged,
    /// The person that is derived from it changed, and it did not: the tenant's rules did. Its version stays.
    PersonChanged,
    /// It was deleted.
    Deleted,
}

impl ChangeKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Created,
        Self::Modified,
        Self::Deactivated,
        Self::Reactivated,
        Self::MembersChanged,
        Self::PersonChanged,
        Self::Deleted,
    ];

    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Modified => "modified",
            Self::Deactivated => "deactivated",
            Self::Reactivated => "reactivated",
            Self::MembersChanged => "membersChanged",
            Self::PersonChanged => "personChanged",
            Self::Deleted => "deleted",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One entry of a tenant's change log. Entries are numbered without gaps in the order they were committed, from 1, or where
/// the log was [pruned](crate::retention) from a later number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The number.
    pub sequence: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// What happened.
    pub kind: ChangeKind,
    /// Name of the resource type.
    pub resource_type: Arc<str>,
    /// The resource.
    pub id: String,
    /// Members that were added to it by this change, ascending, whatever else changed.
    pub added: Vec<String>,
    /// Members that were removed from it by this change, ascending. For a deletion, all that it had.
    pub removed: Vec<String>,
    /// Whether the person that is derived from it came, changed or went.
    pub person: bool,
    /// Whether it got another label, which is what its members' user group may be called by.
    pub renamed: bool,
}

/// A person as the application reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRecord {
    /// The identifier of the resource that it is derived from.
    pub id: String,
    /// The version of that resource. A person can change while it stays: the change log tells.
    pub version: u64,
    /// When that resource last changed.
    pub modified: Timestamp,
    /// As it was stored.
    pub derived: Derived,
    /// With the user group that the person has now.
    pub person: Person,
}

impl PersonRecord {
    /// The person of a resource, whose groups are given as the number of the change that made the membership, the
    /// identifier and the label. An empty label is no user group.
    pub fn new<'a>(
        record: &Record,
        derived: Derived,
        groups: impl IntoIterator<Item = (u64, &'a str, &'a str)>,
    ) -> Self {
        let groups = groups.into_iter();
        let group = match derived.pick {
            None => None,
            Some(Pick::First) => groups.min(),
            Some(Pick::Latest) => groups.max(),
        };
        let label = group.map(|(_, _, label)| label.to_owned()).filter(|label| !label.is_empty());
        let mut person = derived.person.clone();
        if derived.pick.is_some() {
            person.user_group = label;
        }
        Self { id: record.id.clone(), version: record.version, modified: record.modified, derived, person }
    }
}

/// An audit entry as it was stored. Entries are numbered as those of the change log are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Its number within the tenant.
    pub number: u64,
    /// The tenant's latest change when the entry was committed.
    pub sequence: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// What was recorded.
    pub entry: AuditEntry,
}
