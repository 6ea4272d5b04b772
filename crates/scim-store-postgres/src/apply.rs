//! A finished batch made true: one statement for each table and direction, whatever the size of the batch.
//!
//! What it means is decided before; nothing here looks at what a changeset asked for. What it is numbered by follows upon
//! what the tenant's row has, which others may have written since the batch was worked out. Rows that go are found by their keys
//! and removed by their places (`ctid`): written as a join, the planner could walk the tenant instead. Nobody moves them
//! meanwhile, since whoever writes to the tenant has its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim_store::draft::{Counts, Stored};
use scim_store::transfer::Totals;
use scim_store::{Audited, Change, IndexEntry, Record};

use crate::entries::{self, Item};
use crate::error::Failed;
use crate::existing::Outcome;
use crate::rows::{clamp, resource_of};
use crate::session::{Step, step};
use crate::{people, reports};

/// From where to where a batch leads a tenant.
pub(crate) struct Leap {
    /// What was counted where it was worked out. It may be more by now.
    pub(crate) before: Totals,
    /// What would be counted after it.
    pub(crate) after: Totals,
    /// Whether guesses that were worked out before it are wrong.
    pub(crate) is_fenced: bool,
    /// What its first entry of the audit trail is known by.
    pub(crate) token: Option<String>,
}

/// What is counted of a tenant when a batch is written that was worked out with less.
pub(crate) fn leapt(found: Totals, before: Totals, after: Totals) -> Totals {
    let plus = |found: u64, before: u64, after: u64| (found + after).saturating_sub(before);
    let (f, b, a) = (found.counts, before.counts, after.counts);
    let counts = Counts {
        sequence: plus(f.sequence, b.sequence, a.sequence),
        epoch: a.epoch,
        reported: plus(f.reported, b.reported, a.reported),
        reports: plus(f.reports, b.reports, a.reports),
        open: plus(f.open, b.open, a.open),
    };
    Totals { counts, audited: plus(found.audited, before.audited, after.audited) }
}

/// How many changes others have made since a batch was worked out, and how many entries of the audit trail. Whoever locks the
/// tenant's row sets it.
macro_rules! others {
    (changes) => {
        "current_setting('scim.changes')::int8"
    };
    (entries) => {
        "current_setting('scim.entries')::int8"
    };
}

/// The statements of a batch, in the order in which they have to be run.
pub(crate) fn statements(tenant: &str, leap: Leap, outcome: Outcome) -> Result<Vec<Step>, Failed> {
    let Leap { before, after, is_fenced, token } = leap;
    let Outcome {
        resources,
        cleared,
        hidden,
        persons,
        links,
        apart,
        changes,
        settled,
        removed,
        added,
        audit,
    } = outcome;
    let mut table = Table { tenant: tenant.to_owned(), ..Table::default() };
    for (id, (old, new)) in &resources {
        table.resource(id, old.as_ref(), new.as_ref());
    }
    // All that goes makes room before anything comes, so that resources can swap unique values.
    let mut steps = table.steps();
    steps.extend(self::hidden(tenant, cleared, hidden));
    steps.extend(people::write(tenant, persons)?);
    steps.extend(self::links(tenant, links, &apart));
    steps.extend(self::changes(tenant, changes));
    steps.extend(reports::write(tenant, &settled, &removed, added));
    steps.extend(self::audit(tenant, token, audit));
    steps.push(self::tenant(tenant, before, after, is_fenced));
    Ok(steps)
}

/// The tenant's row comes last: what goes before counts from what it has.
fn tenant(tenant: &str, before: Totals, after: Totals, is_fenced: bool) -> Step {
    let sql = "UPDATE tenant SET sequence = sequence + $2, audited = audited + $3, reported = reported + $4,
        reports = reports + $5, open = open + $6, epoch = $7, fence = fence + $8 WHERE name = $1";
    let more = |of: fn(&Totals) -> u64| clamp(of(&after)).saturating_sub(clamp(of(&before)));
    step!(
        sql,
        tenant.to_owned(),
        more(|totals| totals.counts.sequence),
        more(|totals| totals.audited),
        more(|totals| totals.counts.reported),
        more(|totals| totals.counts.reports),
        more(|totals| totals.counts.open),
        clamp(after.counts.epoch),
        i64::from(is_fenced),
    )
}

