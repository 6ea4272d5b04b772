//! Groups that change without being known: nothing but their members is another afterwards, and their version and date, which the
//! database gives to whatever it has ([`apply::touch`](crate::apply::touch)).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use bytes::Bytes;
use scim_core::time::Timestamp;
use scim_store::draft::Stored;
use scim_store::{Guard, Operation, Record, Side};

use crate::existing::{Known, is_impossible};

/// Groups of which nothing but members changes, as far as they have to be known for that: that they are there, of which type,
/// and the version if one was asked for.
pub(crate) fn touched<'a>(
    operations: impl Iterator<Item = &'a Operation> + Clone,
    known: &'a Known,
) -> BTreeMap<String, Stored> {
    let mut groups: BTreeMap<&str, Option<Stored>> = BTreeMap::new();
    for operation in operations.clone() {
        let left = match operation {
            Operation::Delete { id, .. } => known.lists.get(&(Side::Groups, id.clone())),
            _ => None,
        };
        for id in left.into_iter().flatten() {
            if let Some(Some(resource_type)) = known.types.get(id) {
                groups.insert(id, Some(group(id, resource_type, UNKNOWN)));
            }
        }
    }
    for operation in operations {
        let touched = match operation {
            Operation::Replace { id, resource_type, guard, content: None, members, .. }
                if !members.clear && *guard != Guard::Version(UNKNOWN) && !is_impossible(id) =>
            {
                let version = match guard {
                    Guard::Version(version) => *version,
                    Guard::Exists => UNKNOWN,
                };
                Some(group(id, resource_type, version))
            }
            _ => None,
        };
        match groups.entry(operation.id()) {
            Entry::Vacant(place) => drop(place.insert(touched)),
            Entry::Occupied(mut place) if touched.is_none() => drop(place.insert(None)),
            Entry::Occupied(_) => {}
        }
    }
    groups.into_iter().filter_map(|(id, group)| Some((id.to_owned(), group?))).collect()
}

fn group(id: &str, resource_type: &Arc<str>, version: u64) -> Stored {
    let (id, resource_type, at) = (id.to_owned(), Arc::clone(resource_type), Timestamp(0));
    let (label, body) = (String::new(), Bytes::new());
    let record = Record { id, resource_type, version, created: at, modified: at, label, body };
    Stored { record, unique: Vec::new(), index: Vec::new() }
}

/// The version of a group of which none was asked for. No resource has it.
pub(crate) const UNKNOWN: u64 = 0;
