//! A batch worked out from what is remembered of a tenant, to be written without reading first.
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

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim_store::draft::{Claim, Counts, Draft, Stored};
use scim_store::transfer::Totals;
use scim_store::{Changeset, Committed, Operation, Side};

use crate::apply::{self, Leap};
use crate::error::Failed;
use crate::existing::{Known, Outcome, is_impossible};
use crate::memory::Ground;
use crate::rows::{clamp, edges_from};
use crate::session::{Step, step};
use crate::wishes::Wishes;
use crate::writer::locked_columns;

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
    /// The number of the latest change when the first entry of the audit trail is made.
    sequence: u64,
}

/// What a guess has come to.
pub(crate) struct Written {
    pub(crate) commits: Vec<Committed>,
    /// What is counted of the tenant afterwards.
    pub(crate) totals: Totals,
    pub(crate) known: Known,
}

/// What is taken for granted.
#[derive(Default)]
struct Assumed {
    /// Resources that are not there.
    absent: BTreeSet<String>,
    /// Unique values that nobody has.
    free: BTreeSet<Claim>,
    /// Group and member that are not linked.
    apart: BTreeSet<(String, String)>,
    /// Group and member that are linked.
    linked: BTreeSet<(String, String)>,
    /// All members of groups, and all groups of members.
    lists: BTreeMap<(Side, String), BTreeSet<String>>,
    /// Types of resources.
    types: BTreeMap<String, Arc<str>>,
}

impl Guess {
    /// Works changesets out from what is known of a tenant. Nothing where more has to be known, where one of them is refused,
    /// or where nobody could tell afterwards whether it was committed.
    pub(crate) fn of(
        tenant: &str,
        ground: &Ground,
        mut known: Known,
        changesets: &[&Changeset],
    ) -> Result<Option<Self>, Failed> {
        let operations = || changesets.iter().flat_map(|changeset| &changeset.operations);
        // What is derived anew has no other version afterwards, by which others could tell.
        if operations().any(|operation| matches!(operation, Operation::Rederive { .. })) {
            return Ok(None);
        }
        known.presumed = operations().filter_map(removal).flatten().collect();
        let (mut assumed, mut outcome) = (Assumed::by(&known), Outcome::default());
        let mut commits = Vec::with_capacity(changesets.len());
        let before = ground.totals;
        let mut after = before;
        for changeset in changesets {
            let drafted = Draft::new(&known, after.counts, (*changeset).clone());
            let Ok(draft) = drafted else { return Ok(None) };
            if !draft.reports.is_empty() || !assumed.grant(known.wishes(), &known, &draft) {
                return Ok(None);
            }
            known.learn(&draft);
            after.counts = draft.counts;
            commits.push(Committed { sequence: draft.counts.sequence, applied: draft.applied.clone() });
            let audited = after.audited;
            after.audited += u64::from(draft.audit.is_some());
            outcome.add(draft, audited);
        }
        known.presumed.clear();
        let Some(sequence) = outcome.audit.first().map(|entry| entry.sequence) else { return Ok(None) };
        if !assumed.is_held_by(&outcome) {
            return Ok(None);
        }
        let mut steps = vec![same_ground(tenant, ground)];
        steps.extend(assumed.statements(tenant, &outcome));
        let changed = outcome.resources.iter().filter_map(|(id, (old, new))| {
            let version = |stored: &Stored| stored.record.version;
            let is_new = new.is_some() && old.as_ref().map(version) != new.as_ref().map(version);
            is_new.then(|| id.clone())
        });
        let changed = changed.collect();
        outcome.apart = assumed.apart;
        let leap = Leap { before, after, is_fenced: false, token: Some(ground.token.clone()) };
        steps.extend(apply::statements(tenant, leap, outcome)?);
        Ok(Some(Self { steps, commits, before, after, known, changed, sequence }))
    }

