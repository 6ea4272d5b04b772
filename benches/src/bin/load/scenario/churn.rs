//! Group churn: many connections add members to one group and remove them again, each its own. Afterwards the members
//! are counted, since a server that reads, changes and writes a whole group loses some and answers 200 all the same.

use std::collections::BTreeMap;
use std::sync::Mutex;

use scim_bench::people;
use scim_bench::world::Failure;

use super::writes::PATCHERS;
use super::{Bench, Take};
use crate::client::Call;
use crate::drive::Session;
use crate::random::Random;

const NAME: &str = "churn: one group, 16 connections";
/// How many members each connection has of its own.
const OWN: usize = 16;

pub(super) fn run(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let field = bench.field;
    let name = format!("Churn {}", field.strangers(1));
    let answer = field.ask(&Call::post("/Groups", &people::group(&name, &[])))?;
    let Some(group) = field.keep("/Groups", &answer) else {
        return bench.refuse(NAME, answer.excerpt());
    };
    let path = format!("/Groups/{group}");
    // By member, whether it is in the group; `None` where no answer came to the last change.
    let states: Mutex<BTreeMap<&str, Option<bool>>> = Mutex::default();
    let script = async |connection: usize, session: &mut Session<'_>| {
        let own: Vec<&String> = field.users.iter().skip(connection).step_by(PATCHERS).take(OWN).collect();
        let mut random = Random::of(connection);
        while session.goes_on()
            && let Some(member) = random.one_of(&own)
        {
            if random.below(10) == 0 {
                session.send("read", &Call::get(format!("{path}?excludedAttributes=members"))).await;
                continue;
            }
            let before = states.lock().ok().and_then(|states| states.get(member.as_str()).copied());
            let before = before.unwrap_or(Some(false));
            let adds = before != Some(true);
            let (step, body) = match adds {
                true => ("add", people::add_member(member)),
                false => ("remove", people::remove_member(member)),
            };
            let answer = session.send(step, &Call::patch(&path, &body)).await;
            let after = match answer.status {
                0 | 500..=599 => None,
                200..=299 => Some(adds),
                _ => before,
            };
            if let Ok(mut states) = states.lock() {
                states.insert(member.as_str(), after);
            }
        }
    };
    let take = Take { connections: PATCHERS, ..bench.closed(NAME) };
    let figure = bench.measure(take, script)?;
    if figure.refused.is_none() {
        let states = states.into_inner().map_err(|_| "a script has panicked")?;
        match field.members(&group)? {
            Some(members) => {
                let is_in = |id: &str| members.iter().any(|member| member == id);
                let wrong = |wanted| {
                    states.iter().filter(|(id, state)| **state == Some(wanted) && is_in(id) != wanted).count()
                };
                let acknowledged = states.values().filter(|state| **state == Some(true)).count();
                bench.note("churn: members that were added and acknowledged", acknowledged as f64, "");
                bench.note("churn: of these, lost", wrong(true) as f64, "");
                bench.note("churn: members that were removed and are there", wrong(false) as f64, "");
            }
            None => bench.note("churn: members cannot be read, lost", f64::NAN, ""),
        }
    }
    // Whatever grows here is not in the way of what follows.
    field.ask(&Call::delete(&path))?;
    Ok(())
}
