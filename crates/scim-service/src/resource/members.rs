//! Members of a group: PATCH and PUT turned into deltas, so that the cost is that of what changes and not of the group.

use std::collections::HashMap;

use scim_core::document::Document;
use scim_core::filter::{Comparison, Filter, Operand, Operator};
use scim_core::patch::{Operation, Patch, Target, Verb};
use scim_core::schema::{Attribute, Membership, ResourceType};
use scim_core::{Error, ErrorKind, Result, decode};
use scim_store::{MemberDelta, UnknownMembers};
use serde_json::Value;

/// A change to a group's members, built up operation by operation. The last word on a member counts.
#[derive(Debug, Default)]
pub(crate) struct MemberChange {
    clear: bool,
    /// Everybody that an operation named, each once.
    named: Vec<String>,
    /// Whether each of them is to be a member.
    fate: HashMap<String, bool>,
}

/// Which members an operation takes away.
#[derive(Debug, PartialEq)]
pub(crate) enum Selection<'a> {
    /// These.
    Ids(Vec<String>),
    /// Those that match; the members have to be read to know.
    Matching(&'a Filter),
}

impl MemberChange {
    /// The members that a whole resource brings along. They are taken out of the document, where they are not kept.
    pub(crate) fn of_document(document: &mut Document, resource_type: &ResourceType) -> Result<Self> {
        let mut change = Self { clear: true, ..Self::default() };
        if resource_type.membership() == Some(Membership::Group)
            && let Some(members) = document.take("members")
        {
            change.add_all(ids(&members)?);
        }
        Ok(change)
    }

    /// Prepares the members of a resource that is sent whole. Those that name nobody are refused: decoding would leave them
    /// out as empty, and so take members out of a group whose client meant to set them.
    pub(crate) fn prepare_sent(body: &mut Value, resource_type: &ResourceType) -> Result<()> {
        let (Some(Membership::Group), Value::Object(sent)) = (resource_type.membership(), body) else {
            return Ok(());
        };
        let Some(attribute) = resource_type.attribute("members") else { return Ok(()) };
        let is_members = |name: &str| name.eq_ignore_ascii_case("members");
        sent.iter_mut().filter(|(name, _)| is_members(name)).try_for_each(|(_, members)| {
            pare(attribute, members);
            check_named(members)
        })
    }

    /// Prepares the members that a PATCH brings along.
    pub(crate) fn prepare_patch(patch: &mut Patch, resource_type: &ResourceType) {
        for operation in patch.operations.iter_mut().filter(|step| Self::concerns(step, resource_type)) {
            if let (Target::Attribute(path) | Target::Elements { path, sub: None, .. }, Some(members)) =
                (&operation.target, &mut operation.value)
            {
                pare(path.attribute(), members);
            }
        }
    }

    /// Whether an operation is about members.
    pub(crate) fn concerns(operation: &Operation, resource_type: &ResourceType) -> bool {
        let attribute = match &operation.target {
            Target::Attribute(path) | Target::Elements { path, .. } => path,
            Target::Extension(_) => return false,
        };
        resource_type.membership() == Some(Membership::Group)
            && attribute.urn().is_none()
            && attribute.attribute().name() == "members"
    }

    /// Takes in one operation. Returns what it removes or replaces if that cannot be known without reading the members; the
    /// caller then finds out and calls [`Self::finish`].
    pub(crate) fn apply<'o>(&mut self, operation: &'o Operation) -> Result<Option<&'o Filter>> {
        match (&operation.target, operation.verb) {
            (Target::Attribute(path), verb) if path.sub().is_none() => {
                let attribute = path.attribute();
                match verb {
                    Verb::Add => self.add_all(values(attribute, operation)?),
                    Verb::Replace => {
                        let members = values(attribute, operation)?;
                        *self = Self { clear: true, ..Self::default() };
                        self.add_all(members);
                    }
                    Verb::Remove => *self = Self { clear: true, ..Self::default() },
                }
                Ok(None)
            }
            (Target::Elements { filter, sub: None, .. }, Verb::Remove) => match Selection::of(filter) {
                Selection::Ids(ids) => {
                    self.remove_all(ids);
                    Ok(None)
                }
                Selection::Matching(filter) => Ok(Some(filter)),
            },
            (Target::Elements { filter, sub: None, .. }, Verb::Replace) => Ok(Some(filter)),
            (Target::Attribute(_) | Target::Elements { .. } | Target::Extension(_), _) => {
                Err(Error::new(ErrorKind::Mutability, "the parts of a member cannot be changed")
                    .at("members")
                    .remedy("remove the member and add the right one"))
            }
        }
    }

    /// Ends what [`Self::apply`] began, once it is known which members match.
    ///
    /// # Errors
    /// `noTarget` when there is nobody to replace (RFC 7644 §3.5.2.3).
    pub(crate) fn finish(&mut self, operation: &Operation, matching: Vec<String>) -> Result<()> {
        let (Target::Elements { path, .. }, Verb::Replace) = (&operation.target, operation.verb) else {
            self.remove_all(matching);
            return Ok(());
        };
        if matches!(operation.value, Some(Value::Array(_))) {
            return Err(Error::new(ErrorKind::InvalidValue, "one member must be an object, not an array")
                .at("members")
                .remedy("send it without the square brackets"));
        }
        let replacing = values(path.attribute(), operation)?;
        if matching.is_empty() {
            let words = format!("`{}` selects nobody", operation.target);
            return Err(Error::new(ErrorKind::NoTarget, words).remedy("`add` the member to `members`"));
        }
        self.remove_all(matching);
        self.add_all(replacing);
        Ok(())
    }

    /// Adds members.
    fn add_all(&mut self, ids: impl IntoIterator<Item = String>) {
        self.decide(ids, true);
    }

    /// Removes members.
    fn remove_all(&mut self, ids: impl IntoIterator<Item = String>) {
        self.decide(ids, false);
    }

    fn decide(&mut self, ids: impl IntoIterator<Item = String>, is_member: bool) {
        for id in ids {
            if self.fate.insert(id.clone(), is_member).is_none() {
                self.named.push(id);
            }
        }
    }

    /// Whether this takes away `id` if it was there before.
    pub(crate) fn drops(&self, id: &str) -> bool {
        match self.fate.get(id) {
            Some(is_member) => !is_member,
            None => self.clear,
        }
    }

    /// Whether it is about one member and no other.
    pub(crate) fn is_about(&self, id: &str) -> bool {
        !self.clear && self.named.iter().all(|named| named == id)
    }

    /// The members that it adds.
    pub(crate) fn added(&self) -> Vec<&str> {
        let added = self.named.iter().filter(|id| self.fate.get(*id) == Some(&true));
        added.map(String::as_str).collect()
    }

    /// As the store takes it.
    pub(crate) fn into_delta(self, unknown: UnknownMembers) -> MemberDelta {
        let Self { clear, named, fate } = self;
        let (add, mut remove): (Vec<_>, Vec<_>) =
            named.into_iter().partition(|id| fate.get(id) == Some(&true));
        if clear {
            remove.clear();
        }
        MemberDelta { clear, remove, add, unknown, ..MemberDelta::default() }
    }
}

