//! Operations on the elements of a list: a value path, or a sub-attribute of every element.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::write::{Written, check_one, each, put};
use super::{Hidden, Target, Verb};
use crate::error::{Error, ErrorKind, Result};
use crate::path::AttributePath;
use crate::schema::Attribute;

/// An operation on elements of a list.
pub(super) struct Elements<'o> {
    pub(super) verb: Verb,
    /// The list.
    pub(super) path: &'o AttributePath,
    /// The part of each element, if not all of it.
    pub(super) sub: Option<&'o Arc<Attribute>>,
    /// What to write; null to remove.
    pub(super) value: &'o Value,
    /// How errors call what is selected.
    pub(super) target: &'o Target,
}

impl Elements<'_> {
    /// The list afterwards.
    pub(super) fn change(
        &self,
        old: &[Value],
        selects: impl Fn(&Value) -> bool,
        hidden: &mut Vec<Hidden>,
    ) -> Result<Option<Value>> {
        let selected: Vec<bool> = old.iter().map(selects).collect();
        if self.verb != Verb::Remove && !selected.contains(&true) {
            return Err(self
                .error(ErrorKind::NoTarget, "selects nothing in the resource")
                .remedy(format!("`add` an element to `{}`", self.path)));
        }
        let edit = self.edit(hidden)?;
        let mut new = Vec::with_capacity(old.len());
        let mut primary = None;
        for (element, selected) in old.iter().zip(selected) {
            let edited = if selected { edit.of(self.path, element)? } else { Some(element.clone()) };
            let Some(edited) = edited else { continue };
            if selected && is_primary(&edited) && primary.replace(new.len()).is_some() {
                return Err(self
                    .error(ErrorKind::InvalidValue, "makes more than one element primary")
                    .remedy("select one of them"));
            }
            new.push(edited);
        }
        if let Some(index) = primary {
            demote_all_but(index, &mut new);
        }
        Ok(match self.path.attribute().is_multi_valued() {
            true => Some(Value::Array(new)).filter(|new| !each(Some(new)).is_empty()),
            false => new.pop(),
        })
    }

    fn edit(&self, hidden: &mut Vec<Hidden>) -> Result<Edit<'_>> {
        let Self { verb, path, sub, value, .. } = *self;
        Ok(match (verb, sub) {
            (Verb::Remove, None) => Edit::Remove,
            (verb, Some(sub)) => {
                // What is removed is unassigned, as null would make it.
                let verb = if verb == Verb::Remove { Verb::Replace } else { verb };
                let written = Written::whole(verb, &path.with_sub(Arc::clone(sub)), value, hidden)?;
                Edit::Sub(sub, written)
            }
            (Verb::Add, None) => Edit::Merge(Written::element(verb, path, value, hidden)?),
            (Verb::Replace, None) => Edit::Replace(Written::element(verb, path, value, hidden)?),
        })
    }

    fn error(&self, kind: ErrorKind, explanation: &str) -> Error {
        Error::new(kind, format!("`{}` {explanation}", self.target)).at(self.target)
    }
}

enum Edit<'o> {
    Remove,
    Replace(Written<'o>),
    Merge(Written<'o>),
    Sub(&'o Attribute, Written<'o>),
}

impl Edit<'_> {
    /// The element afterwards, or `None` when nothing is left of it.
    fn of(&self, path: &AttributePath, element: &Value) -> Result<Option<Value>> {
        let edited = match self {
            Self::Remove => return Ok(None),
            Self::Replace(written) => return Ok(written.decoded().cloned()),
            Self::Merge(written) => written.over_one(path.attribute(), Some(element)),
            Self::Sub(sub, written) => {
                let mut edited = element.as_object().cloned().unwrap_or_default();
                let value = written.over(sub, edited.get(sub.name()));
                put(&mut edited, sub.name(), value);
                if edited.is_empty() { None } else { Some(Value::Object(edited)) }
            }
        };
        if let Some(before) = element.as_object() {
            let nothing = Map::new();
            check_one(path, before, edited.as_ref().and_then(Value::as_object).unwrap_or(&nothing))?;
        }
        Ok(edited)
    }
}

pub(super) fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// §3.5.2: "a PATCH operation that sets a value's primary sub-attribute to true SHALL cause the server to automatically
/// set primary to false for any other values in the array".
pub(super) fn demote_all_but(kept: usize, elements: &mut [Value]) {
    let others =
        elements.iter_mut().enumerate().filter(|(index, element)| *index != kept && is_primary(element));
    for (_, element) in others {
        if let Some(primary) = element.get_mut("primary") {
            *primary = Value::Bool(false);
        }
    }
}
