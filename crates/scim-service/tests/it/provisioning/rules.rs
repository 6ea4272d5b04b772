//! What docs/policies.md says of a person, and nothing besides: no code of the server is asked. It knows of addresses, languages
//! and degrees only what [`super::customer`] writes.

use std::fmt::Write as _;

use proptest::prelude::*;
use scim_core::person::{Gender, Person};

use super::customer::{
    DEPARTMENT, DISPLAY_NAME, FAMILY, GENDER, GIVEN, HOME, LOCALE, PREFERRED, PREFIX, TITLE, USER_NAME, User,
    WORK,
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
    pub(super) email: Mode,
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
    pub(super) group: Mode,
    pub(super) conflict: &'static str,
    pub(super) by_department: bool,
    gender: Mode,
    canonical: bool,
    required: Mode,
    fields: &'static [&'static str],
}

pub(super) fn fold(text: &str) -> String {
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
    pub(super) fn judge(&self, user: &User) -> (Person, Vec<(Mode, &'static str)>) {
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
    pub(super) fn is_exclusive(&self) -> bool {
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
