//! Reports: what a draft decided of them written down, and pages of them read.
//!
//! Indexes are named in the statements: left alone, SQLite walks all reports of a tenant for the order of their numbers.

use bytes::Bytes;
use rusqlite::Row;
use scim_core::time::Timestamp;
use scim_store::draft::{DraftedReports, Going, Kept};
use scim_store::{Report, ReportQuery, Reported, StoreError, Tenant};

use crate::database::{Database, bind};
use crate::error::store_error;
use crate::rows::clamp;

/// Those about a subject, by number.
pub(crate) fn about(database: &Database, tenant: i64, subject: &str) -> Result<Vec<Kept>, StoreError> {
    let sql = "SELECT number, digest, first, count, settled FROM report INDEXED BY report_by_subject
        WHERE tenant = ?1 AND subject = ?2 ORDER BY number";
    database.all(sql, &[&tenant, &subject], |row| {
        Ok(Kept {
            number: row.get::<_, i64>(0)? as u64,
            digest: row.get(1)?,
            first: Timestamp(row.get(2)?),
            count: row.get::<_, i64>(3)? as u64,
            settled: row.get(4)?,
        })
    })
}

/// The subjects of open ones that begin so.
pub(crate) fn below(database: &Database, tenant: i64, beginning: &str) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT DISTINCT subject FROM report INDEXED BY report_by_subject
        WHERE tenant = :tenant AND subject >= :beginning AND NOT settled ORDER BY subject";
    let mut statement = database.prepare(sql)?;
    bind(&mut statement, &[(":tenant", &tenant), (":beginning", &beginning)])?;
    let mut rows = statement.raw_query();
    let mut subjects = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let subject: String = row.get(0).map_err(store_error)?;
        if !subject.starts_with(beginning) {
            break;
        }
        subjects.push(subject);
    }
    Ok(subjects)
}

/// The first that go.
pub(crate) fn to_go(database: &Database, tenant: i64, count: usize) -> Result<Vec<Going>, StoreError> {
    let sql = "SELECT number, settled FROM report WHERE tenant = ?1 ORDER BY settled DESC, number LIMIT ?2";
    database.all(sql, &[&tenant, &clamp(count as u64)], |row| {
        Ok(Going { number: row.get::<_, i64>(0)? as u64, settled: row.get(1)? })
    })
}

/// Makes a draft's part true.
pub(crate) fn write(database: &Database, tenant: i64, drafted: DraftedReports) -> Result<(), StoreError> {
    let DraftedReports { settled, removed, added } = drafted;
    for number in settled.difference(&removed) {
        let sql = "UPDATE report SET settled = 1, body = x'' WHERE tenant = ?1 AND number = ?2";
        database.run(sql, &[&tenant, &clamp(*number)])?;
    }
    for number in removed {
        database.run("DELETE FROM report WHERE tenant = ?1 AND number = ?2", &[&tenant, &clamp(number)])?;
    }
    for Reported { number, sequence, at, first, count, settled, report } in added.into_values() {
        let (body, findings): (&[u8], &[u8]) = (&report.body, &report.findings);
        database.run(
            "INSERT INTO report VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            &[
                &tenant,
                &clamp(number),
                &clamp(sequence),
                &at.0,
                &first.0,
                &clamp(count),
                &settled,
                &report.subject,
                &report.digest,
                &report.request,
                &report.method,
                &report.path,
                &body,
                &report.status,
                &findings,
            ],
        )?;
    }
    Ok(())
}

macro_rules! reports_sql {
    ($index:literal, $condition:literal) => {
        concat!(
            "SELECT number, sequence, at, first, count, settled, subject, digest, request, method, path, body, status,
                findings FROM report ",
            $index,
            " WHERE tenant = :tenant AND number > :after",
            $condition,
            " ORDER BY number LIMIT :count"
        )
    };
}

/// Those that are asked for, by number.
pub(crate) fn page(
    database: &Database,
    tenant: &Tenant,
    query: &ReportQuery,
) -> Result<Vec<Reported>, StoreError> {
    let Some(tenant) = database.tenant(tenant)? else { return Ok(Vec::new()) };
    let ReportQuery { after, count, settled, subject } = query;
    // There are few of one subject, whatever their state.
    let sql = match (subject, settled) {
        (None, None) => reports_sql!("", ""),
        (None, Some(_)) => reports_sql!("INDEXED BY report_by_state", " AND settled = :settled"),
        (Some(_), None) => reports_sql!("INDEXED BY report_by_subject", " AND subject = :subject"),
        (Some(_), Some(_)) => {
            reports_sql!("INDEXED BY report_by_subject", " AND subject = :subject AND settled = :settled")
        }
    };
    let mut statement = database.prepare(sql)?;
    bind(
        &mut statement,
        &[
            (":tenant", &tenant),
            (":after", &clamp(*after)),
            (":settled", settled),
            (":subject", subject),
            (":count", &clamp(*count as u64)),
        ],
    )?;
    let mut rows = statement.raw_query();
    let mut reports = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        reports.push(read(row).map_err(store_error)?);
    }
    Ok(reports)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Reported> {
    let bytes = |column| Ok::<_, rusqlite::Error>(Bytes::copy_from_slice(row.get_ref(column)?.as_blob()?));
    Ok(Reported {
        number: row.get::<_, i64>(0)? as u64,
        sequence: row.get::<_, i64>(1)? as u64,
        at: Timestamp(row.get(2)?),
        first: Timestamp(row.get(3)?),
        count: row.get::<_, i64>(4)? as u64,
        settled: row.get(5)?,
        report: Report {
            subject: row.get(6)?,
            digest: row.get(7)?,
            request: row.get(8)?,
            method: row.get(9)?,
            path: row.get(10)?,
            body: bytes(11)?,
            status: row.get(12)?,
            findings: bytes(13)?,
        },
    })
}
