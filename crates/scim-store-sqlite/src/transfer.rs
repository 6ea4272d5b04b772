//! Tenants moved into a file and out of it, and logs pruned. All of it runs on the calling thread and on a connection of its
//! own, apart from those who serve: it is for a command, not for a request. Whoever writes meanwhile waits, and is waited for,
//! as for another process.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::types::Value;
use rusqlite::{Row, ToSql};
use scim_store::retention::Cut;
use scim_store::transfer::{Holdings, Link, Lot, Marks, Portable, Rows, Whole};
use scim_store::{Pending, StoreError, Tenant};

use crate::apply::{Counters, TenantRow, in_use};
use crate::database::Database;
use crate::existing::stored;
use crate::people;
use crate::rows::{RawRecord, clamp, record_columns};
use crate::store::SqliteStore;

impl Portable for SqliteStore {
    fn holdings<'a>(&'a self, tenant: &'a Tenant) -> Pending<'a, Holdings> {
        Box::pin(async move {
            let database = self.own_connection()?;
            database.snapshot(|| holdings(&database, tenant))
        })
    }

    fn wholes<'a>(&'a self, tenant: &'a Tenant, after: &'a str, count: usize) -> Pending<'a, Vec<Whole>> {
        Box::pin(async move {
            let database = self.own_connection()?;
            database.snapshot(|| wholes(&database, tenant, after, count))
        })
    }

    fn links<'a>(
        &'a self,
        tenant: &'a Tenant,
        after: &'a (String, String),
        count: usize,
    ) -> Pending<'a, Vec<Link>> {
        Box::pin(async move { links(&self.own_connection()?, tenant, after, count) })
    }

    fn adopt<'a>(&'a self, tenant: &'a Tenant, lot: Lot) -> Pending<'a, ()> {
        Box::pin(async move {
            let mut counters = Counters::default();
            transaction(&self.own_connection()?, |database| {
                counters.adopt(database, tenant, lot)?;
                counters.finish(database)
            })
        })
    }

    fn discard<'a>(&'a self, tenant: &'a Tenant, retired: Option<u64>, count: usize) -> Pending<'a, u64> {
        Box::pin(async move {
            transaction(&self.own_connection()?, |database| discard(database, tenant, retired, count))
        })
    }

    fn prune<'a>(&'a self, tenant: &'a Tenant, cut: &'a Cut, count: usize) -> Pending<'a, u64> {
        Box::pin(async move {
            transaction(&self.own_connection()?, |database| prune(database, tenant, cut, count))
        })
    }
}

/// Writes all or nothing. After an error the transaction ends with the connection.
fn transaction<T>(
    database: &Database,
    write: impl FnOnce(&Database) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    database.run("BEGIN IMMEDIATE", &[])?;
    let written = write(database)?;
    database.run("COMMIT", &[])?;
    Ok(written)
}

/// What finds the keys of rows of a tenant, and what removes the row of each.
const REMOVE: [(&str, &str); 7] = [
    (
        "SELECT tenant, type, path, key, id FROM entry WHERE tenant = ?1 LIMIT ?2",
        "DELETE FROM entry WHERE tenant = ?1 AND type = ?2 AND path = ?3 AND key = ?4 AND id = ?5",
    ),
    (
        "SELECT tenant, type, path, value FROM claim WHERE tenant = ?1 LIMIT ?2",
        "DELETE FROM claim WHERE tenant = ?1 AND type = ?2 AND path = ?3 AND value = ?4",
    ),
    (
        "SELECT tenant, id, path FROM hidden WHERE tenant = ?1 LIMIT ?2",
        "DELETE FROM hidden WHERE tenant = ?1 AND id = ?2 AND path = ?3",
    ),
    (
        "SELECT tenant, id FROM person WHERE tenant = ?1 LIMIT ?2",
        "DELETE FROM person WHERE tenant = ?1 AND id = ?2",
    ),
    (
        "SELECT tenant, sequence FROM change WHERE tenant = ?1 LIMIT ?2",
        "DELETE FROM change WHERE tenant = ?1 AND sequence = ?2",
    ),
    (
        "SELECT tenant, number FROM audit WHERE tenant = ?1 LIMIT ?2",
        "DELETE FROM audit WHERE tenant = ?1 AND number = ?2",
    ),
    (
        "SELECT tenant, number FROM report WHERE tenant = ?1 LIMIT ?2",
        "DELETE FROM report WHERE tenant = ?1 AND number = ?2",
    ),
];

