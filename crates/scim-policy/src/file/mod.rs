//! A policy file: TOML with sections that are all optional, read whole, with the place of everything that is wrong.
//!
//! Reading it needs no schema; [`PolicyFile::compile`] resolves its paths against one. It refuses to guess: a misspelt
//! key is a problem, never ignored.

mod problem;
mod reader;
#[cfg(test)]
mod tests;

pub use problem::{PolicyErrors, Problem};
pub(crate) use reader::{Placed, Reader, Table};

use scim_core::schema::{Registry, ResourceType};
use serde_json::Value;
use toml::de::DeTable;

use crate::mapping::section::Section;
use crate::mapping::{Field, Mapping};
use crate::policy::{Policy, Rules};
use crate::rule::collective::Collective;
use crate::rule::degree::Degree;
use crate::rule::domain::DomainRule;
use crate::rule::email::Email;
use crate::rule::gender::GenderRule;
use crate::rule::group::Group;
use crate::rule::language::Language;
use crate::rule::required::Required;
use crate::rule::{self, Documentation};

/// A policy file that was read, before its paths are resolved. What is wrong with it so far is kept with it.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    mapping: Section,
    rules: Rules,
    problems: Vec<Problem>,
}

/// Longest file, in bytes.
const MOST_BYTES: usize = 1 << 20;

impl PolicyFile {
    /// Reads a policy file, as far as it can be read. What is wrong with it is told when it is compiled, together with what
    /// is wrong with its paths, which only shows then.
    pub fn parse(text: &str) -> Self {
        let reader = Reader::new(text);
        let mut file = read(&reader, text);
        file.problems = reader.into_problems();
        file
    }

    /// Schema documents for the extensions that the mapping names and that `registry` does not have, if the file says
    /// `undeclared = "accept"`. Whoever compiles the file adds them to the registry, and to User, first. All their
    /// attributes are strings.
    pub fn undeclared(&self, registry: &Registry) -> Vec<Value> {
        self.mapping.undeclared(registry)
    }

    /// Resolves the paths against the resource type of the tenant's Users.
    ///
    /// # Errors
    /// Everything that is wrong with the file: what cannot be read, every path that the schemas do not have, and every field
    /// that cannot be what a rule wants of it.
    pub fn compile(&self, resource_type: &ResourceType) -> Result<Policy, PolicyErrors> {
        let mut problems = self.problems.clone();
        let email = self.rules.email.sources(resource_type);
        if let (true, Some(preference)) = (self.mapping.names(Field::Email), &self.rules.email.preference) {
            let explanation = "`[mapping] email` says already which address is taken";
            problems.push(preference.place.problem(explanation, "leave one of the two out"));
        }
        let mapping = self.mapping.compile(resource_type, email, &mut problems);
        if self.problems.is_empty() {
            // Otherwise a field may be missing only because it could not be read.
            self.rules.required.verify(&mapping, &mut problems);
        }
        match PolicyErrors::from_problems(problems) {
            Some(errors) => Err(errors),
            None => Ok(Policy::new(mapping, self.rules.clone())),
        }
    }
}

impl Policy {
    /// The policy of a tenant that has none: the default mapping, and no rule.
    pub fn protocol_only(resource_type: &ResourceType) -> Self {
        let rules = Rules::off();
        let mapping = Mapping::default_for(resource_type, rules.email.sources(resource_type));
        Self::new(mapping, rules)
    }
}

/// The file, as far as it can be read.
fn read(reader: &Reader<'_>, text: &str) -> PolicyFile {
    let sound = text.len() <= MOST_BYTES;
    if !sound {
        let place = reader.place(0);
        reader.problem(place, format!("a policy of more than {MOST_BYTES} bytes"), "shorten it");
    }
    let (document, errors) = DeTable::parse_recoverable(if sound { text } else { "" });
    for error in &errors {
        let place = reader.place(error.span().map_or(0, |span| span.start));
        reader.problem(place, plain(error.message()), "");
    }
    // What could be saved of a malformed file would only bring complaints about what could not.
    let empty = DeTable::new();
    let root = Table::root(reader, if errors.is_empty() { document.get_ref() } else { &empty });
    let mut names = vec!["mapping"];
    names.extend(rule::documentation().map(|rule| rule.section));
    let root = root.only(&names);
    let section = |rule: &'static Documentation| {
        let mut keys = vec!["mode"];
        keys.extend(rule.settings.iter().map(|setting| setting.key));
        root.section(rule.section, rule.section).only(&keys)
    };
    let [email, domain, collective, language, group, gender, degree, required] =
        rule::documentation().map(section);
    PolicyFile {
        mapping: Section::read(&root.section("mapping", "mapping")),
        rules: Rules {
            email: Email::read(&email),
            domain: DomainRule::read(&domain),
            collective: Collective::read(&collective),
            language: Language::read(&language),
            group: Group::read(&group),
            gender: GenderRule::read(&gender),
            degree: Degree::read(&degree),
            required: Required::read(&required),
        },
        problems: Vec::new(),
    }
}

/// The commonest complaints of the TOML reader in other words.
fn plain(message: &str) -> String {
    let message = message.trim_end().replace('\n', ", ");
    match message.as_str() {
        "duplicate key" => "this key, or this section, is there twice".to_owned(),
        "string values must be quoted, expected literal string" => "a text is in double quotes".to_owned(),
        _ => message,
    }
}
