//! What is known of a tenant while a batch is worked out: what was read, and what the batch has made of it so far.
//!
//! A draft asks while it is worked out and cannot wait for the database. So it is given what is known, and what is not
//! known is answered as if it were not there and wished for ([`Wishes`]). A draft that wished for something is thrown
//! away, and worked out again when its wishes were read; or it is a guess, and what it took for granted is held by the
//! statements that write it ([`Assumed`](crate::assumed::Assumed)).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use scim_core::person::Derived;
use scim_store::draft::{Claim, Draft, Existing, Going, Kept, Stored};
use scim_store::{Side, StoreError};

use crate::wishes::Wishes;

/// About how many bytes a type takes that is known.
const TYPE: usize = 128;
/// About how many bytes a resource takes that is known to be absent.
const ABSENT: usize = 256;

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
    /// Resources that have changed, and of which nothing else is known.
    pub(crate) stale: HashSet<String>,
    /// Resources of which no hidden value is left but those that are known.
    cleared: HashSet<String>,
    /// What a guess takes members for of whom nothing is known.
    pub(crate) usual: Option<Arc<str>>,
    /// Member and group that are linked, or that a guess takes for linked where nothing is known.
    pub(crate) presumed: BTreeSet<(String, String)>,
    wishes: RefCell<Wishes>,
}

impl Known {
    /// Nothing but what members usually are.
    pub(crate) fn of_members(usual: Option<Arc<str>>) -> Self {
        Self { usual, ..Self::default() }
    }

    /// What was wished for since the last call.
    pub(crate) fn wishes(&mut self) -> Wishes {
        std::mem::take(self.wishes.get_mut())
    }

    /// Takes note of a resource and its person as they are stored.
    pub(crate) fn note(&mut self, stored: Stored, person: Option<Derived>) {
        let id = stored.record.id.clone();
        self.holders.extend(stored.claims().map(|claim| (claim, Some(id.clone()))));
        self.types.insert(id.clone(), Some(Arc::clone(&stored.record.resource_type)));
        self.persons.insert(id.clone(), person);
        self.resources.insert(id, Some(stored));
    }

    /// Of what is known to be there, all that is wished for.
    pub(crate) fn excerpt(&self, wishes: &Wishes) -> Self {
        let Wishes { resources, types, hidden, persons, links, lists, holders, .. } = wishes;
        let mut excerpt = Self::of_members(self.usual.clone());
        let mut wanted: HashSet<&String> = resources.iter().chain(types).collect();
        for (side, of) in lists {
            if let Some(list) = self.lists.get(&(*side, of.clone())) {
                excerpt.lists.insert((*side, of.clone()), list.clone());
                // Of groups that somebody leaves, or is in already, the types are looked at.
                wanted.extend(list.iter().filter(|_| *side == Side::Groups));
            }
        }
        for id in wanted {
            copy(&self.resources, &mut excerpt.resources, id, Option::is_some);
            copy(&self.types, &mut excerpt.types, id, Option::is_some);
        }
        hidden.iter().for_each(|key| copy(&self.hidden, &mut excerpt.hidden, key, |_| true));
        persons.iter().for_each(|id| copy(&self.persons, &mut excerpt.persons, id, |_| true));
        links.iter().for_each(|pair| copy(&self.links, &mut excerpt.links, pair, |is_linked| *is_linked));
        holders.iter().for_each(|claim| copy(&self.holders, &mut excerpt.holders, claim, Option::is_some));
        excerpt
    }

    /// Takes over what was read of resources, where it is not older.
    pub(crate) fn update(&mut self, mut read: Self) {
        for (id, stored) in read.resources {
            let known = self.resources.get(&id).and_then(Option::as_ref);
            if let Some(stored) = stored
                && known.is_none_or(|known| known.record.version < stored.record.version)
            {
                // What goes with its version is not known of this one.
                self.lists.remove(&(Side::Members, id.clone()));
                self.holders.retain(|_, holder| holder.as_ref() != Some(&id));
                self.note(stored, read.persons.remove(&id).flatten());
            }
        }
    }

