//! Names and literals in filters and paths.
//!
//! ```text
//! filter=id eq "2819c223" and manager eq "26118915"
//! "path": "roles[primary eq \"True\"].value"
//! ```

use std::borrow::Cow;

use scim_core::Result;
use scim_core::filter::{Expression, Filter, Literal, PathExpression, RawComparison, ResolvedPath};
use scim_core::path::Named;
use scim_core::schema::{Attribute, Registry, ResourceType, Type};

use super::{Quirk, Quirks, shape};

/// Parses a filter and resolves it, leniently towards attributes of other types if `among` is given.
pub(crate) fn parse_filter(
    text: &str,
    resource_type: &ResourceType,
    among: Option<&Registry>,
    quirks: Quirks,
) -> Result<Filter> {
    let mut expression = Expression::parse(text)?;
    if quirks != Quirks::NONE {
        expression.for_each_comparison_mut(|comparison, enclosing| {
            rewrite(comparison, enclosing, resource_type, quirks);
        });
    }
    match among {
        Some(registry) => expression.resolve_among(resource_type, registry),
        None => expression.resolve(resource_type),
    }
}

/// Rewrites the path of a PATCH operation. `None` when there is nothing to rewrite, or the path means nothing even so.
pub(crate) fn rewrite_path(text: &str, resource_type: &ResourceType, quirks: Quirks) -> Option<String> {
    let qualified = if quirks.has(Quirk::UnqualifiedNames) && !text.contains(['[', ':']) {
        qualify(text, resource_type)
    } else {
        None
    };
    let text = qualified.as_deref().unwrap_or(text);
    let mut path = PathExpression::parse(text).ok()?;
    path.for_each_comparison_mut(|comparison, enclosing| {
        rewrite(comparison, enclosing, resource_type, quirks)
    });
    match path.resolve(resource_type).ok()? {
        ResolvedPath::Plain(_) => qualified,
        ResolvedPath::Elements { path, filter, sub: None } => Some(format!("{path}[{filter}]")),
        ResolvedPath::Elements { path, filter, sub: Some(sub) } => {
            Some(format!("{path}[{filter}].{}", sub.name()))
        }
    }
}

fn rewrite(
    comparison: &mut RawComparison<'_>,
    enclosing: Option<&str>,
    resource_type: &ResourceType,
    quirks: Quirks,
) {
    if quirks.has(Quirk::UnqualifiedNames)
        && enclosing.is_none()
        && let Some(qualified) = qualify(&comparison.path, resource_type)
    {
        comparison.path = Cow::Owned(qualified);
    }
    let text = match &comparison.literal {
        Literal::Text(text) if quirks.has(Quirk::StringBooleans) => shape::boolean(text),
        _ => None,
    };
    if let Some(boolean) = text
        && kind(&comparison.path, enclosing, resource_type) == Some(Type::Boolean)
    {
        comparison.literal = Literal::Boolean(boolean);
    }
}

/// Finds the extension attribute that an unqualified name means, and the `value` of a complex one.
fn qualify(name: &str, resource_type: &ResourceType) -> Option<String> {
    let (first, _) = name.split_once('.').unwrap_or((name, ""));
    let with_value = |attribute: &Attribute, path: String| {
        let complex =
            attribute.kind() == Type::Complex && !attribute.is_multi_valued() && !name.contains('.');
        if complex && attribute.sub_attribute("value").is_some() { format!("{path}.value") } else { path }
    };
    if let Some(attribute) = resource_type.attribute(first) {
        let path = with_value(attribute, name.to_owned());
        return (path != name).then_some(path);
    }
    let mut found = resource_type.extensions().iter().filter_map(|extension| {
        let attribute = extension.schema().attribute(first)?;
        Some(with_value(attribute, format!("{}:{name}", extension.schema().id())))
    });
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

fn kind(name: &str, enclosing: Option<&str>, resource_type: &ResourceType) -> Option<Type> {
    let named = |text: &str| match Named::parse(text, resource_type).ok()? {
        Named::Attribute(path) => Some(path),
        Named::Extension(_) => None,
    };
    match enclosing {
        Some(parent) => Some(named(parent)?.attribute().sub_attribute(name)?.kind()),
        None => Some(named(name)?.leaf().kind()),
    }
}
