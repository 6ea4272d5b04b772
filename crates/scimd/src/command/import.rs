//! `scimd person import`.
//!
//! A file is gone through twice: every row is rehearsed, and if none is refused every row is written. What a row means and
//! whether it may pass is for `scim_service::Import` to say; here are the file, the list of findings and the count.

use std::io::{IsTerminal, Write};
use std::path::Path;

use futures_util::future::join_all;
use scim_policy::Severity;
use scim_service::{Headers, Import, ImportedRow, Outcome};

use super::Office;
use crate::Failure;
use crate::cli::{Format, Import as Arguments, Output};
use crate::sheet::{Row, Sheet};
use crate::table::{Cells, text};

const ACTOR: &str = "cli:person import";
/// Most findings that are listed.
const MOST_LISTED: usize = 10_000;
/// How many rows are written at the same time, so that a store can make them durable together.
const TOGETHER: usize = 64;

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let of = &arguments.listing.of;
    let (name, tenant) = (arguments.file.display(), &of.tenant);
    let office = Office::open(&of.common)?;
    let mut sheet = Sheet::open(&arguments.file, arguments.separator)?;
    let headers = Headers {
        names: sheet.names().to_vec(),
        renamed: arguments.columns.clone(),
        ignored: arguments.ignore.clone(),
    };
    let begun = office.run(office.service.import(tenant, &headers, ACTOR));
    let mut import = begun.map_err(|failure| match failure {
        Failure::Usage(words) => {
            Failure::Usage(words.lines().map(|line| format!("{name}: {line}")).collect::<Vec<_>>().join("\n"))
        }
        Failure::Run(_) | Failure::Anew(_) => failure,
    })?;

    let would = check(&office, &mut import, &mut sheet, arguments)?;
    if would.refused > 0 {
        return Err(Failure::Run(format!(
            "{} of {} rows of {name} are refused; nothing was written. Mend them in the file, or change the policy, and import \
             it again",
            would.refused,
            would.all()
        )));
    }
    if arguments.dry_run {
        eprintln!("{name} would be imported into tenant {tenant}: {would}; nothing was written");
        return Ok(());
    }

    // Whether there is a connection now is asked again.
    let import = office.run(office.service.import(tenant, &headers, ACTOR))?;
    sheet.rewind()?;
    let done = write(&office, &import, &mut sheet, &arguments.file, would.all())?;
    eprintln!("imported {name} into tenant {tenant}: {done}");
    Ok(())
}

/// Rehearses all rows, and lists what is said of them.
fn check(
    office: &Office,
    import: &mut Import<'_>,
    sheet: &mut Sheet,
    arguments: &Arguments,
) -> Result<Counts, Failure> {
    let mut progress = Progress::new("checking");
    let mut list = List::default();
    let mut would = Counts::default();
    while let Some(row) = sheet.next()? {
        progress.show(sheet.progress());
        match row.cells {
            Err(problem) => {
                would.refused += 1;
                let (problem, remedy) = problem.split_once("; ").unwrap_or((&problem, ""));
                list.add(row.line, "error", "file", "", "", "", problem, remedy);
            }
            Ok(cells) => {
                let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
                let imported = office.run(import.rehearse(row.line, &cells, !arguments.dry_run))?;
                would.add(&imported.outcome);
                list.add_row(row.line, &imported);
            }
        }
    }
    progress.end();
    list.print(&arguments.listing.output)?;
    Ok(would)
}

/// Writes all rows, of which none was refused. Ends at the first that cannot be written.
fn write(
    office: &Office,
    import: &Import<'_>,
    sheet: &mut Sheet,
    file: &Path,
    all: usize,
) -> Result<Counts, Failure> {
    let mut progress = Progress::new("writing");
    let mut done = Counts::default();
    loop {
        progress.show(sheet.progress());
        let mut rows = Vec::with_capacity(TOGETHER);
        while rows.len() < TOGETHER
            && let Some(row) = sheet.next()?
        {
            rows.push(row);
        }
        if rows.is_empty() {
            break;
        }
        let outcomes = office.runtime.block_on(join_all(rows.iter().map(|row| write_row(import, row))));
        for (row, mut outcome) in rows.iter().zip(outcomes) {
            // An address may have been free only after another of these rows.
            if let Ok(Outcome::Refused(_)) = outcome {
                outcome = office.runtime.block_on(write_row(import, row));
            }
            let refusal = match outcome {
                Ok(Outcome::Refused(error)) | Err(error) => error,
                Ok(outcome) => {
                    done.add(&outcome);
                    continue;
                }
            };
            progress.end();
            return Err(Failure::Run(format!(
                "{}:{}: {}; of {all} rows {} were written. Import the same file again: what is written already stays as it is",
                file.display(),
                row.line,
                refusal.detail(),
                done.all()
            )));
        }
    }
    progress.end();
    Ok(done)
}

