//! Persons: one row each, read back through the view that applications read.

use std::collections::BTreeMap;

use scim_core::person::{Derived, Gender, Person, Pick};
use scim_core::time::Timestamp;
use scim_store::{PersonPage, PersonQuery, PersonRecord};
use tokio_postgres::Row;

use crate::error::{Failed, Kind, corrupt};
use crate::existing::is_impossible;
use crate::pool::Snapshot;
use crate::rows::{clamp, floor};
use crate::session::{Step, column, number, step};

/// Selects the columns of a person, of `person` or of `persons` under the name `p`.
macro_rules! person_columns {
    () => {
        "SELECT p.first_name, p.last_name, p.email, p.gender, p.academic_degree, p.language, p.locale, p.user_group, \
         p.active, p.extra, p.pick, p.id"
    };
}

pub(crate) use person_columns;

/// Which of them is the identifier of the resource, the last.
pub(crate) const PERSON_ID: usize = 11;

/// The persons of resources as they are stored.
pub(crate) const DERIVED: &str = concat!(
    person_columns!(),
    " FROM unnest($2::text[]) AS j (id) CROSS JOIN LATERAL
        (SELECT p.* FROM person p WHERE p.tenant = $1 AND p.id = j.id OFFSET 0) p"
);

/// A row of [`DERIVED`], and of which resource.
pub(crate) fn derived(row: &Row) -> Result<(String, Derived), Failed> {
    let gender: Option<&str> = column(row, 3)?;
    let gender = gender.map(|name| Gender::from_name(name).ok_or_else(|| corrupt("a gender is unknown")));
    let extra: BTreeMap<String, String> = serde_json::from_str(column(row, 9)?)
        .map_err(|_| corrupt("the further fields of a person cannot be read"))?;
    let pick: Option<&str> = column(row, 10)?;
    let pick = pick.map(|name| Pick::from_name(name).ok_or_else(|| corrupt("a pick is unknown")));
    let person = Person {
        first_name: column(row, 0)?,
        last_name: column(row, 1)?,
        email: column(row, 2)?,
        gender: gender.transpose()?,
        academic_degree: column(row, 4)?,
        language: column(row, 5)?,
        locale: column(row, 6)?,
        user_group: column(row, 7)?,
        active: column(row, 8)?,
        extra,
    };
    Ok((column(row, PERSON_ID)?, Derived { person, pick: pick.transpose()? }))
}

/// Gives resources these persons, or none.
pub(crate) fn write(tenant: &str, persons: BTreeMap<String, Option<Derived>>) -> Result<Vec<Step>, Failed> {
    let gone: Vec<String> =
        persons.iter().filter(|(_, person)| person.is_none()).map(|(id, _)| id.clone()).collect();
    let come: Vec<(String, Derived)> =
        persons.into_iter().filter_map(|(id, derived)| Some((id, derived?))).collect();
    let mut steps = Vec::new();
    if !gone.is_empty() {
        let sql = "DELETE FROM person WHERE tenant = $1 AND ctid = ANY(ARRAY(SELECT f.ctid
                FROM unnest($2::text[]) AS j (key) CROSS JOIN LATERAL (SELECT p.ctid FROM person p
                    WHERE p.tenant = $1 AND p.id = j.key OFFSET 0) f))";
        steps.push(step!(sql, tenant.to_owned(), gone));
    }
    if come.is_empty() {
        return Ok(steps);
    }
    let field = |of: fn(&Person) -> &Option<String>| -> Vec<Option<String>> {
        come.iter().map(|(_, derived)| of(&derived.person).clone()).collect()
    };
    let extra: Result<Vec<String>, _> =
        come.iter().map(|(_, derived)| serde_json::to_string(&derived.person.extra)).collect();
    let extra = extra.map_err(|error| Failed::new(Kind::Fault, error.to_string()))?;
    let genders: Vec<Option<&'static str>> =
        come.iter().map(|(_, derived)| derived.person.gender.map(Gender::name)).collect();
    let picks: Vec<Option<&'static str>> =
        come.iter().map(|(_, derived)| derived.pick.map(Pick::name)).collect();
    let sql = "INSERT INTO person (tenant, id, first_name, last_name, email, gender, academic_degree, language, locale,
            user_group, active, extra, pick)
        SELECT $1, j.* FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::bool[], $12::text[], $13::text[]) AS j
        ON CONFLICT (tenant, id) DO UPDATE SET first_name = excluded.first_name, last_name = excluded.last_name,
            email = excluded.email, gender = excluded.gender, academic_degree = excluded.academic_degree,
            language = excluded.language, locale = excluded.locale, user_group = excluded.user_group,
            active = excluded.active, extra = excluded.extra, pick = excluded.pick";
    steps.push(step!(
        sql,
        tenant.to_owned(),
        come.iter().map(|(id, _)| id.clone()).collect::<Vec<String>>(),
        field(|person| &person.first_name),
        field(|person| &person.last_name),
        field(|person| &person.email),
        genders,
        field(|person| &person.academic_degree),
        field(|person| &person.language),
        field(|person| &person.locale),
        field(|person| &person.user_group),
        come.iter().map(|(_, derived)| derived.person.active).collect::<Vec<bool>>(),
        extra,
        picks,
    ));
    Ok(steps)
}

/// A page of persons with their user groups.
pub(crate) async fn page(snapshot: Snapshot, query: &PersonQuery) -> Result<PersonPage, Failed> {
    let tenant = snapshot.tenant();
    let (rows, count) = match query {
        PersonQuery::Of(ids) => {
            let mut ids: Vec<String> = ids.iter().filter(|id| !is_impossible(id)).cloned().collect();
            ids.sort_unstable();
            ids.dedup();
            if ids.is_empty() {
                return Ok(PersonPage { persons: Vec::new(), more: false });
            }
            let count = ids.len();
            let sql = concat!(
                person_columns!(),
                ", p.version, p.modified FROM unnest($2::text[]) WITH ORDINALITY AS j (id, n) CROSS JOIN LATERAL
                    (SELECT p.* FROM persons p WHERE p.tenant = $1 AND p.id = j.id OFFSET 0) p ORDER BY j.n"
            );
            (snapshot.rows(step!(sql, tenant, ids)).await?, count)
        }
        PersonQuery::Page { after, count } => {
            let sql = concat!(
                person_columns!(),
                ", p.version, p.modified FROM persons p WHERE p.tenant = $1 AND p.id > $2 ORDER BY p.id LIMIT $3"
            );
            let after = after.as_deref().map(floor).unwrap_or_default();
            let limit = clamp(*count as u64).saturating_add(1);
            (snapshot.rows(step!(sql, tenant, after, limit)).await?, *count)
        }
    };
    let more = rows.len() > count;
    let persons: Result<Vec<PersonRecord>, Failed> = rows.iter().take(count).map(person).collect();
    Ok(PersonPage { persons: persons?, more })
}

/// A person as the view gave it, where the user group is resolved.
fn person(row: &Row) -> Result<PersonRecord, Failed> {
    let (id, mut derived) = derived(row)?;
    let person = derived.person.clone();
    if derived.pick.is_some() {
        derived.person.user_group = None;
    }
    Ok(PersonRecord { id, version: number(row, 12)?, modified: Timestamp(column(row, 13)?), derived, person })
}
