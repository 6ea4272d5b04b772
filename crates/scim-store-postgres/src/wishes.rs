//! What has to be read before a changeset can be worked out, and the statements that read it, sent together.
//!
//! What a changeset will ask for is told from what it consists of. That is only to save round trips: what was not
//! foreseen is wished for when it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim_core::time::Timestamp;
use scim_store::draft::{Claim, Going, Kept};
use scim_store::{Changeset, Content, MemberDelta, Operation, Side};
use tokio_postgres::Row;

use crate::entries;
use crate::error::{Failed, corrupt};
use crate::existing::{Known, is_impossible};
use crate::people;
use crate::rows::{clamp, record, record_columns, resource_of};
use crate::session::{Step, column, number, step};

/// What is wished for.
#[derive(Default, Clone)]
pub(crate) struct Wishes {
    pub(crate) resources: BTreeSet<String>,
    /// Resources that are deleted, whose groups are wished for with all that they are. A guess can do without.
    pub(crate) leaving: BTreeSet<String>,
    pub(crate) types: BTreeSet<String>,
    pub(crate) hidden: BTreeSet<(String, Arc<str>)>,
    pub(crate) persons: BTreeSet<String>,
    pub(crate) links: BTreeSet<(String, String)>,
    pub(crate) lists: BTreeSet<(Side, String)>,
    pub(crate) holders: BTreeSet<Claim>,
    pub(crate) reports: BTreeSet<String>,
    /// Beginnings of subjects.
    pub(crate) below: BTreeSet<String>,
    pub(crate) going: usize,
}

/// How the rows of one statement become known.
pub(crate) type Reading = Box<dyn FnOnce(&mut Known, Vec<Row>) -> Result<(), Failed> + Send>;

impl Wishes {
    /// What these changesets will ask for, as far as can be told.
    pub(crate) fn of<'a>(changesets: impl Iterator<Item = &'a Changeset>) -> Self {
        let mut wishes = Self::default();
        for changeset in changesets {
            for operation in &changeset.operations {
                wishes.add(operation);
            }
            let retried = changeset.retries.iter().map(|retry| &retry.subject);
            let reported = changeset.reports.iter().map(|report| &report.subject);
            let forgotten = changeset.forgets.iter().map(|(subject, _)| subject);
            let subjects = changeset.settles.iter().chain(retried).chain(reported).chain(forgotten);
            let beginnings = changeset.settles_below.iter();
            wishes.below.extend(beginnings.filter(|beginning| !is_impossible(beginning)).cloned());
            wishes.reports.extend(subjects.filter(|subject| !is_impossible(subject)).cloned());
        }
        wishes
    }

    pub(crate) fn is_empty(&self) -> bool {
        let Self { resources, leaving, types, hidden, persons, links, lists, holders, reports, below, going } =
            self;
        let texts = [resources, leaving, types, persons, reports, below].into_iter().all(BTreeSet::is_empty);
        texts
            && hidden.is_empty()
            && links.is_empty()
            && lists.is_empty()
            && holders.is_empty()
            && *going == 0
    }

    fn add(&mut self, operation: &Operation) {
        match operation {
            Operation::Create { id, resource_type, content, members } => {
                self.resource(id);
                self.content(id, resource_type, content, false);
                self.members(id, members, true);
            }
            Operation::Replace { id, resource_type, content, members, .. } => {
                self.resource(id);
                if let Some(content) = content {
                    self.content(id, resource_type, content, true);
                }
                self.members(id, members, false);
            }
            Operation::Rederive { id, resource_type, unique, .. } => {
                self.resource(id);
                self.person(id);
                let claims = unique.iter().map(|key| (&key.path, &key.value));
                self.claims(resource_type, claims);
            }
            Operation::Delete { id, .. } => {
                self.resource(id);
                self.person(id);
                if !is_impossible(id) {
                    self.leaving.insert(id.clone());
                    self.lists.extend([(Side::Members, id.clone()), (Side::Groups, id.clone())]);
                }
            }
        }
    }

    fn resource(&mut self, id: &str) {
        if !is_impossible(id) {
            self.resources.insert(id.to_owned());
        }
    }

    fn person(&mut self, id: &str) {
        if !is_impossible(id) {
            self.persons.insert(id.to_owned());
        }
    }

    fn content(&mut self, id: &str, resource_type: &Arc<str>, content: &Content, is_there: bool) {
        self.claims(resource_type, content.unique.iter().map(|key| (&key.path, &key.value)));
        if is_there && !is_impossible(id) {
            self.persons.insert(id.to_owned());
            self.hidden.extend(content.hidden.iter().map(|hidden| (id.to_owned(), Arc::clone(&hidden.path))));
        }
    }

    fn claims<'a>(
        &mut self,
        resource_type: &Arc<str>,
        keys: impl Iterator<Item = (&'a Arc<str>, &'a String)>,
    ) {
        let claims = keys.filter(|(_, value)| !is_impossible(value)).map(|(path, value)| Claim {
            resource_type: Arc::clone(resource_type),
            path: Arc::clone(path),
            value: value.clone(),
        });
        self.holders.extend(claims);
    }

    fn members(&mut self, group: &str, delta: &MemberDelta, is_new: bool) {
        if is_impossible(group) {
            return;
        }
        let possible = |ids: &Vec<String>| -> Vec<String> {
            ids.iter().filter(|id| !is_impossible(id)).cloned().collect()
        };
        let (add, remove) = (possible(&delta.add), possible(&delta.remove));
        self.types.extend(add.iter().cloned());
        if delta.exclusive {
            self.lists.extend(add.iter().map(|member| (Side::Groups, member.clone())));
        }
        if is_new {
            return;
        }
        if delta.clear {
            self.lists.insert((Side::Members, group.to_owned()));
        } else {
            self.links.extend(add.into_iter().chain(remove).map(|member| (group.to_owned(), member)));
        }
    }

    /// The statements that read it, and what to do with their rows. Empty wishes have none.
    pub(crate) fn statements(self, tenant: &str) -> (Vec<Step>, Vec<Reading>) {
        let mut reads = Reads { tenant: tenant.to_owned(), steps: Vec::new(), readings: Vec::new() };
        let Self { resources, leaving, types, hidden, persons, links, lists, holders, reports, below, going } =
            self;
        reads.resources(resources);
        reads.leaving(leaving);
        reads.types(types);
        reads.hidden(hidden);
        reads.persons(persons);
        reads.links(links);
        reads.lists(lists);
        reads.holders(holders);
        reads.reports(reports);
        reads.below(below);
        reads.going(going);
        (reads.steps, reads.readings)
    }
}

