//! A batch worked out from what is remembered of a tenant, or was read before, to be written without its lock.
//!
//! The statements of a guess fail where it is wrong, and then nothing was done. All that it rests on is held by keys that may
//! not be there twice, and by statements that look: resources have the version that they were known by, and memberships are
//! as they were known ([`Assumed`]). So it does not matter who else has written to the tenant, as long as they have written
//! something else. How its changes and entries are numbered turns out when it is written.
//!
//! What a version does not answer for is held by the tenant's fence: persons, unique values and index entries that were
//! derived anew from what is stored, and that it is the same run of the database, which gives no version twice.
//!
//! A guess never refuses anybody: what would be a conflict is left to somebody who reads.

use std::collections::BTreeMap;

use scim_core::time::Timestamp;
use scim_store::draft::{Counts, Draft};
use scim_store::transfer::Totals;
use scim_store::{Changeset, CommitError, Committed, Conflict, Guard, Operation, Side};
use tokio_postgres::Row;

use crate::apply::{self, Leap};
use crate::assumed::Assumed;
use crate::error::Failed;
use crate::existing::{Known, Outcome, is_impossible};
use crate::memory::Ground;
use crate::rows::clamp;
use crate::session::{Step, column, step};
use crate::touched::touched;
use crate::writer::locked_columns;

/// What comes of changesets without the tenant's lock.
pub(crate) enum Worked {
    /// All of them.
    Out(Box<Guess>),
    /// More has to be known.
    Unknown,
    /// One of them is refused, or has to do with reports, or leaves no trace by which others could tell of it.
    Unfit,
}

/// Changesets worked out, all of them, as if nobody else had written to the tenant since.
pub(crate) struct Guess {
    /// What writes them, and fails where the guess is wrong. The first gives the tenant's row as it was.
    pub(crate) steps: Vec<Step>,
    commits: Vec<Committed>,
    /// What is counted of the tenant before and afterwards.
    before: Totals,
    after: Totals,
    /// What was known for it, and what it makes of that.
    known: Known,
    /// Resources that it gives another version.
    changed: Vec<String>,
    /// The place among the answers to the steps of the groups of which only the members change.
    touched: Option<usize>,
    born: Vec<Born>,
    /// The number of the latest change when the first entry of the audit trail is made.
    sequence: u64,
}

/// What a guess may have come to, if nobody else has written.
pub(crate) struct Doubted {
    pub(crate) commits: Vec<Committed>,
    /// The number of the latest change when the first entry of the audit trail is made.
    pub(crate) sequence: u64,
    pub(crate) born: Vec<Born>,
}

/// An operation on a resource of which it is not known when it was created.
pub(crate) struct Born {
    changeset: usize,
    operation: usize,
    pub(crate) id: String,
}

/// What a guess has come to.
pub(crate) struct Written {
    pub(crate) commits: Vec<Committed>,
    /// What is counted of the tenant afterwards.
    pub(crate) totals: Totals,
    pub(crate) known: Known,
}

