//! Sorting (RFC 7644 §3.4.2.3).
//!
//! A resource sorts by one [`Key`]: of the attribute's value, or of its primary or else first value where it has
//! several. Resources without a value come last in ascending order and first in descending order.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::path::AttributePath;
use crate::schema::{ResourceType, Returned, Type};
use crate::text::excerpt;

/// What to sort by, and in which direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The attribute.
    pub path: AttributePath,
    /// Whether the greatest comes first.
    pub descending: bool,
}

impl Sort {
    /// Reads `sortBy` and `sortOrder`.
    ///
    /// # Errors
    /// `invalidPath` when there is no such attribute or it has no order, `invalidValue` for an unknown order.
    pub fn parse(sort_by: &str, sort_order: Option<&str>, resource_type: &ResourceType) -> Result<Self> {
        let descending = match sort_order {
            None => false,
            Some(order) if order.eq_ignore_ascii_case("ascending") => false,
            Some(order) if order.eq_ignore_ascii_case("descending") => true,
            Some(order) => {
                return Err(Error::new(
                    ErrorKind::InvalidValue,
                    format!("`{}` is not a sort order", excerpt(order)),
                )
                .remedy("use `ascending` or `descending`"));
            }
        };
        if sort_by.trim().is_empty() {
            return Err(Error::new(ErrorKind::InvalidPath, "`sortBy` is empty")
                .remedy("name an attribute, or leave it out"));
        }
        let mut path = AttributePath::parse(sort_by.trim(), resource_type)?;
        if path.leaf().kind() == Type::Complex {
            match path.leaf().sub_attribute("value") {
                Some(value) if path.sub().is_none() && path.attribute().is_multi_valued() => {
                    path = path.with_sub(Arc::clone(value));
                }
                _ => {
                    let first = path.leaf().sub_attributes().first().map_or("value", |sub| sub.name());
                    return Err(Error::new(
                        ErrorKind::InvalidPath,
                        format!("`{path}` is complex and has no order"),
                    )
                    .remedy(format!("sort by one of its sub-attributes, as in `{path}.{first}`")));
                }
            }
        }
        if path.leaf().returned() == Returned::Never || path.attribute().returned() == Returned::Never {
            return Err(Error::new(
                ErrorKind::InvalidPath,
                format!("`{path}` is never returned and cannot be sorted by"),
            ));
        }
        Ok(Self { path, descending })
    }

    /// The key that a canonical document sorts by.
    pub fn key(&self, document: &Map<String, Value>) -> Key {
        let value = match self.path.attribute_value(document) {
            Some(Value::Array(elements)) => {
                let primary = |element: &&Value| element.get("primary") == Some(&Value::Bool(true));
                elements.iter().find(primary).or(elements.first())
            }
            value => value,
        };
        let value = match self.path.sub() {
            Some(sub) => value.and_then(|value| value.get(sub.name())),
            None => value,
        };
        value.and_then(|value| Key::of(self.path.leaf(), value)).unwrap_or_else(Key::absent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Registry;
    use serde_json::json;

    fn sort(by: &str, order: Option<&str>) -> Result<Sort> {
        let registry = Registry::builtin().expect("built in");
        Sort::parse(by, order, registry.endpoint("Users").expect("User"))
    }

    #[test]
    fn a_resource_sorts_by_its_primary_value() {
        let key =
            |by: &str, document: Value| sort(by, None).expect(by).key(document.as_object().expect("object"));
        let emails = json!({"emails": [{"value": "B@x"}, {"value": "a@x", "primary": true}]});
        assert_eq!(key("emails", emails.clone()), Key::text("a@x"));
        assert_eq!(key("emails.value", json!({"emails": [{"value": "B@x"}]})), Key::text("b@x"));
        assert_eq!(key("NAME.familyname", json!({"name": {"familyName": "Vos"}})), Key::text("vos"));
        assert_eq!(key("title", emails), Key::absent());
    }

    #[test]
    fn sorting_by_what_is_printed_is_the_same() {
        let registry = Registry::builtin().expect("built in");
        let users = registry.endpoint("Users").expect("User");
        for attribute in users.attributes() {
            let subs =
                attribute.sub_attributes().iter().map(|sub| format!("{}.{}", attribute.name(), sub.name()));
            for name in subs.chain([attribute.name().to_owned()]) {
                let Ok(sort) = sort(&name, None) else { continue };
                assert_eq!(Sort::parse(&sort.path.to_string(), None, users).expect(&name), sort);
            }
        }
    }

    #[test]
    fn refusals() {
        for (by, order, expected) in [
            (
                "name",
                None,
                "`name` is complex and has no order; sort by one of its sub-attributes, as in `name.formatted`",
            ),
            (
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
                None,
                "`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager` is complex and has no order; sort by \
                 one of its sub-attributes, as in \
                 `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value`",
            ),
            ("password", None, "`password` is never returned and cannot be sorted by"),
            (" ", None, "`sortBy` is empty; name an attribute, or leave it out"),
            ("titel", None, "`titel` is not an attribute of User; did you mean `title`?"),
            ("title", Some("up"), "`up` is not a sort order; use `ascending` or `descending`"),
        ] {
            assert_eq!(sort(by, order).expect_err(by).to_string(), expected);
        }
    }
}
