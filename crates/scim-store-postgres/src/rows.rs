//! Plain reads: records, edges, changes, audit entries.

use bytes::Bytes;
use scim_core::time::Timestamp;
use scim_store::draft::Counts;
use scim_store::transfer::Totals;
use scim_store::{AuditEntry, Audited, Change, ChangeKind, Edge, EdgePage, EdgeQuery, Record, Side};
use tokio_postgres::Row;

use crate::error::{Failed, corrupt};
use crate::existing::is_impossible;
use crate::memory::Sight;
use crate::people::{PERSON_ID, derived, person_columns};
use crate::pool::Snapshot;
use crate::session::{Step, column, number, step};

/// The columns of a record, of `resource` under the name `r`.
macro_rules! record_columns {
    () => {
        "r.id, r.type, r.version, r.created, r.modified, r.label, r.body"
    };
}
pub(crate) use record_columns;

/// The bytes of the bodies of a page up to each of its rows. How long a body is, is known without reading it.
macro_rules! bytes {
    () => {
        "sum(octet_length(w.body)) OVER (ROWS UNBOUNDED PRECEDING) AS bytes"
    };
}
pub(crate) use bytes;

/// Whether a row of `page p` has room on it, where `$4` is the room for bodies.
macro_rules! fits {
    () => {
        "(p.bytes <= $4 OR p.bytes = octet_length(p.body))"
    };
}
pub(crate) use fits;

/// The columns of a record of `page p`. What has no room comes without its body.
macro_rules! fitting_columns {
    () => {
        concat!(
            "p.id, p.type, p.version, p.created, p.modified, p.label, CASE WHEN ",
            $crate::rows::fits!(),
            " THEN p.body END"
        )
    };
}
pub(crate) use fitting_columns;

/// The columns of an edge that comes among records: theirs, of which it has a few.
macro_rules! edge_columns {
    ($other:literal, $since:literal) => {
        concat!(
            $other,
            ".id, ",
            $other,
            ".type, ",
            $since,
            ".since, NULL::int8, NULL::int8, ",
            $other,
            ".label, NULL::bytea"
        )
    };
}
pub(crate) use edge_columns;

/// Picks the row of an identifier of `resource` under the name `r`. Written as equality, a planner that knows of an empty table
/// may take the index by type, and go through all of the tenant. This order only the primary key has.
macro_rules! of_id {
    ($id:expr) => {
        concat!("r.id >= ", $id, " AND r.id <= ", $id, " ORDER BY r.id")
    };
}
pub(crate) use of_id;

/// Joins the resource of an identifier, under the name `r`. Written like this the planner has no choice but to look up one
/// resource for each row that is there already.
macro_rules! resource_of {
    ($id:expr) => {
        concat!(
            " CROSS JOIN LATERAL (SELECT r.* FROM resource r WHERE r.tenant = $1 AND ",
            $crate::rows::of_id!($id),
            " OFFSET 0) r"
        )
    };
}
pub(crate) use resource_of;

/// The edges of one resource after another, in order, of `edge` under the name `e`. Both indexes of it have both columns.
/// Written as equality, which a planner that knows of one group only takes for no restriction, it may take the index of the other
/// side, and go through all of the tenant. This order only one of them has.
macro_rules! edges_from {
    ($known:expr, $other:expr, $of:expr, $after:expr) => {
        concat!(
            "(e.",
            $known,
            ", e.",
            $other,
            ") > (",
            $of,
            ", ",
            $after,
            ") AND e.",
            $known,
            " <= ",
            $of,
            " ORDER BY e.",
            $known,
            ", e.",
            $other
        )
    };
}
pub(crate) use edges_from;

/// Reads `record_columns!()` from a column on.
pub(crate) fn record(row: &Row, first: usize) -> Result<Record, Failed> {
    Ok(Record {
        id: column(row, first)?,
        resource_type: column::<&str>(row, first + 1)?.into(),
        version: number(row, first + 2)?,
        created: Timestamp(column(row, first + 3)?),
        modified: Timestamp(column(row, first + 4)?),
        label: column(row, first + 5)?,
        body: Bytes::copy_from_slice(column(row, first + 6)?),
    })
}

/// The columns of `tenant` that count.
macro_rules! totals_columns {
    () => {
        "sequence, epoch, reported, reports, open, audited"
    };
}
pub(crate) use totals_columns;

