//! From the PatchOp message to operations.

use std::fmt::Display;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{MESSAGE, Operation, Patch, Target, Verb};
use crate::decode::{article, names};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{PathExpression, ResolvedPath};
use crate::path::{AttributePath, Named};
use crate::schema::{Attribute, Mutability, ResourceType, Schema};
use crate::text::{excerpt, nearest};

impl Patch {
    /// Decodes a message and resolves its paths. Names of its members may be in any case, `op` may not.
    ///
    /// # Errors
    /// `invalidSyntax` for a message that is not one, `invalidPath` for a path, `noTarget` for
    /// `remove` without a path, `mutability` for a read-only target, `invalidValue` for a value that is missing or
    /// misplaced. Values themselves are checked when they are applied.
    pub fn decode(body: &Value, resource_type: &ResourceType) -> Result<Self> {
        Self::decode_numbered(body, resource_type, |position| position)
    }

    /// As [`Patch::decode`], for a message that was rewritten: `origin` tells of each operation in it from which one of
    /// the request it came. Operations and errors carry that number.
    ///
    /// # Errors
    /// As [`Patch::decode`].
    pub fn decode_numbered(
        body: &Value,
        resource_type: &ResourceType,
        origin: impl Fn(usize) -> usize,
    ) -> Result<Self> {
        let [schemas, list] = members(body, &"PATCH message", ["schemas", "Operations"], &[])?;
        check_schemas(schemas)?;
        let list = match list {
            Some(Value::Array(list)) if !list.is_empty() => list,
            Some(Value::Array(_)) => {
                return Err(syntax("`Operations` is empty").remedy("send at least one operation"));
            }
            None | Some(Value::Null) => {
                return Err(syntax("`Operations` is missing").remedy("send an array of operations"));
            }
            Some(other) => {
                return Err(syntax(format!("`Operations` must be an array, not {}", article(other))));
            }
        };
        let mut operations = Vec::with_capacity(list.len());
        for (position, operation) in list.iter().enumerate() {
            let index = origin(position);
            decode_operation(index, operation, resource_type, &mut operations)
                .map_err(|error| error.context(format_args!("operation {}", index + 1)))?;
        }
        Ok(Self { operations })
    }
}

/// The operations of an object whose members are attributes of the extension `schema`.
pub(super) fn extension_operations(
    index: usize,
    verb: Verb,
    schema: &Arc<Schema>,
    value: &Value,
    resource_type: &ResourceType,
    operations: &mut Vec<Operation>,
) -> Result<()> {
    let urn = schema.id();
    let object = match value {
        Value::Object(object) => object,
        // RFC 7643 §2.5: null is the same as no value.
        Value::Null if verb == Verb::Add => return Ok(()),
        Value::Null => {
            let target = Target::Extension(Arc::clone(schema));
            operations.push(Operation { index, verb: Verb::Remove, target, value: None });
            return Ok(());
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(invalid(format!("`{urn}` must be an object, not {}", article(value)))
                .remedy("send the extension's attributes inside it")
                .at(urn));
        }
    };
    for (key, value) in object.iter().filter(|(key, value)| !names::repeats_schema(schema, key, value)) {
        let attribute =
            schema.attribute(key).ok_or_else(|| names::unknown_in_extension(schema, key, resource_type))?;
        names::spelled_once(object, key, attribute.name(), &urn)?;
        let path = AttributePath::new(Some(Arc::clone(schema.shared_id())), Arc::clone(attribute), None);
        operations.push(write_attribute(index, verb, path, value)?);
    }
    Ok(())
}

