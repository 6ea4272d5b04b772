//! `[mapping]` as a policy file has it: paths that are not resolved yet, each with its place.

use scim_core::schema::{Registry, ResourceType};
use scim_core::text::nearest;
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::DeValue;

use super::field::MEMBERSHIPS;
use super::{Field, Mapping, Origin, Recipe, Source, Transform};
use crate::file::{Placed, Problem, Reader, Table};
use crate::value::character::quoted;

/// What becomes of extensions that the mapping names and no schema declares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Undeclared {
    #[default]
    Refuse,
    Accept,
}

/// The section.
#[derive(Debug, Clone, Default)]
pub(crate) struct Section {
    fields: Vec<(Field, Written)>,
    own: Vec<(Placed<String>, Written)>,
    undeclared: Undeclared,
}

/// What one field is made from. Without `transform` it is the field's default.
#[derive(Debug, Clone)]
struct Written {
    from: Vec<Placed<String>>,
    transform: Option<Vec<Transform>>,
}

/// Most paths that are tried for one field.
const MOST_PATHS: usize = 16;
/// Most fields of an application's own.
const MOST_FIELDS: usize = 64;
/// Longest name of a field.
const NAME_LIMIT: usize = 63;

const UNDECLARED: [(&str, Undeclared); 2] = [("refuse", Undeclared::Refuse), ("accept", Undeclared::Accept)];

impl Section {
    pub(crate) fn read(table: &Table<'_, '_>) -> Self {
        let undeclared = table.word("undeclared", &UNDECLARED);
        // What was meant by something else is not known, and nothing is made of it.
        let otherwise =
            if table.entry("undeclared").is_some() { Undeclared::Accept } else { Undeclared::Refuse };
        let mut section = Self { undeclared: undeclared.unwrap_or(otherwise), ..Self::default() };
        for (key, value) in table.entries() {
            match Field::from_name(&key.value) {
                Some(field) => {
                    section
                        .fields
                        .extend(Written::read(table.reader, &key, value).map(|written| (field, written)));
                }
                None if ["undeclared", "fields"].contains(&key.value.as_str()) => {}
                None => table.reader.problem(
                    key.place,
                    format!("`{}` is not a field of a person", quoted(&key.value)),
                    match nearest(&key.value, Field::ALL.map(Field::name)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "put the application's own fields under `[mapping.fields]`".to_owned(),
                    },
                ),
            }
        }
        let own = table.section("fields", "mapping.fields");
        for (count, (key, value)) in own.entries().into_iter().enumerate() {
            if count >= MOST_FIELDS {
                let remedy = format!("{MOST_FIELDS} are the most");
                table.reader.problem(key.place, "too many fields of the application's own", remedy);
                break;
            }
            if check_name(table.reader, &key) {
                section.own.extend(Written::read(table.reader, &key, value).map(|written| (key, written)));
            }
        }
        section
    }

    /// Whether the file says where a field comes from.
    pub(crate) fn names(&self, field: Field) -> bool {
        self.fields.iter().any(|(named, _)| *named == field)
    }

    /// Schema documents for the extensions that the mapping names and `registry` does not have, if the tenant accepts
    /// them undeclared. All their attributes are strings. A URN that is nearly one that is known is a typing error, and left
    /// to be complained of.
    pub(crate) fn undeclared(&self, registry: &Registry) -> Vec<Value> {
        let mut schemas: Vec<(&str, Vec<&str>)> = Vec::new();
        if self.undeclared == Undeclared::Refuse {
            return Vec::new();
        }
        let known = |path: &str| registry.schemas().iter().any(|schema| is_below(path, schema.id()));
        let misspelt =
            |urn: &str| nearest(urn, registry.schemas().iter().map(|schema| schema.id())).is_some();
        let written =
            self.fields.iter().map(|(_, written)| written).chain(self.own.iter().map(|(_, written)| written));
        for path in written.flat_map(|written| &written.from).map(|path| path.value.trim()) {
            let Some((urn, attribute)) = path.rsplit_once(':').filter(|_| is_urn(path) && !known(path))
            else {
                continue;
            };
            let plain = attribute.starts_with(|first: char| first.is_ascii_alphabetic())
                && attribute.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            if !plain || misspelt(urn) {
                continue;
            }
            let position = schemas.iter().position(|(known, _)| known.eq_ignore_ascii_case(urn));
            match position.and_then(|position| schemas.get_mut(position)) {
                Some((_, attributes))
                    if attributes.iter().any(|known| known.eq_ignore_ascii_case(attribute)) => {}
                Some((_, attributes)) => attributes.push(attribute),
                None => schemas.push((urn, vec![attribute])),
            }
        }
        schemas.into_iter().map(|(urn, attributes)| schema_document(urn, &attributes)).collect()
    }

    /// Resolves all paths. `email` is where e-mail addresses come from unless the file says it here.
    pub(crate) fn compile(
        &self,
        resource_type: &ResourceType,
        email: Vec<Source>,
        problems: &mut Vec<Problem>,
    ) -> Mapping {
        let mut mapping = Mapping::default_for(resource_type, email);
        for (field, written) in &self.fields {
            let origin = match names_memberships(*field, written, problems) {
                true => Origin::Memberships,
                false => Origin::Attributes(self.resolve(written, resource_type, problems)),
            };
            let transforms = written.transform.clone().unwrap_or_else(|| vec![Transform::Trim]);
            mapping.set(*field, Recipe { origin, transforms });
        }
        for (name, written) in &self.own {
            let origin = Origin::Attributes(self.resolve(written, resource_type, problems));
            let transforms = written.transform.clone().unwrap_or_else(|| vec![Transform::Trim]);
            mapping.add(name.value.clone(), Recipe { origin, transforms });
        }
        mapping
    }

