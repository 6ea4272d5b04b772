//! PATCH messages (RFC 7644 §3.5.2) as Entra ID and Okta write them.
//!
//! ```json
//! { "op": "Replace", "path": "active", "value": "False" }
//! { "op": "replace", "value": { "name.givenName": "Ada", "urn:…:User:department": "Yard" } }
//! { "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": "26118915" }] }
//! { "op": "replace", "path": "urn:…:User:manager", "value": "" }
//! ```

use percent_encoding::percent_decode_str;
use scim_core::filter::{PathExpression, ResolvedPath};
use scim_core::path::{AttributePath, Named};
use scim_core::schema::{ResourceType, Type};
use serde_json::{Map, Value, json};

use super::schemas::correct_urn;
use super::{Quirk, Quirks, rewrite_path, shape};

/// Most values that one rewritten `remove` names, so that its path stays short.
const VALUES_IN_A_PATH: usize = 50;

/// Rewrites the body of a PATCH of the resource `id`.
pub(crate) fn rewrite_patch(body: &mut Value, id: &str, resource_type: &ResourceType, quirks: Quirks) {
    if quirks == Quirks::NONE {
        return;
    }
    let Value::Object(message) = body else { return };
    let Some((_, Value::Array(operations))) =
        message.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("Operations"))
    else {
        return;
    };
    let rewriter = Rewriter { id, resource_type, quirks };
    let mut rewritten = Vec::with_capacity(operations.len());
    for operation in operations.drain(..) {
        match operation {
            Value::Object(members) => rewriter.operation(members, &mut rewritten),
            other => rewritten.push(other),
        }
    }
    *operations = rewritten;
}

struct Rewriter<'a> {
    id: &'a str,
    resource_type: &'a ResourceType,
    quirks: Quirks,
}

