//! What becomes of reports: which are settled, which are counted instead of stored again, and which have to go.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use scim_core::time::Timestamp;

use super::{Draft, Existing, Going, Kept};
use crate::{Report, Reported, Retry, StoreError};

/// The reports of a tenant, as far as a changeset looks at them.
pub(super) struct Shelf<'a> {
    existing: &'a dyn Existing,
    draft: &'a mut Draft,
    /// Whether nothing was stored before, so that there is nothing to ask for.
    was_empty: bool,
    retries: Option<Retry>,
    /// By subject, each by number.
    about: BTreeMap<String, Vec<Kept>>,
}

impl<'a> Shelf<'a> {
    pub(super) fn new(existing: &'a dyn Existing, draft: &'a mut Draft, retries: Option<Retry>) -> Self {
        let was_empty = draft.counts.reports == 0;
        Self { existing, draft, was_empty, retries, about: BTreeMap::new() }
    }

    /// Removes a report for good.
    pub(super) fn forget(&mut self, subject: String, number: u64) -> Result<(), StoreError> {
        let mut about = self.take(&subject)?;
        for kept in about.extract_if(.., |kept| kept.number == number) {
            self.remove(kept.number, kept.settled);
        }
        self.about.insert(subject, about);
        Ok(())
    }

    /// Settles what is stored about a subject.
    pub(super) fn settle(&mut self, subject: String) -> Result<(), StoreError> {
        // Almost every write comes this way, and most tenants have nothing to settle.
        if self.draft.counts.open == 0 {
            return Ok(());
        }
        let mut about = self.take(&subject)?;
        let last = self.retries.as_ref().map_or(u64::MAX, |retry| retry.number);
        for kept in about.iter_mut().filter(|kept| !kept.settled && kept.number <= last) {
            kept.settled = true;
            self.draft.reports.settled.insert(kept.number);
            self.draft.counts.open -= 1;
        }
        self.about.insert(subject, about);
        Ok(())
    }

    /// Settles what is stored about every subject that begins so.
    pub(super) fn settle_below(&mut self, beginning: &str) -> Result<(), StoreError> {
        if self.draft.counts.open == 0 {
            return Ok(());
        }
        self.existing.subjects_below(beginning)?.into_iter().try_for_each(|subject| self.settle(subject))
    }

    /// Stores a report: in the place of the one that is retried, or else of the one that it repeats.
    pub(super) fn add(&mut self, mut report: Report) -> Result<(), StoreError> {
        if report.body.len() > Report::MOST_BODY {
            report.body = Bytes::new();
        }
        if let Some(retry) = self.retries.take()
            && let Some(kept) = self.take_open(&retry)?
        {
            return self.put(report, retry.number, retry.sequence, kept.first, kept.count);
        }
        let mut about = self.take(&report.subject)?;
        let repeated = about.iter().position(|kept| !kept.settled && kept.digest == report.digest);
        let (first, count) = match repeated.map(|index| about.remove(index)) {
            Some(kept) => {
                self.remove(kept.number, kept.settled);
                (kept.first, kept.count + 1)
            }
            None => (self.draft.at, 1),
        };
        self.about.insert(report.subject.clone(), about);
        let counts = &mut self.draft.counts;
        counts.reported += 1;
        let (number, sequence) = (counts.reported, counts.sequence);
        self.put(report, number, sequence, first, count)
    }

    fn put(
        &mut self,
        report: Report,
        number: u64,
        sequence: u64,
        first: Timestamp,
        count: u64,
    ) -> Result<(), StoreError> {
        self.draft.counts.reports += 1;
        self.draft.counts.open += 1;
        let mut about = self.take(&report.subject)?;
        about.push(Kept { number, digest: report.digest, first, count, settled: false });
        about.sort_unstable_by_key(|kept| kept.number);
        let (subject, at) = (report.subject.clone(), self.draft.at);
        let reported = Reported { number, sequence, at, first, count, settled: false, report };
        self.draft.reports.added.insert(number, reported);
        if about.len() > Report::MOST_OF_SUBJECT {
            let oldest = about.remove(0);
            self.remove(oldest.number, oldest.settled);
        }
        self.about.insert(subject, about);
        Ok(())
    }

    /// Takes the report that is retried off the shelf, unless it is settled by now.
    fn take_open(&mut self, retry: &Retry) -> Result<Option<Kept>, StoreError> {
        let mut about = self.take(&retry.subject)?;
        let open = about.iter().position(|kept| kept.number == retry.number && !kept.settled);
        let kept = open.map(|index| about.remove(index));
        self.about.insert(retry.subject.clone(), about);
        if let Some(kept) = &kept {
            self.remove(kept.number, false);
        }
        Ok(kept)
    }

    /// Removes what is too many, once all are stored.
    pub(super) fn make_room(mut self) -> Result<(), StoreError> {
        let too_many = |shelf: &Self| shelf.draft.counts.reports.saturating_sub(Report::MOST) as usize;
        if too_many(&self) == 0 {
            return Ok(());
        }
        let count = too_many(&self) + self.draft.reports.removed.len();
        // What this changeset settles has moved to the front.
        let by_now = |going: Going| {
            (!self.draft.reports.settled.contains(&going.number) && !going.settled, going.number)
        };
        let stored = self.existing.reports_to_go(count)?.into_iter().map(by_now);
        let settled = self.draft.reports.settled.iter().map(|number| (false, *number));
        let in_order: BTreeSet<(bool, u64)> = stored.chain(settled).collect();
        for (open, number) in in_order {
            if too_many(&self) > 0 && !self.draft.reports.removed.contains(&number) {
                self.remove(number, !open);
            }
        }
        while too_many(&self) > 0
            && let Some(number) = self.draft.reports.added.keys().next().copied()
        {
            self.remove(number, false);
        }
        Ok(())
    }

    fn take(&mut self, subject: &str) -> Result<Vec<Kept>, StoreError> {
        match self.about.entry(subject.to_owned()) {
            Entry::Occupied(about) => Ok(about.remove()),
            Entry::Vacant(_) if self.was_empty => Ok(Vec::new()),
            Entry::Vacant(_) => self.existing.reports_about(subject),
        }
    }

    fn remove(&mut self, number: u64, settled: bool) {
        if self.draft.reports.added.remove(&number).is_none() {
            self.draft.reports.removed.insert(number);
        }
        self.draft.counts.reports -= 1;
        self.draft.counts.open -= u64::from(!settled);
    }
}
