//! A customer's directory: people and groups, what happens to them, and the day on which all of it is right.
//!
//! Nothing here knows what a server makes of it. What people write into directories is in [`choices`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use proptest::prelude::*;

pub(super) const PEOPLE: usize = 5;
pub(super) const TEAMS: usize = 3;

pub(super) const USER_NAME: &str = "userName";
pub(super) const EXTERNAL_ID: &str = "externalId";
pub(super) const DISPLAY_NAME: &str = "displayName";
pub(super) const GIVEN: &str = "name.givenName";
pub(super) const FAMILY: &str = "name.familyName";
pub(super) const PREFIX: &str = "name.honorificPrefix";
pub(super) const WORK: &str = "emails[type eq \"work\"].value";
pub(super) const HOME: &str = "emails[type eq \"home\"].value";
pub(super) const PREFERRED: &str = "preferredLanguage";
pub(super) const LOCALE: &str = "locale";
pub(super) const TITLE: &str = "title";
pub(super) const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
pub(super) const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
pub(super) const GENDER: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User:gender";

/// All of these.
pub(super) const PATHS: [&str; 14] = [
    USER_NAME,
    EXTERNAL_ID,
    DISPLAY_NAME,
    GIVEN,
    FAMILY,
    PREFIX,
    WORK,
    HOME,
    PREFERRED,
    LOCALE,
    TITLE,
    DEPARTMENT,
    MANAGER,
    GENDER,
];

/// What is known of a person, by the paths that it is provisioned to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct User {
    pub(super) active: bool,
    pub(super) values: BTreeMap<&'static str, String>,
}

impl User {
    pub(super) fn get(&self, path: &str) -> Option<&str> {
        self.values.get(path).map(String::as_str)
    }

    pub(super) fn set(&mut self, path: &'static str, value: Option<String>) {
        match value {
            Some(value) => self.values.insert(path, value),
            None => self.values.remove(path),
        };
    }
}

/// Somebody in the directory. Whoever is hired again is another one.
#[derive(Debug, Clone)]
pub(super) struct Employee {
    pub(super) key: usize,
    /// Without manager, which is somebody else's identifier at the server.
    pub(super) user: User,
    pub(super) manager: Option<usize>,
    /// Whether the application is assigned to them.
    pub(super) assigned: bool,
    pub(super) teams: BTreeSet<usize>,
}

/// A group of the directory.
#[derive(Debug, Clone)]
pub(super) struct Team {
    pub(super) key: usize,
    pub(super) name: String,
}

/// The directory.
#[derive(Debug, Clone, Default)]
pub(super) struct Customer {
    pub(super) people: [Option<Employee>; PEOPLE],
    pub(super) teams: [Option<Team>; TEAMS],
    keys: usize,
}

