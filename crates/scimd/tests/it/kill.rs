//! The promise that every 2xx is durable: `kill -9` in the middle of sixteen writers, twenty times.
//!
//! Each writer keeps a journal of what it intended and what was acknowledged. What was acknowledged must be there
//! afterwards, what was not may be, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use serde_json::json;

use crate::http::{Client, patch_body};
use crate::ledger::Ledger;
use crate::messages::{group, id, members, op, user};
use crate::server::{Place, Server};

const WRITERS: usize = 16;
const KILLS: usize = 20;
/// Acknowledged writes before each kill.
const WRITES: usize = 160;
const GROUPS: usize = 4;

/// What all writers together know.
#[derive(Default)]
struct Journal {
    /// Identifier and name of each user whose creation was acknowledged.
    created: BTreeMap<String, String>,
    /// Names of users that may or may not exist.
    uncertain: BTreeSet<String>,
    /// Group and member of each membership that was acknowledged, and of each that may or may not exist.
    joined: BTreeSet<(usize, String)>,
    maybe_joined: BTreeSet<(usize, String)>,
}

enum Entry {
    Created { id: String, name: String },
    NotCreated { name: String },
    Joined { group: usize, id: String },
    NotJoined { group: usize, id: String },
}

#[test]
fn acknowledged_writes_survive_kill_9() {
    let place = Place::new("[limits]\nrequests_per_second = 1000000");
    let token = place.tenant("acme", "generic");
    let mut server = Server { process: place.serve(), place };
    let mut client = server.client("acme", &token);
    let create = |number| id(&client.post("/Groups", &group(&format!("g{number}"), &[])).expect(201));
    let groups: Vec<String> = (0..GROUPS).map(create).collect();

    let mut journal = Journal::default();
    let mut slowest = 0.0_f64;
    for round in 0..KILLS {
        let client = server.client("acme", &token);
        let (sender, receiver) = channel();
        let place = std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (client, sender, groups) = (client.clone(), sender.clone(), &groups);
                scope.spawn(move || write(&client, groups, &format!("r{round}w{writer}"), &sender));
            }
            drop(sender);
            let acknowledged = |entry: &Entry| matches!(entry, Entry::Created { .. } | Entry::Joined { .. });
            let mut seen = 0;
            let Server { process, place } = server;
            let mut process = Some(process);
            for entry in receiver {
                seen += usize::from(acknowledged(&entry));
                journal.note(entry);
                if seen >= WRITES
                    && let Some(process) = process.take()
                {
                    process.kill();
                }
            }
            assert!(process.is_none(), "the writers ended before the server was killed");
            place
        });
        let begun = Instant::now();
        server = Server { process: place.serve(), place };
        slowest = slowest.max(begun.elapsed().as_secs_f64());
        verify(&mut server.client("acme", &token), &groups, &journal);
        assert_eq!(
            Ledger::open(&server.place.database()).faults(),
            Vec::<String>::new(),
            "after kill {round}"
        );
    }

    let mut client = server.client("acme", &token);
    let users = client.get("/Users?count=0").expect(200)["totalResults"].as_u64().expect("a number");
    let memberships: usize =
        groups.iter().map(|group| members(&client.get(&format!("/Groups/{group}")).expect(200)).len()).sum();
    let audited = Ledger::open(&server.place.database()).audit("acme").len();
    assert_eq!(audited as u64, users + (GROUPS + memberships) as u64, "one audit entry for each change");
    println!(
        "{} acknowledged writes, {} uncertain, {KILLS} kills; ready again after {slowest:.3} s at most",
        journal.created.len() + journal.joined.len(),
        journal.uncertain.len() + journal.maybe_joined.len(),
    );
}

/// Creates users and puts them into groups until the server is gone.
fn write(client: &Client, groups: &[String], prefix: &str, journal: &Sender<Entry>) {
    let mut client = client.clone();
    for number in 0.. {
        let name = format!("{prefix}n{number}");
        let body = user(&name).to_string();
        let id = match client.call("POST", "/Users", &[], Some(body.as_bytes())) {
            Ok(answer) if answer.status == 201 => id(&answer.json()),
            // The first attempt was on a connection that broke, and the second found its work.
            Ok(answer) if answer.status == 409 => {
                let _ = journal.send(Entry::NotCreated { name });
                continue;
            }
            Ok(answer) => panic!("{}: {}", answer.status, answer.text()),
            Err(_) => return drop(journal.send(Entry::NotCreated { name })),
        };
        let _ = journal.send(Entry::Created { id: id.clone(), name });
        let group = number % groups.len();
        let body = patch_body(json!([op("add", "members", json!([{ "value": id }]))])).to_string();
        match client.call("PATCH", &format!("/Groups/{}", groups[group]), &[], Some(body.as_bytes())) {
            Ok(answer) if answer.status == 204 => drop(journal.send(Entry::Joined { group, id })),
            Ok(answer) => panic!("{}: {}", answer.status, answer.text()),
            Err(_) => return drop(journal.send(Entry::NotJoined { group, id })),
        }
    }
}

/// Acknowledged ⊆ state ⊆ acknowledged ∪ uncertain.
fn verify(client: &mut Client, groups: &[String], journal: &Journal) {
    let mut present = BTreeMap::new();
    let mut path = "/Users?attributes=userName&count=1000&cursor".to_owned();
    loop {
        let page = client.get(&path).expect(200);
        for user in page["Resources"].as_array().map_or(&[][..], Vec::as_slice) {
            present.insert(id(user), user["userName"].as_str().unwrap_or_default().to_owned());
        }
        match page["nextCursor"].as_str() {
            Some(next) => path = format!("/Users?attributes=userName&count=1000&cursor={next}"),
            None => break,
        }
    }
    for (id, name) in &journal.created {
        assert_eq!(present.get(id), Some(name), "an acknowledged user was lost");
    }
    for (id, name) in &present {
        let known = journal.created.contains_key(id) || journal.uncertain.contains(name);
        assert!(known, "{name} was never asked for");
    }
    for (number, group) in groups.iter().enumerate() {
        let here = members(&client.get(&format!("/Groups/{group}")).expect(200));
        let here: BTreeSet<(usize, String)> = here.into_iter().map(|id| (number, id)).collect();
        let of_this = |pair: &&(usize, String)| pair.0 == number;
        let lost: Vec<_> =
            journal.joined.iter().filter(of_this).filter(|pair| !here.contains(pair)).collect();
        assert!(lost.is_empty(), "acknowledged members were lost: {lost:?}");
        let extra =
            here.iter().find(|pair| !journal.joined.contains(pair) && !journal.maybe_joined.contains(pair));
        assert_eq!(extra, None, "a member was never asked for");
    }
}

impl Journal {
    fn note(&mut self, entry: Entry) {
        match entry {
            Entry::Created { id, name } => drop(self.created.insert(id, name)),
            Entry::NotCreated { name } => drop(self.uncertain.insert(name)),
            Entry::Joined { group, id } => drop(self.joined.insert((group, id))),
            Entry::NotJoined { group, id } => drop(self.maybe_joined.insert((group, id))),
        }
    }
}
