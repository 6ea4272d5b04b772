//! Names of members: any case, but each attribute once, and none that does not exist (RFC 7643 §2.1).

use std::fmt::Display;

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Attribute, ResourceType, Schema};
use crate::text::{excerpt, nearest};

/// Refuses an object that spells one attribute in two ways. `key` is one of its keys, `name` the canonical spelling.
///
/// Keys of an object differ, so two spellings of one name can only meet if at least one is not canonical.
pub(crate) fn spelled_once(
    object: &Map<String, Value>,
    key: &str,
    name: &str,
    owner: &dyn Display,
) -> Result<()> {
    if key == name {
        return Ok(());
    }
    match object.keys().find(|other| *other != key && other.eq_ignore_ascii_case(name)) {
        None => Ok(()),
        Some(other) => Err(syntax(format!("`{key}` and `{other}` are the same attribute of {owner}"))
            .remedy("send it once")
            .at(name)),
    }
}

/// The error for a member of a resource that is neither an attribute of the core schema nor an extension.
pub(crate) fn unknown_member(resource_type: &ResourceType, key: &str) -> Error {
    let type_name = resource_type.name();
    let quoted = excerpt(key);
    if key.contains(':') {
        return unknown_urn(resource_type, key);
    }
    let error = syntax(format!("`{quoted}` is not an attribute of {type_name}"));
    if let Some((attribute, sub)) = key.split_once('.') {
        let sub =
            resource_type.attribute(attribute).and_then(|found| Some((found, found.sub_attribute(sub)?)));
        if let Some((attribute, sub)) = sub {
            return error.remedy(format!("send `{}` as a member inside `{}`", sub.name(), attribute.name()));
        }
    }
    let elsewhere = resource_type.extensions().iter().find_map(|extension| {
        let attribute = extension.schema().attribute(key)?;
        Some(format!("send `{}` inside the object `{}`", attribute.name(), extension.schema().id()))
    });
    match elsewhere
        .or_else(|| did_you_mean(key, resource_type.attributes().map(|attribute| attribute.name())))
    {
        Some(remedy) => error.remedy(remedy),
        None => error.remedy("take it out of the attribute mapping, or map it to one that /Schemas has"),
    }
}

/// The remedy for a URN that SCIM 1 or a draft gave to a schema.
pub(super) fn outdated(schema: &Schema) -> String {
    format!("that name is older than RFC 7643: send `{}`", schema.id())
}

fn unknown_urn(resource_type: &ResourceType, key: &str) -> Error {
    let quoted = excerpt(key);
    let core = resource_type.schema();
    let extensions = || resource_type.extensions().iter().map(|extension| extension.schema());
    if key.eq_ignore_ascii_case(core.id()) {
        return syntax(format!("`{quoted}` is the core schema, not an extension"))
            .remedy("send its attributes without the URN, at the top level");
    }
    let of = |schema: &Schema| {
        let name = key.get(schema.id().len()..)?.strip_prefix(':')?;
        let head = key.get(..schema.id().len())?;
        head.eq_ignore_ascii_case(schema.id()).then(|| schema.attribute(name).cloned())?
    };
    if let Some(attribute) = of(core) {
        return syntax(format!("`{quoted}` is not the name of a member"))
            .remedy(format!("send `{}` without the URN", attribute.name()));
    }
    if let Some((schema, attribute)) = extensions().find_map(|schema| Some((schema, of(schema)?))) {
        return syntax(format!("`{quoted}` is not the name of a member")).remedy(format!(
            "send `{}` inside the object `{}`",
            attribute.name(),
            schema.id()
        ));
    }
    let error = syntax(format!("no extension `{quoted}` is registered for {}", resource_type.name()));
    if let Some(schema) = resource_type.successor(key).filter(|schema| schema.id() != core.id()) {
        return error.remedy(outdated(schema));
    }
    match did_you_mean(key, extensions().map(|schema| schema.id())) {
        Some(remedy) => error.remedy(remedy),
        None => {
            error.remedy("take it out of the attribute mapping, or have the server's operator add its schema")
        }
    }
}

/// Whether a member of an extension's data says no more than whose data it is. Client libraries that make a class of
/// each schema send `"schemas": ["urn:…"]` inside as well as at the top.
pub(crate) fn repeats_schema(schema: &Schema, key: &str, value: &Value) -> bool {
    let is_own = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(schema.id()));
    key.eq_ignore_ascii_case("schemas") && value.as_array().is_some_and(|urns| urns.iter().all(is_own))
}

/// The error for a member of an extension that is not one of its attributes.
pub(crate) fn unknown_in_extension(schema: &Schema, key: &str, resource_type: &ResourceType) -> Error {
    let error = syntax(format!("`{}` is not an attribute of `{}`", excerpt(key), schema.id()));
    let near = did_you_mean(key, schema.attributes().iter().map(|attribute| attribute.name()));
    match (resource_type.attribute(key), near) {
        (Some(attribute), _) => error.remedy(format!("send `{}` at the top level", attribute.name())),
        (None, Some(remedy)) => error.remedy(remedy),
        (None, None) => {
            error.remedy("take it out of the attribute mapping, or map it to one that /Schemas has")
        }
    }
}

/// The error for a member of a complex value that is not one of its sub-attributes.
pub(super) fn unknown_sub(attribute: &Attribute, key: &str, path: &dyn Display) -> Error {
    let known = || attribute.sub_attributes().iter().map(|sub| sub.name());
    let error = syntax(format!("`{}` is not a sub-attribute of `{path}`", excerpt(key))).at(path);
    error.remedy(did_you_mean(key, known()).unwrap_or_else(|| {
        format!("it has {}", known().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
    }))
}

fn did_you_mean<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(key, known).map(|near| format!("did you mean `{near}`?"))
}

fn syntax(explanation: String) -> Error {
    Error::new(ErrorKind::InvalidSyntax, explanation)
}
