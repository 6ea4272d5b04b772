//! The file: one line of JSON for each commit.
//!
//! A commit is whole if its line ends, so that a crash in the middle of one leaves nothing but a tail to cut
//! off. After a write that failed nobody knows what is in the file, and it takes no more until it is opened
//! again. Left out: making the file shorter, and syncing the directory that a new file is in.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use scim_store::draft::Draft;
use scim_store::{StoreError, Tenant};
use serde::{Deserialize, Serialize};

use crate::forms::{Entry, Logged, Resource, Said, Somebody, Tally};

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
    pub(crate) counts: Tally,
    /// Resources that are new or different.
    pub(crate) written: Vec<Resource>,
    /// Resources that are gone.
    pub(crate) deleted: Vec<String>,
    /// Resources whose hidden values are gone, before those in `hidden` are set.
    pub(crate) forgotten: Vec<String>,
    /// Resource, path and value, or `None` for a value that is gone.
    pub(crate) hidden: Vec<(String, String, Option<String>)>,
    /// Resource and its person, or `None` for one that is gone.
    pub(crate) persons: Vec<(String, Option<Somebody>)>,
    /// Group, member and the number of the change that links them, or `None` if they are not linked any more.
    pub(crate) links: Vec<(String, String, Option<u64>)>,
    pub(crate) changes: Vec<Logged>,
    /// Numbers of reports that are settled.
    pub(crate) settled: Vec<u64>,
    /// Numbers of reports that are gone.
    pub(crate) removed: Vec<u64>,
    /// Reports that are new.
    pub(crate) said: Vec<Said>,
    pub(crate) audit: Option<Entry>,
}

impl Line {
    /// The line of a draft.
    pub(crate) fn new(tenant: &Tenant, draft: Draft) -> Result<Self, StoreError> {
        let mut line = Self {
            tenant: tenant.as_str().to_owned(),
            at: draft.at.0,
            counts: draft.counts.into(),
            written: Vec::new(),
            deleted: Vec::new(),
            forgotten: Vec::new(),
            hidden: Vec::new(),
            persons: draft.persons.into_iter().map(|(id, person)| (id, person.map(Somebody::from))).collect(),
            links: draft.links.into_iter().map(|((group, member), since)| (group, member, since)).collect(),
            changes: draft.changes.into_iter().map(Logged::from).collect(),
            settled: draft.reports.settled.into_iter().collect(),
            removed: draft.reports.removed.into_iter().collect(),
            said: draft.reports.added.into_values().map(Said::from).collect(),
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
