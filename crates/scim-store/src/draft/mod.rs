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
//! 3. Set or remove [`Draft::hidden`] values and [`Draft::persons`], then add or remove [`Draft::links`]. One to add
//!    may be there, with another number.
//! 4. Append [`Draft::changes`], which are numbered already.
//! 5. Of [`Draft::reports`], mark those to settle, remove those to remove, then add the others, numbered already. One to
//!    add can have the number of one to remove.
//! 6. Remember [`Draft::counts`].
//! 7. Append [`Draft::audit`], if there is one, as an [`Audited`](crate::Audited) with the next number of its
//!    own log.
//!
//! Then answer with [`Committed`](crate::Committed): the sequence and [`Draft::applied`].

mod members;
mod reports;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim_core::person::Derived;
use scim_core::time::Timestamp;

use self::reports::Shelf;
use self::work::Drafting;
use crate::{
    Applied, AuditEntry, Change, Changeset, CommitError, Conflict, IndexEntry, Record, Reported, Retry, Side,
    StoreError, UniqueKey,
};

/// What is stored of one tenant before a changeset.
///
/// All answers are of one moment, and nothing else commits to the tenant until the draft is true or dropped.
/// Identifiers that lead to nothing are asked for too. An error ends the draft and is the outcome of the
/// commit.
pub trait Existing {
    /// A resource of any type, with all its claims and index entries.
    fn resource(&self, id: &str) -> Result<Option<Stored>, StoreError>;

    /// The name of a resource's type, if there is such a resource. It is asked for every member to add.
    fn resource_type(&self, id: &str) -> Result<Option<Arc<str>>, StoreError>;

    /// A hidden value of a resource, as [`Hidden`](crate::Hidden) set it.
    fn hidden(&self, id: &str, path: &str) -> Result<Option<String>, StoreError>;

    /// The person that is derived from a resource.
    fn person(&self, id: &str) -> Result<Option<Derived>, StoreError>;

    /// Whether a group has a member.
    fn is_linked(&self, group: &str, member: &str) -> Result<bool, StoreError>;

    /// The members of a group, or the groups of a member, in any order. It may be asked for all of a large
    /// group.
    fn linked(&self, side: Side, of: &str) -> Result<Vec<String>, StoreError>;

    /// The resource that has a unique value. The value is compared as bytes; it is folded already.
    fn holder(&self, claim: &Claim) -> Result<Option<String>, StoreError>;

    /// The reports about a subject, by number: at most [`Report::MOST_OF_SUBJECT`](crate::Report::MOST_OF_SUBJECT).
    fn reports_about(&self, subject: &str) -> Result<Vec<Kept>, StoreError>;

    /// The subjects of unsettled reports that begin with a text, each once. Texts are compared as bytes.
    fn subjects_below(&self, beginning: &str) -> Result<Vec<String>, StoreError>;

    /// The first of all reports in the order in which they go: settled ones before others, and then by number.
    fn reports_to_go(&self, count: usize) -> Result<Vec<Going>, StoreError>;
}

/// What is counted of a tenant. All are 0 before its first commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of the latest change.
    pub sequence: u64,
    /// The number of the rules in force.
    pub epoch: u64,
    /// The number of the latest report.
    pub reported: u64,
    /// How many reports are stored.
    pub reports: u64,
    /// How many of them are not settled.
    pub open: u64,
}

/// A report that is stored, as far as a draft has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// As in [`Reported`].
    pub number: u64,
    /// As in [`Report`](crate::Report).
    pub digest: [u8; 32],
    /// As in [`Reported`].
    pub first: Timestamp,
    /// As in [`Reported`].
    pub count: u64,
    /// As in [`Reported`].
    pub settled: bool,
}

impl From<&Reported> for Kept {
    fn from(reported: &Reported) -> Self {
        let Reported { number, first, count, settled, report, .. } = reported;
        Self { number: *number, digest: report.digest, first: *first, count: *count, settled: *settled }
    }
}

/// A report that has to go when there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Going {
    /// Its number.
    pub number: u64,
    /// Whether it is settled.
    pub settled: bool,
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// What is counted of the tenant afterwards.
    pub counts: Counts,
    /// The resources that it concerns, by identifier. One that was created and deleted on the way has neither
    /// `old` nor `new`.
    pub resources: BTreeMap<String, Drafted>,
    /// Hidden values by identifier and path; `None` for one to forget.
    pub hidden: BTreeMap<(String, Arc<str>), Option<String>>,
    /// Persons by the identifier of their resource; `None` for one that goes. Only those that differ.
    pub persons: BTreeMap<String, Option<Derived>>,
    /// Group and member, and the number of the change that links them; `None` where they will not be linked.
    pub links: BTreeMap<(String, String), Option<u64>>,
    /// The new entries of the log.
    pub changes: Vec<Change>,
    /// What becomes of reports.
    pub reports: DraftedReports,
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

/// What becomes of reports.
#[derive(Debug, Default)]
pub struct DraftedReports {
    /// Numbers of those to mark as settled, and to take the bodies of. Some may have to go as well.
    pub settled: BTreeSet<u64>,
    /// Numbers of those that go.
    pub removed: BTreeSet<u64>,
    /// Those that come, by number.
    pub added: BTreeMap<u64, Reported>,
}

impl Draft {
    /// Works out a changeset, where `counts` is what was counted of the tenant so far.
    ///
    /// # Errors
    /// The conflict, or what kept `existing` from answering.
    pub fn new(existing: &dyn Existing, counts: Counts, changeset: Changeset) -> Result<Self, CommitError> {
        let Changeset { at, epoch, operations, settles, settles_below, forgets, retries, reports, audit } =
            changeset;
        if epoch < counts.epoch {
            return Err(Conflict::Epoch { current: counts.epoch }.into());
        }
        if let Some(Retry { subject, number, .. }) = &retries {
            let about = existing.reports_about(subject)?;
            if !about.iter().any(|kept| kept.number == *number && !kept.settled) {
                return Err(Conflict::Settled.into());
            }
        }
        for (subject, number) in &forgets {
            if !existing.reports_about(subject)?.iter().any(|kept| kept.number == *number) {
                return Err(Conflict::Settled.into());
            }
        }
        let draft = Self {
            at,
            counts: Counts { epoch, ..counts },
            resources: BTreeMap::new(),
            hidden: BTreeMap::new(),
            persons: BTreeMap::new(),
            links: BTreeMap::new(),
            changes: Vec::new(),
            reports: DraftedReports::default(),
            applied: Vec::with_capacity(operations.len()),
            audit,
        };
        let mut draft = Drafting::new(existing, draft, &operations).run(operations)?;
        let mut shelf = Shelf::new(existing, &mut draft, retries);
        for (subject, number) in forgets {
            shelf.forget(subject, number)?;
        }
        for subject in settles {
            shelf.settle(subject)?;
        }
        for beginning in settles_below {
            shelf.settle_below(&beginning)?;
        }
        for report in reports {
            shelf.add(report)?;
        }
        shelf.make_room()?;
        Ok(draft)
    }
}

impl DraftedReports {
    /// Whether all reports stay as they are.
    pub fn is_empty(&self) -> bool {
        let Self { settled, removed, added } = self;
        settled.is_empty() && removed.is_empty() && added.is_empty()
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
}
