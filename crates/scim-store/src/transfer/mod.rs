//! A tenant moved from one store into another: what a store tells of all that it keeps ([`Portable`]), and [`copy()`].
//!
//! [`Store`] has no way to read hidden values, index entries and claims, or to remove anything from a log, on purpose.
//! Whoever moves a tenant, or [prunes](crate::retention), has to, so that is a trait of its own, which nothing that serves
//! requests asks for. What is moved is moved as it is, with its identifiers, versions, times and numbers. Nothing here knows
//! what a tenant is called elsewhere, or who may use it.
//!
//! # Unfinished copies
//!
//! A copy comes in lots, each durable, and what is counted of the tenant ([`Totals`]) comes with the last one, once
//! everything was compared. So a tenant that has rows and whose totals are all zero is an unfinished copy, whatever
//! ended it. [`copy()`] goes on with it, and [`Portable::discard`] removes it.
//!
//! # Tenants that leave
//!
//! [`Portable::discard`] removes a tenant that is in use by the same statements, once nobody may write to it any more. What
//! stays is the number of its rules ([`Counts::epoch`]): whatever was planned under an earlier one is refused for ever, and
//! a tenant that gets the name begins above it.

mod copy;
mod part;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use scim_core::person::Derived;
use scim_core::time::Timestamp;

pub use self::copy::{Copied, CopyError, Outcome, Progress, copy, verify};

use crate::draft::{Counts, Draft, Drafted, DraftedReports, Stored};
use crate::retention::Cut;
use crate::{Audited, Change, Pending, Reported, Store, StoreError, Tenant};

/// A store from which, and into which, tenants can be moved, and whose logs can be pruned.
pub trait Portable: Store {
    /// What is kept of a tenant. It reads as much as counting takes.
    fn holdings<'a>(&'a self, tenant: &'a Tenant) -> Pending<'a, Holdings>;

    /// The first `count` resources of any type after this identifier, by identifier.
    fn wholes<'a>(&'a self, tenant: &'a Tenant, after: &'a str, count: usize) -> Pending<'a, Vec<Whole>>;

    /// The first `count` memberships after this group and member, in that order.
    fn links<'a>(
        &'a self,
        tenant: &'a Tenant,
        after: &'a (String, String),
        count: usize,
    ) -> Pending<'a, Vec<Link>>;

    /// Writes a lot as it is, durably, whole or not at all. Nothing in it may be there already.
    ///
    /// # Errors
    /// A fault when the tenant has totals: it is no unfinished copy.
    fn adopt<'a>(&'a self, tenant: &'a Tenant, lot: Lot) -> Pending<'a, ()>;

    /// Removes a portion of an unfinished copy, or of a tenant whose rules have the number `retired`, under which nobody
    /// writes: at most `count` rows of each kind, durably, whole or not at all. Says how many rows went. Where there is none
    /// left, what is counted goes, all but the number of the rules.
    ///
    /// # Errors
    /// A fault when the tenant has totals and other rules: it is neither.
    fn discard<'a>(&'a self, tenant: &'a Tenant, retired: Option<u64>, count: usize) -> Pending<'a, u64>;

    /// Removes a portion of the logs of a tenant, whoever writes to it, or prunes it, meanwhile: the first entries that are in
    /// the cut, at most `count`, durably, whole or not at all. Nothing of the change log goes before all of the audit trail has,
    /// so that no entry that is there lacks its changes. The last entry of a log stays, whatever the cut says. Says how many
    /// went; 0 once all have. What was committed in the last hour should stay: a store may look for its own entries.
    fn prune<'a>(&'a self, tenant: &'a Tenant, cut: &'a Cut, count: usize) -> Pending<'a, u64>;
}

/// Rows of each kind that are removed at once. Whoever writes beside it waits for no more than these.
pub const PORTION: usize = 1000;

/// Removes an unfinished copy, a portion at a time.
///
/// # Errors
/// As [`Portable::discard`]. What was removed until then is gone.
pub async fn discard(store: &dyn Portable, tenant: &Tenant) -> Result<(), StoreError> {
    while store.discard(tenant, None, PORTION).await? > 0 {}
    Ok(())
}

/// What is kept of a tenant, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// What is counted of it with every commit.
    pub totals: Totals,
    /// How much is there, counted now.
    pub rows: Rows,
    /// The last of each.
    pub marks: Marks,
}

/// What is counted of a tenant with every commit. All are 0 before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// What drafts are worked out with.
    pub counts: Counts,
    /// The number of the latest audit entry.
    pub audited: u64,
}

/// How much is there of what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rows {
    /// Resources of all types.
    pub resources: u64,
    /// Index entries.
    pub entries: u64,
    /// Unique values.
    pub claims: u64,
    /// Values that are never given back.
    pub hidden: u64,
    /// Persons.
    pub persons: u64,
    /// Memberships.
    pub links: u64,
    /// Entries of the change log.
    pub changes: u64,
    /// Entries of the audit trail.
    pub audit: u64,
    /// Reports.
    pub reports: u64,
}

