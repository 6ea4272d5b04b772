//! PATCH messages (RFC 7644 §3.5.2) as Entra ID and Okta write them.
//!
//! ```json
//! { "op": "Replace", "path": "active", "value": "False" }
//! { "op": "replace", "value": { "name.givenName": "Ada", "urn:…:User:department": "Yard" } }
//! { "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": "26118915" }] }
//! { "op": "replace", "path": "urn:…:User:manager", "value": "" }
//! ```

use percent_encoding::percent_decode_str;
use scim_core::filter::{PathExpression, ResolvedPath};
use scim_core::path::{AttributePath, Named};
use scim_core::schema::{Mutability, ResourceType, Type};
use scim_core::{Error, ErrorKind, Result, decode};
use serde_json::{Map, Value, json};

use super::schemas::correct_urn;
use super::{Quirk, Quirks, rewrite_path, shape};

/// Most values that one rewritten `remove` names, so that its path stays short. Where one is
/// [`LONG`], each has a path of its own.
const VALUES_IN_A_PATH: usize = 50;

/// From how many bytes on a value is long.
const LONG: usize = 1000;

/// Rewrites the body of a PATCH of the resource `id`. Returns of each operation that is in it then, from which one of the
/// request it came.
///
/// # Errors
/// `invalidValue` when a `remove` lists something that cannot be told apart by it.
pub(crate) fn rewrite_patch(
    body: &mut Value,
    id: &str,
    resource_type: &ResourceType,
    quirks: Quirks,
) -> Result<Option<Vec<usize>>> {
    let Value::Object(message) = body else { return Ok(None) };
    let Some((_, Value::Array(operations))) =
        message.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("Operations"))
    else {
        return Ok(None);
    };
    if quirks == Quirks::NONE {
        return Ok(None);
    }
    let mut rewriter = Rewriter { id, resource_type, quirks, index: 0, out: Vec::new(), origins: Vec::new() };
    for (index, operation) in operations.drain(..).enumerate() {
        rewriter.index = index;
        match operation {
            Value::Object(members) => rewriter
                .operation(members)
                .map_err(|error| error.context(format_args!("operation {}", index + 1)))?,
            other => rewriter.push(other),
        }
    }
    *operations = rewriter.out;
    Ok(Some(rewriter.origins))
}

struct Rewriter<'a> {
    id: &'a str,
    resource_type: &'a ResourceType,
    quirks: Quirks,
    /// Position of the operation that is being rewritten.
    index: usize,
    out: Vec<Value>,
    origins: Vec<usize>,
}

/// What an empty value means.
enum Emptiness {
    /// It is a value like another.
    Meant,
    /// The target is to be unassigned.
    Clears,
    /// Nothing is to be done.
    AddsNothing,
}

