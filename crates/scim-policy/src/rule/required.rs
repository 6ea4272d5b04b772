//! Fields that every person must have.
//!
//! The user group cannot be one of them where it comes from memberships: identity providers create somebody first and
//! assign the group afterwards.

use scim_core::text::nearest;

use super::{CodeDocumentation, Documentation, Event, Example, Rule, Setting, short};
use crate::draft::Draft;
use crate::file::{Placed, Problem, Table};
use crate::finding::{Code, Finding, Mode, Severity};
use crate::mapping::{Field, Mapping, Origin, Source};
use crate::value::character::quoted;

/// `[required]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Required {
    mode: Mode,
    fields: Vec<Placed<String>>,
}

impl Required {
    pub(crate) fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    pub(crate) fn read(table: &Table<'_, '_>) -> Self {
        let mode = table.mode(Mode::Enforce);
        if table.is_present() && mode != Mode::Off && table.entry("fields").is_none() {
            let remedy = "list the fields: `fields = [\"first_name\", \"last_name\", \"email\"]`";
            table.reader.problem(table.place(), "`[required]` names no fields", remedy);
        }
        Self { mode, fields: table.texts("fields").unwrap_or_default() }
    }

    /// Complains of fields that there are not, and of those that nobody could have.
    pub(crate) fn verify(&self, mapping: &Mapping, problems: &mut Vec<Problem>) {
        for name in &self.fields {
            let own = || mapping.own().map(|(name, _)| name);
            let problem = match Field::from_name(&name.value) {
                Some(Field::UserGroup)
                    if matches!(mapping.recipe(Field::UserGroup).origin, Origin::Memberships) =>
                {
                    Some((
                        "`user_group` comes from memberships, which follow after a person is created"
                            .to_owned(),
                        "leave it out, or take the user group from an attribute".to_owned(),
                    ))
                }
                Some(Field::Active) => {
                    Some(("`active` has a value always".to_owned(), "leave it out".to_owned()))
                }
                Some(Field::Gender) if mapping.recipe(Field::Gender).sources().is_empty() => Some((
                    "`gender` comes from nowhere, so that nobody could be provisioned".to_owned(),
                    "name an attribute in `[mapping] gender`".to_owned(),
                )),
                Some(_) => None,
                None if own().any(|own| own == name.value) => None,
                None => {
                    let explanation = format!("`{}` is not a field of a person", quoted(&name.value));
                    let known = Field::ALL.map(Field::name).into_iter().chain(own());
                    let remedy = match nearest(&name.value, known) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "map it under `[mapping.fields]` first".to_owned(),
                    };
                    Some((explanation, remedy))
                }
            };
            problems.extend(problem.map(|(explanation, remedy)| name.place.problem(explanation, remedy)));
        }
    }
}

impl Rule for Required {
    fn check(&self, draft: &Draft<'_>, findings: &mut Vec<Finding>) {
        for name in self.fields.iter().map(|name| name.value.as_str()) {
            let field = Field::from_name(name);
            let (missing, sources) = match field {
                Some(field) => (draft.value(field).is_none(), sources(draft.mapping, field)),
                None => {
                    let recipe = draft.mapping.own().find(|(own, _)| *own == name).map(|(_, recipe)| recipe);
                    (
                        !draft.person.extra.contains_key(name),
                        recipe.map(|recipe| recipe.sources()).unwrap_or_default(),
                    )
                }
            };
            if !missing {
                continue;
            }
            let found = field.and_then(|field| draft.mapped.of(field));
            let path = found
                .map(|found| found.source)
                .or(sources.first())
                .map(ToString::to_string)
                .unwrap_or_default();
            // A value that was refused already is not missing besides.
            if found.is_some()
                && findings.iter().any(|other| other.severity == Severity::Error && other.path == path)
            {
                continue;
            }
            let raw = found.map(|found| &*found.raw).unwrap_or_default();
            let explanation = match found {
                Some(found) => format!("`{name}` is required and `{}` is none", short(&found.raw)),
                None => format!("`{name}` is required and has no value"),
            };
            let remedy = format!("send {} for everybody who is provisioned", places(sources));
            findings.extend(Finding::new(Code::RequiredMissing, self.mode, path, raw, explanation, remedy));
        }
    }
}

/// The paths that a field is looked for at. A locale is that of the language.
fn sources(mapping: &Mapping, field: Field) -> &[Source] {
    match (field, mapping.recipe(field).sources()) {
        (Field::Locale, []) => mapping.recipe(Field::Language).sources(),
        (_, sources) => sources,
    }
}

/// The first paths, for people.
fn places(sources: &[Source]) -> String {
    let shown: Vec<String> =
        sources.iter().take(2).map(|source| format!("`{}`", short(&source.to_string()))).collect();
    match shown.is_empty() {
        true => "it".to_owned(),
        false => shown.join(" or "),
    }
}

pub(super) const DOCUMENTATION: Documentation = Documentation {
    section: "required",
    summary: "Which fields every person must have. `user_group` can be one of them only where it comes from an attribute: \
              memberships follow after a person is created.",
    default_mode: Mode::Enforce,
    settings: &[Setting {
        key: "fields",
        values: "a list of fields, the application's own included",
        default: "none; a section that is not off needs it",
        meaning: "the fields that must have a value",
    }],
    codes: &[CodeDocumentation {
        code: Code::RequiredMissing,
        meaning: "the person would have no value for the field",
        remedy: "map an attribute that everybody has to the path that is named",
        example: Example {
            policy: "[required]\nfields = [\"first_name\", \"last_name\", \"email\"]\n",
            event: Event::User(
                r#"{"userName": "ada@example.com", "name": {"givenName": "Ada", "formatted": "Ada Lovelace"}}"#,
            ),
        },
    }],
};
