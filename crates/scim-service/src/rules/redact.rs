//! Takes out of a request what nobody may read back, before it is kept.
//!
//! What goes are the members and PATCH operations of attributes that are never returned, such as `password`, wherever they
//! stand and however they are spelled. Nothing else is touched: a request that is kept can be sent again.

use bytes::Bytes;
use scim_core::schema::{Registry, Returned};
use serde_json::Value;

/// The body without secrets. Nothing is left of one that is not JSON.
pub(super) fn redacted(body: &[u8], registry: &Registry) -> Bytes {
    let Ok(mut body) = serde_json::from_slice::<Value>(body) else { return Bytes::new() };
    let secrets = secrets(registry);
    redact(&mut body, &secrets);
    serde_json::to_vec(&body).map(Bytes::from).unwrap_or_default()
}

/// The names of attributes that are never returned.
fn secrets(registry: &Registry) -> Vec<&str> {
    let schemas = registry.schemas().iter();
    let attributes = schemas.flat_map(|schema| schema.attributes());
    let with_subs = attributes.flat_map(|attribute| {
        std::iter::once(attribute).chain(attribute.sub_attributes()).map(|attribute| &**attribute)
    });
    with_subs
        .filter(|attribute| attribute.returned() == Returned::Never)
        .map(scim_core::schema::Attribute::name)
        .collect()
}

/// The JSON was parsed within the parser's own bound of depth, which bounds this as well.
fn redact(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !is_secret(name, secrets));
            members.values_mut().for_each(|value| redact(value, secrets));
        }
        Value::Array(elements) => {
            elements.retain(|element| !path_of(element).is_some_and(|path| is_secret(path, secrets)));
            elements.iter_mut().for_each(|element| redact(element, secrets));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Where a PATCH operation leads.
fn path_of(operation: &Value) -> Option<&str> {
    let members = operation.as_object()?;
    let (_, path) = members.iter().find(|(name, _)| name.eq_ignore_ascii_case("path"))?;
    path.as_str()
}

/// Whether a name or path mentions one of them: `password`, `PASSWORD`, `urn:…:User:password`, `x[y eq 1].password`.
fn is_secret(path: &str, secrets: &[&str]) -> bool {
    let words = path.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '$')));
    words.into_iter().any(|word| secrets.iter().any(|secret| secret.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_go_and_nothing_else() {
        fn check(body: Value, expected: Value) {
            let registry = Registry::builtin().expect("built in");
            let left = redacted(body.to_string().as_bytes(), &registry);
            assert_eq!(serde_json::from_slice::<Value>(&left).expect("JSON"), expected);
        }
        let name = "urn:ietf:params:scim:schemas:core:2.0:User:password";
        check(
            json!({"userName": "a", "passWord": "x", "n": {"PASSWORD": "x"}}),
            json!({"userName": "a", "n": {}}),
        );
        check(json!({name: "x", "b": [1, {"password": "x"}]}), json!({"b": [1, {}]}));
        check(
            json!({"Operations": [
                {"op": "replace", "path": "password", "value": "x"},
                {"op": "replace", "Path": name, "value": "x"},
                {"op": "add", "path": "emails[password eq \"x\"].value", "value": "y"},
                {"op": "add", "value": {"password": "x", "active": true}},
                {"op": "add", "path": "displayName", "value": "password"},
            ]}),
            json!({"Operations": [
                {"op": "add", "value": {"active": true}},
                {"op": "add", "path": "displayName", "value": "password"},
            ]}),
        );
        check(json!({"passwordless": 1, "data": "é"}), json!({"passwordless": 1, "data": "é"}));
        assert!(redacted(b"{", &Registry::builtin().expect("built in")).is_empty());
    }
}
