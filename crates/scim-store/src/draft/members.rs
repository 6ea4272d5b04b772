//! Who becomes a member and who ceases to be one, as the operations so far have left it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::work::Drafting;
use crate::{CommitError, Conflict, MemberDelta, Side, StoreError, UnknownMembers};

/// Members added and members removed.
pub(super) type Delta = (BTreeSet<String>, BTreeSet<String>);

/// The group that is worked on.
#[derive(Clone, Copy)]
pub(super) struct Group<'a> {
    /// Index of the operation.
    pub(super) operation: usize,
    pub(super) id: &'a str,
    pub(super) resource_type: &'a str,
}

impl Drafting<'_> {
    /// Links the members of a new group.
    pub(super) fn link(&mut self, group: Group<'_>, delta: MemberDelta) -> Result<Delta, CommitError> {
        let mut added = BTreeSet::new();
        for (member, resource_type) in self.known(group, &delta)? {
            self.check_member(group, &delta, &member, &resource_type)?;
            added.insert(member);
        }
        self.add_links(group.id, &added);
        Ok((added, BTreeSet::new()))
    }

    /// Applies a delta to a group's links.
    pub(super) fn relink(&mut self, group: Group<'_>, delta: MemberDelta) -> Result<Delta, CommitError> {
        if delta.is_empty() {
            return Ok(Delta::default());
        }
        let mut removed = BTreeSet::new();
        if delta.clear {
            removed = self.linked(Side::Members, group.id)?;
        } else {
            for member in &delta.remove {
                if self.is_linked(group.id, member)? {
                    removed.insert(member.clone());
                }
            }
        }
        let mut added = BTreeSet::new();
        for (member, resource_type) in self.known(group, &delta)? {
            // Of a set that is cleared, all that was there is known.
            let is_there = removed.remove(&member) || self.is_linked(group.id, &member)?;
            if !is_there {
                self.check_member(group, &delta, &member, &resource_type)?;
                added.insert(member);
            }
        }
        self.remove_links(group.id, &removed);
        self.add_links(group.id, &added);
        Ok((added, removed))
    }

    /// The members to add that will exist in the end, and their types.
    fn known(&self, group: Group<'_>, delta: &MemberDelta) -> Result<Vec<(String, Arc<str>)>, CommitError> {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for id in &delta.add {
            let resource_type = match self.fate.get(id) {
                Some(fate) => fate.clone(),
                None => self.existing.resource_type(id)?,
            };
            match resource_type {
                Some(resource_type) => known.push((id.clone(), resource_type)),
                None => unknown.push(id.clone()),
            }
        }
        match delta.unknown {
            UnknownMembers::Refuse if !unknown.is_empty() => {
                let total = unknown.len();
                unknown.truncate(Conflict::NAMED_MEMBERS);
                Err(Conflict::UnknownMembers { operation: group.operation, ids: unknown, total }.into())
            }
            UnknownMembers::Refuse | UnknownMembers::Ignore => Ok(known),
        }
    }

    /// Whether one that is no member may become one.
    fn check_member(
        &self,
        group: Group<'_>,
        delta: &MemberDelta,
        member: &str,
        resource_type: &Arc<str>,
    ) -> Result<(), CommitError> {
        let operation = group.operation;
        if delta.barred.contains(resource_type) {
            return Err(Conflict::NestedGroup { operation, member: member.to_owned() }.into());
        }
        if !delta.exclusive {
            return Ok(());
        }
        // It is not in this group.
        for other in self.linked(Side::Groups, member)? {
            if self.resource_type(&other)?.is_some_and(|of_other| *of_other == *group.resource_type) {
                let member = member.to_owned();
                return Err(Conflict::Membership { operation, member, group: other }.into());
            }
        }
        Ok(())
    }

    fn is_linked(&self, group: &str, member: &str) -> Result<bool, StoreError> {
        match self.draft.links.get(&(group.to_owned(), member.to_owned())) {
            Some(since) => Ok(since.is_some()),
            None => self.existing.is_linked(group, member),
        }
    }

    /// The members of a group, or the groups of a member.
    pub(super) fn linked(&self, side: Side, of: &str) -> Result<BTreeSet<String>, StoreError> {
        let mut ids: BTreeSet<String> = self.existing.linked(side, of)?.into_iter().collect();
        let first = (of.to_owned(), String::new());
        let mut set = |other: &String, is_linked: bool| match is_linked {
            true => drop(ids.insert(other.clone())),
            false => drop(ids.remove(other)),
        };
        match side {
            Side::Members => {
                let links = self.draft.links.range(first..).take_while(|((group, _), _)| group == of);
                links.for_each(|((_, member), since)| set(member, since.is_some()));
            }
            Side::Groups => {
                let links = self.groups.range(first..).take_while(|((member, _), _)| member == of);
                links.for_each(|((_, group), is_linked)| set(group, *is_linked));
            }
        }
        Ok(ids)
    }

    /// Links members by the change that comes next.
    fn add_links(&mut self, group: &str, members: &BTreeSet<String>) {
        let since = self.draft.counts.sequence + 1;
        self.set_links(group, members, Some(since));
    }

    /// Ends memberships.
    pub(super) fn remove_links(&mut self, group: &str, members: &BTreeSet<String>) {
        self.set_links(group, members, None);
    }

    fn set_links(&mut self, group: &str, members: &BTreeSet<String>, since: Option<u64>) {
        for member in members {
            self.draft.links.insert((group.to_owned(), member.clone()), since);
            self.groups.insert((member.clone(), group.to_owned()), since.is_some());
        }
    }
}
