//! The tables, how older ones become today's, and who may use them.
//!
//! The rooms are those of the SQLite store. What differs: there are no numbers for tenants, resource types and paths, so
//! that every row says by itself whose it is; values that can be longer than what an index holds are found by their SHA-256
//! digest; lists of members are arrays.
//!
//! * `resource` has the document as it is, and in `entries` the keys of its rows in `entry` and `claim`, so that they
//!   can be removed without an index the other way round.
//! * `entry` is the index of attributes: one leading row for each indexed path, and one for each further value. A sort
//!   is a walk over it, a filter a range of it.
//! * `claim` has the unique values, whole. `hidden` is read by no query.
//! * `edge` has memberships and the number of the change that made each, and is walked from either side.
//! * `total` counts the resources of each type.
//! * `person` has what is derived from a User, a column for each field. `pick` says which of the groups is the user group,
//!   where `user_group` does not.
//! * `report` has what a tenant's rules said of requests.
//! * `debt` has until when what was spent of a rate takes to pass, and what was spent in all. Its rows are the system tenant's.
//! * `audit` is the audit trail. A `token` stands where an entry is the first of a transaction, which is known by it to whoever
//!   has lost its answer.
//! * `tenant` counts, and has a `fence`, which is another when what was worked out from rows before is not to be written any
//!   more, though they have the same version. Its row is locked by whoever writes to the tenant, so that changes are numbered in the order in which
//!   they become visible: who follows the log misses none.
//!
//! # One tenant at a time
//!
//! Every key starts with the tenant, and there is no unique constraint without it, so that the tables can be partitioned
//! or spread by it. Row-level security is forced on all of them, for their owner too: a transaction sees the rows of the
//! tenant that it has set as `scim.tenant`, and where it has set none, it sees nothing.
//!
//! Texts are compared as bytes (`COLLATE "C"`), as they are in memory and in SQLite.
//!
//! # The view `persons`
//!
//! All tables are for us alone and may change with any version. What an application may read is the view `scim.persons`,
//! whose columns stay: `tenant`, `id` (of the User), `first_name`, `last_name`, `email`, `gender` (`male`, `female`,
//! `diverse`, `unknown`), `academic_degree`, `language`, `locale`, `user_group` (resolved, as it is now), `active`, `extra`
//! (the application's own fields, a JSON object of texts), `version` and `modified` of the User (milliseconds since 1970,
//! UTC), `pick` (`first` or `latest` where the user group comes from memberships). A field without a value is NULL. It shows
//! the tenant that is set: `SELECT set_config('scim.tenant', 'acme', true)` inside the transaction, or `false` for the
//! session.

use tokio_postgres::{Client, SimpleQueryMessage, Transaction};

use crate::error::{Failed, OpenError};

