//! Plain reads: records, edges, changes, audit entries.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Row;
use scim_core::time::Timestamp;
use scim_store::{
    AuditEntry, Audited, Change, ChangeKind, Edge, EdgePage, EdgeQuery, Record, Side, StoreError, Tenant,
};
use serde_json::Value;

use crate::database::Database;
use crate::error::{corrupt, store_error};

/// The columns of a record, of `resource` under the name `r`.
macro_rules! record_columns {
    () => {
        "r.id, r.type, r.version, r.created, r.modified, r.label, r.body"
    };
}
pub(crate) use record_columns;

/// How many they are.
pub(crate) const RECORD_COLUMNS: usize = 7;

/// A record whose type is still a number.
pub(crate) struct RawRecord {
    record: Record,
    kind: i64,
}

impl RawRecord {
    /// Reads `record_columns!()` from a column on.
    pub(crate) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let record = Record {
            id: row.get(first)?,
            resource_type: Arc::default(),
            version: row.get::<_, i64>(first + 2)? as u64,
            created: Timestamp(row.get(first + 3)?),
            modified: Timestamp(row.get(first + 4)?),
            label: row.get(first + 5)?,
            body: Bytes::copy_from_slice(row.get_ref(first + 6)?.as_blob()?),
        };
        Ok(Self { record, kind: row.get(first + 1)? })
    }

    pub(crate) fn id(&self) -> &str {
        &self.record.id
    }

    /// Bytes of its body.
    pub(crate) fn size(&self) -> usize {
        self.record.body.len()
    }

    pub(crate) fn finish(self, database: &Database) -> Result<Record, StoreError> {
        Ok(Record { resource_type: database.text(self.kind)?, ..self.record })
    }
}

/// A list as one parameter.
pub(crate) fn json<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> String {
    Value::Array(items.into_iter().map(Into::into).collect()).to_string()
}

/// Numbers beyond what SQLite counts to are beyond all rows too.
pub(crate) fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn records<S: AsRef<str>>(
    database: &Database,
    tenant: &Tenant,
    ids: &[S],
) -> Result<Vec<Option<Record>>, StoreError> {
    let mut found: Vec<Option<Record>> = ids.iter().map(|_| None).collect();
    let Some(tenant) = database.tenant(tenant)? else { return Ok(found) };
    if let ([id], [slot]) = (ids, found.as_mut_slice()) {
        let sql = concat!("SELECT ", record_columns!(), " FROM resource r WHERE r.tenant = ?1 AND r.id = ?2");
        let raw = database.first(sql, &[&tenant, &id.as_ref()], |row| RawRecord::read(row, 0))?;
        *slot = raw.map(|raw| raw.finish(database)).transpose()?;
        return Ok(found);
    }
    let sql = concat!(
        "SELECT j.key, ",
        record_columns!(),
        " FROM json_each(?2) j CROSS JOIN resource r ON r.tenant = ?1 AND r.id = j.value"
    );
    let list = json(ids.iter().map(AsRef::as_ref));
    let rows = database
        .all(sql, &[&tenant, &list], |row| Ok((row.get::<_, i64>(0)? as usize, RawRecord::read(row, 1)?)))?;
    for (index, raw) in rows {
        if let Some(slot) = found.get_mut(index) {
            *slot = Some(raw.finish(database)?);
        }
    }
    Ok(found)
}

macro_rules! edges_sql {
    ($edges:literal, $known:literal, $other:literal, one) => {
        concat!(
            "SELECT k.id, r.id, r.type, r.label, e.since FROM resource k CROSS JOIN ",
            $edges,
            " e ON e.",
            $known,
            " = k.num CROSS JOIN resource r ON r.num = e.num WHERE k.tenant = :tenant AND k.id = :of AND e.",
            $other,
            " > :after_id ORDER BY e.",
            $other,
            " LIMIT :limit"
        )
    };
    ($edges:literal, $known:literal, $other:literal, several) => {
        concat!(
            "SELECT j.value, r.id, r.type, r.label, e.since FROM json_each(:of) j",
            " CROSS JOIN resource k ON k.tenant = :tenant AND k.id = j.value CROSS JOIN ",
            $edges,
            " e ON e.",
            $known,
            " = k.num AND e.",
            $other,
            " > iif(j.value = :after_of, :after_id, '') CROSS JOIN resource r ON r.num = e.num LIMIT :limit"
        )
    };
}

