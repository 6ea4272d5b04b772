//! What exists, as the working out of a changeset asks for it. It writes nothing.

use std::sync::Arc;

use rusqlite::Row;
use scim_core::key::Key;
use scim_core::person::Derived;
use scim_store::draft::{Claim, Existing, Going, Kept, Stored};
use scim_store::{IndexEntry, Side, StoreError, UniqueKey};

use crate::database::Database;
use crate::entries::{self, Item};
use crate::rows::{RawRecord, record_columns};
use crate::{people, reports};

/// One tenant inside a write transaction.
pub(crate) struct Present<'a> {
    pub(crate) database: &'a Database,
    pub(crate) tenant: i64,
}

impl Existing for Present<'_> {
    fn resource(&self, id: &str) -> Result<Option<Stored>, StoreError> {
        let sql = concat!(
            "SELECT r.entries, ",
            record_columns!(),
            " FROM resource r WHERE r.tenant = ?1 AND r.id = ?2"
        );
        let read = |row: &Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, RawRecord::read(row, 1)?));
        let Some((bytes, raw)) = self.database.first(sql, &[&self.tenant, &id], read)? else {
            return Ok(None);
        };
        stored(self.database, raw, &bytes).map(Some)
    }

    fn resource_type(&self, id: &str) -> Result<Option<Arc<str>>, StoreError> {
        let sql = "SELECT type FROM resource WHERE tenant = ?1 AND id = ?2";
        let number = self.database.first(sql, &[&self.tenant, &id], |row| row.get(0))?;
        number.map(|number| self.database.text(number)).transpose()
    }

    fn hidden(&self, id: &str, path: &str) -> Result<Option<String>, StoreError> {
        let Some(path) = self.database.number(path)? else { return Ok(None) };
        let sql = "SELECT value FROM hidden WHERE tenant = ?1 AND id = ?2 AND path = ?3";
        self.database.first(sql, &[&self.tenant, &id, &path], |row| row.get(0))
    }

    fn person(&self, id: &str) -> Result<Option<Derived>, StoreError> {
        people::derived(self.database, self.tenant, id)
    }

    fn is_linked(&self, group: &str, member: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM resource k CROSS JOIN edge e ON e.grp = k.num AND e.member = ?3
            WHERE k.tenant = ?1 AND k.id = ?2";
        Ok(self.database.first(sql, &[&self.tenant, &group, &member], |_| Ok(()))?.is_some())
    }

    fn linked(&self, side: Side, of: &str) -> Result<Vec<String>, StoreError> {
        let sql = match side {
            Side::Members => {
                "SELECT e.member FROM resource k CROSS JOIN edge e ON e.grp = k.num WHERE k.tenant = ?1 AND k.id = ?2"
            }
            Side::Groups => {
                "SELECT m.grp FROM resource k CROSS JOIN membership m ON m.member = k.num
                    WHERE k.tenant = ?1 AND k.id = ?2"
            }
        };
        self.database.all(sql, &[&self.tenant, &of], |row| row.get(0))
    }

    fn holder(&self, claim: &Claim) -> Result<Option<String>, StoreError> {
        let Claim { resource_type, path, value } = claim;
        let (Some(kind), Some(path)) = (self.database.number(resource_type)?, self.database.number(path)?)
        else {
            return Ok(None);
        };
        let sql = "SELECT id FROM claim WHERE tenant = ?1 AND type = ?2 AND path = ?3 AND value = ?4";
        self.database.first(sql, &[&self.tenant, &kind, &path, value], |row| row.get(0))
    }

    fn reports_about(&self, subject: &str) -> Result<Vec<Kept>, StoreError> {
        reports::about(self.database, self.tenant, subject)
    }

    fn subjects_below(&self, beginning: &str) -> Result<Vec<String>, StoreError> {
        reports::below(self.database, self.tenant, beginning)
    }

    fn reports_to_go(&self, count: usize) -> Result<Vec<Going>, StoreError> {
        reports::to_go(self.database, self.tenant, count)
    }
}

/// A resource with what its `entries` column says.
pub(crate) fn stored(database: &Database, raw: RawRecord, bytes: &[u8]) -> Result<Stored, StoreError> {
    let record = raw.finish(database)?;
    let mut stored = Stored { record, unique: Vec::new(), index: Vec::new() };
    for item in entries::decode(bytes)? {
        match item {
            Item::Entry { path, key, leading } => {
                let path = database.text(path)?;
                stored.index.push(IndexEntry { path, key: Key::from_bytes(key), leading });
            }
            Item::Claim { path, value } => {
                stored.unique.push(UniqueKey { path: database.text(path)?, value });
            }
        }
    }
    Ok(stored)
}
