//! Attribute paths: `[urn:]attribute[.sub]` (RFC 7644 §3.10), resolved against a resource type.
//!
//! A path that has been resolved cannot name anything that does not exist. Value paths (`emails[type eq "work"]`)
//! are filters and live in [`crate::filter`] and [`crate::patch`].

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Attribute, ResourceType, Schema};
use crate::text::{excerpt, nearest};

/// A resolved attribute path.
#[derive(Clone, PartialEq, Eq)]
pub struct AttributePath {
    urn: Option<Arc<str>>,
    attribute: Arc<Attribute>,
    sub: Option<Arc<Attribute>>,
}

/// What a name without brackets can stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// An attribute or a sub-attribute.
    Attribute(AttributePath),
    /// An extension as a whole.
    Extension(Arc<Schema>),
}

impl AttributePath {
    /// A path from its parts. `urn` is that of the extension, and `None` for the core schema.
    pub fn new(urn: Option<Arc<str>>, attribute: Arc<Attribute>, sub: Option<Arc<Attribute>>) -> Self {
        Self { urn, attribute, sub }
    }

    /// Resolves `text`, in any case and with or without the URN of the core schema.
    ///
    /// # Errors
    /// `invalidPath`, with the nearest name that exists.
    pub fn parse(text: &str, resource_type: &ResourceType) -> Result<Self> {
        match Named::parse(text, resource_type)? {
            Named::Attribute(path) => Ok(path),
            Named::Extension(schema) => {
                let example = schema.attributes().first().map_or("attribute", |attribute| attribute.name());
                Err(invalid(format!("`{text}` is a schema, not an attribute"))
                    .remedy(format!("name one of its attributes, as in `{}:{example}`", schema.id())))
            }
        }
    }

    /// The extension's URN, for an attribute of an extension.
    pub fn urn(&self) -> Option<&str> {
        self.urn.as_deref()
    }

    /// The attribute before the dot.
    pub fn attribute(&self) -> &Arc<Attribute> {
        &self.attribute
    }

    /// The sub-attribute after the dot.
    pub fn sub(&self) -> Option<&Arc<Attribute>> {
        self.sub.as_ref()
    }

    /// The attribute that the path ends at.
    pub fn leaf(&self) -> &Arc<Attribute> {
        self.sub.as_ref().unwrap_or(&self.attribute)
    }

    /// The same attribute without the sub-attribute.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self { urn: self.urn.clone(), attribute: Arc::clone(&self.attribute), sub: None }
    }

    /// The same attribute with another sub-attribute.
    #[must_use]
    pub fn with_sub(&self, sub: Arc<Attribute>) -> Self {
        Self { urn: self.urn.clone(), attribute: Arc::clone(&self.attribute), sub: Some(sub) }
    }

    /// The value of the attribute before the dot in a canonical document.
    pub fn attribute_value<'v>(&self, document: &'v Map<String, Value>) -> Option<&'v Value> {
        let container = match &self.urn {
            Some(urn) => document.get(&**urn)?.as_object()?,
            None => document,
        };
        container.get(self.attribute.name())
    }

    /// Every value that the path reaches in a canonical document: one for each element of a multi-valued attribute.
    pub fn values<'v>(
        &self,
        document: &'v Map<String, Value>,
    ) -> impl Iterator<Item = &'v Value> + use<'_, 'v> {
        let found = self.attribute_value(document);
        let elements: &[Value] = match found {
            Some(Value::Array(elements)) => elements,
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        elements.iter().filter_map(|element| match &self.sub {
            Some(sub) => element.as_object()?.get(sub.name()),
            None => Some(element),
        })
    }
}

impl Named {
    /// Resolves `text` as an attribute, a sub-attribute or an extension.
    ///
    /// # Errors
    /// `invalidPath`, with the nearest name that exists.
    pub fn parse(text: &str, resource_type: &ResourceType) -> Result<Self> {
        let (schema, rest) = split_urn(text, resource_type)?;
        let (urn, scope) = match schema {
            Schemas::Core => (None, None),
            Schemas::Extension(schema) if rest.is_empty() => return Ok(Self::Extension(Arc::clone(schema))),
            Schemas::Extension(schema) => (Some(Arc::clone(schema.shared_id())), Some(schema)),
        };
        let (name, sub_name) = match rest.bytes().any(|byte| byte == b'.') {
            true => rest.split_once('.').map_or((rest, None), |(name, sub_name)| (name, Some(sub_name))),
            false => (rest, None),
        };
        let found = match scope {
            Some(schema) => schema.attribute(name),
            None => resource_type.attribute(name),
        };
        let attribute = found.ok_or_else(|| unknown_attribute(text, name, scope, resource_type))?;
        let sub = match sub_name {
            None => None,
            Some(sub_name) => {
                let sub =
                    attribute.sub_attribute(sub_name).ok_or_else(|| unknown_sub(attribute, sub_name))?;
                Some(Arc::clone(sub))
            }
        };
        Ok(Self::Attribute(AttributePath { urn, attribute: Arc::clone(attribute), sub }))
    }
}

enum Schemas<'a> {
    Core,
    Extension(&'a Arc<Schema>),
}

