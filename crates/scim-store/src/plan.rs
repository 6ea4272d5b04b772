//! Plans: how a store finds the resources of a query without reading all of them.
//!
//! A [`Plan`] is made from a resolved filter and a sort, and is the same for every store. It names a [`Source`] that
//! holds every resource that matches, and perhaps more; unless the plan is `exact`, the store finishes with
//! [`Filter::matches`]. It never decides what a filter means.
//!
//! What it relies on: a resource has one leading entry for each indexed path, [`Key::absent`] where it has no value, and
//! further entries for further values. Every value has an entry, except in sub-attributes with several values, which
//! are therefore never narrowed by.
//!
//! # Following a plan
//!
//! Go through the source, keep to resources of the query's type, and show each that matches to a
//! [`Window`](crate::window::Window), once: a range that is not `distinct` and a union can lead to a resource
//! more than once. If the plan is not `exact`, one matches if the filter accepts its
//! [document](crate::Record::document), into which the memberships that the plan asks for were
//! [inserted](Memberships::insert). Where the plan is `exact`, its source alone decides, and it asks for no
//! memberships: a store that walks more than the source has to ask whether the source holds a resource, and
//! must not leave that to the filter.

use std::collections::BTreeSet;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use scim_core::filter::{Comparison, Filter, Operand, Operator, Subject};
use scim_core::key::Key;
use scim_core::path::AttributePath;
use scim_core::schema::{Membership, ResourceType};
use scim_core::sort::Sort;
use serde_json::{Map, Value, json};

use crate::{Query, Side};

/// How to find what matches a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where to look.
    pub source: Source,
    /// Whether everything in the source matches.
    pub exact: bool,
    /// Whether a store that follows the source as it says gives resources in the order of the result.
    pub ordered: bool,
    /// The memberships that the filter needs to see.
    pub memberships: Option<Memberships>,
}

/// Resources of one type.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// None.
    Nothing,
    /// The one with this identifier, if it exists and has the type.
    Id(String),
    /// All, by identifier.
    Type {
        /// Whether the last identifier comes first.
        descending: bool,
    },
    /// Those with an entry in a range of an index.
    Index(IndexRange),
    /// Those linked to a resource, by identifier.
    Linked {
        /// What is asked for: the members of a group, or the groups of a member.
        side: Side,
        /// The resource on the other side.
        of: String,
    },
    /// Those of several sources, in no order. None of them is a union.
    Union(Vec<Source>),
}

/// A range of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexRange {
    /// The canonical path that is indexed.
    pub path: Arc<str>,
    /// Where it begins.
    pub from: Bound<Key>,
    /// Where it ends.
    pub to: Bound<Key>,
    /// Whether to look at leading entries only.
    pub leading: bool,
    /// Whether the greatest key comes first. Equal keys are in the order of identifiers either way.
    pub descending: bool,
    /// Whether no resource can have two entries in the range.
    pub distinct: bool,
}

/// The memberships that have to be in a document for a filter to see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memberships {
    /// What is asked for: members of a group, or groups of a member.
    pub side: Side,
    /// The only ones that can matter, or `None` if all do.
    pub only: Option<BTreeSet<String>>,
}

impl Plan {
    /// The plan of a query.
    pub fn new(query: &Query) -> Self {
        let resource_type = &*query.resource_type;
        let (source, exact) = match &query.filter {
            Some(filter) => Planner { resource_type }.narrow(filter),
            None => (ALL, true),
        };
        let memberships = query.filter.as_ref().filter(|_| !exact).and_then(|filter| {
            let mut needed = None;
            collect(filter, resource_type, &mut needed);
            needed
        });
        let (source, ordered) = order(source, query.sort.as_ref(), resource_type);
        Self { source, exact, ordered, memberships }
    }
}

impl Memberships {
    /// Adds memberships to a document, as filters see them. `found` are the identifiers and resource types of
    /// the resource's members or groups; those that are not among `only`, where there is such a set, may be
    /// left out.
    pub fn insert<'a>(
        &self,
        document: &mut Map<String, Value>,
        found: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        let (name, elements): (&str, Vec<Value>) = match self.side {
            Side::Members => {
                ("members", found.map(|(id, kind)| json!({ "value": id, "type": kind })).collect())
            }
            Side::Groups => ("groups", found.map(|(id, _)| json!({ "value": id })).collect()),
        };
        if !elements.is_empty() {
            document.insert(name.to_owned(), Value::Array(elements));
        }
    }
}

impl IndexRange {
    /// The one key that the range consists of.
    pub fn point(&self) -> Option<&Key> {
        match (&self.from, &self.to) {
            (Bound::Included(from), Bound::Included(to)) if from == to => Some(from),
            _ => None,
        }
    }

