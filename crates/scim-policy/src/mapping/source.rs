//! Where a field of a person comes from: a path into a User, resolved once.
//!
//! Paths are those of PATCH (RFC 7644 §3.5.2). A source refuses what is never in a document: memberships, passwords, and
//! what only the server sets.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use scim_core::filter::{Filter, PathExpression, ResolvedPath};
use scim_core::path::{AttributePath, Named};
use scim_core::schema::{Attribute, Membership, Mutability, ResourceType, Returned, Type};
use scim_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

/// A resolved path that ends at values, not at objects.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    shown: Box<str>,
    reach: Reach,
}

#[derive(Debug, Clone)]
enum Reach {
    Attribute(AttributePath),
    Elements { path: AttributePath, filter: Filter, sub: Option<Arc<Attribute>> },
}

impl Source {
    /// Resolves a path.
    ///
    /// # Errors
    /// `invalidPath` or `invalidFilter`, as for PATCH.
    pub(crate) fn resolve(text: &str, resource_type: &ResourceType) -> Result<Self> {
        let reach = match PathExpression::parse(text)?.resolve(resource_type)? {
            ResolvedPath::Plain(Named::Extension(schema)) => {
                let example = schema.attributes().first().map_or("attribute", |attribute| attribute.name());
                return Err(invalid(format!("`{}` is a schema, not an attribute", schema.id()))
                    .remedy(format!("name one of its attributes, as in `{}:{example}`", schema.id())));
            }
            ResolvedPath::Plain(Named::Attribute(path)) => Reach::Attribute(at_value(path)?),
            ResolvedPath::Elements { path, .. } if !path.attribute().is_multi_valued() => {
                return Err(invalid(format!("`{path}` has one value only"))
                    .remedy(format!("use `{path}` without brackets")));
            }
            ResolvedPath::Elements { path, filter, sub } => {
                let whole = match sub {
                    Some(sub) => path.with_sub(sub),
                    None => path.clone(),
                };
                let sub = at_value(whole)?.sub().cloned();
                Reach::Elements { path, filter, sub }
            }
        };
        let (Reach::Attribute(path) | Reach::Elements { path, .. }) = &reach;
        check_kept(path, resource_type)?;
        Ok(Self { shown: reach.to_string().into(), reach })
    }

    /// Whether it is the name to log in with.
    pub(crate) fn is_user_name(&self) -> bool {
        &*self.shown == "userName"
    }

    /// Every value that the path reaches.
    fn values<'v>(&'v self, user: &'v Map<String, Value>) -> impl Iterator<Item = &'v Value> {
        let (path, filter, sub) = match &self.reach {
            Reach::Attribute(path) => (path, None, path.sub()),
            Reach::Elements { path, filter, sub } => (path, Some(filter), sub.as_ref()),
        };
        let elements = match path.attribute_value(user) {
            Some(Value::Array(elements)) => elements.as_slice(),
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        elements
            .iter()
            .filter(move |element| filter.is_none_or(|filter| filter.matches_element(element)))
            .filter_map(move |element| match sub {
                Some(sub) => element.as_object()?.get(sub.name()),
                None => Some(element),
            })
    }

    /// The values as text, those that are empty left out.
    pub(crate) fn texts<'v>(&'v self, user: &'v Map<String, Value>) -> impl Iterator<Item = Cow<'v, str>> {
        self.values(user).filter_map(|value| match value {
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) => Some(Cow::Borrowed(text.as_str())),
            Value::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
    }

    /// Puts `text` where the path leads.
    #[cfg(test)]
    pub(crate) fn put(&self, user: &mut Map<String, Value>, text: &str) {
        let (path, filter, sub) = match &self.reach {
            Reach::Attribute(path) => (path, None, path.sub()),
            Reach::Elements { path, filter, sub } => (path, Some(filter), sub.as_ref()),
        };
        let holder = match path.urn() {
            Some(urn) => user.get_mut(urn).and_then(Value::as_object_mut),
            None => Some(user),
        };
        let Some(found) = holder.and_then(|holder| holder.get_mut(path.attribute().name())) else { return };
        let elements = match found {
            Value::Array(elements) => elements.as_mut_slice(),
            value => std::slice::from_mut(value),
        };
        let target = elements
            .iter_mut()
            .filter(|element| filter.is_none_or(|filter| filter.matches_element(element)))
            .filter_map(|element| match sub {
                Some(sub) => element.get_mut(sub.name()),
                None => Some(element),
            })
            .find(|value| !value.as_str().unwrap_or_default().trim().is_empty());
        if let Some(target) = target {
            *target = text.into();
        }
    }
}

/// The path, continued to `value` where it ends at a list of objects that have one.
fn at_value(path: AttributePath) -> Result<AttributePath> {
    let leaf = path.leaf();
    if leaf.kind() != Type::Complex {
        return Ok(path);
    }
    if let (true, Some(value)) = (leaf.is_multi_valued(), leaf.sub_attribute("value")) {
        let value = Arc::clone(value);
        return Ok(path.with_sub(value));
    }
    let example = leaf.sub_attributes().first().map_or("value", |sub| sub.name());
    Err(invalid(format!("`{path}` is an object, not a value"))
        .remedy(format!("name one of its parts, as in `{path}.{example}`")))
}

/// Memberships, what the server sets, and what nobody may read are in no document.
fn check_kept(path: &AttributePath, resource_type: &ResourceType) -> Result<()> {
    let attribute = path.attribute();
    let is_core = path.urn().is_none();
    if is_core
        && resource_type.membership() == Some(Membership::Member)
        && attribute.name().eq_ignore_ascii_case("groups")
    {
        return Err(invalid(
            "`groups` is not sent with a User: memberships are kept with the groups".to_owned(),
        )
        .remedy("write `user_group = [\"groups\"]`, which is the one field that can come from them"));
    }
    if attribute.mutability() == Mutability::ReadOnly || path.leaf().mutability() == Mutability::ReadOnly {
        return Err(invalid(format!("`{path}` is set by the server, not by the identity provider"))
            .remedy("name an attribute that the identity provider sends"));
    }
    if attribute.returned() == Returned::Never || path.leaf().returned() == Returned::Never {
        return Err(invalid(format!("`{path}` is never kept")).remedy("name another attribute"));
    }
    Ok(())
}

fn invalid(explanation: String) -> Error {
    Error::new(ErrorKind::InvalidPath, explanation)
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(path) => path.fmt(f),
            Self::Elements { path, filter, sub } => {
                write!(f, "{path}[{filter}]")?;
                sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{}", sub.name()))
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
