//! `bulkId:` in the data of an operation: where it counts, and putting an identifier in its place (RFC 7644 §3.7.2).
//!
//! It counts as the `value` or the `$ref` of an attribute that can refer to a resource, wherever a client may write
//! that: in a resource, in the value of a PATCH operation, in its path. Anything else may well begin with `bulkId:`.

use std::sync::Arc;

use scim_core::filter::{Literal, PathExpression};
use scim_core::schema::{Attribute, ResourceType, Type};
use serde_json::{Map, Value};

/// What stands in front of the name.
pub(super) const MARK: &str = "bulkId:";

/// The names that data for a resource of this type mentions.
pub(super) fn mentioned(value: &Value, resource_type: &ResourceType, names: &mut Vec<String>) {
    if is_anywhere(value) {
        let mut note = |name: &str| {
            names.push(name.to_owned());
            None
        };
        Visit { resource_type, identifier: &mut note }.members(&mut value.clone(), None);
    }
}

/// Puts the identifier in the place of every name that has one.
pub(super) fn substitute(
    value: &mut Value,
    resource_type: &ResourceType,
    identifier: &dyn Fn(&str) -> Option<String>,
) {
    Visit { resource_type, identifier: &mut |name| identifier(name) }.members(value, None);
}

/// Whether there is anything to look at closer.
fn is_anywhere(value: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(is_anywhere),
        Value::Object(members) => members.values().any(is_anywhere),
        Value::String(text) => text.contains(MARK),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// An attribute as a path or a key names it, without the URN in front.
#[derive(Clone, Copy)]
struct Named<'t> {
    attribute: &'t str,
    sub: Option<&'t str>,
}

impl<'t> Named<'t> {
    fn of(text: &'t str) -> Self {
        let (before, after) = match (text.find('['), text.rfind(']')) {
            (Some(open), Some(close)) if open < close => (text.get(..open), text.get(close + 1..)),
            _ => (Some(text), None),
        };
        let before = before.unwrap_or_default();
        let name = before.rsplit_once(':').map_or(before, |(_, name)| name);
        match after.and_then(|after| after.strip_prefix('.')) {
            Some(sub) => Self { attribute: name, sub: Some(sub) },
            None => match name.split_once('.') {
                Some((attribute, sub)) => Self { attribute, sub: Some(sub) },
                None => Self { attribute: name, sub: None },
            },
        }
    }

    /// Whether a text there refers to a resource: what has a `$ref` beside its `value` does, and so does a URI of one.
    fn refers(self, resource_type: &ResourceType) -> bool {
        let extensions = || resource_type.extensions().iter().map(|known| known.schema());
        let known = resource_type
            .attribute(self.attribute)
            .or_else(|| extensions().find_map(|schema| schema.attribute(self.attribute)));
        let has_uri = |attribute: &Arc<Attribute>| attribute.sub_attribute("$ref").is_some();
        match self.sub {
            Some(sub) => (is_value(sub) || is_uri(sub)) && known.is_some_and(has_uri),
            None => known.is_some_and(|attribute| has_uri(attribute) || names_types(attribute)),
        }
    }
}

/// Whether it is the URI of a resource of some type, not of anything anywhere (RFC 7643 §7).
fn names_types(attribute: &Attribute) -> bool {
    let is_type = |name: &String| name != "external" && name != "uri";
    attribute.kind() == Type::Reference && attribute.reference_types().iter().any(is_type)
}

fn is_value(name: &str) -> bool {
    name.eq_ignore_ascii_case("value")
}

fn is_uri(name: &str) -> bool {
    name.eq_ignore_ascii_case("$ref")
}

struct Visit<'a> {
    resource_type: &'a ResourceType,
    identifier: &'a mut dyn FnMut(&str) -> Option<String>,
}

