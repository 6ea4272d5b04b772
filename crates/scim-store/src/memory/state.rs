//! What is kept of one tenant, and how a finished draft gets into it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim_core::key::Key;

use crate::draft::{Claim, Draft, Existing, Stored};
use crate::{Audited, Change, Committed, Edge, EdgePage, EdgeQuery, Record, Side, StoreError};

/// One tenant.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) sequence: u64,
    resources: BTreeMap<String, Stored>,
    hidden: BTreeMap<(String, Arc<str>), String>,
    /// Identifiers of each resource type.
    pub(super) types: BTreeMap<Arc<str>, BTreeSet<String>>,
    /// Who has a unique value, by resource type.
    unique: BTreeMap<Claim, String>,
    /// By resource type and path; whether an entry is leading.
    pub(super) index: BTreeMap<(Arc<str>, Arc<str>), Entries>,
    /// Group, member.
    members: BTreeSet<(String, String)>,
    /// Member, group.
    groups: BTreeSet<(String, String)>,
    changes: Vec<Change>,
    audit: Vec<Audited>,
}

/// The entries of one index.
pub(super) type Entries = BTreeMap<(Key, String), bool>;

impl State {
    pub(super) fn record(&self, id: &str) -> Option<&Record> {
        self.resources.get(id).map(|stored| &stored.record)
    }

    /// The other sides of a resource's memberships, ascending.
    pub(super) fn others<'a>(&'a self, side: Side, of: &'a str) -> impl Iterator<Item = &'a str> {
        let pairs = match side {
            Side::Members => &self.members,
            Side::Groups => &self.groups,
        };
        let first = (of.to_owned(), String::new());
        pairs.range(first..).take_while(move |(known, _)| known == of).map(|(_, id)| id.as_str())
    }

    pub(super) fn edges(&self, query: &EdgeQuery) -> EdgePage {
        let known: BTreeSet<&str> = query.of.iter().map(String::as_str).collect();
        let all = known.into_iter().flat_map(|of| self.others(query.side, of).map(move |id| (of, id)));
        let after = query.after.as_ref().map(|(of, id)| (of.as_str(), id.as_str()));
        let mut rest = all.filter(|pair| after.is_none_or(|after| *pair > after));
        let edge = |(of, id): (&str, &str)| {
            let record = self.record(id)?;
            Some(Edge {
                of: of.to_owned(),
                id: id.to_owned(),
                resource_type: Arc::clone(&record.resource_type),
                label: record.label.clone(),
            })
        };
        let edges = rest.by_ref().take(query.count).filter_map(edge).collect();
        EdgePage { edges, more: rest.next().is_some() }
    }

    pub(super) fn changes(&self, after: u64, count: usize) -> Vec<Change> {
        self.changes.iter().skip(after.try_into().unwrap_or(usize::MAX)).take(count).cloned().collect()
    }

    pub(super) fn audit(&self, after: u64, count: usize) -> Vec<Audited> {
        self.audit.iter().skip(after.try_into().unwrap_or(usize::MAX)).take(count).cloned().collect()
    }

    /// Makes a draft true. It cannot fail.
    pub(super) fn apply(&mut self, draft: Draft) -> Committed {
        let Draft { at, sequence, resources, hidden, links, changes, applied, audit } = draft;
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
        for ((group, member), is_linked) in links {
            let reverse = (member.clone(), group.clone());
            if is_linked {
                self.members.insert((group, member));
                self.groups.insert(reverse);
            } else {
                self.members.remove(&(group, member));
                self.groups.remove(&reverse);
            }
        }
        self.sequence = sequence;
        self.changes.extend(changes);
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

    fn exists(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.resources.contains_key(id))
    }

    fn hidden(&self, id: &str, path: &str) -> Result<Option<String>, StoreError> {
        Ok(self.hidden.get(&(id.to_owned(), path.into())).cloned())
    }

    fn is_linked(&self, group: &str, member: &str) -> Result<bool, StoreError> {
        Ok(self.members.contains(&(group.to_owned(), member.to_owned())))
    }

    fn linked(&self, side: Side, of: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.others(side, of).map(str::to_owned).collect())
    }

    fn holder(&self, claim: &Claim) -> Result<Option<String>, StoreError> {
        Ok(self.unique.get(claim).cloned())
    }
}