/// Splits off the longest schema URN in front. A URN holds dots and colons itself, so the registry decides where it
/// ends.
fn split_urn<'a, 't>(text: &'t str, resource_type: &'a ResourceType) -> Result<(Schemas<'a>, &'t str)> {
    if !text.bytes().any(|byte| byte == b':') {
        return Ok((Schemas::Core, text));
    }
    let after = |urn: &str| {
        let head = text.get(..urn.len())?;
        let rest = text.get(urn.len()..)?;
        let rest = if rest.is_empty() { rest } else { rest.strip_prefix(':')? };
        head.eq_ignore_ascii_case(urn).then_some(rest)
    };
    let mut best: Option<(usize, Schemas<'a>, &'t str)> = None;
    let core = std::iter::once((resource_type.schema(), true));
    let extensions = resource_type.extensions().iter().map(|extension| (extension.schema(), false));
    for (schema, is_core) in core.chain(extensions) {
        let length = schema.id().len();
        if best.as_ref().is_some_and(|(longest, ..)| *longest >= length) {
            continue;
        }
        match after(schema.id()) {
            Some("") if is_core => {}
            Some(rest) => {
                let scope = if is_core { Schemas::Core } else { Schemas::Extension(schema) };
                best = Some((length, scope, rest));
            }
            None => {}
        }
    }
    match best {
        Some((_, scope, rest)) => Ok((scope, rest)),
        None => Err(unknown_urn(text, resource_type)),
    }
}

fn unknown_urn(text: &str, resource_type: &ResourceType) -> Error {
    let mut known: Vec<&str> = vec![resource_type.schema().id()];
    known.extend(resource_type.extensions().iter().map(|extension| extension.schema().id()));
    let urn = text.rsplit_once(':').map_or(text, |(urn, _)| urn);
    let error = invalid(format!("`{}` names no schema of {}", excerpt(text), resource_type.name()));
    let folded = text.to_ascii_lowercase();
    if known.iter().any(|urn| urn.eq_ignore_ascii_case(text)) {
        return error_of_core(text);
    }
    let apart = known.iter().find(|urn| folded.starts_with(&urn.to_ascii_lowercase()));
    if let Some(urn) = apart {
        return error.remedy(format!("a colon stands between URN and attribute, as in `{urn}:attribute`"));
    }
    match nearest(urn, known.iter().copied()) {
        Some(name) => error.remedy(format!("did you mean `{name}`?")),
        None => error.remedy(format!(
            "its schemas are {}; take it out of the attribute mapping, or have the server's operator add its schema",
            list(&known)
        )),
    }
}

/// The core schema's URN alone names nothing: unlike an extension, it holds everything else.
fn error_of_core(text: &str) -> Error {
    invalid(format!("`{}` is the core schema, not an attribute", excerpt(text)))
        .remedy("name its attributes without the URN")
}

fn unknown_attribute(
    text: &str,
    name: &str,
    scope: Option<&Arc<Schema>>,
    resource_type: &ResourceType,
) -> Error {
    if name.is_empty() {
        return invalid(format!("`{}` names no attribute", excerpt(text)));
    }
    let quoted = excerpt(name);
    if let Some(schema) = scope {
        let error = invalid(format!("`{quoted}` is not an attribute of `{}`", schema.id()));
        return match nearest(name, schema.attributes().iter().map(|attribute| attribute.name())) {
            Some(near) => error.remedy(format!("did you mean `{}:{near}`?", schema.id())),
            None => error,
        };
    }
    let error = invalid(format!("`{quoted}` is not an attribute of {}", resource_type.name()));
    let elsewhere = resource_type.extensions().iter().find_map(|extension| {
        let attribute = extension.schema().attribute(name)?;
        Some(format!("it belongs to an extension: write `{}:{}`", extension.schema().id(), attribute.name()))
    });
    let known = resource_type.attributes().map(|attribute| attribute.name());
    let slashed = || {
        let dotted = text.strip_prefix('/').unwrap_or(text).replace('/', ".");
        let found = dotted != text && AttributePath::parse(&dotted, resource_type).is_ok();
        found.then(|| format!("did you mean `{dotted}`?"))
    };
    match elsewhere
        .or_else(slashed)
        .or_else(|| nearest(name, known).map(|near| format!("did you mean `{near}`?")))
    {
        Some(remedy) => error.remedy(remedy),
        None => error.remedy("/Schemas lists what there is"),
    }
}

fn unknown_sub(attribute: &Attribute, sub_name: &str) -> Error {
    let name = attribute.name();
    if attribute.sub_attributes().is_empty() {
        return invalid(format!("`{name}` has no sub-attributes")).remedy(format!("use `{name}` alone"));
    }
    let known: Vec<&str> = attribute.sub_attributes().iter().map(|sub| sub.name()).collect();
    let error = invalid(format!("`{}` is not a sub-attribute of `{name}`", excerpt(sub_name)));
    match nearest(sub_name, known.iter().copied()) {
        Some(near) => error.remedy(format!("did you mean `{name}.{near}`?")),
        None => error.remedy(format!("it has {}", list(&known))),
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn invalid(explanation: String) -> Error {
    Error::new(ErrorKind::InvalidPath, explanation)
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(self.attribute.name())?;
        match &self.sub {
            Some(sub) => write!(f, ".{}", sub.name()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}
