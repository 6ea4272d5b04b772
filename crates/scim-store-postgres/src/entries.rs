//! The `entries` column: which rows of `entry` and `claim` belong to a resource.
//!
//! A list of items, each a tag byte and twice a length with as many bytes, in little-endian order: the path, then the key
//! or the value.

use std::collections::BTreeSet;
use std::sync::Arc;

use scim_core::key::Key;
use scim_store::draft::Stored;
use scim_store::{IndexEntry, Record, UniqueKey};

use crate::error::{Failed, corrupt};

/// One row that belongs to a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    /// A row of `entry`.
    Entry { path: Arc<str>, key: Vec<u8>, leading: bool },
    /// A row of `claim`.
    Claim { path: Arc<str>, value: String },
}

const FURTHER: u8 = 0;
const LEADING: u8 = 1;
const CLAIM: u8 = 2;

/// The rows of a resource, each once; of two entries with one key the leading one.
pub(crate) fn items(stored: &Stored) -> BTreeSet<Item> {
    let mut items = BTreeSet::new();
    for IndexEntry { path, key, leading } in &stored.index {
        let entry = |leading| Item::Entry { path: Arc::clone(path), key: key.as_bytes().to_vec(), leading };
        if *leading {
            items.remove(&entry(false));
            items.insert(entry(true));
        } else if !items.contains(&entry(true)) {
            items.insert(entry(false));
        }
    }
    let claims = stored.unique.iter();
    items.extend(
        claims.map(|UniqueKey { path, value }| Item::Claim { path: Arc::clone(path), value: value.clone() }),
    );
    items
}

/// Writes the list.
pub(crate) fn encode(items: &BTreeSet<Item>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(items.len() * 48);
    for item in items {
        let (tag, path, value) = match item {
            Item::Entry { path, key, leading: true } => (LEADING, path, key.as_slice()),
            Item::Entry { path, key, leading: false } => (FURTHER, path, key.as_slice()),
            Item::Claim { path, value } => (CLAIM, path, value.as_bytes()),
        };
        bytes.push(tag);
        for part in [path.as_bytes(), value] {
            bytes.extend((part.len() as u32).to_le_bytes());
            bytes.extend(part);
        }
    }
    bytes
}

/// Reads the list of a resource.
pub(crate) fn decode(record: Record, bytes: &[u8]) -> Result<Stored, Failed> {
    let broken = || corrupt("the list of a resource's index rows cannot be read");
    let mut stored = Stored { record, unique: Vec::new(), index: Vec::new() };
    let mut rest = bytes;
    while let Some((tag, after)) = rest.split_first() {
        let (path, after) = part(after).ok_or_else(broken)?;
        let (value, after) = part(after).ok_or_else(broken)?;
        let path: Arc<str> = std::str::from_utf8(path).map_err(|_| broken())?.into();
        match *tag {
            LEADING | FURTHER => {
                stored.index.push(IndexEntry { path, key: Key::from_bytes(value), leading: *tag == LEADING });
            }
            CLAIM => {
                let value = String::from_utf8(value.to_vec()).map_err(|_| broken())?;
                stored.unique.push(UniqueKey { path, value });
            }
            _ => return Err(broken()),
        }
        rest = after;
    }
    Ok(stored)
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}
