//! The scenarios, for whatever server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use scim_bench::people;
use scim_bench::world::Failure;
use serde_json::{Value, json};

use crate::cli::{Cli, Scenario};
use crate::client::{Call, Client, Target};
use crate::drive::{Script, drive};
use crate::progress::Progress;
use crate::report::Report;
use crate::server::Scimd;

/// A server with users and groups on it.
pub(crate) struct Field {
    pub(crate) target: Target,
    /// Identifiers of the people `first..`.
    pub(crate) users: Vec<String>,
    pub(crate) groups: Vec<Group>,
    /// The number of the first person.
    pub(crate) first: usize,
}

/// A group that has its first `size` users as members.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) size: usize,
}

/// The sizes of groups that so many users allow.
pub(crate) fn group_sizes(users: usize) -> Vec<usize> {
    [10, 1000, 100_000].into_iter().filter(|size| *size <= users).collect()
}

/// How many users there are besides, who are in no group: members to add.
pub(crate) const RESERVE: usize = 256;

/// Runs the scenarios that were asked for.
pub(crate) fn run(
    cli: &Cli,
    field: &Field,
    server: Option<&Scimd>,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut measure = |name: &str, scripts: Vec<Box<dyn Script>>| {
        let (outcome, used) = match server {
            Some(server) => {
                let (outcome, used) = server.watch(|| drive(&field.target, cli.seconds, scripts, name))?;
                (outcome?, Some(used))
            }
            None => (drive(&field.target, cli.seconds, scripts, name)?, None),
        };
        report.add(name, outcome, used);
        Ok::<_, Failure>(())
    };
    if Scenario::Get.is_in(cli.scenario) {
        measure("GET /Users/{id}", field.get(cli.connections))?;
    }
    if Scenario::Filter.is_in(cli.scenario) {
        measure("GET /Users?filter=userName eq", field.filter(cli.connections))?;
    }
    if Scenario::List.is_in(cli.scenario) {
        measure("GET /Users, pages of 100", field.list(cli.connections))?;
    }
    if Scenario::Group.is_in(cli.scenario) {
        for group in &field.groups {
            measure(&format!("PATCH add member, group of {}", group.size), field.add_members(group, 16))?;
        }
    }
    let posted = Posted::default();
    if Scenario::Post.is_in(cli.scenario) {
        for writers in [1, 16, 64] {
            measure(&format!("POST /Users, {writers} writers"), posted.post(writers))?;
        }
    }
    if server.is_none() {
        posted.clear(&field.target)?;
    }
    Ok(())
}

impl Field {
    /// Reads random users by identifier.
    pub(crate) fn get(&self, connections: usize) -> Vec<Box<dyn Script>> {
        let users = Arc::new(self.users.clone());
        scripts(connections, |seed| {
            let (users, mut random) = (Arc::clone(&users), Random(seed));
            Box::new(move |call: &mut Call| {
                let id = users.get(random.below(users.len())).map_or("", String::as_str);
                read(call, |path| path.extend(["/Users/", id]));
            })
        })
    }

    /// Looks random users up by their name.
    pub(crate) fn filter(&self, connections: usize) -> Vec<Box<dyn Script>> {
        let (first, count) = (self.first, self.users.len());
        scripts(connections, |seed| {
            let mut random = Random(seed);
            Box::new(move |call: &mut Call| {
                let name = people::user_name(first + random.below(count));
                read(call, |path| path.extend(["/Users?filter=userName+eq+%22", &name, "%22"]));
            })
        })
    }

    /// Reads random pages.
    pub(crate) fn list(&self, connections: usize) -> Vec<Box<dyn Script>> {
        let count = self.users.len();
        scripts(connections, |seed| {
            let mut random = Random(seed);
            Box::new(move |call: &mut Call| {
                // Deep pages by number are slow everywhere; clients that walk use cursors.
                let start = (1 + random.below(count.min(1000))).to_string();
                read(call, |path| path.extend(["/Users?count=100&startIndex=", &start]));
            })
        })
    }

    /// Adds a member and takes it away again, which does not count.
    pub(crate) fn add_members(&self, group: &Group, connections: usize) -> Vec<Box<dyn Script>> {
        let path = format!("/Groups/{}", group.id);
        let spare: Vec<&String> = self.users.iter().rev().take(RESERVE).collect();
        let share = (spare.len() / connections.max(1)).max(1);
        let mut chunks = spare.chunks(share);
        scripts(connections, |_| {
            let members = chunks.next().unwrap_or(&spare).iter().map(|id| (*id).clone()).collect();
            Box::new(Membership { path: path.clone(), members, turn: 0 })
        })
    }

