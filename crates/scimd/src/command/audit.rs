//! `scimd audit`: the trail of a tenant, and that of administration, which is the system tenant's. An entry says what was
//! asked; what came of it is in the change log, and the two are put together here. Nothing is written.
//!
//! The first entry of a trail that was pruned is not listed: it stands for the place of whoever stopped at it, and what came
//! of it may be gone.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap, VecDeque};

use scim_core::time::Timestamp;
use scim_store::persons::Lost;
use scim_store::{Audited, Change, ChangeKind, Tenant};

use super::people::name_of;
use super::{Office, anew, keep_mark, list_pages, named};
use crate::Failure;
use crate::cli::{AuditCommand, Common, Listing, Output, Span};
use crate::table::{Cells, text};

/// How many are read at once.
const PAGE: usize = 1000;
/// How many are listed where nothing else is said.
const LATEST: u64 = 100;

pub(super) fn run(command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::List { listing, span, resource, request } => {
            of_tenant(&listing, &span, resource.as_deref(), request.as_deref())
        }
        AuditCommand::Administration { tenant, span, common, output } => {
            administration(tenant.as_deref(), &span, &common, &output)
        }
        AuditCommand::Prune { of, older_than, dry_run } => super::pruning::run(&of, older_than, dry_run),
    }
}

/// An entry, and what it changed.
struct Entry {
    audited: Audited,
    changes: Vec<Change>,
}

const ENTRY: [&str; 11] = [
    "number", "at", "actor", "action", "status", "change", "resource", "name", "reason", "request", "members",
];

fn of_tenant(
    listing: &Listing,
    span: &Span,
    resource: Option<&str>,
    request: Option<&str>,
) -> Result<(), Failure> {
    let (office, tenant) = Office::of(&listing.of)?;
    let trail = Trail { office: &office, tenant: &tenant, seen: Cell::default() };
    let is_of = |entry: &Entry| request.is_none_or(|id| entry.audited.entry.request == id);
    let pages = trail.pages(span, |entry| is_of(entry) && resource.is_none_or(|id| entry.is_about(id)))?;
    let pages = pages.map(|page| {
        let found = page?;
        let names = trail.names(&found)?;
        Ok(found.iter().map(|entry| entry.cells(&names)).collect())
    });
    let is_read = list_pages(&listing.output, &ENTRY, pages)?;
    let (number, at) = trail.seen.get();
    keep_mark(span.mark.as_deref(), is_read, number, at)
}

const ADMINISTERED: [&str; 7] = ["number", "at", "actor", "action", "detail", "records", "request"];

fn administration(
    tenant: Option<&str>,
    span: &Span,
    common: &Common,
    output: &Output,
) -> Result<(), Failure> {
    let name = tenant.map(named).transpose()?;
    let office = Office::open(common)?;
    let trail = Trail { office: &office, tenant: &Tenant::system(), seen: Cell::default() };
    let pages =
        trail.pages(span, |entry| name.as_ref().is_none_or(|name| is_administered(&entry.audited, name)))?;
    let row = |Entry { audited, changes }: &Entry| {
        vec![
            audited.number.into(),
            audited.at.to_string().into(),
            audited.entry.actor.as_str().into(),
            audited.entry.action.as_str().into(),
            text(&audited.entry.detail),
            changes.iter().map(|change| change.id.as_str()).collect(),
            audited.entry.request.as_str().into(),
        ]
    };
    let pages = pages.map(|page| Ok(page?.iter().map(row).collect()));
    let is_read = list_pages(output, &ADMINISTERED, pages)?;
    let (number, at) = trail.seen.get();
    keep_mark(span.mark.as_deref(), is_read, number, at)
}

/// Whether an entry of administration is about a tenant, with whose name such an action ends. What a server does for the
/// whole store ends with something else that could be called the same.
fn is_administered(audited: &Audited, tenant: &Tenant) -> bool {
    let action = &audited.entry.action;
    let is_of_store =
        ["create secret ", "derive the index of "].iter().any(|begin| action.starts_with(begin));
    !is_of_store && action.rsplit(' ').next() == Some(tenant.as_str())
}