/// Reads `totals_columns!()` from the first column on.
pub(crate) fn totals(row: &Row) -> Result<Totals, Failed> {
    let counts = Counts {
        sequence: number(row, 0)?,
        epoch: number(row, 1)?,
        reported: number(row, 2)?,
        reports: number(row, 3)?,
        open: number(row, 4)?,
    };
    Ok(Totals { counts, audited: number(row, 5)? })
}

/// Numbers beyond what the database counts to are beyond all rows too.
pub(crate) fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A text that comes after the same identifiers as this one, without the characters that no identifier has.
pub(crate) fn floor(id: &str) -> String {
    id.split('\0').next().unwrap_or_default().to_owned()
}

fn record_step(tenant: String, id: &str) -> Step {
    let sql =
        concat!("SELECT ", record_columns!(), " FROM resource r WHERE r.tenant = $1 AND ", of_id!("$2"));
    step!(sql, tenant, id.to_owned())
}

pub(crate) async fn records(snapshot: Snapshot, ids: &[String]) -> Result<Vec<Option<Record>>, Failed> {
    let mut found: Vec<Option<Record>> = ids.iter().map(|_| None).collect();
    let tenant = snapshot.tenant();
    if let ([id], [slot]) = (ids, found.as_mut_slice()) {
        if !is_impossible(id) {
            let rows = snapshot.rows(record_step(tenant, id)).await?;
            *slot = rows.first().map(|row| record(row, 0)).transpose()?;
        }
        return Ok(found);
    }
    let places: Vec<usize> =
        ids.iter().enumerate().filter(|(_, id)| !is_impossible(id)).map(|(place, _)| place).collect();
    if places.is_empty() {
        return Ok(found);
    }
    let wanted: Vec<String> = places.iter().filter_map(|place| ids.get(*place).cloned()).collect();
    let sql = concat!(
        "SELECT j.n, ",
        record_columns!(),
        " FROM unnest($2::text[]) WITH ORDINALITY AS j (id, n)",
        resource_of!("j.id")
    );
    for row in &snapshot.rows(step!(sql, tenant, wanted)).await? {
        let place = places.get(number(row, 0)?.saturating_sub(1) as usize);
        if let Some(slot) = place.and_then(|place| found.get_mut(*place)) {
            *slot = Some(record(row, 1)?);
        }
    }
    Ok(found)
}

/// A record alone, with what a write of it has to know: whoever asks for one only is likely to write it next.
pub(crate) async fn sight(snapshot: Snapshot, id: &str) -> Result<Option<Sight>, Failed> {
    if is_impossible(id) {
        return Ok(None);
    }
    let sql = concat!(
        person_columns!(),
        ", r.entries, ",
        record_columns!(),
        " FROM (SELECT r.* FROM resource r WHERE r.tenant = $1 AND ",
        of_id!("$2"),
        " OFFSET 0) r LEFT JOIN person p ON p.tenant = $1 AND p.id = r.id"
    );
    let tenant = snapshot.tenant();
    let rows = snapshot.rows(step!(sql, tenant, id.to_owned())).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let person = match column::<Option<&str>>(row, PERSON_ID)? {
        Some(_) => Some(derived(row)?.1),
        None => None,
    };
    let (entries, record) = (column(row, PERSON_ID + 1)?, record(row, PERSON_ID + 2)?);
    Ok(Some(Sight { record, entries, person }))
}

/// A record and a page of its edges, at once: the record, and then the edges.
pub(crate) async fn record_with_edges(
    snapshot: Snapshot,
    id: &str,
    side: Side,
    count: usize,
) -> Result<Option<(Record, EdgePage)>, Failed> {
    macro_rules! sql {
        ($known:literal, $other:literal) => {
            concat!(
                "SELECT ",
                record_columns!(),
                " FROM (SELECT r.* FROM resource r WHERE r.tenant = $1 AND ",
                of_id!("$2"),
                " OFFSET 0) r UNION ALL (SELECT ",
                edge_columns!("r", "e"),
                " FROM edge e",
                resource_of!(concat!("e.", $other)),
                " WHERE e.tenant = $1 AND ",
                edges_from!($known, $other, "$2", "''"),
                " LIMIT $3)"
            )
        };
    }
    if is_impossible(id) {
        return Ok(None);
    }
    let sql = match side {
        Side::Members => sql!("grp", "member"),
        Side::Groups => sql!("member", "grp"),
    };
    let limit = clamp(count as u64).saturating_add(1);
    let step = step!(sql, snapshot.tenant(), id.to_owned(), limit);
    let rows = snapshot.rows(step).await?;
    let Some((found, rows)) = rows.split_first() else { return Ok(None) };
    if !is_record(found, 0)? {
        return Err(corrupt("memberships of a resource that is not there"));
    }
    let edges: Vec<Edge> = rows.iter().map(|row| edge(row, 0, id)).collect::<Result<_, Failed>>()?;
    Ok(Some((record(found, 0)?, edge_page(edges, count)?)))
}

