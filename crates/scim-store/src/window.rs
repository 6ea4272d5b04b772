//! The part of a result that a page shows, while the result goes by.
//!
//! A [`Window`] is shown every match once, in order or not, and keeps no more than the page and what comes
//! before it. It counts what it is shown and cannot tell that it saw a match before.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use scim_core::key::Key;

use crate::{Position, Query, Start};

/// Collects one page out of the matches of a query.
#[derive(Debug)]
pub struct Window<T> {
    after: Option<Place>,
    skip: usize,
    count: usize,
    descending: bool,
    ordered: bool,
    matches: u64,
    skipped: usize,
    kept: BTreeMap<Place, T>,
}

/// A place in the order of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    key: Option<Key>,
    id: String,
    descending: bool,
}

impl<T> Window<T> {
    /// The window of a query whose matches come in the order of the result, or in any order.
    pub fn new(query: &Query, ordered: bool) -> Self {
        let descending = query.sort.as_ref().is_some_and(|sort| sort.descending);
        let (after, skip) = match &query.start {
            Start::Offset(offset) => (None, usize::try_from(*offset).unwrap_or(usize::MAX)),
            Start::After(Position { key, id }) => {
                (Some(Place { key: key.clone(), id: id.clone(), descending }), 0)
            }
        };
        let count = query.count;
        Self { after, skip, count, descending, ordered, matches: 0, skipped: 0, kept: BTreeMap::new() }
    }

    /// Shows it a match. The key is what the query's sort makes of the document
    /// ([`scim_core::sort::Sort::key`]), and `None` if the query has no sort. `value` is only called for what
    /// may be on the page.
    pub fn push(&mut self, key: Option<Key>, id: &str, value: impl FnOnce() -> T) {
        self.matches += 1;
        if self.is_full() {
            return;
        }
        let place = Place { key, id: id.to_owned(), descending: self.descending };
        if self.after.as_ref().is_some_and(|after| place <= *after) {
            return;
        }
        if self.ordered && self.skipped < self.skip {
            self.skipped += 1;
            return;
        }
        let room = self.room();
        if self.kept.len() >= room {
            match self.kept.last_key_value() {
                Some((last, _)) if place < *last => self.kept.pop_last(),
                Some(_) | None => return,
            };
        }
        self.kept.insert(place, value());
    }

    /// Whether no later match can change the page. Only where they come in order. A store may stop then,
    /// unless the query asks for the total.
    pub fn is_full(&self) -> bool {
        self.ordered && self.kept.len() >= self.room()
    }

    /// How many matches it has seen.
    pub fn matches(&self) -> u64 {
        self.matches
    }

    /// The page, with the position of each record, and whether more follow.
    pub fn finish(self) -> (Vec<(Position, T)>, bool) {
        let skip = if self.ordered { 0 } else { self.skip };
        let mut page: Vec<(Place, T)> = self.kept.into_iter().skip(skip).collect();
        let more = page.len() > self.count;
        page.truncate(self.count);
        let page = page.into_iter().map(|(Place { key, id, .. }, value)| (Position { key, id }, value));
        (page.collect(), more)
    }

    /// How many it keeps: the page, one more to know whether more follow, and what it cannot skip yet.
    fn room(&self) -> usize {
        let before = if self.ordered { 0 } else { self.skip };
        before.saturating_add(self.count).saturating_add(1)
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_key = match self.descending {
            true => other.key.cmp(&self.key),
            false => self.key.cmp(&other.key),
        };
        by_key.then_with(|| self.id.cmp(&other.id))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
