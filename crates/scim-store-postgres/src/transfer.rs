//! Tenants moved into a database and out of it, and logs pruned. It is for a command, not for a request: what counts or removes
//! everything takes as long as [`Options::statement`](crate::Options::statement) allows.

use std::collections::BTreeMap;
use std::sync::Arc;

use scim_store::draft::Stored;
use scim_store::retention::Cut;
use scim_store::transfer::{Holdings, Link, Lot, Marks, Portable, Rows, Whole};
use scim_store::{Pending, Tenant};
use tokio_postgres::Row;

use crate::apply::{self, Leap};
use crate::entries;
use crate::error::{Failed, Kind, corrupt};
use crate::existing::Outcome;
use crate::people;
use crate::pool::{Pool, Snapshot, WRITE};
use crate::rows::{clamp, record, record_columns, totals, totals_columns};
use crate::session::{Step, column, number, step};
use crate::store::PostgresStore;
use crate::writer::{Locked, NEW_TENANT, lock};

impl Portable for PostgresStore {
    fn holdings<'a>(&'a self, tenant: &'a Tenant) -> Pending<'a, Holdings> {
        Box::pin(self.read(tenant, true, holdings))
    }

    fn wholes<'a>(&'a self, tenant: &'a Tenant, after: &'a str, count: usize) -> Pending<'a, Vec<Whole>> {
        let after: Arc<str> = after.into();
        Box::pin(self.read(tenant, true, move |snapshot| wholes(snapshot, Arc::clone(&after), count)))
    }

    fn links<'a>(
        &'a self,
        tenant: &'a Tenant,
        after: &'a (String, String),
        count: usize,
    ) -> Pending<'a, Vec<Link>> {
        let after = after.clone();
        Box::pin(self.read(tenant, true, move |snapshot| links(snapshot, after.clone(), count)))
    }

    fn adopt<'a>(&'a self, tenant: &'a Tenant, lot: Lot) -> Pending<'a, ()> {
        Box::pin(self.write(adopt(self.pool(), tenant.clone(), lot)))
    }

    fn discard<'a>(&'a self, tenant: &'a Tenant, retired: Option<u64>, count: usize) -> Pending<'a, u64> {
        Box::pin(self.write(discard(self.pool(), tenant.clone(), retired, count)))
    }

    fn prune<'a>(&'a self, tenant: &'a Tenant, cut: &'a Cut, count: usize) -> Pending<'a, u64> {
        Box::pin(self.write(prune(self.pool(), tenant.clone(), cut.clone(), count)))
    }
}

async fn adopt(pool: Arc<Pool>, tenant: Tenant, lot: Lot) -> Result<(), Failed> {
    let name = tenant.as_str().to_owned();
    let mut lent = pool.lend(&tenant).await?;
    let rows = lent.begin(WRITE, &tenant, vec![step!(NEW_TENANT, name.clone()), lock(&name)]).await?;
    let locked = Locked::read(&rows.into_iter().nth(1).unwrap_or_default())?;
    let Some(Locked { totals: here, .. }) = locked else { return Err(corrupt("a tenant cannot be locked")) };
    if !here.is_unused() {
        return Err(in_use());
    }
    let totals = lot.totals.unwrap_or(here);
    let (draft, audit) = lot.into_draft();
    let mut outcome = Outcome::default();
    outcome.add(draft, 0);
    outcome.audit = audit;
    let leap = Leap { before: here, after: totals, is_fenced: true, token: None };
    let steps = apply::statements(&name, leap, outcome)?;
    lent.end("COMMIT", steps).await?;
    Ok(())
}

async fn discard(pool: Arc<Pool>, tenant: Tenant, retired: Option<u64>, count: usize) -> Result<u64, Failed> {
    let name = tenant.as_str().to_owned();
    let mut lent = pool.lend(&tenant).await?;
    let rows = lent.begin(WRITE, &tenant, vec![lock(&name)]).await?;
    let locked = Locked::read(&rows.into_iter().next().unwrap_or_default())?;
    if locked.is_some_and(|locked| !locked.totals.may_go(retired)) {
        return Err(in_use());
    }
    // Where nothing is removed, nothing is left.
    let most = clamp(count.max(1) as u64);
    let removed = lent.run(REMOVE.map(|sql| step!(sql, name.clone(), most)).into()).await?;
    let gone: Result<Vec<u64>, Failed> = removed.iter().flatten().map(|row| number(row, 0)).collect();
    let gone = gone?.into_iter().sum();
    let last = match gone {
        0 => EMPTY.map(|sql| step!(sql, name.clone())).into(),
        _ => Vec::new(),
    };
    lent.end("COMMIT", last).await?;
    Ok(gone)
}