/// As [`REMOVE`], of the memberships of a resource, from either side.
const REMOVE_LINKS: [(&str, &str); 2] = [
    (
        "SELECT grp, member FROM edge WHERE grp = ?1 LIMIT ?2",
        "DELETE FROM edge WHERE grp = ?1 AND member = ?2",
    ),
    (
        "SELECT member, grp FROM membership WHERE member = ?1 LIMIT ?2",
        "DELETE FROM membership WHERE member = ?1 AND grp = ?2",
    ),
];

/// Removes a portion. The tenant keeps its number, which others may remember.
fn discard(
    database: &Database,
    tenant: &Tenant,
    retired: Option<u64>,
    count: usize,
) -> Result<u64, StoreError> {
    let Some(TenantRow { num, totals }) = TenantRow::read(database, tenant)? else { return Ok(0) };
    if !totals.may_go(retired) {
        return Err(in_use());
    }
    // Where nothing is removed, nothing is left.
    let count = count.max(1);
    let mut gone = 0;
    let (mut left, most) = (count, clamp(count as u64));
    // Memberships lead to resources by number, so that those of a resource go before it.
    let sql = "SELECT num FROM resource WHERE tenant = ?1 ORDER BY id LIMIT ?2";
    for resource in database.all(sql, &[&num, &most], |row| row.get::<_, i64>(0))? {
        for pair in REMOVE_LINKS {
            let removed = remove(database, pair, resource, left)?;
            left -= removed.min(left);
            gone += removed as u64;
        }
        if left == 0 {
            break;
        }
        left -= 1;
        gone += database.run("DELETE FROM resource WHERE num = ?1", &[&resource])? as u64;
    }
    for pair in REMOVE {
        gone += remove(database, pair, num, count)? as u64;
    }
    if gone == 0 {
        database.run("DELETE FROM total WHERE tenant = ?1", &[&num])?;
        let sql =
            "UPDATE tenant SET sequence = 0, audited = 0, reported = 0, reports = 0, open = 0 WHERE num = ?1";
        database.run(sql, &[&num])?;
    }
    Ok(gone)
}

/// Removes the first entries that are in the cut: of the audit trail, and of the change log where nothing of the trail is left.
fn prune(database: &Database, tenant: &Tenant, cut: &Cut, count: usize) -> Result<u64, StoreError> {
    let Some(TenantRow { num, totals }) = TenantRow::read(database, tenant)? else { return Ok(0) };
    let most = clamp(count.max(1) as u64);
    let gone = database.run(
        "DELETE FROM audit WHERE tenant = ?1 AND number IN
            (SELECT number FROM audit WHERE tenant = ?1 AND number < ?2 ORDER BY number LIMIT ?3)",
        &[&num, &clamp(cut.audit.end.min(totals.audited)), &most],
    )?;
    if gone > 0 {
        return Ok(gone as u64);
    }
    let gone = database.run(
        "DELETE FROM change WHERE tenant = ?1 AND sequence IN
            (SELECT sequence FROM change WHERE tenant = ?1 AND sequence < ?2 ORDER BY sequence LIMIT ?3)",
        &[&num, &clamp(cut.changes.end.min(totals.counts.sequence)), &most],
    )?;
    Ok(gone as u64)
}

/// Removes at most `count` rows, and says how many there were.
fn remove(
    database: &Database,
    (find, delete): (&str, &str),
    of: i64,
    count: usize,
) -> Result<usize, StoreError> {
    let keys: Vec<Vec<Value>> = database.all(find, &[&of, &clamp(count as u64)], |row| {
        (0..row.as_ref().column_count()).map(|column| row.get(column)).collect()
    })?;
    for key in &keys {
        database.run(delete, &key.iter().map(|value| value as &dyn ToSql).collect::<Vec<_>>())?;
    }
    Ok(keys.len())
}

