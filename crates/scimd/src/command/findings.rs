//! `scimd findings`: what the rules said of requests, with whom it was about as they are called by now; settling and erasing it.

use std::collections::{BTreeSet, HashMap};

use scim_core::text::{fold, nearest};
use scim_policy::{Code, Finding};
use scim_store::{PersonQuery, Report, ReportQuery, Reported, Tenant};

use super::people::name_of;
use super::{Office, list};
use crate::Failure;
use crate::cli::{FindingsCommand, Listing, OfTenant};
use crate::table::{Cells, shown, text};

/// How many are read at once.
const PAGE: usize = 1000;

pub(super) fn run(command: FindingsCommand) -> Result<(), Failure> {
    let (Listing { of, output }, since, rule, person, all) = match command {
        FindingsCommand::List { listing, since, rule, person, all } => (listing, since, rule, person, all),
        FindingsCommand::Dismiss { of, numbers } => return dismiss(&of, &numbers),
        FindingsCommand::Erase { of, numbers } => return erase(&of, &numbers),
    };
    if let Some(rule) = &rule {
        check_code(rule)?;
    }
    let (office, name) = Office::of(&of)?;
    let people = person.map(|person| called(&office, &name, person)).transpose()?;
    let mut query = ReportQuery { after: 0, count: PAGE, settled: (!all).then_some(false), subject: None };
    let mut rows = Vec::new();
    loop {
        let page = office.run(office.store.reports(&name, &query))?;
        let known = Known::of(&office, &name, &page)?;
        for reported in &page {
            let is_late = since.is_none_or(|since| reported.at >= since);
            let findings: Vec<Finding> =
                serde_json::from_slice(&reported.report.findings).unwrap_or_default();
            for (index, finding) in findings.into_iter().enumerate() {
                let whom = known.whom(&reported.report, index, &finding);
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
    list(&output, &FINDING, rows)
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

fn erase(of: &OfTenant, numbers: &[u64]) -> Result<(), Failure> {
    let OfTenant { tenant, common } = of;
    let office = Office::open(common)?;
    for number in &numbers.iter().copied().collect::<BTreeSet<u64>>() {
        let Reported { report, .. } =
            office.run(office.service.erase(tenant, *number, "cli:findings erase"))?;
        // Whom it was about is left out, or the terminal's log would keep it.
        eprintln!("erased finding {number}: {}", shown(&format!("{} {}", report.method, report.path)));
    }
    Ok(())
}

/// What somebody is known by: what was asked for, and where that is an identifier, the name by which the creation was reported.
fn called(office: &Office, tenant: &Tenant, person: String) -> Result<Vec<String>, Failure> {
    let record = office.run(office.store.get(tenant, &[&person]))?.into_iter().flatten().next();
    // What is said of people names groups too.
    let user = record.filter(|record| *record.resource_type == *"User");
    let name = user.map(|record| name_of(&record)).filter(|name| !name.is_empty());
    Ok(std::iter::once(person).chain(name).collect())
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
    "action",
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
        text(&finding.path),
        text(&finding.value),
        text(&finding.explanation),
        text(&finding.remedy),
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
        let records = office.run(office.store.get(tenant, &ids))?;
        let persons = PersonQuery::Of(ids.into_iter().map(str::to_owned).collect());
        let persons = office.run(office.store.persons(tenant, &persons))?.persons;
        let mut emails: HashMap<String, Option<String>> =
            persons.into_iter().map(|record| (record.id, record.person.email)).collect();
        let known = records.into_iter().flatten().map(|record| {
            let (name, email) = (name_of(&record), emails.remove(&record.id).flatten());
            (record.id, (name, email))
        });
        Ok(Self(known.collect()))
    }

    /// Whom the finding at this index of a report is about. A refusal is about the first member that cannot come into a group;
    /// of the others it has what they are called. What was let through is of one member, however many groups that is in.
    fn whom(&self, report: &Report, index: usize, finding: &Finding) -> Whom {
        let (subject, is_refused) = (&*report.subject, report.status >= 400);
        if let (true, 1.., Some((group, _)), "group-second") =
            (is_refused, index, subject.split_once('/'), &*finding.code)
        {
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
    /// Whether it is somebody, by an identifier, a userName or an address, or names them.
    fn is(&self, person: &str, finding: &Finding) -> bool {
        let texts = [self.id.as_deref(), self.name.as_deref(), self.email.as_deref(), Some(&*finding.value)];
        let person = fold(person);
        texts.into_iter().flatten().any(|text| fold(text) == person)
            || fold(&finding.explanation).contains(&*format!("`{person}`"))
    }
}

/// The identifier of whom a report is about. Somebody who was never created has none.
fn id_in(subject: &str) -> Option<&str> {
    (!subject.contains(':')).then(|| subject.rsplit_once('/').map_or(subject, |(_, member)| member))
}