impl Guess {
    /// Works changesets out from what is known of a tenant.
    pub(crate) fn of(
        tenant: &str,
        ground: &Ground,
        mut known: Known,
        changesets: &[&Changeset],
    ) -> Result<Worked, Failed> {
        let operations = || changesets.iter().flat_map(|changeset| &changeset.operations);
        // What is derived anew has no other version afterwards.
        let leaves_no_trace = operations().any(|operation| matches!(operation, Operation::Rederive { .. }))
            || changesets.iter().all(|changeset| changeset.audit.is_none());
        let has_reports = changesets.iter().any(|changeset| {
            changeset.retries.is_some()
                || !changeset.reports.is_empty()
                || !changeset.forgets.is_empty()
                || (!changeset.settles_below.is_empty() && ground.totals.counts.open > 0)
        });
        if leaves_no_trace || has_reports {
            return Ok(Worked::Unfit);
        }
        let linked = known.links.iter().filter(|(_, is_linked)| **is_linked).map(|(pair, _)| pair.clone());
        let presumed = operations().filter_map(removal).flatten().chain(linked);
        known.presumed = presumed.map(|(group, member)| (member, group)).collect();
        let groups = touched(operations(), &known);
        for (id, group) in &groups {
            known.resources.insert(id.clone(), Some(group.clone()));
            // Who its members are goes with a version that is not looked at.
            known.lists.remove(&(Side::Members, id.clone()));
        }
        let (mut assumed, mut outcome) = (Assumed::by(&known), Outcome::default());
        let mut commits = Vec::with_capacity(changesets.len());
        let mut before = ground.totals;
        before.counts.sequence = latest(before.counts.sequence, &known, changesets);
        let mut after = before;
        for changeset in changesets {
            let drafted = Draft::new(&known, after.counts, (*changeset).clone());
            let wishes = known.wishes();
            let draft = match drafted {
                Ok(draft) => draft,
                Err(CommitError::Conflict(Conflict::Missing { .. })) if !wishes.resources.is_empty() => {
                    return Ok(Worked::Unknown);
                }
                Err(_) => return Ok(Worked::Unfit),
            };
            if !draft.reports.is_empty() {
                return Ok(Worked::Unfit);
            }
            if !assumed.grant(wishes, &mut known, &draft) {
                return Ok(Worked::Unknown);
            }
            known.learn(&draft);
            after.counts = draft.counts;
            commits.push(Committed { sequence: draft.counts.sequence, applied: draft.applied.clone() });
            let audited = after.audited;
            after.audited += u64::from(draft.audit.is_some());
            outcome.add(draft, audited);
        }
        known.presumed.clear();
        let Some(sequence) = outcome.audit.first().map(|entry| entry.sequence) else {
            return Ok(Worked::Unfit);
        };
        if !assumed.is_held_by(&outcome) {
            return Ok(Worked::Unfit);
        }
        let mut steps = vec![same_ground(tenant, ground, before)];
        // Whether a version is one of ours or was there before has to be known of each.
        let mut born = Vec::new();
        for (n, (changeset, commit)) in changesets.iter().zip(&commits).enumerate() {
            for (m, (operation, applied)) in changeset.operations.iter().zip(&commit.applied).enumerate() {
                let id = operation.id();
                if !applied.changed && (outcome.changes(id) || groups.contains_key(id)) {
                    return Ok(Worked::Unfit);
                }
                if groups.contains_key(id) {
                    born.push(Born { changeset: n, operation: m, id: id.to_owned() });
                }
            }
        }
        steps.extend(assumed.statements(tenant, &groups, &outcome));
        let mut renewed = Vec::new();
        for id in groups.keys() {
            known.resources.remove(id);
            known.stale.insert(id.clone());
            if let Some((_, Some(group))) = outcome.resources.remove(id) {
                renewed.push(group.record);
            }
        }
        let changed = outcome.resources.keys().filter(|id| outcome.changes(id)).cloned().collect();
        outcome.apart = assumed.apart;
        let touched = (!renewed.is_empty()).then(|| steps.len() + apply::TOUCHED);
        if touched.is_some() {
            steps.extend(apply::touch(tenant, renewed));
        }
        let leap = Leap { before, after, is_fenced: false, token: Some(ground.token.clone()) };
        steps.extend(apply::statements(tenant, leap, outcome)?);
        let guess = Self { steps, commits, before, after, known, changed, touched, born, sequence };
        Ok(Worked::Out(Box::new(guess)))
    }

    /// What it has come to, by the answers to its steps. An answer that cannot be read takes nothing away.
    pub(crate) fn written(&mut self, found: Totals, answers: &[Vec<Row>]) -> Result<Written, Failed> {
        let rows = self.touched.and_then(|place| answers.get(place)).into_iter().flatten();
        date(self.commits.iter_mut().map(Some), &self.born, rows)?;
        let (mut commits, mut known) = (std::mem::take(&mut self.commits), std::mem::take(&mut self.known));
        let others = found.counts.sequence.saturating_sub(self.before.counts.sequence);
        for id in &self.changed {
            if let Some(Some(stored)) = known.resources.get_mut(id) {
                stored.record.version += others;
            }
        }
        commits.iter_mut().for_each(|committed| renumber(committed, others));
        Ok(Written { commits, totals: apply::leapt(found, self.before, self.after), known })
    }

