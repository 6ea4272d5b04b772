//! What the lines of the file hold, as JSON: the plain forms of what `scim-store` gives.

use bytes::Bytes;
use scim_core::key::Key;
use scim_core::person::{Derived, Person, Pick};
use scim_core::time::Timestamp;
use scim_store::draft::{Counts, Stored};
use scim_store::{
    AuditEntry, Change, ChangeKind, IndexEntry, Record, Report, Reported, StoreError, UniqueKey,
};
use serde::{Deserialize, Serialize};

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
    pub(crate) fn new(Stored { record, unique, index }: Stored) -> Result<Self, StoreError> {
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

/// A person.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Somebody {
    person: Person,
    pick: Option<Pick>,
}

impl From<Derived> for Somebody {
    fn from(Derived { person, pick }: Derived) -> Self {
        Self { person, pick }
    }
}

impl From<Somebody> for Derived {
    fn from(Somebody { person, pick }: Somebody) -> Self {
        Self { person, pick }
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
    person: bool,
    renamed: bool,
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
    fn from(change: Change) -> Self {
        let Change { sequence, at, kind, resource_type, id, added, removed, person, renamed } = change;
        let (at, resource_type) = (at.0, (*resource_type).into());
        Self { sequence, at, kind, resource_type, id, added, removed, person, renamed }
    }
}

impl From<Logged> for Change {
    fn from(logged: Logged) -> Self {
        let Logged { sequence, at, kind, resource_type, id, added, removed, person, renamed } = logged;
        let (at, resource_type) = (Timestamp(at), resource_type.into());
        Self { sequence, at, kind, resource_type, id, added, removed, person, renamed }
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

/// A report.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    number: u64,
    sequence: u64,
    at: i64,
    first: i64,
    count: u64,
    settled: bool,
    subject: String,
    digest: [u8; 32],
    request: String,
    method: String,
    path: String,
    body: Vec<u8>,
    status: u16,
    findings: Vec<u8>,
}

impl From<Reported> for Said {
    fn from(Reported { number, sequence, at, first, count, settled, report }: Reported) -> Self {
        let Report { subject, digest, request, method, path, body, status, findings } = report;
        let (at, first, body, findings) = (at.0, first.0, body.into(), findings.into());
        Self {
            number,
            sequence,
            at,
            first,
            count,
            settled,
            subject,
            digest,
            request,
            method,
            path,
            body,
            status,
            findings,
        }
    }
}

impl From<Said> for Reported {
    fn from(said: Said) -> Self {
        let Said { number, sequence, at, first, count, settled, subject, digest, .. } = said;
        let Said { request, method, path, body, status, findings, .. } = said;
        let (body, findings) = (body.into(), findings.into());
        let report = Report { subject, digest, request, method, path, body, status, findings };
        Self { number, sequence, at: Timestamp(at), first: Timestamp(first), count, settled, report }
    }
}

/// What is counted of a tenant.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Tally {
    sequence: u64,
    epoch: u64,
    reported: u64,
    reports: u64,
    open: u64,
}

impl From<Counts> for Tally {
    fn from(Counts { sequence, epoch, reported, reports, open }: Counts) -> Self {
        Self { sequence, epoch, reported, reports, open }
    }
}

impl From<Tally> for Counts {
    fn from(Tally { sequence, epoch, reported, reports, open }: Tally) -> Self {
        Self { sequence, epoch, reported, reports, open }
    }
}
