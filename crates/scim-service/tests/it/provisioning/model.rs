//! What the server must hold and answer, as docs/policies.md and docs/operating.md tell it. It is slow and asks no code of the
//! server; what a tenant's rules make of one person is in [`super::rules`].

use std::collections::{BTreeMap, BTreeSet};

use scim_core::person::Person;

use super::customer::{EXTERNAL_ID, PATHS, USER_NAME, User};
use super::rules::{Mode, Policy, fold};

/// What is asked of the server, apart from how it is written.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Create(User),
    /// A whole User, or what differs from what the client believes to be there.
    Write {
        id: String,
        from: Option<User>,
        to: User,
    },
    Delete(String),
    CreateGroup {
        name: String,
        members: Vec<String>,
    },
    Group {
        id: String,
        name: Option<String>,
        set: Option<Vec<String>>,
        add: Vec<String>,
        remove: Vec<String>,
    },
    DeleteGroup(String),
}

/// What must become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    /// By the rules: about one of these, for these reasons.
    Refused(Vec<Subject>, Vec<&'static str>),
    /// Another resource has the name.
    Taken,
}

/// Whom a refusal is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Creation { user_name: String, external_id: String },
    User(String),
    NewGroup(String),
    Member { group: String, member: String },
}

#[derive(Debug, Clone)]
struct Group {
    name: String,
    /// With the number of the change by which they joined.
    members: BTreeMap<String, u64>,
    /// The number of its latest change.
    version: u64,
}

/// A refusal that nothing has settled.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// A later one is higher.
    pub(super) number: u64,
    pub(super) subject: Subject,
    pub(super) codes: Vec<&'static str>,
    pub(super) change: Change,
    /// The request, so that it is the same one when it comes again.
    pub(super) request: String,
    /// How many changes there were before it.
    after: u64,
}

/// What was let through, and said all the same.
#[derive(Debug, Clone)]
struct Remark {
    /// The User, or the group and the member.
    about: (String, Option<String>),
    subject: String,
    codes: Vec<&'static str>,
    /// Whether it comes of what is just carried out again. What is older settles nothing that is newer.
    fresh: bool,
}

/// What the server holds.
pub(super) struct Model {
    pub(super) policy: Policy,
    pub(super) unique_group_names: bool,
    users: BTreeMap<String, User>,
    groups: BTreeMap<String, Group>,
    /// Who had an address that somebody else has, when that became a rule.
    pub(super) unclaimed: BTreeSet<String>,
    pub(super) open: Vec<Refusal>,
    changes: u64,
    pub(super) refusals: u64,
    /// Nothing is settled that was refused after this one.
    last: u64,
    /// What was said of Users and memberships as they were last accepted.
    remarks: Vec<Remark>,
    /// Writes and refusals.
    pub(super) recorded: usize,
}

impl Model {
    pub(super) fn new(policy: Policy, unique_group_names: bool) -> Self {
        Self {
            policy,
            unique_group_names,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            unclaimed: BTreeSet::new(),
            open: Vec::new(),
            changes: 0,
            refusals: 0,
            last: u64::MAX,
            remarks: Vec::new(),
            recorded: 0,
        }
    }

    /// What must be answered.
    pub(super) fn answer(&self, change: &Change) -> Answer {
        match change {
            Change::Create(user) => self.judge(None, user),
            Change::Write { id, from, to } => self.judge(Some(id), &self.written(id, from.as_ref(), to)),
            Change::Delete(_) | Change::DeleteGroup(_) => Answer::Done,
            Change::CreateGroup { name, members } => {
                if self.is_named(name, None) {
                    return Answer::Taken;
                }
                let second = members.iter().filter(|member| self.is_in_another(member, None)).count();
                match second > 0 && self.policy.is_exclusive() {
                    true => {
                        Answer::Refused(vec![Subject::NewGroup(fold(name))], vec!["group-second"; second])
                    }
                    false => Answer::Done,
                }
            }
            Change::Group { id, name, set, add, .. } => {
                let joining = set.iter().flatten().chain(add);
                let second: Vec<Subject> = joining
                    .filter(|member| self.policy.is_exclusive() && self.is_in_another(member, Some(id)))
                    .map(|member| Subject::Member { group: id.clone(), member: member.clone() })
                    .collect();
                if !second.is_empty() {
                    // Everybody is named, so that all of them can be mended at once.
                    let codes = vec!["group-second"; second.len()];
                    return Answer::Refused(second, codes);
                }
                match name.as_ref().is_some_and(|name| self.is_named(name, Some(id))) {
                    true => Answer::Taken,
                    false => Answer::Done,
                }
            }
        }
    }