fn holdings(database: &Database, tenant: &Tenant) -> Result<Holdings, StoreError> {
    let Some(TenantRow { num: tenant, totals }) = TenantRow::read(database, tenant)? else {
        return Ok(Holdings::default());
    };
    let number = |sql: &str| {
        let found = database.first(sql, &[&tenant], |row| row.get::<_, i64>(0))?;
        Ok::<_, StoreError>(found.unwrap_or_default() as u64)
    };
    let rows = Rows {
        resources: number("SELECT count(*) FROM resource WHERE tenant = ?1")?,
        entries: number("SELECT count(*) FROM entry WHERE tenant = ?1")?,
        claims: number("SELECT count(*) FROM claim WHERE tenant = ?1")?,
        hidden: number("SELECT count(*) FROM hidden WHERE tenant = ?1")?,
        persons: number("SELECT count(*) FROM person WHERE tenant = ?1")?,
        links: number(
            "SELECT count(*) FROM resource g CROSS JOIN edge e ON e.grp = g.num WHERE g.tenant = ?1",
        )?,
        changes: number("SELECT count(*) FROM change WHERE tenant = ?1")?,
        audit: number("SELECT count(*) FROM audit WHERE tenant = ?1")?,
        reports: number("SELECT count(*) FROM report WHERE tenant = ?1")?,
    };
    let resource = "SELECT id FROM resource WHERE tenant = ?1 ORDER BY id DESC LIMIT 1";
    let link = "SELECT g.id, e.member FROM resource g CROSS JOIN edge e ON e.grp = g.num WHERE g.tenant = ?1
        ORDER BY g.id DESC, e.member DESC LIMIT 1";
    let marks = Marks {
        resource: database.first(resource, &[&tenant], |row| row.get(0))?.unwrap_or_default(),
        link: database.first(link, &[&tenant], |row| Ok((row.get(0)?, row.get(1)?)))?.unwrap_or_default(),
        change: number("SELECT coalesce(max(sequence), 0) FROM change WHERE tenant = ?1")?,
        audit: number("SELECT coalesce(max(number), 0) FROM audit WHERE tenant = ?1")?,
        report: number("SELECT coalesce(max(number), 0) FROM report WHERE tenant = ?1")?,
    };
    Ok(Holdings { totals, rows, marks })
}

fn wholes(database: &Database, tenant: &Tenant, after: &str, count: usize) -> Result<Vec<Whole>, StoreError> {
    let Some(tenant) = database.tenant(tenant)? else { return Ok(Vec::new()) };
    let sql = concat!(
        "SELECT r.entries, ",
        record_columns!(),
        " FROM resource r WHERE r.tenant = ?1 AND r.id > ?2 ORDER BY r.id LIMIT ?3"
    );
    let read = |row: &Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, RawRecord::read(row, 1)?));
    let rows = database.all(sql, &[&tenant, &after, &clamp(count as u64)], read)?;
    let all: Result<Vec<_>, StoreError> =
        rows.into_iter().map(|(bytes, raw)| stored(database, raw, &bytes)).collect();
    let all = all?;
    let Some(last) = all.last().map(|stored| stored.record.id.clone()) else { return Ok(Vec::new()) };
    let sql = "SELECT id, path, value FROM hidden WHERE tenant = ?1 AND id > ?2 AND id <= ?3";
    let rows: Vec<(String, i64, String)> =
        database.all(sql, &[&tenant, &after, &last], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut hidden: BTreeMap<String, BTreeMap<Arc<str>, String>> = BTreeMap::new();
    for (id, path, value) in rows {
        hidden.entry(id).or_default().insert(database.text(path)?, value);
    }
    let mut persons = people::derived_between(database, tenant, after, &last)?;
    let whole = |stored: scim_store::draft::Stored| {
        let id = stored.record.id.as_str();
        let (hidden, person) = (hidden.remove(id).unwrap_or_default(), persons.remove(id));
        Whole::new(stored, hidden, person)
    };
    Ok(all.into_iter().map(whole).collect())
}

fn links(
    database: &Database,
    tenant: &Tenant,
    after: &(String, String),
    count: usize,
) -> Result<Vec<Link>, StoreError> {
    let Some(tenant) = database.tenant(tenant)? else { return Ok(Vec::new()) };
    let sql = "SELECT g.id, e.member, e.since FROM resource g CROSS JOIN edge e ON e.grp = g.num
        AND e.member > iif(g.id = ?2, ?3, '') WHERE g.tenant = ?1 AND g.id >= ?2 ORDER BY g.id, e.member LIMIT ?4";
    database.all(sql, &[&tenant, &after.0, &after.1, &clamp(count as u64)], |row| {
        Ok(Link { group: row.get(0)?, member: row.get(1)?, since: row.get::<_, i64>(2)? as u64 })
    })
}
