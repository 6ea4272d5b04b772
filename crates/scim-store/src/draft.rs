//! A changeset worked out against what exists, without touching it.
//!
//! The rules of a commit are here and nowhere else, so that no two stores differ: a store tells what exists
//! ([`Existing`]), gets a [`Draft`] or the conflict, and makes the draft true in steps that depend on nothing more.
//!
//! # Making a draft true
//!
//! In one transaction with what was told as [`Existing`], so that nothing changes in between:
//!
//! 1. For each of [`Draft::resources`], take away what belongs to `old`: its claims and index entries, and
//!    where `anew` is set its hidden values. All of them before step 2, so that resources can swap unique
//!    values.
//! 2. For each that has a `new`, write the record, the claims and the index entries. Where `new` equals `old`
//!    the resource was only looked at, and both steps can be left out.
//! 3. Set or remove [`Draft::hidden`] values, then add or remove [`Draft::links`].
//! 4. Append [`Draft::changes`], which are numbered already, and remember [`Draft::sequence`].
//! 5. Append [`Draft::audit`], if there is one, as an [`Audited`](crate::Audited) with the next number of its
//!    own log.
//!
//! Then answer with [`Committed`](crate::Committed): the sequence and [`Draft::applied`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim_core::time::Timestamp;

use crate::{
    Applied, AuditEntry, Change, ChangeKind, Changeset, CommitError, Conflict, Content, Guard, IndexEntry,
    MemberDelta, Operation, Record, Side, StoreError, UniqueKey, UnknownMembers,
};

/// What is stored of one tenant before a changeset.
///
/// All answers are of one moment, and nothing else commits to the tenant until the draft is true or dropped.
/// Identifiers that lead to nothing are asked for too. An error ends the draft and is the outcome of the
/// commit.
pub trait Existing {
    /// A resource of any type, with all its claims and index entries.
    fn resource(&self, id: &str) -> Result<Option<Stored>, StoreError>;

    /// Whether there is such a resource, of any type.
    fn exists(&self, id: &str) -> Result<bool, StoreError>;

    /// A hidden value of a resource, as [`Hidden`](crate::Hidden) set it.
    fn hidden(&self, id: &str, path: &str) -> Result<Option<String>, StoreError>;

    /// Whether a group has a member.
    fn is_linked(&self, group: &str, member: &str) -> Result<bool, StoreError>;

    /// The members of a group, or the groups of a member, in any order. It may be asked for all of a large
    /// group.
    fn linked(&self, side: Side, of: &str) -> Result<Vec<String>, StoreError>;

    /// The resource that has a unique value. The value is compared as bytes; it is folded already.
    fn holder(&self, claim: &Claim) -> Result<Option<String>, StoreError>;
}

/// A resource and what makes it findable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The resource.
    pub record: Record,
    /// Its claims on values.
    pub unique: Vec<UniqueKey>,
    /// Its index entries.
    pub index: Vec<IndexEntry>,
}

/// A unique value of a resource type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// Name of the resource type.
    pub resource_type: Arc<str>,
    /// The attribute path, canonical.
    pub path: Arc<str>,
    /// The value.
    pub value: String,
}

/// What a changeset comes to: everything that will differ.
#[derive(Debug)]
pub struct Draft {
    /// When it is made.
    pub at: Timestamp,
    /// The number of the tenant's latest change afterwards.
    pub sequence: u64,
    /// The resources that it concerns, by identifier. One that was created and deleted on the way has neither
    /// `old` nor `new`.
    pub resources: BTreeMap<String, Drafted>,
    /// Hidden values by identifier and path; `None` for one to forget.
    pub hidden: BTreeMap<(String, Arc<str>), Option<String>>,
    /// Group and member, and whether they will be linked.
    pub links: BTreeMap<(String, String), bool>,
    /// The new entries of the log.
    pub changes: Vec<Change>,
    /// For each operation, what it did.
    pub applied: Vec<Applied>,
    /// What is recorded of it.
    pub audit: Option<AuditEntry>,
}

/// A resource before and after.
#[derive(Debug, Clone)]
pub struct Drafted {
    /// As it is stored now.
    pub old: Option<Stored>,
    /// As it will be.
    pub new: Option<Stored>,
    /// Whether it was deleted on the way, so that no hidden value of the old one stays.
    pub anew: bool,
}

struct Drafting<'a> {
    existing: &'a dyn Existing,
    draft: Draft,
    /// Which resources the operations create (`true`) or delete (`false`) in the end.
    fate: BTreeMap<String, bool>,
    /// Resources whose unique values are set anew, and the last operation that does it.
    claimants: BTreeMap<String, usize>,
}