/// What leads from each version to the next. A step that was released never changes. Servers of the version before go on
/// while a step is made and after it: steps add, and take away only what no supported version uses any more.
pub(crate) const MIGRATIONS: &[&str] = &[
    r#"
CREATE TABLE tenant (
    name text COLLATE "C" PRIMARY KEY,
    sequence bigint NOT NULL DEFAULT 0,
    audited bigint NOT NULL DEFAULT 0,
    epoch bigint NOT NULL DEFAULT 0,
    reported bigint NOT NULL DEFAULT 0,
    reports bigint NOT NULL DEFAULT 0,
    open bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE TABLE total (
    tenant text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (tenant, type)
) WITH (fillfactor = 50);
CREATE TABLE resource (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    created bigint NOT NULL,
    modified bigint NOT NULL,
    label text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    entries bytea NOT NULL,
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 90);
CREATE INDEX resource_by_type ON resource (tenant, type, id);
CREATE TABLE entry (
    tenant text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    key bytea NOT NULL,
    id text COLLATE "C" NOT NULL,
    leads boolean NOT NULL,
    PRIMARY KEY (tenant, type, path, key, id)
);
CREATE TABLE claim (
    tenant text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    value text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, type, path, digest)
);
CREATE TABLE edge (
    tenant text COLLATE "C" NOT NULL,
    grp text COLLATE "C" NOT NULL,
    member text COLLATE "C" NOT NULL,
    since bigint NOT NULL,
    PRIMARY KEY (tenant, grp, member)
);
CREATE INDEX edge_by_member ON edge (tenant, member, grp, since);
CREATE TABLE hidden (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, id, path)
);
CREATE TABLE change (
    tenant text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    added text[] COLLATE "C" NOT NULL,
    removed text[] COLLATE "C" NOT NULL,
    person boolean NOT NULL,
    renamed boolean NOT NULL,
    PRIMARY KEY (tenant, sequence)
);
CREATE TABLE audit (
    tenant text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    actor text COLLATE "C" NOT NULL,
    request text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    status integer NOT NULL,
    detail text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, number)
);
CREATE TABLE person (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    first_name text COLLATE "C",
    last_name text COLLATE "C",
    email text COLLATE "C",
    gender text COLLATE "C",
    academic_degree text COLLATE "C",
    language text COLLATE "C",
    locale text COLLATE "C",
    user_group text COLLATE "C",
    active boolean NOT NULL,
    pick text COLLATE "C",
    extra text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, id)
);
CREATE TABLE report (
    tenant text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    sequence bigint NOT NULL,
    at bigint NOT NULL,
    first bigint NOT NULL,
    count bigint NOT NULL,
    settled boolean NOT NULL,
    about bytea NOT NULL,
    subject text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    request text COLLATE "C" NOT NULL,
    method text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    body bytea NOT NULL,
    status integer NOT NULL,
    findings bytea NOT NULL,
    PRIMARY KEY (tenant, number)
);
CREATE INDEX report_by_subject ON report (tenant, about, number);
CREATE INDEX report_by_state ON report (tenant, settled DESC, number);
CREATE VIEW persons AS
SELECT p.tenant, p.id, p.first_name, p.last_name, p.email, p.gender, p.academic_degree, p.language, p.locale,
    CASE p.pick
        WHEN 'first' THEN (SELECT nullif(g.label, '') FROM edge e CROSS JOIN LATERAL
            (SELECT g.label FROM resource g WHERE g.tenant = e.tenant AND g.id = e.grp OFFSET 0) g
            WHERE e.tenant = p.tenant AND e.member = p.id ORDER BY e.since, e.grp LIMIT 1)
        WHEN 'latest' THEN (SELECT nullif(g.label, '') FROM edge e CROSS JOIN LATERAL
            (SELECT g.label FROM resource g WHERE g.tenant = e.tenant AND g.id = e.grp OFFSET 0) g
            WHERE e.tenant = p.tenant AND e.member = p.id ORDER BY e.since DESC, e.grp DESC LIMIT 1)
        ELSE p.user_group
    END AS user_group,
    p.active, p.extra, r.version, r.modified, p.pick
FROM person p CROSS JOIN LATERAL
    (SELECT r.version, r.modified FROM resource r WHERE r.tenant = p.tenant AND r.id = p.id OFFSET 0) r
WHERE p.tenant = current_setting('scim.tenant', true);
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['total', 'resource', 'entry', 'claim', 'edge', 'hidden', 'change', 'audit', 'person',
        'report']
    LOOP
        EXECUTE format('CREATE POLICY one_tenant ON %I USING (tenant = current_setting(''scim.tenant'', true))', name);
    END LOOP;
    CREATE POLICY one_tenant ON tenant USING (name = current_setting('scim.tenant', true));
    FOREACH name IN ARRAY ARRAY['tenant', 'total', 'resource', 'entry', 'claim', 'edge', 'hidden', 'change', 'audit',
        'person', 'report']
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    END LOOP;
END
$$;
"#,
    r#"
CREATE TABLE debt (
    tenant text COLLATE "C" NOT NULL,
    debtor text COLLATE "C" NOT NULL,
    until timestamptz NOT NULL,
    spent interval NOT NULL,
    PRIMARY KEY (tenant, debtor)
) WITH (fillfactor = 50);
CREATE POLICY one_tenant ON debt USING (tenant = current_setting('scim.tenant', true));
ALTER TABLE debt ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
    allowed record;
BEGIN
    FOR allowed IN SELECT a.privilege_type, r.rolname
        FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'scim.tenant'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('GRANT %s ON debt TO %I', allowed.privilege_type, allowed.rolname);
    END LOOP;
END
$$;
"#,
    r#"
ALTER TABLE tenant ADD COLUMN fence bigint NOT NULL DEFAULT 0;
ALTER TABLE audit ADD COLUMN token uuid;
"#,
];

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The version that was found; 0 where there was none.
    pub from: i32,
    /// The version that the schema has now.
    pub to: i32,
}

