//! What is kept of one tenant, what a draft may ask of it, and the answers to queries.
//!
//! What a filter means and where a page begins is decided in `scim-core` and `scim-store`; what is found here
//! is only who the candidates are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim_core::time::Timestamp;
use scim_store::draft::{Claim, Existing, Stored};
use scim_store::plan::{Plan, Source};
use scim_store::window::Window;
use scim_store::{Audited, Change, Edge, EdgePage, EdgeQuery, Page, Query, Record, Side, StoreError};

use crate::journal::Line;

/// One tenant.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct State {
    /// The number of the latest change.
    pub(crate) sequence: u64,
    resources: BTreeMap<String, Stored>,
    /// By resource and path. No read reaches these.
    hidden: BTreeMap<(String, String), String>,
    /// Group and member.
    links: BTreeSet<(String, String)>,
    pub(crate) changes: Vec<Change>,
    pub(crate) audit: Vec<Audited>,
}

impl State {
    pub(crate) fn record(&self, id: &str) -> Option<&Record> {
        self.resources.get(id).map(|stored| &stored.record)
    }

    /// A page of what matches.
    pub(crate) fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let plan = Plan::new(query);
        // Everything in an exact source matches; otherwise the filter decides.
        let filter = query.filter.as_ref().filter(|_| !plan.exact);
        let mut window = Window::new(query, query.sort.is_none());
        for Stored { record, index, .. } in self.resources.values() {
            if window.is_full() && !query.total {
                break;
            }
            let is_candidate = *record.resource_type == *query.resource_type.name()
                && self.is_in(&plan.source, &record.id, index);
            if !is_candidate {
                continue;
            }
            let mut document = record.document().map_err(|error| StoreError::Fault(error.into()))?;
            let key = query.sort.as_ref().map(|sort| sort.key(&document));
            if let Some(needed) = &plan.memberships {
                let others = self.others(needed.side, &record.id);
                needed.insert(&mut document, others.map(|other| (&*other.id, &*other.resource_type)));
            }
            if filter.is_none_or(|filter| filter.matches(&document)) {
                window.push(key, &record.id, || record.clone());
            }
        }
        let total = query.total.then(|| window.matches());
        let (records, next) = window.finish();
        Ok(Page { records, total, next })
    }

    /// Whether a source holds a resource of the type that is asked for. A store with indexes begins at the
    /// source instead.
    fn is_in(&self, source: &Source, id: &str, index: &[scim_store::IndexEntry]) -> bool {
        match source {
            Source::Nothing => false,
            Source::Id(wanted) => id == wanted,
            Source::Type { .. } => true,
            Source::Index(range) => index.iter().any(|entry| {
                entry.path == range.path && range.contains(&entry.key) && (entry.leading || !range.leading)
            }),
            Source::Linked { side: Side::Members, of } => self.are_linked(of, id),
            Source::Linked { side: Side::Groups, of } => self.are_linked(id, of),
            Source::Union(sources) => sources.iter().any(|source| self.is_in(source, id, index)),
        }
    }

    /// A page of memberships, by the known identifier and then by the other.
    pub(crate) fn edges(&self, query: &EdgeQuery) -> EdgePage {
        let known: BTreeSet<&String> = query.of.iter().collect();
        let edge = |of: &str, other: &Record| Edge {
            of: of.to_owned(),
            id: other.id.clone(),
            resource_type: Arc::clone(&other.resource_type),
            label: other.label.clone(),
        };
        let all = known.into_iter().flat_map(|of| self.others(query.side, of).map(move |id| edge(of, id)));
        let is_after = |edge: &Edge| match &query.after {
            Some((of, id)) => (&edge.of, &edge.id) > (of, id),
            None => true,
        };
        let mut rest = all.filter(is_after);
        let edges = rest.by_ref().take(query.count).collect();
        EdgePage { edges, more: rest.next().is_some() }
    }

    /// The members of a group, or the groups of a member, by identifier.
    fn others<'a>(&'a self, side: Side, of: &'a str) -> impl Iterator<Item = &'a Record> {
        let other = move |(group, member): &'a (String, String)| match side {
            Side::Members => (group == of).then_some(member),
            Side::Groups => (member == of).then_some(group),
        };
        self.links.iter().filter_map(other).filter_map(|id| self.record(id))
    }

    fn are_linked(&self, group: &str, member: &str) -> bool {
        self.links.contains(&(group.to_owned(), member.to_owned()))
    }

    /// Makes a line true that was written. It cannot fail.
    pub(crate) fn apply(&mut self, line: Line) {
        let Line { tenant: _, at, sequence, written, deleted, forgotten, hidden, links, changes, audit } =
            line;
        for id in deleted {
            self.resources.remove(&id);
        }
        for stored in written {
            let stored = Stored::from(stored);
            self.resources.insert(stored.record.id.clone(), stored);
        }
        self.hidden.retain(|(id, _), _| !forgotten.contains(id));
        for (id, path, value) in hidden {
            match value {
                Some(value) => self.hidden.insert((id, path), value),
                None => self.hidden.remove(&(id, path)),
            };
        }
        for (group, member, is_linked) in links {
            match is_linked {
                true => self.links.insert((group, member)),
                false => self.links.remove(&(group, member)),
            };
        }
        self.sequence = sequence;
        self.changes.extend(changes.into_iter().map(Change::from));
        if let Some(entry) = audit {
            let number = self.audit.len() as u64 + 1;
            self.audit.push(Audited { number, sequence, at: Timestamp(at), entry: entry.into() });
        }
    }
}

/// What a draft asks. A store that cannot answer at once says so with an error, and the draft is given up.
impl Existing for State {
    fn resource(&self, id: &str) -> Result<Option<Stored>, StoreError> {
        Ok(self.resources.get(id).cloned())
    }

    fn exists(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.resources.contains_key(id))
    }

    fn hidden(&self, id: &str, path: &str) -> Result<Option<String>, StoreError> {
        Ok(self.hidden.get(&(id.to_owned(), path.to_owned())).cloned())
    }

    fn is_linked(&self, group: &str, member: &str) -> Result<bool, StoreError> {
        Ok(self.are_linked(group, member))
    }

    fn linked(&self, side: Side, of: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.others(side, of).map(|other| other.id.clone()).collect())
    }

    fn holder(&self, claim: &Claim) -> Result<Option<String>, StoreError> {
        let holds = |stored: &&Stored| stored.claims().any(|claimed| claimed == *claim);
        Ok(self.resources.values().find(holds).map(|stored| stored.record.id.clone()))
    }
}