/// Members added and members removed.
type Delta = (BTreeSet<String>, BTreeSet<String>);

impl Draft {
    /// Works out a changeset, where `sequence` is the number of the tenant's latest change, and 0 before the
    /// first.
    ///
    /// # Errors
    /// The conflict, or what kept `existing` from answering.
    pub fn new(existing: &dyn Existing, sequence: u64, changeset: Changeset) -> Result<Self, CommitError> {
        let Changeset { at, operations, audit } = changeset;
        let draft = Self {
            at,
            sequence,
            resources: BTreeMap::new(),
            hidden: BTreeMap::new(),
            links: BTreeMap::new(),
            changes: Vec::new(),
            applied: Vec::with_capacity(operations.len()),
            audit,
        };
        let fate = operations.iter().filter_map(fate).collect();
        let mut drafting = Drafting { existing, draft, fate, claimants: BTreeMap::new() };
        for (index, operation) in operations.into_iter().enumerate() {
            let applied = drafting.operation(index, operation)?;
            drafting.draft.applied.push(applied);
        }
        drafting.check_unique()?;
        Ok(drafting.draft)
    }
}

impl Stored {
    /// Its unique values.
    pub fn claims(&self) -> impl Iterator<Item = Claim> + '_ {
        self.unique.iter().map(|key| Claim {
            resource_type: Arc::clone(&self.record.resource_type),
            path: Arc::clone(&key.path),
            value: key.value.clone(),
        })
    }

    fn fill(&mut self, content: Content) {
        let Content { label, body, unique, index, hidden: _ } = content;
        self.record.label = label;
        self.record.body = body;
        self.unique = unique;
        self.index = index;
    }
}

fn fate(operation: &Operation) -> Option<(String, bool)> {
    match operation {
        Operation::Create { id, .. } => Some((id.clone(), true)),
        Operation::Delete { id, .. } => Some((id.clone(), false)),
        Operation::Replace { .. } | Operation::Reindex { .. } => None,
    }
}