struct Reads {
    tenant: String,
    steps: Vec<Step>,
    readings: Vec<Reading>,
}

/// Resources with their entries, looked up one by one: `$from` gives their identifiers as `j.id`.
macro_rules! stored_sql {
    ($from:literal) => {
        concat!("SELECT r.entries, ", record_columns!(), " FROM ", $from, resource_of!("j.id"))
    };
}

impl Reads {
    fn add(
        &mut self,
        step: Step,
        read: impl FnOnce(&mut Known, Vec<Row>) -> Result<(), Failed> + Send + 'static,
    ) {
        self.steps.push(step);
        self.readings.push(Box::new(read));
    }

    fn resources(&mut self, ids: BTreeSet<String>) {
        if ids.is_empty() {
            return;
        }
        let wanted: Vec<String> = ids.into_iter().collect();
        let sql = stored_sql!("unnest($2::text[]) AS j (id)");
        self.add(step!(sql, self.tenant.clone(), wanted.clone()), |known, rows| {
            known.resources.extend(wanted.into_iter().map(|id| (id, None)));
            stored(known, &rows)
        });
    }

    /// The groups of those that are deleted change too.
    fn leaving(&mut self, ids: BTreeSet<String>) {
        if ids.is_empty() {
            return;
        }
        let wanted: Vec<String> = ids.into_iter().collect();
        let sql = stored_sql!(
            "(SELECT DISTINCT e.grp AS id FROM unnest($2::text[]) AS o (of) CROSS JOIN LATERAL
                (SELECT e.grp FROM edge e WHERE e.tenant = $1 AND e.member >= o.of AND e.member <= o.of
                    ORDER BY e.member, e.grp OFFSET 0) e) j"
        );
        self.add(step!(sql, self.tenant.clone(), wanted), |known, rows| stored(known, &rows));
    }

    fn types(&mut self, ids: BTreeSet<String>) {
        if ids.is_empty() {
            return;
        }
        let wanted: Vec<String> = ids.into_iter().collect();
        let sql = concat!("SELECT r.id, r.type FROM unnest($2::text[]) AS j (id)", resource_of!("j.id"));
        self.add(step!(sql, self.tenant.clone(), wanted.clone()), |known, rows| {
            known.types.extend(wanted.into_iter().map(|id| (id, None)));
            for row in &rows {
                known.types.insert(column(row, 0)?, Some(column::<&str>(row, 1)?.into()));
            }
            Ok(())
        });
    }

    fn hidden(&mut self, keys: BTreeSet<(String, Arc<str>)>) {
        if keys.is_empty() {
            return;
        }
        let ids: BTreeSet<String> = keys.iter().map(|(id, _)| id.clone()).collect();
        let ids: Vec<String> = ids.into_iter().collect();
        let sql = "SELECT j.id, h.path, h.value FROM unnest($2::text[]) AS j (id) CROSS JOIN LATERAL
            (SELECT h.path, h.value FROM hidden h WHERE h.tenant = $1 AND h.id = j.id OFFSET 0) h";
        self.add(step!(sql, self.tenant.clone(), ids), |known, rows| {
            known.hidden.extend(keys.into_iter().map(|key| (key, None)));
            for row in &rows {
                known.hidden.insert((column(row, 0)?, column::<&str>(row, 1)?.into()), Some(column(row, 2)?));
            }
            Ok(())
        });
    }

    fn persons(&mut self, ids: BTreeSet<String>) {
        if ids.is_empty() {
            return;
        }
        let wanted: Vec<String> = ids.into_iter().collect();
        self.add(step!(people::DERIVED, self.tenant.clone(), wanted.clone()), |known, rows| {
            known.persons.extend(wanted.into_iter().map(|id| (id, None)));
            for row in &rows {
                let (id, derived) = people::derived(row)?;
                known.persons.insert(id, Some(derived));
            }
            Ok(())
        });
    }

    fn links(&mut self, pairs: BTreeSet<(String, String)>) {
        if pairs.is_empty() {
            return;
        }
        let (groups, members): (Vec<String>, Vec<String>) = pairs.iter().cloned().unzip();
        let sql = "SELECT e.grp, e.member FROM unnest($2::text[], $3::text[]) AS j (grp, member)
            CROSS JOIN LATERAL (SELECT e.grp, e.member FROM edge e
                WHERE e.tenant = $1 AND e.grp = j.grp AND e.member = j.member OFFSET 0) e";
        self.add(step!(sql, self.tenant.clone(), groups, members), |known, rows| {
            known.links.extend(pairs.into_iter().map(|pair| (pair, false)));
            for row in &rows {
                known.links.insert((column(row, 0)?, column(row, 1)?), true);
            }
            Ok(())
        });
    }

    fn lists(&mut self, lists: BTreeSet<(Side, String)>) {
        for side in [Side::Members, Side::Groups] {
            let of: Vec<String> =
                lists.iter().filter(|(wanted, _)| *wanted == side).map(|(_, id)| id.clone()).collect();
            if of.is_empty() {
                continue;
            }
            // Which types the groups have decides whether a member may join another.
            let sql = match side {
                Side::Members => {
                    "SELECT j.of, e.member, NULL FROM unnest($2::text[]) AS j (of) CROSS JOIN LATERAL
                        (SELECT e.member FROM edge e WHERE e.tenant = $1 AND e.grp >= j.of AND e.grp <= j.of
                            ORDER BY e.grp, e.member OFFSET 0) e"
                }
                Side::Groups => concat!(
                    "SELECT j.of, e.grp, r.type FROM unnest($2::text[]) AS j (of) CROSS JOIN LATERAL
                        (SELECT e.grp FROM edge e WHERE e.tenant = $1 AND e.member >= j.of AND e.member <= j.of
                            ORDER BY e.member, e.grp OFFSET 0) e",
                    resource_of!("e.grp")
                ),
            };
            self.add(step!(sql, self.tenant.clone(), of.clone()), move |known, rows| {
                let mut found: BTreeMap<String, BTreeSet<String>> =
                    of.into_iter().map(|id| (id, BTreeSet::new())).collect();
                for row in &rows {
                    let other: String = column(row, 1)?;
                    if let Some(resource_type) = column::<Option<&str>>(row, 2)? {
                        known.types.insert(other.clone(), Some(resource_type.into()));
                    }
                    found.entry(column(row, 0)?).or_default().insert(other);
                }
                known.lists.extend(found.into_iter().map(|(of, ids)| ((side, of), ids)));
                Ok(())
            });
        }
    }

    fn holders(&mut self, claims: BTreeSet<Claim>) {
        if claims.is_empty() {
            return;
        }
        let claims: Vec<Claim> = claims.into_iter().collect();
        let types: Vec<String> = claims.iter().map(|claim| claim.resource_type.to_string()).collect();
        let paths: Vec<String> = claims.iter().map(|claim| claim.path.to_string()).collect();
        let values: Vec<String> = claims.iter().map(|claim| claim.value.clone()).collect();
        // The digests come first: the planner uses no index for what calls a function that could leak rows of others.
        let sql = "SELECT j.n, c.id
            FROM (SELECT n, type, path, sha256(convert_to(value, 'UTF8')) AS digest
                FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS v (type, path, value, n) OFFSET 0) j
            CROSS JOIN LATERAL (SELECT c.id FROM claim c
                WHERE c.tenant = $1 AND c.type = j.type AND c.path = j.path AND c.digest = j.digest OFFSET 0) c";
        self.add(step!(sql, self.tenant.clone(), types, paths, values), |known, rows| {
            let mut holders: Vec<Option<String>> = claims.iter().map(|_| None).collect();
            for row in &rows {
                let index = number(row, 0)?.saturating_sub(1) as usize;
                if let Some(holder) = holders.get_mut(index) {
                    *holder = Some(column(row, 1)?);
                }
            }
            known.holders.extend(claims.into_iter().zip(holders));
            Ok(())
        });
    }

    /// Most tenants have no reports, and what asks for some is over at once.
    fn reports(&mut self, subjects: BTreeSet<String>) {
        if subjects.is_empty() {
            return;
        }
        let wanted: Vec<String> = subjects.into_iter().collect();
        let sql = "SELECT r.subject, r.number, r.digest, r.first, r.count, r.settled
            FROM (SELECT sha256(convert_to(v.subject, 'UTF8')) AS digest FROM unnest($2::text[]) AS v (subject) OFFSET 0) j
            CROSS JOIN LATERAL (SELECT r.* FROM report r WHERE r.tenant = $1 AND r.about = j.digest OFFSET 0) r
            WHERE EXISTS (SELECT FROM tenant t WHERE t.name = $1 AND t.reports > 0) ORDER BY r.number";
        self.add(step!(sql, self.tenant.clone(), wanted.clone()), |known, rows| {
            known.reports.extend(wanted.into_iter().map(|subject| (subject, Vec::new())));
            for row in &rows {
                let digest: &[u8] = column(row, 2)?;
                let kept = Kept {
                    number: number(row, 1)?,
                    digest: digest.try_into().map_err(|_| corrupt("a report's digest has another length"))?,
                    first: Timestamp(column(row, 3)?),
                    count: number(row, 4)?,
                    settled: column(row, 5)?,
                };
                known.reports.entry(column(row, 0)?).or_default().push(kept);
            }
            Ok(())
        });
    }

    /// A walk of the tenant's open reports, of which there are few.
    fn below(&mut self, beginnings: BTreeSet<String>) {
        for beginning in beginnings {
            let sql = "SELECT DISTINCT r.subject FROM report r
                WHERE r.tenant = $1 AND r.settled = false AND starts_with(r.subject, $2)
                    AND EXISTS (SELECT FROM tenant t WHERE t.name = $1 AND t.open > 0) ORDER BY r.subject";
            self.add(step!(sql, self.tenant.clone(), beginning.clone()), |known, rows| {
                let subjects: Result<Vec<String>, Failed> = rows.iter().map(|row| column(row, 0)).collect();
                known.below.insert(beginning, subjects?);
                Ok(())
            });
        }
    }

    fn going(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        let sql = "SELECT r.number, r.settled FROM report r WHERE r.tenant = $1
            ORDER BY r.settled DESC, r.number LIMIT $2";
        self.add(step!(sql, self.tenant.clone(), clamp(count as u64)), move |known, rows| {
            let going = |row: &Row| Ok(Going { number: number(row, 0)?, settled: column(row, 1)? });
            known.going = Some((count, rows.iter().map(going).collect::<Result<_, Failed>>()?));
            Ok(())
        });
    }
}

fn stored(known: &mut Known, rows: &[Row]) -> Result<(), Failed> {
    for row in rows {
        let stored = entries::decode(record(row, 1)?, column(row, 0)?)?;
        known.resources.insert(stored.record.id.clone(), Some(stored));
    }
    Ok(())
}
