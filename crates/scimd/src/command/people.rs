//! `scimd person`, `scimd group` and `scimd gender`.

use scim_core::person::{Gender, Person};
use scim_service::{GenderWord, GenderWords};
use scim_store::{EdgeQuery, PersonPage, PersonQuery, PersonRecord, Record, Side, Tenant};
use serde_json::{Value, json};

use super::{Office, following, list, list_pages};
use crate::Failure;
use crate::cli::{GenderCommand, GroupCommand, Listing, OfTenant, PersonCommand};
use crate::table::{Cells, shown_json};

/// How many are read at once.
const PAGE: usize = 1000;

/// The fields of a person, in the order of the record.
pub(super) const FIELDS: [&str; 10] = [
    "first_name",
    "last_name",
    "email",
    "gender",
    "academic_degree",
    "language",
    "locale",
    "user_group",
    "active",
    "extra",
];

/// The fields of one person.
pub(super) fn cells(person: &Person) -> Cells {
    vec![
        person.first_name.clone().into(),
        person.last_name.clone().into(),
        person.email.clone().into(),
        person.gender.map(Gender::name).into(),
        person.academic_degree.clone().into(),
        person.language.clone().into(),
        person.locale.clone().into(),
        person.user_group.clone().into(),
        person.active.into(),
        person.extra.iter().map(|(name, value)| (name.clone(), value.as_str())).collect(),
    ]
}

pub(super) fn person(command: PersonCommand) -> Result<(), Failure> {
    let (Listing { of, output }, id) = match command {
        PersonCommand::Import(arguments) => return super::import::run(&arguments),
        PersonCommand::List(listing) | PersonCommand::Export(listing) => (listing, None),
        PersonCommand::Show { listing, id, user: true } => return user(&listing, id),
        PersonCommand::Show { listing, id, user: false } => (listing, Some(id)),
        PersonCommand::Changes { listing, after, at, mark } => {
            return following::changes(&listing, after, at, mark.as_deref());
        }
        PersonCommand::Follow { from, mark, common, output } => {
            return following::follow(&from, &mark, &common, &output);
        }
    };
    let (office, name) = Office::of(&of)?;
    let names: Vec<&str> = std::iter::once("id").chain(FIELDS).collect();
    let Some(id) = id else {
        return list_pages(&output, &names, all(&office, &name)).map(drop);
    };
    let page = office.run(office.store.persons(&name, &PersonQuery::Of(vec![id.clone()])))?;
    if page.persons.is_empty() {
        return Err(nobody(&name, &id));
    }
    list(&output, &names, page.persons.iter().map(row))
}

fn nobody(tenant: &Tenant, id: &str) -> Failure {
    Failure::Run(format!("tenant `{tenant}` has no person with the id `{}`", id.escape_debug()))
}

/// All attributes of a User, those that the person does not come from included, and the groups.
fn user(listing: &Listing, id: String) -> Result<(), Failure> {
    let (office, name) = Office::of(&listing.of)?;
    let records = office.run(office.store.get(&name, &[&id]))?;
    let Some(record) = records.into_iter().flatten().find(|record| *record.resource_type == *"User") else {
        return Err(nobody(&name, &id));
    };
    let mut document = record.document()?;
    let query = EdgeQuery { side: Side::Groups, of: vec![id], after: None, count: 100_000 };
    let edges = office.run(office.store.edges(&name, &query))?.edges;
    let groups = edges.iter().map(|edge| json!({"value": edge.id, "display": edge.label}));
    document.insert("groups".to_owned(), groups.collect());
    let rows = document.into_iter().map(|(attribute, value)| vec![attribute.into(), value]);
    list(&listing.output, &["attribute", "value"], rows)
}

fn row(record: &PersonRecord) -> Cells {
    std::iter::once(record.id.as_str().into()).chain(cells(&record.person)).collect()
}