/// What happens to the directory. Numbers choose a place, and what is written there.
#[derive(Clone)]
pub(super) enum Event {
    Hire(usize),
    Purge(usize),
    Unassign(usize),
    Assign(usize),
    Write(usize, &'static str, usize),
    /// Somebody turns out to be a shared mailbox.
    Mailbox(usize),
    Manager(usize, usize),
    Found(usize),
    Rename(usize, usize),
    Disband(usize),
    Join(usize, usize),
    Leave(usize, usize),
    Move(usize, usize),
}

const GIVEN_NAMES: [&str; PEOPLE] = ["Ada", "Emily", "José", "Grace", "Mary"];
const FAMILY_NAMES: [&str; PEOPLE] = ["Lovelace", "Post", "Müller-Núñez", "Hopper", "O'Neil"];
const LOCALS: [&str; PEOPLE] = ["ada.lovelace", "emily.post", "jose.mueller", "grace.hopper", "mary.oneil"];
const TEAM_NAMES: [[&str; 3]; TEAMS] = [
    ["Sales", "Sales EMEA", "SALES"],
    ["Support", "Support & Care", "Süd"],
    ["R\"D", "Research", "Everyone"],
];

const WRITTEN: [&str; 13] = [
    WORK,
    WORK,
    USER_NAME,
    PREFERRED,
    GIVEN,
    FAMILY,
    PREFIX,
    HOME,
    LOCALE,
    DEPARTMENT,
    GENDER,
    DISPLAY_NAME,
    TITLE,
];

/// What may be written under a path for whoever sits in this place, the right thing first. Empty text is none.
pub(super) fn choices(path: &str, place: usize) -> Vec<String> {
    let (own, next) = (LOCALS[place], LOCALS[(place + 1) % PEOPLE]);
    let (given, family) = (GIVEN_NAMES[place], FAMILY_NAMES[place]);
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let addresses = || {
        let at = |local: &str, domain: &str| format!("{local}@{domain}");
        let mut all = vec![
            at(own, "example.com"),
            at(own, "example.org"),
            at(own, "example.net"),
            at(next, "example.com"),
            at(&next.to_uppercase(), "EXAMPLE.com"),
            at(&own.to_uppercase(), "Example.COM"),
            at(own, "bücher.example"),
            at(own, "mail.example.com"),
        ];
        all.extend(texts(&[
            "info@example.com",
            "kontakt+web@example.com",
            "hr-team2@example.com",
            "post@example.com",
            "pinguin@example.com",
            "ada@example..com",
            "office@example.net",
            own,
        ]));
        all
    };
    match path {
        WORK => [addresses(), texts(&[""])].concat(),
        USER_NAME => addresses(),
        HOME => [texts(&["", "x@home.example"]), vec![format!("{own}@example.com")]].concat(),
        GIVEN => texts(&[given, "", "Augusta", " Ada "]),
        FAMILY => texts(&[family, "King", "", "Post"]),
        PREFIX => texts(&["", "Dr.", "prof dr med", "Herr", "Frau Dr."]),
        PREFERRED => texts(&[
            "de",
            "",
            "DE",
            "en_US",
            "deu",
            "German",
            "de-DE,de;q=0.9,en;q=0.8",
            "it-IT,it;q=0.9,en-GB;q=0.7",
            "fr-CA",
            "pt-PT",
            "Klingonisch",
            "de-CH",
        ]),
        LOCALE => texts(&["", "en-US", "fr_FR"]),
        DEPARTMENT => texts(&["Sales", "", " Delft "]),
        GENDER => texts(&["m", "", "W", "x", "frau", "diverse"]),
        TITLE => texts(&["", "Cook", "\"Head\" of R\\D, Straße 1", " "]),
        _ => vec![format!("{given} {family}"), "Team Vertrieb".to_owned(), String::new()],
    }
}

fn chosen(path: &str, place: usize, choice: usize) -> Option<String> {
    let mut all = choices(path, place);
    let at = choice % all.len();
    Some(all.swap_remove(at)).filter(|text| !text.is_empty())
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let (place, team) = (|| 0..PEOPLE, || 0..TEAMS);
    prop_oneof![
        2 => place().prop_map(Event::Hire),
        16 => (place(), 0..WRITTEN.len(), 0..17usize).prop_map(|(of, path, choice)| Event::Write(of, WRITTEN[path], choice)),
        7 => (place(), team()).prop_map(|(of, team)| Event::Join(of, team)),
        2 => team().prop_map(Event::Found),
        3 => place().prop_map(Event::Unassign),
        2 => place().prop_map(Event::Assign),
        1 => place().prop_map(Event::Mailbox),
        1 => place().prop_map(Event::Purge),
        2 => (place(), place()).prop_map(|(of, manager)| Event::Manager(of, manager)),
        2 => (team(), 0..3usize).prop_map(|(team, name)| Event::Rename(team, name)),
        1 => team().prop_map(Event::Disband),
        2 => (place(), team()).prop_map(|(of, team)| Event::Leave(of, team)),
        2 => (place(), team()).prop_map(|(of, team)| Event::Move(of, team)),
    ]
}

impl Customer {
    fn key(&mut self) -> usize {
        self.keys += 1;
        self.keys
    }