    /// Whether a key is in it. An entry is, if its path is that of the range besides, and it is leading where
    /// the range asks for that.
    pub fn contains(&self, key: &Key) -> bool {
        (self.from.as_ref(), self.to.as_ref()).contains(key)
    }

    /// Whether no key can be in it.
    pub fn is_empty(&self) -> bool {
        match (&self.from, &self.to) {
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => {
                from >= to
            }
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        }
    }

    /// Narrows it to what `other` holds too. Both are of one path.
    fn intersect(&mut self, other: Self) {
        let from_later = match (&self.from, &other.from) {
            (_, Bound::Unbounded) => false,
            (Bound::Unbounded, _) => true,
            (Bound::Included(a), Bound::Excluded(b)) => b >= a,
            (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => b > a,
        };
        let to_sooner = match (&self.to, &other.to) {
            (_, Bound::Unbounded) => false,
            (Bound::Unbounded, _) => true,
            (Bound::Included(a), Bound::Excluded(b)) => b <= a,
            (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => b < a,
        };
        if from_later {
            self.from = other.from;
        }
        if to_sooner {
            self.to = other.to;
        }
    }
}

const ALL: Source = Source::Type { descending: false };

/// Chooses the direction of a source, or another source if nothing is narrowed and an index has the order.
fn order(source: Source, sort: Option<&Sort>, resource_type: &ResourceType) -> (Source, bool) {
    let Some(sort) = sort else {
        let by_id = match &source {
            Source::Nothing | Source::Id(_) | Source::Type { .. } | Source::Linked { .. } => true,
            Source::Index(range) => range.point().is_some(),
            Source::Union(_) => false,
        };
        return (source, by_id);
    };
    let Sort { path, descending } = sort;
    let is_indexed = resource_type.indexed().contains(path);
    match source {
        Source::Nothing | Source::Id(_) => (source, true),
        Source::Type { .. } if is_id(path) => (Source::Type { descending: *descending }, true),
        Source::Type { .. } if is_indexed => {
            let range = IndexRange {
                path: path.to_string().into(),
                from: Bound::Unbounded,
                to: Bound::Unbounded,
                leading: true,
                descending: *descending,
                distinct: true,
            };
            (Source::Index(range), true)
        }
        Source::Index(range) if is_single(path) && *range.path == path.to_string() => {
            (Source::Index(IndexRange { leading: true, descending: *descending, ..range }), true)
        }
        Source::Type { .. } | Source::Index(_) | Source::Linked { .. } | Source::Union(_) => (source, false),
    }
}

struct Planner<'a> {
    resource_type: &'a ResourceType,
}

impl Planner<'_> {
    /// A source that holds all that match, and whether it holds nothing else.
    fn narrow(&self, filter: &Filter) -> (Source, bool) {
        match filter {
            Filter::And(parts) => all(parts.iter().map(|part| self.narrow(part)).collect()),
            Filter::Or(parts) => any(parts.iter().map(|part| self.narrow(part)).collect()),
            Filter::Never => (Source::Nothing, true),
            Filter::Compare(comparison) => self.compare(comparison, comparison.subject.path()),
            Filter::Present(subject) => (self.present(subject.path()), false),
            Filter::Element { path, filter } => self.element(path, filter),
            Filter::Not(_) => (ALL, false),
        }
    }

    /// Inside brackets the parts only narrow: which values belong to one element is not in an index.
    fn element(&self, around: &AttributePath, filter: &Filter) -> (Source, bool) {
        let inexact = |source| (source, false);
        match filter {
            Filter::And(parts) => {
                inexact(all(parts.iter().map(|part| self.element(around, part)).collect()).0)
            }
            Filter::Or(parts) => {
                inexact(any(parts.iter().map(|part| self.element(around, part)).collect()).0)
            }
            Filter::Compare(Comparison { operand: Operand::Null, .. }) => inexact(ALL),
            Filter::Compare(comparison) => self.compare(comparison, &within(around, &comparison.subject)),
            Filter::Present(subject) => inexact(self.present(&within(around, subject))),
            Filter::Never => (Source::Nothing, true),
            Filter::Not(_) | Filter::Element { .. } => inexact(ALL),
        }
    }