/// What a database says of itself and of who is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The version of the server, as it says.
    pub server: String,
    /// The version of the schema; 0 where there is none.
    pub schema: i32,
    /// The version that this software needs.
    pub known: i32,
    /// Who is connected.
    pub role: String,
    /// Whether row-level security binds the role: it is no superuser and has no `BYPASSRLS`.
    pub is_bound: bool,
    /// Whether the role is the owner of the tables, or a member of it, and so could turn row-level security off.
    pub is_owner: bool,
    /// Tables for which row-level security is not forced.
    pub unprotected: Vec<String>,
    /// Whether the server syncs what it acknowledges.
    pub is_durable: bool,
    /// The encoding in which the database keeps texts.
    pub encoding: String,
    /// Tables, and the bytes that each takes with its indexes.
    pub tables: Vec<(String, u64)>,
}

/// The number of the lock that migrations take: `SCIM`.
const LOCK: i64 = 0x5343_494D;

/// Whatever is set for the role or the database: a migration writes, and takes as long as it takes. Where nobody is there any
/// more who waits for it, it lets go of the tables.
const PREPARE: &str =
    "SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed';
    SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
    SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10";

/// The only encoding that has room for all texts.
const UTF_8: &str = "UTF8";

/// Makes the tables, brings older ones up to date, and lets a role use them.
pub(crate) async fn migrate(
    client: &mut Client,
    steps: &[&str],
    role: Option<&str>,
) -> Result<Migrated, OpenError> {
    let known = steps.len() as i32;
    let failed = |error: tokio_postgres::Error| OpenError::from(Failed::of(&error));
    client.batch_execute(PREPARE).await.map_err(failed)?;
    let transaction = client.transaction().await.map_err(failed)?;
    let row =
        transaction.query_one("SELECT current_setting('server_encoding')", &[]).await.map_err(failed)?;
    let encoding: String = row.try_get(0).map_err(failed)?;
    if encoding != UTF_8 {
        return Err(OpenError::Encoding { encoding });
    }
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(failed)?;
    if let Some(role) = role {
        let found = transaction
            .query_opt("SELECT FROM pg_roles WHERE rolname = $1", &[&role])
            .await
            .map_err(failed)?;
        if found.is_none() {
            return Err(OpenError::NoRole { role: role.to_owned() });
        }
    }
    // Another process may have been faster.
    let from = begun(&transaction).await.map_err(failed)?;
    if from > known {
        return Err(OpenError::Newer { found: from, known });
    }
    transaction.batch_execute("SET LOCAL search_path = scim").await.map_err(failed)?;
    for (step, number) in steps.iter().zip(1_i32..).skip(from as usize) {
        transaction.batch_execute(step).await.map_err(failed)?;
        transaction
            .execute("INSERT INTO scim.migration (step) VALUES ($1)", &[&number])
            .await
            .map_err(failed)?;
    }
    if let Some(role) = role {
        let row = transaction.query_one(GRANT, &[&role]).await.map_err(failed)?;
        let grant: String = row.try_get(0).map_err(failed)?;
        transaction.batch_execute(&grant).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)?;
    Ok(Migrated { from, to: known })
}

/// The version that the schema has. Where there is none, it is begun.
async fn begun(transaction: &Transaction<'_>) -> Result<i32, tokio_postgres::Error> {
    let is_there = async |sql| transaction.query_one(sql, &[]).await?.try_get::<_, bool>(0);
    if is_there("SELECT to_regclass('scim.migration') IS NOT NULL").await? {
        let sql = "SELECT coalesce(max(step), 0) FROM scim.migration";
        return transaction.query_one(sql, &[]).await?.try_get(0);
    }
    // Whoever may not create schemas can be given one.
    if !is_there("SELECT to_regnamespace('scim') IS NOT NULL").await? {
        transaction.batch_execute("CREATE SCHEMA scim").await?;
    }
    let sql =
        "CREATE TABLE scim.migration (step integer PRIMARY KEY, made timestamptz NOT NULL DEFAULT now())";
    transaction.batch_execute(sql).await?;
    Ok(0)
}

/// The database itself quotes the name of a role.
const GRANT: &str = "SELECT format('GRANT USAGE ON SCHEMA scim TO %1$I;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA scim TO %1$I;
    REVOKE INSERT, UPDATE, DELETE ON scim.migration, scim.persons FROM %1$I', $1::text)";