/// The last of everything that comes in an order. The default is before the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// The identifier of the last resource.
    pub resource: String,
    /// Group and member of the last membership.
    pub link: (String, String),
    /// The number of the last change.
    pub change: u64,
    /// The number of the last audit entry.
    pub audit: u64,
    /// The number of the last report.
    pub report: u64,
}

/// A resource with everything that is kept of it but memberships.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The resource, its claims and its index entries.
    pub stored: Stored,
    /// Values that are never given back, by path.
    pub hidden: BTreeMap<Arc<str>, String>,
    /// The person that is derived from it.
    pub person: Option<Derived>,
}

/// A membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The group.
    pub group: String,
    /// The member.
    pub member: String,
    /// As in [`Edge`](crate::Edge).
    pub since: u64,
}

/// Rows to write as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lot {
    /// Resources.
    pub wholes: Vec<Whole>,
    /// Memberships.
    pub links: Vec<Link>,
    /// Entries of the change log.
    pub changes: Vec<Change>,
    /// Entries of the audit trail.
    pub audit: Vec<Audited>,
    /// Reports.
    pub reports: Vec<Reported>,
    /// What is counted of the tenant, with which the copy is finished.
    pub totals: Option<Totals>,
}

impl Holdings {
    /// Whether it is a copy that was not finished.
    pub fn is_unfinished(&self) -> bool {
        self.totals.is_unused() && self.rows != Rows::default()
    }
}

impl Totals {
    /// Whether nothing was ever committed, or nothing is left of it. The number of the rules outlives a tenant.
    pub fn is_unused(&self) -> bool {
        *self == self.emptied()
    }

    /// What is left of them when everything else is gone.
    pub fn emptied(&self) -> Self {
        Self { counts: Counts { epoch: self.counts.epoch, ..Counts::default() }, audited: 0 }
    }

    /// Whether what they count may be removed ([`Portable::discard`]).
    pub fn may_go(&self, retired: Option<u64>) -> bool {
        self.is_unused() || retired == Some(self.counts.epoch)
    }
}

impl Rows {
    /// How much there is of what comes in an order by itself.
    pub fn parts(&self) -> u64 {
        let Self { resources, links, changes, audit, reports, .. } = self;
        resources + links + changes + audit + reports
    }

    /// The first kind of which there is another number, and both numbers.
    pub fn difference(&self, other: &Self) -> Option<(&'static str, u64, u64)> {
        let pairs = self.named().into_iter().zip(other.named());
        pairs.map(|((name, ours), (_, theirs))| (name, ours, theirs)).find(|(_, ours, theirs)| ours != theirs)
    }

    fn named(&self) -> [(&'static str, u64); 9] {
        let Self { resources, entries, claims, hidden, persons, links, changes, audit, reports } = *self;
        [
            ("resources", resources),
            ("index entries", entries),
            ("unique values", claims),
            ("hidden values", hidden),
            ("persons", persons),
            ("memberships", links),
            ("changes", changes),
            ("audit entries", audit),
            ("reports", reports),
        ]
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counts: Counts { sequence, epoch, reported, reports, open }, audited } = self;
        write!(f, "{sequence} changes, {audited} audit entries, rules number {epoch}")?;
        write!(f, ", {reports} reports up to number {reported}, {open} of them open")
    }
}

impl Whole {
    /// With its claims and index entries in the order of their paths and values, which is the same in all stores.
    pub fn new(mut stored: Stored, hidden: BTreeMap<Arc<str>, String>, person: Option<Derived>) -> Self {
        stored.unique.sort_by(|a, b| (&a.path, &a.value).cmp(&(&b.path, &b.value)));
        stored.index.sort_by(|a, b| (&a.path, &a.key, a.leading).cmp(&(&b.path, &b.key, b.leading)));
        Self { stored, hidden, person }
    }
}

impl Lot {
    /// The lot as a draft in which everything comes, to be made true as any other, and audit entries with numbers.
    pub fn into_draft(self) -> (Draft, Vec<Audited>) {
        let Self { wholes, links, changes, audit, reports, totals } = self;
        let mut draft = Draft {
            at: Timestamp(0),
            counts: totals.unwrap_or_default().counts,
            resources: BTreeMap::new(),
            hidden: BTreeMap::new(),
            persons: BTreeMap::new(),
            links: BTreeMap::new(),
            changes,
            reports: DraftedReports::default(),
            applied: Vec::new(),
            audit: None,
        };
        for Whole { stored, hidden, person } in wholes {
            let id = stored.record.id.clone();
            let hidden = hidden.into_iter().map(|(path, value)| ((id.clone(), path), Some(value)));
            draft.hidden.extend(hidden);
            draft.persons.extend(person.map(|person| (id.clone(), Some(person))));
            draft.resources.insert(id, Drafted { old: None, new: Some(stored), anew: false });
        }
        let pair = |link: Link| ((link.group, link.member), Some(link.since));
        draft.links.extend(links.into_iter().map(pair));
        draft.reports.added.extend(reports.into_iter().map(|reported| (reported.number, reported)));
        (draft, audit)
    }
}