    fn judge(&self, id: Option<&String>, user: &User) -> Answer {
        let name = user.get(USER_NAME).unwrap_or_default();
        let subject = || match id {
            Some(id) => Subject::User(id.clone()),
            None => Subject::Creation {
                user_name: fold(name),
                external_id: user.get(EXTERNAL_ID).unwrap_or_default().to_owned(),
            },
        };
        let (_, said) = self.policy.judge(user);
        let errors = said.into_iter().filter(|(mode, _)| *mode == Mode::Enforce && user.active);
        let mut codes: Vec<&str> = errors.map(|(_, code)| code).collect();
        codes.sort_unstable();
        if !codes.is_empty() {
            return Answer::Refused(vec![subject()], codes);
        }
        let others = || self.users.iter().filter(|(other, _)| Some(*other) != id);
        if others().any(|(_, other)| fold(other.get(USER_NAME).unwrap_or_default()) == fold(name)) {
            return Answer::Taken;
        }
        if self.policy.email == Mode::Enforce && self.is_taken(id.map(String::as_str), user) {
            return Answer::Refused(vec![subject()], vec!["email-taken"]);
        }
        Answer::Done
    }

    fn is_named(&self, name: &str, but: Option<&String>) -> bool {
        let mut others = self.groups.iter().filter(|(id, _)| Some(*id) != but);
        self.unique_group_names && others.any(|(_, group)| fold(&group.name) == fold(name))
    }

    fn is_in_another(&self, member: &str, group: Option<&String>) -> bool {
        let is_in = |group: &String| self.groups.get(group).is_some_and(|it| it.members.contains_key(member));
        !group.is_some_and(is_in)
            && self.groups.iter().any(|(id, it)| Some(id) != group && it.members.contains_key(member))
    }

    /// What was refused, about one of those that it could be about.
    pub(super) fn refuse(
        &mut self,
        subject: Subject,
        codes: Vec<&'static str>,
        change: &Change,
        request: String,
    ) {
        self.recorded += 1;
        self.refusals += 1;
        self.open.retain(|open| (&open.subject, &open.request) != (&subject, &request));
        let (number, after) = (self.refusals, self.changes);
        self.open.push(Refusal { number, subject, codes, change: change.clone(), request, after });
    }

    /// What an operator has carried out again, oldest first. Whoever is created by it is asked for, and so is which one of
    /// several a refusal tells about.
    pub(super) fn replay(
        &mut self,
        created: impl Fn(&Change) -> String,
        told: impl Fn(&[Subject]) -> Option<Subject>,
    ) {
        let mut own: BTreeMap<String, u64> = BTreeMap::new();
        for Refusal { number, subject, change, after, .. } in self.open.clone() {
            if !self.open.iter().any(|open| open.number == number) {
                continue;
            }
            self.last = number;
            let is_gone = match (&subject, &change) {
                (Subject::Member { member, .. }, _) => !self.users.contains_key(member),
                // Somebody of the same source is there by now.
                (_, Change::Create(user)) => {
                    self.users.values().any(|other| other.get(EXTERNAL_ID) == user.get(EXTERNAL_ID))
                }
                _ => false,
            };
            // More than a single member would undo what happened to the group since.
            let is_overtaken = match &change {
                Change::Group { id, name, set, add, remove } => {
                    let is_single = name.is_none() && set.is_none() && add.len() + remove.len() == 1;
                    let version = self.groups.get(id).map_or(0, |group| group.version);
                    !is_single && version > after.max(own.get(id).copied().unwrap_or(0))
                }
                _ => false,
            };
            let answer = self.answer(&change);
            match answer {
                _ if is_overtaken && !is_gone => {}
                Answer::Done if !is_gone => {
                    self.settle(|of| *of == subject);
                    let id = created(&change);
                    self.apply(&change, &id);
                    if let Change::Group { id, .. } = &change {
                        own.insert(id.clone(), self.groups.get(id).map_or(0, |group| group.version));
                    }
                }
                Answer::Refused(subjects, codes) if !is_gone => {
                    self.recorded += 1;
                    for open in self.open.iter_mut().filter(|open| open.number == number) {
                        open.codes.clone_from(&codes);
                        open.subject = told(&subjects).unwrap_or(subject.clone());
                    }
                }
                _ => drop(self.settle(|of| *of == subject)),
            }
        }
        self.last = u64::MAX;
        self.remarks.iter_mut().for_each(|remark| remark.fresh = false);
    }