    /// What it may have come to, where there is no answer.
    pub(crate) fn doubted(self) -> Doubted {
        let Self { commits, sequence, born, .. } = self;
        Doubted { commits, sequence, born }
    }
}

/// What was committed, behind so many changes of others.
pub(crate) fn renumber(committed: &mut Committed, others: u64) {
    committed.sequence += others;
    let changed = committed.applied.iter_mut().filter(|applied| applied.changed);
    changed.for_each(|applied| applied.version += others);
}

/// Sets when resources were created, by rows of their identifiers and that.
pub(crate) fn date<'a>(
    commits: impl Iterator<Item = Option<&'a mut Committed>>,
    born: &[Born],
    rows: impl Iterator<Item = &'a Row>,
) -> Result<(), Failed> {
    if born.is_empty() {
        return Ok(());
    }
    let created: Result<BTreeMap<&str, i64>, Failed> =
        rows.map(|row| Ok((column(row, 0)?, column(row, 1)?))).collect();
    let created = created?;
    let mut commits: Vec<Option<&mut Committed>> = commits.collect();
    for Born { changeset, operation, id } in born {
        let commit = commits.get_mut(*changeset).and_then(Option::as_mut);
        let applied = commit.and_then(|commit| commit.applied.get_mut(*operation));
        // It may have been deleted since, and nobody cares any more.
        if let (Some(applied), Some(created)) = (applied, created.get(id.as_str())) {
            applied.created = Timestamp(*created);
        }
    }
    Ok(())
}

/// The number behind which a guess numbers what it changes, so that no version that it gives is one that others have given
/// since, or that somebody asks for. It does not matter that it may be too high: what is written is numbered by what the tenant's
/// row has.
fn latest(sequence: u64, known: &Known, changesets: &[&Changeset]) -> u64 {
    let versions = known.resources.values().flatten().map(|stored| stored.record.version);
    let operations = changesets.iter().flat_map(|changeset| &changeset.operations);
    let asked_for = operations.filter_map(|operation| match operation {
        Operation::Replace { guard: Guard::Version(version), .. }
        | Operation::Rederive { guard: Guard::Version(version), .. }
        | Operation::Delete { guard: Guard::Version(version), .. } => Some(*version),
        Operation::Create { .. }
        | Operation::Replace { guard: Guard::Exists, .. }
        | Operation::Rederive { guard: Guard::Exists, .. }
        | Operation::Delete { guard: Guard::Exists, .. } => None,
    });
    // Clients ask for whatever they like.
    versions.chain(asked_for).filter(|version| *version < IMPOSSIBLE).fold(sequence, u64::max)
}

/// A version that no resource has.
const IMPOSSIBLE: u64 = 1 << 62;

/// Memberships that an operation ends.
fn removal(operation: &Operation) -> Option<impl Iterator<Item = (String, String)> + '_> {
    let Operation::Replace { id, members, .. } = operation else { return None };
    let possible = |member: &&String| !is_impossible(id) && !is_impossible(member);
    Some(members.remove.iter().filter(possible).map(|member| (id.clone(), member.clone())))
}

/// Locks a tenant's row and gives it, if nothing was derived anew since, nobody has given up on this guess, and
/// no report is open where none was. Divides by zero otherwise.
fn same_ground(tenant: &str, ground: &Ground, totals: Totals) -> Step {
    let sql = concat!(
        "SELECT t.*, 1 / (t.fence IS NOT NULL)::int, set_config('scim.changes', (t.sequence - $6)::text, true),
            set_config('scim.entries', (t.audited - $7)::text, true) FROM (SELECT) one LEFT JOIN (SELECT ",
        locked_columns!(),
        " FROM tenant WHERE name = $1 AND fence = $2 AND epoch = $3 AND (open = 0 OR $4) AND ",
        "extract(epoch FROM pg_postmaster_start_time())::text = $5 FOR NO KEY UPDATE) t ON true"
    );
    let Totals { counts: Counts { sequence, epoch, open, .. }, audited } = totals;
    let [fence, epoch, sequence, audited] = [ground.fence, epoch, sequence, audited].map(clamp);
    step!(sql, tenant.to_owned(), fence, epoch, open > 0, ground.run.clone(), sequence, audited)
}