    fn compare(&self, comparison: &Comparison, path: &AttributePath) -> (Source, bool) {
        if let (Operator::Eq, Operand::Text(text)) = (comparison.operator, &comparison.operand)
            && path.leaf().is_case_exact()
        {
            if is_id(path) {
                return (Source::Id(text.to_string()), true);
            }
            if let Some(side) = membership(path, self.resource_type) {
                return match is_value(path) {
                    true => (Source::Linked { side: other(side), of: text.to_string() }, true),
                    false => (ALL, false),
                };
            }
        }
        if !self.has_index(path) {
            return (ALL, false);
        }
        let key = match &comparison.operand {
            Operand::Null if comparison.operator == Operator::Eq => return (self.no_value(path), false),
            Operand::Null => return (self.present(path), false),
            Operand::Boolean(value) => Key::boolean(*value),
            Operand::Integer(value) => Key::integer(*value),
            Operand::Decimal(value) => Key::decimal(*value),
            Operand::Text(text) => Key::text(text),
            Operand::Instant(value) => Key::instant(*value),
        };
        let (first, end) = (Bound::Included(Key::first_present()), Bound::Excluded(Key::after_present()));
        // Where a text is cut, greater and lesser ones can have the same key.
        let cut = key.may_be_cut();
        let beyond = |key| if cut { Bound::Included(key) } else { Bound::Excluded(key) };
        let (from, to, exact) = match comparison.operator {
            Operator::Eq => (Bound::Included(key.clone()), Bound::Included(key), !cut),
            Operator::Sw => {
                let whole = matches!(&comparison.operand, Operand::Text(text) if Key::text(text).as_bytes().len() == text.len() + 1);
                (Bound::Included(key.clone()), Bound::Excluded(key.after_prefix()), whole)
            }
            Operator::Gt => (beyond(key), end, !cut),
            Operator::Ge => (Bound::Included(key), end, !cut),
            Operator::Lt => (first, beyond(key), !cut),
            Operator::Le => (first, Bound::Included(key), !cut),
            Operator::Ne | Operator::Co | Operator::Ew => return (ALL, false),
        };
        (self.range(path, from, to), exact)
    }

    /// Everything with an entry of a value: also where the value is an empty text, which counts as none.
    fn present(&self, path: &AttributePath) -> Source {
        match self.has_index(path) {
            true => {
                self.range(path, Bound::Included(Key::first_present()), Bound::Excluded(Key::after_present()))
            }
            false => ALL,
        }
    }

    /// Everything whose leading entry is of no value, or of an empty text, which counts as none.
    fn no_value(&self, path: &AttributePath) -> Source {
        let point = |key: Key| self.range(path, Bound::Included(key.clone()), Bound::Included(key));
        Source::Union(vec![point(Key::absent()), point(Key::text(""))])
    }

    fn range(&self, path: &AttributePath, from: Bound<Key>, to: Bound<Key>) -> Source {
        let mut range = IndexRange {
            path: path.to_string().into(),
            from,
            to,
            leading: false,
            descending: false,
            distinct: is_single(path),
        };
        range.distinct |= range.point().is_some();
        match range.is_empty() {
            true => Source::Nothing,
            false => Source::Index(range),
        }
    }

    fn has_index(&self, path: &AttributePath) -> bool {
        let several = path.sub().is_some_and(|sub| sub.is_multi_valued());
        !several && self.resource_type.indexed().contains(path)
    }
}

/// All must match: the narrowest source, where ranges of one single-valued path count as one.
fn all(parts: Vec<(Source, bool)>) -> (Source, bool) {
    let mut merged: Vec<(Source, bool)> = Vec::new();
    for (source, exact) in parts {
        match source {
            Source::Type { .. } if exact => {}
            Source::Index(range) if range.distinct => {
                let same = merged.iter_mut().find_map(|(known, exact)| match known {
                    Source::Index(known) if known.distinct && known.path == range.path => {
                        Some((known, exact))
                    }
                    _ => None,
                });
                match same {
                    // Two points of a multi-valued path are distinct ranges, but one resource can be in both.
                    Some((known, both)) if known.point().is_none() || range.point().is_none() => {
                        known.intersect(range);
                        *both &= exact;
                    }
                    Some(_) | None => merged.push((Source::Index(range), exact)),
                }
            }
            source => merged.push((source, exact)),
        }
    }
    let only = merged.len() == 1;
    let best = merged.into_iter().min_by_key(|(source, _)| breadth(source));
    match best {
        Some((Source::Index(range), _)) if range.is_empty() => (Source::Nothing, true),
        Some((Source::Nothing, _)) => (Source::Nothing, true),
        Some((source, exact)) => (source, exact && only),
        None => (ALL, true),
    }
}

