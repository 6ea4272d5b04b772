//! The operations of a changeset, one after the other: guards, contents, persons, versions, the log, and unique values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim_core::person::Derived;

use super::members::{Delta, Group};
use super::{Claim, Draft, Drafted, Existing, Stored};
use crate::{
    Applied, Change, ChangeKind, CommitError, Conflict, Content, Guard, IndexEntry, MemberDelta, Operation,
    Record, Side, StoreError, UniqueKey,
};

/// A draft while the operations are gone through.
pub(super) struct Drafting<'a> {
    pub(super) existing: &'a dyn Existing,
    pub(super) draft: Draft,
    /// The types of resources that the operations create in the end, and `None` for those that they delete.
    pub(super) fate: BTreeMap<String, Option<Arc<str>>>,
    /// The links of the draft from the other side: member and group, and whether they will be linked.
    pub(super) groups: BTreeMap<(String, String), bool>,
    /// Resources whose unique values are set anew, and the last operation that does it.
    claimants: BTreeMap<String, usize>,
}

/// What a change does beside members.
#[derive(Clone, Copy, Default)]
struct Touched {
    person: bool,
    renamed: bool,
}

impl<'a> Drafting<'a> {
    pub(super) fn new(existing: &'a dyn Existing, draft: Draft, operations: &[Operation]) -> Self {
        let fate = operations.iter().filter_map(fate).collect();
        Self { existing, draft, fate, groups: BTreeMap::new(), claimants: BTreeMap::new() }
    }

    /// Works all of them out.
    pub(super) fn run(mut self, operations: Vec<Operation>) -> Result<Draft, CommitError> {
        for (index, operation) in operations.into_iter().enumerate() {
            let applied = self.operation(index, operation)?;
            self.draft.applied.push(applied);
        }
        self.check_unique()?;
        Ok(self.draft)
    }

    fn operation(&mut self, index: usize, operation: Operation) -> Result<Applied, CommitError> {
        match operation {
            Operation::Create { id, resource_type, content, members } => {
                self.create(index, id, resource_type, content, members)
            }
            Operation::Replace { id, resource_type, guard, content, members, kind } => {
                let current = self.guarded(index, &id, &resource_type, guard)?;
                self.replace(index, current, content, members, kind)
            }
            Operation::Rederive { id, resource_type, guard, unique, index: entries, person } => {
                let current = self.guarded(index, &id, &resource_type, guard)?;
                self.rederive(index, current, unique, entries, person)
            }
            Operation::Delete { id, resource_type, guard } => {
                let current = self.guarded(index, &id, &resource_type, guard)?;
                self.delete(current)
            }
        }
    }

    fn create(
        &mut self,
        index: usize,
        id: String,
        resource_type: Arc<str>,
        content: Content,
        members: MemberDelta,
    ) -> Result<Applied, CommitError> {
        if self.load(&id)?.is_some() {
            return Err(Conflict::Exists { operation: index }.into());
        }
        let group = Group { operation: index, id: &id, resource_type: &resource_type };
        let delta = self.link(group, members)?;
        let touched = Touched { person: content.person.is_some(), renamed: false };
        let (created, body) = (self.draft.at, content.body.clone());
        let label = String::new();
        let record = Record { id, resource_type, version: 0, created, modified: created, label, body };
        let mut stored = Stored { record, unique: Vec::new(), index: Vec::new() };
        self.fill(index, &mut stored, content, touched.person);
        Ok(self.change(stored, ChangeKind::Created, delta, touched))
    }

    fn replace(
        &mut self,
        index: usize,
        mut current: Stored,
        content: Option<Content>,
        members: MemberDelta,
        kind: ChangeKind,
    ) -> Result<Applied, CommitError> {
        let Record { id, resource_type, version, created, modified, label, .. } = &current.record;
        let delta = self.relink(Group { operation: index, id, resource_type }, members)?;
        let mut touched = Touched::default();
        if let Some(content) = &content {
            touched.person = self.person(id)? != content.person;
            touched.renamed = *label != content.label;
        }
        let content = match content {
            Some(content) if touched.person || self.differs(&current.record, &content)? => Some(content),
            Some(_) | None => None,
        };
        if content.is_none() && delta.0.is_empty() && delta.1.is_empty() {
            return Ok(Applied { version: *version, created: *created, modified: *modified, changed: false });
        }
        let Some(content) = content else {
            return Ok(self.change(current, ChangeKind::MembersChanged, delta, Touched::default()));
        };
        self.fill(index, &mut current, content, touched.person);
        Ok(self.change(current, kind, delta, touched))
    }

