//! Values of one attribute: types, lists, sub-attributes and canonical values (RFC 7643 §2.3, §2.4, §7).

use std::collections::HashSet;
use std::fmt::Display;

use serde_json::{Map, Value};

use super::names;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Attribute, Mutability, Type};
use crate::text::{excerpt, fold};
use crate::time::Instant;

/// Decodes the whole value of an attribute: an array where it is multi-valued. `None` when that leaves it unassigned
/// (RFC 7643 §2.5). `path` is how errors call the attribute.
///
/// Read-only sub-attributes are left out. For a sub-attribute on its own, use [`sub_value`].
///
/// # Errors
/// `invalidValue` when the value does not fit the attribute, `invalidSyntax` when it has an unknown sub-attribute.
pub fn value(attribute: &Attribute, value: &Value, path: &dyn Display) -> Result<Option<Value>> {
    whole(attribute, value, path, attribute.canonical_values())
}

/// Decodes the whole value of the sub-attribute `sub` of `parent`.
///
/// # Errors
/// As [`value`].
pub fn sub_value(
    parent: &Attribute,
    sub: &Attribute,
    value: &Value,
    path: &dyn Display,
) -> Result<Option<Value>> {
    // RFC 7643 §2.4: `type` is "a label indicating the attribute's function", and its canonical values are the
    // common ones among many.
    let is_label = parent.is_multi_valued() && sub.name() == "type";
    whole(sub, value, path, if is_label { &[] } else { sub.canonical_values() })
}

/// Decodes one element of a multi-valued attribute, or the one value of another. `None` when it holds nothing.
///
/// # Errors
/// As [`value`].
pub fn element(attribute: &Attribute, value: &Value, path: &dyn Display) -> Result<Option<Value>> {
    single(attribute, value, path, attribute.canonical_values())
}

fn whole(
    attribute: &Attribute,
    value: &Value,
    path: &dyn Display,
    canonical: &[String],
) -> Result<Option<Value>> {
    if !attribute.is_multi_valued() {
        return single(attribute, value, path, canonical);
    }
    let elements = match value {
        Value::Null => return Ok(None),
        Value::Array(elements) => elements,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            return Err(misfit(path, format!("`{path}` holds a list of values, not {}", article(value)))
                .remedy("put the value in an array, in square brackets"));
        }
    };
    let mut decoded = Vec::with_capacity(elements.len());
    for (index, element) in elements.iter().enumerate() {
        let element = single(attribute, element, path, canonical)
            .map_err(|error| error.context(format_args!("element {} of `{path}`", index + 1)))?;
        decoded.extend(element);
    }
    once_each(&mut decoded);
    // RFC 7643 §2.4: "The primary attribute value 'true' MUST appear no more than once."
    let is_primary = |element: &&Value| element.get("primary") == Some(&Value::Bool(true));
    if attribute.sub_attribute("primary").is_some() && decoded.iter().filter(is_primary).count() > 1 {
        return Err(misfit(path, format!("more than one element of `{path}` is primary"))
            .remedy("set `primary` to true in one of them at most"));
    }
    Ok(if decoded.is_empty() { None } else { Some(Value::Array(decoded)) })
}

/// Leaves out what is there already. RFC 7643 §2.4: "Service providers […] SHOULD NOT return the same (type, value)
/// combination more than once per attribute". Elements that differ in anything stay, since each says something.
pub(crate) fn once_each(elements: &mut Vec<Value>) {
    if elements.len() < 2 {
        return;
    }
    let mut seen = HashSet::with_capacity(elements.len());
    let is_new: Vec<bool> = elements.iter().map(|element| seen.insert(element)).collect();
    if is_new.contains(&false) {
        let mut is_new = is_new.into_iter();
        elements.retain(|_| is_new.next().unwrap_or(true));
    }
}

