//! What is kept of one tenant, and how a finished draft gets into it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use scim_core::key::Key;
use scim_core::person::Derived;

use super::reports::Reports;
use crate::draft::{Claim, Counts, Draft, Existing, Going, Kept, Stored};
use crate::{
    Audited, Change, Committed, Edge, EdgePage, EdgeQuery, PersonPage, PersonQuery, PersonRecord, Record,
    ReportQuery, Reported, Side, StoreError,
};

/// One tenant.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) counts: Counts,
    resources: BTreeMap<String, Stored>,
    hidden: BTreeMap<(String, Arc<str>), String>,
    persons: BTreeMap<String, Derived>,
    /// Identifiers of each resource type.
    pub(super) types: BTreeMap<Arc<str>, BTreeSet<String>>,
    /// Who has a unique value, by resource type.
    unique: BTreeMap<Claim, String>,
    /// By resource type and path; whether an entry is leading.
    pub(super) index: BTreeMap<(Arc<str>, Arc<str>), Entries>,
    /// Group, member; the number of the change that made it.
    members: BTreeMap<(String, String), u64>,
    /// Member, group; the same number.
    groups: BTreeMap<(String, String), u64>,
    changes: Vec<Change>,
    audit: Vec<Audited>,
    reports: Reports,
}

/// The entries of one index.
pub(super) type Entries = BTreeMap<(Key, String), bool>;

impl State {
    pub(super) fn record(&self, id: &str) -> Option<&Record> {
        self.resources.get(id).map(|stored| &stored.record)
    }

    /// The other sides of a resource's memberships, ascending, and since when they are.
    pub(super) fn others<'a>(&'a self, side: Side, of: &'a str) -> impl Iterator<Item = (&'a str, u64)> {
        let pairs = match side {
            Side::Members => &self.members,
            Side::Groups => &self.groups,
        };
        let first = (of.to_owned(), String::new());
        pairs
            .range(first..)
            .take_while(move |((known, _), _)| known == of)
            .map(|((_, id), since)| (id.as_str(), *since))
    }

    pub(super) fn edges(&self, query: &EdgeQuery) -> EdgePage {
        let known: BTreeSet<&str> = query.of.iter().map(String::as_str).collect();
        let all = known
            .into_iter()
            .flat_map(|of| self.others(query.side, of).map(move |(id, since)| (of, id, since)));
        let after = query.after.as_ref().map(|(of, id)| (of.as_str(), id.as_str()));
        let mut rest = all.filter(|(of, id, _)| after.is_none_or(|after| (*of, *id) > after));
        let edge = |(of, id, since): (&str, &str, u64)| {
            let record = self.record(id)?;
            Some(Edge {
                of: of.to_owned(),
                id: id.to_owned(),
                resource_type: Arc::clone(&record.resource_type),
                label: record.label.clone(),
                since,
            })
        };
        let edges = rest.by_ref().take(query.count).filter_map(edge).collect();
        EdgePage { edges, more: rest.next().is_some() }
    }

    pub(super) fn crowded(&self, after: Option<&str>, count: usize) -> Vec<String> {
        let mut crowded: Vec<String> = Vec::new();
        let mut last: Option<&str> = None;
        for (member, _) in self.groups.keys() {
            if crowded.len() == count {
                break;
            }
            if last == Some(member) || after.is_some_and(|after| member.as_str() <= after) {
                continue;
            }
            last = Some(member);
            let mut types = BTreeSet::new();
            let mut groups = self.others(Side::Groups, member).filter_map(|(group, _)| self.record(group));
            if groups.any(|group| !types.insert(&group.resource_type)) {
                crowded.push(member.clone());
            }
        }
        crowded
    }

    pub(super) fn persons(&self, query: &PersonQuery) -> PersonPage {
        let person = |(id, derived): (&String, &Derived)| {
            let groups = self.others(Side::Groups, id);
            let groups = groups.filter_map(|(id, since)| Some((since, id, self.record(id)?.label.as_str())));
            Some(PersonRecord::new(self.record(id)?, derived.clone(), groups))
        };
        match query {
            PersonQuery::Of(ids) => {
                let ids: BTreeSet<&String> = ids.iter().collect();
                let found = ids.into_iter().filter_map(|id| self.persons.get_key_value(id));
                PersonPage { persons: found.filter_map(person).collect(), more: false }
            }
            PersonQuery::Page { after, count } => {
                let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
                let mut rest = self.persons.range::<String, _>((from, Bound::Unbounded));
                let persons = rest.by_ref().take(*count).filter_map(person).collect();
                PersonPage { persons, more: rest.next().is_some() }
            }
        }
    }

    pub(super) fn reports(&self, query: &ReportQuery) -> Vec<Reported> {
        self.reports.page(query)
    }

    pub(super) fn changes(&self, after: u64, count: usize) -> Vec<Change> {
        self.changes.iter().skip(after.try_into().unwrap_or(usize::MAX)).take(count).cloned().collect()
    }

    pub(super) fn audit(&self, after: u64, count: usize) -> Vec<Audited> {
        self.audit.iter().skip(after.try_into().unwrap_or(usize::MAX)).take(count).cloned().collect()
    }

    /// Makes a draft true. It cannot fail.
    pub(super) fn apply(&mut self, draft: Draft) -> Committed {
        let Draft { at, counts, resources, hidden, persons, links, changes, reports, applied, audit } = draft;
        let sequence = counts.sequence;
        // The old claims of all go first, so that resources can swap values.
        for (id, drafted) in &resources {
            if let Some(old) = self.resources.remove(id) {
                self.forget(id, &old);
            }
            if drafted.anew {
                let values = self.hidden.range((id.clone(), "".into())..);
                let keys: Vec<_> =
                    values.map(|(key, _)| key.clone()).take_while(|(of, _)| of == id).collect();
                for key in keys {
                    self.hidden.remove(&key);
                }
            }
        }
        for (id, drafted) in resources {
            if let Some(new) = drafted.new {
                self.learn(&id, &new);
                self.resources.insert(id, new);
            }
        }
        for (key, value) in hidden {
            match value {
                Some(value) => self.hidden.insert(key, value),
                None => self.hidden.remove(&key),
            };
        }
        for (id, person) in persons {
            match person {
                Some(person) => self.persons.insert(id, person),
                None => self.persons.remove(&id),
            };
        }
        for ((group, member), since) in links {
            let reverse = (member.clone(), group.clone());
            if let Some(since) = since {
                self.members.insert((group, member), since);
                self.groups.insert(reverse, since);
            } else {
                self.members.remove(&(group, member));
                self.groups.remove(&reverse);
            }
        }
        self.changes.extend(changes);
        self.reports.apply(reports);
        self.counts = counts;
        if let Some(entry) = audit {
            let number = self.audit.len() as u64 + 1;
            self.audit.push(Audited { number, sequence, at, entry });
        }
        Committed { sequence, applied }
    }

    fn forget(&mut self, id: &str, old: &Stored) {
        for claim in old.claims() {
            self.unique.remove(&claim);
        }
        let kind = &old.record.resource_type;
        for entry in &old.index {
            if let Some(index) = self.index.get_mut(&(Arc::clone(kind), Arc::clone(&entry.path))) {
                index.remove(&(entry.key.clone(), id.to_owned()));
            }
        }
        if let Some(ids) = self.types.get_mut(kind) {
            ids.remove(id);
        }
    }

    fn learn(&mut self, id: &str, new: &Stored) {
        self.unique.extend(new.claims().map(|claim| (claim, id.to_owned())));
        let kind = &new.record.resource_type;
        for entry in &new.index {
            let index = self.index.entry((Arc::clone(kind), Arc::clone(&entry.path))).or_default();
            *index.entry((entry.key.clone(), id.to_owned())).or_default() |= entry.leading;
        }
        self.types.entry(Arc::clone(kind)).or_default().insert(id.to_owned());
    }
}

