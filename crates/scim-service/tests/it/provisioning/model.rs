//! What a tenant's rules come to, as docs/policies.md and docs/operating.md tell it, and nothing besides: no code of the
//! server is asked. It is slow, and knows of addresses, languages and degrees only what [`super::customer`] writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use proptest::prelude::*;
use scim_core::person::{Gender, Person};

use super::customer::{
    DEPARTMENT, DISPLAY_NAME, EXTERNAL_ID, FAMILY, GENDER, GIVEN, HOME, LOCALE, PREFERRED, PREFIX, TITLE,
    USER_NAME, User, WORK,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Enforce,
    Warn,
    Off,
}

/// The rules that are in force, drawn at random.
#[derive(Clone)]
pub(super) struct Policy {
    email: Mode,
    prefer: &'static [&'static str],
    domain: Mode,
    domains: &'static [&'static str],
    subdomains: bool,
    collective: Mode,
    allow: &'static [&'static str],
    deny: &'static [&'static str],
    language: Mode,
    default: Option<&'static str>,
    supported: Option<&'static [&'static str]>,
    group: Mode,
    conflict: &'static str,
    by_department: bool,
    gender: Mode,
    canonical: bool,
    required: Mode,
    fields: &'static [&'static str],
}

/// What is asked of the server, apart from how it is written.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Create(User),
    Write(String, User),
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
}

/// A refusal that nothing has settled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Refusal {
    pub(super) subject: Subject,
    pub(super) codes: Vec<&'static str>,
    /// The request, so that it is the same one when it comes again.
    pub(super) request: String,
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
    /// What was said of Users when they were last accepted, by what they were known by then.
    pub(super) remarks: BTreeMap<String, (String, Vec<&'static str>)>,
    /// Writes and refusals.
    pub(super) recorded: usize,
}

fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// The languages of a text, best first, in full. Nothing where it is none.
fn languages(text: &str) -> Vec<&'static str> {
    match text {
        "de" | "DE" | "deu" | "German" => vec!["de"],
        "en_US" | "en-US" => vec!["en-US"],
        "de-DE,de;q=0.9,en;q=0.8" => vec!["de-DE", "de", "en"],
        "it-IT,it;q=0.9,en-GB;q=0.7" => vec!["it-IT", "it", "en-GB"],
        "fr-CA" => vec!["fr-CA"],
        "fr_FR" => vec!["fr-FR"],
        "pt-PT" => vec!["pt-PT"],
        "de-CH" => vec!["de-CH"],
        _ => vec![],
    }
}

fn base(language: &str) -> &str {
    language.split('-').next().unwrap_or(language)
}

/// An address as a person has it, with what stands before and after the `@`. Nothing where it is none.
fn address(text: &str) -> Option<(String, String, String)> {
    let (local, domain) = text.split_once('@')?;
    let domain = domain.to_lowercase().replace("bücher", "xn--bcher-kva");
    let is_one = !local.is_empty() && !domain.contains("..") && !domain.contains('@');
    is_one.then(|| (format!("{local}@{domain}"), local.to_owned(), domain))
}

fn is_known_collective(local: &str) -> Option<&'static str> {
    match fold(local).as_str() {
        "info" => Some("info"),
        "kontakt+web" => Some("kontakt"),
        "hr-team2" => Some("hr"),
        "post" => Some("post"),
        "office" => Some("office"),
        _ => None,
    }
}

