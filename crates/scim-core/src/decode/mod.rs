//! From the JSON that a client sent to the canonical form (RFC 7643 §2, §3).
//!
//! Decoding finds attributes in any case, leaves out what is unassigned or read-only, checks every value against its
//! attribute, and computes `schemas` from the content. It is strict: an unknown name, a value of another type and an
//! extension that `schemas` does not list are refused. What identity providers get wrong is put right before, not
//! here. Values are kept exactly as sent, and equal elements of a list stay as many as they are: no RFC forbids them.

mod complete;
pub(crate) mod names;
#[cfg(test)]
mod tests;
mod value;

pub(crate) use complete::is_blank;
pub use complete::{check_immutable, complete, take_hidden};
pub use value::{element, sub_value, value};

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::document::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::path::AttributePath;
use crate::schema::{Mutability, ResourceType, Returned, Schema};
use crate::text::{excerpt, nearest};
pub(crate) use value::{article, once_each};

/// A decoded resource.
#[derive(Debug)]
pub struct Decoded {
    /// What may be stored and read back.
    pub document: Document,
    /// The values of attributes with `returned: never`, such as `password`. They are in no document. A sub-attribute of
    /// a multi-valued attribute appears once for each element that has it.
    pub hidden: Vec<(AttributePath, Value)>,
}

/// Decodes the body of a POST or PUT. Read-only attributes are ignored, whatever they hold (RFC 7644 §3.3, §3.5.1).
///
/// # Errors
/// `invalidSyntax` for an unknown or repeated name, `invalidValue` for a value that does not fit, a required
/// attribute that is missing, or `schemas` that do not agree with the content.
pub fn resource(body: &Value, resource_type: &ResourceType) -> Result<Decoded> {
    let Value::Object(object) = body else {
        let explanation = format!("a {} must be an object, not {}", resource_type.name(), article(body));
        return Err(Error::new(ErrorKind::InvalidSyntax, explanation));
    };
    let mut map = Map::with_capacity(object.len());
    for (key, value) in object {
        if let Some(extension) = resource_type.extension(key) {
            let schema = extension.schema();
            names::spelled_once(object, key, schema.id(), &resource_type.name())?;
            if let Some(data) = extension_data(value, schema, resource_type)? {
                map.insert(schema.id().to_owned(), data);
            }
            continue;
        }
        let attribute =
            resource_type.attribute(key).ok_or_else(|| names::unknown_member(resource_type, key))?;
        let name = attribute.name();
        names::spelled_once(object, key, name, &resource_type.name())?;
        if attribute.mutability() == Mutability::ReadOnly {
            continue;
        }
        if let Some(value) = value::value(attribute, value, &name)? {
            map.insert(name.to_owned(), value);
        }
    }
    check_schemas(object, &map, resource_type)?;
    let mut document = Document::new(map);
    let hidden = take_hidden(&mut document, resource_type);
    check_hidden(&hidden, resource_type)?;
    complete(&mut document, resource_type)?;
    Ok(Decoded { document, hidden })
}

fn extension_data(value: &Value, schema: &Schema, resource_type: &ResourceType) -> Result<Option<Value>> {
    let urn = schema.id();
    let object = match value {
        Value::Null => return Ok(None),
        Value::Object(object) => object,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let explanation = format!("`{urn}` must be an object, not {}", article(value));
            return Err(invalid(explanation).remedy("send the extension's attributes inside it").at(urn));
        }
    };
    let mut data = Map::with_capacity(object.len());
    for (key, value) in object.iter().filter(|(key, value)| !names::repeats_schema(schema, key, value)) {
        let attribute =
            schema.attribute(key).ok_or_else(|| names::unknown_in_extension(schema, key, resource_type))?;
        names::spelled_once(object, key, attribute.name(), &urn)?;
        if attribute.mutability() == Mutability::ReadOnly {
            continue;
        }
        let path = format_args!("{urn}:{}", attribute.name());
        if let Some(value) = value::value(attribute, value, &path)? {
            data.insert(attribute.name().to_owned(), value);
        }
    }
    Ok(if data.is_empty() { None } else { Some(Value::Object(data)) })
}

/// RFC 7643 §3: `schemas` names the core schema and every extension that the resource uses. It may name extensions that
/// the resource does not use.
fn check_schemas(
    object: &Map<String, Value>,
    decoded: &Map<String, Value>,
    resource_type: &ResourceType,
) -> Result<()> {
    let core = resource_type.schema().id();
    let sent = object.iter().find(|(key, _)| key.eq_ignore_ascii_case("schemas")).map(|(_, sent)| sent);
    let list = match sent {
        Some(Value::Array(list)) if !list.is_empty() => list,
        None | Some(Value::Null | Value::Array(_)) => {
            return Err(schemas("`schemas` is missing").remedy(format!("send `\"schemas\": [\"{core}\"]`")));
        }
        Some(other) => {
            return Err(schemas(format!("`schemas` must be an array of strings, not {}", article(other))));
        }
    };
    let known = || {
        let extensions = resource_type.extensions().iter().map(|extension| extension.schema());
        std::iter::once(resource_type.schema()).chain(extensions).map(|schema: &Arc<Schema>| schema.id())
    };
    for urn in list {
        let Value::String(urn) = urn else {
            return Err(schemas(format!("`schemas` must hold strings, not {}", article(urn))));
        };
        if !known().any(|known| known.eq_ignore_ascii_case(urn)) {
            let explanation =
                format!("`schemas` names `{}`, which {} does not have", excerpt(urn), resource_type.name());
            let remedy = match (resource_type.successor(urn), nearest(urn, known())) {
                (Some(schema), _) => names::outdated(schema),
                (None, Some(near)) => format!("did you mean `{near}`?"),
                (None, None) => "see /ResourceTypes for what it has".to_owned(),
            };
            return Err(schemas(explanation).remedy(remedy));
        }
    }
    let lists =
        |urn: &str| list.iter().any(|sent| sent.as_str().is_some_and(|sent| sent.eq_ignore_ascii_case(urn)));
    if !lists(core) {
        return Err(schemas(format!("`schemas` does not name `{core}`")).remedy("add it"));
    }
    let unlisted = resource_type
        .extensions()
        .iter()
        .map(|extension| extension.schema().id())
        .find(|urn| decoded.contains_key(*urn) && !lists(urn));
    match unlisted {
        None => Ok(()),
        Some(urn) => Err(schemas(format!("the resource has `{urn}`, but `schemas` does not name it"))
            .remedy("add it to `schemas`")),
    }
}

/// Required attributes that [`complete()`] cannot look for, because they never are in a document.
fn check_hidden(hidden: &[(AttributePath, Value)], resource_type: &ResourceType) -> Result<()> {
    let missing = resource_type.attributes().find(|attribute| {
        attribute.is_required()
            && attribute.returned() == Returned::Never
            && !hidden
                .iter()
                .any(|(path, value)| path.urn().is_none() && path.leaf() == *attribute && !is_blank(value))
    });
    missing.map_or(Ok(()), |attribute| Err(complete::missing(&attribute.name())))
}

fn schemas(explanation: impl Into<String>) -> Error {
    invalid(explanation.into()).at("schemas")
}

fn invalid(explanation: String) -> Error {
    Error::new(ErrorKind::InvalidValue, explanation)
}
