//! The file: one line of JSON for each commit.
//!
//! A commit is whole if its line ends, so that a crash in the middle of one leaves nothing but a tail to cut
//! off. After a write that failed nobody knows what is in the file, and it takes no more until it is opened
//! again. Left out: making the file shorter, and syncing the directory that a new file is in.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use bytes::Bytes;
use scim_core::key::Key;
use scim_core::time::Timestamp;
use scim_store::draft::{Draft, Stored};
use scim_store::{AuditEntry, Change, ChangeKind, IndexEntry, Record, StoreError, Tenant, UniqueKey};
use serde::{Deserialize, Serialize};

/// The file while it is open. Nobody else can open it then.
pub(crate) struct Journal {
    file: File,
    failed: bool,
}

/// What every line begins with.
const START: &[u8] = br#"{"tenant":""#;

impl Journal {
    /// Opens or creates a file, and reads what was committed.
    ///
    /// # Errors
    /// When it cannot be read, holds something else, or is open already.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, Vec<Line>)> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.try_lock()?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let (whole, torn) = bytes.split_at(whole);
        let lines: serde_json::Result<Vec<Line>> =
            serde_json::Deserializer::from_slice(whole).into_iter().collect();
        let lines = lines.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        if !torn.starts_with(START) && !START.starts_with(torn) {
            return Err(io::Error::new(ErrorKind::InvalidData, "the file was not written by this store"));
        }
        file.set_len(whole.len() as u64)?;
        Ok((Self { file, failed: false }, lines))
    }

    /// Writes a line, and waits until it is on the disk.
    pub(crate) fn append(&mut self, line: &Line) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Fault("an earlier write failed; open the file again".into()));
        }
        let mut bytes = serde_json::to_vec(line).map_err(|error| StoreError::Fault(error.into()))?;
        bytes.push(b'\n');
        self.file.write_all(&bytes).and_then(|()| self.file.sync_data()).map_err(|error| {
            self.failed = true;
            match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full(error.into()),
                _ => StoreError::Unavailable(error.into()),
            }
        })
    }
}

/// What a commit changed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) tenant: String,
    pub(crate) at: i64,
    pub(crate) sequence: u64,
    /// Resources that are new or different.
    pub(crate) written: Vec<Resource>,
    /// Resources that are gone.
    pub(crate) deleted: Vec<String>,
    /// Resources whose hidden values are gone, before those in `hidden` are set.
    pub(crate) forgotten: Vec<String>,
    /// Resource, path and value, or `None` for a value that is gone.
    pub(crate) hidden: Vec<(String, String, Option<String>)>,
    /// Group, member and whether they are linked.
    pub(crate) links: Vec<(String, String, bool)>,
    pub(crate) changes: Vec<Logged>,
    pub(crate) audit: Option<Entry>,
}

impl Line {
    /// The line of a draft.
    pub(crate) fn new(tenant: &Tenant, draft: Draft) -> Result<Self, StoreError> {
        let mut line = Self {
            tenant: tenant.as_str().to_owned(),
            at: draft.at.0,
            sequence: draft.sequence,
            written: Vec::new(),
            deleted: Vec::new(),
            forgotten: Vec::new(),
            hidden: Vec::new(),
            links: draft.links.into_iter().map(|((group, member), is)| (group, member, is)).collect(),
            changes: draft.changes.into_iter().map(Logged::from).collect(),
            audit: draft.audit.map(Entry::from),
        };
        for (id, drafted) in draft.resources {
            if drafted.anew {
                line.forgotten.push(id.clone());
            }
            match drafted.new {
                // A resource that was only looked at.
                new if new == drafted.old => {}
                Some(stored) => line.written.push(Resource::new(stored)?),
                None => line.deleted.push(id),
            }
        }
        line.hidden.extend(draft.hidden.into_iter().map(|((id, path), value)| (id, (*path).into(), value)));
        Ok(line)
    }
}

/// A resource and what makes it findable.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Resource {
    id: String,
    resource_type: String,
    version: u64,
    created: i64,
    modified: i64,
    label: String,
    body: String,
    /// Path and value.
    unique: Vec<(String, String)>,
    /// Path, key and whether the resource sorts by it. A key is bytes and need not be text.
    index: Vec<(String, Vec<u8>, bool)>,
}

impl Resource {
    fn new(Stored { record, unique, index }: Stored) -> Result<Self, StoreError> {
        let Record { id, resource_type, version, created, modified, label, body } = record;
        Ok(Self {
            id,
            resource_type: (*resource_type).into(),
            version,
            created: created.0,
            modified: modified.0,
            label,
            body: String::from_utf8(body.into()).map_err(|error| StoreError::Fault(error.into()))?,
            unique: unique.into_iter().map(|UniqueKey { path, value }| ((*path).into(), value)).collect(),
            index: index
                .into_iter()
                .map(|IndexEntry { path, key, leading }| ((*path).into(), key.as_bytes().to_vec(), leading))
                .collect(),
        })
    }
}

impl From<Resource> for Stored {
    fn from(resource: Resource) -> Self {
        let Resource { id, resource_type, version, created, modified, label, body, unique, index } = resource;
        let (created, modified) = (Timestamp(created), Timestamp(modified));
        let (resource_type, body) = (resource_type.into(), Bytes::from(body));
        Self {
            record: Record { id, resource_type, version, created, modified, label, body },
            unique: unique.into_iter().map(|(path, value)| UniqueKey { path: path.into(), value }).collect(),
            index: index
                .into_iter()
                .map(|(path, key, leading)| IndexEntry {
                    path: path.into(),
                    key: Key::from_bytes(key),
                    leading,
                })
                .collect(),
        }
    }
}

/// An entry of the change log.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Logged {
    sequence: u64,
    at: i64,
    #[serde(with = "kind")]
    kind: ChangeKind,
    resource_type: String,
    id: String,
    added: Vec<String>,
    removed: Vec<String>,
}

/// A kind of change by its name.
mod kind {
    use super::{ChangeKind, Deserialize};
    use serde::de::Error;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(kind: &ChangeKind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(kind.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ChangeKind, D::Error> {
        let name = String::deserialize(deserializer)?;
        ChangeKind::from_name(&name).ok_or_else(|| D::Error::custom("not a kind of change"))
    }
}

impl From<Change> for Logged {
    fn from(Change { sequence, at, kind, resource_type, id, added, removed }: Change) -> Self {
        let (at, resource_type) = (at.0, (*resource_type).into());
        Self { sequence, at, kind, resource_type, id, added, removed }
    }
}

impl From<Logged> for Change {
    fn from(Logged { sequence, at, kind, resource_type, id, added, removed }: Logged) -> Self {
        let (at, resource_type) = (Timestamp(at), resource_type.into());
        Self { sequence, at, kind, resource_type, id, added, removed }
    }
}

/// An entry of the audit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    actor: String,
    request: String,
    action: String,
    status: u16,
    detail: String,
}

impl From<AuditEntry> for Entry {
    fn from(AuditEntry { actor, request, action, status, detail }: AuditEntry) -> Self {
        Self { actor, request, action, status, detail }
    }
}

impl From<Entry> for AuditEntry {
    fn from(Entry { actor, request, action, status, detail }: Entry) -> Self {
        Self { actor, request, action, status, detail }
    }
}
