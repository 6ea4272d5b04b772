//! Questions: queries over the resources of a type, over memberships, persons and reports.

use std::sync::Arc;

use scim_core::filter::Filter;
use scim_core::key::Key;
use scim_core::schema::ResourceType;
use scim_core::sort::Sort;

use crate::{PersonRecord, Record};

/// A page of the resources of one type that match a filter.
///
/// Without `sort` the order is by identifier, which is the order of creation. With it, ties are broken by
/// identifier, ascending in either direction.
#[derive(Debug, Clone)]
pub struct Query {
    /// The type.
    pub resource_type: Arc<ResourceType>,
    /// What must match. `None` matches all.
    pub filter: Option<Filter>,
    /// The order.
    pub sort: Option<Sort>,
    /// Where the page begins.
    pub start: Start,
    /// Most records on the page. 0 is allowed and asks for the total alone.
    pub count: usize,
    /// Most bytes that the bodies on the page have together. The page ends before the record that has no room any more, as
    /// it does where `count` is reached; the first always has. A store reads little more than that.
    pub bytes: usize,
    /// Whether to count all that match.
    pub total: bool,
}

impl Query {
    /// The first `count` of all resources of a type, by identifier and without a total. Whatever else is wanted is set
    /// on it: `Query { filter, ..Query::all(resource_type, 100) }`.
    pub fn all(resource_type: Arc<ResourceType>, count: usize) -> Self {
        let (start, bytes) = (Start::Offset(0), usize::MAX);
        Self { resource_type, filter: None, sort: None, start, count, bytes, total: false }
    }

    /// The room for bodies on its page.
    pub fn room(&self) -> Room {
        Room::of(self.bytes)
    }
}

/// What is left of the bytes of a page while it is put together.
#[derive(Debug)]
pub struct Room {
    bytes: usize,
    is_empty: bool,
}

impl Room {
    /// Of a page that may have so many.
    pub fn of(bytes: usize) -> Self {
        Self { bytes, is_empty: true }
    }

    /// Takes the room for the next body. Where there is not enough, the page has ended before it.
    pub fn take(&mut self, body: usize) -> bool {
        let left = self.bytes.checked_sub(body);
        let fits = left.is_some() || self.is_empty;
        self.bytes = if fits { left.unwrap_or(0) } else { 0 };
        self.is_empty = false;
        fits
    }
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// After this many records.
    Offset(u64),
    /// After this position, which need not exist any more.
    After(Position),
}

/// A place in an ordered result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The sort key, when the query sorts.
    pub key: Option<Key>,
    /// The identifier.
    pub id: String,
}

/// An answer to a [`Query`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The records, in order.
    pub records: Vec<Record>,
    /// How many match in all, if asked.
    pub total: Option<u64>,
    /// The position of the last record, if more follow.
    pub next: Option<Position>,
}

impl Page {
    /// The page of a query of which this was found, in order and as far as it has room. `more` says whether more follow.
    pub fn of(
        query: &Query,
        total: Option<u64>,
        found: impl IntoIterator<Item = (Position, Record)>,
        mut more: bool,
    ) -> Self {
        let (mut records, mut last, mut room) = (Vec::new(), None, query.room());
        for (position, record) in found {
            if !room.take(record.body.len()) {
                more = true;
                break;
            }
            records.push(record);
            last = Some(position);
        }
        Self { records, total, next: last.filter(|_| more) }
    }

    /// The question for the first `count` memberships of its records, which are on this side of them.
    pub fn memberships(&self, side: Side, count: usize) -> EdgeQuery {
        let of = self.records.iter().map(|record| record.id.clone()).collect();
        EdgeQuery { side, of, after: None, count }
    }
}

/// Which side of a membership is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The groups are known; their members are asked for.
    Members,
    /// The members are known; their groups are asked for.
    Groups,
}

/// A page of the memberships of some resources, ordered by the known identifier and then by the other.
#[derive(Debug, Clone)]
pub struct EdgeQuery {
    /// Which side is known.
    pub side: Side,
    /// The known identifiers.
    pub of: Vec<String>,
    /// Where the page begins: after this pair of known and other identifier.
    pub after: Option<(String, String)>,
    /// Most edges on the page.
    pub count: usize,
}

/// One membership, seen from the known side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The known identifier.
    pub of: String,
    /// The other one.
    pub id: String,
    /// Resource type of the other one.
    pub resource_type: Arc<str>,
    /// What the other one is called.
    pub label: String,
    /// The number of the change that made it; 0 where it was made before that was kept. A member that went and came
    /// back has a new one.
    pub since: u64,
}

/// An answer to an [`EdgeQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgePage {
    /// The memberships, in order.
    pub edges: Vec<Edge>,
    /// Whether more follow.
    pub more: bool,
}

/// Which persons are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PersonQuery {
    /// Those of these resources, which may come in any order, repeat, or lead to nothing.
    Of(Vec<String>),
    /// A page of all.
    Page {
        /// After this identifier, which need not exist any more.
        after: Option<String>,
        /// Most persons on the page.
        count: usize,
    },
}

/// An answer to a [`PersonQuery`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonPage {
    /// The persons, each once, by identifier.
    pub persons: Vec<PersonRecord>,
    /// Whether more follow.
    pub more: bool,
}

/// Which reports are asked for. They come by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportQuery {
    /// After this number.
    pub after: u64,
    /// Most reports.
    pub count: usize,
    /// Only the settled ones, or only the others.
    pub settled: Option<bool>,
    /// Only those about this subject.
    pub subject: Option<String>,
}
