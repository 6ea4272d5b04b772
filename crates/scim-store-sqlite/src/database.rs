//! One connection, and the names that it has met.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, OpenFlags, OptionalExtension, ToSql};
use scim_store::{StoreError, Tenant};

use crate::error::{OpenError, corrupt, store_error};
use crate::options::Trace;
use crate::schema;

/// A connection. Names are never renumbered or removed, so what was once looked up stays true.
pub(crate) struct Database {
    pub(crate) connection: Connection,
    trace: Option<Trace>,
    tenants: RefCell<HashMap<Tenant, i64>>,
    // A few, of types and attributes: comparing them costs less than hashing one.
    names: RefCell<BTreeMap<Arc<str>, i64>>,
    texts: RefCell<BTreeMap<i64, Arc<str>>>,
}

/// Parameters by name, of which a statement takes those that it has.
pub(crate) type Parameters<'a> = [(&'static str, &'a dyn ToSql)];

impl Database {
    pub(crate) fn open(
        path: &Path,
        wait: Duration,
        cache_kib: u32,
        trace: Option<Trace>,
    ) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        schema::prepare(&connection, wait, cache_kib)?;
        Ok(Self {
            connection,
            trace,
            tenants: RefCell::default(),
            names: RefCell::default(),
            texts: RefCell::default(),
        })
    }

    /// Checks that no later version has brought the file up to date since it was opened: whatever is written by what is known
    /// here might not be what that one needs.
    ///
    /// # Errors
    /// `Unavailable`, for good.
    pub(crate) fn check_version(&self) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached("PRAGMA user_version").map_err(store_error)?;
        let found: i64 = statement.query_row((), |row| row.get(0)).map_err(store_error)?;
        let known = schema::MIGRATIONS.len() as i64;
        match found == known {
            true => Ok(()),
            false => Err(StoreError::Unavailable(OpenError::Newer { found, known }.into())),
        }
    }

    /// A statement, prepared once. The text is never made of anything but constants.
    pub(crate) fn prepare(&self, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        if let Some(trace) = &self.trace {
            trace(sql);
        }
        self.connection.prepare_cached(sql).map_err(store_error)
    }

    /// Runs a statement that gives no rows. Returns how many it changed.
    pub(crate) fn run(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<usize, StoreError> {
        self.prepare(sql)?.execute(parameters).map_err(store_error)
    }

    /// The first row, if there is one.
    pub(crate) fn first<T>(
        &self,
        sql: &str,
        parameters: &[&dyn ToSql],
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.prepare(sql)?.query_row(parameters, read).optional().map_err(store_error)
    }

    /// All rows.
    pub(crate) fn all<T>(
        &self,
        sql: &str,
        parameters: &[&dyn ToSql],
        mut read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.prepare(sql)?;
        let rows = statement.query_map(parameters, |row| read(row)).map_err(store_error)?;
        rows.collect::<Result<_, _>>().map_err(store_error)
    }

    /// The number of a tenant that has something stored.
    pub(crate) fn tenant(&self, tenant: &Tenant) -> Result<Option<i64>, StoreError> {
        if let Some(num) = self.tenants.borrow().get(tenant) {
            return Ok(Some(*num));
        }
        let sql = "SELECT num FROM tenant WHERE name = ?1";
        let num = self.first(sql, &[&tenant.as_str()], |row| row.get(0))?;
        if let Some(num) = num {
            self.tenants.borrow_mut().insert(tenant.clone(), num);
        }
        Ok(num)
    }

    /// The number of a resource type or path that something is stored under.
    pub(crate) fn number(&self, text: &str) -> Result<Option<i64>, StoreError> {
        if let Some(num) = self.names.borrow().get(text) {
            return Ok(Some(*num));
        }
        let num = self.first("SELECT num FROM name WHERE text = ?1", &[&text], |row| row.get(0))?;
        if let Some(num) = num {
            self.names.borrow_mut().insert(text.into(), num);
        }
        Ok(num)
    }

    /// The resource type or path of this number.
    pub(crate) fn text(&self, num: i64) -> Result<Arc<str>, StoreError> {
        if let Some(text) = self.texts.borrow().get(&num) {
            return Ok(Arc::clone(text));
        }
        let text: Option<String> =
            self.first("SELECT text FROM name WHERE num = ?1", &[&num], |row| row.get(0))?;
        let text: Arc<str> = text.ok_or_else(|| corrupt("a name has no text"))?.into();
        self.texts.borrow_mut().insert(num, Arc::clone(&text));
        Ok(text)
    }

    /// Forgets names that a transaction added before it failed.
    pub(crate) fn forget_names(&self) {
        self.tenants.borrow_mut().clear();
        self.names.borrow_mut().clear();
        self.texts.borrow_mut().clear();
    }

    /// Reads in one state of the file.
    pub(crate) fn snapshot<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.run("BEGIN", &[])?;
        let answer = read();
        // Ends it even after an error; there is nothing to lose.
        let ended = self.run("COMMIT", &[]);
        let answer = answer?;
        ended.map(|_| answer)
    }
}

/// Binds the parameters that a statement has.
///
/// # Errors
/// When one of them is not among those given, which would leave it NULL.
pub(crate) fn bind(
    statement: &mut CachedStatement<'_>,
    parameters: &Parameters<'_>,
) -> Result<(), StoreError> {
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index).unwrap_or_default();
        let Some((_, value)) = parameters.iter().find(|(given, _)| *given == name) else {
            return Err(StoreError::Fault(format!("a statement's parameter {name:?} has no value").into()));
        };
        statement.raw_bind_parameter(index, value).map_err(store_error)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_parameter_without_a_value_is_a_fault() {
        let directory = tempfile::tempdir().expect("a directory");
        let database =
            Database::open(&directory.path().join("scim.db"), Duration::ZERO, 64, None).expect("opens");
        let mut statement = database.prepare("SELECT :tenant, :id").expect("prepares");
        let refused =
            bind(&mut statement, &[(":tenant", &1), (":other", &2)]).expect_err("a value is missing");
        assert!(refused.to_string().contains(":id"), "{refused}");
    }

    #[test]
    fn a_statement_is_planned_once_whatever_is_bound() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("scim.db");
        let mut database = Database::open(&file, Duration::ZERO, 64, None).expect("opens");
        schema::migrate(&mut database.connection, schema::MIGRATIONS).expect("migrates");
        let sql = "SELECT id FROM resource WHERE tenant = :tenant AND id > :id ORDER BY id LIMIT :limit";
        for limit in 1..4 {
            let mut statement = database.prepare(sql).expect("prepares");
            let id = limit.to_string();
            bind(&mut statement, &[(":tenant", &1), (":id", &id), (":limit", &limit)]).expect("binds");
            assert!(statement.raw_query().next().expect("runs").is_none());
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "limit {limit}");
        }
    }
}
