//! What is known of a tenant while a batch is worked out: what was read, and what the batch has made of it so far.
//!
//! A draft asks while it is worked out and cannot wait for the database. So it is given what is known, and what is not
//! known is answered as if it were not there and wished for ([`Wishes`]). A draft that wished for something is thrown
//! away, and worked out again when its wishes were read. What an outcome rests on was read under the tenant's lock.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use scim_core::person::Derived;
use scim_store::draft::{Claim, Draft, Existing, Going, Kept, Stored};
use scim_store::{Side, StoreError};

use crate::wishes::Wishes;

/// What is known.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) resources: HashMap<String, Option<Stored>>,
    pub(crate) types: HashMap<String, Option<Arc<str>>>,
    pub(crate) hidden: HashMap<(String, Arc<str>), Option<String>>,
    pub(crate) persons: HashMap<String, Option<Derived>>,
    /// Group and member.
    pub(crate) links: HashMap<(String, String), bool>,
    pub(crate) lists: HashMap<(Side, String), BTreeSet<String>>,
    pub(crate) holders: HashMap<Claim, Option<String>>,
    pub(crate) reports: HashMap<String, Vec<Kept>>,
    /// Subjects of open reports by their beginning; none once the batch has touched any report.
    pub(crate) below: HashMap<String, Vec<String>>,
    /// The first reports that go, of how many that were asked for; not once the batch has touched any.
    pub(crate) going: Option<(usize, Vec<Going>)>,
    /// Resources of which no hidden value is left but those that are known.
    cleared: HashSet<String>,
    wishes: RefCell<Wishes>,
}

impl Known {
    /// What was wished for since the last call.
    pub(crate) fn wishes(&mut self) -> Wishes {
        std::mem::take(self.wishes.get_mut())
    }

    /// Takes over what a draft makes of it.
    pub(crate) fn learn(&mut self, draft: &Draft) {
        for (id, drafted) in &draft.resources {
            for claim in drafted.old.iter().flat_map(Stored::claims) {
                let holder = self.holders.entry(claim).or_default();
                if holder.as_ref().is_none_or(|holder| holder == id) {
                    *holder = None;
                }
            }
            if drafted.anew {
                self.cleared.insert(id.clone());
                self.hidden.retain(|(of, _), _| of != id);
            }
        }
        for (id, drafted) in &draft.resources {
            for claim in drafted.new.iter().flat_map(Stored::claims) {
                self.holders.insert(claim, Some(id.clone()));
            }
            let resource_type = drafted.new.as_ref().map(|stored| Arc::clone(&stored.record.resource_type));
            self.types.insert(id.clone(), resource_type);
            self.resources.insert(id.clone(), drafted.new.clone());
        }
        self.hidden.extend(draft.hidden.iter().map(|(key, value)| (key.clone(), value.clone())));
        self.persons.extend(draft.persons.iter().map(|(id, person)| (id.clone(), person.clone())));
        for ((group, member), since) in &draft.links {
            self.links.insert((group.clone(), member.clone()), since.is_some());
            for (side, of, other) in [(Side::Members, group, member), (Side::Groups, member, group)] {
                if let Some(list) = self.lists.get_mut(&(side, of.clone())) {
                    match since {
                        Some(_) => drop(list.insert(other.clone())),
                        None => drop(list.remove(other)),
                    }
                }
            }
        }
        self.learn_reports(draft);
    }

    fn learn_reports(&mut self, draft: &Draft) {
        let reports = &draft.reports;
        if !(reports.settled.is_empty() && reports.removed.is_empty() && reports.added.is_empty()) {
            self.going = None;
            self.below.clear();
        }
        for about in self.reports.values_mut() {
            about.retain(|kept| !reports.removed.contains(&kept.number));
            for kept in about.iter_mut() {
                kept.settled |= reports.settled.contains(&kept.number);
            }
        }
        for reported in reports.added.values() {
            if let Some(about) = self.reports.get_mut(&reported.report.subject) {
                about.push(Kept::from(reported));
                about.sort_unstable_by_key(|kept| kept.number);
            }
        }
    }

    fn wish<T>(&self, wish: impl FnOnce(&mut Wishes) -> T) {
        wish(&mut self.wishes.borrow_mut());
    }
}

/// Whether the database cannot have a text, and so has nothing by that name.
pub(crate) fn is_impossible(text: &str) -> bool {
    text.contains('\0')
}

impl Existing for Known {
    fn resource(&self, id: &str) -> Result<Option<Stored>, StoreError> {
        let known = self.resources.get(id);
        if known.is_none() && !is_impossible(id) {
            self.wish(|wishes| wishes.resources.insert(id.to_owned()));
        }
        Ok(known.cloned().flatten())
    }

    fn resource_type(&self, id: &str) -> Result<Option<Arc<str>>, StoreError> {
        if let Some(Some(stored)) = self.resources.get(id) {
            return Ok(Some(Arc::clone(&stored.record.resource_type)));
        }
        let known = self.types.get(id);
        if known.is_none() && !self.resources.contains_key(id) && !is_impossible(id) {
            self.wish(|wishes| wishes.types.insert(id.to_owned()));
        }
        Ok(known.cloned().flatten())
    }