    /// Takes over what was found out and done since, but for reports and what is hidden.
    pub(crate) fn absorb(&mut self, later: Self) {
        for ((group, member), is_linked) in &later.links {
            self.link(group, member, *is_linked);
        }
        let Self { resources, types, persons, links, lists, holders, usual, stale, .. } = later;
        stale.iter().for_each(|id| drop(self.resources.remove(id)));
        self.resources.extend(resources);
        self.types.extend(types);
        self.persons.extend(persons);
        self.links.extend(links);
        self.lists.extend(lists);
        self.holders.extend(holders);
        self.usual = usual.or(self.usual.take());
    }

    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        let of_person = |Derived { person, .. }: &Derived| {
            256 + person.extra.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
        };
        let resources = self.resources.values().map(|stored| stored.as_ref().map_or(ABSENT, weight));
        let persons = self.persons.values().map(|person| 128 + person.as_ref().map_or(0, of_person));
        let lists = self.lists.values().map(|list| 128 + list.len() * 64);
        let holders = self.holders.keys().map(|claim| 256 + claim.value.len());
        let others = self.types.len() * TYPE + self.links.len() * 192;
        resources.chain(persons).chain(lists).chain(holders).sum::<usize>() + others
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
            if drafted.old.is_none() {
                // What was not there has nothing but what the draft gives it.
                self.persons.insert(id.clone(), None);
                for side in [Side::Members, Side::Groups] {
                    self.lists.insert((side, id.clone()), BTreeSet::new());
                }
            }
            self.types.insert(id.clone(), resource_type);
            self.resources.insert(id.clone(), drafted.new.clone());
        }
        self.hidden.extend(draft.hidden.iter().map(|(key, value)| (key.clone(), value.clone())));
        self.persons.extend(draft.persons.iter().map(|(id, person)| (id.clone(), person.clone())));
        for ((group, member), since) in &draft.links {
            self.link(group, member, since.is_some());
            if since.is_some() {
                self.usual = self.types.get(member).cloned().flatten().or(self.usual.take());
            }
        }
        self.learn_reports(draft);
    }

    /// The groups that a member most likely is in, as far as there is anything to tell by.
    pub(crate) fn presumed(&self, of: &str) -> impl Iterator<Item = &String> {
        let first = (of.to_owned(), String::new());
        self.presumed.range(first..).take_while(move |(member, _)| member == of).map(|(_, group)| group)
    }

    fn link(&mut self, group: &str, member: &str, is_linked: bool) {
        self.links.insert((group.to_owned(), member.to_owned()), is_linked);
        if is_linked {
            self.presumed.insert((member.to_owned(), group.to_owned()));
        }
        for (side, of, other) in [(Side::Members, group, member), (Side::Groups, member, group)] {
            if let Some(list) = self.lists.get_mut(&(side, of.to_owned())) {
                match is_linked {
                    true => drop(list.insert(other.to_owned())),
                    false => drop(list.remove(other)),
                }
            }
        }
    }

    fn learn_reports(&mut self, draft: &Draft) {
        let reports = &draft.reports;
        if !reports.is_empty() {
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

/// About how many bytes a resource takes.
fn weight(Stored { record, index, .. }: &Stored) -> usize {
    let keys: usize = index.iter().map(|entry| 64 + entry.key.as_bytes().len()).sum();
    ABSENT + record.body.len() + record.label.len() + keys
}

/// Copies what is known under a key, if it is of use.
fn copy<K: Clone + Eq + Hash, V: Clone>(
    from: &HashMap<K, V>,
    to: &mut HashMap<K, V>,
    key: &K,
    is_of_use: impl FnOnce(&V) -> bool,
) {
    if let Some(value) = from.get(key).filter(|value| is_of_use(value)) {
        to.insert(key.clone(), value.clone());
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
            return Ok(self.usual.clone());
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
            let presumed = self.presumed.contains(&(member.to_owned(), group.to_owned()));
            self.wish(|wishes| wishes.links.insert(pair));
            return Ok(presumed);
        }
        Ok(known.unwrap_or_default())
    }

    fn linked(&self, side: Side, of: &str) -> Result<Vec<String>, StoreError> {
        let key = (side, of.to_owned());
        let known = self.lists.get(&key);
        if known.is_none() && !is_impossible(of) {
            self.wish(|wishes| wishes.lists.insert(key));
            if side == Side::Groups {
                let is_left =
                    |group: &String| self.links.get(&(group.clone(), of.to_owned())) == Some(&false);
                return Ok(self.presumed(of).filter(|group| !is_left(group)).cloned().collect());
            }
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
    /// Of those links that are to be there, some that were not before.
    pub(crate) apart: BTreeSet<(String, String)>,
    pub(crate) changes: Vec<scim_store::Change>,
    pub(crate) settled: BTreeSet<u64>,
    pub(crate) removed: BTreeSet<u64>,
    pub(crate) added: BTreeMap<u64, scim_store::Reported>,
    pub(crate) audit: Vec<scim_store::Audited>,
}

impl Outcome {
    /// Whether it leaves a resource with another version.
    pub(crate) fn changes(&self, id: &str) -> bool {
        let version = |stored: &Stored| stored.record.version;
        self.resources
            .get(id)
            .is_some_and(|(old, new)| new.is_some() && old.as_ref().map(version) != new.as_ref().map(version))
    }

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
                Some(reported) => reported.settle(),
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