impl Visit<'_> {
    /// A resource, the value of the attribute `around`, or a list of such.
    fn members(&mut self, value: &mut Value, around: Option<&str>) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.members(element, around)),
            Value::Object(members) => {
                if around.is_some_and(|attribute| {
                    (Named { attribute, sub: Some("value") }).refers(self.resource_type)
                }) {
                    name_by_value(members);
                }
                for (name, member) in members.iter_mut() {
                    match member {
                        Value::Array(operations)
                            if around.is_none() && name.eq_ignore_ascii_case("Operations") =>
                        {
                            operations.iter_mut().for_each(|operation| self.operation(operation));
                        }
                        member => self.member(name, member, around),
                    }
                }
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn member(&mut self, name: &str, member: &mut Value, around: Option<&str>) {
        let named = match around {
            Some(attribute) if is_value(name) || is_uri(name) => Named { attribute, sub: Some(name) },
            _ => Named::of(name),
        };
        match member {
            Value::String(text) if named.refers(self.resource_type) => self.text(text),
            Value::Array(elements) => {
                elements.iter_mut().for_each(|element| self.member(name, element, around));
            }
            member => self.members(member, Some(named.attribute)),
        }
    }

    /// A reference: the mark and a name, behind a URI perhaps.
    fn text(&mut self, text: &mut String) {
        let start = match text.rfind('/') {
            _ if text.starts_with(MARK) => 0,
            Some(slash) => slash + 1,
            None => return,
        };
        let name = text.get(start..).and_then(|last| last.strip_prefix(MARK));
        if let Some(id) = name.and_then(|name| (self.identifier)(name)) {
            text.truncate(start);
            text.push_str(&id);
        }
    }

    /// An operation of a PATCH.
    fn operation(&mut self, operation: &mut Value) {
        let Value::Object(members) = operation else { return };
        let value =
            find(members, "value").map(|value| value.as_str().is_some_and(|text| text.starts_with(MARK)));
        let mut path = None;
        if let Some(Value::String(text)) = find(members, "path") {
            self.path(text);
            if value == Some(true)
                && let Some((list, sub)) = text.rsplit_once('.')
                && is_uri(sub)
            {
                *text = format!("{list}.value");
            }
            path = Some(text.clone());
        }
        match (find(members, "value"), path) {
            (Some(value), Some(path)) => self.member(&path, value, None),
            (Some(value), None) => self.members(value, None),
            (None, _) => {}
        }
    }

    /// The comparisons of a value path.
    fn path(&mut self, text: &mut String) {
        let mut found = Vec::new();
        let Ok(mut path) = PathExpression::parse(text) else { return };
        path.for_each_comparison_mut(|comparison, list| {
            let attribute = list.map_or("", |list| Named::of(list).attribute);
            if let Literal::Text(literal) = &comparison.literal
                && let Some(name) = literal.strip_prefix(MARK)
                && (Named { attribute, sub: Some(&comparison.path) }).refers(self.resource_type)
            {
                found.push((comparison.span(), name.to_owned()));
            }
        });
        found.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        for (span, name) in found {
            let quote = text.get(span.clone()).and_then(|comparison| comparison.find('"'));
            if let (Some(id), Some(quote)) = ((self.identifier)(&name), quote) {
                text.replace_range(span.start + quote..span.end, &Value::String(id).to_string());
            }
        }
    }
}

/// A name where a URI belongs says what `value` says, and the server knows the URI of that.
fn name_by_value(members: &mut Map<String, Value>) {
    let is_name = |value: &Value| value.as_str().is_some_and(|text| text.starts_with(MARK));
    let uri = members.iter().find(|(name, value)| is_uri(name) && is_name(value));
    let Some(uri) = uri.map(|(name, _)| name.clone()) else { return };
    if let Some(name) = members.shift_remove(&uri)
        && !members.keys().any(|key| is_value(key))
    {
        members.insert("value".to_owned(), name);
    }
}

fn find<'m>(members: &'m mut Map<String, Value>, name: &str) -> Option<&'m mut Value> {
    members.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
