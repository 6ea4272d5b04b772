//! Whether a file is whole: what SQLite can tell, and what only we know.

use scim_store::StoreError;

use crate::database::Database;

/// Statements that find what must not be, and what it would mean.
const FORBIDDEN: &[(&str, &str)] = &[
    (
        "SELECT count(*) FROM edge e WHERE NOT EXISTS (SELECT 1 FROM resource g CROSS JOIN resource m ON m.num = e.num
            AND m.tenant = g.tenant AND m.id = e.member WHERE g.num = e.grp)",
        "memberships of resources that do not exist",
    ),
    (
        "SELECT count(*) FROM edge e WHERE NOT EXISTS (SELECT 1 FROM resource g CROSS JOIN membership m
            ON m.member = e.num AND m.grp = g.id AND m.num = g.num AND m.since = e.since WHERE g.num = e.grp)",
        "memberships that their members do not have",
    ),
    (
        "SELECT count(*) FROM membership m WHERE NOT EXISTS (SELECT 1 FROM resource r CROSS JOIN edge e
            ON e.grp = m.num AND e.member = r.id AND e.num = m.member WHERE r.num = m.member)",
        "memberships that their groups do not have",
    ),
    (
        "SELECT count(*) FROM entry e WHERE NOT EXISTS
            (SELECT 1 FROM resource r WHERE r.num = e.num AND r.tenant = e.tenant AND r.id = e.id AND r.type = e.type)",
        "index entries of resources that do not exist",
    ),
    (
        "SELECT count(*) FROM claim c WHERE NOT EXISTS
            (SELECT 1 FROM resource r WHERE r.tenant = c.tenant AND r.id = c.id AND r.type = c.type)",
        "unique values of resources that do not exist",
    ),
    (
        "SELECT count(*) FROM hidden h WHERE NOT EXISTS
            (SELECT 1 FROM resource r WHERE r.tenant = h.tenant AND r.id = h.id)",
        "hidden values of resources that do not exist",
    ),
    (
        "SELECT count(*) FROM person p WHERE NOT EXISTS
            (SELECT 1 FROM resource r WHERE r.tenant = p.tenant AND r.id = p.id)",
        "persons of resources that do not exist",
    ),
    (
        "SELECT count(*) FROM edge e JOIN resource g ON g.num = e.grp JOIN tenant t ON t.num = g.tenant
            WHERE e.since > t.sequence",
        "memberships that were made by no change",
    ),
    (
        "SELECT count(*) FROM tenant t WHERE t.reports <>
            (SELECT count(*) FROM report r WHERE r.tenant = t.num) OR t.open <>
            (SELECT count(*) FROM report r WHERE r.tenant = t.num AND r.settled = 0) OR t.reported <
            (SELECT coalesce(max(number), 0) FROM report r WHERE r.tenant = t.num)",
        "tenants whose reports are not counted right",
    ),
    (
        "SELECT count(*) FROM (SELECT tenant, type, count(*) AS found FROM resource GROUP BY tenant, type) f
            LEFT JOIN total t ON t.tenant = f.tenant AND t.type = f.type WHERE t.count IS NOT f.found",
        "totals that do not count what is there",
    ),
    (
        "SELECT count(*) FROM total t WHERE t.count <> 0 AND NOT EXISTS
            (SELECT 1 FROM resource r WHERE r.tenant = t.tenant AND r.type = t.type)",
        "totals of types without resources",
    ),
    (
        "SELECT count(*) FROM tenant t WHERE t.sequence <>
            (SELECT coalesce(max(sequence), 0) FROM change c WHERE c.tenant = t.num) OR
            (SELECT count(*) <> coalesce(max(sequence) - min(sequence) + 1, 0) FROM change c WHERE c.tenant = t.num)",
        "tenants whose log of changes has gaps",
    ),
    (
        "SELECT count(*) FROM tenant t WHERE t.audited <>
            (SELECT coalesce(max(number), 0) FROM audit a WHERE a.tenant = t.num) OR
            (SELECT count(*) <> coalesce(max(number) - min(number) + 1, 0) FROM audit a WHERE a.tenant = t.num)",
        "tenants whose audit trail has gaps",
    ),
    (
        "SELECT count(*) FROM resource r WHERE r.version >=
            (SELECT coalesce(min(sequence), 0) FROM change c WHERE c.tenant = r.tenant) AND NOT EXISTS
            (SELECT 1 FROM change c WHERE c.tenant = r.tenant AND c.sequence = r.version AND c.id = r.id)",
        "resources whose version is not in the log",
    ),
];

/// What is wrong with the file. Empty when nothing is.
pub(crate) fn check(database: &Database) -> Result<Vec<String>, StoreError> {
    database.snapshot(|| {
        let mut wrong: Vec<String> = database.all("PRAGMA integrity_check", &[], |row| row.get(0))?;
        wrong.retain(|line| line != "ok");
        for (sql, meaning) in FORBIDDEN {
            let found: i64 = database.first(sql, &[], |row| row.get(0))?.unwrap_or_default();
            if found != 0 {
                wrong.push(format!("{found} {meaning}"));
            }
        }
        Ok(wrong)
    })
}
