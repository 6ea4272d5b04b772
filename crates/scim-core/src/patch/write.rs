//! What a value becomes when another is written to its place, and whether it may.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::elements::{demote_all_but, is_primary};
use super::{Hidden, Verb};
use crate::decode;
use crate::error::{Error, ErrorKind, Result};
use crate::path::AttributePath;
use crate::schema::{Attribute, Mutability, Returned, Type};

/// A value to write, decoded, with what must not be in a document taken out of it.
pub(super) struct Written<'o> {
    verb: Verb,
    raw: &'o Value,
    decoded: Option<Value>,
}

impl<'o> Written<'o> {
    /// Decodes the value of the attribute or sub-attribute that `path` ends at. One element may be added to a list
    /// without an array around it (§3.5.2.1: "a new value is added to the attribute").
    pub(super) fn whole(
        verb: Verb,
        path: &AttributePath,
        raw: &'o Value,
        hidden: &mut Vec<Hidden>,
    ) -> Result<Self> {
        let list;
        let is_one = verb == Verb::Add && path.leaf().is_multi_valued() && !raw.is_array() && !raw.is_null();
        let sent = if is_one {
            list = Value::Array(vec![raw.clone()]);
            &list
        } else {
            raw
        };
        let decoded = match path.sub() {
            None => decode::value(path.attribute(), sent, path)?,
            Some(sub) => decode::sub_value(path.attribute(), sub, sent, path)?,
        };
        Ok(Self { verb, raw, decoded }.without_hidden(path, hidden))
    }

    /// Decodes one element of the list that `path` names.
    pub(super) fn element(
        verb: Verb,
        path: &AttributePath,
        raw: &'o Value,
        hidden: &mut Vec<Hidden>,
    ) -> Result<Self> {
        let decoded = decode::element(path.attribute(), raw, path)?;
        Ok(Self { verb, raw, decoded }.without_hidden(path, hidden))
    }

    /// The value that a document may hold.
    pub(super) fn decoded(&self) -> Option<&Value> {
        self.decoded.as_ref()
    }

    /// What the whole value of `attribute` is afterwards.
    pub(super) fn over(&self, attribute: &Attribute, old: Option<&Value>) -> Option<Value> {
        combine(self.verb, attribute, old, self.raw, self.decoded.as_ref())
    }

    /// What one value of `attribute` is afterwards, with the sub-attributes that are not written left as they are.
    pub(super) fn over_one(&self, attribute: &Attribute, old: Option<&Value>) -> Option<Value> {
        match self.raw {
            Value::Object(raw) => merge(self.verb, attribute, old, raw, self.decoded.as_ref()),
            _ => self.decoded.clone(),
        }
    }

    fn without_hidden(mut self, path: &AttributePath, hidden: &mut Vec<Hidden>) -> Self {
        if is_hidden(path) {
            hidden.push((path.clone(), self.decoded.take()));
            return self;
        }
        if path.sub().is_some() {
            return self;
        }
        if self.verb == Verb::Replace && !self.raw.is_object() {
            forget(path, hidden);
        }
        for path in never(path) {
            let name = path.leaf().name();
            for object in each_mut(self.decoded.as_mut()).iter_mut().filter_map(Value::as_object_mut) {
                hidden.extend(object.shift_remove(name).map(|value| (path.clone(), Some(value))));
            }
            let mut members = self.raw.as_object().into_iter().flatten();
            if members.any(|(key, value)| key.eq_ignore_ascii_case(name) && value.is_null()) {
                hidden.push((path, None));
            }
        }
        self
    }
}

/// Whether what the path names must not be in a document.
pub(super) fn is_hidden(path: &AttributePath) -> bool {
    path.attribute().returned() == Returned::Never || path.leaf().returned() == Returned::Never
}

/// Whether an attribute may change so as a whole.
pub(super) fn check_attribute(path: &AttributePath, old: Option<&Value>, new: Option<&Value>) -> Result<()> {
    check_kept(path, old, new)?;
    match (old, new) {
        (Some(_), None) if path.attribute().is_required() => Err(required(path)),
        (_, Some(new)) if path.attribute().is_required() && decode::is_blank(new) => Err(blank(path)),
        (Some(Value::Object(old)), Some(Value::Object(new))) => check_one(path, old, new),
        _ => Ok(()),
    }
}

/// Whether what is immutable in an attribute stays. Elements of a list come and go.
pub(super) fn check_kept(path: &AttributePath, old: Option<&Value>, new: Option<&Value>) -> Result<()> {
    if path.attribute().mutability() == Mutability::Immutable && old.is_some() && new != old {
        return Err(immutable(path));
    }
    let Some(Value::Object(old)) = old else { return Ok(()) };
    let changed = path.attribute().sub_attributes().iter().find(|sub| {
        let before = old.get(sub.name());
        let after = new.and_then(|new| new.get(sub.name()));
        sub.mutability() == Mutability::Immutable && before.is_some() && after != before
    });
    changed.map_or(Ok(()), |sub| Err(immutable(&path.with_sub(Arc::clone(sub)))))
}

