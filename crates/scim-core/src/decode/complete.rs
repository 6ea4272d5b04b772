//! What must hold of a resource as a whole, however it came to be: by POST, PUT or PATCH.

use std::fmt::Display;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::document::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::path::AttributePath;
use crate::schema::{Attribute, Membership, Mutability, ResourceType, Returned, Type};

/// Brings a changed document back into its canonical form: leaves out what is empty, computes `schemas` from the
/// content, and checks that nothing required is missing.
///
/// # Errors
/// `invalidValue`, naming the required attribute or extension that is missing. `Internal` when an attribute that
/// nobody may read is still in the document: [`take_hidden`] comes first.
pub fn complete(document: &mut Document, resource_type: &ResourceType) -> Result<()> {
    let map = document.map_mut();
    map.shift_remove("schemas");
    map.retain(|_, value| prune(value));
    let mut schemas = vec![Value::from(resource_type.schema().id())];
    check_required(resource_type.attributes(), map, None)?;
    for extension in resource_type.extensions() {
        let urn = extension.schema().id();
        match map.get(urn) {
            Some(Value::Object(data)) => {
                schemas.push(urn.into());
                check_required(extension.schema().attributes(), data, Some(urn))?;
            }
            Some(_) => return Err(internal(format!("the document's `{urn}` is not an object"))),
            None if extension.is_required() => {
                return Err(missing(&urn).remedy(format!(
                    "every {} needs this extension: send its attributes inside the object `{urn}`",
                    resource_type.name()
                )));
            }
            None => {}
        }
    }
    map.shift_insert(0, "schemas".to_owned(), schemas.into());
    Ok(())
}

/// Takes the attributes with `returned: never` out of the document, so that it can be stored.
pub fn take_hidden(document: &mut Document, resource_type: &ResourceType) -> Vec<(AttributePath, Value)> {
    let mut hidden = Vec::new();
    let map = document.map_mut();
    take_never(resource_type.attributes(), map, None, &mut hidden);
    for extension in resource_type.extensions() {
        let schema = extension.schema();
        if let Some(data) = map.get_mut(schema.id()).and_then(Value::as_object_mut) {
            take_never(schema.attributes().iter(), data, Some(schema.shared_id()), &mut hidden);
        }
    }
    hidden
}

/// Checks that a replacement keeps every immutable value that was there before (RFC 7644 §3.5.1). A value may be given
/// where there was none. Elements of a list come and go as a whole, so sub-attributes in a list have nothing to keep.
///
/// # Errors
/// `mutability`, naming the attribute.
pub fn check_immutable(old: &Document, new: &Document, resource_type: &ResourceType) -> Result<()> {
    let (old, new) = (old.as_map(), new.as_map());
    // Kept as edges, so whichever document lacks it says nothing of it.
    let apart = match resource_type.membership() {
        Some(Membership::Group) => Some("members"),
        Some(Membership::Member) => Some("groups"),
        None => None,
    };
    let core = resource_type.attributes().filter(|attribute| {
        apart != Some(attribute.name())
            || (old.contains_key(attribute.name()) && new.contains_key(attribute.name()))
    });
    check_kept(core, old, Some(new), None)?;
    for extension in resource_type.extensions() {
        let schema = extension.schema();
        if let Some(old) = old.get(schema.id()).and_then(Value::as_object) {
            let new = new.get(schema.id()).and_then(Value::as_object);
            check_kept(schema.attributes().iter(), old, new, Some(schema.id()))?;
        }
    }
    Ok(())
}

fn check_kept<'a>(
    attributes: impl Iterator<Item = &'a Arc<Attribute>>,
    old: &Map<String, Value>,
    new: Option<&Map<String, Value>>,
    urn: Option<&str>,
) -> Result<()> {
    for attribute in attributes {
        let Some(before) = old.get(attribute.name()) else { continue };
        let after = new.and_then(|new| new.get(attribute.name()));
        if attribute.mutability() == Mutability::Immutable && after != Some(before) {
            return Err(immutable(&InSchema { urn, attribute, sub: None }));
        }
        let Value::Object(before) = before else { continue };
        for sub in attribute.sub_attributes().iter().filter(|sub| sub.mutability() == Mutability::Immutable) {
            let kept = |before| after.and_then(|after| after.get(sub.name())) == Some(before);
            if before.get(sub.name()).is_some_and(|before| !kept(before)) {
                return Err(immutable(&InSchema { urn, attribute, sub: Some(sub) }));
            }
        }
    }
    Ok(())
}