    /// What it has come to, written behind what others have left the tenant with.
    pub(crate) fn behind(self, found: Totals) -> Written {
        let Self { mut commits, before, after, mut known, changed, .. } = self;
        let others = found.counts.sequence.saturating_sub(before.counts.sequence);
        for id in changed {
            if let Some(Some(stored)) = known.resources.get_mut(&id) {
                stored.record.version += others;
            }
        }
        commits.iter_mut().for_each(|committed| renumber(committed, others));
        Written { commits, totals: apply::leapt(found, before, after), known }
    }

    /// What it may have come to, if nobody else has written, and the number of the latest change when its first entry of the
    /// audit trail is made.
    pub(crate) fn doubted(self) -> (u64, Vec<Committed>) {
        (self.sequence, self.commits)
    }
}

/// What was committed, behind so many changes of others.
pub(crate) fn renumber(committed: &mut Committed, others: u64) {
    committed.sequence += others;
    committed
        .applied
        .iter_mut()
        .filter(|applied| applied.changed)
        .for_each(|applied| applied.version += others);
}

/// Memberships that an operation ends.
fn removal(operation: &Operation) -> Option<impl Iterator<Item = (String, String)> + '_> {
    let Operation::Replace { id, members, .. } = operation else { return None };
    let possible = |member: &&String| !is_impossible(id) && !is_impossible(member);
    Some(members.remove.iter().filter(possible).map(|member| (id.clone(), member.clone())))
}

/// Locks a tenant's row and gives it, if nothing was derived anew since, nobody has given up on this guess, and
/// there is nothing to settle where there was nothing. Divides by zero otherwise.
fn same_ground(tenant: &str, ground: &Ground) -> Step {
    let sql = concat!(
        "SELECT t.*, 1 / (t.fence IS NOT NULL)::int FROM (SELECT) one LEFT JOIN (SELECT ",
        locked_columns!(),
        " FROM tenant WHERE name = $1 AND fence = $2 AND epoch = $3 AND open = $4 AND ",
        "extract(epoch FROM pg_postmaster_start_time())::text = $5 FOR NO KEY UPDATE) t ON true"
    );
    let Counts { epoch, open, .. } = ground.totals.counts;
    let [fence, epoch, open] = [ground.fence, epoch, open].map(clamp);
    step!(sql, tenant.to_owned(), fence, epoch, open, ground.run.clone())
}