/// Writes resources. Those that were not there must not be there, or somebody else has written.
macro_rules! resources_sql {
    ($on_conflict:literal) => {
        concat!(
            "INSERT INTO resource AS r (tenant, id, type, version, created, modified, label, body, entries)
                SELECT $1, j.id, j.type, j.version + ",
            others!(changes),
            ", j.created, j.modified, j.label, j.body, j.entries
                FROM unnest($2::text[], $3::text[], $4::int8[], $5::int8[], $6::int8[], $7::text[], $8::bytea[], $9::bytea[])
                    AS j (id, type, version, created, modified, label, body, entries)",
            $on_conflict
        )
    };
}

/// What gives groups a new version and date and leaves the rest of them as it is, whatever that is. They have to be there.
/// The answer to step [`TOUCHED`] are their identifiers, and when they were created.
pub(crate) fn touch(tenant: &str, groups: Vec<Record>) -> Vec<Step> {
    let key = |record: &Record| IndexEntry::moment(record.modified).as_bytes().to_vec();
    let keys: Vec<Vec<u8>> = groups.iter().map(key).collect();
    let ids: Vec<String> = groups.iter().map(|record| record.id.clone()).collect();
    let mut resources = Resources::default();
    groups.iter().zip(&keys).for_each(|(record, key)| resources.add(record, key.clone()));
    let mut steps = vec![step!(TOUCH_ENTRIES, tenant.to_owned(), ids, keys)];
    steps.extend(resources.step(TOUCH, tenant));
    steps
}

/// Which step of [`touch`] has an answer.
pub(crate) const TOUCHED: usize = 1;

/// The key of `r.modified`, as [`IndexEntry::moment`] has it.
macro_rules! old_moment {
    () => {
        "'\\x01'::bytea || int8send(floor(r.modified / 1000.0)::int8 # (-9223372036854775808)::int8)
            || int4send((mod(mod(r.modified, 1000) + 1000, 1000) * 1000000)::int4)"
    };
}

/// Where the type of a group has an index of dates, its row there moves.
const TOUCH_ENTRIES: &str = concat!(
    "WITH gone AS (DELETE FROM entry WHERE tenant = $1 AND ctid = ANY(ARRAY(SELECT f.ctid
        FROM (SELECT r.id, r.type, ",
    old_moment!(),
    " AS key FROM unnest($2::text[]) AS j (id)",
    resource_of!("j.id"),
    " OFFSET 0) j
        CROSS JOIN LATERAL (SELECT x.ctid FROM entry x WHERE x.tenant = $1 AND x.type = j.type
            AND x.path = 'meta.lastModified' AND x.key = j.key AND x.id = j.id OFFSET 0) f)) RETURNING type, path, id, leads)
    INSERT INTO entry (tenant, type, path, key, id, leads)
        SELECT $1, g.type, g.path, j.key, g.id, g.leads
        FROM gone g JOIN unnest($2::text[], $3::bytea[]) AS j (id, key) ON j.id = g.id"
);

/// Where in `r.entries` the row of that date is told: by a leading one, of `meta.lastModified`, and the key.
macro_rules! old_place {
    () => {
        concat!(
            "position('\\x01110000006d6574612e6c6173744d6f6469666965640d000000'::bytea || ",
            old_moment!(),
            " IN r.entries)"
        )
    };
}

/// What is to be inserted has nothing in `entries` but the key of the new date, which takes the place of that of the old one.
const TOUCH: &str = concat!(
    resources_sql!(
        " ON CONFLICT (tenant, id) DO UPDATE SET version = excluded.version, modified = excluded.modified,
            entries = CASE "
    ),
    old_place!(),
    " WHEN 0 THEN r.entries ELSE overlay(r.entries PLACING excluded.entries FROM ",
    old_place!(),
    " + 26) END RETURNING r.id, r.created"
);