    fn resolve(
        &self,
        written: &Written,
        resource_type: &ResourceType,
        problems: &mut Vec<Problem>,
    ) -> Vec<Source> {
        let mut sources = Vec::with_capacity(written.from.len());
        for path in &written.from {
            match Source::resolve(path.value.trim(), resource_type) {
                Ok(source) => sources.push(source),
                Err(error) => {
                    let advice = error.advice().unwrap_or_default();
                    let remedy = match is_of_unknown_schema(path.value.trim(), resource_type) {
                        true => self.declare(advice),
                        false => advice.to_owned(),
                    };
                    problems.push(path.place.problem(error.explanation(), remedy));
                }
            }
        }
        sources
    }

    /// What to do about a path of a schema that is not declared.
    fn declare(&self, advice: &str) -> String {
        let meant =
            if advice.starts_with("did you mean") { format!("{advice} otherwise ") } else { String::new() };
        let accept = match self.undeclared {
            Undeclared::Refuse => ", or set `undeclared = \"accept\"` under `[mapping]`",
            // Accepted are single attributes; this is something else.
            Undeclared::Accept => "",
        };
        format!("{meant}declare the schema with `scimd schema add TENANT FILE.json`{accept}")
    }
}

/// Whether the field comes from memberships. They stand alone.
fn names_memberships(field: Field, written: &Written, problems: &mut Vec<Problem>) -> bool {
    let named = written.from.iter().find(|path| path.value.trim() == MEMBERSHIPS);
    let Some(named) = named.filter(|_| field == Field::UserGroup) else { return false };
    let trouble = if written.from.len() > 1 {
        Some(("memberships and attributes cannot be mixed", "name `groups` alone, or leave it out"))
    } else if written.transform.is_some() {
        Some(("the name of a group is not transformed", "leave `transform` out"))
    } else {
        None
    };
    problems.extend(trouble.map(|(explanation, remedy)| named.place.problem(explanation, remedy)));
    true
}

impl Written {
    /// A path, a list of paths, or a table of `from` and `transform`.
    fn read(reader: &Reader<'_>, key: &Placed<String>, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let written = match value.get_ref() {
            DeValue::Table(entries) => {
                let table =
                    Table::inline(reader, &key.value, entries, key.place).only(&["from", "transform"]);
                let Some((_, from)) = table.entry("from") else {
                    reader.problem(
                        key.place,
                        format!("`{}` has no `from`", key.value),
                        "name the path that it comes from",
                    );
                    return None;
                };
                Self { from: paths(reader, "from", from)?, transform: transforms(&table) }
            }
            _ => Self { from: paths(reader, &key.value, value)?, transform: None },
        };
        if written.from.len() > MOST_PATHS {
            let remedy = format!("{MOST_PATHS} are the most");
            reader.problem(key.place, format!("`{}` has too many paths", key.value), remedy);
            return None;
        }
        Some(written)
    }
}

fn paths(reader: &Reader<'_>, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Vec<Placed<String>>> {
    match value.get_ref() {
        DeValue::String(_) => reader.text(key, value).map(|path| vec![path]),
        _ => reader.texts(key, value),
    }
}

fn transforms(table: &Table<'_, '_>) -> Option<Vec<Transform>> {
    let names = table.texts("transform")?;
    let mut transforms = Vec::with_capacity(names.len());
    for name in names {
        match Transform::ALL.iter().find(|known| known.name() == name.value) {
            Some(transform) if transforms.contains(transform) => {
                table.reader.problem(
                    name.place,
                    format!("`{}` is listed twice", name.value),
                    "leave one out",
                );
            }
            Some(transform) => transforms.push(*transform),
            None => {
                let explanation = format!("there is no transformation `{}`", quoted(&name.value));
                table.reader.unknown(
                    name.place,
                    explanation,
                    &name.value,
                    Transform::ALL.map(Transform::name),
                );
            }
        }
    }
    Some(transforms)
}

/// Whether a field of the application's own can have this name; otherwise there is a problem now.
fn check_name(reader: &Reader<'_>, name: &Placed<String>) -> bool {
    let text = name.value.as_str();
    if Field::from_name(text).is_some() {
        let explanation = format!("`{text}` is a field that every person has");
        reader.problem(name.place, explanation, "put it under `[mapping]`, or choose another name");
        return false;
    }
    let fits = text.len() <= NAME_LIMIT
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !fits {
        let remedy = format!("use `a` to `z`, digits and `_`, a letter first, {NAME_LIMIT} at most");
        reader.problem(name.place, format!("`{}` cannot be the name of a field", quoted(text)), remedy);
    }
    fits
}

fn is_urn(path: &str) -> bool {
    path.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"))
}

/// Whether the path begins with the URN and a colon.
fn is_below(path: &str, urn: &str) -> bool {
    let head = path.get(..urn.len()).is_some_and(|head| head.eq_ignore_ascii_case(urn));
    head && path.get(urn.len()..).is_some_and(|rest| rest.starts_with(':'))
}

fn is_of_unknown_schema(path: &str, resource_type: &ResourceType) -> bool {
    let core = std::iter::once(resource_type.schema());
    let mut schemas = core.chain(resource_type.extensions().iter().map(|extension| extension.schema()));
    is_urn(path)
        && !schemas.any(|schema| is_below(path, schema.id()) || path.eq_ignore_ascii_case(schema.id()))
}

fn schema_document(urn: &str, attributes: &[&str]) -> Value {
    let attributes: Vec<Value> =
        attributes.iter().map(|name| json!({ "name": name, "type": "string" })).collect();
    let description = "accepted by the mapping of the tenant's policy, without a declaration";
    json!({ "id": urn, "description": description, "attributes": attributes })
}