/// Whether the sub-attributes of one value that stays may change so.
pub(super) fn check_one(
    path: &AttributePath,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
) -> Result<()> {
    for sub in path.attribute().sub_attributes() {
        let Some(before) = old.get(sub.name()) else { continue };
        let after = new.get(sub.name());
        if sub.mutability() == Mutability::Immutable && after != Some(before) {
            return Err(immutable(&path.with_sub(Arc::clone(sub))));
        }
        if sub.is_required() && after.is_none() {
            return Err(required(&path.with_sub(Arc::clone(sub))));
        }
    }
    Ok(())
}

/// Notes that an attribute with `returned: never`, or the sub-attributes that are, lose their values.
pub(super) fn forget(path: &AttributePath, hidden: &mut Vec<Hidden>) {
    if path.attribute().returned() == Returned::Never {
        hidden.push((path.clone(), None));
        return;
    }
    hidden.extend(never(path).map(|path| (path, None)));
}

fn never(path: &AttributePath) -> impl Iterator<Item = AttributePath> {
    let subs = path.attribute().sub_attributes().iter();
    subs.filter(|sub| sub.returned() == Returned::Never).map(|sub| path.with_sub(Arc::clone(sub)))
}

/// §3.5.2.2: "If an attribute is removed or becomes unassigned and is defined as a required attribute […]".
pub(super) fn required(path: &AttributePath) -> Error {
    Error::new(ErrorKind::Mutability, format!("`{path}` is required and cannot be removed"))
        .remedy("replace its value instead")
        .at(path)
}

pub(super) fn blank(path: &AttributePath) -> Error {
    Error::new(ErrorKind::InvalidValue, format!("`{path}` is required and cannot be empty"))
        .remedy("send its value")
        .at(path)
}

fn immutable(path: &AttributePath) -> Error {
    Error::new(ErrorKind::Mutability, format!("`{path}` is immutable and already has a value"))
        .remedy("leave it out, or send the value that it has")
        .at(path)
}

/// Puts a value under a name, or takes away what is there.
pub(super) fn put(map: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => {
            map.insert(name.to_owned(), value);
        }
        None => {
            map.shift_remove(name);
        }
    }
}

/// The elements of a list.
pub(super) fn each(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(elements)) => elements,
        Some(value) => std::slice::from_ref(value),
        None => &[],
    }
}

fn each_mut(value: Option<&mut Value>) -> &mut [Value] {
    match value {
        Some(Value::Array(elements)) => elements,
        Some(value) => std::slice::from_mut(value),
        None => &mut [],
    }
}

fn combine(
    verb: Verb,
    attribute: &Attribute,
    old: Option<&Value>,
    raw: &Value,
    decoded: Option<&Value>,
) -> Option<Value> {
    match (attribute.is_multi_valued(), verb, raw) {
        (true, Verb::Add, _) => append(each(old), each(decoded)),
        (false, _, Value::Object(raw)) if attribute.kind() == Type::Complex => {
            merge(verb, attribute, old, raw, decoded)
        }
        (true | false, _, _) => decoded.cloned(),
    }
}

/// Adds the elements that are not there yet. Which one is primary does not tell two apart: it is what an element that
/// is there already says anew.
fn append(old: &[Value], new: &[Value]) -> Option<Value> {
    let mut all = old.to_vec();
    let mut known = HashMap::with_capacity(old.len());
    for (index, element) in old.iter().enumerate() {
        known.entry(apart_from_primary(element)).or_insert(index);
    }
    let mut primary = None;
    for element in new {
        let index = *known.entry(apart_from_primary(element)).or_insert(all.len());
        match (all.get_mut(index), element.get("primary")) {
            (None, _) => all.push(element.clone()),
            (Some(Value::Object(there)), Some(said)) => put(there, "primary", Some(said.clone())),
            (Some(_), _) => {}
        }
        if is_primary(element) {
            primary = Some(index);
        }
    }
    if let Some(index) = primary.filter(|index| all.get(*index).is_some_and(is_primary)) {
        demote_all_but(index, &mut all);
    }
    if all.is_empty() { None } else { Some(Value::Array(all)) }
}

fn apart_from_primary(element: &Value) -> Cow<'_, Value> {
    match element {
        Value::Object(members) if matches!(members.get("primary"), Some(Value::Bool(_))) => {
            let mut members = members.clone();
            members.shift_remove("primary");
            Cow::Owned(Value::Object(members))
        }
        other => Cow::Borrowed(other),
    }
}

/// §3.5.2.3: "Sub-attributes that are not specified in the value parameter are left unchanged."
fn merge(
    verb: Verb,
    attribute: &Attribute,
    old: Option<&Value>,
    raw: &Map<String, Value>,
    decoded: Option<&Value>,
) -> Option<Value> {
    let mut merged = old.and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, raw) in raw {
        let Some(sub) = attribute.sub_attribute(key) else { continue };
        if sub.mutability() == Mutability::ReadOnly || sub.returned() == Returned::Never {
            continue;
        }
        let decoded = decoded.and_then(|decoded| decoded.get(sub.name()));
        let value = combine(verb, sub, merged.get(sub.name()), raw, decoded);
        put(&mut merged, sub.name(), value);
    }
    if merged.is_empty() { None } else { Some(Value::Object(merged)) }
}
