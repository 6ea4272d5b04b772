//! A finished draft made true. What it means is decided before; nothing here looks at what a changeset asked for.

use std::collections::{BTreeSet, HashMap};

use rusqlite::ToSql;
use scim_store::draft::{Counts, Draft, Drafted, Stored};
use scim_store::transfer::{Link, Lot, Totals};
use scim_store::{Audited, Change, Committed, IndexEntry, Record, StoreError, Tenant, UniqueKey};

use crate::database::Database;
use crate::entries::{self, Item};
use crate::error::{corrupt, store_error};
use crate::existing::Present;
use crate::rows::{clamp, json};
use crate::{people, reports};

/// What a transaction has counted so far and not written yet.
#[derive(Default)]
pub(crate) struct Counters {
    tenants: HashMap<Tenant, TenantRow>,
    totals: HashMap<(i64, i64), i64>,
}

/// A tenant's row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TenantRow {
    pub(crate) num: i64,
    pub(crate) totals: Totals,
}

impl Counters {
    /// Works a changeset out. Writes nothing.
    pub(crate) fn draft(
        &mut self,
        database: &Database,
        tenant: &Tenant,
        changeset: scim_store::Changeset,
    ) -> Result<Draft, scim_store::CommitError> {
        let (num, counts) = match self.tenant(database, tenant)? {
            Some(row) => (row.num, row.totals.counts),
            None => (NOBODY, Counts::default()),
        };
        Draft::new(&Present { database, tenant: num }, counts, changeset)
    }

    /// Writes a draft. After an error the transaction cannot go on.
    pub(crate) fn apply(
        &mut self,
        database: &Database,
        tenant: &Tenant,
        draft: Draft,
    ) -> Result<Committed, StoreError> {
        let mut row = self.tenant_or_new(database, tenant)?;
        let mut writing = Writing { database, tenant: row.num, totals: &mut self.totals };
        row.totals.counts = draft.counts;
        row.totals.audited += u64::from(draft.audit.is_some());
        let committed = writing.write(draft, row.totals.audited)?;
        self.tenants.insert(tenant.clone(), row);
        Ok(committed)
    }

    /// Writes a lot of a copy. After an error the transaction cannot go on.
    pub(crate) fn adopt(
        &mut self,
        database: &Database,
        tenant: &Tenant,
        mut lot: Lot,
    ) -> Result<(), StoreError> {
        let mut row = self.tenant_or_new(database, tenant)?;
        if !row.totals.is_unused() {
            return Err(in_use());
        }
        row.totals = lot.totals.unwrap_or(row.totals);
        let mut writing = Writing { database, tenant: row.num, totals: &mut self.totals };
        let links = std::mem::take(&mut lot.links);
        let (draft, audit) = lot.into_draft();
        writing.write(draft, 0)?;
        let mut nums = Nums::default();
        for Link { group, member, since } in &links {
            // Somebody who came to the tenant while it is copied may be missing here. Whoever compares the two finds that out.
            writing.write_link(&mut nums, (group, member), *since)?;
        }
        for audited in &audit {
            writing.write_audit(audited)?;
        }
        self.tenants.insert(tenant.clone(), row);
        Ok(())
    }

    /// Writes what was counted.
    pub(crate) fn finish(self, database: &Database) -> Result<(), StoreError> {
        for row in self.tenants.values() {
            let sql =
                "UPDATE tenant SET sequence = ?2, audited = ?3, epoch = ?4, reported = ?5, reports = ?6,
                open = ?7 WHERE num = ?1";
            let Totals { counts: Counts { sequence, epoch, reported, reports, open }, audited } = row.totals;
            let [sequence, audited, epoch, reported, reports, open] =
                [sequence, audited, epoch, reported, reports, open].map(clamp);
            database.run(sql, &[&row.num, &sequence, &audited, &epoch, &reported, &reports, &open])?;
        }
        for ((tenant, kind), count) in self.totals.iter().filter(|(_, count)| **count != 0) {
            let sql = "INSERT INTO total VALUES (?1, ?2, ?3)
                ON CONFLICT DO UPDATE SET count = count + excluded.count";
            database.run(sql, &[tenant, kind, count])?;
        }
        Ok(())
    }

    fn tenant_or_new(&self, database: &Database, tenant: &Tenant) -> Result<TenantRow, StoreError> {
        if let Some(row) = self.tenant(database, tenant)? {
            return Ok(row);
        }
        let sql = "INSERT INTO tenant (name, sequence, audited) VALUES (?1, 0, 0)";
        database.run(sql, &[&tenant.as_str()])?;
        let num = database.connection.last_insert_rowid();
        Ok(TenantRow { num, totals: Totals::default() })
    }