/// Any may match: all the sources together, if each narrows.
fn any(parts: Vec<(Source, bool)>) -> (Source, bool) {
    let mut sources: Vec<Source> = Vec::new();
    let mut exact = true;
    for (source, part_is_exact) in parts {
        exact &= part_is_exact;
        match source {
            Source::Type { .. } => return (ALL, part_is_exact),
            Source::Nothing => {}
            Source::Union(more) => sources.extend(more),
            source => sources.push(source),
        }
    }
    match sources.len() {
        0 => (Source::Nothing, true),
        1 => (sources.remove(0), exact),
        _ => (Source::Union(sources), exact),
    }
}

/// How many resources a source is likely to hold; a rank, not a number.
fn breadth(source: &Source) -> u8 {
    match source {
        Source::Nothing => 0,
        Source::Id(_) => 1,
        Source::Linked { side: Side::Groups, .. } => 4,
        Source::Linked { side: Side::Members, .. } => 5,
        Source::Index(range) => match (range.point(), &range.from, &range.to) {
            (Some(key), ..) if key.is_absent() => 8,
            (Some(_), ..) => 2,
            (None, Bound::Included(from), _) if *from == Key::first_present() => 8,
            (None, _, Bound::Excluded(to)) if *to == Key::after_present() => 7,
            (None, ..) => 6,
        },
        Source::Union(sources) => sources.iter().map(breadth).max().unwrap_or(0),
        Source::Type { .. } => 9,
    }
}

/// Gathers which memberships a filter looks at.
fn collect(filter: &Filter, resource_type: &ResourceType, needed: &mut Option<Memberships>) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter().for_each(|part| collect(part, resource_type, needed));
        }
        Filter::Not(inner) => collect(inner, resource_type, needed),
        Filter::Never => {}
        Filter::Present(subject) => need(membership(subject.path(), resource_type), None, needed),
        Filter::Compare(comparison) => {
            let path = comparison.subject.path();
            need(membership(path, resource_type), literal(comparison, path), needed);
        }
        Filter::Element { path, filter } => {
            need(membership(path, resource_type), values_of_element(filter, path), needed);
        }
    }
}

fn need(side: Option<Side>, only: Option<BTreeSet<String>>, needed: &mut Option<Memberships>) {
    let Some(side) = side else { return };
    let known = needed.get_or_insert_with(|| Memberships { side, only: Some(BTreeSet::new()) });
    known.only = match (known.only.take(), only) {
        (Some(mut known), Some(more)) => {
            known.extend(more);
            Some(known)
        }
        (None, _) | (_, None) => None,
    };
}

/// The values one of which an element must have to match.
fn values_of_element(filter: &Filter, around: &AttributePath) -> Option<BTreeSet<String>> {
    match filter {
        Filter::Compare(comparison) => literal(comparison, &within(around, &comparison.subject)),
        Filter::And(parts) => parts.iter().find_map(|part| values_of_element(part, around)),
        Filter::Or(parts) => parts.iter().try_fold(BTreeSet::new(), |mut values, part| {
            values.extend(values_of_element(part, around)?);
            Some(values)
        }),
        Filter::Never => Some(BTreeSet::new()),
        Filter::Not(_) | Filter::Present(_) | Filter::Element { .. } => None,
    }
}

/// The value that a membership is compared with, if that is all that the comparison looks at.
fn literal(comparison: &Comparison, path: &AttributePath) -> Option<BTreeSet<String>> {
    match (comparison.operator, &comparison.operand) {
        (Operator::Eq, Operand::Text(text)) if is_value(path) && path.leaf().is_case_exact() => {
            Some(BTreeSet::from([text.to_string()]))
        }
        _ => None,
    }
}

/// The path of what a subject inside brackets stands for.
fn within(around: &AttributePath, subject: &Subject) -> AttributePath {
    match subject {
        Subject::Attribute(path) => around.with_sub(Arc::clone(path.attribute())),
        Subject::Element(path) => path.clone(),
    }
}

/// Which memberships an attribute of this type shows.
fn membership(path: &AttributePath, resource_type: &ResourceType) -> Option<Side> {
    let (side, name) = match resource_type.membership()? {
        Membership::Group => (Side::Members, "members"),
        Membership::Member => (Side::Groups, "groups"),
    };
    (path.urn().is_none() && path.attribute().name() == name).then_some(side)
}

fn other(side: Side) -> Side {
    match side {
        Side::Members => Side::Groups,
        Side::Groups => Side::Members,
    }
}

fn is_value(path: &AttributePath) -> bool {
    path.sub().is_some_and(|sub| sub.name() == "value")
}

fn is_id(path: &AttributePath) -> bool {
    path.urn().is_none() && path.sub().is_none() && path.attribute().name() == "id"
}

fn is_single(path: &AttributePath) -> bool {
    !path.attribute().is_multi_valued() && !path.leaf().is_multi_valued()
}