/// Rows of `resource`, `entry`, `claim` and `total`, column by column.
#[derive(Default)]
struct Table {
    tenant: String,
    gone: Vec<String>,
    gone_entries: Entries,
    gone_claims: Claims,
    /// Resources that were there before.
    other: Resources,
    come: Resources,
    come_entries: Entries,
    come_claims: Claims,
    totals: BTreeMap<Arc<str>, i64>,
}

#[derive(Default)]
struct Resources {
    ids: Vec<String>,
    types: Vec<String>,
    versions: Vec<i64>,
    created: Vec<i64>,
    modified: Vec<i64>,
    labels: Vec<String>,
    bodies: Vec<Vec<u8>>,
    entries: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Entries {
    types: Vec<String>,
    paths: Vec<String>,
    keys: Vec<Vec<u8>>,
    ids: Vec<String>,
    leading: Vec<bool>,
}

#[derive(Default)]
struct Claims {
    types: Vec<String>,
    paths: Vec<String>,
    values: Vec<String>,
    ids: Vec<String>,
}

impl Resources {
    fn add(&mut self, record: &Record, entries: Vec<u8>) {
        self.ids.push(record.id.clone());
        self.types.push(record.resource_type.to_string());
        self.versions.push(clamp(record.version));
        self.created.push(record.created.0);
        self.modified.push(record.modified.0);
        self.labels.push(record.label.clone());
        self.bodies.push(record.body.to_vec());
        self.entries.push(entries);
    }

    /// What writes them, if there are any.
    fn step(self, sql: &'static str, tenant: &str) -> Option<Step> {
        let Self { ids, types, versions, created, modified, labels, bodies, entries } = self;
        if ids.is_empty() {
            return None;
        }
        let tenant = tenant.to_owned();
        Some(step!(sql, tenant, ids, types, versions, created, modified, labels, bodies, entries))
    }
}

impl Table {
    fn resource(&mut self, id: &str, old: Option<&Stored>, new: Option<&Stored>) {
        if !is_changed(old, new) {
            return;
        }
        let kind = |stored: &Stored| Arc::clone(&stored.record.resource_type);
        let rows = |stored: Option<&Stored>| stored.map(entries::items).unwrap_or_default();
        let (old_rows, new_rows) = (rows(old), rows(new));
        let same_type = old.map(kind) == new.map(kind);
        if let Some(old) = old {
            let stays = |item: &&Item| same_type && new_rows.contains(item);
            for item in old_rows.iter().filter(|item| !stays(item)) {
                add(&mut self.gone_entries, &mut self.gone_claims, id, &kind(old), item);
            }
            *self.totals.entry(kind(old)).or_default() -= 1;
        }
        let Some(new) = new else {
            self.gone.push(id.to_owned());
            return;
        };
        let is_there = |item: &&Item| same_type && old_rows.contains(item);
        for item in new_rows.iter().filter(|item| !is_there(item)) {
            add(&mut self.come_entries, &mut self.come_claims, id, &kind(new), item);
        }
        *self.totals.entry(kind(new)).or_default() += 1;
        let rows = if old.is_some() { &mut self.other } else { &mut self.come };
        rows.add(&new.record, entries::encode(&new_rows));
    }

