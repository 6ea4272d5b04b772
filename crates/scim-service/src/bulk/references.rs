//! `bulkId:` in the data of an operation: where it counts, and putting an identifier in its place (RFC 7644 §3.7.2).

use serde_json::Value;

/// What stands in front of the name.
pub(super) const MARK: &str = "bulkId:";

/// Whether a member of this name refers to a resource. A display name may well begin with `bulkId:`.
fn refers(name: &str) -> bool {
    name.eq_ignore_ascii_case("value") || name.eq_ignore_ascii_case("$ref")
}

/// The names that the data mentions.
pub(super) fn mentioned(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Array(elements) => elements.iter().for_each(|element| mentioned(element, names)),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if refers(name) => {
                        names.extend(text.strip_prefix(MARK).map(str::to_owned));
                    }
                    other => mentioned(other, names),
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Puts the identifier in the place of every name that has one.
pub(super) fn substitute(value: &mut Value, identifier: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| substitute(element, identifier)),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match member {
                    Value::String(text) if refers(name) => {
                        if let Some(id) = text.strip_prefix(MARK).and_then(identifier) {
                            *text = id;
                        }
                    }
                    other => substitute(other, identifier),
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