    /// A User as it will be.
    fn written(&self, id: &str, from: Option<&User>, to: &User) -> User {
        let (Some(from), Some(current)) = (from, self.users.get(id)) else { return to.clone() };
        let mut user = current.clone();
        for path in PATHS.into_iter().filter(|path| from.get(path) != to.get(path)) {
            user.set(path, to.get(path).map(str::to_owned));
        }
        if from.active != to.active {
            user.active = to.active;
        }
        user
    }

    /// What was done, to a new resource of this identifier.
    pub(super) fn apply(&mut self, change: &Change, new: &str) {
        self.changes += 1;
        let now = self.changes;
        match change {
            Change::Create(user) => {
                let name = format!("userName:{}", fold(user.get(USER_NAME).unwrap_or_default()));
                self.remark(new, name, user);
                self.write(new, user);
            }
            Change::Write { id, from, to } => {
                let user = self.written(id, from.as_ref(), to);
                if from.is_some() && self.users.get(id) == Some(&user) {
                    // Nothing happens and nothing is said, but what was refused is meant no more.
                    self.settle(|subject| *subject == Subject::User(id.clone()));
                    return;
                }
                self.remark(id, id.clone(), &user);
                let recorded = self.recorded;
                self.write(id, &user);
                // A whole User is recorded, whatever it was before.
                self.recorded = self.recorded.max(recorded + usize::from(from.is_none()));
            }
            Change::Delete(id) => {
                self.forget(|(about, member)| member.as_ref().unwrap_or(about) == id);
                if let Some(user) = self.users.remove(id) {
                    self.settle(|subject| is_about(subject, id, &user));
                }
                self.unclaimed.remove(id);
                for group in self.groups.values_mut() {
                    if group.members.remove(id).is_some() {
                        group.version = now;
                    }
                }
                self.recorded += 1;
            }
            Change::CreateGroup { name, members } => {
                let members: BTreeMap<_, _> = members.iter().map(|member| (member.clone(), now)).collect();
                self.remark_members(new, members.keys().cloned());
                self.groups.insert(new.to_owned(), Group { name: name.clone(), members, version: now });
                self.settle(|subject| *subject == Subject::NewGroup(fold(name)));
                self.recorded += 1;
            }
            Change::Group { id, name, set, add, remove } => {
                self.forget(|(group, member)| {
                    let is_named =
                        |member: &String| set.is_some() || add.contains(member) || remove.contains(member);
                    group == id && member.as_ref().is_some_and(is_named)
                });
                self.remark_members(id, set.iter().flatten().chain(add).cloned());
                let Some(group) = self.groups.get_mut(id) else { return };
                let before = (group.name.clone(), group.members.keys().cloned().collect::<Vec<_>>());
                if let Some(name) = name {
                    group.name.clone_from(name);
                }
                if let Some(set) = set {
                    group.members.retain(|member, _| set.contains(member));
                }
                group.members.retain(|member, _| !remove.contains(member));
                for member in set.iter().flatten().chain(add) {
                    group.members.entry(member.clone()).or_insert(now);
                }
                let after = (group.name.clone(), group.members.keys().cloned().collect());
                if before != after {
                    group.version = now;
                }
                let about = |named: &String| set.is_some() || add.contains(named) || remove.contains(named);
                self.settle(
                    |subject| matches!(subject, Subject::Member { group, member } if group == id && about(member)),
                );
                // What is said of members is recorded, whoever they were before.
                let names_members = set.is_some() || !add.is_empty() || !remove.is_empty();
                self.recorded += usize::from(before != after || names_members);
            }
            Change::DeleteGroup(id) => {
                self.groups.remove(id);
                self.forget(|about| about.0 == *id);
                self.settle(|subject| matches!(subject, Subject::Member { group, .. } if group == id));
                self.recorded += 1;
            }
        }
    }

