//! Operations that mean something else for the document that they are about to be applied to.
//!
//! ```json
//! { "op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Delft" }
//! { "op": "Replace", "path": "emails[type eq \"work\"].value", "value": "" }
//! ```
//!
//! The first, where there is no such address: RFC 7644 §3.5.2.3 asks for `noTarget`. Entra ID means that the element
//! should exist, made of what the filter says of it; six such operations on one filter make one address.
//!
//! The second, where there is such an e-mail: what would be left of it is a type without an address, to which a later
//! `Add` brings a second one. The element goes.

use scim_core::document::Document;
use scim_core::filter::{Comparison, Filter, Operand, Operator, Subject};
use scim_core::patch::{Operation, Target, Verb};
use scim_core::path::AttributePath;
use scim_core::schema::Type;
use serde_json::{Map, Value};

use super::{Quirk, Quirks};

/// Rewrites one operation for the document that it is about to be applied to.
pub(crate) fn rewrite_step(operation: Operation, document: &Document, quirks: Quirks) -> Operation {
    match operation.verb {
        Verb::Remove if quirks.has(Quirk::EmptyClears) => without_husks(operation, document),
        Verb::Add | Verb::Replace if quirks.has(Quirk::UpsertingValuePaths) => upserting(operation, document),
        Verb::Add | Verb::Replace | Verb::Remove => operation,
    }
}

/// Removes the elements themselves, if nothing of them would be left but what they are called.
fn without_husks(operation: Operation, document: &Document) -> Operation {
    let Target::Elements { path, filter, sub: Some(sub) } = &operation.target else { return operation };
    let elements = path.attribute_value(document.as_map()).and_then(Value::as_array);
    let mut selected = elements.into_iter().flatten().filter(|element| filter.matches_element(element));
    let is_name = |name: &str| name == sub.name() || ["type", "primary", "display"].contains(&name);
    let all_go = selected
        .all(|element| element.as_object().is_some_and(|members| members.keys().all(|name| is_name(name))));
    if !all_go || ["type", "primary", "display"].contains(&sub.name()) {
        return operation;
    }
    let target = Target::Elements { path: path.clone(), filter: filter.clone(), sub: None };
    Operation { target, ..operation }
}

fn upserting(operation: Operation, document: &Document) -> Operation {
    let Some(value) = &operation.value else { return operation };
    if let Target::Attribute(path) = &operation.target {
        // `emails.value` means that of every element; where there is none, of a new one.
        let list = path.attribute();
        let is_empty = list.is_multi_valued() && path.attribute_value(document.as_map()).is_none();
        let (Some(sub), true) = (path.sub(), is_empty && !value.is_null()) else { return operation };
        let element = Map::from_iter([(sub.name().to_owned(), value.clone())]);
        return adding(&operation, path.parent(), element);
    }
    if !operation.selects_nothing(document) {
        return operation;
    }
    let Target::Elements { path, filter, sub } = &operation.target else { return operation };
    let mut element = Map::new();
    if path.attribute().kind() != Type::Complex || !implied(filter, &mut element) {
        return operation;
    }
    match (sub, value) {
        (Some(sub), value) => {
            element.insert(sub.name().to_owned(), value.clone());
        }
        (None, Value::Object(members)) => {
            // What the client itself names twice is left to be refused.
            element.retain(|implied, _| !members.keys().any(|name| name.eq_ignore_ascii_case(implied)));
            element.extend(members.clone());
        }
        (None, _) => return operation,
    }
    adding(&operation, path.clone(), element)
}

fn adding(operation: &Operation, path: AttributePath, element: Map<String, Value>) -> Operation {
    Operation {
        index: operation.index,
        verb: Verb::Add,
        target: Target::Attribute(path),
        value: Some(Value::Array(vec![Value::Object(element)])),
    }
}

/// The sub-attributes that an element must have for the filter to match: equalities joined by `and`. What is not true
/// is false.
fn implied(filter: &Filter, element: &mut Map<String, Value>) -> bool {
    match filter {
        Filter::And(all) => all.iter().all(|part| implied(part, element)),
        Filter::Compare(Comparison {
            subject: Subject::Attribute(path),
            operator: Operator::Eq,
            operand,
        }) => {
            let value = match operand {
                Operand::Text(text) => Value::String(text.sent().to_owned()),
                Operand::Boolean(boolean) => Value::Bool(*boolean),
                Operand::Integer(number) => Value::from(*number),
                Operand::Decimal(number) => Value::from(*number),
                Operand::Null | Operand::Instant(_) => return false,
            };
            element.insert(path.leaf().name().to_owned(), value);
            true
        }
        Filter::Compare(Comparison {
            subject: Subject::Attribute(path),
            operator: Operator::Ne,
            operand: Operand::Boolean(true),
        }) => {
            element.insert(path.leaf().name().to_owned(), Value::Bool(false));
            true
        }
        Filter::Compare(_)
        | Filter::Or(_)
        | Filter::Not(_)
        | Filter::Present(_)
        | Filter::Element { .. }
        | Filter::Never => false,
    }
}