    fn rederive(
        &mut self,
        operation: usize,
        current: Stored,
        unique: Vec<UniqueKey>,
        mut index: Vec<IndexEntry>,
        person: Option<Derived>,
    ) -> Result<Applied, CommitError> {
        let Record { id, resource_type, version, created, modified, .. } = &current.record;
        let (version, created, modified) = (*version, *created, *modified);
        for entry in &mut index {
            entry.settle(created, modified);
        }
        let changed = self.person(id)? != person;
        if changed {
            self.draft.persons.insert(id.clone(), person);
            let touched = Touched { person: true, renamed: false };
            self.log(ChangeKind::PersonChanged, resource_type, id, Delta::default(), touched);
        }
        self.claimants.insert(id.clone(), operation);
        if let Some(drafted) = self.draft.resources.get_mut(id) {
            drafted.new = Some(Stored { record: current.record, unique, index });
        }
        Ok(Applied { version, created, modified, changed })
    }

    fn delete(&mut self, current: Stored) -> Result<Applied, CommitError> {
        let Record { id, resource_type, created, .. } = current.record;
        let groups = self.linked(Side::Groups, &id)?;
        let members = self.linked(Side::Members, &id)?;
        self.remove_links(&id, &members);
        for group in &groups {
            self.remove_links(group, &BTreeSet::from([id.clone()]));
        }
        if let Some(drafted) = self.draft.resources.get_mut(&id) {
            drafted.new = None;
            drafted.anew = true;
        }
        self.draft.hidden.retain(|(of, _), _| *of != id);
        self.claimants.remove(&id);
        let touched = Touched { person: self.person(&id)?.is_some(), renamed: false };
        if touched.person {
            self.draft.persons.insert(id.clone(), None);
        }
        let delta = (BTreeSet::new(), members);
        let version = self.log(ChangeKind::Deleted, &resource_type, &id, delta, touched);
        for group in groups {
            if let Some(group) = self.load(&group)? {
                let removed = BTreeSet::from([id.clone()]);
                let delta = (BTreeSet::new(), removed);
                self.change(group, ChangeKind::MembersChanged, delta, Touched::default());
            }
        }
        Ok(Applied { version, created, modified: self.draft.at, changed: true })
    }

    /// A resource as the operations so far have left it.
    fn load(&mut self, id: &str) -> Result<Option<Stored>, StoreError> {
        if let Some(drafted) = self.draft.resources.get(id) {
            return Ok(drafted.new.clone());
        }
        let Some(old) = self.existing.resource(id)? else { return Ok(None) };
        let drafted = Drafted { old: Some(old.clone()), new: Some(old.clone()), anew: false };
        self.draft.resources.insert(id.to_owned(), drafted);
        Ok(Some(old))
    }

    /// The type of a resource as the operations so far have left it.
    pub(super) fn resource_type(&self, id: &str) -> Result<Option<Arc<str>>, StoreError> {
        match self.draft.resources.get(id) {
            Some(drafted) => Ok(drafted.new.as_ref().map(|stored| Arc::clone(&stored.record.resource_type))),
            None => self.existing.resource_type(id),
        }
    }

    /// The person of a resource as the operations so far have left it.
    fn person(&self, id: &str) -> Result<Option<Derived>, StoreError> {
        match self.draft.persons.get(id) {
            Some(person) => Ok(person.clone()),
            None => self.existing.person(id),
        }
    }

    fn guarded(
        &mut self,
        operation: usize,
        id: &str,
        kind: &str,
        guard: Guard,
    ) -> Result<Stored, CommitError> {
        let stored = self.load(id)?.filter(|stored| *stored.record.resource_type == *kind);
        let stored = stored.ok_or(Conflict::Missing { operation })?;
        match guard {
            Guard::Version(version) if version != stored.record.version => {
                Err(Conflict::Version { operation, current: stored.record.version }.into())
            }
            Guard::Version(_) | Guard::Exists => Ok(stored),
        }
    }

