//! What is there afterwards, and whether the journal allows it: acknowledged ⊆ state ⊆ acknowledged ∪ unknown, what was
//! refused is not there, every mutation has one audit entry, and persons agree with users.

use std::collections::{BTreeMap, BTreeSet};

use scimd::config::StoreUrl;

use super::TENANT;
use super::journal::{Intent, Journal, Outcome};
use crate::http::Client;
use crate::ledger::{self, Ledger};
use crate::messages::{id, members};

/// A user as it is, or as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct User {
    name: String,
    given: String,
}

/// What a server and its store have.
struct State {
    users: BTreeMap<String, User>,
    members: BTreeSet<(String, String)>,
}

/// Compares everything there is with everything the journal knows. `groups` were created beside it.
#[track_caller]
pub(super) fn verify(store: &StoreUrl, client: &mut Client, groups: &[String], journal: &Journal) {
    agree(store, client, groups, &journal.read());
}

/// The same with what is known at some point.
#[track_caller]
pub(super) fn agree(store: &StoreUrl, client: &mut Client, groups: &[String], known: &[(Intent, Outcome)]) {
    let state = State::read(client, groups);
    let mutations = state.compare(known) + groups.len();

    let ledger = Ledger::open(store);
    let audited = ledger.audit(TENANT);
    let done: Vec<u64> =
        audited.iter().filter(|entry| entry.entry.status < 300).map(|entry| entry.sequence).collect();
    assert_eq!(done.len(), mutations, "one audit entry for each mutation");
    let numbers = audited.iter().map(|entry| entry.number);
    assert!(numbers.eq(1..=audited.len() as u64), "the audit has gaps");
    assert!(done.is_sorted(), "the audit is out of order");
    let requests: BTreeSet<&str> = audited.iter().map(|entry| entry.entry.request.as_str()).collect();
    assert_eq!(requests.len(), audited.len(), "a request was audited twice");
    let changes = ledger.changes(TENANT);
    assert!(changes.iter().map(|change| change.sequence).eq(1..=changes.len() as u64), "the log has gaps");

    let persons: BTreeMap<String, Option<String>> =
        ledger.persons(TENANT).into_iter().map(|record| (record.id, record.person.first_name)).collect();
    let users: BTreeMap<String, Option<String>> =
        state.users.into_iter().map(|(id, user)| (id, Some(user.given))).collect();
    assert!(persons == users, "persons and users differ: {persons:?}\n{users:?}");

    if let StoreUrl::Sqlite(file) = store {
        assert_eq!(ledger::faults(file), Vec::<String>::new());
    }
}

impl State {
    fn read(client: &mut Client, groups: &[String]) -> Self {
        let mut users = BTreeMap::new();
        let first = "/Users?attributes=userName,name&count=1000&cursor";
        let mut path = first.to_owned();
        loop {
            let page = client.get(&path).expect(200);
            for user in page["Resources"].as_array().map_or(&[][..], Vec::as_slice) {
                let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                let there = User { name: text(&user["userName"]), given: text(&user["name"]["givenName"]) };
                users.insert(id(user), there);
            }
            match page["nextCursor"].as_str() {
                Some(next) => path = format!("{first}={next}"),
                None => break,
            }
        }
        let of = |group: &String| members(&client.get(&format!("/Groups/{group}")).expect(200));
        let pairs: Vec<(String, Vec<String>)> = groups.iter().cloned().zip(groups.iter().map(of)).collect();
        let members =
            pairs.into_iter().flat_map(|(group, ids)| ids.into_iter().map(move |id| (group.clone(), id)));
        Self { users, members: members.collect() }
    }

    /// Plays the journal, and where it does not know an outcome, looks. Gives the number of mutations.
    #[track_caller]
    fn compare(&self, journal: &[(Intent, Outcome)]) -> usize {
        let ids: BTreeMap<&str, &str> =
            self.users.iter().map(|(id, user)| (user.name.as_str(), id.as_str())).collect();
        assert_eq!(ids.len(), self.users.len(), "a user name is there twice");
        let mut users: BTreeMap<String, User> = BTreeMap::new();
        let mut members: BTreeSet<(String, String)> = BTreeSet::new();
        let mut mutations = 0;
        for (intent, outcome) in journal {
            let done = match outcome {
                Outcome::Done(_) => true,
                Outcome::Refused(_) => false,
                Outcome::Unknown(_) => self.has(intent, &ids),
            };
            if !done {
                continue;
            }
            mutations += 1;
            match intent {
                Intent::Create { name, given } => {
                    let id = match outcome {
                        Outcome::Done(Some(id)) => id.clone(),
                        _ => ids.get(name.as_str()).map(|id| (*id).to_owned()).unwrap_or_default(),
                    };
                    let user = User { name: name.clone(), given: given.clone() };
                    let before = users.insert(id, user);
                    assert_eq!(before, None, "an identifier was given twice");
                }
                Intent::Rename { id, given } => {
                    users.get_mut(id).expect("it was created").given.clone_from(given);
                }
                Intent::Join { group, id } => drop(members.insert((group.clone(), id.clone()))),
                Intent::Leave { group, id } => drop(members.remove(&(group.clone(), id.clone()))),
                Intent::Delete { id } => {
                    users.remove(id);
                    members.retain(|(_, member)| member != id);
                }
            }
        }
        differ("user", &users.into_iter().collect(), &self.users.clone().into_iter().collect());
        differ("membership", &members, &self.members);
        mutations
    }

    /// Whether something was done of which nobody knows. Nothing was done with that user afterwards.
    fn has(&self, intent: &Intent, ids: &BTreeMap<&str, &str>) -> bool {
        match intent {
            Intent::Create { name, .. } => ids.contains_key(name.as_str()),
            Intent::Rename { id, given } => self.users.get(id).is_some_and(|user| user.given == *given),
            Intent::Join { group, id } => self.members.contains(&(group.clone(), id.clone())),
            Intent::Leave { group, id } => !self.members.contains(&(group.clone(), id.clone())),
            Intent::Delete { id } => !self.users.contains_key(id),
        }
    }
}

#[track_caller]
fn differ<T: Ord + std::fmt::Debug>(what: &str, expected: &BTreeSet<T>, there: &BTreeSet<T>) {
    let lost: Vec<&T> = expected.difference(there).take(5).collect();
    let extra: Vec<&T> = there.difference(expected).take(5).collect();
    assert!(
        lost.is_empty() && extra.is_empty(),
        "{what}: acknowledged and not there {lost:?}; there and never acknowledged {extra:?}"
    );
}