/// Removes the first entries that are in the cut: of the audit trail, and of the change log where nothing of the trail is left.
/// Writers go on: no commit looks at what is older than the last entries. Who prunes meanwhile waits, and so does not take what
/// another is removing for all that there was.
async fn prune(pool: Arc<Pool>, tenant: Tenant, cut: Cut, count: usize) -> Result<u64, Failed> {
    let (name, most) = (tenant.as_str().to_owned(), clamp(count.max(1) as u64));
    let mut lent = pool.lend(&tenant).await?;
    for (sql, end) in [(PRUNE_AUDIT, cut.audit.end), (PRUNE_CHANGES, cut.changes.end)] {
        let alone = step!("SELECT pg_advisory_xact_lock($1, hashtext($2))", PRUNING, name.clone());
        let removal = step!(sql, name.clone(), most, clamp(end));
        let removed = lent.whole(WRITE, &tenant, vec![alone, removal]).await?;
        let gone = removed.last().and_then(|rows| rows.first()).map_or(Ok(0), |row| number(row, 0))?;
        if gone > 0 {
            return Ok(gone);
        }
    }
    Ok(0)
}

/// The lock of whoever prunes, apart from those that others take in the database.
const PRUNING: i32 = 0x5343_5052;

/// Removes the first rows of a table by their places, and counts them. Nobody moves them meanwhile.
macro_rules! remove {
    ($table:literal, $key:literal) => {
        remove!($table, $key, "")
    };
    ($table:literal, $key:literal, $which:literal) => {
        concat!(
            "WITH gone AS (DELETE FROM ",
            $table,
            " WHERE tenant = $1 AND ctid = ANY(ARRAY(SELECT ctid FROM ",
            $table,
            " WHERE tenant = $1",
            $which,
            " ORDER BY ",
            $key,
            " LIMIT $2)) RETURNING 1) SELECT count(*) FROM gone"
        )
    };
}

const PRUNE_AUDIT: &str =
    remove!("audit", "number", " AND number < least($3, (SELECT t.audited FROM tenant t WHERE t.name = $1))");
const PRUNE_CHANGES: &str = remove!(
    "change",
    "sequence",
    " AND sequence < least($3, (SELECT t.sequence FROM tenant t WHERE t.name = $1))"
);

const REMOVE: [&str; 9] = [
    remove!("edge", "grp, member"),
    remove!("resource", "id"),
    remove!("entry", "type, path, key, id"),
    remove!("claim", "type, path, digest"),
    remove!("hidden", "id, path"),
    remove!("change", "sequence"),
    remove!("audit", "number"),
    remove!("person", "id"),
    remove!("report", "number"),
];

/// What leaves nothing of a tenant but the number of its rules.
const EMPTY: [&str; 2] = [
    "DELETE FROM total WHERE tenant = $1",
    "UPDATE tenant SET sequence = 0, audited = 0, reported = 0, reports = 0, open = 0, fence = fence + 1
        WHERE name = $1",
];

/// The transaction ends with the connection.
fn in_use() -> Failed {
    Failed::new(Kind::Fault, "the tenant is in use here, and no unfinished copy")
}

const COUNTS: &str = "SELECT (SELECT count(*) FROM resource WHERE tenant = $1),
    (SELECT count(*) FROM entry WHERE tenant = $1), (SELECT count(*) FROM claim WHERE tenant = $1),
    (SELECT count(*) FROM hidden WHERE tenant = $1), (SELECT count(*) FROM person WHERE tenant = $1),
    (SELECT count(*) FROM edge WHERE tenant = $1), (SELECT count(*) FROM change WHERE tenant = $1),
    (SELECT count(*) FROM audit WHERE tenant = $1), (SELECT count(*) FROM report WHERE tenant = $1),
    (SELECT coalesce(max(sequence), 0) FROM change WHERE tenant = $1),
    (SELECT coalesce(max(number), 0) FROM audit WHERE tenant = $1),
    (SELECT coalesce(max(number), 0) FROM report WHERE tenant = $1)";

