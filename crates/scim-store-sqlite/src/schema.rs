//! The tables, and how older files become today's.
//!
//! Resource types and attribute paths are small integers (`name`), tenants and resources too, which is how rows lead to
//! one another. Identifiers are in keys as text where results are ordered by them. Every key starts with the tenant, or
//! with a resource of it.
//!
//! * `resource` has the document as it is, and in `entries` the keys of its rows in `entry` and `claim`, so that they
//!   can be removed without an index the other way round.
//! * `entry` is the index of attributes: one leading row for each indexed path, and one for each further value. A sort
//!   is a walk over it, a filter a range of it.
//! * `claim` has the unique values, whole. `hidden` is read by no query.
//! * `edge` has memberships by their group and `membership` the same by their member, with the number of the change that
//!   made each. In both, `num` is the resource on the other side.
//! * `total` counts the resources of each type.
//! * `person` has what is derived from a User, a column for each field, apart from `resource`, so that reading a User
//!   costs nothing more. `pick` says which of the groups is the user group, where `user_group` does not.
//! * `report` has what a tenant's rules said of requests. `tenant` counts them: most tenants have none, and their writes
//!   look for none.
//!
//! # The view `persons`
//!
//! All tables are for us alone and may change with any version. What an application may read in the file is the view
//! `persons`, whose columns stay: `tenant` (its name), `id` (of the User), `first_name`, `last_name`, `email`, `gender`
//! (`male`, `female`, `diverse`, `unknown`), `academic_degree`, `language`, `locale`, `user_group` (resolved, as it is
//! now), `active` (0 or 1), `extra` (the application's own fields, a JSON object of texts), `version` and `modified` of
//! the User (milliseconds since 1970, UTC), `pick` (`first` or `latest` where the user group comes from memberships).
//! A field without a value is NULL. Asked for one tenant, or one tenant and one identifier, it reads no other row.

use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::OpenError;

/// `SCIM`, so that `file` and we ourselves know the file.
pub(crate) const APPLICATION_ID: i64 = 0x5343_494D;

