//! Filters as text again. Parsing what is printed gives the same filter.
//!
//! What is printed nests no deeper than the text that the filter came from, or the deepest filters could not be parsed
//! again: there are no parentheses where precedence does without, and a group beside one comparison in a value path
//! is written as `path[group].sub op value`.

use std::fmt;

use super::{Comparison, Filter, Operand, Operator, Subject};
use crate::path::AttributePath;

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((path, operator)) = said_of_primary(self) {
            return write!(f, "{path}.primary {operator} false");
        }
        match self {
            Self::And(parts) => list(f, parts, " and ", |part| matches!(part, Self::And(_) | Self::Or(_))),
            Self::Or(parts) => list(f, parts, " or ", |part| matches!(part, Self::Or(_))),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Compare(Comparison { subject, operator, operand }) => {
                write!(f, "{subject} {} {operand}", operator.name())
            }
            Self::Present(subject) => write!(f, "{subject} pr"),
            // What an attribute that no element has always lacks: a name that elements do have stands in for it.
            Self::Element { path, filter } if **filter == Self::Not(Box::new(Self::Never)) => {
                let name = path.attribute().sub_attributes().first().map_or("value", |sub| sub.name());
                write!(f, "{path}[{name} pr or {name} eq null]")
            }
            Self::Element { path, filter } => match &**filter {
                Self::And(parts) => match parts.as_slice() {
                    [
                        group @ (Self::And(_) | Self::Or(_)),
                        compared @ (Self::Compare(_) | Self::Present(_)),
                    ] => write!(f, "{path}[{group}].{compared}"),
                    _ => write!(f, "{path}[{filter}]"),
                },
                filter => write!(f, "{path}[{filter}]"),
            },
            // Not in the grammar; it cannot match either.
            Self::Never => f.write_str("not (schemas pr)"),
        }
    }
}

/// Writes parts with what separates them, in parentheses where a part is a `group` that would come apart.
fn list(
    f: &mut fmt::Formatter<'_>,
    parts: &[Filter],
    separator: &str,
    group: impl Fn(&Filter) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        match group(part) && said_of_primary(part).is_none() {
            true => write!(f, "({part})")?,
            false => write!(f, "{part}")?,
        }
    }
    Ok(())
}

/// What `primary eq false` and `primary ne false` were resolved to, which has a group or brackets more.
fn said_of_primary(filter: &Filter) -> Option<(&AttributePath, &'static str)> {
    let is_primary = |filter: &Filter, operator: Operator| match filter {
        Filter::Compare(comparison) => {
            comparison.operator == operator
                && comparison.operand == Operand::Boolean(true)
                && comparison.subject.path().leaf().name() == "primary"
        }
        _ => false,
    };
    match filter {
        Filter::Element { path, filter }
            if path.attribute().is_multi_valued() && is_primary(filter, Operator::Ne) =>
        {
            Some((path, "eq"))
        }
        Filter::Or(parts) => {
            let [Filter::Not(nobody), primary @ Filter::Compare(compared)] = parts.as_slice() else {
                return None;
            };
            let Filter::Present(Subject::Attribute(list)) = &**nobody else { return None };
            let is_it = is_primary(primary, Operator::Eq)
                && list.attribute().is_multi_valued()
                && compared.subject.path().parent() == *list;
            is_it.then_some((list, "ne"))
        }
        _ => None,
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(path) => path.fmt(f),
            Self::Element(_) => f.write_str("value"),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Decimal(value) => serde_json::Value::from(*value).fmt(f),
            Self::Text(text) => serde_json::Value::from(text.sent()).fmt(f),
            Self::Instant(instant) => write!(f, "\"{instant}\""),
        }
    }
}