fn decode_operation(
    index: usize,
    operation: &Value,
    resource_type: &ResourceType,
    operations: &mut Vec<Operation>,
) -> Result<()> {
    let [op, path, value] = members(operation, &"operation", ["op", "path", "value"], &["name"])?;
    let verb = decode_verb(op)?;
    let text = match path {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.as_str()),
        Some(other) => return Err(syntax(format!("`path` must be a string, not {}", article(other)))),
    };
    if let (Verb::Add | Verb::Replace, Some(value), Some(text)) = (verb, value, text)
        && AttributePath::parse(text, resource_type).is_ok_and(|path| path.attribute().name() == "schemas")
    {
        return check_own_schemas(value, resource_type);
    }
    let target = match text {
        Some(text) => Some(decode_target(text, resource_type)?),
        None if verb == Verb::Remove => {
            return Err(Error::new(ErrorKind::NoTarget, "`remove` needs a path")
                .remedy("add `\"path\"` with the attribute to remove"));
        }
        None => None,
    };
    match (verb, value, target) {
        (Verb::Remove, None | Some(Value::Null), Some(target)) => {
            operations.push(Operation { index, verb, target, value: None });
        }
        (Verb::Remove, _, target) => return Err(remove_with_value(target.as_ref())),
        (Verb::Add | Verb::Replace, None, _) => {
            return Err(invalid(format!("`{}` needs a value", verb.name()))
                .remedy("add `\"value\"`, or use `remove` to take a value away"));
        }
        (Verb::Add | Verb::Replace, Some(value), Some(Target::Extension(schema))) => {
            extension_operations(index, verb, &schema, value, resource_type, operations)?;
        }
        (Verb::Add | Verb::Replace, Some(value), Some(target)) => {
            operations.push(Operation { index, verb, target, value: Some(value.clone()) });
        }
        (Verb::Add | Verb::Replace, Some(value), None) => {
            resource_operations(index, verb, value, resource_type, operations)?;
        }
    }
    Ok(())
}

/// The operations of a value without a path: "a set of attributes to be added to the resource" (§3.5.2.1).
fn resource_operations(
    index: usize,
    verb: Verb,
    value: &Value,
    resource_type: &ResourceType,
    operations: &mut Vec<Operation>,
) -> Result<()> {
    let Value::Object(object) = value else {
        return Err(invalid(format!("without a path, `value` must be an object, not {}", article(value)))
            .remedy("add `\"path\"`, or send an object of attributes"));
    };
    for (key, value) in object {
        if let Some(extension) = resource_type.extension(key) {
            let schema = extension.schema();
            names::spelled_once(object, key, schema.id(), &resource_type.name())?;
            extension_operations(index, verb, schema, value, resource_type, operations)?;
            continue;
        }
        let attribute =
            resource_type.attribute(key).ok_or_else(|| names::unknown_member(resource_type, key))?;
        names::spelled_once(object, key, attribute.name(), &resource_type.name())?;
        if attribute.name() == "schemas" {
            check_own_schemas(value, resource_type)?;
            continue;
        }
        let path = AttributePath::new(None, Arc::clone(attribute), None);
        operations.push(write_attribute(index, verb, path, value)?);
    }
    Ok(())
}

fn write_attribute(index: usize, verb: Verb, path: AttributePath, value: &Value) -> Result<Operation> {
    check_writable(&path)?;
    Ok(Operation { index, verb, target: Target::Attribute(path), value: Some(value.clone()) })
}

fn decode_verb(op: Option<&Value>) -> Result<Verb> {
    let known = || Verb::all().into_iter();
    let text = match op {
        Some(Value::String(text)) => text.as_str(),
        None | Some(Value::Null) => {
            return Err(syntax("`op` is missing").remedy("send `add`, `replace` or `remove`"));
        }
        Some(other) => return Err(syntax(format!("`op` must be a string, not {}", article(other)))),
    };
    if let Some(verb) = known().find(|verb| verb.name() == text) {
        return Ok(verb);
    }
    let error = syntax(format!("`{}` is not an operation", excerpt(text)));
    Err(match nearest(text, known().map(Verb::name)) {
        Some(name) if name.eq_ignore_ascii_case(text) => {
            error.remedy(format!("write `{name}` in lower case"))
        }
        Some(name) => error.remedy(format!("did you mean `{name}`?")),
        None => error.remedy("send `add`, `replace` or `remove`"),
    })
}

fn decode_target(text: &str, resource_type: &ResourceType) -> Result<Target> {
    let target = match PathExpression::parse(text)?.resolve(resource_type)? {
        ResolvedPath::Plain(Named::Extension(schema)) => return Ok(Target::Extension(schema)),
        ResolvedPath::Plain(Named::Attribute(path)) => Target::Attribute(path),
        ResolvedPath::Elements { path, filter, sub } => Target::Elements { path, filter, sub },
    };
    match &target {
        Target::Attribute(path) => check_writable(path)?,
        Target::Elements { path, sub, .. } => {
            check_writable(path)?;
            if let Some(sub) = sub {
                check_writable(&path.with_sub(Arc::clone(sub)))?;
            }
            if !path.attribute().is_multi_valued() {
                return Err(Error::new(ErrorKind::InvalidPath, format!("`{path}` has one value only"))
                    .remedy(format!("use `{path}` without brackets"))
                    .at(path));
            }
        }
        Target::Extension(_) => {}
    }
    Ok(target)
}