    /// Creates users and groups on a server that is not ours.
    pub(crate) fn over_http(target: &Target, count: usize) -> Result<Self, Failure> {
        let mut field = Self { target: target.clone(), users: Vec::new(), groups: Vec::new(), first: 0 };
        // Another run's people must not be in the way.
        field.first = std::process::id() as usize * 1_000_000;
        let mut client = Client::connect(target)?;
        let mut progress = Progress::new("creating users");
        for number in 0..count + RESERVE {
            field.users.push(create(&mut client, "/Users", &people::user(field.first + number))?);
            progress.show(number as f64 / count as f64, &format!("{number} users"));
        }
        for size in group_sizes(count) {
            let name = format!("Group of {size}, {}", field.first);
            let members = field.users.get(..size).unwrap_or_default();
            let id = create(&mut client, "/Groups", &people::group(&name, members))?;
            field.groups.push(Group { id, size });
        }
        Ok(field)
    }

    /// Deletes what [`Self::over_http`] created.
    pub(crate) fn clear(&self) -> Result<(), Failure> {
        let groups = self.groups.iter().map(|group| format!("/Groups/{}", group.id));
        delete(&self.target, groups.chain(self.users.iter().map(|id| format!("/Users/{id}"))).collect())
    }
}

/// People who are created while it is measured how fast that goes.
#[derive(Debug)]
pub(crate) struct Posted {
    first: usize,
    next: Arc<AtomicUsize>,
}

impl Default for Posted {
    fn default() -> Self {
        let first = 1_000_000_000 + std::process::id() as usize * 10_000_000;
        Self { first, next: Arc::new(AtomicUsize::new(first)) }
    }
}

impl Posted {
    /// Creates people that nobody knows yet.
    pub(crate) fn post(&self, connections: usize) -> Vec<Box<dyn Script>> {
        scripts(connections, |_| {
            let next = Arc::clone(&self.next);
            Box::new(move |call: &mut Call| {
                call.method = "POST";
                call.path = "/Users".to_owned();
                call.body = people::user(next.fetch_add(1, Ordering::Relaxed)).to_string();
            })
        })
    }

    /// Deletes them.
    fn clear(&self, target: &Target) -> Result<(), Failure> {
        let mut client = Client::connect(target)?;
        let mut paths = Vec::new();
        for number in self.first..self.next.load(Ordering::Relaxed) {
            let mut call = Call::default();
            let name = people::user_name(number);
            read(&mut call, |path| {
                path.extend(["/Users?attributes=id&filter=userName+eq+%22", &name, "%22"])
            });
            let found: Value = serde_json::from_slice(&client.answer(&call)?.body).unwrap_or_default();
            let id = found.pointer("/Resources/0/id").and_then(Value::as_str);
            paths.extend(id.map(|id| format!("/Users/{id}")));
        }
        delete(target, paths)
    }
}

/// Adds and removes members by turns.
struct Membership {
    path: String,
    members: Vec<String>,
    turn: usize,
}

impl Script for Membership {
    fn next(&mut self, call: &mut Call) -> bool {
        let member = self.members.get(self.turn / 2 % self.members.len().max(1)).map_or("", String::as_str);
        let adds = self.turn.is_multiple_of(2);
        self.turn += 1;
        call.method = "PATCH";
        call.path.clone_from(&self.path);
        call.body = if adds { people::add_member(member) } else { people::remove_member(member) }.to_string();
        adds
    }
}

fn scripts(connections: usize, mut make: impl FnMut(u64) -> Box<dyn Script>) -> Vec<Box<dyn Script>> {
    (1..=connections.max(1) as u64).map(|number| make(number.wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect()
}

fn read(call: &mut Call, fill: impl FnOnce(&mut String)) {
    call.method = "GET";
    call.path.clear();
    call.body.clear();
    fill(&mut call.path);
}

fn create(client: &mut Client, path: &str, body: &Value) -> Result<String, Failure> {
    let call = Call { method: "POST", path: path.to_owned(), body: body.to_string() };
    let answer = client.answer(&call)?;
    let resource: Value = serde_json::from_slice(&answer.body).unwrap_or(json!({}));
    let id = resource.get("id").and_then(Value::as_str).map(str::to_owned);
    id.filter(|_| answer.status == 201).ok_or_else(|| {
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        format!("POST {path}: {} {body}", answer.status).into()
    })
}

fn delete(target: &Target, paths: Vec<String>) -> Result<(), Failure> {
    let mut client = Client::connect(target)?;
    let mut progress = Progress::new("deleting what was created");
    let count = paths.len();
    for (index, path) in paths.into_iter().enumerate() {
        client.answer(&Call { method: "DELETE", path, body: String::new() })?;
        progress.show(index as f64 / count as f64, &format!("{index} of {count}"));
    }
    Ok(())
}

/// Numbers that look random enough to miss caches.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}