impl Policy {
    /// The person that comes of a User, its user group apart, and what is said against it, by rule.
    fn judge(&self, user: &User) -> (Person, Vec<(Mode, &'static str)>) {
        let mut said = Vec::new();
        let text = |path: &str| user.get(path).map(str::trim).filter(|text| !text.is_empty());
        let (first, last) = (text(GIVEN), text(FAMILY));

        let chosen = self.prefer.iter().find_map(|&preference| match preference {
            "userName" => text(USER_NAME).filter(|name| name.contains('@')),
            "home" => text(HOME),
            "any" => text(WORK).or(text(HOME)),
            _ => text(WORK),
        });
        let read = chosen.and_then(address);
        if chosen.is_some() && read.is_none() {
            said.push((self.email, "email-syntax"));
        }
        let is_allowed = |whole: &str, local: &str| {
            self.allow.iter().any(|allowed| fold(allowed) == fold(whole) || fold(allowed) == fold(local))
        };
        if let Some((whole, local, domain)) = &read {
            let below = |listed: &str| self.subdomains && domain.ends_with(&format!(".{listed}"));
            let listed = self.domains.iter().map(|listed| listed.replace("bücher", "xn--bcher-kva"));
            if !listed.into_iter().any(|listed| *domain == listed || below(&listed)) {
                said.push((self.domain, "domain-not-listed"));
            }
            let denied =
                self.deny.iter().any(|denied| fold(denied) == fold(local) || fold(denied) == fold(whole));
            let name = [first, last].map(|name| fold(name.unwrap_or_default()));
            // A family name alone may be a mailbox's.
            let is_own = |word: &str| first.is_some() && last.is_some() && name.iter().any(|own| own == word);
            let known = is_known_collective(local).is_some_and(|word| !is_own(word));
            if !is_allowed(whole, local) && (denied || known) {
                said.push((self.collective, "collective-address"));
            } else if !is_allowed(whole, local)
                && (first.is_none() || last.is_none())
                && text(DISPLAY_NAME).is_some_and(|name| name.starts_with("Team "))
            {
                said.push((self.collective, "shared-mailbox"));
            }
        }

        let preferences = text(PREFERRED).or(text(LOCALE));
        let spoken = |language: &&str| {
            self.supported.is_none_or(|all| all.iter().any(|known| base(known) == base(language)))
        };
        let known = preferences.map(languages).unwrap_or_default();
        let language = known.iter().copied().find(spoken);
        match (preferences, known.is_empty(), language) {
            (Some(_), true, _) => said.push((self.language, "language-unreadable")),
            // Nobody is refused for that.
            (Some(_), false, None) if self.language != Mode::Off => {
                said.push((Mode::Warn, "language-unsupported"))
            }
            _ => {}
        }
        let language = language.or(self.default);

        let degree = match (text(PREFIX), self.canonical) {
            (Some("Dr." | "Frau Dr."), _) => Some("Dr."),
            (Some("prof dr med"), true) => Some("Prof. Dr. med."),
            (Some("prof dr med"), false) => Some("prof dr med"),
            _ => None,
        };

        let gender = text(GENDER).map(|word| match word.to_lowercase().as_str() {
            "m" => Gender::Male,
            "w" => Gender::Female,
            "x" | "diverse" => Gender::Diverse,
            _ => {
                said.push((self.gender, "gender-unmapped"));
                Gender::Unknown
            }
        });

        let person = Person {
            first_name: first.map(str::to_owned),
            last_name: last.map(str::to_owned),
            email: read.map(|(whole, _, _)| whole),
            gender,
            academic_degree: degree.map(str::to_owned),
            language: language.map(|language| base(language).to_owned()),
            locale: language.map(str::to_owned),
            user_group: text(DEPARTMENT).filter(|_| self.by_department).map(str::to_owned),
            active: user.active,
            extra: text(TITLE).map(|title| ("job".to_owned(), title.to_owned())).into_iter().collect(),
        };
        for field in self.fields {
            let lacks = match *field {
                "first_name" => person.first_name.is_none(),
                "last_name" => person.last_name.is_none(),
                // What was refused already is not missing besides.
                "email" => person.email.is_none() && !said.contains(&(Mode::Enforce, "email-syntax")),
                _ => self.by_department && person.user_group.is_none(),
            };
            if lacks {
                said.push((self.required, "required-missing"));
            }
        }
        (person, said)
    }

    /// Whether whoever is in a group cannot join another one.
    fn is_exclusive(&self) -> bool {
        self.group == Mode::Enforce && self.conflict == "refuse" && !self.by_department
    }

    /// The person that must come of somebody in the end.
    pub(super) fn person(&self, user: &User, team: Option<&str>) -> Person {
        let (mut person, _) = self.judge(user);
        if !self.by_department {
            person.user_group = team.map(str::to_owned);
        }
        person
    }

    pub(super) fn toml(&self) -> String {
        let mode = |mode: Mode| match mode {
            Mode::Enforce => "\"enforce\"",
            Mode::Warn => "\"warn\"",
            Mode::Off => "\"off\"",
        };
        let mut text = format!("[mapping]\nundeclared = \"accept\"\ngender = {GENDER:?}\n");
        if self.by_department {
            writeln!(text, "user_group = {DEPARTMENT:?}").expect("memory");
        }
        writeln!(text, "[mapping.fields]\njob = {TITLE:?}").expect("memory");
        for (section, of) in [
            ("email", self.email),
            ("domain", self.domain),
            ("collective", self.collective),
            ("language", self.language),
            ("group", self.group),
            ("gender", self.gender),
            ("degree", Mode::Warn),
            ("required", self.required),
        ] {
            writeln!(text, "[{section}]\nmode = {}", mode(of)).expect("memory");
            match section {
                "email" => writeln!(text, "prefer = {:?}", self.prefer),
                "domain" => writeln!(text, "allow = {:?}\nsubdomains = {}", self.domains, self.subdomains),
                "collective" => writeln!(text, "allow = {:?}\ndeny = {:?}", self.allow, self.deny),
                "language" => {
                    let default = self.default.map(|default| format!("default = {default:?}\n"));
                    let supported = self.supported.map(|all| format!("supported = {all:?}\n"));
                    write!(text, "{}{}", default.unwrap_or_default(), supported.unwrap_or_default())
                }
                "group" => writeln!(text, "on_conflict = {:?}", self.conflict),
                "gender" => {
                    writeln!(text, "vocabulary = {{ m = \"male\", w = \"female\", x = \"diverse\" }}")
                }
                "degree" => writeln!(text, "canonical = {}", self.canonical),
                _ => writeln!(text, "fields = {:?}", self.required_fields()),
            }
            .expect("memory");
        }
        text
    }

    /// A user group that comes from memberships cannot be required.
    fn required_fields(&self) -> Vec<&str> {
        self.fields.iter().copied().filter(|field| *field != "user_group" || self.by_department).collect()
    }
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
            remarks: BTreeMap::new(),
            recorded: 0,
        }
    }

    /// What must be answered.
    pub(super) fn answer(&self, change: &Change) -> Answer {
        match change {
            Change::Create(user) => self.judge(None, user),
            Change::Write(id, user) => self.judge(Some(id), user),
            Change::Delete(_) | Change::DeleteGroup(_) => Answer::Done,
            Change::CreateGroup { name, members } => {
                if self.is_named(name, None) {
                    return Answer::Taken;
                }
                let second = members.iter().any(|member| self.is_in_another(member, None));
                match second && self.policy.is_exclusive() {
                    true => Answer::Refused(vec![Subject::NewGroup(fold(name))], vec!["group-second"]),
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
                    return Answer::Refused(second, vec!["group-second"]);
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
    pub(super) fn refuse(&mut self, subject: Subject, codes: Vec<&'static str>, request: String) {
        let refusal = Refusal { subject, codes, request };
        self.recorded += 1;
        self.open.retain(|open| (&open.subject, &open.request) != (&refusal.subject, &refusal.request));
        self.open.push(refusal);
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
            Change::Write(id, user) => {
                self.remark(id, id.clone(), user);
                self.write(id, user);
            }
            Change::Delete(id) => {
                self.remarks.remove(id);
                if let Some(user) = self.users.remove(id) {
                    self.settle(|subject| is_about(subject, id, &user));
                }
                self.unclaimed.remove(id);
                self.groups.values_mut().for_each(|group| {
                    group.members.remove(id);
                });
                self.recorded += 1;
            }
            Change::CreateGroup { name, members } => {
                let members = members.iter().map(|member| (member.clone(), now)).collect();
                self.groups.insert(new.to_owned(), Group { name: name.clone(), members });
                self.settle(|subject| *subject == Subject::NewGroup(fold(name)));
                self.recorded += 1;
            }
            Change::Group { id, name, set, add, remove } => {
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
        self.remarks.remove(id);
        if !codes.is_empty() {
            self.remarks.insert(id.to_owned(), (subject, codes));
        }
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
        self.open.retain(|refusal| !is_about(&refusal.subject));
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

pub(super) fn policy() -> impl Strategy<Value = Policy> {
    let mode = || prop_oneof![3 => Just(Mode::Enforce), 1 => Just(Mode::Warn), 1 => Just(Mode::Off)];
    let one = |all: &'static [&'static [&'static str]]| proptest::sample::select(all);
    let modes = (mode(), mode(), mode(), mode(), mode(), mode(), mode());
    let email = one(&[
        &["work", "primary", "any", "userName"],
        &["home", "work", "userName"],
        &["primary", "work"],
        &["userName"],
    ]);
    let domains = one(&[&["example.com"], &["example.com", "example.org", "bücher.example"]]);
    let lists = (one(&[&[], &["info@example.com", "office"]]), one(&[&[], &["pinguin"]]));
    let speaks = prop_oneof![
        Just(None),
        Just(Some(["de", "en"].as_slice())),
        Just(Some(["de", "en-GB", "pt-BR"].as_slice()))
    ];
    let language = (proptest::sample::select(&[Some("de"), None, Some("en-GB")][..]), speaks);
    let conflict = proptest::sample::select(&["refuse", "refuse", "latest", "first"][..]);
    let fields = one(&[&[], &["first_name", "last_name", "email"], &["email"], &["user_group", "last_name"]]);
    let flags = (any::<bool>(), proptest::bool::weighted(0.25), any::<bool>());
    (modes, email, domains, lists, language, conflict, fields, flags).prop_map(
        |(modes, prefer, domains, (allow, deny), (default, supported), conflict, fields, flags)| {
            let (email, domain, collective, language, group, gender, required) = modes;
            let (subdomains, by_department, canonical) = flags;
            // A section that requires nothing is refused.
            let required = if fields.is_empty() { Mode::Off } else { required };
            Policy {
                email,
                prefer,
                domain,
                domains,
                subdomains,
                collective,
                allow,
                deny,
                language,
                default,
                supported,
                group,
                conflict,
                by_department,
                gender,
                canonical,
                required,
                fields,
            }
        },
    )
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.toml())
    }
}