impl Rewriter<'_> {
    fn has(&self, quirk: Quirk) -> bool {
        self.quirks.has(quirk)
    }

    fn push(&mut self, operation: Value) {
        self.out.push(operation);
        self.origins.push(self.index);
    }

    fn push_remove(&mut self, path: &str) {
        self.push(json!({ "op": "remove", "path": path }));
    }

    fn operation(&mut self, members: Map<String, Value>) -> Result<()> {
        let mut members = with_known_keys(members);
        if self.has(Quirk::MissingOperation) && members.get("op").is_none_or(Value::is_null) {
            members.insert("op".to_owned(), json!("replace"));
        }
        if let Some(Value::String(op)) = members.get_mut("op")
            && self.has(Quirk::OperationCase)
        {
            let lower = op.to_ascii_lowercase();
            if ["add", "replace", "remove"].contains(&lower.as_str()) {
                *op = lower;
            }
        }
        if let Some(Value::String(path)) = members.get_mut("path") {
            if let Some(plain) = self.plain_path(path) {
                *path = plain;
            }
            if let Some(path_again) = rewrite_path(path, self.resource_type, self.quirks) {
                *path = path_again;
            }
        }
        let op = members.get("op").and_then(Value::as_str).unwrap_or_default().to_owned();
        let path = members.get("path").and_then(Value::as_str).map(str::to_owned);
        match (op.as_str(), path) {
            ("remove", Some(path)) => self.remove(members, &path),
            ("add" | "replace", Some(path)) => self.write(members, &op, &path),
            ("add" | "replace", None) => self.write_without_path(members, &op),
            _ => {
                self.push(Value::Object(members));
                Ok(())
            }
        }
    }

    /// The path with what is wrong about its spelling put right. One that leads somewhere without being decoded, if only
    /// by other quirks, is not encoded.
    fn plain_path(&self, path: &str) -> Option<String> {
        let mut plain = self.spelt(path);
        if self.has(Quirk::EncodedPaths)
            && (path.starts_with('/') || path.contains('%'))
            && self.resolve(&plain).is_none()
            && rewrite_path(&plain, self.resource_type, self.quirks).is_none()
        {
            let encoded = path.strip_prefix('/').unwrap_or(path);
            plain = self.spelt(&percent_decode_str(encoded).decode_utf8().ok()?);
        }
        (plain != path).then_some(plain)
    }

    /// The path with the names that it should have.
    fn spelt(&self, path: &str) -> String {
        let mut plain = path.to_owned();
        if self.has(Quirk::MisspeltUrns)
            && let Some((urn, attribute)) = plain.rsplit_once(':')
            && let Some(correct) = correct_urn(urn, self.resource_type)
        {
            plain = format!("{correct}:{attribute}");
        }
        if self.has(Quirk::DisplayNameAlias)
            && let Some((list, sub)) = plain.rsplit_once("].")
            && sub.eq_ignore_ascii_case("displayName")
        {
            plain = format!("{list}].display");
        }
        plain
    }

    fn resolve(&self, path: &str) -> Option<ResolvedPath> {
        PathExpression::parse(path).and_then(|path| path.resolve(self.resource_type)).ok()
    }

    /// The single value that a path takes for a list and looks for an element of: `manager[value eq "26118915"]`.
    fn single(&self, path: &str) -> Option<String> {
        if !self.has(Quirk::WrappedValues) {
            return None;
        }
        let (name, filter) = path.strip_suffix(']')?.split_once('[')?;
        let (comparison, operand) = filter.split_at_checked("value eq ".len())?;
        serde_json::from_str::<String>(operand)
            .ok()
            .filter(|_| comparison.eq_ignore_ascii_case("value eq "))?;
        let name = rewrite_path(name, self.resource_type, self.quirks).unwrap_or_else(|| name.to_owned());
        match self.resolve(&name)? {
            ResolvedPath::Plain(Named::Attribute(target)) => {
                let is_single = target.sub().is_none() && !target.attribute().is_multi_valued();
                (is_single && target.attribute().sub_attribute("value").is_some()).then_some(name)
            }
            _ => None,
        }
    }

    /// A `remove` that brings values takes away just those.
    fn remove(&mut self, mut members: Map<String, Value>, path: &str) -> Result<()> {
        let target = match self.resolve(path) {
            Some(ResolvedPath::Plain(Named::Attribute(target)))
                if target.sub().is_none()
                    && target.attribute().is_multi_valued()
                    && target.attribute().mutability() != Mutability::ReadOnly =>
            {
                target
            }
            _ => {
                match self.single(path) {
                    // In front, so that it does not take away what the same message sets.
                    Some(single) => {
                        self.out.insert(0, json!({ "op": "remove", "path": single }));
                        self.origins.insert(0, self.index);
                    }
                    None => self.push(Value::Object(members)),
                }
                return Ok(());
            }
        };
        let listed = members.get("value").is_some_and(|value| !value.is_null());
        let Some(value) =
            members.get_mut("value").filter(|_| listed && self.quirks.has(Quirk::RemoveByValue))
        else {
            self.push(Value::Object(members));
            return Ok(());
        };
        let elements = match value.take() {
            Value::Array(elements) => elements,
            single => vec![single],
        };
        let mut conditions = Vec::with_capacity(elements.len());
        for (position, element) in elements.into_iter().enumerate() {
            let place = format!("element {} of what to remove from `{target}`", position + 1);
            let condition = condition(&target, element, self.quirks)
                .map_err(|error| error.context(&place))?
                .ok_or_else(|| {
                    Error::new(ErrorKind::InvalidValue, format!("{place} has no `value` to find it by"))
                        .remedy("name each by its `value`, as in `[{\"value\": \"…\"}]`")
                        .at(&target)
                })?;
            conditions.push(condition);
        }
        let any_is_long = conditions.iter().any(|condition| condition.len() >= LONG);
        for some in conditions.chunks(if any_is_long { 1 } else { VALUES_IN_A_PATH }) {
            self.push_remove(&format!("{path}[{}]", some.join(" or ")));
        }
        Ok(())
    }

    fn write(&mut self, mut members: Map<String, Value>, op: &str, path: &str) -> Result<()> {
        let resolved = self.resolve(path);
        let quirks = self.quirks;
        let Some(value) = members.get_mut("value") else {
            self.push(Value::Object(members));
            return Ok(());
        };
        let emptiness = match resolved {
            Some(ResolvedPath::Plain(Named::Attribute(target))) => {
                let emptiness = emptiness(&target, op, value, quirks);
                shape::rewrite(target.leaf(), value, quirks);
                emptiness
            }
            Some(ResolvedPath::Elements { path: target, sub: Some(sub), .. }) => {
                if sub.name() == "primary" && shape::is_nonsense(&sub, value, quirks) {
                    return Ok(());
                }
                // Whoever sets a part of an element to nothing does not ask for the element.
                let nothing = value.is_null() && quirks.has(Quirk::EmptyClears) && !sub.is_required();
                let emptiness = match nothing {
                    true => Emptiness::Clears,
                    false => emptiness(&target.with_sub(sub.clone()), op, value, quirks),
                };
                shape::rewrite(&sub, value, quirks);
                emptiness
            }
            Some(ResolvedPath::Elements { path: target, sub: None, .. }) => {
                let is_bare = value.is_string() || value.is_number();
                let is_empty = value.as_str() == Some("");
                if is_empty && quirks.has(Quirk::EmptyClears) {
                    self.push_remove(path);
                    return Ok(());
                }
                if is_bare
                    && quirks.has(Quirk::BareValues)
                    && target.attribute().sub_attribute("value").is_some()
                {
                    members.insert("path".to_owned(), format!("{path}.value").into());
                    return self.write(members, op, &format!("{path}.value"));
                }
                shape::rewrite_element(target.attribute(), value, quirks);
                Emptiness::Meant
            }
            Some(ResolvedPath::Plain(Named::Extension(schema))) => {
                shape::unwrap(value, quirks);
                if let Value::Object(attributes) = value {
                    let attributes = std::mem::take(attributes);
                    return self.attributes(attributes, op, Some(schema.id()));
                }
                Emptiness::Meant
            }
            None => Emptiness::Meant,
        };
        match emptiness {
            Emptiness::Meant => self.push(Value::Object(members)),
            Emptiness::Clears => self.push_remove(path),
            Emptiness::AddsNothing => {}
        }
        Ok(())
    }

    fn write_without_path(&mut self, mut members: Map<String, Value>, op: &str) -> Result<()> {
        match members.get_mut("value") {
            Some(Value::Object(attributes)) => {
                let attributes = std::mem::take(attributes);
                self.attributes(attributes, op, None)
            }
            _ => {
                self.push(Value::Object(members));
                Ok(())
            }
        }
    }

    /// Each attribute of a value without path becomes an operation with one, so that every quirk of paths holds there
    /// too.
    fn attributes(&mut self, attributes: Map<String, Value>, op: &str, urn: Option<&str>) -> Result<()> {
        if let Some(twin) = twin(&attributes) {
            let explanation = format!("`{twin}` is there twice, in different spelling");
            return Err(Error::new(ErrorKind::InvalidSyntax, explanation).remedy("send it once"));
        }
        for (name, value) in attributes {
            let corrected = correct_urn(&name, self.resource_type).filter(|_| self.has(Quirk::MisspeltUrns));
            let name = corrected.map_or(name, str::to_owned);
            let own_id = name.eq_ignore_ascii_case("id") && value.as_str() == Some(self.id);
            let echoed = own_id || name.eq_ignore_ascii_case("meta") && value.is_object();
            if urn.is_none() && echoed && self.has(Quirk::EchoedId) {
                continue;
            }
            if name.eq_ignore_ascii_case("schemas") {
                continue;
            }
            let is_core = urn.is_none() && name.eq_ignore_ascii_case(self.resource_type.schema().id());
            let value = match value {
                Value::Object(inner) if is_core && self.has(Quirk::DottedKeys) => {
                    self.attributes(inner, op, None)?;
                    continue;
                }
                other => other,
            };
            // The URN of an extension has dots of its own.
            let dotted = self.resource_type.extension(&name).is_none() && name.contains(['.', '[', ':']);
            let path = match urn {
                Some(urn) => format!("{urn}:{name}"),
                None => name,
            };
            if dotted && !self.has(Quirk::DottedKeys) {
                let mut value_without_path = Map::new();
                value_without_path.insert(path, value);
                self.push(json!({ "op": op, "value": value_without_path }));
                continue;
            }
            let mut members = Map::new();
            members.insert("op".to_owned(), op.into());
            members.insert("path".to_owned(), path.into());
            members.insert("value".to_owned(), value);
            self.operation(members)?;
        }
        Ok(())
    }
}