/// A page of at most `count` edges. The outer loop is over the known identifiers in order, the inner one over an index.
pub(crate) fn edges(
    database: &Database,
    tenant: &Tenant,
    query: &EdgeQuery,
    count: usize,
) -> Result<EdgePage, StoreError> {
    let Some(tenant) = database.tenant(tenant)? else { return Ok(no_edges()) };
    let (after_of, after_id) = match &query.after {
        Some((of, id)) => (of.as_str(), id.as_str()),
        None => ("", ""),
    };
    let mut known: Vec<&str> = query.of.iter().map(String::as_str).filter(|of| *of >= after_of).collect();
    known.sort_unstable();
    known.dedup();
    let start = |of: &str| if of == after_of { after_id } else { "" };
    let (sql, of, after_id) = match (query.side, known.as_slice()) {
        (Side::Members, &[of]) => (edges_sql!("edge", "grp", "member", one), of.to_owned(), start(of)),
        (Side::Groups, &[of]) => (edges_sql!("membership", "member", "grp", one), of.to_owned(), start(of)),
        (Side::Members, _) => (edges_sql!("edge", "grp", "member", several), json(known), after_id),
        (Side::Groups, _) => (edges_sql!("membership", "member", "grp", several), json(known), after_id),
    };
    let limit = clamp(count as u64).saturating_add(1);
    let mut statement = database.prepare(sql)?;
    crate::database::bind(
        &mut statement,
        &[
            (":of", &of),
            (":tenant", &tenant),
            (":after_of", &after_of),
            (":after_id", &after_id),
            (":limit", &limit),
        ],
    )?;
    let mut rows = statement.raw_query();
    let mut edges = Edges::default();
    while let Some(row) = rows.next().map_err(store_error)? {
        let read = || -> rusqlite::Result<_> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get::<_, i64>(4)? as u64))
        };
        let (of, id, kind, label, since) = read().map_err(store_error)?;
        edges.push(Edge { of, id, resource_type: database.text(kind)?, label, since })?;
    }
    Ok(edges.page(count))
}

/// What brings along the memberships of `resource` under the name `r`, which are on this side of it.
macro_rules! with_edges {
    (columns, $other:literal) => {
        concat!(", l.", $other, ", o.type, o.label, l.since")
    };
    (join, $edges:literal, $known:literal) => {
        concat!(" LEFT JOIN ", $edges, " l ON l.", $known, " = r.num LEFT JOIN resource o ON o.num = l.num")
    };
}
pub(crate) use with_edges;

macro_rules! record_with_edges_sql {
    ($edges:literal, $known:literal, $other:literal) => {
        concat!(
            "SELECT ",
            record_columns!(),
            with_edges!(columns, $other),
            " FROM resource r",
            with_edges!(join, $edges, $known),
            " WHERE r.tenant = ?1 AND r.id = ?2 ORDER BY l.",
            $other,
            " LIMIT ?3"
        )
    };
}

/// A record and the first page of at most `count` of its edges, by one statement: it is what most reads are.
pub(crate) fn record_with_edges(
    database: &Database,
    tenant: &Tenant,
    id: &str,
    side: Side,
    count: usize,
) -> Result<Option<(Record, EdgePage)>, StoreError> {
    let Some(tenant) = database.tenant(tenant)? else { return Ok(None) };
    let sql = match side {
        Side::Members => record_with_edges_sql!("edge", "grp", "member"),
        Side::Groups => record_with_edges_sql!("membership", "member", "grp"),
    };
    let limit = clamp(count as u64).saturating_add(1);
    let mut statement = database.prepare(sql)?;
    let mut rows = statement.query((tenant, id, limit)).map_err(store_error)?;
    let Some(row) = rows.next().map_err(store_error)? else { return Ok(None) };
    let record = RawRecord::read(row, 0).map_err(store_error)?.finish(database)?;
    let mut edges = Edges::default();
    let mut row = Some(row);
    while let Some(joined) = row {
        let Some(edge) = joined_edge(database, joined, RECORD_COLUMNS, &record.id)? else { break };
        edges.push(edge)?;
        row = rows.next().map_err(store_error)?;
    }
    Ok(Some((record, edges.page(count))))
}

/// Reads `with_edges!(columns, …)` from a column on: an edge of this resource, if it has any.
pub(crate) fn joined_edge(
    database: &Database,
    row: &Row<'_>,
    first: usize,
    of: &str,
) -> Result<Option<Edge>, StoreError> {
    let read = || -> rusqlite::Result<_> {
        let Some(other) = row.get::<_, Option<String>>(first)? else { return Ok(None) };
        Ok(Some((other, row.get(first + 1)?, row.get(first + 2)?, row.get::<_, i64>(first + 3)? as u64)))
    };
    let Some((id, kind, label, since)) = read().map_err(store_error)? else { return Ok(None) };
    Ok(Some(Edge { of: of.to_owned(), id, resource_type: database.text(kind)?, label, since }))
}