/// Whether lists of identifiers are these, each [`written`], in order.
macro_rules! same_lists_sql {
    ($known:literal, $other:literal) => {
        concat!(
            "SELECT 1 / bool_and(f.list = j.list)::int FROM unnest($2::text[], $3::text[]) AS j (of, list)
                CROSS JOIN LATERAL (SELECT coalesce(string_agg(concat(octet_length(e.id), ':', e.id), '' ORDER BY e.id), '')
                    AS list FROM (SELECT e.",
            $other,
            " AS id FROM edge e WHERE e.tenant = $1 AND ",
            edges_from!($known, $other, "j.of", "''"),
            " OFFSET 0) e) f"
        )
    };
}

impl Assumed {
    /// All that is known already.
    fn by(known: &Known) -> Self {
        let types = known.types.iter().filter_map(|(id, of)| Some((id.clone(), Arc::clone(of.as_ref()?))));
        let linked = known.links.iter().filter(|(_, is_linked)| **is_linked).map(|(pair, _)| pair.clone());
        let lists = known.lists.iter().map(|(key, list)| (key.clone(), list.clone()));
        Self { types: types.collect(), linked: linked.collect(), lists: lists.collect(), ..Self::default() }
    }

    /// Grants what a draft wished for and was answered without knowing, as far as it can be held later.
    fn grant(&mut self, wishes: Wishes, known: &Known, draft: &Draft) -> bool {
        let Wishes {
            resources,
            leaving,
            types,
            hidden,
            persons,
            links,
            lists,
            holders,
            reports,
            below,
            going,
        } = wishes;
        let is_created = |id: &String| {
            draft.resources.get(id).is_some_and(|drafted| drafted.old.is_none() && drafted.new.is_some())
        };
        let unknowable = [persons, leaving, reports, below].into_iter().all(|texts| texts.is_empty())
            && hidden.is_empty()
            && lists.is_empty()
            && going == 0;
        let Some(usual) = known.usual.clone().or_else(|| types.is_empty().then(Arc::default)) else {
            return false;
        };
        if !unknowable || !resources.iter().all(is_created) {
            return false;
        }
        self.absent.extend(resources);
        self.types.extend(types.into_iter().map(|id| (id, Arc::clone(&usual))));
        self.free.extend(holders);
        let (linked, apart): (BTreeSet<_>, BTreeSet<_>) =
            links.into_iter().partition(|pair| known.presumed.contains(pair));
        self.linked.extend(linked);
        self.apart.extend(apart);
        true
    }

    /// Whether the rows of an outcome leave no doubt of what was taken for free or absent: they could not be written
    /// otherwise. They do not where one changeset takes back what another has done.
    fn is_held_by(&self, outcome: &Outcome) -> bool {
        let come =
            |id: &String| outcome.resources.get(id).is_some_and(|(old, new)| old.is_none() && new.is_some());
        let claims: BTreeSet<Claim> = outcome
            .resources
            .values()
            .filter_map(|(_, new)| new.as_ref())
            .flat_map(|new| new.claims())
            .collect();
        let linked = |pair: &(String, String)| outcome.links.get(pair).is_some_and(Option::is_some);
        self.absent.iter().all(come) && self.free.is_subset(&claims) && self.apart.iter().all(linked)
    }

    /// What looks whether the rest holds, and divides by zero where it does not.
    fn statements(&self, tenant: &str, outcome: &Outcome) -> Vec<Step> {
        let (mut ids, mut types, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        let mut expect = |id: &String, resource_type: &str, version: Option<i64>| {
            ids.push(id.clone());
            types.push(resource_type.to_owned());
            versions.push(version);
        };
        for (id, (old, _)) in &outcome.resources {
            if let Some(Stored { record, .. }) = old {
                expect(id, &record.resource_type, Some(clamp(record.version)));
            }
        }
        let others = self.types.iter().filter(|(id, _)| !outcome.resources.contains_key(*id));
        others.for_each(|(id, resource_type)| expect(id, resource_type, None));
        let mut steps = Vec::new();
        if !ids.is_empty() {
            let sql = "SELECT 1 / (count(*) = $5)::int FROM unnest($2::text[], $3::text[], $4::int8[]) AS j (id, type, version)
                CROSS JOIN LATERAL (SELECT FROM resource r WHERE r.tenant = $1 AND r.id >= j.id AND r.id <= j.id AND r.type = j.type
                    AND r.version = coalesce(j.version, r.version) ORDER BY r.id OFFSET 0) r";
            let count = clamp(ids.len() as u64);
            steps.push(step!(sql, tenant.to_owned(), ids, types, versions, count));
        }
        if !self.linked.is_empty() {
            let (groups, members): (Vec<String>, Vec<String>) = self.linked.iter().cloned().unzip();
            let sql = "SELECT 1 / (count(*) = $4)::int FROM unnest($2::text[], $3::text[]) AS j (grp, member)
                CROSS JOIN LATERAL (SELECT FROM edge e WHERE e.tenant = $1 AND e.grp = j.grp AND e.member = j.member
                    OFFSET 0) e";
            let count = clamp(groups.len() as u64);
            steps.push(step!(sql, tenant.to_owned(), groups, members, count));
        }
        for side in [Side::Members, Side::Groups] {
            let lists = self.lists.iter().filter(|((of, _), _)| *of == side);
            let (of, lists): (Vec<String>, Vec<String>) =
                lists.map(|((_, of), list)| (of.clone(), list.iter().map(written).collect())).unzip();
            if !of.is_empty() {
                let sql = match side {
                    Side::Members => same_lists_sql!("grp", "member"),
                    Side::Groups => same_lists_sql!("member", "grp"),
                };
                steps.push(step!(sql, tenant.to_owned(), of, lists));
            }
        }
        steps
    }
}

/// An identifier in a list of many.
fn written(id: &String) -> String {
    format!("{}:{id}", id.len())
}
