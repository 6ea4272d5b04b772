//! An identity provider: it goes over the customer's directory once a cycle, compares it with what it believes the server
//! to have, and sends the difference as Entra ID and Okta send it. What was refused differs still, and is sent again.

use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::TestCaseError;
use scim_core::schema::{ENTERPRISE_USER, GROUP};
use serde_json::{Map, Value, json};

use super::conversation::Conversation;
use super::customer::{Customer, Employee, HOME, MANAGER, PATHS, USER_NAME, User};
use super::message::{ACME_USER, known, patch, removed, resource};
use super::model::Change;

/// Which client it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Entra ID, with `?aadOptscim062020` or without.
    Entra { flagged: bool },
    /// Okta, with an application of the catalogue (PATCH for a few things) or of the wizard (PUT for everything).
    Okta { catalogue: bool },
}

/// Chooses among ways to say the same. From 0 it is always the first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape(pub(super) u64);

impl Shape {
    fn pick(&mut self, ways: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % ways.max(1)
    }
}

/// Somebody, or a group, that has an identifier at the server.
#[derive(Debug, Clone)]
struct Linked {
    id: String,
    /// What was accepted last.
    sent: User,
}

#[derive(Debug, Clone)]
struct LinkedTeam {
    id: String,
    name: String,
    members: BTreeSet<usize>,
    /// Who was refused. Whoever need not be in any more is taken out, as if they had got in.
    tried: BTreeSet<usize>,
}

/// The identity provider, with what it remembers.
pub(super) struct Provider {
    dialect: Dialect,
    shape: Shape,
    people: BTreeMap<usize, Linked>,
    teams: BTreeMap<usize, LinkedTeam>,
    /// Identifiers of those who were deleted here and not at the server.
    left: BTreeMap<usize, String>,
    /// Groups that were refused when they were created, which a replay may create.
    unborn: BTreeSet<usize>,
    /// What was refused of somebody. Entra ID sends what is there still, if that is what is to be in the end.
    tried: BTreeMap<usize, BTreeSet<&'static str>>,
}

type Outcome<T = ()> = Result<T, TestCaseError>;