impl Drafting<'_> {
    fn operation(&mut self, index: usize, operation: Operation) -> Result<Applied, CommitError> {
        match operation {
            Operation::Create { id, resource_type, content, members } => {
                self.create(index, id, resource_type, content, members)
            }
            Operation::Replace { id, resource_type, guard, content, members, kind } => {
                let current = self.guarded(index, &id, &resource_type, guard)?;
                self.replace(index, current, content, members, kind)
            }
            Operation::Reindex { id, resource_type, guard, unique, index: entries } => {
                let current = self.guarded(index, &id, &resource_type, guard)?;
                Ok(self.reindex(index, current, unique, entries))
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
        let added: BTreeSet<String> = self.known(index, members)?.into_iter().collect();
        self.set_links(&id, &added, true);
        let (created, body) = (self.draft.at, content.body.clone());
        let label = String::new();
        let record = Record { id, resource_type, version: 0, created, modified: created, label, body };
        let mut stored = Stored { record, unique: Vec::new(), index: Vec::new() };
        self.fill(index, &mut stored, content);
        Ok(self.change(stored, ChangeKind::Created, (added, BTreeSet::new())))
    }

    fn replace(
        &mut self,
        index: usize,
        mut current: Stored,
        content: Option<Content>,
        members: MemberDelta,
        kind: ChangeKind,
    ) -> Result<Applied, CommitError> {
        let delta = self.relink(index, &current.record.id, members)?;
        let content = match content {
            Some(content) if self.differs(&current.record, &content)? => Some(content),
            Some(_) | None => None,
        };
        if content.is_none() && delta.0.is_empty() && delta.1.is_empty() {
            let Record { version, created, modified, .. } = current.record;
            return Ok(Applied { version, created, modified, changed: false });
        }
        let kind = if content.is_some() { kind } else { ChangeKind::MembersChanged };
        if let Some(content) = content {
            self.fill(index, &mut current, content);
        }
        Ok(self.change(current, kind, delta))
    }

    fn reindex(
        &mut self,
        operation: usize,
        current: Stored,
        unique: Vec<UniqueKey>,
        mut index: Vec<IndexEntry>,
    ) -> Applied {
        let Record { version, created, modified, .. } = current.record;
        for entry in &mut index {
            entry.settle(created, modified);
        }
        self.claimants.insert(current.record.id.clone(), operation);
        if let Some(drafted) = self.draft.resources.get_mut(&current.record.id) {
            drafted.new = Some(Stored { record: current.record, unique, index });
        }
        Applied { version, created, modified, changed: false }
    }

    fn delete(&mut self, current: Stored) -> Result<Applied, CommitError> {
        let Record { id, resource_type, created, .. } = current.record;
        let groups = self.linked(Side::Groups, &id)?;
        let members = self.linked(Side::Members, &id)?;
        self.set_links(&id, &members, false);
        for group in &groups {
            self.set_links(group, &BTreeSet::from([id.clone()]), false);
        }
        if let Some(drafted) = self.draft.resources.get_mut(&id) {
            drafted.new = None;
            drafted.anew = true;
        }
        self.draft.hidden.retain(|(of, _), _| *of != id);
        self.claimants.remove(&id);
        let version = self.log(ChangeKind::Deleted, &resource_type, &id, Delta::default());
        for group in groups {
            if let Some(group) = self.load(&group)? {
                let removed = BTreeSet::from([id.clone()]);
                self.change(group, ChangeKind::MembersChanged, (BTreeSet::new(), removed));
            }
        }
        Ok(Applied { version, created, modified: self.draft.at, changed: true })
    }

    /// Applies a delta to a group's links.
    fn relink(&mut self, index: usize, group: &str, delta: MemberDelta) -> Result<Delta, CommitError> {
        if delta.is_empty() {
            return Ok(Delta::default());
        }
        let mut removed = BTreeSet::new();
        if delta.clear {
            removed = self.linked(Side::Members, group)?;
        } else {
            for member in &delta.remove {
                if self.is_linked(group, member)? {
                    removed.insert(member.clone());
                }
            }
        }
        let mut added = BTreeSet::new();
        for member in self.known(index, delta)? {
            // Of a set that is cleared, all that was there is known.
            let is_there = removed.remove(&member) || self.is_linked(group, &member)?;
            if !is_there {
                added.insert(member);
            }
        }
        self.set_links(group, &removed, false);
        self.set_links(group, &added, true);
        Ok((added, removed))
    }

    /// The members to add that will exist in the end.
    fn known(&self, operation: usize, delta: MemberDelta) -> Result<Vec<String>, CommitError> {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for id in delta.add {
            let exists = match self.fate.get(&id) {
                Some(exists) => *exists,
                None => self.existing.exists(&id)?,
            };
            if exists { known.push(id) } else { unknown.push(id) }
        }
        match delta.unknown {
            UnknownMembers::Refuse if !unknown.is_empty() => {
                let total = unknown.len();
                unknown.truncate(Conflict::NAMED_MEMBERS);
                Err(Conflict::UnknownMembers { operation, ids: unknown, total }.into())
            }
            UnknownMembers::Refuse | UnknownMembers::Ignore => Ok(known),
        }
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

    fn is_linked(&self, group: &str, member: &str) -> Result<bool, StoreError> {
        match self.draft.links.get(&(group.to_owned(), member.to_owned())) {
            Some(is_linked) => Ok(*is_linked),
            None => self.existing.is_linked(group, member),
        }
    }

    fn linked(&self, side: Side, of: &str) -> Result<BTreeSet<String>, StoreError> {
        let mut ids: BTreeSet<String> = self.existing.linked(side, of)?.into_iter().collect();
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
        Ok(ids)
    }

    fn set_links(&mut self, group: &str, members: &BTreeSet<String>, is_linked: bool) {
        let links = members.iter().map(|member| ((group.to_owned(), member.clone()), is_linked));
        self.draft.links.extend(links);
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

    fn fill(&mut self, operation: usize, stored: &mut Stored, mut content: Content) {
        let id = &stored.record.id;
        for hidden in std::mem::take(&mut content.hidden) {
            self.draft.hidden.insert((id.clone(), hidden.path), hidden.value);
        }
        self.claimants.insert(id.clone(), operation);
        stored.fill(content);
    }

    /// Gives a resource its new version and logs it.
    fn change(&mut self, mut stored: Stored, kind: ChangeKind, delta: Delta) -> Applied {
        let Record { id, resource_type, created, .. } = &stored.record;
        let (created, modified) = (*created, self.draft.at);
        let version = self.log(kind, resource_type, id, delta);
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

    fn log(&mut self, kind: ChangeKind, resource_type: &Arc<str>, id: &str, delta: Delta) -> u64 {
        self.draft.sequence += 1;
        self.draft.changes.push(Change {
            sequence: self.draft.sequence,
            at: self.draft.at,
            kind,
            resource_type: Arc::clone(resource_type),
            id: id.to_owned(),
            added: delta.0.into_iter().collect(),
            removed: delta.1.into_iter().collect(),
        });
        self.draft.sequence
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
