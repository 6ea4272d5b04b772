//! The mapping from a User to a person: for each field the paths that are tried in order, and what is done to the text.
//!
//! A mapping only finds and rewrites texts. What a text means, as an address or as a language, is for the rules to say.

pub(crate) mod field;
pub(crate) mod section;
pub(crate) mod source;
pub(crate) mod transform;

pub use field::Field;
pub(crate) use source::Source;
pub use transform::Transform;

use std::borrow::Cow;

use scim_core::schema::ResourceType;
use serde_json::{Map, Value};

use crate::explain::Trace;
use field::MEMBERSHIPS;

/// A compiled mapping.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    /// One for each [`Field`], in its order.
    fields: [Recipe; Field::ALL.len()],
    /// The application's own fields.
    own: Vec<(String, Recipe)>,
}

/// How a field is made.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) origin: Origin,
    pub(crate) transforms: Vec<Transform>,
}

/// What a field is made from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// The first that has a value.
    Attributes(Vec<Source>),
    /// The person's groups, which are not in a User.
    Memberships,
}

/// A text on its way from a User to a person.
#[derive(Debug, Clone)]
pub(crate) struct Mapped<'a> {
    /// Where it was.
    pub(crate) source: &'a Source,
    /// As it was sent.
    pub(crate) raw: Cow<'a, str>,
    /// As the mapping has left it. Not blank.
    pub(crate) text: Cow<'a, str>,
}

impl Mapping {
    /// The default mapping, as far as the resource type has its attributes.
    pub(crate) fn default_for(resource_type: &ResourceType, email: Vec<Source>) -> Self {
        let fields = Field::ALL.map(|field| {
            let origin = match field {
                Field::Email => Origin::Attributes(email.clone()),
                _ if field.default_paths() == [MEMBERSHIPS] => Origin::Memberships,
                _ => Origin::Attributes(existing(field.default_paths(), resource_type)),
            };
            Recipe { origin, transforms: field.default_transforms().to_vec() }
        });
        Self { fields, own: Vec::new() }
    }

    pub(crate) fn set(&mut self, field: Field, recipe: Recipe) {
        for (known, slot) in Field::ALL.iter().zip(&mut self.fields) {
            if *known == field {
                slot.clone_from(&recipe);
            }
        }
    }

    pub(crate) fn add(&mut self, name: String, recipe: Recipe) {
        self.own.push((name, recipe));
    }

    /// The application's own fields.
    pub(crate) fn own(&self) -> impl Iterator<Item = (&str, &Recipe)> {
        self.own.iter().map(|(name, recipe)| (name.as_str(), recipe))
    }

    /// How a field is made.
    pub(crate) fn recipe(&self, field: Field) -> &Recipe {
        let [first_name, last_name, email, gender, academic_degree, language, locale, user_group, active] =
            &self.fields;
        match field {
            Field::FirstName => first_name,
            Field::LastName => last_name,
            Field::Email => email,
            Field::Gender => gender,
            Field::AcademicDegree => academic_degree,
            Field::Language => language,
            Field::Locale => locale,
            Field::UserGroup => user_group,
            Field::Active => active,
        }
    }
}

impl Recipe {
    /// The paths that are tried.
    pub(crate) fn sources(&self) -> &[Source] {
        match &self.origin {
            Origin::Attributes(sources) => sources,
            Origin::Memberships => &[],
        }
    }

    /// The first text of which something is left, if `accepts` it.
    pub(crate) fn find<'a>(
        &'a self,
        name: &'a str,
        user: &'a Map<String, Value>,
        accepts: impl Fn(&Source, &str) -> bool,
        trace: &mut Trace<'a>,
    ) -> Option<Mapped<'a>> {
        let texts = self.sources().iter().flat_map(|source| source.texts(user).map(move |raw| (source, raw)));
        for (source, raw) in texts {
            trace.found(name, source, &raw);
            let text = self.transforms.iter().try_fold(raw.clone(), |text, step| {
                let after = step.apply(text)?;
                trace.step(name, step.name(), &after);
                Some(after)
            });
            if let Some(text) = text.filter(|text| accepts(source, text)) {
                return Some(Mapped { source, raw, text });
            }
        }
        trace.forget(name);
        None
    }
}

/// The paths that the resource type has.
pub(crate) fn existing(paths: &[&str], resource_type: &ResourceType) -> Vec<Source> {
    paths.iter().filter_map(|path| Source::resolve(path, resource_type).ok()).collect()
}