impl Existing for State {
    fn resource(&self, id: &str) -> Result<Option<Stored>, StoreError> {
        Ok(self.resources.get(id).cloned())
    }

    fn resource_type(&self, id: &str) -> Result<Option<Arc<str>>, StoreError> {
        Ok(self.record(id).map(|record| Arc::clone(&record.resource_type)))
    }

    fn hidden(&self, id: &str, path: &str) -> Result<Option<String>, StoreError> {
        Ok(self.hidden.get(&(id.to_owned(), path.into())).cloned())
    }

    fn person(&self, id: &str) -> Result<Option<Derived>, StoreError> {
        Ok(self.persons.get(id).cloned())
    }

    fn is_linked(&self, group: &str, member: &str) -> Result<bool, StoreError> {
        Ok(self.members.contains_key(&(group.to_owned(), member.to_owned())))
    }

    fn linked(&self, side: Side, of: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.others(side, of).map(|(id, _)| id.to_owned()).collect())
    }

    fn holder(&self, claim: &Claim) -> Result<Option<String>, StoreError> {
        Ok(self.unique.get(claim).cloned())
    }

    fn reports_about(&self, subject: &str) -> Result<Vec<Kept>, StoreError> {
        Ok(self.reports.about(subject).map(Kept::from).collect())
    }

    fn subjects_below(&self, beginning: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.reports.below(beginning).into_iter().collect())
    }

    fn reports_to_go(&self, count: usize) -> Result<Vec<Going>, StoreError> {
        Ok(self.reports.to_go(count))
    }
}