/// What leads from each version to the next. A step that was released never changes. `legacy_alter_table` is for views
/// that applications made over `persons`: otherwise SQLite renames nothing as long as one of them leads nowhere.
pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE tenant (
    num INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    sequence INTEGER NOT NULL,
    audited INTEGER NOT NULL
) STRICT;
CREATE TABLE name (
    num INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE total (
    tenant INTEGER NOT NULL,
    type INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (tenant, type)
) STRICT, WITHOUT ROWID;
CREATE TABLE resource (
    num INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    id TEXT NOT NULL,
    type INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    label TEXT NOT NULL,
    body BLOB NOT NULL,
    entries BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX resource_by_id ON resource (tenant, id);
CREATE INDEX resource_by_type ON resource (tenant, type, id);
CREATE TABLE entry (
    tenant INTEGER NOT NULL,
    type INTEGER NOT NULL,
    path INTEGER NOT NULL,
    key BLOB NOT NULL,
    id TEXT NOT NULL,
    leading INTEGER NOT NULL,
    PRIMARY KEY (tenant, type, path, key, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE claim (
    tenant INTEGER NOT NULL,
    type INTEGER NOT NULL,
    path INTEGER NOT NULL,
    value TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (tenant, type, path, value)
) STRICT, WITHOUT ROWID;
CREATE TABLE edge (
    tenant INTEGER NOT NULL,
    grp TEXT NOT NULL,
    member TEXT NOT NULL,
    PRIMARY KEY (tenant, grp, member)
) STRICT, WITHOUT ROWID;
CREATE INDEX edge_by_member ON edge (tenant, member, grp);
CREATE TABLE hidden (
    tenant INTEGER NOT NULL,
    id TEXT NOT NULL,
    path INTEGER NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (tenant, id, path)
) STRICT, WITHOUT ROWID;
CREATE TABLE change (
    tenant INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    type INTEGER NOT NULL,
    id TEXT NOT NULL,
    added TEXT NOT NULL,
    removed TEXT NOT NULL,
    PRIMARY KEY (tenant, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    tenant INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    request TEXT NOT NULL,
    action TEXT NOT NULL,
    status INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (tenant, number)
) STRICT, WITHOUT ROWID;
", "
ALTER TABLE tenant ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN reported INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN reports INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN open INTEGER NOT NULL DEFAULT 0;
ALTER TABLE change ADD COLUMN person INTEGER NOT NULL DEFAULT 0;
ALTER TABLE change ADD COLUMN renamed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE edge ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
DROP INDEX edge_by_member;
CREATE INDEX edge_by_member ON edge (tenant, member, grp, since);
CREATE TABLE person (
    tenant INTEGER NOT NULL,
    id TEXT NOT NULL,
    first_name TEXT,
    last_name TEXT,
    email TEXT,
    gender TEXT,
    academic_degree TEXT,
    language TEXT,
    locale TEXT,
    user_group TEXT,
    active INTEGER NOT NULL,
    pick TEXT,
    extra TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE report (
    tenant INTEGER NOT NULL,
    number INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    subject TEXT NOT NULL,
    digest BLOB NOT NULL,
    request TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    body BLOB NOT NULL,
    status INTEGER NOT NULL,
    findings BLOB NOT NULL,
    PRIMARY KEY (tenant, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX report_by_subject ON report (tenant, subject, number);
CREATE INDEX report_by_state ON report (tenant, settled DESC, number);
CREATE VIEW persons AS
SELECT t.name AS tenant, p.id, p.first_name, p.last_name, p.email, p.gender, p.academic_degree, p.language, p.locale,
    CASE p.pick
        WHEN 'first' THEN (SELECT nullif(g.label, '') FROM edge e
            CROSS JOIN resource g ON g.tenant = e.tenant AND g.id = e.grp
            WHERE e.tenant = p.tenant AND e.member = p.id ORDER BY e.since, e.grp LIMIT 1)
        WHEN 'latest' THEN (SELECT nullif(g.label, '') FROM edge e
            CROSS JOIN resource g ON g.tenant = e.tenant AND g.id = e.grp
            WHERE e.tenant = p.tenant AND e.member = p.id ORDER BY e.since DESC, e.grp DESC LIMIT 1)
        ELSE p.user_group
    END AS user_group,
    p.active, p.extra, r.version, r.modified, p.pick
FROM tenant t
CROSS JOIN person p ON p.tenant = t.num
CROSS JOIN resource r ON r.tenant = p.tenant AND r.id = p.id;
", "
PRAGMA legacy_alter_table = ON;
DROP VIEW persons;
CREATE TABLE new_entry (
    tenant INTEGER NOT NULL,
    type INTEGER NOT NULL,
    path INTEGER NOT NULL,
    key BLOB NOT NULL,
    id TEXT NOT NULL,
    leading INTEGER NOT NULL,
    num INTEGER NOT NULL,
    PRIMARY KEY (tenant, type, path, key, id)
) STRICT, WITHOUT ROWID;
INSERT INTO new_entry SELECT e.*, r.num FROM entry e CROSS JOIN resource r ON r.tenant = e.tenant AND r.id = e.id
    ORDER BY e.tenant, e.type, e.path, e.key, e.id;
DROP TABLE entry;
ALTER TABLE new_entry RENAME TO entry;
CREATE TABLE new_edge (
    grp INTEGER NOT NULL,
    member TEXT NOT NULL,
    num INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (grp, member)
) STRICT, WITHOUT ROWID;
INSERT INTO new_edge SELECT g.num, e.member, m.num, e.since FROM edge e
    CROSS JOIN resource g ON g.tenant = e.tenant AND g.id = e.grp
    CROSS JOIN resource m ON m.tenant = e.tenant AND m.id = e.member ORDER BY g.num, e.member;
CREATE TABLE membership (
    member INTEGER NOT NULL,
    grp TEXT NOT NULL,
    num INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (member, grp)
) STRICT, WITHOUT ROWID;
INSERT INTO membership SELECT e.num, g.id, g.num, e.since FROM new_edge e CROSS JOIN resource g ON g.num = e.grp
    ORDER BY e.num, g.id;
DROP TABLE edge;
ALTER TABLE new_edge RENAME TO edge;
PRAGMA legacy_alter_table = OFF;
CREATE VIEW persons AS
SELECT t.name AS tenant, p.id, p.first_name, p.last_name, p.email, p.gender, p.academic_degree, p.language, p.locale,
    CASE p.pick
        WHEN 'first' THEN (SELECT nullif(g.label, '') FROM membership m CROSS JOIN resource g ON g.num = m.num
            WHERE m.member = r.num ORDER BY m.since, m.grp LIMIT 1)
        WHEN 'latest' THEN (SELECT nullif(g.label, '') FROM membership m CROSS JOIN resource g ON g.num = m.num
            WHERE m.member = r.num ORDER BY m.since DESC, m.grp DESC LIMIT 1)
        ELSE p.user_group
    END AS user_group,
    p.active, p.extra, r.version, r.modified, p.pick
FROM tenant t
CROSS JOIN person p ON p.tenant = t.num
CROSS JOIN resource r ON r.tenant = p.tenant AND r.id = p.id;
"];

/// Sets what every connection needs.
pub(crate) fn prepare(connection: &Connection, wait: Duration, cache_kib: u32) -> rusqlite::Result<()> {
    connection.busy_timeout(wait)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // On a Mac, fsync alone leaves what was written in the drive's own memory. Elsewhere this changes nothing.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "temp_store", "FILE")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // What is deleted is overwritten, also in pages that become free: it is people's.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.set_prepared_statement_cache_capacity(128);
    // One plan for a statement, whatever is bound to it. Otherwise each new value for a LIMIT, and for whatever else might
    // matter to the planner, makes SQLite parse and plan the statement again, which costs many times what a lookup does.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Makes a new file ours, and an older one current.
pub(crate) fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), OpenError> {
    let known = steps.len() as i64;
    if version(connection, known)? == known {
        return Ok(());
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let found = version(&transaction, known)?;
    for step in steps.iter().skip(found as usize) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// The version of the file's schema; 0 for an empty file.
fn version(connection: &Connection, known: i64) -> Result<i64, OpenError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, found) = (pragma("application_id")?, pragma("user_version")?);
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    match application {
        APPLICATION_ID if found > known => Err(OpenError::Newer { found, known }),
        APPLICATION_ID => Ok(found),
        0 if objects == 0 && found == 0 => Ok(0),
        _ => Err(OpenError::Foreign),
    }
}

#[cfg(test)]
mod tests;