    fn tenant(&self, database: &Database, tenant: &Tenant) -> Result<Option<TenantRow>, StoreError> {
        match self.tenants.get(tenant) {
            Some(row) => Ok(Some(*row)),
            None => TenantRow::read(database, tenant),
        }
    }
}

/// The number of no tenant.
const NOBODY: i64 = -1;

impl TenantRow {
    /// That of a tenant to which something was written, as it is in the file.
    pub(crate) fn read(database: &Database, tenant: &Tenant) -> Result<Option<Self>, StoreError> {
        let sql = "SELECT num, sequence, epoch, reported, reports, open, audited FROM tenant WHERE name = ?1";
        database.first(sql, &[&tenant.as_str()], |row| {
            let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
            let counts = Counts {
                sequence: number(1)?,
                epoch: number(2)?,
                reported: number(3)?,
                reports: number(4)?,
                open: number(5)?,
            };
            Ok(Self { num: row.get(0)?, totals: Totals { counts, audited: number(6)? } })
        })
    }
}

pub(crate) fn in_use() -> StoreError {
    StoreError::Fault("the tenant is in use here, and no unfinished copy".into())
}

struct Writing<'a> {
    database: &'a Database,
    tenant: i64,
    totals: &'a mut HashMap<(i64, i64), i64>,
}

/// The numbers of those whom links link. The group's is looked up once for all links of it that come together.
#[derive(Default)]
struct Nums<'a> {
    group: Option<(&'a str, i64)>,
}

impl<'a> Nums<'a> {
    /// Those of a group and a member, if both are there.
    fn find(
        &mut self,
        writing: &Writing<'_>,
        (group, member): (&'a str, &str),
    ) -> Result<Option<(i64, i64)>, StoreError> {
        if self.group.is_none_or(|(known, _)| known != group) {
            self.group = writing.num(group)?.map(|num| (group, num));
        }
        let Some((_, of)) = self.group else { return Ok(None) };
        Ok(writing.num(member)?.map(|num| (of, num)))
    }
}

/// A resource's rows before and after.
struct Rows {
    kind: i64,
    items: BTreeSet<Item>,
}

impl Writing<'_> {
    fn write(&mut self, draft: Draft, audit_number: u64) -> Result<Committed, StoreError> {
        let Draft { at, counts, resources, hidden, persons, links, changes, reports, applied, audit } = draft;
        let sequence = counts.sequence;
        let mut pairs = Vec::with_capacity(resources.len());
        for drafted in resources.into_values().filter(is_changed) {
            let old = drafted.old.as_ref().map(|stored| self.rows(stored)).transpose()?;
            let new = drafted.new.as_ref().map(|stored| self.rows(stored)).transpose()?;
            pairs.push((drafted, old, new));
        }
        // All that goes makes room before anything comes, so that resources can swap unique values, and memberships go
        // while those whom they link are there.
        let mut nums = Nums::default();
        for ((group, member), _) in links.iter().filter(|(_, since)| since.is_none()) {
            self.remove_link(&mut nums, (group, member))?;
        }
        for (drafted, old, new) in &pairs {
            self.remove_rows(drafted, old.as_ref(), new.as_ref())?;
        }
        for (drafted, old, new) in &pairs {
            self.write_resource(drafted, old.as_ref(), new.as_ref())?;
        }
        for ((id, path), value) in &hidden {
            self.write_hidden(id, path, value.as_deref())?;
        }
        for (id, person) in &persons {
            people::write(self.database, self.tenant, id, person.as_ref())?;
        }
        for ((group, member), since) in &links {
            if let Some(since) = since
                && !self.write_link(&mut nums, (group, member), *since)?
            {
                return Err(corrupt("a membership of somebody who is not there"));
            }
        }
        for change in changes {
            self.write_change(change)?;
        }
        reports::write(self.database, self.tenant, reports)?;
        if let Some(entry) = audit {
            self.write_audit(&Audited { number: audit_number, sequence, at, entry })?;
        }
        Ok(Committed { sequence, applied })
    }

