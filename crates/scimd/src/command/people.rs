//! `scimd person`, `scimd findings` and `scimd group`.

use scim_core::person::{Gender, Person};
use scim_core::text::fold;
use scim_policy::Finding;
use scim_service::{GenderWord, GenderWords};
use scim_store::{EdgeQuery, PersonPage, PersonQuery, PersonRecord, ReportQuery, Reported, Side, Tenant};
use serde_json::{Map, Value};

use super::{Office, print};
use crate::Failure;
use crate::cli::{
    FindingsCommand, Format, GenderCommand, GroupCommand, Listing, OfTenant, Output, PersonCommand,
};
use crate::table::render;

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
pub(super) fn cells(person: &Person) -> Vec<Option<String>> {
    let extra: Vec<String> = person.extra.iter().map(|(name, value)| format!("{name}={value}")).collect();
    vec![
        person.first_name.clone(),
        person.last_name.clone(),
        person.email.clone(),
        person.gender.map(|gender: Gender| gender.name().to_owned()),
        person.academic_degree.clone(),
        person.language.clone(),
        person.locale.clone(),
        person.user_group.clone(),
        Some(person.active.to_string()),
        Some(extra.join("; ")).filter(|extra| !extra.is_empty()),
    ]
}

pub(super) fn person(command: PersonCommand) -> Result<(), Failure> {
    let (Listing { of, output }, id) = match command {
        PersonCommand::Import(arguments) => return super::import::run(&arguments),
        PersonCommand::List(listing) | PersonCommand::Export(listing) => (listing, None),
        PersonCommand::Show { listing, id } => (listing, Some(id)),
    };
    let (office, name) = Office::of(&of)?;
    let persons = match id {
        None => all(&office, &name)?,
        Some(id) => {
            let page = office.read(office.store.persons(&name, &PersonQuery::Of(vec![id.clone()])))?;
            if page.persons.is_empty() {
                let words = format!("tenant `{name}` has no person with the id `{}`", id.escape_debug());
                return Err(Failure::Run(words));
            }
            page.persons
        }
    };
    if output.format == Format::Json {
        let list = Value::Array(persons.iter().map(object).collect());
        return print(&format!("{list:#}\n"));
    }
    let names: Vec<&str> = std::iter::once("id").chain(FIELDS).collect();
    let row = |record: &PersonRecord| {
        std::iter::once(Some(record.id.clone())).chain(cells(&record.person)).collect::<Vec<_>>()
    };
    list(&output, &names, &persons.iter().map(row).collect::<Vec<_>>())
}

/// A person for programs: as the cells of its row, but for what is not a text.
fn object(record: &PersonRecord) -> Value {
    let PersonRecord { id, person, .. } = record;
    let texts = FIELDS.iter().zip(cells(person)).map(|(name, cell)| ((*name).to_owned(), Value::from(cell)));
    let mut object: Map<String, Value> =
        std::iter::once(("id".to_owned(), Value::from(id.as_str()))).chain(texts).collect();
    object.insert("active".to_owned(), person.active.into());
    let extra = person.extra.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
    object.insert("extra".to_owned(), Value::Object(extra.collect()));
    Value::Object(object)
}

fn all(office: &Office, tenant: &Tenant) -> Result<Vec<PersonRecord>, Failure> {
    let mut found: Vec<PersonRecord> = Vec::new();
    loop {
        let after = found.last().map(|record| record.id.clone());
        let query = PersonQuery::Page { after, count: PAGE };
        let PersonPage { persons, more } = office.read(office.store.persons(tenant, &query))?;
        found.extend(persons);
        if !more {
            return Ok(found);
        }
    }
}

