//! Filters as text again. Parsing what is printed gives the same filter.
//!
//! What is printed nests no deeper than the text that the filter came from, or the deepest filters could not be parsed
//! again: there are no parentheses where precedence does without, and a group beside one comparison in a value path
//! is written as `path[group].sub op value`.

use std::fmt;

use super::{Comparison, Filter, Operand, Subject};

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => list(f, parts, " and ", |part| matches!(part, Self::And(_) | Self::Or(_))),
            Self::Or(parts) => list(f, parts, " or ", |part| matches!(part, Self::Or(_))),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Compare(Comparison { subject, operator, operand }) => {
                write!(f, "{subject} {} {operand}", operator.name())
            }
            Self::Present(subject) => write!(f, "{subject} pr"),
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
        match group(part) {
            true => write!(f, "({part})")?,
            false => write!(f, "{part}")?,
        }
    }
    Ok(())
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