    fn hidden(&self, id: &str, path: &str) -> Result<Option<String>, StoreError> {
        let key = (id.to_owned(), Arc::from(path));
        let known = self.hidden.get(&key);
        if known.is_none() && !self.cleared.contains(id) && !is_impossible(id) {
            self.wish(|wishes| wishes.hidden.insert(key));
        }
        Ok(known.cloned().flatten())
    }

    fn person(&self, id: &str) -> Result<Option<Derived>, StoreError> {
        let known = self.persons.get(id);
        if known.is_none() && !is_impossible(id) {
            self.wish(|wishes| wishes.persons.insert(id.to_owned()));
        }
        Ok(known.cloned().flatten())
    }

    fn is_linked(&self, group: &str, member: &str) -> Result<bool, StoreError> {
        if let Some(members) = self.lists.get(&(Side::Members, group.to_owned())) {
            return Ok(members.contains(member));
        }
        let pair = (group.to_owned(), member.to_owned());
        let known = self.links.get(&pair).copied();
        if known.is_none() && !is_impossible(group) && !is_impossible(member) {
            self.wish(|wishes| wishes.links.insert(pair));
        }
        Ok(known.unwrap_or_default())
    }

    fn linked(&self, side: Side, of: &str) -> Result<Vec<String>, StoreError> {
        let key = (side, of.to_owned());
        let known = self.lists.get(&key);
        if known.is_none() && !is_impossible(of) {
            self.wish(|wishes| wishes.lists.insert(key));
        }
        Ok(known.into_iter().flatten().cloned().collect())
    }

    fn holder(&self, claim: &Claim) -> Result<Option<String>, StoreError> {
        let known = self.holders.get(claim);
        if known.is_none() && !is_impossible(&claim.value) {
            self.wish(|wishes| wishes.holders.insert(claim.clone()));
        }
        Ok(known.cloned().flatten())
    }

    fn reports_about(&self, subject: &str) -> Result<Vec<Kept>, StoreError> {
        let known = self.reports.get(subject);
        if known.is_none() && !is_impossible(subject) {
            self.wish(|wishes| wishes.reports.insert(subject.to_owned()));
        }
        Ok(known.cloned().unwrap_or_default())
    }

    fn subjects_below(&self, beginning: &str) -> Result<Vec<String>, StoreError> {
        let known = self.below.get(beginning);
        if known.is_none() && !is_impossible(beginning) {
            self.wish(|wishes| wishes.below.insert(beginning.to_owned()));
        }
        Ok(known.cloned().unwrap_or_default())
    }

    fn reports_to_go(&self, count: usize) -> Result<Vec<Going>, StoreError> {
        match &self.going {
            Some((asked, going)) if *asked >= count => Ok(going.iter().take(count).copied().collect()),
            Some(_) | None => {
                self.wish(|wishes| wishes.going = wishes.going.max(count));
                Ok(Vec::new())
            }
        }
    }
}

/// What a batch comes to: of each row only what is left of it in the end.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Before the batch and after it.
    pub(crate) resources: BTreeMap<String, (Option<Stored>, Option<Stored>)>,
    /// Resources whose hidden values all go, before those below are set.
    pub(crate) cleared: BTreeSet<String>,
    pub(crate) hidden: BTreeMap<(String, Arc<str>), Option<String>>,
    pub(crate) persons: BTreeMap<String, Option<Derived>>,
    pub(crate) links: BTreeMap<(String, String), Option<u64>>,
    pub(crate) changes: Vec<scim_store::Change>,
    pub(crate) settled: BTreeSet<u64>,
    pub(crate) removed: BTreeSet<u64>,
    pub(crate) added: BTreeMap<u64, scim_store::Reported>,
    pub(crate) audit: Vec<scim_store::Audited>,
}

impl Outcome {
    /// Adds what a draft comes to. `audited` is the number of the last entry of the audit trail before it.
    pub(crate) fn add(&mut self, draft: Draft, audited: u64) {
        let Draft { at, counts, resources, hidden, persons, links, changes, reports, applied: _, audit } =
            draft;
        for (id, drafted) in resources {
            if drafted.anew {
                self.hidden.retain(|(of, _), _| *of != id);
                self.cleared.insert(id.clone());
            }
            self.resources.entry(id).or_insert((drafted.old, None)).1 = drafted.new;
        }
        self.hidden.extend(hidden);
        self.persons.extend(persons);
        self.links.extend(links);
        self.changes.extend(changes);
        for number in reports.settled {
            match self.added.get_mut(&number) {
                Some(reported) => reported.settled = true,
                None => drop(self.settled.insert(number)),
            }
        }
        for number in reports.removed {
            if self.added.remove(&number).is_none() {
                self.removed.insert(number);
            }
        }
        self.added.extend(reports.added);
        let sequence = counts.sequence;
        self.audit.extend(audit.map(|entry| scim_store::Audited {
            number: audited + 1,
            sequence,
            at,
            entry,
        }));
    }
}