impl Entry {
    /// Whether something was done to a resource, or with it, or was asked for it.
    fn is_about(&self, id: &str) -> bool {
        let is_named = self.audited.entry.action.split(['/', ' ', '?']).any(|part| part == id);
        let is_in = |members: &[String]| members.iter().any(|member| member == id);
        is_named
            || self
                .changes
                .iter()
                .any(|change| change.id == id || is_in(&change.added) || is_in(&change.removed))
    }

    fn cells(&self, names: &HashMap<String, String>) -> Cells {
        let Self { audited: Audited { number, at, entry, .. }, changes } = self;
        let named = |verb: &str, id: &String| match names.get(id) {
            Some(name) => format!("{verb} {id} {name}"),
            None => format!("{verb} {id}"),
        };
        let members = changes.iter().filter(|change| change.kind != ChangeKind::Deleted).flat_map(|change| {
            let added = change.added.iter().map(|id| named("added", id));
            added.chain(change.removed.iter().map(|id| named("removed", id)))
        });
        vec![
            (*number).into(),
            at.to_string().into(),
            entry.actor.as_str().into(),
            entry.action.as_str().into(),
            entry.status.into(),
            changes.iter().map(|change| change.kind.name()).collect(),
            changes.iter().map(|change| change.id.as_str()).collect(),
            changes.iter().map(|change| names.get(&change.id).cloned()).collect(),
            text(&entry.detail),
            entry.request.as_str().into(),
            members.collect(),
        ]
    }
}

/// Entries, oldest first. Each page is read when it is asked for.
type Pages<'a> = Box<dyn Iterator<Item = Result<Vec<Entry>, Failure>> + 'a>;

/// The audit trail of one tenant, and its change log.
struct Trail<'a> {
    office: &'a Office,
    tenant: &'a Tenant,
    /// The last entry that was looked at, with its moment: what follows it is yet to be listed.
    seen: Cell<(u64, Option<Timestamp>)>,
}

