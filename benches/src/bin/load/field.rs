//! A server with users and groups on it, wherever it runs: what the scenarios play with.
//!
//! What is created over HTTP has names of its own, so that two runs are not in each other's way, and is deleted again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use scim_bench::people;
use scim_bench::world::Failure;
use serde_json::Value;
use tokio::runtime::Builder;

use crate::client::{Answer, Call, Client, Target};
use crate::drive::{Length, Plan, drive};
use crate::outcome::Outcome;
use crate::process::{Use, Watched};

/// How many users there are besides, who are in no group: members to add.
pub(crate) const RESERVE: usize = 256;

/// How many servers were filled over HTTP.
static FIELDS: AtomicUsize = AtomicUsize::new(0);

/// A server with users and groups on it.
pub(crate) struct Field {
    /// What figures name it.
    pub(crate) name: String,
    pub(crate) target: Target,
    pub(crate) watched: Option<Watched>,
    /// Identifiers of the people `first..`.
    pub(crate) users: Vec<String>,
    /// The number of the first person.
    pub(crate) first: usize,
    /// Groups by size, or why there are none.
    pub(crate) groups: Result<Vec<Group>, String>,
    /// Other tenants of the same server, with users alone.
    pub(crate) neighbours: Vec<Field>,
    /// Numbers of people that nobody has used.
    next: AtomicUsize,
    /// Paths of what was created and is to be deleted, if it is.
    created: Option<Mutex<Vec<String>>>,
}

/// A group that has its first `size` users as members.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) size: usize,
}

/// The sizes of groups that so many users allow.
pub(crate) fn group_sizes(users: usize) -> Vec<usize> {
    [10, 1000, 100_000].into_iter().filter(|size| *size <= users).collect()
}

/// Sends one request over a connection of its own.
pub(crate) fn ask(target: &Target, call: &Call) -> Result<Answer, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async { Client::new(target).answer(call).await }))
}

impl Field {
    /// A server of which nothing is known and on which nothing has to be deleted.
    pub(crate) fn new(name: &str, target: Target, watched: Option<Watched>) -> Self {
        Self {
            name: name.to_owned(),
            target,
            watched,
            users: Vec::new(),
            first: 0,
            groups: Ok(Vec::new()),
            neighbours: Vec::new(),
            next: AtomicUsize::new(1_000_000_000),
            created: None,
        }
    }

    /// Creates users and groups on a server.
    pub(crate) fn over_http(
        name: &str,
        target: &Target,
        watched: Option<Watched>,
        count: usize,
        connections: usize,
    ) -> Result<Self, Failure> {
        let mut field = Self::new(name, target.clone(), watched);
        // Neither another run's people nor those of another tenant, if it is the same, must be in the way.
        let part = FIELDS.fetch_add(1, Ordering::Relaxed);
        field.first = std::process::id() as usize * 1_000_000_000 + part * 100_000_000;
        field.next = AtomicUsize::new(field.first + count + RESERVE);
        field.created = Some(Mutex::default());
        let outcome = field.create_users(count + RESERVE, connections);
        if let Err(error) = outcome {
            field.clear(connections)?;
            return Err(error);
        }
        field.groups = group_sizes(count).into_iter().map(|size| field.create_group(size)).collect();
        Ok(field)
    }

