//! What a store keeps of a document: its bytes, its unique values and its index entries.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use scim_core::document::Document;
use scim_core::key::Key;
use scim_core::path::AttributePath;
use scim_core::schema::{Membership, ResourceType};
use scim_core::text::fold;
use scim_core::time::Timestamp;
use scim_store::{Content, IndexEntry, UniqueKey};
use serde_json::{Map, Value};

use crate::quirk::{Quirk, Quirks};

/// Derives the content from a canonical document that is stored `now`.
pub(crate) fn content(
    document: &Document,
    resource_type: &ResourceType,
    quirks: Quirks,
    now: Timestamp,
) -> Content {
    let map = document.as_map();
    let mut unique: Vec<UniqueKey> =
        resource_type.unique().iter().flat_map(|path| claims(path, map)).collect();
    if quirks.has(Quirk::UniqueGroupNames) && resource_type.membership() == Some(Membership::Group) {
        unique.extend(
            AttributePath::parse("displayName", resource_type).iter().flat_map(|path| claims(path, map)),
        );
    }
    Content {
        label: label(map),
        body: Bytes::from(document.to_json()),
        unique,
        index: resource_type.indexed().iter().flat_map(|path| entries(path, map, now)).collect(),
        hidden: Vec::new(),
        person: None,
    }
}

/// What others call the resource: its display name, else the whole of its name, else nothing. A user name is no name
/// of a person, and who needs it has the identifier.
fn label(map: &Map<String, Value>) -> String {
    let text = |value: Option<&Value>| Some(value?.as_str()?.to_owned()).filter(|text| !text.is_empty());
    let name = || text(map.get("name")?.get("formatted"));
    text(map.get("displayName")).or_else(name).unwrap_or_default()
}

fn claims(path: &AttributePath, map: &Map<String, Value>) -> Vec<UniqueKey> {
    let case_exact = path.leaf().is_case_exact();
    let name: Arc<str> = path.to_string().into();
    path.values(map)
        .filter_map(|value| match value {
            Value::String(text) if case_exact => Some(text.clone()),
            Value::String(text) => Some(fold(text).into_owned()),
            Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
        .collect::<BTreeSet<String>>()
        .into_iter()
        .map(|value| UniqueKey { path: Arc::clone(&name), value })
        .collect()
}

/// One leading entry, and one for each further value.
fn entries(path: &AttributePath, map: &Map<String, Value>, now: Timestamp) -> Vec<IndexEntry> {
    let name: Arc<str> = path.to_string().into();
    let entry = |key, leading| IndexEntry { path: Arc::clone(&name), key, leading };
    if &*name == "meta.lastModified" {
        let text = Value::String(now.to_string());
        return vec![entry(Key::of(path.leaf(), &text).unwrap_or_else(Key::absent), true)];
    }
    let leading = leading_key(path, map);
    let mut keys: BTreeSet<Key> = path.values(map).filter_map(|value| Key::of(path.leaf(), value)).collect();
    keys.remove(&leading);
    let rest: Vec<IndexEntry> = keys.into_iter().map(|key| entry(key, false)).collect();
    let mut entries = vec![entry(leading, true)];
    entries.extend(rest);
    entries
}

/// The key that the resource sorts by: of the primary value, else of the first (RFC 7644 §3.4.2.3).
fn leading_key(path: &AttributePath, map: &Map<String, Value>) -> Key {
    scim_core::sort::Sort { path: path.clone(), descending: false }.key(map)
}
