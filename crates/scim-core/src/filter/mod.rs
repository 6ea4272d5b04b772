//! Filters (RFC 7644 §3.4.2.2): the resolved tree that the evaluator, PATCH value paths and the stores' planner share.
//!
//! Text becomes a [`Filter`] in two steps that callers see as one: it is parsed, and every name and literal in it is
//! resolved against a resource type. A `Filter` therefore cannot name an attribute that does not exist, compare a
//! boolean with a number, or nest deeper than [`MAX_DEPTH`]. It refuses to know where resources are stored.

mod evaluate;
mod expression;
mod lexer;
mod print;
mod resolve;
#[cfg(test)]
mod tests;

pub use expression::{Expression, Literal, MAX_LENGTH, PathExpression, RawComparison, ResolvedPath};

use std::ops::Deref;

use crate::path::AttributePath;
use crate::time::Instant;

/// Deepest nesting of parentheses, `not` and value paths. Deeper filters are refused before they are built, so that
/// neither building nor dropping one can exhaust a stack.
pub const MAX_DEPTH: usize = 50;

/// A resolved filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them match.
    And(Vec<Filter>),
    /// Any of them matches.
    Or(Vec<Filter>),
    /// It does not match.
    Not(Box<Filter>),
    /// A comparison.
    Compare(Comparison),
    /// The attribute has a value that is not empty (`pr`).
    Present(Subject),
    /// One element of a multi-valued attribute (or the one value of a complex one) matches the inner filter, whose
    /// subjects are relative to the element: a value path, `emails[type eq "work"]`.
    Element {
        /// The attribute before the bracket.
        path: AttributePath,
        /// What one element must match.
        filter: Box<Filter>,
    },
    /// Never matches: a comparison on an attribute that this resource type does not have, in a query over several
    /// types (RFC 7644 §3.4.2.1).
    Never,
}

/// What a comparison looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// An attribute of the resource, or inside a value path a sub-attribute of the element.
    Attribute(AttributePath),
    /// The element itself: `value` inside a value path on an attribute whose elements are not complex. It carries the
    /// multi-valued attribute.
    Element(AttributePath),
}

impl Subject {
    /// The path, whose leaf attribute gives the type of what is compared.
    pub fn path(&self) -> &AttributePath {
        match self {
            Self::Attribute(path) | Self::Element(path) => path,
        }
    }
}

/// `subject operator operand`.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is compared.
    pub subject: Subject,
    /// How.
    pub operator: Operator,
    /// With what. Its variant fits the subject's type.
    pub operand: Operand,
}

/// The comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
}

/// A literal, converted to the type of the attribute that it is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// `null`: no value. Only with `eq` and `ne`.
    Null,
    /// For a boolean attribute.
    Boolean(bool),
    /// For an integer attribute.
    Integer(i64),
    /// For a decimal attribute.
    Decimal(f64),
    /// For a string, reference or binary attribute.
    Text(Text),
    /// For a dateTime attribute.
    Instant(Instant),
}

/// A text to compare with. It dereferences to the form that is compared: folded, unless the attribute is case exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    sent: Box<str>,
    folded: Option<Box<str>>,
}

impl Text {
    /// The text as the client wrote it.
    pub fn sent(&self) -> &str {
        &self.sent
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.folded.as_ref().unwrap_or(&self.sent)
    }
}

impl Operator {
    /// The name in filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Co => "co",
            Self::Sw => "sw",
            Self::Ew => "ew",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }
}
