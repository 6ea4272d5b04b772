//! What a client sent of attributes that are returned on request.
//!
//! RFC 7643 §7 has such an attribute in the answer to a write "if the attribute was specified by the client". Nothing is
//! checked here: what cannot be understood was not specified, and whoever carries out the request refuses it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Names;
use crate::filter::{PathExpression, ResolvedPath};
use crate::path::{AttributePath, Named};
use crate::schema::{Attribute, ResourceType, Returned, Schema};

/// Of the attributes in a resource, those that are returned on request or have parts that are.
pub(super) fn in_resource(body: &Value, resource_type: &ResourceType) -> Names {
    let mut names = Vec::new();
    if let Value::Object(object) = body {
        of_resource(object, resource_type, &mut names);
    }
    Names { names, core: false }
}

/// As [`in_resource`], of the attributes that a PatchOp message names.
pub(super) fn in_patch(message: &Value, resource_type: &ResourceType) -> Names {
    let mut names = Vec::new();
    if let Value::Object(message) = message {
        let operations = member(message, "Operations").and_then(Value::as_array);
        for operation in operations.into_iter().flatten() {
            of_operation(operation, resource_type, &mut names);
        }
    }
    Names { names, core: false }
}

/// Whether there are such attributes at all.
pub(super) fn has_any(resource_type: &ResourceType) -> bool {
    let extensions = resource_type.extensions().iter().flat_map(|extension| extension.schema().attributes());
    resource_type.attributes().chain(extensions).any(is_on_request)
}

fn of_operation(operation: &Value, resource_type: &ResourceType, names: &mut Vec<Named>) {
    let Value::Object(operation) = operation else { return };
    let value = member(operation, "value").unwrap_or(&Value::Null);
    let Some(Value::String(path)) = member(operation, "path") else {
        if let Value::Object(object) = value {
            of_resource(object, resource_type, names);
        }
        return;
    };
    match PathExpression::parse(path).and_then(|path| path.resolve(resource_type)) {
        Ok(ResolvedPath::Plain(Named::Extension(schema))) => of_extension(&schema, value, names),
        Ok(ResolvedPath::Plain(Named::Attribute(path))) => of_attribute(path, value, names),
        Ok(ResolvedPath::Elements { path, sub: Some(sub), .. }) => {
            of_attribute(path.with_sub(sub), value, names);
        }
        Ok(ResolvedPath::Elements { path, sub: None, .. }) => of_attribute(path, value, names),
        Err(_) => {}
    }
}

fn of_resource(object: &Map<String, Value>, resource_type: &ResourceType, names: &mut Vec<Named>) {
    for (key, value) in object {
        if let Some(extension) = resource_type.extension(key) {
            of_extension(extension.schema(), value, names);
        } else if let Some(attribute) = resource_type.attribute(key) {
            of_attribute(AttributePath::new(None, Arc::clone(attribute), None), value, names);
        }
    }
}

fn of_extension(schema: &Arc<Schema>, value: &Value, names: &mut Vec<Named>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        if let Some(attribute) = schema.attribute(key) {
            let urn = Some(Arc::clone(schema.shared_id()));
            of_attribute(AttributePath::new(urn, Arc::clone(attribute), None), value, names);
        }
    }
}

fn of_attribute(path: AttributePath, value: &Value, names: &mut Vec<Named>) {
    if !is_on_request(path.attribute()) {
        return;
    }
    let mut name = |path: AttributePath| {
        let name = Named::Attribute(path);
        if !names.contains(&name) {
            names.push(name);
        }
    };
    if path.sub().is_none() {
        let elements = match value {
            Value::Array(elements) => elements.as_slice(),
            value => std::slice::from_ref(value),
        };
        let keys = elements.iter().filter_map(Value::as_object).flat_map(Map::keys);
        for sub in keys.filter_map(|key| path.attribute().sub_attribute(key)) {
            name(path.with_sub(Arc::clone(sub)));
        }
    }
    name(path);
}

fn is_on_request(attribute: &Arc<Attribute>) -> bool {
    let says_so = |attribute: &Arc<Attribute>| attribute.returned() == Returned::Request;
    says_so(attribute) || attribute.sub_attributes().iter().any(says_so)
}

fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
