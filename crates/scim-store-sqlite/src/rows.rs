//! Plain reads: records, edges, changes, audit entries.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Row;
use scim_core::time::Timestamp;
use scim_store::{
    AuditEntry, Audited, Change, ChangeKind, Edge, EdgePage, EdgeQuery, Record, Side, StoreError, Tenant,
};

use crate::database::Database;
use crate::error::corrupt;

/// The columns of a record, of `resource` under the name `r`.
pub(crate) const RECORD: &str = "r.id, r.type, r.version, r.created, r.modified, r.label, r.body";

/// A record whose type is still a number.
pub(crate) struct RawRecord {
    record: Record,
    kind: i64,
}

impl RawRecord {
    /// Reads [`RECORD`] from a column on.
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

    pub(crate) fn finish(self, database: &Database) -> Result<Record, StoreError> {
        Ok(Record { resource_type: database.text(self.kind)?, ..self.record })
    }
}

/// A list of texts or numbers as one parameter.
pub(crate) fn json<T: Into<serde_json::Value>>(items: impl IntoIterator<Item = T>) -> String {
    serde_json::Value::Array(items.into_iter().map(Into::into).collect()).to_string()
}

/// Numbers beyond what SQLite counts to are beyond all rows too.
pub(crate) fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn records(
    database: &Database,
    tenant: &Tenant,
    ids: &[impl AsRef<str>],
) -> Result<Vec<Option<Record>>, StoreError> {
    let mut found: Vec<Option<Record>> = ids.iter().map(|_| None).collect();
    let Some(tenant) = database.tenant(tenant)? else { return Ok(found) };
    if let ([id], [slot]) = (ids, found.as_mut_slice()) {
        let sql = const_format!("SELECT ", RECORD_COLUMNS!(), " FROM resource r WHERE r.tenant = ?1 AND r.id = ?2");
        let raw = database.first(sql, &[&tenant, &id.as_ref()], |row| RawRecord::read(row, 0))?;
        *slot = raw.map(|raw| raw.finish(database)).transpose()?;
        return Ok(found);
    }
    Ok(found)
}