pub(super) fn findings(command: FindingsCommand) -> Result<(), Failure> {
    let FindingsCommand::List { listing: Listing { of, output }, since, rule, person, all } = command;
    let since = since
        .map(|text| {
            scim_core::time::Instant::parse(&text).ok_or_else(|| {
                Failure::Usage(format!(
                    "`{}` is not a moment such as 2026-11-01T00:00:00Z",
                    text.escape_debug()
                ))
            })
        })
        .transpose()?;
    let (office, name) = Office::of(&of)?;
    let mut query = ReportQuery { after: 0, count: PAGE, settled: (!all).then_some(false), subject: None };
    let mut rows = Vec::new();
    loop {
        let page = office.read(office.store.reports(&name, &query))?;
        for reported in &page {
            let is_late = since.is_none_or(|since| reported.at.0 >= since.seconds.saturating_mul(1000));
            let findings: Vec<Finding> =
                serde_json::from_slice(&reported.report.findings).unwrap_or_default();
            for finding in findings {
                let is_of_rule = rule.as_ref().is_none_or(|rule| finding.code == *rule);
                let is_about = person.as_ref().is_none_or(|person| is_about(person, reported, &finding));
                if is_late && is_of_rule && is_about {
                    rows.push(finding_row(reported, &finding));
                }
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => query.after = last.number,
            _ => break,
        }
    }
    list(&output, &FINDING, &rows)
}

const FINDING: [&str; 11] = [
    "at",
    "count",
    "severity",
    "code",
    "who",
    "path",
    "value",
    "explanation",
    "remedy",
    "request",
    "settled",
];

fn finding_row(reported: &Reported, finding: &Finding) -> Vec<Option<String>> {
    let report = &reported.report;
    vec![
        Some(reported.at.to_string()),
        Some(reported.count.to_string()),
        Some(finding.severity.name().to_owned()),
        Some(finding.code.clone()),
        Some(report.subject.clone()),
        Some(finding.path.clone()),
        Some(finding.value.clone()),
        Some(finding.explanation.clone()),
        Some(finding.remedy.clone()),
        Some(format!("{} {}", report.method, report.path)),
        Some(if reported.settled { "yes" } else { "no" }.to_owned()),
    ]
}

/// Whether a report is about somebody, by an identifier, a userName or an address.
fn is_about(person: &str, reported: &Reported, finding: &Finding) -> bool {
    let (person, subject) = (fold(person), &reported.report.subject);
    let known = subject.rsplit_once(['/', ':']).map_or(subject.as_str(), |(_, known)| known);
    fold(known) == person || fold(&finding.value) == person
}

pub(super) fn group(command: GroupCommand) -> Result<(), Failure> {
    let GroupCommand::Conflicts(Listing { of, output }) = command;
    let (office, name) = Office::of(&of)?;
    let mut rows = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = office.read(office.store.crowded(&name, after.as_deref(), 100))?;
        let persons = office.read(office.store.persons(&name, &PersonQuery::Of(page.clone())))?.persons;
        let query = EdgeQuery { side: Side::Groups, of: page.clone(), after: None, count: 100_000 };
        let edges = office.read(office.store.edges(&name, &query))?.edges;
        for id in &page {
            let person = persons.iter().find(|record| record.id == *id);
            let groups = edges.iter().filter(|edge| edge.of == *id).map(|edge| edge.label.clone());
            rows.push(vec![
                Some(id.clone()),
                person.and_then(|record| record.person.email.clone()),
                Some(groups.collect::<Vec<_>>().join(", ")),
                person.and_then(|record| record.person.user_group.clone()),
            ]);
        }
        match page.last() {
            Some(last) if page.len() == 100 => after = Some(last.clone()),
            _ => break,
        }
    }
    list(&output, &["id", "email", "groups", "user_group"], &rows)
}

pub(super) fn gender(command: GenderCommand) -> Result<(), Failure> {
    let GenderCommand::List(Listing { of: OfTenant { tenant, common }, output }) = command;
    let office = Office::open(&common)?;
    let GenderWords { paths, words } = office.run(office.service.gender_words(&tenant))?;
    let row = |word: &GenderWord| {
        vec![
            Some(word.word.clone()),
            Some(word.persons.to_string()),
            word.gender.map(|gender| gender.name().to_owned()),
        ]
    };
    list(&output, &["word", "persons", "gender"], &words.iter().map(row).collect::<Vec<_>>())?;
    let unmapped: Vec<&GenderWord> = words.iter().filter(|word| word.gender.is_none()).collect();
    if paths.is_empty() {
        eprintln!(
            "the policy of tenant {tenant} takes the gender from nowhere; name an attribute in `[mapping] gender`"
        );
    } else if let Some(first) = unmapped.first() {
        let persons: u64 = unmapped.iter().map(|word| word.persons).sum();
        // The escapes of JSON are those of TOML.
        let key = serde_json::Value::from(first.word.as_str());
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

fn list(output: &Output, names: &[&str], rows: &[Vec<Option<String>>]) -> Result<(), Failure> {
    print(&render(output.format, names, rows))
}
