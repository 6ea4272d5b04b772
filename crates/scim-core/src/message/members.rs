//! The members of a message, taken out one by one.

use serde_json::{Map, Value};

use crate::decode::article;
use crate::error::{Error, ErrorKind, Result};
use crate::text::{excerpt, nearest};

/// How errors call the numbers of messages.
const WHOLE: &str = "a whole number";

/// The members of an object whose names are known.
pub(super) struct Members<'v> {
    what: &'static str,
    object: &'v Map<String, Value>,
}

impl<'v> Members<'v> {
    /// Checks that `value` is an object with no other members than `known`, each once.
    pub(super) fn of(what: &'static str, value: &'v Value, known: &[&str]) -> Result<Self> {
        Self::read(what, value, known, false)
    }

    /// As [`Self::of`], but passes over members that are not known, unless one that is must have been meant.
    pub(super) fn among_others(what: &'static str, value: &'v Value, known: &[&str]) -> Result<Self> {
        Self::read(what, value, known, true)
    }

    fn read(what: &'static str, value: &'v Value, known: &[&str], passes_over: bool) -> Result<Self> {
        let Value::Object(object) = value else {
            return Err(invalid(format!("{what} must be an object, not {}", article(value))));
        };
        let mut seen: Vec<&str> = Vec::new();
        for name in object.keys() {
            let Some(canonical) = known.iter().find(|known| known.eq_ignore_ascii_case(name)) else {
                let error = invalid(format!("{what} has no member `{}`", excerpt(name)));
                return Err(match nearest(name, known.iter().copied()) {
                    Some(near) => error.remedy(format!("did you mean `{near}`?")),
                    None if passes_over => continue,
                    None => error.remedy(format!("it has {}", known.join(", "))),
                });
            };
            if seen.contains(canonical) {
                return Err(invalid(format!("{what} has `{canonical}` twice")).remedy("send it once"));
            }
            seen.push(canonical);
        }
        Ok(Self { what, object })
    }

    /// The member of this name, unless it is null.
    pub(super) fn value(&self, name: &str) -> Option<&'v Value> {
        let found = self.object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// Checks `schemas`.
    pub(super) fn expect_schema(&self, urn: &str) -> Result<()> {
        let listed = self.value("schemas").and_then(Value::as_array).is_some_and(|urns| {
            urns.iter().any(|known| known.as_str().is_some_and(|known| known.eq_ignore_ascii_case(urn)))
        });
        if listed {
            return Ok(());
        }
        Err(invalid(format!("{} must say what it is", self.what))
            .remedy(format!("send `\"schemas\": [\"{urn}\"]`")))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'v str>> {
        self.typed(name, "a string", Value::as_str)
    }

    /// A whole number, the nearest that there is if it has more than 64 bits.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>> {
        self.typed(name, WHOLE, |value| {
            let beyond = |number: f64| number.abs() >= 9.2e18;
            value
                .as_i64()
                .or_else(|| value.as_f64().filter(|number| beyond(*number)).map(|number| number as i64))
        })
    }

    pub(super) fn array(&self, name: &str) -> Result<Option<&'v Vec<Value>>> {
        self.typed(name, "an array", Value::as_array)
    }

    /// A list of names.
    pub(super) fn names(&self, name: &str) -> Result<Vec<String>> {
        let list = self.array(name)?.map(Vec::as_slice).unwrap_or_default();
        list.iter()
            .map(|entry| match entry.as_str() {
                Some(text) => Ok(text.trim().to_owned()),
                None => Err(invalid(format!(
                    "`{name}` of {} must hold strings, not {}",
                    self.what,
                    article(entry)
                ))),
            })
            .collect()
    }

    fn typed<T>(&self, name: &str, wanted: &str, read: impl Fn(&'v Value) -> Option<T>) -> Result<Option<T>> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| {
                let found = match value {
                    Value::Number(_) if wanted == WHOLE => "one with a fraction or an exponent",
                    other => article(other),
                };
                invalid(format!("`{name}` of {} must be {wanted}, not {found}", self.what))
            }),
        }
    }
}

pub(super) fn invalid(explanation: String) -> Error {
    Error::new(ErrorKind::InvalidSyntax, explanation)
}