async fn write_row(import: &Import<'_>, row: &Row) -> scim_core::Result<Outcome> {
    match &row.cells {
        Ok(cells) => {
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            Ok(import.write(&cells).await?.outcome)
        }
        Err(problem) => Err(scim_core::Error::new(scim_core::ErrorKind::InvalidValue, problem.as_str())),
    }
}

/// What was said of rows.
#[derive(Default)]
struct List {
    rows: Vec<Cells>,
    more: usize,
}

const FINDING: [&str; 8] = ["line", "severity", "code", "who", "path", "value", "explanation", "remedy"];

impl List {
    fn add_row(&mut self, line: u64, imported: &ImportedRow) {
        let who = &imported.user_name;
        for finding in &imported.findings {
            let severity = finding.severity.name();
            let (path, value) = (&finding.path, &finding.value);
            self.add(line, severity, &finding.code, who, path, value, &finding.explanation, &finding.remedy);
        }
        let by_rules = imported.findings.iter().any(|finding| finding.severity == Severity::Error);
        if let (Outcome::Refused(error), false) = (&imported.outcome, by_rules) {
            let code = error.kind().scim_type().unwrap_or("refused");
            let (path, advice) = (error.path().unwrap_or_default(), error.advice().unwrap_or_default());
            self.add(line, "error", code, who, path, "", error.explanation(), advice);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the cells of a row, in order")]
    fn add(
        &mut self,
        line: u64,
        severity: &str,
        code: &str,
        who: &str,
        path: &str,
        value: &str,
        explanation: &str,
        remedy: &str,
    ) {
        if self.rows.len() >= MOST_LISTED {
            self.more += 1;
            return;
        }
        let texts = [severity, code, who, path, value, explanation, remedy];
        self.rows.push(std::iter::once(line.into()).chain(texts.map(text)).collect());
    }

    fn print(&self, output: &Output) -> Result<(), Failure> {
        if !self.rows.is_empty() || output.format != Format::Table {
            super::list(output, &FINDING, &self.rows)?;
        }
        if self.more > 0 {
            eprintln!("and {} findings more", self.more);
        }
        Ok(())
    }
}

/// What became of rows.
#[derive(Default)]
struct Counts {
    created: usize,
    updated: usize,
    unchanged: usize,
    refused: usize,
}

impl Counts {
    fn add(&mut self, outcome: &Outcome) {
        *match outcome {
            Outcome::Created => &mut self.created,
            Outcome::Updated => &mut self.updated,
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::Refused(_) => &mut self.refused,
        } += 1;
    }

    fn all(&self) -> usize {
        self.created + self.updated + self.unchanged + self.refused
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} created, {} updated, {} unchanged", self.created, self.updated, self.unchanged)
    }
}

/// How far a pass has come, on a terminal.
struct Progress {
    doing: &'static str,
    shown: Option<u64>,
    is_terminal: bool,
}

impl Progress {
    /// How wide the bar is.
    const WIDTH: usize = 30;

    fn new(doing: &'static str) -> Self {
        Self { doing, shown: None, is_terminal: std::io::stderr().is_terminal() }
    }

    fn show(&mut self, (done, all): (u64, u64)) {
        let percent = done.saturating_mul(100) / all.max(1);
        if !self.is_terminal || self.shown == Some(percent) {
            return;
        }
        self.shown = Some(percent);
        let full = percent as usize * Self::WIDTH / 100;
        let bar = format!("{}{}", "#".repeat(full), "-".repeat(Self::WIDTH.saturating_sub(full)));
        let _ = write!(std::io::stderr(), "\r{:<9} [{bar}] {percent:>3} %", self.doing);
    }

    fn end(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(std::io::stderr(), "\r{:60}\r", "");
        }
    }
}