/// Whether a row among records and edges is a record.
pub(crate) fn is_record(row: &Row, first: usize) -> Result<bool, Failed> {
    Ok(column::<Option<i64>>(row, first + 3)?.is_some())
}

/// Whether a record of `fitting_columns!()` has room on its page.
pub(crate) fn has_room(row: &Row, first: usize) -> Result<bool, Failed> {
    Ok(column::<Option<&[u8]>>(row, first + 6)?.is_some())
}

/// Reads `edge_columns!()` of an edge of this resource from a column on.
pub(crate) fn edge(row: &Row, first: usize, of: &str) -> Result<Edge, Failed> {
    Ok(Edge {
        of: of.to_owned(),
        id: column(row, first)?,
        resource_type: column::<&str>(row, first + 1)?.into(),
        label: column(row, first + 5)?,
        since: number(row, first + 2)?,
    })
}

macro_rules! edges_sql {
    ($known:literal, $other:literal) => {
        concat!(
            "SELECT e.",
            $known,
            ", r.id, r.type, r.label, e.since FROM edge e",
            resource_of!(concat!("e.", $other)),
            " WHERE e.tenant = $1 AND ",
            edges_from!($known, $other, "$2", "$3"),
            " LIMIT $4"
        )
    };
}

/// The first `$5` edges of resources that are listed in order, of each those after an identifier. The outer loop is over the
/// list, the inner one over an index, and both end when there are enough.
macro_rules! edges_of {
    ($side:expr, $columns:expr, $list:expr, $after:expr) => {
        match $side {
            Side::Members => edges_of!("grp", "member", $columns, $list, $after),
            Side::Groups => edges_of!("member", "grp", $columns, $list, $after),
        }
    };
    ($known:literal, $other:literal, $columns:expr, $list:expr, $after:expr) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $list,
            " CROSS JOIN LATERAL (",
            "SELECT r.id, r.type, r.label, e.since FROM edge e",
            resource_of!(concat!("e.", $other)),
            " WHERE e.tenant = $1 AND ",
            $crate::rows::edges_from!($known, $other, "j.of", $after),
            " LIMIT $5) f LIMIT $5"
        )
    };
}
pub(crate) use edges_of;

/// What asks for a page of edges, if there can be any.
pub(crate) fn edges_step(tenant: &str, query: &EdgeQuery) -> Option<Step> {
    let (after_of, after_id) = match &query.after {
        Some((of, id)) => (of.as_str(), floor(id)),
        None => ("", String::new()),
    };
    let possible = |of: &&String| of.as_str() >= after_of && !is_impossible(of);
    let mut known: Vec<String> = query.of.iter().filter(possible).cloned().collect();
    known.sort_unstable();
    known.dedup();
    let limit = clamp(query.count as u64).saturating_add(1);
    let tenant = tenant.to_owned();
    if let [of] = known.as_slice() {
        let after_id = if of == after_of { after_id } else { String::new() };
        let sql = match query.side {
            Side::Members => edges_sql!("grp", "member"),
            Side::Groups => edges_sql!("member", "grp"),
        };
        return Some(step!(sql, tenant, of.clone(), after_id, limit));
    }
    let sql = edges_of!(
        query.side,
        "j.of, f.*",
        "unnest($2::text[]) AS j (of)",
        "CASE WHEN j.of = $4 THEN $3 ELSE '' END"
    );
    (!known.is_empty()).then(|| step!(sql, tenant, known, after_id, floor(after_of), limit))
}

/// The first `count` of edges, of which one more was asked for.
pub(crate) fn edge_page(mut edges: Vec<Edge>, count: usize) -> Result<EdgePage, Failed> {
    // What the loops promise, checked: pages would lose edges otherwise.
    if !edges.is_sorted_by(|a, b| (&a.of, &a.id) < (&b.of, &b.id)) {
        return Err(corrupt("edges come out of order"));
    }
    let more = edges.len() > count;
    edges.truncate(count);
    Ok(EdgePage { edges, more })
}