    fn write_hidden(&self, id: &str, path: &str, value: Option<&str>) -> Result<(), StoreError> {
        let path = self.number(path)?;
        match value {
            Some(value) => {
                let sql = "INSERT OR REPLACE INTO hidden VALUES (?1, ?2, ?3, ?4)";
                self.database.run(sql, &[&self.tenant, &id, &path, &value])?
            }
            None => {
                let sql = "DELETE FROM hidden WHERE tenant = ?1 AND id = ?2 AND path = ?3";
                self.database.run(sql, &[&self.tenant, &id, &path])?
            }
        };
        Ok(())
    }

    fn write_change(&self, change: Change) -> Result<(), StoreError> {
        let kind = self.number(&change.resource_type)?;
        self.database.run(
            "INSERT INTO change VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            &[
                &self.tenant,
                &clamp(change.sequence),
                &change.at.0,
                &change.kind.name(),
                &kind,
                &change.id,
                &json(change.added),
                &json(change.removed),
                &change.person,
                &change.renamed,
            ],
        )?;
        Ok(())
    }

    fn write_audit(&self, audited: &Audited) -> Result<(), StoreError> {
        let Audited { number, sequence, at, entry } = audited;
        self.database.run(
            "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            &[
                &self.tenant,
                &clamp(*number),
                &clamp(*sequence),
                &at.0,
                &entry.actor,
                &entry.request,
                &entry.action,
                &entry.status,
                &entry.detail,
            ],
        )?;
        Ok(())
    }

    fn remove_link<'a>(&self, nums: &mut Nums<'a>, link: (&'a str, &str)) -> Result<(), StoreError> {
        let (group, member) = link;
        if let Some((of, num)) = nums.find(self, link)? {
            self.database.run("DELETE FROM edge WHERE grp = ?1 AND member = ?2", &[&of, &member])?;
            self.database.run("DELETE FROM membership WHERE member = ?1 AND grp = ?2", &[&num, &group])?;
        }
        Ok(())
    }

    /// Links two resources, if both are there.
    fn write_link<'a>(
        &self,
        nums: &mut Nums<'a>,
        link: (&'a str, &str),
        since: u64,
    ) -> Result<bool, StoreError> {
        let ((group, member), since) = (link, clamp(since));
        let Some((of, num)) = nums.find(self, link)? else { return Ok(false) };
        let sql = "INSERT OR REPLACE INTO edge (grp, member, num, since) VALUES (?1, ?2, ?3, ?4)";
        self.database.run(sql, &[&of, &member, &num, &since])?;
        let sql = "INSERT OR REPLACE INTO membership (member, grp, num, since) VALUES (?1, ?2, ?3, ?4)";
        self.database.run(sql, &[&num, &group, &of, &since])?;
        Ok(true)
    }

    /// The number of a resource.
    fn num(&self, id: &str) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT num FROM resource WHERE tenant = ?1 AND id = ?2";
        self.database.first(sql, &[&self.tenant, &id], |row| row.get(0))
    }

    fn remove_rows(
        &mut self,
        drafted: &Drafted,
        old: Option<&Rows>,
        new: Option<&Rows>,
    ) -> Result<(), StoreError> {
        let (Some(stored), Some(old)) = (&drafted.old, old) else { return Ok(()) };
        let id = &stored.record.id;
        let stays = |item: &Item| new.is_some_and(|new| new.kind == old.kind && new.items.contains(item));
        for item in old.items.iter().filter(|item| !stays(item)) {
            match item {
                Item::Entry { path, key, .. } => self.database.run(
                    "DELETE FROM entry WHERE tenant = ?1 AND type = ?2 AND path = ?3 AND key = ?4 AND id = ?5",
                    &[&self.tenant, &old.kind, path, key, id],
                )?,
                Item::Claim { path, value } => self.database.run(
                    "DELETE FROM claim WHERE tenant = ?1 AND type = ?2 AND path = ?3 AND value = ?4",
                    &[&self.tenant, &old.kind, path, value],
                )?,
            };
        }
        if drafted.anew {
            self.database.run("DELETE FROM hidden WHERE tenant = ?1 AND id = ?2", &[&self.tenant, id])?;
        }
        if new.is_none() {
            self.database.run("DELETE FROM resource WHERE tenant = ?1 AND id = ?2", &[&self.tenant, id])?;
        }
        *self.totals.entry((self.tenant, old.kind)).or_default() -= 1;
        Ok(())
    }

    fn write_resource(
        &mut self,
        drafted: &Drafted,
        old: Option<&Rows>,
        new: Option<&Rows>,
    ) -> Result<(), StoreError> {
        let (Some(stored), Some(new)) = (&drafted.new, new) else { return Ok(()) };
        let num = self.write_record(drafted, &stored.record, new)?;
        self.write_items(num, &stored.record.id, old, new)?;
        *self.totals.entry((self.tenant, new.kind)).or_default() += 1;
        Ok(())
    }

    /// Writes the row of a resource, and gives its number.
    fn write_record(&self, drafted: &Drafted, record: &Record, new: &Rows) -> Result<i64, StoreError> {
        let (version, bytes) = (clamp(record.version), entries::encode(new.items.iter()));
        let body: &[u8] = &record.body;
        let row: [&dyn ToSql; 9] = [
            &self.tenant,
            &record.id,
            &new.kind,
            &version,
            &record.created.0,
            &record.modified.0,
            &record.label,
            &body,
            &bytes,
        ];
        let num = match &drafted.old {
            None => {
                self.database.run(
                    "INSERT INTO resource (tenant, id, type, version, created, modified, label, body, entries)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    &row,
                )?;
                Some(self.database.connection.last_insert_rowid())
            }
            Some(old)
                if !drafted.anew && old.record.body == record.body && old.record.label == record.label =>
            {
                self.database.run(
                    "UPDATE resource SET version = ?3, modified = ?4, entries = ?5 WHERE tenant = ?1 AND id = ?2",
                    &[&self.tenant, &record.id, &version, &record.modified.0, &bytes],
                )?;
                self.num(&record.id)?
            }
            Some(_) => {
                self.database.run(
                    "UPDATE resource SET type = ?3, version = ?4, created = ?5, modified = ?6, label = ?7, body = ?8,
                     entries = ?9 WHERE tenant = ?1 AND id = ?2",
                    &row,
                )?;
                self.num(&record.id)?
            }
        };
        num.ok_or_else(|| corrupt("a resource went while it was written"))
    }

    /// Writes those rows of a resource that were not there before.
    fn write_items(&self, num: i64, id: &str, old: Option<&Rows>, new: &Rows) -> Result<(), StoreError> {
        let is_there = |item: &Item| old.is_some_and(|old| old.kind == new.kind && old.items.contains(item));
        // A resource has several entries: their statement is looked up once.
        let mut entry = None;
        for item in new.items.iter().filter(|item| !is_there(item)) {
            match item {
                Item::Entry { path, key, leading } => {
                    let entry = match &mut entry {
                        Some(entry) => entry,
                        None => entry.insert(
                            self.database.prepare("INSERT INTO entry VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?,
                        ),
                    };
                    let values = (self.tenant, new.kind, path, key, id, leading, num);
                    entry.execute(values).map_err(store_error)?
                }
                Item::Claim { path, value } => self.database.run(
                    "INSERT INTO claim VALUES (?1, ?2, ?3, ?4, ?5)",
                    &[&self.tenant, &new.kind, path, value, &id],
                )?,
            };
        }
        Ok(())
    }

    /// The rows of a resource, each once; of two entries with one key the leading one.
    fn rows(&self, stored: &Stored) -> Result<Rows, StoreError> {
        let mut items = BTreeSet::new();
        for IndexEntry { path, key, leading } in &stored.index {
            let path = self.number(path)?;
            let entry = |leading| Item::Entry { path, key: key.as_bytes().to_vec(), leading };
            if *leading {
                items.remove(&entry(false));
                items.insert(entry(true));
            } else if !items.contains(&entry(true)) {
                items.insert(entry(false));
            }
        }
        for UniqueKey { path, value } in &stored.unique {
            items.insert(Item::Claim { path: self.number(path)?, value: value.clone() });
        }
        Ok(Rows { kind: self.number(&stored.record.resource_type)?, items })
    }

    /// The number of a resource type or path, a new one if need be.
    fn number(&self, text: &str) -> Result<i64, StoreError> {
        if let Some(num) = self.database.number(text)? {
            return Ok(num);
        }
        self.database.run("INSERT INTO name (text) VALUES (?1)", &[&text])?;
        Ok(self.database.connection.last_insert_rowid())
    }
}

/// Whether a resource that was looked at is to be written.
fn is_changed(drafted: &Drafted) -> bool {
    match (&drafted.old, &drafted.new) {
        (Some(old), Some(new)) => {
            old.record.version != new.record.version || old.unique != new.unique || old.index != new.index
        }
        (Some(_), None) | (None, Some(_)) => true,
        (None, None) => false,
    }
}
