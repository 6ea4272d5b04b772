//! What a guess rests on, and the statements that hold it to that.
//!
//! They are run under the tenant's lock, before anything is written, and divide by zero where something is otherwise. What is
//! taken for free or absent needs none: rows that come may not be there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim_store::Side;
use scim_store::draft::{Claim, Draft, Stored};

use crate::existing::{Known, Outcome};
use crate::rows::{clamp, edges_from};
use crate::session::{Step, step};
use crate::touched::UNKNOWN;
use crate::wishes::Wishes;

/// What is taken for granted.
#[derive(Default)]
pub(crate) struct Assumed {
    /// Resources that are not there.
    absent: BTreeSet<String>,
    /// Unique values that nobody has.
    free: BTreeSet<Claim>,
    /// Group and member that are not linked.
    pub(crate) apart: BTreeSet<(String, String)>,
    /// Group and member that are linked.
    linked: BTreeSet<(String, String)>,
    /// All groups of members. Who the members of a group are goes with its version.
    groups: BTreeMap<String, BTreeSet<String>>,
    /// Types of resources.
    types: BTreeMap<String, Arc<str>>,
    /// Subjects about which no report is open.
    quiet: BTreeSet<String>,
}

/// Whether members are in these groups and in no other, each [`written`], in order.
const SAME_GROUPS: &str = concat!(
    "SELECT 1 / bool_and(f.list = j.list)::int FROM unnest($2::text[], $3::text[]) AS j (of, list)
    CROSS JOIN LATERAL (SELECT coalesce(string_agg(concat(octet_length(e.grp), ':', e.grp), '' ORDER BY e.grp), '') AS list
        FROM (SELECT e.grp FROM edge e WHERE e.tenant = $1 AND ",
    edges_from!("member", "grp", "j.of", "''"),
    " OFFSET 0) e) f"
);

impl Assumed {
    /// All that is known already.
    pub(crate) fn by(known: &Known) -> Self {
        let of_resources = known.resources.values().flatten().map(|stored| &stored.record);
        let of_resources = of_resources.map(|record| (record.id.clone(), Arc::clone(&record.resource_type)));
        let types = known.types.iter().filter_map(|(id, of)| Some((id.clone(), Arc::clone(of.as_ref()?))));
        let linked = known.links.iter().filter(|(_, is_linked)| **is_linked).map(|(pair, _)| pair.clone());
        let groups = known
            .lists
            .iter()
            .filter(|((side, _), _)| *side == Side::Groups)
            .map(|((_, member), list)| (member.clone(), list.clone()));
        Self {
            types: types.chain(of_resources).collect(),
            linked: linked.collect(),
            groups: groups.collect(),
            ..Self::default()
        }
    }

    /// Grants what a draft wished for and was answered without knowing, as far as it can be held later.
    pub(crate) fn grant(&mut self, wishes: Wishes, known: &mut Known, draft: &Draft) -> bool {
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
        // Who is to be in one group only most likely is in none. Who is deleted most likely is in some.
        let is_newcomer = |(side, id): &(Side, String)| {
            *side == Side::Groups && draft.resources.get(id).is_none_or(|drafted| drafted.new.is_some())
        };
        let unknowable = [persons, leaving, below].into_iter().all(|texts| texts.is_empty())
            && hidden.is_empty()
            && lists.iter().all(is_newcomer)
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
        self.quiet.extend(reports);
        let (linked, apart): (BTreeSet<_>, BTreeSet<_>) =
            links.into_iter().partition(|(group, member)| known.presumed(member).any(|of| of == group));
        self.linked.extend(linked);
        self.apart.extend(apart);
        for (side, member) in lists {
            // Before the batch, and as it is by now.
            let (mut before, mut now) = (BTreeSet::new(), BTreeSet::new());
            for group in known.presumed(&member) {
                let pair = (group.clone(), member.clone());
                let is_linked = known.links.get(&pair);
                if self.linked.contains(&pair) || is_linked.is_none() {
                    before.insert(group.clone());
                }
                if is_linked != Some(&false) {
                    now.insert(group.clone());
                }
            }
            self.groups.insert(member.clone(), before);
            known.lists.insert((side, member), now);
        }
        true
    }

    /// Whether the rows of an outcome leave no doubt of what was taken for free or absent: they could not be written
    /// otherwise. They do not where one changeset takes back what another has done, or gives up later what another has taken.
    pub(crate) fn is_held_by(&self, outcome: &Outcome) -> bool {
        let come =
            |id: &String| outcome.resources.get(id).is_some_and(|(old, new)| old.is_none() && new.is_some());
        let claims =
            |of: &mut dyn Iterator<Item = &Stored>| of.flat_map(Stored::claims).collect::<BTreeSet<Claim>>();
        let before = claims(&mut outcome.resources.values().filter_map(|(old, _)| old.as_ref()));
        let after = claims(&mut outcome.resources.values().filter_map(|(_, new)| new.as_ref()));
        let linked = |pair: &(String, String)| outcome.links.get(pair).is_some_and(Option::is_some);
        self.absent.iter().all(come)
            && self.free.is_subset(&after)
            && self.free.is_disjoint(&before)
            && self.apart.iter().all(linked)
    }

    /// What looks whether the rest holds, and divides by zero where it does not.
    pub(crate) fn statements(
        &self,
        tenant: &str,
        groups: &BTreeMap<String, Stored>,
        outcome: &Outcome,
    ) -> Vec<Step> {
        let (mut ids, mut types, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        let mut expect = |id: &String, resource_type: &str, version: Option<i64>| {
            ids.push(id.clone());
            types.push(resource_type.to_owned());
            versions.push(version);
        };
        for (id, (old, _)) in &outcome.resources {
            if let Some(Stored { record, .. }) = old {
                let is_known = !groups.contains_key(id) || record.version != UNKNOWN;
                expect(id, &record.resource_type, is_known.then(|| clamp(record.version)));
            }
        }
        // One that the batch creates as well is not there, and all of it fails.
        let is_expected = |id: &String| outcome.resources.get(id).is_some_and(|(old, _)| old.is_some());
        let others = self.types.iter().filter(|(id, _)| !is_expected(id));
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
        if !self.quiet.is_empty() {
            let subjects: Vec<String> = self.quiet.iter().cloned().collect();
            let sql = "SELECT 1 / (count(*) = 0)::int FROM (SELECT sha256(convert_to(v.subject, 'UTF8')) AS digest
                    FROM unnest($2::text[]) AS v (subject) OFFSET 0) j
                CROSS JOIN LATERAL (SELECT FROM report r WHERE r.tenant = $1 AND r.about = j.digest AND NOT r.settled OFFSET 0) r";
            steps.push(step!(sql, tenant.to_owned(), subjects));
        }
        if !self.groups.is_empty() {
            let (of, lists): (Vec<String>, Vec<String>) = self
                .groups
                .iter()
                .map(|(member, groups)| (member.clone(), groups.iter().map(written).collect()))
                .unzip();
            steps.push(step!(SAME_GROUPS, tenant.to_owned(), of, lists));
        }
        steps
    }
}

/// An identifier in a list of many.
fn written(id: &String) -> String {
    format!("{}:{id}", id.len())
}
