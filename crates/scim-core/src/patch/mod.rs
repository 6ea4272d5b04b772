//! PATCH (RFC 7644 §3.5.2): a message becomes a list of [`Operation`]s, and those change a document, all or none.
//!
//! It is strict. What identity providers write differently is put right before a message comes here. Nothing here
//! knows where documents are kept, and no attribute with `returned: never` is ever put into one.
//!
//! Where RFC 7644 leaves room:
//!
//! * `add` and `replace` differ on multi-valued attributes only. `add` keeps the elements that are there and repeats
//!   none of them; it takes an array or one element. `add` of `null` or `[]` to a list adds nothing; otherwise `null`
//!   and `[]` leave the target unassigned.
//! * A complex attribute with one value keeps the sub-attributes that the value does not name. An element selected by a
//!   filter does so under `add`, while `replace` puts the value in the place of the element (§3.5.2.3).
//! * `emails.type` without a filter means the sub-attribute of every element. Where there is none, `add` and `replace`
//!   answer `noTarget`.
//! * Read-only attributes are refused as a target, whether named by a path or by a member of a value without path.
//!   Read-only sub-attributes inside a value are left out, as in POST: the members in the examples of the RFC have one.
//! * `schemas` may be added to and replaced, with or without a path, if schemas of the resource type are named. It is
//!   computed from the content, so that alone changes nothing.
//! * An attribute that becomes required and missing is `mutability` at the operation that does it, even if a later
//!   one would bring it back. Removing what is not there succeeds.
//! * After each operation, an element is in a list once.
//! * Elements of a list come and go as a whole, whatever is immutable in them. Sub-attributes of an element that stays
//!   are held to it.
//! * A new primary element makes the one before it `false`. Elements without `primary` stay without. An added element
//!   that differs from one that is there in `primary` alone is that one: it says anew whether it is primary, or nothing.

mod apply;
mod decode;
mod elements;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::document::Document;
use crate::filter::Filter;
use crate::path::AttributePath;
use crate::schema::{Attribute, Schema};

/// URN of the message.
pub const MESSAGE: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A decoded message. Every path in it exists and may be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// In the order of the request.
    pub operations: Vec<Operation>,
}

/// One change. A request's operation without a path, or with that of an extension, becomes one for each attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Position in the request, from 0. Several operations have the same if they come from one in the request.
    pub index: usize,
    /// What to do.
    pub verb: Verb,
    /// Where to do it.
    pub target: Target,
    /// What to write, as sent: applying the operation decodes it. `None` for `remove`.
    pub value: Option<Value>,
}

/// The operations of RFC 7644 §3.5.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// §3.5.2.1
    Add,
    /// §3.5.2.3
    Replace,
    /// §3.5.2.2
    Remove,
}

/// What an operation changes.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// An attribute or a sub-attribute. The latter, in a list, of every element.
    Attribute(AttributePath),
    /// A whole extension. Decoding makes it the target of `remove` only.
    Extension(Arc<Schema>),
    /// The elements of a list that match a filter, or a sub-attribute of each.
    Elements {
        /// The multi-valued attribute.
        path: AttributePath,
        /// Which elements.
        filter: Filter,
        /// The sub-attribute after the bracket.
        sub: Option<Arc<Attribute>>,
    },
}

/// What a patch made of a document.
#[derive(Debug)]
pub struct Patched {
    /// The new document, complete.
    pub document: Document,
    /// What was written to attributes with `returned: never`, in order.
    pub hidden: Vec<Hidden>,
}

/// A value written to an attribute with `returned: never`, such as `password`. `None` when it was removed.
pub type Hidden = (AttributePath, Option<Value>);

impl Verb {
    /// As the message spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }

    fn all() -> [Self; 3] {
        [Self::Add, Self::Replace, Self::Remove]
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(path) => path.fmt(f),
            Self::Extension(schema) => f.write_str(schema.id()),
            Self::Elements { path, filter, sub } => {
                write!(f, "{path}[{filter}]")?;
                sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{}", sub.name()))
            }
        }
    }
}
