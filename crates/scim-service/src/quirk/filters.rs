//! Names and literals in filters and paths.
//!
//! ```text
//! filter=id eq "2819c223" and manager eq "26118915"
//! filter=userName Eq ada@example.com
//! "path": "roles[primary eq \"True\"].value"
//! ```

use std::borrow::Cow;

use scim_core::Result;
use scim_core::filter::{Expression, Filter, Literal, PathExpression, RawComparison, ResolvedPath};
use scim_core::path::{AttributePath, Named};
use scim_core::schema::{ResourceType, Type};

use super::{Quirk, Quirks, shape};

/// Parses a filter and resolves it, as one of a query over several types if it is `among_types`.
pub(crate) fn parse_filter(
    text: &str,
    resource_type: &ResourceType,
    among_types: bool,
    quirks: Quirks,
) -> Result<Filter> {
    let quoted = quoted(text, quirks);
    let mut expression = Expression::parse(quoted.as_deref().unwrap_or(text))?;
    if quirks != Quirks::NONE {
        expression.for_each_comparison_mut(|comparison, enclosing| {
            rewrite(comparison, enclosing, resource_type, quirks);
        });
    }
    match among_types {
        true => expression.resolve_among(resource_type),
        false => expression.resolve(resource_type),
    }
}

/// Rewrites the path of a PATCH operation. `None` when there is nothing to rewrite, or the path means nothing even so.
pub(crate) fn rewrite_path(text: &str, resource_type: &ResourceType, quirks: Quirks) -> Option<String> {
    let qualified = if quirks.has(Quirk::UnqualifiedNames) && !text.contains(['[', ':']) {
        qualify(text, resource_type).map(|path| path.to_string())
    } else {
        None
    };
    let quoted = quoted(text, quirks);
    let text = qualified.as_deref().or(quoted.as_deref()).unwrap_or(text);
    let mut path = PathExpression::parse(text).ok()?;
    path.for_each_comparison_mut(|comparison, enclosing| {
        rewrite(comparison, enclosing, resource_type, quirks);
    });
    match path.resolve(resource_type).ok()? {
        ResolvedPath::Plain(_) => qualified,
        ResolvedPath::Elements { path, filter, sub: None } => Some(format!("{path}[{filter}]")),
        ResolvedPath::Elements { path, filter, sub: Some(sub) } => {
            Some(format!("{path}[{filter}].{}", sub.name()))
        }
    }
}

/// The filter of one comparison, or the path with one in its brackets, with quotes around the text that has none. `None`
/// when there is nothing to quote.
fn quoted(text: &str, quirks: Quirks) -> Option<String> {
    if !quirks.has(Quirk::UnquotedText) {
        return None;
    }
    if let Some((list, rest)) = text.split_once('[')
        && !list.contains(' ')
    {
        let (filter, sub) = rest.rsplit_once(']')?;
        return Some(format!("{list}[{}]{sub}", quoted(filter, quirks)?));
    }
    let (name, rest) = text.trim().split_once(' ')?;
    let (operator, value) = rest.trim_start().split_once(' ')?;
    let value = value.trim();
    // Where a text ends that others follow cannot be known.
    let mut words = value.split(|character: char| character.is_whitespace() || "()[]".contains(character));
    let is_literal =
        |word: &str| ["true", "false", "null"].iter().any(|known| word.eq_ignore_ascii_case(known));
    let joins = |word: &str| word.eq_ignore_ascii_case("and") || word.eq_ignore_ascii_case("or");
    if value.contains('"') || words.clone().next().is_some_and(is_literal) || words.any(joins) {
        return None;
    }
    let quoted = format!("{name} {operator} {}", serde_json::Value::from(value));
    Expression::parse(&quoted).is_ok().then_some(quoted)
}

fn rewrite(
    comparison: &mut RawComparison<'_>,
    enclosing: Option<&str>,
    resource_type: &ResourceType,
    quirks: Quirks,
) {
    if quirks.has(Quirk::UnqualifiedNames) && enclosing.is_none() {
        let known =
            qualify(&comparison.path, resource_type).or_else(|| named(&comparison.path, resource_type));
        if let Some(path) = known {
            // Whether it is there can be asked of the whole.
            let is_compared = comparison.operator.is_some();
            let path = if is_compared { with_value(path) } else { path };
            comparison.path = Cow::Owned(path.to_string());
        }
    }
    let literal = match (&comparison.literal, kind(&comparison.path, enclosing, resource_type)) {
        (Literal::Text(text), Some(Type::Boolean)) if quirks.has(Quirk::StringBooleans) => {
            shape::boolean(text).map(Literal::Boolean)
        }
        (Literal::Text(text), Some(Type::Integer | Type::Decimal))
            if quirks.has(Quirk::LooseScalars) || quirks.has(Quirk::UnquotedText) =>
        {
            text.parse().ok().map(Literal::Number)
        }
        (Literal::Number(number), Some(Type::String)) if quirks.has(Quirk::LooseScalars) => {
            Some(Literal::Text(Cow::Owned(number.to_string())))
        }
        _ => None,
    };
    if let Some(literal) = literal {
        comparison.literal = literal;
    }
}

/// Finds the extension attribute that an unqualified name means.
fn qualify(name: &str, resource_type: &ResourceType) -> Option<AttributePath> {
    let (first, _) = name.split_once('.').unwrap_or((name, ""));
    if resource_type.attribute(first).is_some() {
        return None;
    }
    let mut found = resource_type
        .extensions()
        .iter()
        .filter(|extension| extension.schema().attribute(first).is_some())
        .filter_map(|extension| named(&format!("{}:{name}", extension.schema().id()), resource_type));
    let only = found.next()?;
    found.next().is_none().then_some(only)
}

fn named(text: &str, resource_type: &ResourceType) -> Option<AttributePath> {
    match Named::parse(text, resource_type).ok()? {
        Named::Attribute(path) => Some(path),
        Named::Extension(_) => None,
    }
}

/// What a complex attribute is compared by: its `value`.
fn with_value(path: AttributePath) -> AttributePath {
    let attribute = path.attribute();
    let is_whole = path.sub().is_none() && attribute.kind() == Type::Complex && !attribute.is_multi_valued();
    match attribute.sub_attribute("value").filter(|_| is_whole).cloned() {
        Some(value) => path.with_sub(value),
        None => path,
    }
}

fn kind(name: &str, enclosing: Option<&str>, resource_type: &ResourceType) -> Option<Type> {
    match enclosing {
        Some(parent) => Some(named(parent, resource_type)?.attribute().sub_attribute(name)?.kind()),
        None => Some(named(name, resource_type)?.leaf().kind()),
    }
}