    /// What is against rules that nobody is held to, or not while somebody leaves.
    fn remark(&mut self, id: &str, subject: String, user: &User) {
        let (_, said) = self.policy.judge(user);
        let heard = said.into_iter().filter(|(mode, _)| *mode != Mode::Off);
        let mut codes: Vec<&str> = heard.map(|(_, code)| code).collect();
        codes.sort_unstable();
        let about = (id.to_owned(), None);
        self.forget(|of| *of == about);
        if !codes.is_empty() {
            let fresh = self.last != u64::MAX;
            self.remarks.push(Remark { about, subject, codes, fresh });
        }
    }

    /// Settles remarks.
    fn forget(&mut self, is_about: impl Fn(&(String, Option<String>)) -> bool) {
        self.remarks.retain(|remark| remark.fresh || !is_about(&remark.about));
    }

    fn remark_members(&mut self, group: &str, members: impl Iterator<Item = String>) {
        if self.policy.group != Mode::Warn || self.policy.conflict != "refuse" || self.policy.by_department {
            return;
        }
        for member in members {
            let others =
                self.groups.iter().filter(|(id, it)| *id != group && it.members.contains_key(&member));
            let others = others.count();
            if others > 0 {
                let subject = format!("{group}/{member}");
                let (about, codes) = ((group.to_owned(), Some(member)), vec!["group-second"; others]);
                let fresh = self.last != u64::MAX;
                self.remarks.push(Remark { about, subject, codes, fresh });
            }
        }
    }

    /// Whom something was said about that was let through, and what.
    pub(super) fn remarks(&self) -> Vec<(String, Vec<&'static str>)> {
        self.remarks.iter().map(|remark| (remark.subject.clone(), remark.codes.clone())).collect()
    }

    /// Whether another active person has the address.
    fn is_taken(&self, id: Option<&str>, user: &User) -> bool {
        let (person, _) = self.policy.judge(user);
        let mut others = self.users.iter().filter(|(other, _)| Some(other.as_str()) != id);
        let has = |(id, other): (&String, &User)| {
            let (other, _) = self.policy.judge(other);
            let is_same = other.email.as_deref().map(fold) == person.email.as_deref().map(fold);
            other.active && is_same && !self.unclaimed.contains(id)
        };
        person.active && person.email.is_some() && others.any(has)
    }

    /// The Users that are against rules, as somebody is told who puts them in force.
    pub(super) fn against(&self) -> BTreeMap<String, Vec<&'static str>> {
        let said = |(id, user): (&String, &User)| {
            let (_, said) = self.policy.judge(user);
            let errors = said.into_iter().filter(|(mode, _)| *mode == Mode::Enforce && user.active);
            let mut codes: Vec<&str> = errors.map(|(_, code)| code).collect();
            codes.sort_unstable();
            (!codes.is_empty()).then(|| (id.clone(), codes))
        };
        self.users.iter().filter_map(said).collect()
    }

    fn write(&mut self, id: &str, user: &User) {
        let settled = self.settle(|subject| is_about(subject, id, user));
        self.unclaimed.remove(id);
        let before = self.users.insert(id.to_owned(), user.clone());
        self.recorded += usize::from(before.as_ref() != Some(user) || settled);
    }

    /// Settles refusals, and says whether there were any.
    fn settle(&mut self, is_about: impl Fn(&Subject) -> bool) -> bool {
        let before = self.open.len();
        self.open.retain(|refusal| refusal.number > self.last || !is_about(&refusal.subject));
        self.open.len() < before
    }

    /// Every person, by identifier.
    pub(super) fn persons(&self) -> BTreeMap<String, Person> {
        let person = |(id, user): (&String, &User)| {
            let (mut person, _) = self.policy.judge(user);
            if !self.policy.by_department {
                let groups = self.groups.values();
                let joined = groups.filter_map(|group| Some((*group.members.get(id)?, &group.name)));
                let group = if self.policy.conflict == "latest" { joined.max() } else { joined.min() };
                person.user_group = group.map(|(_, name)| name.clone());
            }
            (id.clone(), person)
        };
        self.users.iter().map(person).collect()
    }
}

/// Whether something is about a User that is there: by its identifier, or by the name of whoever was to be created.
fn is_about(subject: &Subject, id: &str, user: &User) -> bool {
    match subject {
        Subject::User(of) => of == id,
        Subject::Creation { user_name, .. } => {
            user.get(USER_NAME).is_some_and(|name| fold(name) == *user_name)
        }
        Subject::NewGroup(_) | Subject::Member { .. } => false,
    }
}
