//! Reports: what a batch decided of them written down, and pages of them read.
//!
//! A subject can be longer than what an index holds; `about` has its digest.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use scim_core::time::Timestamp;
use scim_store::{Report, ReportQuery, Reported};
use tokio_postgres::Row;

use crate::error::{Failed, corrupt};
use crate::existing::is_impossible;
use crate::pool::Snapshot;
use crate::rows::{clamp, status};
use crate::session::{Step, column, number, step};

/// Makes what was decided true.
pub(crate) fn write(
    tenant: &str,
    settled: &BTreeSet<u64>,
    removed: &BTreeSet<u64>,
    added: BTreeMap<u64, Reported>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let tenant = || tenant.to_owned();
    let settled: Vec<i64> = settled.difference(removed).map(|number| clamp(*number)).collect();
    if !settled.is_empty() {
        let sql =
            "UPDATE report SET settled = true, body = '' WHERE tenant = $1 AND ctid = ANY(ARRAY(SELECT f.ctid
                FROM unnest($2::int8[]) AS j (key) CROSS JOIN LATERAL (SELECT r.ctid FROM report r
                    WHERE r.tenant = $1 AND r.number = j.key OFFSET 0) f))";
        steps.push(step!(sql, tenant(), settled));
    }
    let removed: Vec<i64> = removed.iter().map(|number| clamp(*number)).collect();
    if !removed.is_empty() {
        let sql = "DELETE FROM report WHERE tenant = $1 AND ctid = ANY(ARRAY(SELECT f.ctid
                FROM unnest($2::int8[]) AS j (key) CROSS JOIN LATERAL (SELECT r.ctid FROM report r
                    WHERE r.tenant = $1 AND r.number = j.key OFFSET 0) f))";
        steps.push(step!(sql, tenant(), removed));
    }
    if added.is_empty() {
        return steps;
    }
    let all: Vec<Reported> = added.into_values().collect();
    let numbers = |of: fn(&Reported) -> i64| -> Vec<i64> { all.iter().map(of).collect() };
    let texts = |of: fn(&Report) -> &String| -> Vec<String> {
        all.iter().map(|reported| of(&reported.report).clone()).collect()
    };
    let bytes = |of: fn(&Report) -> &[u8]| -> Vec<Vec<u8>> {
        all.iter().map(|reported| of(&reported.report).to_vec()).collect()
    };
    let sql = "INSERT INTO report (tenant, number, sequence, at, first, count, settled, about, subject, digest, request,
            method, path, body, status, findings)
        SELECT $1, j.number, j.sequence, j.at, j.first, j.count, j.settled, sha256(convert_to(j.subject, 'UTF8')),
            j.subject, j.digest, j.request, j.method, j.path, j.body, j.status, j.findings
        FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::bool[], $8::text[], $9::bytea[],
            $10::text[], $11::text[], $12::text[], $13::bytea[], $14::int4[], $15::bytea[])
            AS j (number, sequence, at, first, count, settled, subject, digest, request, method, path, body, status,
            findings)";
    steps.push(step!(
        sql,
        tenant(),
        numbers(|reported| clamp(reported.number)),
        numbers(|reported| clamp(reported.sequence)),
        numbers(|reported| reported.at.0),
        numbers(|reported| reported.first.0),
        numbers(|reported| clamp(reported.count)),
        all.iter().map(|reported| reported.settled).collect::<Vec<bool>>(),
        texts(|report| &report.subject),
        bytes(|report| &report.digest),
        texts(|report| &report.request),
        texts(|report| &report.method),
        texts(|report| &report.path),
        bytes(|report| &report.body),
        all.iter().map(|reported| i32::from(reported.report.status)).collect::<Vec<i32>>(),
        bytes(|report| &report.findings),
    ));
    steps
}

macro_rules! reports_sql {
    ($condition:literal) => {
        concat!(
            "SELECT number, sequence, at, first, count, settled, subject, digest, request, method, path, body, status,
                findings FROM report WHERE tenant = $1 AND number > $2",
            $condition,
            " ORDER BY number LIMIT $3"
        )
    };
}

/// Those that are asked for, by number.
pub(crate) async fn page(snapshot: Snapshot, query: &ReportQuery) -> Result<Vec<Reported>, Failed> {
    let ReportQuery { after, count, settled, subject } = query;
    if subject.as_deref().is_some_and(is_impossible) {
        return Ok(Vec::new());
    }
    let (tenant, after, count) = (snapshot.tenant(), clamp(*after), clamp(*count as u64));
    // There are few of one subject, whatever their state.
    let step = match (subject.clone(), *settled) {
        (None, None) => step!(reports_sql!(""), tenant, after, count),
        (None, Some(settled)) => step!(reports_sql!(" AND settled = $4"), tenant, after, count, settled),
        (Some(subject), None) => {
            let sql = reports_sql!(" AND about = sha256(convert_to($4, 'UTF8'))");
            step!(sql, tenant, after, count, subject)
        }
        (Some(subject), Some(settled)) => {
            let sql = reports_sql!(" AND about = sha256(convert_to($4, 'UTF8')) AND settled = $5");
            step!(sql, tenant, after, count, subject, settled)
        }
    };
    snapshot.rows(step).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Reported, Failed> {
    let digest: &[u8] = column(row, 7)?;
    Ok(Reported {
        number: number(row, 0)?,
        sequence: number(row, 1)?,
        at: Timestamp(column(row, 2)?),
        first: Timestamp(column(row, 3)?),
        count: number(row, 4)?,
        settled: column(row, 5)?,
        report: Report {
            subject: column(row, 6)?,
            digest: digest.try_into().map_err(|_| corrupt("a report's digest has another length"))?,
            request: column(row, 8)?,
            method: column(row, 9)?,
            path: column(row, 10)?,
            body: Bytes::copy_from_slice(column(row, 11)?),
            status: status(row, 12)?,
            findings: Bytes::copy_from_slice(column(row, 13)?),
        },
    })
}