fn single(
    attribute: &Attribute,
    value: &Value,
    path: &dyn Display,
    canonical: &[String],
) -> Result<Option<Value>> {
    match value {
        Value::Null => return Ok(None),
        // RFC 7643 §2.5: the empty array is the same as no value.
        Value::Array(elements) if elements.is_empty() && !attribute.is_multi_valued() => return Ok(None),
        Value::Array(_) => {
            let what = if attribute.is_multi_valued() { "one element of" } else { "the value of" };
            return Err(misfit(
                path,
                format!("{what} `{path}` must be {}, not an array", attribute.kind().article()),
            )
            .remedy("send the value without the inner square brackets"));
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {}
    }
    if attribute.kind() == Type::Complex {
        return complex(attribute, value, path);
    }
    scalar(attribute.kind(), value, path)?;
    match value {
        Value::String(text) if !canonical.is_empty() => one_of(attribute, text, path, canonical)?,
        _ => {}
    }
    Ok(Some(value.clone()))
}

fn complex(attribute: &Attribute, value: &Value, path: &dyn Display) -> Result<Option<Value>> {
    let Value::Object(object) = value else {
        let example = attribute.sub_attributes().first().map_or("value", |sub| sub.name());
        return Err(misfit(path, format!("`{path}` must be an object, not {}", article(value)))
            .remedy(format!("name the sub-attribute, as in `{{\"{example}\": …}}`")));
    };
    let mut decoded = Map::with_capacity(object.len());
    for (key, value) in object {
        let sub = attribute.sub_attribute(key).ok_or_else(|| names::unknown_sub(attribute, key, path))?;
        names::spelled_once(object, key, sub.name(), path)?;
        if sub.mutability() == Mutability::ReadOnly {
            continue;
        }
        if let Some(value) = sub_value(attribute, sub, value, &format_args!("{path}.{}", sub.name()))? {
            decoded.insert(sub.name().to_owned(), value);
        }
    }
    Ok(if decoded.is_empty() { None } else { Some(Value::Object(decoded)) })
}

/// Whether the value is of the type. It is kept as sent, so there is nothing to convert.
fn scalar(kind: Type, value: &Value, path: &dyn Display) -> Result<()> {
    let fits = match (kind, value) {
        (Type::String, Value::String(_)) | (Type::Boolean, Value::Bool(_)) => true,
        // RFC 7643 §2.3.4: no fraction and no exponent, so neither 1.0 nor 1e0.
        (Type::Integer, Value::Number(number)) => number.is_i64(),
        (Type::Decimal, Value::Number(number)) => number.as_f64().is_some_and(f64::is_finite),
        (Type::DateTime, Value::String(text)) => Instant::parse(text).is_some(),
        (Type::Binary, Value::String(text)) => is_base64(text),
        // RFC 7643 §2.3.7 wants a URI, absolute or relative. Nearly every text is a relative one, and identity
        // providers send plain words, so all that is refused is the empty text.
        (Type::Reference, Value::String(text)) => !text.is_empty(),
        (
            Type::String
            | Type::Boolean
            | Type::Integer
            | Type::Decimal
            | Type::DateTime
            | Type::Binary
            | Type::Reference
            | Type::Complex,
            _,
        ) => false,
    };
    if fits {
        return Ok(());
    }
    let wanted = kind.article();
    // The value itself may be secret, so only its type is named.
    let error = if value.is_string() && !matches!(kind, Type::Boolean | Type::Integer | Type::Decimal) {
        misfit(path, format!("the text in `{path}` is not {wanted}"))
    } else {
        let found = match value {
            Value::Number(_) if kind == Type::Integer => {
                "one with a fraction, an exponent or more than 64 bits"
            }
            other => article(other),
        };
        misfit(path, format!("`{path}` must be {wanted}, not {found}"))
    };
    Err(match kind {
        Type::String if value.is_object() || value.is_array() => error.remedy("send the text itself"),
        Type::String => error.remedy("put the value in quotes"),
        Type::Boolean => error.remedy("send `true` or `false` without quotes"),
        Type::Integer => error.remedy("send it without quotes, as in `42`"),
        Type::Decimal => error.remedy("send the number without quotes"),
        Type::DateTime => error.remedy("send one such as `2011-05-13T04:42:34Z`"),
        Type::Binary => error.remedy("encode it as RFC 4648 §4 says, without line breaks"),
        Type::Reference => error.remedy("send a URI, or leave the attribute out"),
        Type::Complex => error,
    })
}

/// RFC 4648 §4 or §5, padded or not. White space is refused, as RFC 4648 §3.3 wants.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let padded = padding == 0 || (padding <= 2 && text.len().is_multiple_of(4));
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    !digits.is_empty() && digits.len() % 4 != 1 && padded && digits.bytes().all(known)
}

fn one_of(attribute: &Attribute, text: &str, path: &dyn Display, canonical: &[String]) -> Result<()> {
    let same = |choice: &String| {
        if attribute.is_case_exact() { choice == text } else { fold(choice) == fold(text) }
    };
    if canonical.iter().any(same) {
        return Ok(());
    }
    let choices: Vec<String> = canonical.iter().map(|choice| format!("`{choice}`")).collect();
    Err(misfit(path, format!("`{path}` cannot be `{}`", excerpt(text)))
        .remedy(format!("use one of {}", choices.join(", "))))
}

/// What a value is, in the words of JSON.
pub(crate) fn article(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

impl Type {
    fn article(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Boolean => "a boolean",
            Self::Decimal => "a number",
            Self::Integer => "a whole number",
            Self::DateTime => "a dateTime",
            Self::Binary => "base64",
            Self::Reference => "a reference",
            Self::Complex => "an object",
        }
    }
}

fn misfit(path: &dyn Display, explanation: String) -> Error {
    Error::new(ErrorKind::InvalidValue, explanation).at(path)
}
