//! `scimd person changes` and `scimd person follow`: who came, changed or went since a change, of one tenant or of all. Nothing
//! is written but the marks to go on from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use scim_core::json;
use scim_core::time::Timestamp;
use scim_store::Tenant;
use scim_store::persons::{self, FollowError, Mark, PersonChange};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::people::{FIELDS, cells};
use super::{Office, anew, keep, keep_mark, list_pages, mark_of};
use crate::Failure;
use crate::cli::{Common, Listing, Output, moment};
use crate::table::Cells;

/// How many are read at once.
const PAGE: usize = 1000;

const CHANGE: [&str; 4] = ["sequence", "at", "id", "deleted"];

/// Who came, changed or went of one tenant.
pub(super) fn changes(
    listing: &Listing,
    after: u64,
    at: Option<Timestamp>,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let (office, tenant) = Office::of(&listing.of)?;
    let mark = Mark { sequence: after, at, within: None };
    let (changes, mark) = news(&office, &tenant, mark).map_err(|error| failed(&tenant, after, error))?;
    let names: Vec<&str> = CHANGE.into_iter().chain(FIELDS).collect();
    let is_read = list_pages(&listing.output, &names, [Ok(changes.iter().map(row).collect())])?;
    keep_mark(file, is_read, mark.sequence, mark.at)
}

/// Who came, changed or went of all tenants. A tenant's changes are read when they are printed.
pub(super) fn follow(from: &Path, file: &Path, common: &Common, output: &Output) -> Result<(), Failure> {
    if from == file {
        let words =
            "`--from` and `--mark` are the same file; what is not taken over would not be listed again";
        return Err(Failure::Usage(words.to_owned()));
    }
    let marks = marks(from)?;
    let office = Office::open(common)?;
    let tenants = office.run(office.service.directory().tenants())?;
    let there: BTreeSet<&str> = tenants.iter().map(|entry| entry.tenant.as_str()).collect();
    let gone = marks.keys().filter(|name| !there.contains(name.as_str()));
    let gone: Vec<Cells> = gone.map(|name| nobody_else(name)).collect();
    let mut next = Map::new();
    let pages = tenants.iter().map(|entry| {
        let tenant = entry.tenant.as_str();
        let mark = marks.get(tenant).cloned().unwrap_or_default();
        let (news, begin) = match news(&office, &entry.tenant, mark) {
            Err(FollowError::Anew(_)) => {
                (news(&office, &entry.tenant, Mark::default()), Some(nobody_else(tenant)))
            }
            news => (news, None),
        };
        let (changes, mark) = news.map_err(|error| failed(&entry.tenant, 0, error))?;
        next.insert(tenant.to_owned(), mark_of(mark.sequence, mark.at));
        let rows = changes.iter().map(|change| std::iter::once(tenant.into()).chain(row(change)).collect());
        Ok(begin.into_iter().chain(rows).collect())
    });
    let names: Vec<&str> = ["tenant"].into_iter().chain(CHANGE).chain(FIELDS).collect();
    let is_read = list_pages(output, &names, std::iter::once(Ok(gone)).chain(pages))?;
    keep(file, is_read, &Value::Object(next))
}

/// The line after which everybody of a tenant is named who is there.
fn nobody_else(tenant: &str) -> Cells {
    let nothing = || Value::Null;
    let head = [tenant.into(), nothing(), nothing(), nothing(), true.into()];
    head.into_iter().chain(std::iter::repeat_with(nothing).take(FIELDS.len())).collect()
}

/// What a file says of how far each tenant was followed. A file that is not there says nothing.
fn marks(file: &Path) -> Result<BTreeMap<String, Mark>, Failure> {
    let name = file.display();
    let text = match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(Failure::Usage(format!("cannot read {name}: {error}"))),
        Ok(text) => text,
    };
    let wrong = |what: String| {
        Failure::Usage(format!(
            "{name} has no marks that `scimd person follow --mark` wrote: {what}; without the file, everybody is listed"
        ))
    };
    let kept: BTreeMap<String, Kept> =
        serde_json::from_str(&text).map_err(|error| wrong(json::said(&text, &error)))?;
    let mark = |(tenant, Kept { after, at }): (String, Kept)| match moment(&at) {
        Ok(at) => Ok((tenant, Mark { sequence: after, at: Some(at), within: None })),
        Err(words) => Err(wrong(format!("`at` of `{}`: {words}", tenant.escape_debug()))),
    };
    kept.into_iter().map(mark).collect()
}

/// What [`mark_of`] writes.
#[derive(Deserialize)]
struct Kept {
    after: u64,
    at: String,
}

/// Who of a tenant came, changed or went after a mark, each once and as it is now, and the mark from then on.
fn news(office: &Office, tenant: &Tenant, begin: Mark) -> Result<(Vec<PersonChange>, Mark), FollowError> {
    let mut found: BTreeMap<String, PersonChange> = BTreeMap::new();
    let mut mark = begin.clone();
    loop {
        let page = match office.runtime.block_on(persons::changes(&*office.store, tenant, &mark, PAGE)) {
            // The log is pruned meanwhile: whoever begins with it begins again.
            Err(FollowError::Anew(_)) if begin.sequence == 0 && mark != begin => {
                found.clear();
                mark = begin.clone();
                continue;
            }
            page => page?,
        };
        found.extend(page.changes.into_iter().map(|change| (change.id.clone(), change)));
        mark = page.next;
        if !page.more {
            break;
        }
    }
    let mut changes: Vec<PersonChange> = found.into_values().collect();
    changes.sort_by_key(|change| change.sequence);
    Ok((changes, mark))
}

fn failed(tenant: &Tenant, after: u64, error: FollowError) -> Failure {
    match error {
        FollowError::Anew(lost) => anew(&format!("change {after} of the tenant `{tenant}`"), lost),
        FollowError::Store(error) => error.into(),
    }
}

fn row(change: &PersonChange) -> Cells {
    let person = change.person.as_ref().map(|record| cells(&record.person));
    let head = [
        change.sequence.into(),
        change.at.to_string().into(),
        change.id.as_str().into(),
        person.is_none().into(),
    ];
    let fields = person.unwrap_or_else(|| vec![Value::Null; FIELDS.len()]);
    head.into_iter().chain(fields).collect()
}
