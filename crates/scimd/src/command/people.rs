//! `scimd person`, `scimd findings` and `scimd group`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use scim_core::person::{Gender, Person};
use scim_core::text::{fold, nearest};
use scim_policy::{Code, Finding};
use scim_service::{GenderWord, GenderWords};
use scim_store::persons::{self, Mark, PersonChange};
use scim_store::{
    EdgeQuery, PersonPage, PersonQuery, PersonRecord, Record, ReportQuery, Reported, Side, Tenant,
};
use serde_json::Value;

use super::{Office, print};
use crate::Failure;
use crate::cli::{FindingsCommand, GenderCommand, GroupCommand, Listing, OfTenant, Output, PersonCommand};
use crate::table::{Cells, render, shown, shown_json};

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
        PersonCommand::Show { listing, id } => (listing, Some(id)),
        PersonCommand::Changes { listing, after } => return changes(&listing, after),
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
    let names: Vec<&str> = std::iter::once("id").chain(FIELDS).collect();
    let row = |record: &PersonRecord| {
        std::iter::once(record.id.as_str().into()).chain(cells(&record.person)).collect::<Cells>()
    };
    list(&output, &names, &persons.iter().map(row).collect::<Vec<_>>())
}

/// Who came, changed or went after a change.
fn changes(listing: &Listing, after: u64) -> Result<(), Failure> {
    let (office, name) = Office::of(&listing.of)?;
    if after > 0 && office.read(office.store.changes(&name, after - 1, 1))?.is_empty() {
        let words = format!(
            "tenant `{name}` has no change {after} yet: it is one of another tenant, or the store was set back to a backup; \
             begin with an empty table and without `--after`"
        );
        return Err(Failure::Run(words));
    }
    let mut mark = Mark { sequence: after, within: None };
    let mut found: BTreeMap<String, PersonChange> = BTreeMap::new();
    loop {
        let page = office.read(persons::changes(&*office.store, &name, &mark, PAGE))?;
        found.extend(page.changes.into_iter().map(|change| (change.id.clone(), change)));
        mark = page.next;
        if !page.more {
            break;
        }
    }
    let mut changes: Vec<PersonChange> = found.into_values().collect();
    changes.sort_by_key(|change| change.sequence);
    let names: Vec<&str> = ["sequence", "at", "id", "deleted"].into_iter().chain(FIELDS).collect();
    let row = |change: &PersonChange| {
        let person = change.person.as_ref().map(|record| cells(&record.person));
        let head = [
            change.sequence.into(),
            change.at.to_string().into(),
            change.id.as_str().into(),
            person.is_none().into(),
        ];
        let fields = person.unwrap_or_else(|| vec![Value::Null; FIELDS.len()]);
        head.into_iter().chain(fields).collect::<Cells>()
    };
    list(&listing.output, &names, &changes.iter().map(row).collect::<Vec<_>>())
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
    let (Listing { of, output }, since, rule, person, all) = match command {
        FindingsCommand::List { listing, since, rule, person, all } => (listing, since, rule, person, all),
        FindingsCommand::Dismiss { of, numbers } => return dismiss(&of, &numbers),
    };
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
    if let Some(rule) = &rule {
        check_code(rule)?;
    }
    let (office, name) = Office::of(&of)?;
    let people = person.map(|person| called(&office, &name, person)).transpose()?;
    let mut query = ReportQuery { after: 0, count: PAGE, settled: (!all).then_some(false), subject: None };
    let mut rows = Vec::new();
    loop {
        let page = office.read(office.store.reports(&name, &query))?;
        let known = Known::of(&office, &name, &page)?;
        for reported in &page {
            let is_late = since.is_none_or(|since| reported.at.0 >= since.seconds.saturating_mul(1000));
            let findings: Vec<Finding> =
                serde_json::from_slice(&reported.report.findings).unwrap_or_default();
            for (index, finding) in findings.into_iter().enumerate() {
                let whom = known.whom(&reported.report.subject, index, &finding);
                let is_of_rule = rule.as_ref().is_none_or(|rule| finding.code == *rule);
                let is_about =
                    people.as_ref().is_none_or(|people| people.iter().any(|one| whom.is(one, &finding)));
                if is_late && is_of_rule && is_about {
                    rows.push(finding_row(reported, &whom, finding));
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

fn dismiss(of: &OfTenant, numbers: &[u64]) -> Result<(), Failure> {
    let OfTenant { tenant, common } = of;
    let office = Office::open(common)?;
    // What is older goes with what is newer, and could not be dismissed after it.
    for number in &numbers.iter().copied().collect::<BTreeSet<u64>>() {
        let reported = office.run(office.service.dismiss(tenant, *number, "cli:findings dismiss"))?;
        let report = &reported.report;
        let words = format!("{} {} of {}", report.method, report.path, report.subject);
        eprintln!("dismissed finding {number}: {}", shown(&words));
    }
    Ok(())
}

/// What somebody is known by: what was asked for, and where that is an identifier, the name by which the creation was reported.
fn called(office: &Office, tenant: &Tenant, person: String) -> Result<Vec<String>, Failure> {
    let record = office.read(office.store.get(tenant, &[&person]))?.into_iter().flatten().next();
    let name = record.map(|record| name_of(&record)).filter(|name| !name.is_empty());
    Ok(std::iter::once(person).chain(name).collect())
}

/// The userName of a User, and what others are called.
pub(super) fn name_of(record: &Record) -> String {
    let document: Option<Value> = serde_json::from_slice(&record.body).ok();
    let name = document.as_ref().and_then(|document| document.get("userName")?.as_str());
    name.unwrap_or(&record.label).to_owned()
}

/// Nothing is ever found of a code that there is not, which would look as if all were well.
fn check_code(name: &str) -> Result<(), Failure> {
    let codes = Code::ALL.map(Code::name);
    if codes.contains(&name) {
        return Ok(());
    }
    let shown = name.escape_debug();
    Err(Failure::Usage(match nearest(name, codes) {
        Some(near) => format!("there is no code `{shown}`; did you mean `{near}`?"),
        None => format!("there is no code `{shown}`; there are {}", codes.join(", ")),
    }))
}

const FINDING: [&str; 13] = [
    "number",
    "at",
    "count",
    "severity",
    "code",
    "who",
    "name",
    "path",
    "value",
    "explanation",
    "remedy",
    "request",
    "settled",
];

fn finding_row(reported: &Reported, whom: &Whom, finding: Finding) -> Cells {
    let report = &reported.report;
    vec![
        reported.number.into(),
        reported.at.to_string().into(),
        reported.count.into(),
        finding.severity.name().into(),
        finding.code.into(),
        whom.who.as_str().into(),
        whom.name.as_deref().into(),
        finding.path.into(),
        finding.value.into(),
        finding.explanation.into(),
        finding.remedy.into(),
        format!("{} {}", report.method, report.path).into(),
        reported.settled.into(),
    ]
}

/// What those are called by now whom reports are about, by identifier: the userName of a User, the name of a group, and the
/// address of the person.
struct Known(HashMap<String, (String, Option<String>)>);

impl Known {
    fn of(office: &Office, tenant: &Tenant, reports: &[Reported]) -> Result<Self, Failure> {
        let ids: BTreeSet<&str> =
            reports.iter().filter_map(|reported| id_in(&reported.report.subject)).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        if ids.is_empty() {
            return Ok(Self(HashMap::new()));
        }
        let records = office.read(office.store.get(tenant, &ids))?;
        let persons = PersonQuery::Of(ids.into_iter().map(str::to_owned).collect());
        let persons = office.read(office.store.persons(tenant, &persons))?.persons;
        let mut emails: HashMap<String, Option<String>> =
            persons.into_iter().map(|record| (record.id, record.person.email)).collect();
        let known = records.into_iter().flatten().map(|record| {
            let (name, email) = (name_of(&record), emails.remove(&record.id).flatten());
            (record.id, (name, email))
        });
        Ok(Self(known.collect()))
    }

    /// Whom the finding at this index of a report is about. A report is about the first member that cannot come into a group;
    /// of the others it has what they are called.
    fn whom(&self, subject: &str, index: usize, finding: &Finding) -> Whom {
        if let (1.., Some((group, _)), "group-second") = (index, subject.split_once('/'), &*finding.code) {
            return Whom { who: group.to_owned(), id: None, name: Some(finding.value.clone()), email: None };
        }
        let id = id_in(subject);
        let (name, email) = match id {
            Some(id) => self.0.get(id).map(|(name, email)| (name.clone(), email.clone())).unzip(),
            None => (subject.split_once(':').map(|(_, name)| name.to_owned()), None),
        };
        Whom { who: subject.to_owned(), id: id.map(str::to_owned), name, email: email.flatten() }
    }
}

/// Whom a finding is about.
struct Whom {
    who: String,
    id: Option<String>,
    name: Option<String>,
    email: Option<String>,
}

impl Whom {
    /// Whether it is somebody, by an identifier, a userName or an address.
    fn is(&self, person: &str, finding: &Finding) -> bool {
        let texts = [self.id.as_deref(), self.name.as_deref(), self.email.as_deref(), Some(&*finding.value)];
        texts.into_iter().flatten().any(|text| fold(text) == fold(person))
    }
}

/// The identifier of whom a report is about. Somebody who was never created has none.
fn id_in(subject: &str) -> Option<&str> {
    (!subject.contains(':')).then(|| subject.rsplit_once('/').map_or(subject, |(_, member)| member))
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
            let groups = edges.iter().filter(|edge| edge.of == *id).map(|edge| edge.label.as_str());
            rows.push(vec![
                id.as_str().into(),
                person.and_then(|record| record.person.email.as_deref()).into(),
                groups.collect(),
                person.and_then(|record| record.person.user_group.as_deref()).into(),
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
        vec![word.word.as_str().into(), word.persons.into(), word.gender.map(Gender::name).into()]
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

fn list(output: &Output, names: &[&str], rows: &[Cells]) -> Result<(), Failure> {
    print(&render(output.format, names, rows))
}
