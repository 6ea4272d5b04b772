//! Made-up people, by number: what an identity provider sends of an ordinary employee.

use serde_json::{Value, json};

/// The `userName` of person `number`.
pub fn user_name(number: usize) -> String {
    format!("user{number}@example.com")
}

/// The User that is posted for person `number`.
pub fn user(number: usize) -> Value {
    json!({
        "schemas": [scim_core::schema::USER],
        "userName": user_name(number),
        "externalId": number.to_string(),
        "active": true,
        "name": { "givenName": "Ada", "familyName": format!("Lovelace{number}") },
        "emails": [{ "value": user_name(number), "type": "work", "primary": true }],
    })
}

/// The Group of this name with these members.
pub fn group(name: &str, members: &[String]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": [scim_core::schema::GROUP], "displayName": name, "members": members })
}

/// The PATCH that adds one member to a group.
pub fn add_member(id: &str) -> Value {
    patch(json!({ "op": "add", "path": "members", "value": [{ "value": id }] }))
}

/// The PATCH that removes one member of a group.
pub fn remove_member(id: &str) -> Value {
    patch(json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") }))
}

fn patch(operation: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] })
}