impl Rewriter<'_> {
    fn operation(&self, mut members: Map<String, Value>, out: &mut Vec<Value>) {
        if self.quirks.has(Quirk::MissingOperation) && !members.contains_key("op") {
            members.insert("op".to_owned(), json!("replace"));
        }
        if let Some(Value::String(op)) = members.get_mut("op")
            && self.quirks.has(Quirk::OperationCase)
        {
            op.make_ascii_lowercase();
        }
        if let Some(Value::String(path)) = members.get_mut("path") {
            if let Some(plain) = self.plain_path(path) {
                *path = plain;
            }
            if let Some(path_again) = rewrite_path(path, self.resource_type, self.quirks) {
                *path = path_again;
            }
        }
        let op = members.get("op").and_then(Value::as_str).unwrap_or_default().to_owned();
        let path = members.get("path").and_then(Value::as_str).map(str::to_owned);
        match (op.as_str(), path) {
            ("remove", Some(path)) => self.remove(members, &path, out),
            ("add" | "replace", Some(path)) => self.write(members, &op, &path, out),
            ("add" | "replace", None) => self.write_without_path(members, &op, out),
            _ => out.push(Value::Object(members)),
        }
    }

    fn plain_path(&self, path: &str) -> Option<String> {
        if !self.quirks.has(Quirk::EncodedPaths) {
            return None;
        }
        let plain = path.strip_prefix('/').unwrap_or(path);
        let decoded = percent_decode_str(plain).decode_utf8().ok()?;
        (decoded != path).then(|| decoded.into_owned())
    }

    /// A `remove` that brings values takes away just those.
    fn remove(&self, mut members: Map<String, Value>, path: &str, out: &mut Vec<Value>) {
        if !self.quirks.has(Quirk::RemoveByValue) {
            return out.push(Value::Object(members));
        }
        let Some(value) = members.remove("value").filter(|value| !value.is_null()) else {
            return out.push(Value::Object(members));
        };
        let multi_valued = match PathExpression::parse(path).and_then(|path| path.resolve(self.resource_type))
        {
            Ok(ResolvedPath::Plain(Named::Attribute(found))) => {
                found.sub().is_none() && found.attribute().is_multi_valued()
            }
            _ => false,
        };
        if !multi_valued {
            return out.push(Value::Object(members));
        }
        let elements = match value {
            Value::Array(elements) => elements,
            single => vec![single],
        };
        let ids: Vec<Value> = elements
            .into_iter()
            .filter_map(|element| match element {
                Value::Object(mut members) => members.remove("value"),
                scalar => Some(scalar),
            })
            .collect();
        for some in ids.chunks(VALUES_IN_A_PATH) {
            let terms: Vec<String> = some.iter().map(|id| format!("value eq {id}")).collect();
            out.push(json!({ "op": "remove", "path": format!("{path}[{}]", terms.join(" or ")) }));
        }
    }

    fn write(&self, mut members: Map<String, Value>, op: &str, path: &str, out: &mut Vec<Value>) {
        let Some(value) = members.get_mut("value") else {
            return out.push(Value::Object(members));
        };
        match PathExpression::parse(path).and_then(|path| path.resolve(self.resource_type)) {
            Ok(ResolvedPath::Plain(Named::Attribute(target))) => {
                if self.clears(&target, value) {
                    return out.push(json!({ "op": "remove", "path": path }));
                }
                shape::rewrite(target.leaf(), value, self.quirks);
            }
            Ok(ResolvedPath::Elements { path: target, sub, .. }) => match sub {
                Some(sub) => {
                    if self.clears(&target.with_sub(sub.clone()), value) {
                        return out.push(json!({ "op": "remove", "path": path }));
                    }
                    shape::rewrite(&sub, value, self.quirks);
                }
                None => shape::rewrite_element(target.attribute(), value, self.quirks),
            },
            Ok(ResolvedPath::Plain(Named::Extension(schema))) => {
                if let Value::Object(attributes) = value.take() {
                    return self.attributes(attributes, op, Some(schema.id()), out);
                }
            }
            Err(_) => {}
        }
        out.push(Value::Object(members));
    }

    fn write_without_path(&self, mut members: Map<String, Value>, op: &str, out: &mut Vec<Value>) {
        match members.remove("value") {
            Some(Value::Object(attributes)) => self.attributes(attributes, op, None, out),
            Some(other) => {
                members.insert("value".to_owned(), other);
                out.push(Value::Object(members));
            }
            None => out.push(Value::Object(members)),
        }
    }

    /// Each attribute of a value without path becomes an operation with one, so that every quirk of paths holds there
    /// too.
    fn attributes(&self, attributes: Map<String, Value>, op: &str, urn: Option<&str>, out: &mut Vec<Value>) {
        for (name, value) in attributes {
            let corrected =
                correct_urn(&name, self.resource_type).filter(|_| self.quirks.has(Quirk::MisspeltUrns));
            let name = corrected.map_or(name, str::to_owned);
            let own_id = urn.is_none() && name.eq_ignore_ascii_case("id") && value.as_str() == Some(self.id);
            if own_id && self.quirks.has(Quirk::EchoedId) {
                continue;
            }
            if urn.is_none() && name.eq_ignore_ascii_case("schemas") {
                continue;
            }
            let dotted = name.contains(['.', '['])
                || (name.contains(':') && self.resource_type.extension(&name).is_none());
            let path = match urn {
                Some(urn) => format!("{urn}:{name}"),
                None => name,
            };
            if dotted && !self.quirks.has(Quirk::DottedKeys) {
                let mut value_without_path = Map::new();
                value_without_path.insert(path, value);
                out.push(json!({ "op": op, "value": value_without_path }));
                continue;
            }
            let mut members = Map::new();
            members.insert("op".to_owned(), op.into());
            members.insert("path".to_owned(), path.into());
            members.insert("value".to_owned(), value);
            self.operation(members, out);
        }
    }

    /// Whether a value means "none": `""`, or a complex value that holds nothing else. A required attribute is never
    /// cleared that way; decoding refuses the empty text.
    fn clears(&self, target: &AttributePath, value: &Value) -> bool {
        let leaf = target.leaf();
        if !self.quirks.has(Quirk::EmptyClears) || leaf.is_required() {
            return false;
        }
        match value {
            Value::String(text) => text.is_empty(),
            Value::Object(members) => {
                leaf.kind() == Type::Complex
                    && !members.is_empty()
                    && members.values().all(|value| value.is_null() || value.as_str() == Some(""))
            }
            _ => false,
        }
    }
}