/// §3.5.2: "a client MUST NOT modify an attribute that has mutability readOnly".
fn check_writable(path: &AttributePath) -> Result<()> {
    let read_only = |attribute: &Arc<Attribute>| attribute.mutability() == Mutability::ReadOnly;
    if read_only(path.attribute()) || read_only(path.leaf()) {
        return Err(Error::new(ErrorKind::Mutability, format!("`{path}` is read-only"))
            .remedy("leave it out: only the server sets it")
            .at(path));
    }
    Ok(())
}

/// Ignoring the value would remove more than the client wants to.
fn remove_with_value(target: Option<&Target>) -> Error {
    let error = invalid("`remove` takes no value".to_owned());
    match target {
        Some(Target::Attribute(path)) if path.attribute().is_multi_valued() && path.sub().is_none() => {
            error.remedy(format!("select the values in the path: `{path}[value eq \"…\"]`")).at(path)
        }
        Some(target) => error.remedy(format!("leave `value` out to remove `{target}`")).at(target),
        None => error,
    }
}

fn check_schemas(schemas: Option<&Value>) -> Result<()> {
    let named = match schemas {
        Some(Value::Array(list)) => match list.as_slice() {
            [Value::String(urn)] => urn.eq_ignore_ascii_case(MESSAGE),
            _ => false,
        },
        _ => false,
    };
    match named {
        true => Ok(()),
        false => {
            let is_message = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(MESSAGE));
            let what = match schemas {
                None => "is missing",
                Some(Value::Array(list)) if list.iter().any(is_message) => {
                    "names more than the PATCH message"
                }
                Some(_) => "does not name the PATCH message",
            };
            Err(syntax(format!("`schemas` {what}")).remedy(format!("send `\"schemas\": [\"{MESSAGE}\"]`")))
        }
    }
}

/// `schemas`, in a value without a path or as the path. What it may name is there anyway, or has nothing to show yet.
fn check_own_schemas(value: &Value, resource_type: &ResourceType) -> Result<()> {
    let known = |urn: &Value| {
        urn.as_str().is_some_and(|urn| {
            resource_type.schema().id().eq_ignore_ascii_case(urn) || resource_type.extension(urn).is_some()
        })
    };
    if value.as_array().is_some_and(|list| list.iter().all(known)) {
        return Ok(());
    }
    let type_name = resource_type.name();
    Err(invalid(format!("`schemas` must be an array of schemas of {type_name}"))
        .remedy("leave it out: the server computes it")
        .at("schemas"))
}

/// The members of these names, in any case, of an object that may have no others but `labels`, which say nothing.
fn members<'v, const N: usize>(
    value: &'v Value,
    owner: &dyn Display,
    known: [&str; N],
    labels: &[&str],
) -> Result<[Option<&'v Value>; N]> {
    let Value::Object(object) = value else {
        return Err(syntax(format!("the {owner} must be an object, not {}", article(value))));
    };
    check_members(object, owner, &known, labels)?;
    Ok(known
        .map(|name| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, found)| found)))
}

fn check_members(
    object: &Map<String, Value>,
    owner: &dyn Display,
    known: &[&str],
    labels: &[&str],
) -> Result<()> {
    let meant = |key: &&String| !labels.iter().any(|label| key.eq_ignore_ascii_case(label));
    for key in object.keys().filter(meant) {
        match known.iter().find(|name| key.eq_ignore_ascii_case(name)) {
            Some(name) => names::spelled_once(object, key, name, &format_args!("the {owner}"))?,
            None => {
                let error = syntax(format!("`{}` is not a member of the {owner}", excerpt(key)));
                return Err(match nearest(key, known.iter().copied()) {
                    Some(near) => error.remedy(format!("did you mean `{near}`?")),
                    None => error.remedy(format!("it has `{}`", known.join("`, `"))),
                });
            }
        }
    }
    Ok(())
}

fn syntax(explanation: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSyntax, explanation)
}

fn invalid(explanation: String) -> Error {
    Error::new(ErrorKind::InvalidValue, explanation)
}