    pub(super) fn happen(&mut self, event: &Event) {
        let key = self.key();
        if let Event::Hire(place) = *event {
            let employee = self.people[place].get_or_insert_with(|| {
                let mut user = User { active: true, ..User::default() };
                for path in WRITTEN {
                    user.set(path, chosen(path, place, 0));
                }
                user.set(EXTERNAL_ID, Some(format!("00u{key}")));
                Employee { key, user, manager: None, assigned: true, teams: BTreeSet::new() }
            });
            employee.assigned = true;
            return;
        }
        let exists = |teams: &[Option<Team>; TEAMS], team: usize| teams[team].is_some();
        match *event {
            Event::Found(team) => {
                let name = TEAM_NAMES[team][0].to_owned();
                self.teams[team].get_or_insert(Team { key, name });
            }
            Event::Rename(team, name) => {
                if let Some(renamed) = &mut self.teams[team] {
                    TEAM_NAMES[team][name].clone_into(&mut renamed.name);
                }
            }
            Event::Disband(team) => {
                self.teams[team] = None;
                self.people.iter_mut().flatten().for_each(|employee| {
                    employee.teams.remove(&team);
                });
            }
            Event::Purge(place) => {
                self.people[place] = None;
                let others = self.people.iter_mut().flatten();
                others.filter(|other| other.manager == Some(place)).for_each(|other| other.manager = None);
            }
            Event::Hire(place)
            | Event::Unassign(place)
            | Event::Assign(place)
            | Event::Write(place, _, _)
            | Event::Mailbox(place)
            | Event::Manager(place, _)
            | Event::Join(place, _)
            | Event::Leave(place, _)
            | Event::Move(place, _) => {
                let is_manager = |manager: usize| manager != place && self.people[manager].is_some();
                let managed = matches!(*event, Event::Manager(_, manager) if is_manager(manager));
                let Some(employee) = &mut self.people[place] else { return };
                match *event {
                    Event::Unassign(_) => employee.assigned = false,
                    Event::Assign(_) => employee.assigned = true,
                    Event::Write(_, path, choice) => employee.user.set(path, chosen(path, place, choice)),
                    Event::Mailbox(_) => {
                        employee.user.set(GIVEN, None);
                        employee.user.set(DISPLAY_NAME, Some("Team Vertrieb".to_owned()));
                    }
                    Event::Manager(_, manager) => employee.manager = Some(manager).filter(|_| managed),
                    Event::Join(_, team) if exists(&self.teams, team) => {
                        employee.teams.insert(team);
                    }
                    Event::Leave(_, team) => {
                        employee.teams.remove(&team);
                    }
                    Event::Move(_, team) if exists(&self.teams, team) => {
                        employee.teams = BTreeSet::from([team]);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Takes every fault out: each person gets what is right, an address that nobody else ever had, and is assigned. Who is in
    /// several groups, or is to be in one that would not have them, is taken out of all. The answer is where they belong.
    pub(super) fn mend(&mut self, not_in_their_team: &BTreeSet<usize>) -> Vec<(usize, usize)> {
        let mut belong = Vec::new();
        for (place, employee) in self.people.iter_mut().enumerate() {
            let Some(employee) = employee else { continue };
            for path in [DISPLAY_NAME, GIVEN, FAMILY, PREFERRED, DEPARTMENT, GENDER, PREFIX, HOME] {
                employee.user.set(path, chosen(path, place, 0));
            }
            let address = format!("{}.{}@example.com", LOCALS[place], FAMILY_NAMES[place].len());
            employee.user.set(WORK, Some(address.clone()));
            employee.user.set(USER_NAME, Some(address));
            // Something new of everybody, or an identity provider has nothing to say.
            employee.user.set(TITLE, Some("Mended".to_owned()));
            employee.assigned = true;
            if employee.teams.len() > 1 || not_in_their_team.contains(&employee.key) {
                belong.extend(employee.teams.first().map(|team| (place, *team)));
                employee.teams.clear();
            }
        }
        belong
    }

    pub(super) fn employee(&self, key: usize) -> Option<&Employee> {
        self.people.iter().flatten().find(|employee| employee.key == key)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |place: usize| GIVEN_NAMES[place];
        let team = |team: usize| TEAM_NAMES[team][0];
        match *self {
            Self::Hire(of) => write!(f, "{} comes", who(of)),
            Self::Purge(of) => write!(f, "{} is deleted", who(of)),
            Self::Unassign(of) => write!(f, "{} goes out of scope", who(of)),
            Self::Assign(of) => write!(f, "{} comes into scope", who(of)),
            Self::Write(of, path, choice) => {
                write!(f, "{}: {path} = {:?}", who(of), chosen(path, of, choice).unwrap_or_default())
            }
            Self::Mailbox(of) => write!(f, "{} is called Team Vertrieb and has no given name", who(of)),
            Self::Manager(of, manager) => write!(f, "{} is managed by {}", who(of), who(manager)),
            Self::Found(of) => write!(f, "group {} is made", team(of)),
            Self::Rename(of, name) => write!(f, "group {} is called {}", team(of), TEAM_NAMES[of][name]),
            Self::Disband(of) => write!(f, "group {} is deleted", team(of)),
            Self::Join(of, to) => write!(f, "{} is put into {}", who(of), team(to)),
            Self::Leave(of, from) => write!(f, "{} is taken out of {}", who(of), team(from)),
            Self::Move(of, to) => write!(f, "{} is put into {} alone", who(of), team(to)),
        }
    }
}
