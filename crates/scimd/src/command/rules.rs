//! `scimd policy`, `scimd schema`, `scimd explain` and `scimd replay`.

use std::error::Error as _;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use scim_core::person::Derived;
use scim_policy::{Explained, Finding, PolicyErrors, preset};
use scim_service::{Concerned, NewRules, Replayed};
use serde_json::{Value, json};

use super::{Office, list, print};
use crate::Failure;
use crate::cli::{Format, Listing, OfTenant, PolicyCommand, SchemaCommand};
use crate::store::read_json;
use crate::table::{Cells, in_words, shown, text};

pub(super) fn policy(command: PolicyCommand) -> Result<(), Failure> {
    match command {
        PolicyCommand::Init { tenant, preset, output } => {
            let file = output.unwrap_or_else(|| format!("{tenant}.toml").into());
            let Some(found) = preset::named(&preset) else {
                let known: Vec<&str> = preset::ALL.iter().map(|preset| preset.name).collect();
                let words =
                    format!("there is no preset `{}`; there are {}", preset.escape_debug(), known.join(", "));
                return Err(Failure::Usage(words));
            };
            let failed =
                |error: &std::io::Error| Failure::io(format_args!("cannot write {}", file.display()), error);
            let opened = OpenOptions::new().write(true).create_new(true).open(&file);
            let mut opened = opened.map_err(|error| match error.kind() {
                std::io::ErrorKind::AlreadyExists => Failure::Run(format!(
                    "{} is there already and was not touched; edit it, or name another file with --output",
                    file.display()
                )),
                _ => failed(&error),
            })?;
            opened.write_all(found.text.as_bytes()).map_err(|error| failed(&error))?;
            let file = file.display();
            eprintln!(
                "wrote {file}; edit it, then: scimd policy diff {tenant} {file}, scimd policy apply {tenant} {file}"
            );
            Ok(())
        }
        PolicyCommand::Diff { listing, file } => diff(&listing, &file),
        PolicyCommand::Apply { of, file, anyway } => apply(&of, &file, anyway),
        PolicyCommand::Show(OfTenant { tenant, common }) => {
            let office = Office::open(&common)?;
            match &office.tenant(&tenant)?.policy {
                Some(text) => print(text),
                None => {
                    eprintln!("tenant {tenant} has no policy: it runs the protocol and the default mapping");
                    Ok(())
                }
            }
        }
        PolicyCommand::Remove(OfTenant { tenant, common }) => {
            let office = Office::open(&common)?;
            let rules = NewRules { policy: Some(None), ..NewRules::default() };
            let changed = office.run(office.service.change_rules(&tenant, &rules, "cli:policy remove"))?;
            eprintln!("took back the policy of tenant {tenant}; {} persons changed", changed.persons);
            Ok(())
        }
    }
}

fn diff(listing: &Listing, file: &Path) -> Result<(), Failure> {
    let Listing { of: OfTenant { tenant, common }, output } = listing;
    let office = Office::open(common)?;
    let rules = new_policy(file)?;
    let compared = office.runtime.block_on(office.service.compare_rules(tenant, &rules));
    let comparison = compared.map_err(|error| in_file(file, error))?;
    let mut rows: Vec<Cells> = Vec::new();
    let mut add = |outcome: &str, who: &str, what: String, of: Option<&Concerned>| {
        let findings = of.map_or(&[][..], |of| &of.findings);
        let about = [of.map(|of| of.id.as_str()).into(), findings.iter().map(told).collect()];
        rows.push([outcome, who, &what].map(Value::from).into_iter().chain(about).collect());
    };
    for concerned in &comparison.refused {
        add("refused", &concerned.user_name, said(&concerned.findings), Some(concerned));
    }
    for concerned in &comparison.changed {
        add("changed", &concerned.user_name, differences(concerned), Some(concerned));
    }
    for reported in &comparison.accepted {
        let report = &reported.report;
        add("accepted", &report.subject, format!("{} {}", report.method, report.path), None);
    }
    // In words, findings are in `what`.
    let names: &[&str] = match output.format {
        Format::Table | Format::Csv => &["outcome", "who", "what"],
        Format::Json => &["outcome", "who", "what", "id", "findings"],
    };
    let rows = rows.iter().map(|cells| cells.get(..names.len()).unwrap_or_default());
    list(output, names, rows)?;
    eprintln!(
        "of {} users {} would be refused and {} would change; of the requests that were refused {} would be accepted and {} \
         not; nothing was changed",
        comparison.users,
        comparison.refused.len(),
        comparison.changed.len(),
        comparison.accepted.len(),
        comparison.still_refused
    );
    Ok(())
}

