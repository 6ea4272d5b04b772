//! Writing to a value path that matches nothing.
//!
//! ```json
//! { "op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "Delft" }
//! ```
//!
//! RFC 7644 §3.5.2.3 asks for `noTarget`. Entra ID means that the element should exist, made of what the filter says
//! of it; six such operations on one filter make one address.

use scim_core::document::Document;
use scim_core::filter::{Comparison, Filter, Operand, Operator, Subject};
use scim_core::patch::{Operation, Target, Verb};
use scim_core::schema::Type;
use serde_json::{Map, Value};

use super::{Quirk, Quirks};

/// Rewrites one operation for the document that it is about to be applied to.
pub(crate) fn rewrite_step(operation: Operation, document: &Document, quirks: Quirks) -> Operation {
    if !quirks.has(Quirk::UpsertingValuePaths) || !operation.selects_nothing(document) {
        return operation;
    }
    let Target::Elements { path, filter, sub } = &operation.target else { return operation };
    let (Verb::Add | Verb::Replace, Some(value)) = (operation.verb, &operation.value) else {
        return operation;
    };
    let mut element = Map::new();
    if path.attribute().kind() != Type::Complex || !implied(filter, &mut element) {
        return operation;
    }
    match (sub, value) {
        (Some(sub), value) => {
            element.insert(sub.name().to_owned(), value.clone());
        }
        (None, Value::Object(members)) => element.extend(members.clone()),
        (None, _) => return operation,
    }
    Operation {
        index: operation.index,
        verb: Verb::Add,
        target: Target::Attribute(path.clone()),
        value: Some(Value::Array(vec![Value::Object(element)])),
    }
}

/// The sub-attributes that an element must have for the filter to match: equalities joined by `and`.
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
        Filter::Compare(_)
        | Filter::Or(_)
        | Filter::Not(_)
        | Filter::Present(_)
        | Filter::Element { .. }
        | Filter::Never => false,
    }
}