    fn create_users(&mut self, count: usize, connections: usize) -> Result<(), Failure> {
        let ids = Mutex::new(vec![None; count]);
        let next = AtomicUsize::new(0);
        let plan = Plan {
            name: &format!("creating users on {}", self.name),
            connections,
            length: Length::Requests(count as u64),
            rate: None,
        };
        let outcome = drive(plan, &self.target, async |_, session| {
            while session.goes_on() {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return;
                }
                let call = Call::post("/Users", &people::user(self.first + number));
                let id = self.keep("/Users", &session.send("create", &call).await);
                if let (Some(slot), Ok(mut ids)) = (id, ids.lock())
                    && let Some(place) = ids.get_mut(number)
                {
                    *place = Some(slot);
                }
            }
        })?;
        self.users = ids.into_inner()?.into_iter().flatten().collect();
        if self.users.len() < count {
            let made = self.users.len();
            let why = outcome.first_refusal.unwrap_or_else(|| "no identifier in its answers".to_owned());
            return Err(format!("{} created {made} of {count} users: {why}", self.name).into());
        }
        Ok(())
    }

    fn create_group(&self, size: usize) -> Result<Group, String> {
        let name = format!("Group of {size}, {}", self.first);
        let members = self.users.get(..size).unwrap_or(&self.users);
        let answer = ask(&self.target, &Call::post("/Groups", &people::group(&name, members)));
        let answer = answer.map_err(|error| error.to_string())?;
        let id = self.keep("/Groups", &answer);
        let id = id.ok_or_else(|| format!("POST /Groups with {size} members: {}", answer.excerpt()))?;
        let found = self.members(&id).map_err(|error| error.to_string())?.map(|members| members.len());
        if found != Some(members.len()) {
            let found = found.map_or("no".to_owned(), |found| found.to_string());
            return Err(format!("a group that was created with {size} members has {found} members"));
        }
        Ok(Group { id, name, size })
    }

    /// The name of user `index`.
    pub(crate) fn user_name(&self, index: usize) -> String {
        people::user_name(self.first + index)
    }

    /// The number of the first of so many people whom nobody knows yet.
    pub(crate) fn strangers(&self, count: usize) -> usize {
        self.next.fetch_add(count, Ordering::Relaxed)
    }

    /// Remembers what was created below `path`, to delete it, and gives its identifier.
    pub(crate) fn keep(&self, path: &str, answer: &Answer) -> Option<String> {
        if !answer.succeeded() {
            return None;
        }
        let id = answer.id()?;
        self.remember(format!("{path}/{id}"));
        Some(id)
    }

    /// Remembers what was created, to delete it.
    pub(crate) fn remember(&self, path: String) {
        if let Some(Ok(mut created)) = self.created.as_ref().map(Mutex::lock) {
            created.push(path);
        }
    }

    /// Whether what is created has to be remembered.
    pub(crate) fn keeps(&self) -> bool {
        self.created.is_some()
    }

    /// Sends one request.
    pub(crate) fn ask(&self, call: &Call) -> Result<Answer, Failure> {
        ask(&self.target, call)
    }

    /// Runs something and says what the server used meanwhile, if it can be told.
    pub(crate) fn watch(
        &self,
        run: impl FnOnce() -> Result<Outcome, Failure>,
    ) -> Result<(Outcome, Option<Use>), Failure> {
        match self.watched {
            Some(watched) => {
                let (outcome, used) = watched.watch(run)?;
                Ok((outcome?, Some(used)))
            }
            None => Ok((run()?, None)),
        }
    }

    /// Deletes what was created over HTTP, groups first, since some servers do not let members go. Says how much is left.
    pub(crate) fn clear(&self, connections: usize) -> Result<u64, Failure> {
        let Some(created) = &self.created else { return Ok(0) };
        let created = std::mem::take(&mut *created.lock().map_err(|_| "a script has panicked")?);
        let (groups, users): (Vec<_>, Vec<_>) =
            created.into_iter().partition(|path| path.starts_with("/Groups"));
        let mut left = 0;
        for paths in [groups, users] {
            let next = AtomicUsize::new(0);
            let plan = Plan {
                name: &format!("deleting from {}", self.name),
                connections,
                length: Length::Requests(paths.len() as u64),
                rate: None,
            };
            let outcome = drive(plan, &self.target, async |_, session| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    session.send("delete", &Call::delete(path)).await;
                }
            })?;
            // What is not there any more is deleted.
            left += outcome.errors() - outcome.refusals.get(&404).unwrap_or(&0);
        }
        for neighbour in &self.neighbours {
            left += neighbour.clear(connections)?;
        }
        Ok(left)
    }

    /// Identifiers of a group's members. `None` when the server does not show them.
    pub(crate) fn members(&self, group: &str) -> Result<Option<Vec<String>>, Failure> {
        let answer = self.ask(&Call::get(format!("/Groups/{group}")))?;
        let body = answer.json();
        let members = match body.get("members") {
            Some(Value::Array(members)) => members.as_slice(),
            None | Some(Value::Null) if answer.succeeded() => &[],
            Some(_) | None => return Ok(None),
        };
        let ids = members.iter().map(|member| crate::client::identifier(member.get("value")?));
        Ok(ids.collect())
    }
}