/// Asks a database for its standing.
pub(crate) async fn standing(client: &Client) -> Result<Standing, OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::from(Failed::of(&error));
    let row = client
        .query_one(
            "SELECT current_setting('server_version'), to_regclass('scim.migration') IS NOT NULL, r.rolname::text,
                NOT (r.rolsuper OR r.rolbypassrls), current_setting('fsync') = 'on',
                current_setting('server_version_num')::int4,
                has_schema_privilege('pg_catalog', 'USAGE') AND EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = 'scim'
                    AND has_schema_privilege(n.oid, 'USAGE')), current_setting('server_encoding')
             FROM pg_roles r WHERE r.rolname = current_user",
            &[],
        )
        .await
        .map_err(failed)?;
    let get = |index: usize| row.try_get::<_, String>(index).map_err(failed);
    let is = |index: usize| row.try_get::<_, bool>(index).map_err(failed);
    let server = get(0)?;
    if row.try_get::<_, i32>(5).map_err(failed)? < 150_000 {
        return Err(OpenError::Server { version: server });
    }
    let mut schema = 0;
    if is(1)? && is(6)? {
        let row = client
            .query_one("SELECT coalesce(max(step), 0) FROM scim.migration", &[])
            .await
            .map_err(failed)?;
        schema = row.try_get(0).map_err(failed)?;
    }
    let tables = client
        .query(
            "SELECT c.relname::text, pg_total_relation_size(c.oid) + coalesce((SELECT sum(pg_total_relation_size(p.relid))
                    FROM pg_partition_tree(c.oid) p WHERE p.isleaf AND p.relid <> c.oid), 0)::int8,
                c.relrowsecurity AND c.relforcerowsecurity, pg_has_role(c.relowner, 'MEMBER')
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'scim' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'migration'
             ORDER BY c.relname",
            &[],
        )
        .await
        .map_err(failed)?;
    let mut standing = Standing {
        server,
        schema,
        known: MIGRATIONS.len() as i32,
        role: get(2)?,
        is_bound: is(3)?,
        is_owner: false,
        unprotected: Vec::new(),
        is_durable: is(4)?,
        encoding: get(7)?,
        tables: Vec::new(),
    };
    for row in &tables {
        let name: String = row.try_get(0).map_err(failed)?;
        standing.is_owner |= row.try_get::<_, bool>(3).map_err(failed)?;
        if !row.try_get::<_, bool>(2).map_err(failed)? {
            standing.unprotected.push(name.clone());
        }
        standing.tables.push((name, row.try_get::<_, i64>(1).map_err(failed)? as u64));
    }
    Ok(standing)
}

/// Refuses two connections that are not two sessions. A pooler of transactions has a session back with each end of one, and
/// lends either the last that it had back or the first: both are then asked in an order in which either way one of them has
/// another.
pub(crate) async fn keep_apart(one: &Client, other: &Client) -> Result<(), OpenError> {
    let failed = |error: tokio_postgres::Error| OpenError::from(Failed::of(&error));
    let session = async |client: &Client, first: &str| {
        let answer = client.simple_query(&format!("{first}SELECT pg_backend_pid()")).await.map_err(failed)?;
        Ok::<_, OpenError>(answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        }))
    };
    let (ones, others) = (session(one, "BEGIN; ").await?, session(other, "BEGIN; ").await?);
    one.batch_execute("ROLLBACK").await.map_err(failed)?;
    other.batch_execute("ROLLBACK").await.map_err(failed)?;
    match session(other, "").await? == others && session(one, "").await? == ones && ones != others {
        true => Ok(()),
        false => Err(OpenError::Pooled),
    }
}

impl Standing {
    /// Whether a server may serve from it.
    ///
    /// # Errors
    /// What is in the way.
    pub fn admit(&self) -> Result<(), OpenError> {
        let Self { schema: found, known, .. } = *self;
        match found {
            _ if found < known => return Err(OpenError::Older { found, known }),
            _ if found > known => return Err(OpenError::Newer { found, known }),
            _ => {}
        }
        if !self.is_bound {
            let reason = "is a superuser or has BYPASSRLS";
            return Err(OpenError::Role { role: self.role.clone(), reason });
        }
        if !self.unprotected.is_empty() {
            return Err(OpenError::Unprotected { tables: self.unprotected.join(", ") });
        }
        if !self.is_durable {
            return Err(OpenError::NotDurable);
        }
        if self.encoding != UTF_8 {
            return Err(OpenError::Encoding { encoding: self.encoding.clone() });
        }
        Ok(())
    }
}
