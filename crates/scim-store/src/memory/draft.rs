//! A changeset worked out against a state that it does not touch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim_core::time::Timestamp;

use super::state::{Claim, State, Stored};
use crate::{
    Applied, AuditEntry, Change, ChangeKind, Changeset, Conflict, Content, Guard, MemberDelta, Operation,
    Record, Side, UnknownMembers,
};

/// What a changeset comes to: everything that differs from the state.
pub(super) struct Draft {
    pub(super) sequence: u64,
    /// Resources as they will be; `None` for one that will be gone.
    pub(super) resources: BTreeMap<String, Option<Stored>>,
    /// Group and member, and whether they will be linked.
    pub(super) links: BTreeMap<(String, String), bool>,
    pub(super) changes: Vec<Change>,
    pub(super) applied: Vec<Applied>,
    pub(super) at: Timestamp,
    pub(super) audit: Option<AuditEntry>,
}

struct Drafting<'a> {
    state: &'a State,
    draft: Draft,
    /// Which resources the operations create (`true`) or delete (`false`) in the end.
    fate: BTreeMap<String, bool>,
    /// Resources whose unique values are set anew, and the last operation that does it.
    claimants: BTreeMap<String, usize>,
}

impl Draft {
    /// Works out a changeset.
    pub(super) fn of(state: &State, changeset: Changeset) -> Result<Self, Conflict> {
        let Changeset { at, operations, audit } = changeset;
        let draft = Self {
            sequence: state.sequence,
            resources: BTreeMap::new(),
            links: BTreeMap::new(),
            changes: Vec::new(),
            applied: Vec::with_capacity(operations.len()),
            at,
            audit,
        };
        let fate = operations.iter().filter_map(fate).collect();
        let mut drafting = Drafting { state, draft, fate, claimants: BTreeMap::new() };
        for (index, operation) in operations.into_iter().enumerate() {
            let applied = drafting.operation(index, operation)?;
            drafting.draft.applied.push(applied);
        }
        drafting.check_unique()?;
        Ok(drafting.draft)
    }
}

fn fate(operation: &Operation) -> Option<(String, bool)> {
    match operation {
        Operation::Create { id, .. } => Some((id.clone(), true)),
        Operation::Delete { id, .. } => Some((id.clone(), false)),
        Operation::Replace { .. } => None,
    }
}