impl Provider {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            shape: Shape(0),
            people: BTreeMap::new(),
            teams: BTreeMap::new(),
            left: BTreeMap::new(),
            unborn: BTreeSet::new(),
            tried: BTreeMap::new(),
        }
    }

    /// The identifier of somebody who was created.
    pub(super) fn id(&self, key: usize) -> Option<&str> {
        self.people.get(&key).map(|linked| linked.id.as_str())
    }

    /// Holds what the server gives back against what it took.
    pub(super) fn check(&self, wire: &mut Conversation<'_>) -> Outcome {
        for linked in self.people.values() {
            let body = wire.read(&format!("/Users/{}", linked.id))?;
            if known(&body) != linked.sent {
                return wire.fail(&format!("sent was\n{:?}\nand there is\n{body}", linked.sent));
            }
        }
        Ok(())
    }

    /// Learns what the server has by now.
    pub(super) fn refresh(&mut self, wire: &mut Conversation<'_>) -> Outcome {
        for linked in self.people.values_mut() {
            linked.sent = known(&wire.read(&format!("/Users/{}", linked.id))?);
        }
        for team in self.teams.values_mut() {
            let body = wire.read(&format!("/Groups/{}", team.id))?;
            team.name = body["displayName"].as_str().unwrap_or_default().to_owned();
            let members = body["members"].as_array().into_iter().flatten();
            let ids: BTreeSet<&str> = members.filter_map(|member| member["value"].as_str()).collect();
            let here = self.people.iter().map(|(key, linked)| (*key, linked.id.as_str()));
            let known = here.chain(self.left.iter().map(|(key, id)| (*key, id.as_str())));
            team.members = known.filter(|(_, id)| ids.contains(id)).map(|(key, _)| key).collect();
            team.tried = team.tried.difference(&team.members).copied().collect();
        }
        Ok(())
    }

    /// Those who are not in a group that they are to be in.
    pub(super) fn not_in_their_team(&self) -> BTreeSet<usize> {
        self.teams.values().flat_map(|team| team.tried.iter().copied()).collect()
    }

    /// One cycle.
    pub(super) fn cycle(&mut self, customer: &Customer, shape: u64, wire: &mut Conversation<'_>) -> Outcome {
        self.shape = Shape(shape);
        let mut people: Vec<&Employee> = customer.people.iter().flatten().collect();
        if self.shape.pick(2) == 1 {
            people.reverse();
        }
        let teams_first = self.shape.pick(4) == 1;
        if teams_first {
            self.all_teams(customer, wire)?;
        }
        let gone: Vec<usize> =
            self.people.keys().copied().filter(|key| customer.employee(*key).is_none()).collect();
        for key in gone {
            self.gone(key, wire)?;
        }
        for employee in people {
            match (self.people.get(&employee.key).cloned(), employee.assigned) {
                (None, true) => self.come(employee, wire)?,
                (Some(linked), true) => {
                    let desired = self.desired(customer, employee, &linked);
                    self.update(employee.key, &linked, &desired, wire)?;
                }
                (Some(linked), false) if linked.sent.active => self.leave(employee.key, &linked, wire)?,
                (_, false) => {}
            }
        }
        if !teams_first {
            self.all_teams(customer, wire)?;
        }
        Ok(())
    }

    /// What the server is to have of somebody.
    fn desired(&self, customer: &Customer, employee: &Employee, linked: &Linked) -> User {
        let mut desired = employee.user.clone();
        let manager = employee.manager.and_then(|place| customer.people[place].as_ref());
        // A manager who is not there yet waits for a later cycle.
        let manager = match manager {
            Some(manager) => match self.people.get(&manager.key) {
                Some(linked) => Some(linked.id.clone()),
                None => linked.sent.values.get(MANAGER).cloned(),
            },
            None => None,
        };
        desired.set(MANAGER, manager);
        desired
    }

    fn is_entra(&self) -> bool {
        matches!(self.dialect, Dialect::Entra { .. })
    }

    /// Somebody who is not linked: looked up, and created or adopted.
    fn come(&mut self, employee: &Employee, wire: &mut Conversation<'_>) -> Outcome {
        let user_name = employee.user.get(USER_NAME).unwrap_or_default();
        let found = wire.look_up("/Users", "userName", user_name, self.is_entra())?;
        match found {
            Some(id) if self.people.values().any(|linked| linked.id == id) => {
                wire.note("that is somebody else, so nothing is sent");
                Ok(())
            }
            Some(id) => {
                // It is theirs from now on, whatever becomes of what is sent.
                let sent = known(&wire.read(&format!("/Users/{id}"))?);
                self.inherit(&id, employee.key);
                let linked = Linked { id, sent };
                self.people.insert(employee.key, linked.clone());
                self.put(employee.key, &linked, &employee.user, wire)
            }
            None => {
                let body = self.creation(&employee.user);
                let change = Change::Create(employee.user.clone());
                if let Some(id) = wire.send("POST", "/Users", &body, &change)? {
                    self.people.insert(employee.key, Linked { id, sent: employee.user.clone() });
                }
                Ok(())
            }
        }
    }

    /// Whoever is adopted is in the groups that their predecessor was in.
    fn inherit(&mut self, id: &str, key: usize) {
        let Some(old) = self.left.iter().find(|(_, left)| *left == id).map(|(old, _)| *old) else { return };
        self.left.remove(&old);
        for team in self.teams.values_mut() {
            for keys in [&mut team.members, &mut team.tried] {
                if keys.remove(&old) {
                    keys.insert(key);
                }
            }
        }
    }

    fn creation(&mut self, user: &User) -> Value {
        let mut body = resource(user);
        if self.is_entra() {
            body["meta"] = json!({"resourceType": "User"});
            body["roles"] = json!([]);
            if self.shape.pick(3) == 1 {
                for unmapped in ["addresses", "phoneNumbers", "nickName", "manager"] {
                    body[unmapped] = Value::Null;
                }
            }
            if self.shape.pick(3) == 1 {
                body["active"] = json!("True");
            }
        } else {
            body["groups"] = json!([]);
            body["password"] = json!(format!("Zk4!{}", self.shape.pick(1000)));
        }
        body
    }

    fn update(
        &mut self,
        key: usize,
        linked: &Linked,
        desired: &User,
        wire: &mut Conversation<'_>,
    ) -> Outcome {
        if linked.sent == *desired {
            let tried = self.tried.remove(&key).filter(|_| self.is_entra()).unwrap_or_default();
            let again = tried.iter().filter_map(|path| Some((path, desired.get(path)?)));
            let again: Vec<Value> =
                again.map(|(path, value)| json!({"op": "Replace", "path": path, "value": value})).collect();
            if !again.is_empty() {
                self.write(key, &linked.id, "PATCH", &patch(Value::Array(again)), desired, wire)?;
            }
            return Ok(());
        }
        let Dialect::Entra { flagged } = self.dialect else {
            let mut linked = linked.clone();
            if !linked.sent.active
                && self.dialect == (Dialect::Okta { catalogue: true })
                && self.shape.pick(2) == 0
            {
                let back = User { active: true, ..linked.sent.clone() };
                let activation = patch(json!([{"op": "replace", "value": {"active": true}}]));
                // What is known of them is pushed by itself.
                if self.write(key, &linked.id, "PATCH", &activation, &back, wire)? {
                    linked.sent = back;
                }
                if linked.sent == *desired {
                    return Ok(());
                }
            }
            return self.put(key, &linked, desired, wire);
        };
        let mut without = desired.clone();
        without.set(MANAGER, linked.sent.values.get(MANAGER).cloned());
        let mut sent = linked.sent.clone();
        if sent != without {
            // On demand the flag is ignored, so that both come from one customer.
            let flagged = flagged && self.shape.pick(4) != 1;
            let operations = self.operations(&sent, &without, flagged);
            if !self.write(key, &linked.id, "PATCH", &patch(operations), &without, wire)? {
                return Ok(());
            }
            sent = without;
        }
        if sent == *desired {
            return Ok(());
        }
        let operation = match desired.get(MANAGER) {
            Some(manager) => {
                wire.refers(&linked.id, manager)?;
                let value = match self.shape.pick(3) {
                    0 => json!(manager),
                    1 => json!({"value": manager}),
                    _ => json!([{"$ref": format!("../Users/{manager}"), "value": manager}]),
                };
                let op = ["Add", "Replace"][self.shape.pick(2)];
                json!([{"op": op, "path": MANAGER, "value": value}])
            }
            None => self.removal(MANAGER),
        };
        self.write(key, &linked.id, "PATCH", &patch(operation), desired, wire).map(drop)
    }

    fn removal(&mut self, path: &str) -> Value {
        match self.shape.pick(2) {
            0 => json!([{"op": "Remove", "path": path}]),
            _ => json!([{"op": "Replace", "path": path, "value": ""}]),
        }
    }

    fn operations(&mut self, from: &User, to: &User, flagged: bool) -> Value {
        let mut operations = Vec::new();
        let mut rest = Map::new();
        if from.active != to.active {
            operations.push(match (flagged, to.active) {
                (true, active) => json!({"op": "replace", "path": "active", "value": active}),
                (false, active) => {
                    let text = if active { "True" } else { "False" };
                    json!({"op": "Replace", "path": "active", "value": text})
                }
            });
        }
        for path in from.values.keys().filter(|path| !to.values.contains_key(*path)) {
            operations.extend(self.removal(path).as_array().cloned().unwrap_or_default());
        }
        for (path, value) in &to.values {
            if from.get(path) == Some(value) {
                continue;
            }
            let whole = self.shape.pick(8) == 1;
            if flagged && !path.contains('[') {
                match path.rsplit_once(':') {
                    Some((urn, name)) if whole => {
                        rest.entry(urn).or_insert_with(|| json!({}))[name] = json!(value);
                    }
                    _ => drop(rest.insert((*path).to_owned(), json!(value))),
                }
                continue;
            }
            let op = ["Replace", "Add"][self.shape.pick(2)];
            let spelled = match self.shape.pick(8) {
                1 => format!("/{path}"),
                2 => path.replace(' ', "%20").replace('"', "%22"),
                3 if !path.contains(':') => path.replace("ame", "AME"),
                _ => (*path).to_owned(),
            };
            operations.push(match path.split_once('.') {
                Some(("name", part)) if whole => json!({"op": op, "path": "name", "value": {part: value}}),
                Some((_, "value")) if whole && *path == HOME && from.get(path).is_none() => {
                    json!({"op": "Add", "path": "emails", "value": [{"type": "home", "value": value}]})
                }
                _ if self.shape.pick(8) == 1 => json!({"op": op, "path": spelled, "value": [value]}),
                _ => json!({"op": op, "path": spelled, "value": value}),
            });
        }
        if !rest.is_empty() {
            operations.push(json!({"op": "replace", "value": rest}));
        }
        Value::Array(operations)
    }

    /// Replaces a User by what the server has with what is known merged in.
    fn put(&mut self, key: usize, linked: &Linked, desired: &User, wire: &mut Conversation<'_>) -> Outcome {
        let path = format!("/Users/{}", linked.id);
        let mut body = wire.read(&path)?;
        if self.is_entra() {
            // Entra ID knows what the server has from the look-up, and sends what differs.
            let there = known(&body);
            if there == *desired {
                return Ok(());
            }
            let operations = self.operations(&there, desired, false);
            return self.write(key, &linked.id, "PATCH", &patch(operations), desired, wire).map(drop);
        }
        let known = resource(desired);
        for name in [
            "name",
            "emails",
            ENTERPRISE_USER,
            ACME_USER,
            "displayName",
            "preferredLanguage",
            "locale",
            "title",
        ] {
            body.as_object_mut().map(|body| body.shift_remove(name));
        }
        for (name, value) in known.as_object().into_iter().flatten().filter(|(name, _)| *name != "schemas") {
            body[name] = value.clone();
        }
        self.write(key, &linked.id, "PUT", &body, desired, wire).map(drop)
    }

    /// Sends a change of somebody, and remembers it where it is accepted.
    fn write(
        &mut self,
        key: usize,
        id: &str,
        method: &str,
        body: &Value,
        to: &User,
        wire: &mut Conversation<'_>,
    ) -> Outcome<bool> {
        let from = self.people.get(&key).filter(|_| method == "PATCH").map(|linked| linked.sent.clone());
        let tried = from.as_ref().map(|from| PATHS.into_iter().filter(|path| from.get(path) != to.get(path)));
        let tried: BTreeSet<&'static str> = tried.into_iter().flatten().collect();
        let change = Change::Write { id: id.to_owned(), from, to: to.clone() };
        let done = wire.send(method, &format!("/Users/{id}"), body, &change)?.is_some();
        if done {
            self.tried.remove(&key);
            self.people.insert(key, Linked { id: id.to_owned(), sent: to.clone() });
        } else {
            self.tried.entry(key).or_default().extend(tried);
        }
        Ok(done)
    }

    /// Out of scope, or disabled.
    fn leave(&mut self, key: usize, linked: &Linked, wire: &mut Conversation<'_>) -> Outcome {
        let away = User { active: false, ..linked.sent.clone() };
        let body = match self.dialect {
            Dialect::Entra { flagged } => patch(self.operations(&linked.sent, &away, flagged)),
            Dialect::Okta { catalogue: true } => {
                patch(json!([{"op": "replace", "value": {"active": false}}]))
            }
            Dialect::Okta { catalogue: false } => return self.put(key, linked, &away, wire),
        };
        self.write(key, &linked.id, "PATCH", &body, &away, wire).map(drop)
    }

    /// Deleted for good, of which Okta says nothing but that they left.
    fn gone(&mut self, key: usize, wire: &mut Conversation<'_>) -> Outcome {
        let Some(linked) = self.people.get(&key).cloned() else { return Ok(()) };
        if !self.is_entra() {
            if linked.sent.active {
                self.leave(key, &linked, wire)?;
            }
            self.people.remove(&key);
            self.left.insert(key, linked.id);
            return Ok(());
        }
        let path = format!("/Users/{}", linked.id);
        wire.send("DELETE", &path, &Value::Null, &Change::Delete(linked.id))?;
        self.people.remove(&key);
        for team in self.teams.values_mut() {
            team.members.remove(&key);
            team.tried.remove(&key);
        }
        Ok(())
    }

    fn all_teams(&mut self, customer: &Customer, wire: &mut Conversation<'_>) -> Outcome {
        let exists = |key: &usize| customer.teams.iter().flatten().any(|team| team.key == *key);
        let gone: Vec<usize> = self.teams.keys().copied().filter(|key| !exists(key)).collect();
        for key in gone {
            if let Some(LinkedTeam { id, .. }) = self.teams.remove(&key) {
                wire.send(
                    "DELETE",
                    &format!("/Groups/{id}"),
                    &Value::Null,
                    &Change::DeleteGroup(id.clone()),
                )?;
            }
        }
        for (place, team) in customer.teams.iter().enumerate() {
            let Some(team) = team else { continue };
            let want = |of: &BTreeSet<usize>| -> BTreeSet<usize> {
                let people = customer.people.iter().flatten();
                let is_in = |one: &&Employee| {
                    let there = self.people.contains_key(&one.key);
                    one.teams.contains(&place) && there && (one.assigned || of.contains(&one.key))
                };
                people.filter(is_in).map(|one| one.key).collect()
            };
            match self.teams.get(&team.key).cloned() {
                Some(linked) => {
                    let want = want(&linked.members);
                    self.team(team.key, linked, &team.name, &want, wire)?;
                }
                None => {
                    let want = want(&BTreeSet::new());
                    self.new_team(team.key, &team.name, &want, wire)?;
                }
            }
        }
        Ok(())
    }

    fn new_team(
        &mut self,
        key: usize,
        name: &str,
        want: &BTreeSet<usize>,
        wire: &mut Conversation<'_>,
    ) -> Outcome {
        let found = wire.look_up("/Groups", "displayName", name, self.is_entra())?;
        if let Some(id) = found {
            if self.teams.values().any(|team| team.id == id) {
                wire.note("that is another group, so nothing is sent");
                return Ok(());
            }
            if !self.unborn.remove(&key) {
                return Err(TestCaseError::fail("a group was left behind"));
            }
            let (members, tried) = (BTreeSet::new(), BTreeSet::new());
            self.teams.insert(key, LinkedTeam { id, name: name.to_owned(), members, tried });
            self.refresh(wire)?;
            let linked = self.teams[&key].clone();
            return self.team(key, linked, name, want, wire);
        }
        let mut body = json!({"schemas": [GROUP], "displayName": name});
        let mut members = BTreeSet::new();
        if self.is_entra() {
            body["schemas"] =
                json!([GROUP, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"]);
            body["externalId"] = json!(format!("g{key}"));
            body["meta"] = json!({"resourceType": "Group"});
        } else {
            if self.shape.pick(2) == 1 {
                members.clone_from(want);
            }
            body["members"] = self.listed(&members);
        }
        let change = Change::CreateGroup { name: name.to_owned(), members: self.ids(&members) };
        if let Some(id) = wire.send("POST", "/Groups", &body, &change)? {
            let linked = LinkedTeam { id, name: name.to_owned(), members, tried: BTreeSet::new() };
            self.teams.insert(key, linked.clone());
            self.unborn.remove(&key);
            self.team(key, linked, name, want, wire)?;
        } else {
            self.unborn.insert(key);
        }
        Ok(())
    }

    fn ids(&self, keys: &BTreeSet<usize>) -> Vec<String> {
        let id = |key: &usize| self.id(*key).or(self.left.get(key).map(String::as_str)).map(str::to_owned);
        keys.iter().filter_map(id).collect()
    }

    fn listed(&self, keys: &BTreeSet<usize>) -> Value {
        let people = keys.iter().filter_map(|key| self.people.get(key));
        let member = |linked: &Linked| match self.dialect {
            Dialect::Entra { .. } => json!({"$ref": null, "value": linked.id}),
            Dialect::Okta { .. } => json!({"value": linked.id, "display": linked.sent.get(USER_NAME)}),
        };
        people.map(member).collect()
    }

    /// A group that is there: its name, and who is in it.
    fn team(
        &mut self,
        key: usize,
        mut linked: LinkedTeam,
        name: &str,
        want: &BTreeSet<usize>,
        wire: &mut Conversation<'_>,
    ) -> Outcome {
        let path = format!("/Groups/{}", linked.id);
        let add: BTreeSet<usize> = want.difference(&linked.members).copied().collect();
        let remove: BTreeSet<usize> =
            linked.members.union(&linked.tried).copied().filter(|one| !want.contains(one)).collect();
        let renamed = (linked.name != name).then(|| name.to_owned());
        if add.is_empty() && remove.is_empty() && renamed.is_none() {
            return Ok(());
        }
        let id = linked.id.clone();
        let change = move |name, set, add, remove| Change::Group { id: id.clone(), name, set, add, remove };
        let none = Vec::<String>::new;
        match self.dialect {
            Dialect::Okta { catalogue: false } => {
                let mut body = wire.read(&path)?;
                body["displayName"] = json!(name);
                body["members"] = self.listed(want);
                let change = change(Some(name.to_owned()), Some(self.ids(want)), none(), none());
                if wire.send("PUT", &path, &body, &change)?.is_some() {
                    linked = LinkedTeam {
                        name: name.to_owned(),
                        members: want.clone(),
                        tried: BTreeSet::new(),
                        ..linked
                    };
                } else {
                    linked.tried.extend(add);
                }
            }
            Dialect::Okta { catalogue: true } => {
                // The name comes along with every change of members.
                let body = patch(json!([{"op": "replace", "value": {"id": linked.id, "displayName": name}}]));
                if wire
                    .send("PATCH", &path, &body, &change(Some(name.to_owned()), None, none(), none()))?
                    .is_some()
                {
                    name.clone_into(&mut linked.name);
                }
                let now = self.shape.pick(4) == 1;
                let (body, change) = if now {
                    let body = json!([{"op": "replace", "path": "members", "value": self.listed(want)}]);
                    (body, change(None, Some(self.ids(want)), none(), none()))
                } else {
                    let mut operations: Vec<Value> = self.ids(&remove).iter().map(|id| removed(id)).collect();
                    if !add.is_empty() {
                        operations.push(json!({"op": "add", "path": "members", "value": self.listed(&add)}));
                    }
                    (Value::Array(operations), change(None, None, self.ids(&add), self.ids(&remove)))
                };
                if add.is_empty() && remove.is_empty() {
                } else if wire.send("PATCH", &path, &patch(body), &change)?.is_some() {
                    linked.members.clone_from(want);
                    linked.tried.clear();
                } else {
                    linked.tried.extend(add);
                }
            }
            Dialect::Entra { flagged } => {
                if let Some(name) = renamed {
                    let body = patch(json!([{"op": "Replace", "path": "displayName", "value": name}]));
                    if wire
                        .send("PATCH", &path, &body, &change(Some(name.clone()), None, none(), none()))?
                        .is_some()
                    {
                        linked.name = name;
                    }
                }
                let batch = 1 + self.shape.pick(3);
                let remove_first = self.shape.pick(2) == 0;
                for removing in [remove_first, !remove_first] {
                    let all: Vec<usize> = if removing { &remove } else { &add }.iter().copied().collect();
                    for some in all.chunks(batch) {
                        let some: BTreeSet<usize> = some.iter().copied().collect();
                        let (ids, listed) = (self.ids(&some), self.listed(&some));
                        let (operations, change) = match removing {
                            true if flagged => {
                                (ids.iter().map(|id| removed(id)).collect(), change(None, None, none(), ids))
                            }
                            true => (
                                json!([{"op": "Remove", "path": "members", "value": listed}]),
                                change(None, None, none(), ids),
                            ),
                            false => (
                                json!([{"op": "Add", "path": "members", "value": listed}]),
                                change(None, None, ids, none()),
                            ),
                        };
                        let done = wire.send("PATCH", &path, &patch(operations), &change)?.is_some();
                        for one in some {
                            match (removing, done) {
                                (true, true) => {
                                    linked.members.remove(&one);
                                    linked.tried.remove(&one);
                                }
                                (false, true) => {
                                    linked.members.insert(one);
                                    linked.tried.remove(&one);
                                }
                                (false, false) => drop(linked.tried.insert(one)),
                                (true, false) => {}
                            }
                        }
                    }
                }
            }
        }
        self.teams.insert(key, linked);
        Ok(())
    }
}