impl<'a> Selection<'a> {
    /// Reads `value eq "a"`, and any such joined by `or`, as the list of identifiers that it is.
    fn of(filter: &'a Filter) -> Self {
        fn collect(filter: &Filter, ids: &mut Vec<String>) -> bool {
            match filter {
                Filter::Compare(Comparison {
                    subject,
                    operator: Operator::Eq,
                    operand: Operand::Text(id),
                }) if subject.path().leaf().name() == "value" => {
                    ids.push(id.sent().to_owned());
                    true
                }
                Filter::Or(branches) => branches.iter().all(|branch| collect(branch, ids)),
                Filter::And(_)
                | Filter::Not(_)
                | Filter::Compare(_)
                | Filter::Present(_)
                | Filter::Element { .. }
                | Filter::Never => false,
            }
        }
        let mut ids = Vec::new();
        if collect(filter, &mut ids) { Self::Ids(ids) } else { Self::Matching(filter) }
    }
}

fn values(attribute: &Attribute, operation: &Operation) -> Result<Vec<String>> {
    let value = operation.value.as_ref().unwrap_or(&Value::Null);
    // RFC 7644 §3.5.2.1: a single value may be added without an array around it. One that replaces others has none.
    let is_one = operation.verb == Verb::Add || matches!(operation.target, Target::Elements { .. });
    let wrapped;
    let value = match value {
        Value::Object(_) if is_one => {
            wrapped = Value::Array(vec![value.clone()]);
            &wrapped
        }
        other => other,
    };
    check_named(value)?;
    match decode::value(attribute, value, &"members")? {
        Some(members) => ids(&members),
        None => Ok(Vec::new()),
    }
}

fn ids(members: &Value) -> Result<Vec<String>> {
    let elements = members.as_array().map(Vec::as_slice).unwrap_or_default();
    elements
        .iter()
        .map(|element| match element.get("value").and_then(Value::as_str) {
            Some(id) if !id.is_empty() => Ok(id.to_owned()),
            _ => Err(nameless()),
        })
        .collect()
}

/// Takes away what is sent beside who a member is. That is the server's to say, so it may be anything.
fn pare(attribute: &Attribute, members: &mut Value) {
    let elements = match members {
        Value::Array(elements) => elements.as_mut_slice(),
        single => std::slice::from_mut(single),
    };
    for member in elements.iter_mut().filter_map(Value::as_object_mut) {
        // Names that a member does not have stay, to be refused. RFC 7644 §3.5.2 has a `displayName` in an example.
        member.retain(|name, _| {
            attribute
                .sub_attribute(name)
                .map_or(!name.eq_ignore_ascii_case("displayName"), |sub| sub.name() == "value")
        });
    }
}

/// Every member that is sent must say who it is.
fn check_named(members: &Value) -> Result<()> {
    let is_nameless = |element: &Value| match element {
        Value::Null => true,
        Value::Object(members) => {
            let value = members.iter().find(|(name, _)| name.eq_ignore_ascii_case("value"));
            value.is_none_or(|(_, value)| value.is_null())
        }
        // What is no object is for decoding to refuse.
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => false,
    };
    let elements = members.as_array().map(Vec::as_slice).unwrap_or_default();
    if elements.iter().any(is_nameless) { Err(nameless()) } else { Ok(()) }
}

fn nameless() -> Error {
    Error::new(ErrorKind::InvalidValue, "a member has no `value`")
        .at("members.value")
        .remedy("send the member's `id` as its `value`")
}

#[cfg(test)]
mod tests;