/// The operation with its members named as decoding names them. Two spellings of one stay, to be refused.
fn with_known_keys(members: Map<String, Value>) -> Map<String, Value> {
    let known = |key: &str| {
        let name = ["op", "path", "value"].into_iter().find(|name| key.eq_ignore_ascii_case(name))?;
        let once = members.keys().filter(|other| other.eq_ignore_ascii_case(name)).count() == 1;
        once.then(|| name.to_owned())
    };
    let names: Vec<String> = members.keys().map(|key| known(key).unwrap_or_else(|| key.clone())).collect();
    names.into_iter().zip(members.into_values()).collect()
}

/// A name that an object has in two spellings.
fn twin(members: &Map<String, Value>) -> Option<&str> {
    let mut names: Vec<&String> = members.keys().collect();
    names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
    names.windows(2).find_map(|pair| match pair {
        [one, other] if one.eq_ignore_ascii_case(other) => Some(other.as_str()),
        _ => None,
    })
}

/// What an element that is to be removed is found by: its `value`, or all that is given of it if its kind has none. The
/// element is read as `add` reads it, so that nothing is left out that would have told it from others.
fn condition(target: &AttributePath, mut element: Value, quirks: Quirks) -> Result<Option<String>> {
    let attribute = target.attribute();
    let has_value = attribute.sub_attribute("value").is_some();
    match &mut element {
        Value::Object(members) if has_value => members.retain(|name, _| name.eq_ignore_ascii_case("value")),
        Value::String(_) | Value::Number(_) if has_value => element = json!({ "value": element }),
        _ => {}
    }
    shape::rewrite_element(attribute, &mut element, quirks);
    let terms = match decode::element(attribute, &element, target)? {
        Some(Value::Object(members)) => members.iter().flat_map(|(name, value)| terms(name, value)).collect(),
        Some(value) => terms("value", &value),
        None => Vec::new(),
    };
    Ok(match terms.as_slice() {
        [] => None,
        [term] => Some(term.clone()),
        _ => Some(format!("({})", terms.join(" and "))),
    })
}

