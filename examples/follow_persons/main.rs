//! An application's own table of people, kept up to date from the change log.
//!
//! usage: `follow_persons STORE TENANT TABLE`
//!
//! STORE is the SQLite file that `scimd` or `axum_app` writes; it may be in use. TABLE is a JSON file, which stands for the
//! application's database. What came since the last run is printed and taken over; then the program ends, to be started
//! again.
//!
//! The mark of how far it came is kept with the people, in one write. So whenever the program ends, table and mark belong
//! together, and what is taken over twice ends the same.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::io::ErrorKind;

use scim_core::person::Person;
use scim_store::persons::{self, FollowError, Mark, PersonChange, PersonChanges};
use scim_store::{Store, Tenant};
use scim_store_sqlite::{Options, SqliteStore};
use serde::{Deserialize, Serialize};

/// What the application keeps. In a database it is a table with a row for each person, and one row for the mark.
#[derive(Default, Serialize, Deserialize)]
struct Table {
    /// Where to go on, as the library writes it.
    mark: String,
    people: BTreeMap<String, Person>,
    /// Who was there before everything was taken over anew, and was not named since.
    #[serde(default)]
    unseen: BTreeSet<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [store, tenant, path] = arguments.as_slice() else {
        return Err("usage: follow_persons STORE TENANT TABLE".into());
    };
    // Opening would make the file, and a wrong name would look like a tenant without people.
    fs::metadata(store).map_err(|error| format!("{store}: {error}"))?;
    let store = SqliteStore::open(store, Options::default())?;
    let tenant = Tenant::new(tenant)?;
    let mut table = load(path)?;
    while take_over(&store, &tenant, &mut table).await? {
        save(path, &table)?;
    }
    save(path, &table)
}

/// Takes over the next page. Says whether more follow.
async fn take_over(store: &dyn Store, tenant: &Tenant, table: &mut Table) -> Result<bool, Box<dyn Error>> {
    let mark: Mark = if table.mark.is_empty() { Mark::default() } else { table.mark.parse()? };
    let PersonChanges { changes, next, more } = match persons::changes(store, tenant, &mark, 100).await {
        Err(FollowError::Anew(_)) => {
            // The store was set back to a backup, the tenant made anew, or the log pruned. Whoever is not named until the end is
            // gone.
            table.mark.clear();
            table.unseen = table.people.keys().cloned().collect();
            return Ok(true);
        }
        page => page?,
    };
    for PersonChange { id, person, .. } in changes {
        table.unseen.remove(&id);
        // A person is given as it is now, with the one user group that the customer's rules make of its groups.
        take(table, id, person.map(|record| record.person));
    }
    if !more {
        for id in std::mem::take(&mut table.unseen) {
            take(table, id, None);
        }
    }
    table.mark = next.to_string();
    Ok(more)
}

/// Takes over somebody, or that there is nobody, and says what that is to the application.
fn take(table: &mut Table, id: String, person: Option<Person>) {
    let (before, now) = match person {
        Some(person) => (table.people.insert(id.clone(), person), table.people.get(&id)),
        None => (table.people.remove(&id), None),
    };
    let is_active = |person: Option<&Person>| person.is_some_and(|person| person.active);
    let what = match (is_active(before.as_ref()), is_active(now)) {
        (false, true) => "joined",
        (true, false) => "left",
        (true, true) if before.as_ref() != now => "changed",
        // Somebody who has no access anyway, or a page that was taken over before.
        _ => return,
    };
    let email = now.or(before.as_ref()).and_then(|person| person.email.as_deref()).unwrap_or("-");
    println!("{what} {id} {email}");
}

fn load(path: &str) -> Result<Table, Box<dyn Error>> {
    match fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).map_err(|error| format!("{path}: {error}"))?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Table::default()),
        Err(error) => Err(format!("{path}: {error}").into()),
    }
}

/// Replaces the file as a whole, as a transaction would.
fn save(path: &str, table: &Table) -> Result<(), Box<dyn Error>> {
    let new = format!("{path}.new");
    fs::write(&new, serde_json::to_vec_pretty(table)?).map_err(|error| format!("{new}: {error}"))?;
    fs::rename(&new, path).map_err(|error| format!("{path}: {error}"))?;
    Ok(())
}
