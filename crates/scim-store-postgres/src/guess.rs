//! A batch worked out from what is remembered of a tenant, to be written without reading first.
//!
//! The statements of a guess fail where it is wrong, and then nothing was done. The first of them holds it to the state of
//! the tenant that it was worked out from: the tenant's row is as the last commit has left it, and so is everything of the
//! tenant, because no commit leaves the row alone. What it takes for granted beyond what is remembered ([`Assumed`]) is held
//! by keys that may not be there twice, and by statements that look.
//!
//! A guess never refuses anybody: what would be a conflict is left to somebody who reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim_store::draft::{Claim, Draft, Stored};
use scim_store::transfer::Totals;
use scim_store::{Audited, Changeset, Committed, Operation};

use crate::apply;
use crate::error::Failed;
use crate::existing::{Known, Outcome, is_impossible};
use crate::rows::clamp;
use crate::session::{Step, step};
use crate::wishes::Wishes;

/// What stands for a state of a tenant: the transaction that wrote its row last. Its number is good for as long as the
/// server runs that has given it. One that took the place of another may know less, and give the number again.
macro_rules! mark {
    ($transaction:literal) => {
        concat!("concat(", $transaction, ", '@', extract(epoch FROM pg_postmaster_start_time()))")
    };
}
pub(crate) use mark;

/// Changesets worked out, all of them.
pub(crate) struct Guess {
    /// What writes them, and fails where the guess is wrong.
    pub(crate) steps: Vec<Step>,
    pub(crate) commits: Vec<Committed>,
    /// What is counted of the tenant afterwards.
    pub(crate) totals: Totals,
    /// What was known for it, and what it makes of that.
    pub(crate) known: Known,
    /// An entry of the audit trail that is there if and only if the guess was committed.
    pub(crate) witness: Audited,
}

/// What is taken for granted of things of which nothing is known.
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
    /// Types of resources.
    types: BTreeMap<String, Arc<str>>,
}

impl Guess {
    /// Works changesets out from what is known of a tenant in the state that `mark` stands for. Nothing where more has to
    /// be known, where one of them is refused, or where nobody could tell afterwards whether it was committed.
    pub(crate) fn of(
        tenant: &str,
        mark: &str,
        mut totals: Totals,
        mut known: Known,
        changesets: &[&Changeset],
    ) -> Result<Option<Self>, Failed> {
        let removals = changesets.iter().flat_map(|changeset| &changeset.operations).filter_map(removal);
        known.presumed = removals.flatten().collect();
        let (mut assumed, mut outcome) = (Assumed::default(), Outcome::default());
        let mut commits = Vec::with_capacity(changesets.len());
        for changeset in changesets {
            let drafted = Draft::new(&known, totals.counts, (*changeset).clone());
            let Ok(draft) = drafted else { return Ok(None) };
            if !assumed.grant(known.wishes(), &known, &draft) {
                return Ok(None);
            }
            known.learn(&draft);
            totals.counts = draft.counts;
            commits.push(Committed { sequence: draft.counts.sequence, applied: draft.applied.clone() });
            let audited = totals.audited;
            totals.audited += u64::from(draft.audit.is_some());
            outcome.add(draft, audited);
        }
        known.presumed.clear();
        let Some(witness) = outcome.audit.first().cloned() else { return Ok(None) };
        if !assumed.is_held_by(&outcome) {
            return Ok(None);
        }
        let mut steps = vec![same_state(tenant, mark)];
        steps.extend(assumed.statements(tenant, &outcome));
        outcome.apart = assumed.apart;
        steps.extend(apply::statements(tenant, totals, outcome)?);
        Ok(Some(Self { steps, commits, totals, known, witness }))
    }
}

/// Memberships that an operation ends.
fn removal(operation: &Operation) -> Option<impl Iterator<Item = (String, String)> + '_> {
    let Operation::Replace { id, members, .. } = operation else { return None };
    let possible = |member: &&String| !is_impossible(id) && !is_impossible(member);
    Some(members.remove.iter().filter(possible).map(|member| (id.clone(), member.clone())))
}

/// Locks a tenant's row, if it is in the state that a mark stands for, and divides by zero otherwise. The first column of its
/// row says nothing, the second is the mark of the state that this transaction leaves behind.
fn same_state(tenant: &str, mark: &str) -> Step {
    let sql = concat!(
        "SELECT 1 / count(*), ",
        mark!("pg_current_xact_id()::xid"),
        " FROM (SELECT FROM tenant WHERE name = $1 AND ",
        mark!("xmin"),
        " = $2 FOR NO KEY UPDATE) t"
    );
    step!(sql, tenant.to_owned(), mark.to_owned())
}

impl Assumed {
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

    /// What looks whether the rest holds, and divides by zero where it does not. Resources that are written anew are looked
    /// at too, though the state of the tenant answers for them: what was read of them may have come by way of something that
    /// lags behind.
    fn statements(&self, tenant: &str, outcome: &Outcome) -> Vec<Step> {
        let (mut ids, mut types, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        let mut expect = |id: &String, resource_type: &str, version: Option<i64>| {
            ids.push(id.clone());
            types.push(resource_type.to_owned());
            versions.push(version);
        };
        self.types.iter().for_each(|(id, resource_type)| expect(id, resource_type, None));
        for (id, (old, _)) in &outcome.resources {
            if let Some(Stored { record, .. }) = old {
                expect(id, &record.resource_type, Some(clamp(record.version)));
            }
        }
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
        steps
    }
}