    fn steps(self) -> Vec<Step> {
        let Self { tenant, gone, gone_entries, gone_claims, other, come, come_entries, come_claims, totals } =
            self;
        let mut steps = Vec::new();
        if !gone_entries.ids.is_empty() {
            let Entries { types, paths, keys, ids, leading: _ } = gone_entries;
            let sql = "DELETE FROM entry WHERE tenant = $1 AND ctid = ANY(ARRAY(SELECT f.ctid
                FROM unnest($2::text[], $3::text[], $4::bytea[], $5::text[]) AS j (type, path, key, id)
                CROSS JOIN LATERAL (SELECT x.ctid FROM entry x WHERE x.tenant = $1 AND x.type = j.type AND x.path = j.path
                    AND x.key = j.key AND x.id = j.id OFFSET 0) f))";
            steps.push(step!(sql, tenant.clone(), types, paths, keys, ids));
        }
        if !gone_claims.ids.is_empty() {
            let Claims { types, paths, values, ids: _ } = gone_claims;
            let sql = "DELETE FROM claim WHERE tenant = $1 AND ctid = ANY(ARRAY(SELECT f.ctid
                FROM (SELECT type, path, sha256(convert_to(value, 'UTF8')) AS digest
                    FROM unnest($2::text[], $3::text[], $4::text[]) AS v (type, path, value) OFFSET 0) j
                CROSS JOIN LATERAL (SELECT c.ctid FROM claim c WHERE c.tenant = $1 AND c.type = j.type AND c.path = j.path
                    AND c.digest = j.digest OFFSET 0) f))";
            steps.push(step!(sql, tenant.clone(), types, paths, values));
        }
        if !gone.is_empty() {
            let sql = "DELETE FROM resource WHERE tenant = $1 AND ctid = ANY(ARRAY(SELECT f.ctid
                FROM unnest($2::text[]) AS j (id) CROSS JOIN LATERAL (SELECT r.ctid FROM resource r
                    WHERE r.tenant = $1 AND r.id >= j.id AND r.id <= j.id ORDER BY r.id OFFSET 0) f))";
            steps.push(step!(sql, tenant.clone(), gone));
        }
        let again = resources_sql!(
            " ON CONFLICT (tenant, id) DO UPDATE SET type = excluded.type, version = excluded.version,
                created = excluded.created, modified = excluded.modified, label = excluded.label,
                body = excluded.body, entries = excluded.entries"
        );
        steps.extend(other.step(again, &tenant));
        steps.extend(come.step(resources_sql!(""), &tenant));
        if !come_entries.ids.is_empty() {
            let Entries { types, paths, keys, ids, leading } = come_entries;
            let sql = "INSERT INTO entry (tenant, type, path, key, id, leads)
                SELECT $1, j.* FROM unnest($2::text[], $3::text[], $4::bytea[], $5::text[], $6::bool[]) AS j";
            steps.push(step!(sql, tenant.clone(), types, paths, keys, ids, leading));
        }
        if !come_claims.ids.is_empty() {
            let Claims { types, paths, values, ids } = come_claims;
            let sql = "INSERT INTO claim (tenant, type, path, digest, value, id)
                SELECT $1, j.type, j.path, sha256(convert_to(j.value, 'UTF8')), j.value, j.id
                FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS j (type, path, value, id)";
            steps.push(step!(sql, tenant.clone(), types, paths, values, ids));
        }
        let (types, counts): (Vec<String>, Vec<i64>) = totals
            .into_iter()
            .filter(|(_, count)| *count != 0)
            .map(|(kind, count)| (kind.to_string(), count))
            .unzip();
        if !types.is_empty() {
            let sql = "INSERT INTO total AS t (tenant, type, count)
                SELECT $1, j.* FROM unnest($2::text[], $3::int8[]) AS j
                ON CONFLICT (tenant, type) DO UPDATE SET count = t.count + excluded.count";
            steps.push(step!(sql, tenant, types, counts));
        }
        steps
    }
}

fn add(entries: &mut Entries, claims: &mut Claims, id: &str, kind: &str, item: &Item) {
    match item {
        Item::Entry { path, key, leading } => {
            entries.types.push(kind.to_owned());
            entries.paths.push(path.to_string());
            entries.keys.push(key.clone());
            entries.ids.push(id.to_owned());
            entries.leading.push(*leading);
        }
        Item::Claim { path, value } => {
            claims.types.push(kind.to_owned());
            claims.paths.push(path.to_string());
            claims.values.push(value.clone());
            claims.ids.push(id.to_owned());
        }
    }
}

/// Whether a resource that was looked at is to be written.
fn is_changed(old: Option<&Stored>, new: Option<&Stored>) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => {
            old.record.version != new.record.version || old.unique != new.unique || old.index != new.index
        }
        (Some(_), None) | (None, Some(_)) => true,
        (None, None) => false,
    }
}