pub(crate) fn no_edges() -> EdgePage {
    EdgePage { edges: Vec::new(), more: false }
}

/// Edges in their order.
#[derive(Default)]
struct Edges(Vec<Edge>);

impl Edges {
    /// Adds the next one.
    ///
    /// # Errors
    /// When it does not come after the last one: pages would lose edges.
    fn push(&mut self, edge: Edge) -> Result<(), StoreError> {
        if self.0.last().is_some_and(|last| (&last.of, &last.id) >= (&edge.of, &edge.id)) {
            return Err(corrupt("edges come out of order"));
        }
        self.0.push(edge);
        Ok(())
    }

    /// The first `count`, of which one more was asked for.
    fn page(mut self, count: usize) -> EdgePage {
        let more = self.0.len() > count;
        self.0.truncate(count);
        EdgePage { edges: self.0, more }
    }
}

/// Members of several groups of one type, by a walk of all there are. Types are looked at only where there are
/// several.
pub(crate) fn crowded(
    database: &Database,
    tenant: &Tenant,
    after: &str,
    count: usize,
) -> Result<Vec<String>, StoreError> {
    let Some(tenant) = database.tenant(tenant)? else { return Ok(Vec::new()) };
    let sql = "SELECT r.id FROM resource r WHERE r.tenant = ?1 AND r.id > ?2
        AND (SELECT count(*) FROM membership m WHERE m.member = r.num) > 1
        AND EXISTS (SELECT 1 FROM membership m CROSS JOIN resource g ON g.num = m.num WHERE m.member = r.num
            GROUP BY g.type HAVING count(*) > 1)
        ORDER BY r.id LIMIT ?3";
    database.all(sql, &[&tenant, &after, &clamp(count as u64)], |row| row.get(0))
}

pub(crate) fn changes(
    database: &Database,
    tenant: &Tenant,
    after: u64,
    count: usize,
) -> Result<Vec<Change>, StoreError> {
    let Some(tenant) = database.tenant(tenant)? else { return Ok(Vec::new()) };
    let sql = "SELECT sequence, at, kind, type, id, added, removed, person, renamed FROM change
        WHERE tenant = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3";
    let rows = database.all(sql, &[&tenant, &clamp(after), &clamp(count as u64)], |row| {
        let lists: (String, String) = (row.get(5)?, row.get(6)?);
        let names: (String, i64) = (row.get(2)?, row.get(3)?);
        Ok((row.get::<_, i64>(0)?, row.get(1)?, names, row.get(4)?, lists, (row.get(7)?, row.get(8)?)))
    })?;
    let change = |(sequence, at, (kind, type_number), id, (added, removed), (person, renamed))| {
        let kind: String = kind;
        let list = |text: String| -> Result<Vec<String>, StoreError> {
            serde_json::from_str(&text).map_err(|_| corrupt("a change's list of members cannot be read"))
        };
        Ok(Change {
            sequence: sequence as u64,
            at: Timestamp(at),
            kind: ChangeKind::from_name(&kind).ok_or_else(|| corrupt("a change has an unknown kind"))?,
            resource_type: database.text(type_number)?,
            id,
            added: list(added)?,
            removed: list(removed)?,
            person,
            renamed,
        })
    };
    rows.into_iter().map(change).collect()
}

pub(crate) fn audit(
    database: &Database,
    tenant: &Tenant,
    after: u64,
    count: usize,
) -> Result<Vec<Audited>, StoreError> {
    let Some(tenant) = database.tenant(tenant)? else { return Ok(Vec::new()) };
    let sql = "SELECT number, sequence, at, actor, request, action, status, detail FROM audit
        WHERE tenant = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
    database.all(sql, &[&tenant, &clamp(after), &clamp(count as u64)], |row| {
        Ok(Audited {
            number: row.get::<_, i64>(0)? as u64,
            sequence: row.get::<_, i64>(1)? as u64,
            at: Timestamp(row.get(2)?),
            entry: AuditEntry {
                actor: row.get(3)?,
                request: row.get(4)?,
                action: row.get(5)?,
                status: row.get(6)?,
                detail: row.get(7)?,
            },
        })
    })
}