impl Trail<'_> {
    /// The entries that are asked for, oldest first, in pages.
    fn pages<'a>(
        &'a self,
        span: &Span,
        is_wanted: impl Fn(&Entry) -> bool + 'a,
    ) -> Result<Pages<'a>, Failure> {
        match span.after {
            Some(after) => {
                self.seen.set(match after {
                    0 => self.pruned()?.map_or((0, None), |first| (first.number, Some(first.at))),
                    _ => (after, Some(self.known(after, span.at)?.at)),
                });
                Ok(Box::new(self.following(span.limit.unwrap_or(u64::MAX), is_wanted)))
            }
            None => {
                let latest = self.latest(span.limit.unwrap_or(LATEST), is_wanted)?;
                Ok(Box::new(std::iter::once(Ok(latest))))
            }
        }
    }

    /// The first after the last that was looked at. Each page is read when it is asked for.
    fn following(
        &self,
        limit: u64,
        is_wanted: impl Fn(&Entry) -> bool,
    ) -> impl Iterator<Item = Result<Vec<Entry>, Failure>> {
        let mut left = limit;
        std::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let page = match self.page(self.seen.get().0, PAGE) {
                Ok(page) => page,
                Err(failure) => {
                    left = 0;
                    return Some(Err(failure));
                }
            };
            page.last()?;
            let mut found = Vec::new();
            for entry in page {
                self.see(&entry);
                if is_wanted(&entry) {
                    found.push(entry);
                    left -= 1;
                }
                if left == 0 {
                    break;
                }
            }
            Some(Ok(found))
        })
    }

    fn see(&self, entry: &Entry) {
        self.seen.set((entry.audited.number, Some(entry.audited.at)));
    }

    /// An entry to go on after. Refuses one that is another than the caller knows, and one that is not kept any more.
    fn known(&self, number: u64, at: Option<Timestamp>) -> Result<Audited, Failure> {
        Lost::check((number, at), self.first(number)?, |entry| (entry.number, entry.at))
            .map_err(|lost| anew(&format!("audit entry {number}"), lost))
    }

    /// The first entry of a trail that was pruned: the place of whoever stopped at it, and not listed.
    fn pruned(&self) -> Result<Option<Audited>, Failure> {
        Ok(self.first(1)?.filter(|first| first.number > 1))
    }

    /// The entry with a number, or the first after it.
    fn first(&self, number: u64) -> Result<Option<Audited>, Failure> {
        let found = self.office.run(self.office.store.audit(self.tenant, number.saturating_sub(1), 1))?;
        Ok(found.into_iter().next())
    }

    /// The latest, for which the trail is read from its end.
    fn latest(&self, limit: u64, is_wanted: impl Fn(&Entry) -> bool) -> Result<Vec<Entry>, Failure> {
        let (mut found, mut after, mut begin) = (VecDeque::new(), self.last()?, self.begin()?);
        while after > begin {
            let count = (PAGE as u64).min(after - begin);
            let page = match self.page(after - count, count as usize) {
                Err(failure @ Failure::Anew(_)) => {
                    let earlier = std::mem::replace(&mut begin, self.begin()?);
                    match begin > earlier {
                        // Pruned meanwhile: it begins later.
                        true => continue,
                        false => return Err(failure),
                    }
                }
                page => page?,
            };
            after -= count;
            for entry in page.into_iter().rev() {
                if self.seen.get().0 < entry.audited.number {
                    self.see(&entry);
                }
                if is_wanted(&entry) {
                    found.push_front(entry);
                }
                if found.len() as u64 == limit {
                    return Ok(found.into());
                }
            }
        }
        Ok(found.into())
    }

    /// The place before the first that is listed. Whoever lists before anything else comes is told, too, when that is pruned.
    fn begin(&self) -> Result<u64, Failure> {
        let Some(first) = self.pruned()? else { return Ok(0) };
        if self.seen.get().0 < first.number {
            self.seen.set((first.number, Some(first.at)));
        }
        Ok(first.number)
    }

    /// The entries after a number, each with what it changed: what came into the log with it. What follows from other rules
    /// has no entry of its own, and is nobody's.
    fn page(&self, after: u64, count: usize) -> Result<Vec<Entry>, Failure> {
        let Self { office, tenant, .. } = self;
        let mut since = match after {
            0 => 0,
            _ => self.known(after, None)?.sequence,
        };
        let audited = office.run(office.store.audit(tenant, after, count))?;
        let until = audited.last().map_or(since, |entry| entry.sequence);
        let mut entries: Vec<Entry> =
            audited.into_iter().map(|audited| Entry { audited, changes: Vec::new() }).collect();
        let mut waiting = entries.iter_mut().peekable();
        while since < until {
            let changes = office.run(office.store.changes(tenant, since, PAGE))?;
            let Some(last) = changes.last() else { break };
            since = last.sequence;
            for change in changes {
                while waiting.next_if(|entry| entry.audited.sequence < change.sequence).is_some() {}
                let Some(entry) = waiting.peek_mut() else { break };
                if change.kind != ChangeKind::PersonChanged {
                    entry.changes.push(change);
                }
            }
        }
        Ok(entries)
    }

    /// The number of the last entry. They have no gaps, so that a few probes find it however many there are.
    fn last(&self) -> Result<u64, Failure> {
        let (mut low, mut high) = (0, 1);
        while self.first(high)?.is_some() {
            (low, high) = (high, high.saturating_mul(2));
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.first(middle)?.is_some() { low = middle } else { high = middle }
        }
        Ok(low)
    }

    /// What the resources that entries are about are called by now.
    fn names(&self, entries: &[Entry]) -> Result<HashMap<String, String>, Failure> {
        let changes = entries.iter().flat_map(|entry| &entry.changes);
        let ids = changes.flat_map(|change| {
            std::iter::once(&change.id).chain(&change.added).chain(&change.removed).map(String::as_str)
        });
        let ids: Vec<&str> = ids.collect::<BTreeSet<_>>().into_iter().collect();
        let mut names = HashMap::new();
        for ids in ids.chunks(PAGE) {
            let records = self.office.run(self.office.store.get(self.tenant, ids))?;
            let named = records.into_iter().flatten().map(|record| (record.id.clone(), name_of(&record)));
            names.extend(named.filter(|(_, name)| !name.is_empty()));
        }
        Ok(names)
    }
}
