//! The engine: a User goes through the mapping and the rules, and comes out as a person with findings.
//!
//! Judging is a pure function of a policy and a User. A live request, a dry run and an explanation ask the same one.

use scim_core::person::{Derived, Gender};
use serde_json::{Map, Value};

use crate::draft::Draft;
use crate::explain::{Explanation, Trace};
use crate::finding::{Finding, Mode, Severity};
use crate::mapping::{Field, Mapping};
use crate::rule::Rule;
use crate::rule::collective::Collective;
use crate::rule::degree::Degree;
use crate::rule::domain::DomainRule;
use crate::rule::email::Email;
use crate::rule::gender::GenderRule;
use crate::rule::group::{Group, GroupPolicy};
use crate::rule::language::Language;
use crate::rule::required::Required;
use crate::verdict::Verdict;

/// What a tenant allows, compiled.
///
/// Made by [`crate::PolicyFile::compile`], or by [`Policy::protocol_only`] for a tenant without a policy.
#[derive(Debug, Clone)]
pub struct Policy {
    mapping: Mapping,
    rules: Rules,
}

/// The rules with a tenant's settings. One that the tenant's file does not have is off.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) email: Email,
    pub(crate) domain: DomainRule,
    pub(crate) collective: Collective,
    pub(crate) language: Language,
    pub(crate) group: Group,
    pub(crate) gender: GenderRule,
    pub(crate) degree: Degree,
    pub(crate) required: Required,
}

impl Rules {
    pub(crate) fn off() -> Self {
        Self {
            email: Email::off(),
            domain: DomainRule::off(),
            collective: Collective::off(),
            language: Language::off(),
            group: Group::off(),
            gender: GenderRule::off(),
            degree: Degree::off(),
            required: Required::off(),
        }
    }

    /// In the order of the documentation, which is that of findings.
    fn all(&self) -> [&dyn Rule; 8] {
        let Self { email, domain, collective, language, group, gender, degree, required } = self;
        [email, domain, collective, language, group, gender, degree, required]
    }
}

impl Policy {
    pub(crate) fn new(mapping: Mapping, rules: Rules) -> Self {
        Self { mapping, rules }
    }

    /// What becomes of a User, given as a canonical document: the person, and everything that the rules say.
    pub fn judge(&self, user: &Map<String, Value>) -> Verdict {
        self.run(user, Trace::default()).0
    }

    /// As [`Policy::judge`], with the story of each field.
    pub fn explain(&self, user: &Map<String, Value>) -> Explanation {
        let (verdict, draft) = self.run(user, Trace::recording());
        let built_in = Field::ALL.map(|field| draft.trace.explained(field.name(), draft.value(field)));
        let own = self.mapping.own().map(|(name, _)| {
            let value = draft.person.extra.get(name).cloned();
            draft.trace.explained(name, value)
        });
        Explanation { fields: built_in.into_iter().chain(own).collect(), verdict }
    }

    fn run<'a>(&'a self, user: &'a Map<String, Value>, trace: Trace<'a>) -> (Verdict, Draft<'a>) {
        let mut draft = Draft::new(&self.mapping, user, trace);
        for rule in self.rules.all() {
            rule.normalise(&mut draft);
        }
        let mut findings = Vec::new();
        for rule in self.rules.all() {
            rule.check(&draft, &mut findings);
        }
        if draft.leaves() {
            for finding in &mut findings {
                finding.severity = finding.severity.min(Severity::Warning);
            }
        }
        let claims = self.rules.email.mode != Mode::Off && !draft.leaves();
        let address = draft.email.as_ref().and_then(|read| read.as_ref().ok()).filter(|_| claims);
        let derived = Derived { person: draft.person.clone(), pick: draft.pick };
        let verdict = Verdict {
            derived,
            findings,
            email_key: address.map(|address| address.key()),
            email_path: draft
                .mapped
                .of(Field::Email)
                .filter(|_| address.is_some())
                .map(|found| found.source.to_string()),
            unmapped_gender: draft.unmapped_gender.clone(),
        };
        (verdict, draft)
    }

    /// The paths that a field of the person comes from, in the order in which they are tried; the application's own fields
    /// included. Empty where it comes from none: from memberships, or from nowhere. `None` if there is no such field.
    pub fn paths(&self, field: &str) -> Option<Vec<String>> {
        let recipe = match Field::from_name(field) {
            Some(known) => self.mapping.recipe(known),
            None => self.mapping.own().find(|(name, _)| *name == field)?.1,
        };
        Some(recipe.sources().iter().map(ToString::to_string).collect())
    }

    /// The tenant's own words for genders, in the form in which words are compared, in order.
    pub fn genders(&self) -> Vec<(&str, Gender)> {
        self.rules.gender.vocabulary()
    }

    /// The word that a User has for a gender, in the form in which words are compared, and what it stands for here.
    pub fn gender_of(&self, user: &Map<String, Value>) -> Option<(String, Option<Gender>)> {
        let recipe = self.mapping.recipe(Field::Gender);
        let found = recipe.find(Field::Gender.name(), user, |_, _| true, &mut Trace::default())?;
        let (word, gender) = self.rules.gender.understood(&found.text);
        Some((word.into_owned(), gender))
    }

    /// The names of the application's own fields.
    pub fn own_fields(&self) -> impl Iterator<Item = &str> {
        self.mapping.own().map(|(name, _)| name)
    }

    /// What whoever writes memberships needs to know.
    pub fn group(&self) -> GroupPolicy {
        self.rules.group.policy(&self.mapping.recipe(Field::UserGroup).origin)
    }

    /// The finding for an address that another person has: the one that was to be written, and the path that it came
    /// from ([`Verdict::email_path`]). `holder` is what to call whoever has it, where that is known. With `mode = "warn"` it is
    /// a warning, and the User is written without the claim.
    pub fn email_taken(&self, value: &str, path: &str, holder: Option<&str>) -> Option<Finding> {
        self.rules.email.taken(value, path, holder)
    }

    /// The finding for a person who is to join `group` and is in `other` already; `person` is what to call them. None
    /// where the policy lets it happen.
    pub fn second_group(&self, person: &str, group: &str, other: &str) -> Option<Finding> {
        self.group().second(person, group, other)
    }

    /// The finding for a group that is to be a member of `group`. None where the policy lets it happen.
    pub fn nested_group(&self, group: &str, member: &str) -> Option<Finding> {
        self.group().nested(group, member)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod tests;