fn apply(of: &OfTenant, file: &Path, anyway: bool) -> Result<(), Failure> {
    let OfTenant { tenant, common } = of;
    let office = Office::open(common)?;
    let rules = new_policy(file)?;
    if !anyway {
        let compared = office.runtime.block_on(office.service.compare_rules(tenant, &rules));
        let comparison = compared.map_err(|error| in_file(file, error))?;
        if !comparison.refused.is_empty() {
            return Err(Failure::Run(format!(
                "{} of {} users of tenant `{tenant}` would come to be against the rules; nothing was changed. See who with \
                 `scimd policy diff {tenant} {}{}`, or put it in force with --anyway: they stay as they are until they next change",
                comparison.refused.len(),
                comparison.users,
                file.display(),
                common.again()
            )));
        }
    }
    let changed = office.runtime.block_on(office.service.change_rules(tenant, &rules, "cli:policy apply"));
    let changed = changed.map_err(|error| in_file(file, error))?;
    // What was refused of a file comes with the file again.
    let is_connected = office.tenant(tenant)?.connection.is_some();
    let next = match is_connected {
        true => format!("; next: scimd replay {tenant}{}", common.again()),
        false => String::new(),
    };
    eprintln!(
        "the policy of tenant {tenant} is in force; of {} users {} persons changed and {} are against it{next}",
        changed.users,
        changed.persons,
        changed.against.len()
    );
    Ok(())
}

pub(super) fn schema(command: SchemaCommand) -> Result<(), Failure> {
    match command {
        SchemaCommand::Add { of: OfTenant { tenant, common }, file } => {
            let office = Office::open(&common)?;
            let entry = office.tenant(&tenant)?;
            let mut schemas = entry.schemas.clone();
            let new = read_json(&file)?;
            let urn = new.get("id").and_then(Value::as_str);
            if let Some(urn) =
                urn.filter(|urn| schemas.iter().any(|known| known.get("id") == Some(&Value::from(*urn))))
            {
                return Err(Failure::Run(format!(
                    "tenant `{tenant}` has an extension `{urn}` already, which stays as it is; declare further attributes in \
                     another one, or put this in its place with `scimd schema replace {tenant} {}{}`",
                    file.display(),
                    common.again()
                )));
            }
            schemas.push(new);
            let rules = NewRules { policy: None, schemas: Some(schemas), instead_of: Some(entry.epoch) };
            let changed = office.run(office.service.change_rules(&tenant, &rules, "cli:schema add"));
            changed.map_err(|failure| about(&file, failure))?;
            eprintln!(
                "users of tenant {tenant} may have this extension; running servers follow within five seconds"
            );
            Ok(())
        }
        SchemaCommand::Replace { of, file } => {
            let new = read_json(&file)?;
            let Some(urn) = new.get("id").and_then(Value::as_str).map(str::to_owned) else {
                return Err(Failure::Usage(format!("{}: it has no `id`", file.display())));
            };
            change_extension(&of, &urn, Some((&file, new)), "cli:schema replace")
        }
        SchemaCommand::Remove { of, urn } => change_extension(&of, &urn, None, "cli:schema remove"),
        SchemaCommand::List(Listing { of: OfTenant { tenant, common }, output }) => {
            let office = Office::open(&common)?;
            let entry = office.tenant(&tenant)?;
            let member = |schema: &Value, name: &str| schema.get(name).cloned().unwrap_or_default();
            let names: &[&str] = match output.format {
                Format::Table | Format::Csv => &["id", "name"],
                Format::Json => &["id", "name", "document"],
            };
            let row = |schema: &Value| {
                let cells = [member(schema, "id"), member(schema, "name"), schema.clone()];
                cells.into_iter().take(names.len()).collect::<Cells>()
            };
            list(&output, names, entry.schemas.iter().map(row))
        }
    }
}

/// Puts the document of a file in the place of an extension, or removes it where there is none.
fn change_extension(
    of: &OfTenant,
    urn: &str,
    new: Option<(&Path, Value)>,
    actor: &str,
) -> Result<(), Failure> {
    let OfTenant { tenant, common } = of;
    let office = Office::open(common)?;
    let (file, document) = new.unzip();
    let done = if document.is_some() { "replaced" } else { "removed" };
    let changed =
        office.run(office.service.change_extension(tenant, urn, document, actor)).map_err(|failure| {
            match file {
                Some(file) => about(file, failure),
                None => failure,
            }
        })?;
    eprintln!(
        "{done} the extension {urn} of tenant {tenant}; {} persons changed; running servers follow within five seconds",
        changed.persons
    );
    Ok(())
}

pub(super) fn explain(listing: &Listing, file: Option<&Path>, user: Option<&str>) -> Result<(), Failure> {
    let Listing { of: OfTenant { tenant, common }, output } = listing;
    let office = Office::open(common)?;
    let explanation = match (file, user) {
        (Some(file), _) => office.run(office.service.explain(tenant, read_json(file)?))?,
        (None, Some(user)) => office.run(office.service.explain_stored(tenant, user))?,
        (None, None) => return Err(Failure::Usage("name a FILE, or somebody by `--user`".to_owned())),
    };
    match output.format {
        Format::Table => list(output, &FIELD, explanation.fields.iter().map(field_row))?,
        // A program is told everything in one list.
        Format::Json | Format::Csv => {
            let fields = explanation.fields.iter().map(field_row);
            let fields = fields.map(|cells| [cells, vec![Value::Null; SAID.len()]].concat());
            let findings = explanation.verdict.findings.iter().map(finding_row);
            list(output, &[&FIELD[..], &SAID].concat(), fields.chain(findings))?;
        }
    }
    for finding in &explanation.verdict.findings {
        eprintln!("{}: {}", finding.severity.name(), shown(&finding.to_string()));
    }
    Ok(())
}