impl Drafting<'_> {
    fn operation(&mut self, index: usize, operation: Operation) -> Result<Applied, Conflict> {
        match operation {
            Operation::Create { id, resource_type, content, members } => {
                self.create(index, id, resource_type, content, members)
            }
            Operation::Replace { id, resource_type, guard, content, members, kind } => {
                let current = self.guarded(index, &id, &resource_type, guard)?;
                self.replace(index, current, content, members, kind)
            }
            Operation::Delete { id, resource_type, guard } => {
                let current = self.guarded(index, &id, &resource_type, guard)?;
                Ok(self.delete(current))
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
    ) -> Result<Applied, Conflict> {
        if self.current(&id).is_some() {
            return Err(Conflict::Exists { operation: index });
        }
        let added: BTreeSet<String> = self.known(index, members)?.into_iter().collect();
        for member in &added {
            self.draft.links.insert((id.clone(), member.clone()), true);
        }
        let record = Record {
            version: self.draft.sequence + 1,
            created: self.draft.at,
            modified: self.draft.at,
            label: String::new(),
            body: content.body.clone(),
            id,
            resource_type,
        };
        let mut stored = Stored { record, unique: Vec::new(), index: Vec::new(), hidden: BTreeMap::new() };
        stored.fill(content);
        self.claimants.insert(stored.record.id.clone(), index);
        Ok(self.change(stored, ChangeKind::Created, added, BTreeSet::new()))
    }

    fn replace(
        &mut self,
        index: usize,
        mut current: Stored,
        content: Option<Content>,
        members: MemberDelta,
        kind: ChangeKind,
    ) -> Result<Applied, Conflict> {
        let content = content.filter(|content| current.differs(content));
        let (added, removed) = self.relink(index, &current.record.id, members)?;
        if content.is_none() && added.is_empty() && removed.is_empty() {
            let Record { version, created, modified, .. } = current.record;
            return Ok(Applied { version, created, modified, changed: false });
        }
        let kind = if content.is_some() { kind } else { ChangeKind::MembersChanged };
        if let Some(content) = content {
            current.fill(content);
            self.claimants.insert(current.record.id.clone(), index);
        }
        Ok(self.change(current, kind, added, removed))
    }

    fn delete(&mut self, current: Stored) -> Applied {
        let Record { id, resource_type, created, .. } = current.record;
        let members: BTreeSet<String> = self.linked(Side::Members, &id);
        let groups: BTreeSet<String> = self.linked(Side::Groups, &id);
        let links = members.iter().map(|member| (id.clone(), member.clone()));
        let links = links.chain(groups.iter().map(|group| (group.clone(), id.clone())));
        self.draft.links.extend(links.map(|link| (link, false)));
        self.draft.resources.insert(id.clone(), None);
        self.claimants.remove(&id);
        let version = self.log(ChangeKind::Deleted, &resource_type, &id, BTreeSet::new(), BTreeSet::new());
        for group in groups {
            if let Some(group) = self.current(&group).cloned() {
                self.change(group, ChangeKind::MembersChanged, BTreeSet::new(), BTreeSet::from([id.clone()]));
            }
        }
        Applied { version, created, modified: self.draft.at, changed: true }
    }

    /// Applies a delta to a group's links. Returns what was added and what was removed.
    fn relink(
        &mut self,
        index: usize,
        group: &str,
        delta: MemberDelta,
    ) -> Result<(BTreeSet<String>, BTreeSet<String>), Conflict> {
        if delta.is_empty() {
            return Ok(Default::default());
        }
        let clear = delta.clear;
        let mut removed: BTreeSet<String> =
            delta.remove.iter().filter(|member| self.is_linked(group, member)).cloned().collect();
        let wanted: BTreeSet<String> = self.known(index, delta)?.into_iter().collect();
        if clear {
            removed = self.linked(Side::Members, group);
        }
        removed.retain(|member| !wanted.contains(member));
        let added: BTreeSet<String> =
            wanted.into_iter().filter(|member| !self.is_linked(group, member)).collect();
        for (members, is_linked) in [(&removed, false), (&added, true)] {
            let links = members.iter().map(|member| ((group.to_owned(), member.clone()), is_linked));
            self.draft.links.extend(links);
        }
        Ok((added, removed))
    }

    /// The members to add that will exist in the end.
    fn known(&self, index: usize, delta: MemberDelta) -> Result<Vec<String>, Conflict> {
        let exists =
            |id: &String| self.fate.get(id).copied().unwrap_or_else(|| self.state.resources.contains_key(id));
        let (known, unknown): (Vec<String>, Vec<String>) = delta.add.into_iter().partition(exists);
        match delta.unknown {
            UnknownMembers::Refuse if !unknown.is_empty() => {
                let ids = unknown.into_iter().take(Conflict::NAMED_MEMBERS).collect();
                Err(Conflict::UnknownMembers { operation: index, ids })
            }
            UnknownMembers::Refuse | UnknownMembers::Ignore => Ok(known),
        }
    }

    fn current(&self, id: &str) -> Option<&Stored> {
        match self.draft.resources.get(id) {
            Some(drafted) => drafted.as_ref(),
            None => self.state.resources.get(id),
        }
    }

    fn guarded(&self, operation: usize, id: &str, kind: &str, guard: Guard) -> Result<Stored, Conflict> {
        let stored = self.current(id).filter(|stored| *stored.record.resource_type == *kind);
        let stored = stored.ok_or(Conflict::Missing { operation })?;
        match guard {
            Guard::Version(version) if version != stored.record.version => {
                Err(Conflict::Version { operation, current: stored.record.version })
            }
            Guard::Version(_) | Guard::Exists => Ok(stored.clone()),
        }
    }

    fn is_linked(&self, group: &str, member: &str) -> bool {
        let link = (group.to_owned(), member.to_owned());
        self.draft.links.get(&link).copied().unwrap_or_else(|| self.state.members.contains(&link))
    }

    fn linked(&self, side: Side, of: &str) -> BTreeSet<String> {
        let mut ids: BTreeSet<String> = self.state.linked(side, of).map(str::to_owned).collect();
        for ((group, member), is_linked) in &self.draft.links {
            let (known, other) = match side {
                Side::Members => (group, member),
                Side::Groups => (member, group),
            };
            if known == of && *is_linked {
                ids.insert(other.clone());
            } else if known == of {
                ids.remove(other);
            }
        }
        ids
    }

    /// Gives a resource its new version and logs it.
    fn change(
        &mut self,
        mut stored: Stored,
        kind: ChangeKind,
        added: BTreeSet<String>,
        removed: BTreeSet<String>,
    ) -> Applied {
        let Record { id, resource_type, created, .. } = &stored.record;
        let (created, modified) = (*created, self.draft.at);
        let version = self.log(kind, resource_type, id, added, removed);
        stored.record.version = version;
        stored.record.modified = modified;
        for entry in &mut stored.index {
            entry.settle(created, modified);
        }
        self.draft.resources.insert(stored.record.id.clone(), Some(stored));
        Applied { version, created, modified, changed: true }
    }

    fn log(
        &mut self,
        kind: ChangeKind,
        resource_type: &Arc<str>,
        id: &str,
        added: BTreeSet<String>,
        removed: BTreeSet<String>,
    ) -> u64 {
        self.draft.sequence += 1;
        self.draft.changes.push(Change {
            sequence: self.draft.sequence,
            at: self.draft.at,
            kind,
            resource_type: Arc::clone(resource_type),
            id: id.to_owned(),
            added: added.into_iter().collect(),
            removed: removed.into_iter().collect(),
        });
        self.draft.sequence
    }

    /// Checks the claims of everything that was written, in the order of the operations.
    fn check_unique(&self) -> Result<(), Conflict> {
        let mut in_order: Vec<(usize, &String)> =
            self.claimants.iter().map(|(id, operation)| (*operation, id)).collect();
        in_order.sort_unstable();
        let mut claimed: BTreeMap<Claim, &String> = BTreeMap::new();
        for (operation, id) in in_order {
            let Some(stored) = self.current(id) else { continue };
            for claim in stored.claims() {
                let holder = claimed.get(&claim).copied().or_else(|| self.standing_holder(&claim));
                match holder {
                    Some(holder) if holder != id => {
                        return Err(Conflict::Unique { operation, path: claim.1, holder: holder.clone() });
                    }
                    Some(_) | None => claimed.insert(claim, id),
                };
            }
        }
        Ok(())
    }

    /// Who has a value now and keeps it.
    fn standing_holder(&self, claim: &Claim) -> Option<&String> {
        let holder = self.state.unique.get(claim)?;
        let keeps = self.current(holder).is_some() && !self.claimants.contains_key(holder);
        keeps.then_some(holder)
    }
}

impl Stored {
    /// Whether the content is not what is stored.
    fn differs(&self, content: &Content) -> bool {
        let hidden_differs = |hidden: &crate::Hidden| {
            self.hidden.get(&hidden.path).map(String::as_str) != hidden.value.as_deref()
        };
        content.body != self.record.body || content.hidden.iter().any(hidden_differs)
    }

    fn fill(&mut self, content: Content) {
        let Content { label, body, unique, index, hidden } = content;
        self.record.label = label;
        self.record.body = body;
        self.unique = unique;
        self.index = index;
        for hidden in hidden {
            match hidden.value {
                Some(value) => self.hidden.insert(hidden.path, value),
                None => self.hidden.remove(&hidden.path),
            };
        }
    }
}
