//! Whether what is kept of a tenant is whole, as only we know it. Row-level security confines each statement to the tenant.

use crate::error::Failed;
use crate::pool::Snapshot;
use crate::session::{number, step};

/// Statements that find what must not be, and what it would mean.
const FORBIDDEN: &[(&str, &str)] = &[
    (
        "SELECT count(*) FROM edge e WHERE NOT EXISTS
            (SELECT FROM resource r WHERE r.tenant = e.tenant AND r.id = e.grp)
          OR NOT EXISTS (SELECT FROM resource r WHERE r.tenant = e.tenant AND r.id = e.member)",
        "memberships of resources that do not exist",
    ),
    (
        "SELECT count(*) FROM entry e WHERE NOT EXISTS
            (SELECT FROM resource r WHERE r.tenant = e.tenant AND r.id = e.id AND r.type = e.type)",
        "index entries of resources that do not exist",
    ),
    (
        "SELECT count(*) FROM claim c WHERE c.digest <> sha256(convert_to(c.value, 'UTF8')) OR NOT EXISTS
            (SELECT FROM resource r WHERE r.tenant = c.tenant AND r.id = c.id AND r.type = c.type)",
        "unique values of resources that do not exist",
    ),
    (
        "SELECT count(*) FROM hidden h WHERE NOT EXISTS
            (SELECT FROM resource r WHERE r.tenant = h.tenant AND r.id = h.id)",
        "hidden values of resources that do not exist",
    ),
    (
        "SELECT count(*) FROM person p WHERE NOT EXISTS
            (SELECT FROM resource r WHERE r.tenant = p.tenant AND r.id = p.id)",
        "persons of resources that do not exist",
    ),
    (
        "SELECT count(*) FROM edge e JOIN tenant t ON t.name = e.tenant WHERE e.since > t.sequence",
        "memberships that were made by no change",
    ),
    (
        "SELECT count(*) FROM tenant t WHERE t.reports <>
            (SELECT count(*) FROM report r WHERE r.tenant = t.name) OR t.open <>
            (SELECT count(*) FROM report r WHERE r.tenant = t.name AND NOT r.settled) OR t.reported <
            (SELECT coalesce(max(number), 0) FROM report r WHERE r.tenant = t.name)",
        "tenants whose reports are not counted right",
    ),
    (
        "SELECT count(*) FROM (SELECT tenant, type, count(*) AS found FROM resource GROUP BY tenant, type) f
            FULL JOIN total t USING (tenant, type) WHERE coalesce(t.count, 0) <> coalesce(f.found, 0)",
        "totals that do not count what is there",
    ),
    (
        "SELECT count(*) FROM tenant t WHERE t.sequence <>
            (SELECT coalesce(max(sequence), 0) FROM change c WHERE c.tenant = t.name) OR
            (SELECT count(*) <> coalesce(max(sequence) - min(sequence) + 1, 0) FROM change c WHERE c.tenant = t.name)",
        "tenants whose log of changes has gaps",
    ),
    (
        "SELECT count(*) FROM tenant t WHERE t.audited <>
            (SELECT coalesce(max(number), 0) FROM audit a WHERE a.tenant = t.name) OR
            (SELECT count(*) <> coalesce(max(number) - min(number) + 1, 0) FROM audit a WHERE a.tenant = t.name)",
        "tenants whose audit trail has gaps",
    ),
    (
        "SELECT count(*) FROM resource r WHERE r.version >=
            (SELECT coalesce(min(sequence), 0) FROM change c WHERE c.tenant = r.tenant) AND NOT EXISTS
            (SELECT FROM change c WHERE c.tenant = r.tenant AND c.sequence = r.version AND c.id = r.id)",
        "resources whose version is not in the log",
    ),
];

/// What is wrong with a tenant. Empty when nothing is.
pub(crate) async fn check(snapshot: Snapshot) -> Result<Vec<String>, Failed> {
    let tenant = snapshot.tenant();
    let answers = snapshot.last(FORBIDDEN.iter().map(|(sql, _)| step!(*sql)).collect()).await?;
    let mut wrong = Vec::new();
    for (rows, (_, meaning)) in answers.iter().zip(FORBIDDEN) {
        let found = rows.first().map(|row| number(row, 0)).transpose()?.unwrap_or_default();
        if found != 0 {
            wrong.push(format!("{tenant}: {found} {meaning}"));
        }
    }
    Ok(wrong)
}