const FIELD: [&str; 5] = ["field", "value", "from", "sent", "steps"];
/// What a finding has besides the value, as it is called in other lists.
const SAID: [&str; 5] = ["severity", "code", "path", "explanation", "remedy"];

fn field_row(explained: &Explained) -> Cells {
    let steps: Vec<String> =
        explained.steps.iter().map(|step| format!("{}: {}", step.what, step.value)).collect();
    vec![
        explained.field.as_str().into(),
        explained.value.as_deref().into(),
        explained.path.as_deref().into(),
        explained.raw.as_deref().into(),
        steps.into(),
    ]
}

/// A finding among others in one cell.
fn told(finding: &Finding) -> Value {
    let Finding { code, severity, path, value, explanation, remedy } = finding;
    json!({
        "severity": severity.name(), "code": text(code), "path": text(path), "value": text(value),
        "explanation": text(explanation), "remedy": text(remedy),
    })
}

fn finding_row(finding: &Finding) -> Cells {
    let Finding { code, severity, path, value, explanation, remedy } = finding;
    let texts = [severity.name(), code, path, explanation, remedy].map(text);
    [Value::Null, text(value), Value::Null, Value::Null, Value::Null].into_iter().chain(texts).collect()
}

pub(super) fn replay(listing: &Listing) -> Result<(), Failure> {
    let Listing { of: OfTenant { tenant, common }, output } = listing;
    let office = Office::open(common)?;
    let replayed = office.run(office.service.replay(tenant, "cli:replay"))?;
    let row = |Replayed { reported, refusal }: &Replayed| {
        let report = &reported.report;
        vec![
            report.subject.as_str().into(),
            format!("{} {}", report.method, report.path).into(),
            if refusal.is_none() { "accepted" } else { "refused" }.into(),
            refusal.as_ref().map(scim_core::Error::detail).into(),
            reported.number.into(),
        ]
    };
    list(output, &["who", "action", "outcome", "why", "number"], replayed.iter().map(row))?;
    let refused = replayed.iter().filter(|replayed| replayed.refusal.is_some()).count();
    eprintln!(
        "carried out {} of {} requests that had been refused",
        replayed.len() - refused,
        replayed.len()
    );
    Ok(())
}

fn new_policy(file: &Path) -> Result<NewRules, Failure> {
    let text = read(file)?;
    if text
        .trim_start_matches('\u{feff}')
        .lines()
        .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
    {
        // Every section is optional, so that a file that was cut off would turn all rules off.
        return Err(Failure::Usage(format!(
            "{} has no section, which would turn every rule off; write one with `scimd policy init`, or take the policy of a \
             tenant back with `scimd policy remove`",
            file.display()
        )));
    }
    Ok(NewRules { policy: Some(Some(text)), ..NewRules::default() })
}

/// The failure of a command that was given a document. What is wrong with the document is told with its name.
fn about(file: &Path, failure: Failure) -> Failure {
    match failure {
        Failure::Usage(words) => Failure::Usage(format!("{}: {words}", file.display())),
        failure @ (Failure::Run(_) | Failure::Anew(_)) => failure,
    }
}

/// The failure of a command that was given a policy. What is wrong with the policy is told as compilers do.
fn in_file(file: &Path, error: scim_core::Error) -> Failure {
    match error.source().and_then(|source| source.downcast_ref::<PolicyErrors>()) {
        Some(problems) => Failure::Usage(problems.in_file(&file.display().to_string())),
        None => error.into(),
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", file.display())))
}

pub(super) fn said(findings: &[Finding]) -> String {
    let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
    said.join(" | ")
}

/// The fields that differ, as `field: before -> after`.
fn differences(concerned: &Concerned) -> String {
    let fields = |derived: &Option<Derived>| {
        let person = derived.as_ref().map(|derived| super::people::cells(&derived.person));
        person.unwrap_or_else(|| vec![Value::Null; super::people::FIELDS.len()])
    };
    let (before, after) = (fields(&concerned.before), fields(&concerned.after));
    let text = |cell| in_words(cell).unwrap_or("-".into());
    let pairs = super::people::FIELDS.iter().zip(before.iter().zip(&after));
    let changed: Vec<String> = pairs
        .filter(|(_, (before, after))| before != after)
        .map(|(name, (before, after))| format!("{name}: {} -> {}", text(before), text(after)))
        .collect();
    if changed.is_empty() { "which group counts".to_owned() } else { changed.join(", ") }
}