/// A page of edges.
pub(crate) async fn edges(snapshot: Snapshot, query: &EdgeQuery) -> Result<EdgePage, Failed> {
    let rows = match edges_step(&snapshot.tenant(), query) {
        Some(step) => snapshot.rows(step).await?,
        None => Vec::new(),
    };
    edges_found(&rows, query.count)
}

/// What [`edges_step`] gives.
pub(crate) fn edges_found<'a>(
    rows: impl IntoIterator<Item = &'a Row>,
    count: usize,
) -> Result<EdgePage, Failed> {
    let edge = |row: &Row| {
        Ok(Edge {
            of: column(row, 0)?,
            id: column(row, 1)?,
            resource_type: column::<&str>(row, 2)?.into(),
            label: column(row, 3)?,
            since: number(row, 4)?,
        })
    };
    edge_page(rows.into_iter().map(edge).collect::<Result<_, Failed>>()?, count)
}

/// Members of several groups of one type, by a walk of the memberships. Their types are looked at only where there are
/// several.
pub(crate) async fn crowded(snapshot: Snapshot, after: &str, count: usize) -> Result<Vec<String>, Failed> {
    let sql = "SELECT e.member FROM edge e WHERE e.tenant = $1 AND e.member > $2 GROUP BY e.member
        HAVING count(*) > 1 AND count(*) > (SELECT count(DISTINCT r.type) FROM (SELECT o.grp FROM edge o
                WHERE o.tenant = $1 AND o.member >= e.member AND o.member <= e.member ORDER BY o.member, o.grp OFFSET 0) o
            CROSS JOIN LATERAL (SELECT r.type FROM resource r WHERE r.tenant = $1 AND r.id >= o.grp AND r.id <= o.grp
                ORDER BY r.id OFFSET 0) r)
        ORDER BY e.member LIMIT $3";
    let tenant = snapshot.tenant();
    let rows = snapshot.rows(step!(sql, tenant, floor(after), clamp(count as u64))).await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

pub(crate) async fn changes(snapshot: Snapshot, after: u64, count: usize) -> Result<Vec<Change>, Failed> {
    let sql = "SELECT sequence, at, kind, type, id, added, removed, person, renamed FROM change
        WHERE tenant = $1 AND sequence > $2 ORDER BY sequence LIMIT $3";
    let tenant = snapshot.tenant();
    let rows = snapshot.rows(step!(sql, tenant, clamp(after), clamp(count as u64))).await?;
    let change = |row: &Row| {
        Ok(Change {
            sequence: number(row, 0)?,
            at: Timestamp(column(row, 1)?),
            kind: ChangeKind::from_name(column(row, 2)?)
                .ok_or_else(|| corrupt("a change has an unknown kind"))?,
            resource_type: column::<&str>(row, 3)?.into(),
            id: column(row, 4)?,
            added: column(row, 5)?,
            removed: column(row, 6)?,
            person: column(row, 7)?,
            renamed: column(row, 8)?,
        })
    };
    rows.iter().map(change).collect()
}

pub(crate) async fn audit(snapshot: Snapshot, after: u64, count: usize) -> Result<Vec<Audited>, Failed> {
    let step = audit_step(&snapshot.tenant(), after, count);
    snapshot.rows(step).await?.iter().map(audited).collect()
}

/// What reads entries of the audit trail.
pub(crate) fn audit_step(tenant: &str, after: u64, count: usize) -> Step {
    let sql = "SELECT number, sequence, at, actor, request, action, status, detail FROM audit
        WHERE tenant = $1 AND number > $2 ORDER BY number LIMIT $3";
    step!(sql, tenant.to_owned(), clamp(after), clamp(count as u64))
}

/// A row that [`audit_step`] gives.
pub(crate) fn audited(row: &Row) -> Result<Audited, Failed> {
    Ok(Audited {
        number: number(row, 0)?,
        sequence: number(row, 1)?,
        at: Timestamp(column(row, 2)?),
        entry: AuditEntry {
            actor: column(row, 3)?,
            request: column(row, 4)?,
            action: column(row, 5)?,
            status: status(row, 6)?,
            detail: column(row, 7)?,
        },
    })
}

/// An HTTP status.
pub(crate) fn status(row: &Row, index: usize) -> Result<u16, Failed> {
    u16::try_from(column::<i32>(row, index)?).map_err(|_| corrupt("a status is out of range"))
}
