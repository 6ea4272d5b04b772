//! What is kept of one tenant, what a draft may ask of it, and the answers to queries.
//!
//! What a filter means and where a page begins is decided in `scim-core` and `scim-store`; what is found here
//! is only who the candidates are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim_core::person::Derived;
use scim_core::time::Timestamp;
use scim_store::draft::{Claim, Counts, Existing, Going, Kept, Stored};
use scim_store::plan::{Plan, Source};
use scim_store::window::Window;
use scim_store::{
    Audited, Change, Edge, EdgePage, EdgeQuery, Page, PersonPage, PersonQuery, PersonRecord, Query, Record,
    ReportQuery, Reported, Side, StoreError,
};

use crate::journal::Line;
use crate::reports::Reports;

/// One tenant.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct State {
    pub(crate) counts: Counts,
    resources: BTreeMap<String, Stored>,
    /// By resource and path. No read reaches these.
    hidden: BTreeMap<(String, String), String>,
    persons: BTreeMap<String, Derived>,
    /// Group and member, and the number of the change that linked them.
    links: BTreeMap<(String, String), u64>,
    pub(crate) changes: Vec<Change>,
    pub(crate) audit: Vec<Audited>,
    reports: Reports,
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
                needed.insert(&mut document, others.map(|(other, _)| (&*other.id, &*other.resource_type)));
            }
            if filter.is_none_or(|filter| filter.matches(&document)) {
                window.push(key, &record.id, || record.clone());
            }
        }
        let total = query.total.then(|| window.matches());
        let (found, more) = window.finish();
        Ok(Page::of(query, total, found, more))
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
        let known: BTreeSet<&str> = query.of.iter().map(String::as_str).collect();
        let edge = |of: &str, other: &Record, since: u64| Edge {
            of: of.to_owned(),
            id: other.id.clone(),
            resource_type: Arc::clone(&other.resource_type),
            label: other.label.clone(),
            since,
        };
        let of_one = |of| self.others(query.side, of).map(move |(other, since)| edge(of, other, since));
        let all = known.into_iter().flat_map(of_one);
        let is_after = |edge: &Edge| match &query.after {
            Some((of, id)) => (&edge.of, &edge.id) > (of, id),
            None => true,
        };
        let mut rest = all.filter(is_after);
        let edges = rest.by_ref().take(query.count).collect();
        EdgePage { edges, more: rest.next().is_some() }
    }

    /// The members of a group, or the groups of a member, by identifier, and since when they are.
    fn others<'a>(&'a self, side: Side, of: &'a str) -> impl Iterator<Item = (&'a Record, u64)> {
        let other = move |((group, member), since): (&'a (String, String), &u64)| match side {
            Side::Members => (group == of).then_some((member, *since)),
            Side::Groups => (member == of).then_some((group, *since)),
        };
        self.links.iter().filter_map(other).filter_map(|(id, since)| Some((self.record(id)?, since)))
    }

    /// Who is in several groups of one type.
    pub(crate) fn crowded(&self, after: Option<&str>, count: usize) -> Vec<String> {
        let members: BTreeSet<&String> = self.links.keys().map(|(_, member)| member).collect();
        let is_crowded = |member: &&String| {
            let mut types = BTreeSet::new();
            self.others(Side::Groups, member).any(|(group, _)| !types.insert(&group.resource_type))
        };
        let rest = members.into_iter().filter(|member| after.is_none_or(|after| member.as_str() > after));
        rest.filter(is_crowded).take(count).cloned().collect()
    }

    pub(crate) fn persons(&self, query: &PersonQuery) -> PersonPage {
        let person = |(id, derived): (&String, &Derived)| {
            let groups = self.others(Side::Groups, id);
            let groups = groups.map(|(group, since)| (since, &*group.id, &*group.label));
            Some(PersonRecord::new(self.record(id)?, derived.clone(), groups))
        };
        match query {
            PersonQuery::Of(ids) => {
                let is_asked_for = |(id, _): &(&String, &Derived)| ids.contains(id);
                let persons = self.persons.iter().filter(is_asked_for).filter_map(person).collect();
                PersonPage { persons, more: false }
            }
            PersonQuery::Page { after, count } => {
                let is_left = |(id, _): &(&String, &Derived)| after.as_ref().is_none_or(|after| *id > after);
                let mut rest = self.persons.iter().filter(is_left);
                let persons = rest.by_ref().take(*count).filter_map(person).collect();
                PersonPage { persons, more: rest.next().is_some() }
            }
        }
    }

    pub(crate) fn reports(&self, query: &ReportQuery) -> Vec<Reported> {
        self.reports.page(query)
    }

    fn are_linked(&self, group: &str, member: &str) -> bool {
        self.links.contains_key(&(group.to_owned(), member.to_owned()))
    }

    /// Makes a line true that was written. It cannot fail.
    pub(crate) fn apply(&mut self, line: Line) {
        let Line { tenant: _, at, counts, written, deleted, forgotten, hidden, persons, links, .. } = line;
        let Line { changes, settled, removed, said, audit, .. } = line;
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
        for (id, person) in persons {
            match person {
                Some(person) => self.persons.insert(id, person.into()),
                None => self.persons.remove(&id),
            };
        }
        for (group, member, since) in links {
            match since {
                Some(since) => self.links.insert((group, member), since),
                None => self.links.remove(&(group, member)),
            };
        }
        settled.into_iter().for_each(|number| self.reports.settle(number));
        removed.into_iter().for_each(|number| self.reports.remove(number));
        said.into_iter().for_each(|said| self.reports.add(said.into()));
        self.counts = counts.into();
        self.changes.extend(changes.into_iter().map(Change::from));
        if let Some(entry) = audit {
            let number = self.audit.len() as u64 + 1;
            self.audit.push(Audited {
                number,
                sequence: self.counts.sequence,
                at: Timestamp(at),
                entry: entry.into(),
            });
        }
    }
}

/// What a draft asks. A store that cannot answer at once says so with an error, and the draft is given up.
impl Existing for State {
    fn resource(&self, id: &str) -> Result<Option<Stored>, StoreError> {
        Ok(self.resources.get(id).cloned())
    }

    fn resource_type(&self, id: &str) -> Result<Option<Arc<str>>, StoreError> {
        Ok(self.record(id).map(|record| Arc::clone(&record.resource_type)))
    }

    fn hidden(&self, id: &str, path: &str) -> Result<Option<String>, StoreError> {
        Ok(self.hidden.get(&(id.to_owned(), path.to_owned())).cloned())
    }

    fn person(&self, id: &str) -> Result<Option<Derived>, StoreError> {
        Ok(self.persons.get(id).cloned())
    }

    fn is_linked(&self, group: &str, member: &str) -> Result<bool, StoreError> {
        Ok(self.are_linked(group, member))
    }

    fn linked(&self, side: Side, of: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.others(side, of).map(|(other, _)| other.id.clone()).collect())
    }

    fn holder(&self, claim: &Claim) -> Result<Option<String>, StoreError> {
        let holds = |stored: &&Stored| stored.claims().any(|claimed| claimed == *claim);
        Ok(self.resources.values().find(holds).map(|stored| stored.record.id.clone()))
    }

    fn reports_about(&self, subject: &str) -> Result<Vec<Kept>, StoreError> {
        Ok(self.reports.about(subject))
    }

    fn subjects_below(&self, beginning: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.reports.below(beginning))
    }

    fn reports_to_go(&self, count: usize) -> Result<Vec<Going>, StoreError> {
        Ok(self.reports.to_go(count))
    }
}