fn hidden(
    tenant: &str,
    cleared: BTreeSet<String>,
    hidden: BTreeMap<(String, Arc<str>), Option<String>>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    if !cleared.is_empty() {
        let ids: Vec<String> = cleared.into_iter().collect();
        let sql = "DELETE FROM hidden WHERE tenant = $1 AND ctid = ANY(ARRAY(SELECT f.ctid
                FROM unnest($2::text[]) AS j (key) CROSS JOIN LATERAL (SELECT h.ctid FROM hidden h
                    WHERE h.tenant = $1 AND h.id = j.key OFFSET 0) f))";
        steps.push(step!(sql, tenant.to_owned(), ids));
    }
    let (mut gone, mut come) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new(), Vec::new()));
    for ((id, path), value) in hidden {
        match value {
            Some(value) => {
                come.0.push(id);
                come.1.push(path.to_string());
                come.2.push(value);
            }
            None => {
                gone.0.push(id);
                gone.1.push(path.to_string());
            }
        }
    }
    if !gone.0.is_empty() {
        let sql = "DELETE FROM hidden WHERE tenant = $1 AND ctid = ANY(ARRAY(SELECT f.ctid
            FROM unnest($2::text[], $3::text[]) AS j (id, path) CROSS JOIN LATERAL (SELECT h.ctid FROM hidden h
                WHERE h.tenant = $1 AND h.id = j.id AND h.path = j.path OFFSET 0) f))";
        steps.push(step!(sql, tenant.to_owned(), gone.0, gone.1));
    }
    if !come.0.is_empty() {
        let sql = "INSERT INTO hidden (tenant, id, path, value)
            SELECT $1, j.* FROM unnest($2::text[], $3::text[], $4::text[]) AS j
            ON CONFLICT (tenant, id, path) DO UPDATE SET value = excluded.value";
        steps.push(step!(sql, tenant.to_owned(), come.0, come.1, come.2));
    }
    steps
}

/// Links that were `apart` must not be there, or somebody else has written. The others may be, with another number.
fn links(
    tenant: &str,
    links: BTreeMap<(String, String), Option<u64>>,
    apart: &BTreeSet<(String, String)>,
) -> Vec<Step> {
    let mut gone = (Vec::new(), Vec::new());
    let [mut come, mut anew] = [const { (Vec::new(), Vec::new(), Vec::new()) }; 2];
    for (pair, since) in links {
        let is_new = apart.contains(&pair);
        let (group, member) = pair;
        match since {
            Some(since) => {
                let rows = if is_new { &mut come } else { &mut anew };
                rows.0.push(group);
                rows.1.push(member);
                rows.2.push(clamp(since));
            }
            None => {
                gone.0.push(group);
                gone.1.push(member);
            }
        }
    }
    let mut steps = Vec::new();
    if !gone.0.is_empty() {
        let sql = "DELETE FROM edge WHERE tenant = $1 AND ctid = ANY(ARRAY(SELECT f.ctid
            FROM unnest($2::text[], $3::text[]) AS j (grp, member) CROSS JOIN LATERAL (SELECT e.ctid FROM edge e
                WHERE e.tenant = $1 AND e.grp = j.grp AND e.member = j.member OFFSET 0) f))";
        steps.push(step!(sql, tenant.to_owned(), gone.0, gone.1));
    }
    macro_rules! edges_sql {
        ($on_conflict:literal) => {
            concat!(
                "INSERT INTO edge (tenant, grp, member, since)
            SELECT $1, j.grp, j.member, j.since + ",
                others!(changes),
                " FROM unnest($2::text[], $3::text[], $4::int8[]) AS j (grp, member, since)",
                $on_conflict
            )
        };
    }
    let again = edges_sql!(" ON CONFLICT (tenant, grp, member) DO UPDATE SET since = excluded.since");
    for (sql, rows) in [(edges_sql!(""), come), (again, anew)] {
        if !rows.0.is_empty() {
            steps.push(step!(sql, tenant.to_owned(), rows.0, rows.1, rows.2));
        }
    }
    steps
}

