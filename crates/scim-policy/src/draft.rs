//! A person in the making: what the mapping has found, and what the rules have read in it.

use scim_core::person::{Person, Pick};
use serde_json::{Map, Value};

use crate::explain::Trace;
use crate::finding::{Code, Finding, Mode};
use crate::mapping::{Field, Mapped, Mapping, Source};
use crate::value::email::{EmailAddress, EmailError};
use crate::value::language::LanguageError;

/// Everything that is known of one User while it is judged.
pub(crate) struct Draft<'a> {
    pub(crate) user: &'a Map<String, Value>,
    pub(crate) mapping: &'a Mapping,
    pub(crate) mapped: MappedFields<'a>,
    /// What there will be.
    pub(crate) person: Person,
    pub(crate) pick: Option<Pick>,
    /// The address that was chosen, or why it is none.
    pub(crate) email: Option<Result<EmailAddress, EmailError>>,
    /// What was said of languages that could not be read, and from which field.
    pub(crate) unreadable: Vec<(Field, LanguageError)>,
    /// Whether no language that the person prefers is supported.
    pub(crate) unsupported: bool,
    /// A word for a gender that the vocabulary does not have.
    pub(crate) unmapped_gender: Option<String>,
    pub(crate) trace: Trace<'a>,
}

/// The fields that a text was found for. The application's own are in the person already.
#[derive(Default)]
pub(crate) struct MappedFields<'a> {
    fields: [Option<Mapped<'a>>; Field::ALL.len()],
}

impl<'a> MappedFields<'a> {
    pub(crate) fn of(&self, field: Field) -> Option<&Mapped<'a>> {
        let position = Field::ALL.iter().position(|known| *known == field)?;
        self.fields.get(position)?.as_ref()
    }
}

impl<'a> Draft<'a> {
    /// Looks every field up.
    pub(crate) fn new(mapping: &'a Mapping, user: &'a Map<String, Value>, mut trace: Trace<'a>) -> Self {
        let fields = Field::ALL.map(|field| {
            // A `userName` without an `@` is a name to log in with, and nobody's failed attempt at an address.
            let accepts = |source: &Source, text: &str| {
                field != Field::Email || !source.is_user_name() || text.contains('@')
            };
            mapping.recipe(field).find(field.name(), user, accepts, &mut trace)
        });
        let mapped = MappedFields { fields };
        let text = |field| mapped.of(field).map(|found| found.text.clone().into_owned());
        let mut person = Person {
            first_name: text(Field::FirstName),
            last_name: text(Field::LastName),
            academic_degree: text(Field::AcademicDegree),
            user_group: text(Field::UserGroup),
            active: mapped.of(Field::Active).is_some_and(|found| found.text.eq_ignore_ascii_case("true")),
            ..Person::default()
        };
        for (name, recipe) in mapping.own() {
            if let Some(found) = recipe.find(name, user, |_, _| true, &mut trace) {
                person.extra.insert(name.to_owned(), found.text.into_owned());
            }
        }
        Self {
            user,
            mapping,
            mapped,
            person,
            pick: None,
            email: None,
            unreadable: Vec::new(),
            unsupported: false,
            unmapped_gender: None,
            trace,
        }
    }

    /// Whether the User says that its person may not use the application. Nothing keeps such a person from leaving.
    pub(crate) fn leaves(&self) -> bool {
        self.mapped.of(Field::Active).is_some() && !self.person.active
    }

    /// What the person has in a field, as text.
    pub(crate) fn value(&self, field: Field) -> Option<String> {
        let person = &self.person;
        match field {
            Field::FirstName => person.first_name.clone(),
            Field::LastName => person.last_name.clone(),
            Field::Email => person.email.clone(),
            Field::Gender => person.gender.map(|gender| gender.name().to_owned()),
            Field::AcademicDegree => person.academic_degree.clone(),
            Field::Language => person.language.clone(),
            Field::Locale => person.locale.clone(),
            Field::UserGroup => person.user_group.clone(),
            Field::Active => Some(person.active.to_string()),
        }
    }

    /// A finding about a field that a text was found for, if the mode wants it.
    pub(crate) fn finding(
        &self,
        code: Code,
        mode: Mode,
        field: Field,
        explanation: String,
        remedy: impl Into<String>,
    ) -> Option<Finding> {
        let found = self.mapped.of(field);
        let path = found.map(|found| found.source.to_string()).unwrap_or_default();
        let value = found.map(|found| &*found.raw).unwrap_or_default();
        Finding::new(code, mode, path, value, explanation, remedy)
    }
}
