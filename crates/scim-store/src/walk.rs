//! How a range of an index is walked where keys are compared as bytes: which pieces of it, and in what order. It is the
//! same for every store with an index in order, whatever it is kept in; nothing here knows how an entry is read.

use std::ops::Bound;

use scim_core::key::Key;

use crate::Position;
use crate::plan::IndexRange;

/// A piece of an index, to be walked in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Walk {
    /// The entries of one key, by identifier.
    Point {
        /// The key.
        key: Vec<u8>,
        /// The identifier to begin after; empty for the first.
        after: String,
    },
    /// The entries from one key to before another, by key and then identifier. Keys come as [`IndexRange::descending`]
    /// says, identifiers ascend.
    Range {
        /// The first key.
        from: Vec<u8>,
        /// The key after the last.
        to: Vec<u8>,
    },
}

impl IndexRange {
    /// The pieces of the range, in the order of the result. `sorted` tells whether the query is sorted by it: where it is
    /// not, a range of one key is in the order of identifiers, and a position has no key.
    pub fn walks(&self, sorted: bool, after: Option<&Position>) -> Vec<Walk> {
        if let (Some(key), false) = (self.point(), sorted) {
            let after = after.map_or(String::new(), |position| position.id.clone());
            return vec![Walk::Point { key: key.as_bytes().to_vec(), after }];
        }
        let (mut from, mut to) = (first_of(&self.from), end_of(&self.to));
        let mut walks = Vec::new();
        if let Some(Position { key: Some(key), id }) = after {
            let bytes = key.as_bytes();
            if from.as_slice() <= bytes && bytes < to.as_slice() {
                walks.push(Walk::Point { key: bytes.to_vec(), after: id.clone() });
            }
            match self.descending {
                false => from = from.max(successor(key)),
                true => to = to.min(bytes.to_vec()),
            }
        }
        let absent = Key::absent();
        let absent = absent.as_bytes();
        // Going down, absent values come first; they can be many, and have one key.
        if self.descending && from.as_slice() <= absent && absent < to.as_slice() {
            walks.push(Walk::Point { key: absent.to_vec(), after: String::new() });
            to = absent.to_vec();
        }
        if from < to {
            walks.push(Walk::Range { from, to });
        }
        walks
    }
}

/// The smallest key greater than this one: bytes are compared, so nothing fits between.
fn successor(key: &Key) -> Vec<u8> {
    let mut bytes = key.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// The first key of a range.
fn first_of(bound: &Bound<Key>) -> Vec<u8> {
    match bound {
        Bound::Included(key) => key.as_bytes().to_vec(),
        Bound::Excluded(key) => successor(key),
        Bound::Unbounded => Vec::new(),
    }
}

/// The first key after a range.
fn end_of(bound: &Bound<Key>) -> Vec<u8> {
    match bound {
        Bound::Included(key) => successor(key),
        Bound::Excluded(key) => key.as_bytes().to_vec(),
        Bound::Unbounded => vec![u8::MAX],
    }
}