async fn holdings(snapshot: Snapshot) -> Result<Holdings, Failed> {
    let tenant = snapshot.tenant();
    let one = |sql: &'static str| step!(sql, tenant.clone());
    let steps: Vec<Step> = vec![
        one(concat!("SELECT ", totals_columns!(), " FROM tenant WHERE name = $1")),
        one(COUNTS),
        one("SELECT id FROM resource WHERE tenant = $1 ORDER BY id DESC LIMIT 1"),
        one("SELECT grp, member FROM edge WHERE tenant = $1 ORDER BY grp DESC, member DESC LIMIT 1"),
    ];
    let answers = snapshot.last(steps).await?;
    let [tenant, counted, resource, link] = answers.as_slice() else {
        return Err(corrupt("an answer is missing"));
    };
    let mut holdings = Holdings::default();
    if let Some(row) = tenant.first() {
        holdings.totals = totals(row)?;
    }
    let row = counted.first().ok_or_else(|| corrupt("nothing was counted"))?;
    holdings.rows = Rows {
        resources: number(row, 0)?,
        entries: number(row, 1)?,
        claims: number(row, 2)?,
        hidden: number(row, 3)?,
        persons: number(row, 4)?,
        links: number(row, 5)?,
        changes: number(row, 6)?,
        audit: number(row, 7)?,
        reports: number(row, 8)?,
    };
    let marks = Marks {
        change: number(row, 9)?,
        audit: number(row, 10)?,
        report: number(row, 11)?,
        ..Marks::default()
    };
    holdings.marks = marks;
    if let Some(row) = resource.first() {
        holdings.marks.resource = column(row, 0)?;
    }
    if let Some(row) = link.first() {
        holdings.marks.link = (column(row, 0)?, column(row, 1)?);
    }
    Ok(holdings)
}

async fn wholes(mut snapshot: Snapshot, after: Arc<str>, count: usize) -> Result<Vec<Whole>, Failed> {
    let tenant = snapshot.tenant();
    let sql = concat!(
        "SELECT r.entries, ",
        record_columns!(),
        " FROM resource r WHERE r.tenant = $1 AND r.id > $2 ORDER BY r.id LIMIT $3"
    );
    let answers =
        snapshot.run(vec![step!(sql, tenant.clone(), after.to_string(), clamp(count as u64))]).await?;
    let stored = |row: &Row| entries::decode(record(row, 1)?, column(row, 0)?);
    let all: Result<Vec<Stored>, Failed> = answers.iter().flatten().map(stored).collect();
    let all = all?;
    let ids: Vec<String> = all.iter().map(|stored| stored.record.id.clone()).collect();
    let sql = "SELECT h.id, h.path, h.value FROM unnest($2::text[]) AS j (id) CROSS JOIN LATERAL
        (SELECT h.* FROM hidden h WHERE h.tenant = $1 AND h.id = j.id OFFSET 0) h";
    let steps = vec![step!(sql, tenant.clone(), ids.clone()), step!(people::DERIVED, tenant, ids)];
    let answers = snapshot.last(steps).await?;
    let [secrets, derived] = answers.as_slice() else { return Err(corrupt("an answer is missing")) };
    let mut hidden: BTreeMap<String, BTreeMap<Arc<str>, String>> = BTreeMap::new();
    for row in secrets {
        let path: &str = column(row, 1)?;
        hidden.entry(column(row, 0)?).or_default().insert(path.into(), column(row, 2)?);
    }
    let persons: Result<BTreeMap<_, _>, Failed> = derived.iter().map(people::derived).collect();
    let mut persons = persons?;
    let whole = |stored: Stored| {
        let id = stored.record.id.as_str();
        let (hidden, person) = (hidden.remove(id).unwrap_or_default(), persons.remove(id));
        Whole::new(stored, hidden, person)
    };
    Ok(all.into_iter().map(whole).collect())
}

async fn links(snapshot: Snapshot, after: (String, String), count: usize) -> Result<Vec<Link>, Failed> {
    let sql = "SELECT grp, member, since FROM edge WHERE tenant = $1 AND (grp, member) > ($2, $3)
        ORDER BY grp, member LIMIT $4";
    let step = step!(sql, snapshot.tenant(), after.0, after.1, clamp(count as u64));
    let link =
        |row: &Row| Ok(Link { group: column(row, 0)?, member: column(row, 1)?, since: number(row, 2)? });
    snapshot.rows(step).await?.iter().map(link).collect()
}