    /// Whether the content is not what the resource has.
    fn differs(&self, record: &Record, content: &Content) -> Result<bool, StoreError> {
        if content.body != record.body {
            return Ok(true);
        }
        for hidden in &content.hidden {
            let key = (record.id.clone(), Arc::clone(&hidden.path));
            let current = match (self.draft.hidden.get(&key), self.draft.resources.get(&record.id)) {
                (Some(drafted), _) => drafted.clone(),
                (None, Some(Drafted { old: None, .. } | Drafted { anew: true, .. })) => None,
                (None, _) => self.existing.hidden(&record.id, &hidden.path)?,
            };
            if current != hidden.value {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fill(&mut self, operation: usize, stored: &mut Stored, content: Content, other_person: bool) {
        let Content { label, body, unique, index, hidden, person } = content;
        let id = &stored.record.id;
        for hidden in hidden {
            self.draft.hidden.insert((id.clone(), hidden.path), hidden.value);
        }
        if other_person {
            self.draft.persons.insert(id.clone(), person);
        }
        self.claimants.insert(id.clone(), operation);
        stored.record.label = label;
        stored.record.body = body;
        stored.unique = unique;
        stored.index = index;
    }

    /// Gives a resource its new version and logs it.
    fn change(&mut self, mut stored: Stored, kind: ChangeKind, delta: Delta, touched: Touched) -> Applied {
        let Record { id, resource_type, created, .. } = &stored.record;
        let (created, modified) = (*created, self.draft.at);
        let version = self.log(kind, resource_type, id, delta, touched);
        stored.record.version = version;
        stored.record.modified = modified;
        for entry in &mut stored.index {
            entry.settle(created, modified);
        }
        let absent = || Drafted { old: None, new: None, anew: false };
        let drafted = self.draft.resources.entry(stored.record.id.clone()).or_insert_with(absent);
        drafted.new = Some(stored);
        Applied { version, created, modified, changed: true }
    }

    fn log(
        &mut self,
        kind: ChangeKind,
        resource_type: &Arc<str>,
        id: &str,
        delta: Delta,
        touched: Touched,
    ) -> u64 {
        self.draft.counts.sequence += 1;
        let sequence = self.draft.counts.sequence;
        self.draft.changes.push(Change {
            sequence,
            at: self.draft.at,
            kind,
            resource_type: Arc::clone(resource_type),
            id: id.to_owned(),
            added: delta.0.into_iter().collect(),
            removed: delta.1.into_iter().collect(),
            person: touched.person,
            renamed: touched.renamed,
        });
        sequence
    }

    /// Checks the claims of everything that was written, in the order of the operations.
    fn check_unique(&self) -> Result<(), CommitError> {
        let mut in_order: Vec<(usize, &String)> =
            self.claimants.iter().map(|(id, operation)| (*operation, id)).collect();
        in_order.sort_unstable();
        let mut claimed: BTreeMap<Claim, &String> = BTreeMap::new();
        for (operation, id) in in_order {
            let stored = self.draft.resources.get(id).and_then(|drafted| drafted.new.as_ref());
            for claim in stored.into_iter().flat_map(Stored::claims) {
                let holder = match claimed.get(&claim) {
                    Some(holder) => Some((*holder).clone()),
                    None => self.existing.holder(&claim)?.filter(|holder| self.keeps_claims(holder)),
                };
                match holder {
                    Some(holder) if holder != *id => {
                        return Err(Conflict::Unique { operation, path: claim.path, holder }.into());
                    }
                    Some(_) | None => claimed.insert(claim, id),
                };
            }
        }
        Ok(())
    }

    fn keeps_claims(&self, holder: &str) -> bool {
        let is_gone = self.draft.resources.get(holder).is_some_and(|drafted| drafted.new.is_none());
        !is_gone && !self.claimants.contains_key(holder)
    }
}

fn fate(operation: &Operation) -> Option<(String, Option<Arc<str>>)> {
    match operation {
        Operation::Create { id, resource_type, .. } => Some((id.clone(), Some(Arc::clone(resource_type)))),
        Operation::Delete { id, .. } => Some((id.clone(), None)),
        Operation::Replace { .. } | Operation::Rederive { .. } => None,
    }
}
