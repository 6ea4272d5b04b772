//! Initial sync: what Entra ID and Okta send when they meet an empty directory, from the first look-up to the last
//! member. It runs to its end, whatever time that takes.

use std::fmt;

use scim_bench::people;
use scim_bench::world::Failure;
use serde_json::{Value, json};

use super::writes::Numbers;
use super::{Bench, Take, escape};
use crate::client::{Answer, Call};
use crate::drive::{Length, Session};

/// Whose habits are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Idp {
    Entra,
    Okta,
}

/// A group has so many members, and one has everybody.
const MEMBERS: usize = 50;

pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), Failure> {
    sync(bench, Idp::Entra)?;
    sync(bench, Idp::Okta)
}

fn sync(bench: &mut Bench<'_>, idp: Idp) -> Result<(), Failure> {
    let (field, count) = (bench.field, bench.work.sync);
    let first = field.strangers(count);
    let (names, numbers) = (format!("initial sync, {idp}: {count} users"), Numbers::new());
    let ids = std::sync::Mutex::new(Vec::new());
    let users = async |_: usize, session: &mut Session<'_>| {
        while let Some(number) = numbers.below(count)
            && session.goes_on()
        {
            let number = first + number;
            let name = people::user_name(number);
            let found = session.send("look up", &idp.look_up_user(&name)).await;
            if let Some(id) = created(session, &found, &Call::post("/Users", &idp.user(number))).await {
                field.remember(format!("/Users/{id}"));
                if let Ok(mut ids) = ids.lock() {
                    ids.push((id, name));
                }
            }
        }
    };
    let take = Take { length: Length::Requests(2 * count as u64), ..bench.closed(&names) };
    let figure = bench.measure(take, users)?;
    let mut seconds = figure.outcome.elapsed.as_secs_f64();
    let ids = ids.into_inner()?;
    if ids.is_empty() {
        return Ok(());
    }

    let mut groups: Vec<&[(String, String)]> = ids.chunks(MEMBERS).collect();
    groups.push(&ids);
    let (names, numbers) = (format!("initial sync, {idp}: {} groups", groups.len()), Numbers::new());
    let script = async |_: usize, session: &mut Session<'_>| {
        // The largest first, so that it is not the last to end.
        while let Some(number) = numbers.below(groups.len())
            && session.goes_on()
            && let Some(members) = groups.get(groups.len() - 1 - number)
        {
            let name = format!("Team {number} of {first}");
            let found = session.send("look up group", &idp.look_up_group(&name)).await;
            let group = created(session, &found, &Call::post("/Groups", &idp.group(&name))).await;
            let Some(id) = group else { continue };
            field.remember(format!("/Groups/{id}"));
            for batch in members.chunks(idp.batch()) {
                let call = Call::patch(format!("/Groups/{id}"), &idp.add_members(batch));
                session.send("add members", &call).await;
            }
        }
    };
    let take = Take { length: Length::Requests(2 * groups.len() as u64), ..bench.closed(&names) };
    let figure = bench.measure(take, script)?;
    seconds += figure.outcome.elapsed.as_secs_f64();
    bench.note(&format!("initial sync, {idp}: all of it"), seconds, "s");
    Ok(())
}

/// Creates what a look-up has not found. A server that answers 404 to a look-up has not found it either.
async fn created(session: &mut Session<'_>, found: &Answer, call: &Call) -> Option<String> {
    let body = found.json();
    if body.get("totalResults").and_then(Value::as_u64).is_some_and(|total| total > 0) {
        // Whoever ignores filters finds somebody else. An identity provider would take that for the same person.
        return None;
    }
    let step = if call.path == "/Users" { "create" } else { "create group" };
    let answer = session.send(step, call).await;
    answer.id().filter(|_| answer.succeeded())
}

impl fmt::Display for Idp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Entra => "Entra ID",
            Self::Okta => "Okta",
        })
    }
}

impl Idp {
    /// How many members one PATCH carries. Okta's number is known; Entra ID's is not, and this is a guess.
    fn batch(self) -> usize {
        match self {
            Self::Entra => 20,
            Self::Okta => 256,
        }
    }

    fn look_up_user(self, name: &str) -> Call {
        let filter = escape(&format!("userName eq \"{name}\""));
        match self {
            Self::Entra => Call::get(format!("/Users?filter={filter}")),
            Self::Okta => {
                Call::get(format!("/Users?filter={}&startIndex=1&count=100", filter.replace('+', "%20")))
            }
        }
    }

    pub(super) fn look_up_group(self, name: &str) -> Call {
        let filter = escape(&format!("displayName eq \"{name}\""));
        match self {
            Self::Entra => Call::get(format!("/Groups?excludedAttributes=members&filter={filter}")),
            Self::Okta => {
                Call::get(format!("/Groups?filter={}&startIndex=1&count=100", filter.replace('+', "%20")))
            }
        }
    }

    pub(super) fn user(self, number: usize) -> Value {
        let name = people::user_name(number);
        let (given, family) = ("Ada", format!("Lovelace{number}"));
        match self {
            Self::Entra => json!({
                "schemas": [scim_core::schema::USER, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
                "externalId": number.to_string(),
                "userName": name,
                "active": true,
                "displayName": format!("{given} {family}"),
                "emails": [{ "primary": true, "type": "work", "value": name }],
                "meta": { "resourceType": "User" },
                "name": { "formatted": format!("{given} {family}"), "familyName": family, "givenName": given },
                "title": "Analyst",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Engines" },
            }),
            Self::Okta => json!({
                "schemas": [scim_core::schema::USER],
                "userName": name,
                "name": { "givenName": given, "familyName": family },
                "emails": [{ "primary": true, "value": name, "type": "work" }],
                "displayName": format!("{given} {family}"),
                "locale": "en-US",
                "externalId": format!("00u{number}"),
                "groups": [],
                // A placeholder, which Okta sends with every user.
                "password": format!("{number}-Okta-placeholder"),
                "active": true,
            }),
        }
    }

    fn group(self, name: &str) -> Value {
        match self {
            Self::Entra => json!({
                "schemas": [
                    scim_core::schema::GROUP,
                    "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group",
                ],
                "externalId": name,
                "displayName": name,
                "meta": { "resourceType": "Group" },
            }),
            Self::Okta => {
                json!({ "schemas": [scim_core::schema::GROUP], "displayName": name, "members": [] })
            }
        }
    }

    /// The PATCH that adds these members, each with identifier and name.
    pub(super) fn add_members(self, members: &[(String, String)]) -> Value {
        let value = members.iter().map(|(id, name)| match self {
            Self::Entra => json!({ "$ref": null, "value": id }),
            Self::Okta if name.is_empty() => json!({ "value": id }),
            Self::Okta => json!({ "value": id, "display": name }),
        });
        let op = if self == Self::Entra { "Add" } else { "add" };
        patch(&[json!({ "op": op, "path": "members", "value": value.collect::<Vec<_>>() })])
    }

    /// The PATCH that lets somebody in or not.
    pub(super) fn set_active(self, active: bool) -> Value {
        match self {
            Self::Entra => {
                let value = if active { "True" } else { "False" };
                patch(&[json!({ "op": "Replace", "path": "active", "value": value })])
            }
            Self::Okta => patch(&[json!({ "op": "replace", "value": { "active": active } })]),
        }
    }
}

/// The PATCH of these operations.
pub(super) fn patch(operations: &[Value]) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}
