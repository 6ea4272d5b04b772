//! Users and operations as identity providers write them, and what they read of a User.

use scim_core::patch::MESSAGE;
use scim_core::schema::{ENTERPRISE_USER, USER};
use serde_json::{Value, json};

use super::customer::{EXTERNAL_ID, MANAGER, PATHS, User, WORK};

pub(super) const ACME_USER: &str = "urn:ietf:params:scim:schemas:extension:acme:2.0:User";

pub(super) fn patch(operations: Value) -> Value {
    json!({"schemas": [MESSAGE], "Operations": operations})
}

pub(super) fn removed(id: &str) -> Value {
    json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")})
}

/// What is known of somebody from what the server answers.
pub(super) fn known(body: &Value) -> User {
    let mut user = User { active: body["active"] == true, ..User::default() };
    for path in PATHS {
        let value = if let Some(kind) = path.strip_prefix("emails[type eq \"") {
            let emails = body["emails"].as_array().into_iter().flatten();
            let mut emails =
                emails.filter(|email| email["type"] == *kind.split('"').next().unwrap_or_default());
            emails.next().map(|email| &email["value"])
        } else if let Some((urn, name)) = path.rsplit_once(':') {
            let value = &body[urn][name];
            Some(if path == MANAGER { &value["value"] } else { value })
        } else if let Some((whole, part)) = path.split_once('.') {
            Some(&body[whole][part])
        } else {
            Some(&body[path])
        };
        user.set(path, value.and_then(Value::as_str).map(str::to_owned));
    }
    user
}

/// A User as a whole, as both send it. Extensions of the customer's own are not named in `schemas`.
pub(super) fn resource(user: &User) -> Value {
    let mut body = json!({"schemas": [USER, ENTERPRISE_USER], "active": user.active});
    let mut emails = Vec::new();
    for (path, value) in &user.values {
        if let Some(kind) = path.strip_prefix("emails[type eq \"").and_then(|rest| rest.split('"').next()) {
            let mut email = json!({"type": kind, "value": value});
            if *path == WORK {
                email["primary"] = json!(true);
            }
            // The work address comes first.
            emails.insert(if *path == WORK { 0 } else { emails.len() }, email);
        } else if let Some((urn, name)) = path.rsplit_once(':') {
            let value = if *path == MANAGER { json!({"value": value}) } else { json!(value) };
            body[urn][name] = value;
        } else if let Some((whole, part)) = path.split_once('.') {
            body[whole][part] = json!(value);
        } else {
            body[*path] = json!(value);
        }
    }
    if !emails.is_empty() {
        body["emails"] = Value::Array(emails);
    }
    debug_assert!(user.get(EXTERNAL_ID).is_some(), "everybody has one");
    body
}
