//! What a tenant consists of, piece by piece in an order that all stores have.

use super::{Holdings, Link, Lot, Portable, Whole};
use crate::{Audited, Change, Pending, ReportQuery, Reported, Tenant};

/// A kind of piece.
pub(super) trait Part: Sized + PartialEq + Send {
    /// A place in the order. The default is before the first.
    type Mark: Default + Ord + Send + Sync;

    /// The first `count` after a place.
    fn page<'a>(
        store: &'a dyn Portable,
        tenant: &'a Tenant,
        after: &'a Self::Mark,
        count: usize,
    ) -> Pending<'a, Vec<Self>>;

    /// The place of the last one that a store has.
    fn last(holdings: &Holdings) -> Self::Mark;

    /// The place of this one.
    fn mark(&self) -> Self::Mark;

    /// About how many bytes it takes.
    fn weight(&self) -> usize;

    /// What to call it in a complaint. Holds no personal data.
    fn name(&self) -> String;

    /// What writes these.
    fn lot(parts: Vec<Self>) -> Lot;
}

impl Part for Whole {
    type Mark = String;

    fn page<'a>(
        store: &'a dyn Portable,
        tenant: &'a Tenant,
        after: &'a Self::Mark,
        count: usize,
    ) -> Pending<'a, Vec<Self>> {
        store.wholes(tenant, after, count)
    }

    fn last(holdings: &Holdings) -> Self::Mark {
        holdings.marks.resource.clone()
    }

    fn mark(&self) -> Self::Mark {
        self.stored.record.id.clone()
    }

    fn weight(&self) -> usize {
        let hidden: usize = self.hidden.values().map(String::len).sum();
        let index: usize = self.stored.index.iter().map(|entry| entry.key.as_bytes().len()).sum();
        self.stored.record.body.len() + hidden + index
    }

    fn name(&self) -> String {
        let record = &self.stored.record;
        format!("the {} `{}`", record.resource_type, record.id.escape_debug())
    }

    fn lot(parts: Vec<Self>) -> Lot {
        Lot { wholes: parts, ..Lot::default() }
    }
}

impl Part for Link {
    type Mark = (String, String);

    fn page<'a>(
        store: &'a dyn Portable,
        tenant: &'a Tenant,
        after: &'a Self::Mark,
        count: usize,
    ) -> Pending<'a, Vec<Self>> {
        store.links(tenant, after, count)
    }

    fn last(holdings: &Holdings) -> Self::Mark {
        holdings.marks.link.clone()
    }

    fn mark(&self) -> Self::Mark {
        (self.group.clone(), self.member.clone())
    }

    fn weight(&self) -> usize {
        self.group.len() + self.member.len()
    }

    fn name(&self) -> String {
        let (group, member) = (self.group.escape_debug(), self.member.escape_debug());
        format!("the membership of `{member}` in `{group}`")
    }

    fn lot(parts: Vec<Self>) -> Lot {
        Lot { links: parts, ..Lot::default() }
    }
}

impl Part for Change {
    type Mark = u64;

    fn page<'a>(
        store: &'a dyn Portable,
        tenant: &'a Tenant,
        after: &'a Self::Mark,
        count: usize,
    ) -> Pending<'a, Vec<Self>> {
        store.changes(tenant, *after, count)
    }

    fn last(holdings: &Holdings) -> Self::Mark {
        holdings.marks.change
    }

    fn mark(&self) -> Self::Mark {
        self.sequence
    }

    fn weight(&self) -> usize {
        self.added.iter().chain(&self.removed).map(String::len).sum::<usize>() + self.id.len()
    }

    fn name(&self) -> String {
        format!("the change {}", self.sequence)
    }

    fn lot(parts: Vec<Self>) -> Lot {
        Lot { changes: parts, ..Lot::default() }
    }
}

impl Part for Audited {
    type Mark = u64;

    fn page<'a>(
        store: &'a dyn Portable,
        tenant: &'a Tenant,
        after: &'a Self::Mark,
        count: usize,
    ) -> Pending<'a, Vec<Self>> {
        store.audit(tenant, *after, count)
    }

    fn last(holdings: &Holdings) -> Self::Mark {
        holdings.marks.audit
    }

    fn mark(&self) -> Self::Mark {
        self.number
    }

    fn weight(&self) -> usize {
        self.entry.action.len() + self.entry.detail.len()
    }

    fn name(&self) -> String {
        format!("the audit entry {}", self.number)
    }

    fn lot(parts: Vec<Self>) -> Lot {
        Lot { audit: parts, ..Lot::default() }
    }
}

impl Part for Reported {
    type Mark = u64;

    fn page<'a>(
        store: &'a dyn Portable,
        tenant: &'a Tenant,
        after: &'a Self::Mark,
        count: usize,
    ) -> Pending<'a, Vec<Self>> {
        let query = ReportQuery { after: *after, count, settled: None, subject: None };
        Box::pin(async move { store.reports(tenant, &query).await })
    }

    fn last(holdings: &Holdings) -> Self::Mark {
        holdings.marks.report
    }

    fn mark(&self) -> Self::Mark {
        self.number
    }

    fn weight(&self) -> usize {
        self.report.body.len() + self.report.findings.len()
    }

    fn name(&self) -> String {
        format!("the report {}", self.number)
    }

    fn lot(parts: Vec<Self>) -> Lot {
        Lot { reports: parts, ..Lot::default() }
    }
}