/// The rows of everybody, page by page.
fn all(office: &Office, tenant: &Tenant) -> impl Iterator<Item = Result<Vec<Cells>, Failure>> {
    let mut next = Some(PersonQuery::Page { after: None, count: PAGE });
    std::iter::from_fn(move || {
        let page = office.run(office.store.persons(tenant, &next.take()?));
        Some(page.map(|PersonPage { persons, more }| {
            let after = persons.last().filter(|_| more).map(|record| record.id.clone());
            next = after.map(|after| PersonQuery::Page { after: Some(after), count: PAGE });
            persons.iter().map(row).collect()
        }))
    })
}

/// The userName of a User, and what others are called.
pub(super) fn name_of(record: &Record) -> String {
    let document: Option<Value> = serde_json::from_slice(&record.body).ok();
    let name = document.as_ref().and_then(|document| document.get("userName")?.as_str());
    name.unwrap_or(&record.label).to_owned()
}

pub(super) fn group(command: GroupCommand) -> Result<(), Failure> {
    let GroupCommand::Conflicts(Listing { of, output }) = command;
    let (office, name) = Office::of(&of)?;
    let mut after = Some(None);
    let pages = std::iter::from_fn(|| {
        let page = crowded(&office, &name, after.take()?);
        Some(page.map(|(rows, last)| {
            after = last.map(Some);
            rows
        }))
    });
    list_pages(&output, &["id", "email", "groups", "user_group"], pages).map(drop)
}

/// The rows of those after somebody who are in more than one group, and after whom there may be others.
fn crowded(
    office: &Office,
    tenant: &Tenant,
    after: Option<String>,
) -> Result<(Vec<Cells>, Option<String>), Failure> {
    const COUNT: usize = 100;
    let page = office.run(office.store.crowded(tenant, after.as_deref(), COUNT))?;
    let persons = office.run(office.store.persons(tenant, &PersonQuery::Of(page.clone())))?.persons;
    let query = EdgeQuery { side: Side::Groups, of: page.clone(), after: None, count: 100_000 };
    let edges = office.run(office.store.edges(tenant, &query))?.edges;
    let row = |id: &String| -> Cells {
        let person = persons.iter().find(|record| record.id == *id);
        let groups = edges.iter().filter(|edge| edge.of == *id).map(|edge| edge.label.as_str());
        vec![
            id.as_str().into(),
            person.and_then(|record| record.person.email.as_deref()).into(),
            groups.collect(),
            person.and_then(|record| record.person.user_group.as_deref()).into(),
        ]
    };
    Ok((page.iter().map(row).collect(), page.last().filter(|_| page.len() == COUNT).cloned()))
}

pub(super) fn gender(command: GenderCommand) -> Result<(), Failure> {
    let GenderCommand::List(Listing { of: OfTenant { tenant, common }, output }) = command;
    let office = Office::open(&common)?;
    let GenderWords { paths, words } = office.run(office.service.gender_words(&tenant))?;
    let row = |word: &GenderWord| {
        vec![word.word.as_str().into(), word.persons.into(), word.gender.map(Gender::name).into()]
    };
    list(&output, &["word", "persons", "gender"], words.iter().map(row))?;
    let unmapped: Vec<&GenderWord> = words.iter().filter(|word| word.gender.is_none()).collect();
    if paths.is_empty() {
        eprintln!(
            "the policy of tenant {tenant} takes the gender from nowhere; name an attribute in `[mapping] gender`"
        );
    } else if let Some(first) = unmapped.first() {
        let persons: u64 = unmapped.iter().map(|word| word.persons).sum();
        // The escapes of JSON are those of TOML.
        let key = shown_json(&serde_json::Value::from(first.word.as_str()).to_string());
        let genders = Gender::ALL.map(Gender::name).join("\", \"");
        eprintln!(
            "words without a meaning: {}, of {persons} persons; say what each is, one of \"{genders}\", in the policy:\n\n\
             [gender.vocabulary]\n{key} = \"…\"\n\nthen: scimd policy apply {tenant} FILE{}",
            unmapped.len(),
            common.again()
        );
    }
    Ok(())
}
