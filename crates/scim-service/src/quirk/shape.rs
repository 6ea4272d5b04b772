//! Values in the wrong shape, rewritten by what the schema says of their attribute.
//!
//! ```json
//! { "active": "False", "employeeNumber": 4711, "manager": "26118915", "emails": { "value": "ada@example.com" } }
//! ```
//!
//! A value that fits is left alone, and so is one that no quirk explains; decoding refuses it.

use scim_core::schema::{Attribute, Type};
use serde_json::{Map, Value, json};

use super::{Quirk, Quirks};

/// Rewrites the whole value of an attribute.
pub(crate) fn rewrite(attribute: &Attribute, value: &mut Value, quirks: Quirks) {
    if attribute.is_multi_valued() {
        if quirks.has(Quirk::WrappedValues) && !value.is_array() && !value.is_null() {
            *value = Value::Array(vec![value.take()]);
        }
        let Value::Array(elements) = value else { return };
        for element in elements.iter_mut() {
            rewrite_element(attribute, element, quirks);
        }
        if quirks.has(Quirk::ManyPrimaries) {
            keep_one_primary(elements);
        }
    } else {
        unwrap(value, quirks);
        rewrite_element(attribute, value, quirks);
    }
}

/// Rewrites one element of a multi-valued attribute, or the value of a single-valued one.
pub(crate) fn rewrite_element(attribute: &Attribute, value: &mut Value, quirks: Quirks) {
    match attribute.kind() {
        Type::Complex => {
            let has_value = attribute.sub_attribute("value").is_some();
            if quirks.has(Quirk::BareValues)
                && has_value
                && (value.is_number() || value.as_str().is_some_and(|text| !text.is_empty()))
            {
                *value = json!({ "value": value.take() });
            }
            if quirks.has(Quirk::EmptyClears) && value.as_str() == Some("") {
                *value = Value::Null;
            }
            if let Value::Object(members) = value {
                rewrite_members(attribute, members, quirks);
            }
        }
        Type::Boolean => {
            let text = value.as_str().filter(|_| quirks.has(Quirk::StringBooleans));
            if let Some(boolean) = text.and_then(boolean) {
                *value = Value::Bool(boolean);
            }
        }
        Type::String | Type::Reference | Type::Binary | Type::DateTime => {
            if quirks.has(Quirk::LooseScalars) && (value.is_number() || value.is_boolean()) {
                *value = Value::String(value.to_string());
            }
        }
        Type::Integer | Type::Decimal => {
            let text = value.as_str().filter(|_| quirks.has(Quirk::LooseScalars));
            if let Some(number) = text.and_then(|text| text.parse::<serde_json::Number>().ok()) {
                *value = Value::Number(number);
            }
        }
    }
}

/// `True`, `false` and the like.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn rewrite_members(attribute: &Attribute, members: &mut Map<String, Value>, quirks: Quirks) {
    let alias = quirks.has(Quirk::DisplayNameAlias)
        && attribute.is_multi_valued()
        && attribute.sub_attribute("display").is_some()
        && attribute.sub_attribute("displayName").is_none();
    if alias
        && !members.keys().any(|name| name.eq_ignore_ascii_case("display"))
        && let Some(display) = members.remove("displayName")
    {
        members.insert("display".to_owned(), display);
    }
    members.retain(|name, value| {
        let Some(sub) = attribute.sub_attribute(name) else { return true };
        if sub.name() == "primary" && is_nonsense(sub, value, quirks) {
            return false;
        }
        rewrite(sub, value, quirks);
        true
    });
}

/// Whether a text stands for a boolean that it cannot be read as.
pub(crate) fn is_nonsense(attribute: &Attribute, value: &Value, quirks: Quirks) -> bool {
    quirks.has(Quirk::NonsensePrimary)
        && attribute.kind() == Type::Boolean
        && value.as_str().is_some_and(|text| boolean(text).is_none())
}

/// Takes the one value out of the list around it.
pub(crate) fn unwrap(value: &mut Value, quirks: Quirks) {
    if quirks.has(Quirk::WrappedValues)
        && let Value::Array(elements) = value
        && elements.len() == 1
        && let Some(only) = elements.pop()
    {
        *value = only;
    }
}

fn keep_one_primary(elements: &mut [Value]) {
    let says_so =
        |name: &str, value: &Value| name.eq_ignore_ascii_case("primary") && *value == Value::Bool(true);
    let is_primary = |element: &Value| {
        element.as_object().is_some_and(|members| members.iter().any(|(name, value)| says_so(name, value)))
    };
    let Some(place) = elements.iter().position(is_primary) else { return };
    let Some((first, others)) = elements.get_mut(place..).and_then(<[Value]>::split_first_mut) else {
        return;
    };
    // The first one once more is left out when it is decoded, and would not be if it differed.
    for element in others.iter_mut().filter(|element| **element != *first) {
        for (name, value) in element.as_object_mut().into_iter().flatten() {
            if says_so(name, value) {
                *value = Value::Bool(false);
            }
        }
    }
}
