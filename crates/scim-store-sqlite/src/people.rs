//! Persons: one row each, read back through the view that applications read.

use std::collections::BTreeMap;

use rusqlite::Row;
use scim_core::person::{Derived, Gender, Person, Pick};
use scim_core::time::Timestamp;
use scim_store::{PersonPage, PersonQuery, PersonRecord, StoreError, Tenant};

use crate::database::Database;
use crate::error::corrupt;
use crate::rows::{clamp, json};

/// The columns of a person, of `person` or of `persons` under the name `p`.
macro_rules! person_columns {
    () => {
        "p.first_name, p.last_name, p.email, p.gender, p.academic_degree, p.language, p.locale, p.user_group, p.active, \
         p.extra, p.pick"
    };
}

/// A person whose names for things are still texts.
struct RawPerson {
    person: Person,
    gender: Option<String>,
    extra: String,
    pick: Option<String>,
}

impl RawPerson {
    /// Reads `person_columns!()` from the first column on.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let person = Person {
            first_name: row.get(0)?,
            last_name: row.get(1)?,
            email: row.get(2)?,
            gender: None,
            academic_degree: row.get(4)?,
            language: row.get(5)?,
            locale: row.get(6)?,
            user_group: row.get(7)?,
            active: row.get(8)?,
            extra: BTreeMap::new(),
        };
        Ok(Self { person, gender: row.get(3)?, extra: row.get(9)?, pick: row.get(10)? })
    }

    /// The person, and which group becomes its user group.
    fn finish(self) -> Result<(Person, Option<Pick>), StoreError> {
        let Self { mut person, gender, extra, pick } = self;
        let gender =
            gender.map(|name| Gender::from_name(&name).ok_or_else(|| corrupt("a gender is unknown")));
        person.gender = gender.transpose()?;
        person.extra = serde_json::from_str(&extra)
            .map_err(|_| corrupt("the further fields of a person cannot be read"))?;
        let pick = pick.map(|name| Pick::from_name(&name).ok_or_else(|| corrupt("a pick is unknown")));
        Ok((person, pick.transpose()?))
    }
}

/// The person of a resource as it is stored.
pub(crate) fn derived(database: &Database, tenant: i64, id: &str) -> Result<Option<Derived>, StoreError> {
    let sql = concat!("SELECT ", person_columns!(), " FROM person p WHERE p.tenant = ?1 AND p.id = ?2");
    let Some(raw) = database.first(sql, &[&tenant, &id], RawPerson::read)? else { return Ok(None) };
    let (person, pick) = raw.finish()?;
    Ok(Some(Derived { person, pick }))
}

/// The persons of the resources after an identifier and up to another, as they are stored.
pub(crate) fn derived_between(
    database: &Database,
    tenant: i64,
    after: &str,
    last: &str,
) -> Result<BTreeMap<String, Derived>, StoreError> {
    let sql = concat!(
        "SELECT ",
        person_columns!(),
        ", p.id FROM person p WHERE p.tenant = ?1 AND p.id > ?2 AND p.id <= ?3"
    );
    let read = |row: &Row<'_>| Ok((row.get(11)?, RawPerson::read(row)?));
    let rows: Vec<(String, RawPerson)> = database.all(sql, &[&tenant, &after, &last], read)?;
    let derived = |(id, raw): (String, RawPerson)| {
        let (person, pick) = raw.finish()?;
        Ok((id, Derived { person, pick }))
    };
    rows.into_iter().map(derived).collect()
}

/// Gives a resource this person, or none.
pub(crate) fn write(
    database: &Database,
    tenant: i64,
    id: &str,
    derived: Option<&Derived>,
) -> Result<(), StoreError> {
    let Some(Derived { person, pick }) = derived else {
        database.run("DELETE FROM person WHERE tenant = ?1 AND id = ?2", &[&tenant, &id])?;
        return Ok(());
    };
    let extra = serde_json::to_string(&person.extra).map_err(|error| StoreError::Fault(error.into()))?;
    database.run(
        "INSERT OR REPLACE INTO person (tenant, id, first_name, last_name, email, gender, academic_degree, language,
            locale, user_group, active, extra, pick)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        &[
            &tenant,
            &id,
            &person.first_name,
            &person.last_name,
            &person.email,
            &person.gender.map(Gender::name),
            &person.academic_degree,
            &person.language,
            &person.locale,
            &person.user_group,
            &person.active,
            &extra,
            &pick.map(Pick::name),
        ],
    )?;
    Ok(())
}

/// A page of persons with their user groups.
pub(crate) fn page(
    database: &Database,
    tenant: &Tenant,
    query: &PersonQuery,
) -> Result<PersonPage, StoreError> {
    let read = |row: &Row<'_>| {
        let (id, version, modified) = (row.get(11)?, row.get::<_, i64>(12)? as u64, Timestamp(row.get(13)?));
        Ok((RawPerson::read(row)?, id, version, modified))
    };
    let name = tenant.as_str();
    let (rows, count) = match query {
        PersonQuery::Of(ids) => {
            let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            ids.sort_unstable();
            ids.dedup();
            let sql = concat!(
                "SELECT ",
                person_columns!(),
                ", p.id, p.version, p.modified FROM json_each(?2) j",
                " CROSS JOIN persons p ON p.tenant = ?1 AND p.id = j.value"
            );
            let count = ids.len();
            (database.all(sql, &[&name, &json(ids)], read)?, count)
        }
        PersonQuery::Page { after, count } => {
            let sql = concat!(
                "SELECT ",
                person_columns!(),
                ", p.id, p.version, p.modified FROM persons p",
                " WHERE p.tenant = ?1 AND p.id > ?2 ORDER BY p.id LIMIT ?3"
            );
            let after = after.as_deref().unwrap_or_default();
            let limit = clamp(*count as u64).saturating_add(1);
            (database.all(sql, &[&name, &after, &limit], read)?, *count)
        }
    };
    let more = rows.len() > count;
    let persons: Result<Vec<PersonRecord>, StoreError> = rows
        .into_iter()
        .take(count)
        .map(|(raw, id, version, modified)| record(raw, id, version, modified))
        .collect();
    Ok(PersonPage { persons: persons?, more })
}

/// A person as the view gave it, where the user group is resolved.
fn record(raw: RawPerson, id: String, version: u64, modified: Timestamp) -> Result<PersonRecord, StoreError> {
    let (person, pick) = raw.finish()?;
    let mut derived = Derived { person: person.clone(), pick };
    if pick.is_some() {
        derived.person.user_group = None;
    }
    Ok(PersonRecord { id, version, modified, derived, person })
}