fn check_required<'a>(
    attributes: impl IntoIterator<Item = &'a Arc<Attribute>>,
    map: &Map<String, Value>,
    urn: Option<&str>,
) -> Result<()> {
    for attribute in attributes {
        if attribute.returned() == Returned::Never {
            match map.contains_key(attribute.name()) {
                true => return Err(internal(format!("the document still has `{}`", attribute.name()))),
                false => continue,
            }
        }
        // Most owe nothing, and are not even looked for.
        let owes = attribute.is_required() || attribute.sub_attributes().iter().any(|sub| is_due(sub));
        if attribute.mutability() == Mutability::ReadOnly || !owes {
            continue;
        }
        let elements = match map.get(attribute.name()) {
            None if attribute.is_required() => return Err(missing(&InSchema { urn, attribute, sub: None })),
            None => continue,
            Some(value) if attribute.is_required() && is_blank(value) => {
                return Err(missing(&InSchema { urn, attribute, sub: None }));
            }
            Some(Value::Array(elements)) => elements.as_slice(),
            Some(value) => std::slice::from_ref(value),
        };
        for sub in attribute.sub_attributes().iter().filter(|sub| is_due(sub)) {
            let lacking = elements.iter().position(|element| element.get(sub.name()).is_none_or(is_blank));
            if let Some(index) = lacking {
                let error = missing(&InSchema { urn, attribute, sub: Some(sub) });
                return Err(match attribute.is_multi_valued() {
                    true => {
                        let list = InSchema { urn, attribute, sub: None };
                        error.context(format_args!("element {} of `{list}`", index + 1))
                    }
                    false => error,
                });
            }
        }
    }
    Ok(())
}

/// Whether the client owes the sub-attribute, and the document shows it.
fn is_due(sub: &Attribute) -> bool {
    sub.is_required() && sub.mutability() != Mutability::ReadOnly && sub.returned() != Returned::Never
}

fn take_never<'a>(
    attributes: impl Iterator<Item = &'a Arc<Attribute>>,
    map: &mut Map<String, Value>,
    urn: Option<&Arc<str>>,
    hidden: &mut Vec<(AttributePath, Value)>,
) {
    for attribute in attributes {
        let path = |sub| AttributePath::new(urn.cloned(), Arc::clone(attribute), sub);
        if attribute.returned() == Returned::Never {
            hidden.extend(map.shift_remove(attribute.name()).map(|value| (path(None), value)));
            continue;
        }
        if attribute.kind() != Type::Complex {
            continue;
        }
        for sub in attribute.sub_attributes().iter().filter(|sub| sub.returned() == Returned::Never) {
            let elements = match map.get_mut(attribute.name()) {
                Some(Value::Array(elements)) => elements.as_mut_slice(),
                Some(value) => std::slice::from_mut(value),
                None => &mut [],
            };
            let taken =
                elements.iter_mut().filter_map(|element| element.as_object_mut()?.shift_remove(sub.name()));
            hidden.extend(taken.map(|value| (path(Some(Arc::clone(sub))), value)));
        }
    }
}

/// Leaves out what is null or empty at any depth. False when nothing is left.
fn prune(value: &mut Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(elements) => {
            elements.retain_mut(prune);
            !elements.is_empty()
        }
        Value::Object(members) => {
            members.retain(|_, member| prune(member));
            !members.is_empty()
        }
    }
}

/// A text of nothing but spaces does not satisfy a requirement.
pub(crate) fn is_blank(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().is_empty())
}

pub(super) fn missing(path: &dyn Display) -> Error {
    let explanation = format!("the required attribute `{path}` is missing or empty");
    Error::new(ErrorKind::InvalidValue, explanation).at(path)
}

fn immutable(path: &InSchema<'_>) -> Error {
    Error::new(ErrorKind::Mutability, format!("`{path}` is immutable and already has a value"))
        .remedy("send the value that it has")
        .at(path)
}

fn internal(explanation: String) -> Error {
    Error::new(ErrorKind::Internal, "the resource could not be brought into its stored form")
        .caused_by(explanation)
}

/// How an error names an attribute.
struct InSchema<'a> {
    urn: Option<&'a str>,
    attribute: &'a Attribute,
    sub: Option<&'a Attribute>,
}

impl Display for InSchema<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(urn) = self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(self.attribute.name())?;
        match self.sub {
            Some(sub) => write!(f, ".{}", sub.name()),
            None => Ok(()),
        }
    }
}