/// The comparisons that decoded values make. Empty text tells nothing apart.
fn terms(name: &str, value: &Value) -> Vec<String> {
    let values = match value {
        Value::Array(values) => values.as_slice(),
        single => std::slice::from_ref(single),
    };
    let meant = values.iter().filter(|value| value.as_str() != Some(""));
    meant.map(|value| format!("{name} eq {value}")).collect()
}

/// Whether a value means "none": `""`, or a complex value whose `value` is that. The empty parts of another complex value
/// are unassigned on their own. A required attribute is never cleared that way; decoding refuses the empty text.
fn emptiness(target: &AttributePath, op: &str, value: &mut Value, quirks: Quirks) -> Emptiness {
    let leaf = target.leaf();
    if !quirks.has(Quirk::EmptyClears) || leaf.is_required() {
        return Emptiness::Meant;
    }
    match value {
        Value::String(text) if text.is_empty() => {
            let holds_more = leaf.is_multi_valued() || leaf.kind() == Type::Complex;
            if op == "add" && holds_more { Emptiness::AddsNothing } else { Emptiness::Clears }
        }
        Value::Object(members) if leaf.kind() == Type::Complex && !leaf.is_multi_valued() => {
            let is_empty = |value: &Value| value.is_null() || value.as_str() == Some("");
            let names_it = members.iter().any(|(name, _)| name.eq_ignore_ascii_case("value"));
            if names_it && members.values().all(is_empty) {
                return Emptiness::Clears;
            }
            for (name, value) in members.iter_mut() {
                if leaf.sub_attribute(name).is_some_and(|sub| !sub.is_required()) && is_empty(value) {
                    *value = Value::Null;
                }
            }
            Emptiness::Meant
        }
        _ => Emptiness::Meant,
    }
}
