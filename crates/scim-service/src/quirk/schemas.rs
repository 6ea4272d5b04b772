//! `schemas` that do not say what the body holds, in a resource sent whole.
//!
//! ```json
//! { "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group",
//!               "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
//!   "displayName": "Welders" }
//! ```

use scim_core::schema::{ENTERPRISE_USER, ResourceType};
use serde_json::{Map, Value};

use super::{Quirk, Quirks, shape};

/// Rewrites the body of a POST or a PUT.
pub(crate) fn rewrite_resource(body: &mut Value, resource_type: &ResourceType, quirks: Quirks) {
    let Value::Object(members) = body else { return };
    if quirks.has(Quirk::MisspeltUrns) {
        correct_urns(members, resource_type);
    }
    if quirks.has(Quirk::UnqualifiedNames) {
        qualify_members(members, resource_type);
    }
    if quirks.has(Quirk::UndeclaredSchemas) {
        declare(members, resource_type);
    }
    for (name, value) in members.iter_mut() {
        if let Some(extension) = resource_type.extension(name) {
            for (name, value) in value.as_object_mut().into_iter().flatten() {
                if let Some(attribute) = extension.schema().attribute(name) {
                    shape::rewrite(attribute, value, quirks);
                }
            }
        } else if let Some(attribute) = resource_type.attribute(name) {
            shape::rewrite(attribute, value, quirks);
        }
    }
}

/// The URN that a misspelt one stands for.
pub(crate) fn correct_urn<'a>(urn: &str, resource_type: &'a ResourceType) -> Option<&'a str> {
    let misspelt = urn.eq_ignore_ascii_case("urn:ietf:params:scim:schemas:extension:enterprise:2.0User");
    let enterprise = resource_type.extension(ENTERPRISE_USER).filter(|_| misspelt);
    let schema = enterprise.map(|extension| extension.schema()).or_else(|| resource_type.successor(urn))?;
    Some(schema.id())
}

fn correct_urns(members: &mut Map<String, Value>, resource_type: &ResourceType) {
    for urn in schemas_of(members).into_iter().flatten() {
        if let Some(correct) = urn.as_str().and_then(|urn| correct_urn(urn, resource_type)) {
            *urn = correct.into();
        }
    }
    let misspelt: Vec<String> =
        members.keys().filter(|name| correct_urn(name, resource_type).is_some()).cloned().collect();
    for name in misspelt {
        let Some(correct) = correct_urn(&name, resource_type) else { continue };
        let known = members.keys().any(|key| key.eq_ignore_ascii_case(correct));
        if !known && let Some(value) = members.shift_remove(&name) {
            members.insert(correct.to_owned(), value);
        }
    }
}

/// Moves an extension's attributes from beside `userName` to where they belong. One without a value just goes, and so
/// does one that is there with the same value.
fn qualify_members(members: &mut Map<String, Value>, resource_type: &ResourceType) {
    let is_known =
        |name: &str| resource_type.attribute(name).is_some() || resource_type.extension(name).is_some();
    let strays: Vec<String> = members.keys().filter(|name| !is_known(name)).cloned().collect();
    for name in strays {
        let mut owners = resource_type
            .extensions()
            .iter()
            .filter_map(|extension| Some((extension.schema(), extension.schema().attribute(&name)?)));
        let (Some((schema, attribute)), None) = (owners.next(), owners.next()) else { continue };
        let urn = members.keys().find(|key| key.eq_ignore_ascii_case(schema.id())).cloned();
        let data = urn.as_ref().and_then(|urn| members.get(urn)?.as_object());
        let mut inside = data.into_iter().flatten();
        let said = inside.find(|(key, _)| key.eq_ignore_ascii_case(attribute.name())).map(|(_, value)| value);
        let stray = members.get(&name).filter(|value| !value.is_null());
        // Which of two is meant cannot be known; decoding refuses the stray.
        if said.is_some() && stray.is_some() && said != stray {
            continue;
        }
        let is_said = said.is_some();
        let Some(value) = members.shift_remove(&name).filter(|value| !value.is_null() && !is_said) else {
            continue;
        };
        let slot =
            members.entry(urn.unwrap_or_else(|| schema.id().to_owned())).or_insert_with(|| Map::new().into());
        if slot.is_null() {
            *slot = Map::new().into();
        }
        if let Value::Object(data) = slot {
            data.insert(attribute.name().to_owned(), value);
        }
    }
}

fn declare(members: &mut Map<String, Value>, resource_type: &ResourceType) {
    let core = resource_type.schema().id();
    let mut declared = vec![core.to_owned()];
    for extension in resource_type.extensions() {
        let urn = extension.schema().id();
        let present = members.iter().any(|(name, value)| name.eq_ignore_ascii_case(urn) && !value.is_null());
        let listed = schemas_of(members).is_some_and(|urns| {
            urns.iter().any(|known| known.as_str().is_some_and(|known| known.eq_ignore_ascii_case(urn)))
        });
        if present || listed {
            declared.push(urn.to_owned());
        }
    }
    let name = members.keys().find(|name| name.eq_ignore_ascii_case("schemas")).cloned();
    let name = name.unwrap_or_else(|| "schemas".to_owned());
    match members.get(&name) {
        None | Some(Value::Array(_) | Value::Null) => members.insert(name, declared.into()),
        // Anything else is not a list that is incomplete; decoding says so.
        Some(_) => None,
    };
}

fn schemas_of(members: &mut Map<String, Value>) -> Option<&mut Vec<Value>> {
    let (_, schemas) = members.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("schemas"))?;
    schemas.as_array_mut()
}