/// A list of lists is no array, so that members come with the number of their change.
fn changes(tenant: &str, changes: Vec<Change>) -> Vec<Step> {
    if changes.is_empty() {
        return Vec::new();
    }
    let texts = |of: fn(&Change) -> String| -> Vec<String> { changes.iter().map(of).collect() };
    let flags = |of: fn(&Change) -> bool| -> Vec<bool> { changes.iter().map(of).collect() };
    let sql = concat!(
        "INSERT INTO change (tenant, sequence, at, kind, type, id, person, renamed, added, removed)
        SELECT $1, j.sequence + ",
        others!(changes),
        ", j.at, j.kind, j.type, j.id, j.person, j.renamed, coalesce(a.ids, '{}'), coalesce(r.ids, '{}')
        FROM unnest($2::int8[], $3::int8[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::bool[])
            AS j (sequence, at, kind, type, id, person, renamed)
        LEFT JOIN (SELECT m.sequence, array_agg(m.id ORDER BY m.n) AS ids
            FROM unnest($9::int8[], $10::text[]) WITH ORDINALITY AS m (sequence, id, n) GROUP BY m.sequence) a
            ON a.sequence = j.sequence
        LEFT JOIN (SELECT m.sequence, array_agg(m.id ORDER BY m.n) AS ids
            FROM unnest($11::int8[], $12::text[]) WITH ORDINALITY AS m (sequence, id, n) GROUP BY m.sequence) r
            ON r.sequence = j.sequence"
    );
    let lists = |of: fn(&Change) -> &Vec<String>| -> (Vec<i64>, Vec<String>) {
        changes
            .iter()
            .flat_map(|change| of(change).iter().map(|id| (clamp(change.sequence), id.clone())))
            .unzip()
    };
    let (added, removed) = (lists(|change| &change.added), lists(|change| &change.removed));
    vec![step!(
        sql,
        tenant.to_owned(),
        changes.iter().map(|change| clamp(change.sequence)).collect::<Vec<i64>>(),
        changes.iter().map(|change| change.at.0).collect::<Vec<i64>>(),
        texts(|change| change.kind.name().to_owned()),
        texts(|change| change.resource_type.to_string()),
        texts(|change| change.id.clone()),
        flags(|change| change.person),
        flags(|change| change.renamed),
        added.0,
        added.1,
        removed.0,
        removed.1,
    )]
}

/// The first entry stands for all of the batch: it is there if that was committed, and has its token.
fn audit(tenant: &str, token: Option<String>, audit: Vec<Audited>) -> Vec<Step> {
    if audit.is_empty() {
        return Vec::new();
    }
    let texts = |of: fn(&Audited) -> &String| -> Vec<String> {
        audit.iter().map(|audited| of(audited).clone()).collect()
    };
    let numbers = |of: fn(&Audited) -> i64| -> Vec<i64> { audit.iter().map(of).collect() };
    let sql = concat!(
        "INSERT INTO audit (tenant, number, sequence, at, actor, request, action, status, detail, token)
        SELECT $1, j.number + ",
        others!(entries),
        ", j.sequence + ",
        others!(changes),
        ", j.at, j.actor, j.request, j.action, j.status, j.detail, CASE WHEN j.n = 1 THEN $10::text::uuid END
        FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::text[], $6::text[], $7::text[], $8::int4[], $9::text[])
            WITH ORDINALITY AS j (number, sequence, at, actor, request, action, status, detail, n)"
    );
    vec![step!(
        sql,
        tenant.to_owned(),
        numbers(|audited| clamp(audited.number)),
        numbers(|audited| clamp(audited.sequence)),
        numbers(|audited| audited.at.0),
        texts(|audited| &audited.entry.actor),
        texts(|audited| &audited.entry.request),
        texts(|audited| &audited.entry.action),
        audit.iter().map(|audited| i32::from(audited.entry.status)).collect::<Vec<i32>>(),
        texts(|audited| &audited.entry.detail),
        token,
    )]
}
