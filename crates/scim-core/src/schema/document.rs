//! Reading a schema from its JSON document, and writing it back for `/Schemas` (RFC 7643 §7).
//!
//! Characteristics that the document leaves out have the defaults of RFC 7643 §2.2. Written documents state every
//! characteristic and hold no nulls. A document with a misspelt member is refused rather than half understood.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Attribute, Attributes, Mutability, Returned, Schema, Type, Uniqueness};
use crate::error::{Error, ErrorKind, Result};
use crate::text::nearest;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "an object with `id` and `attributes`")]
struct SchemaDocument {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    attributes: Vec<AttributeDocument>,
    #[serde(default, rename = "schemas")]
    _schemas: Option<Vec<String>>,
    #[serde(default, rename = "meta")]
    _meta: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", expecting = "an attribute, which is an object")]
struct AttributeDocument {
    name: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    multi_valued: bool,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    case_exact: Option<bool>,
    #[serde(default)]
    mutability: Option<String>,
    #[serde(default)]
    returned: Option<String>,
    #[serde(default)]
    uniqueness: Option<String>,
    #[serde(default)]
    canonical_values: Vec<String>,
    #[serde(default)]
    reference_types: Vec<String>,
    #[serde(default)]
    sub_attributes: Vec<AttributeDocument>,
}

impl Schema {
    /// Reads a schema document.
    ///
    /// # Errors
    /// `invalidValue`, naming the attribute and the characteristic, when the document contradicts RFC 7643 §7.
    pub fn from_json(document: &Value) -> Result<Self> {
        let document = SchemaDocument::deserialize(document).map_err(|error| {
            Error::new(ErrorKind::InvalidValue, format!("not a schema document: {error}"))
        })?;
        let SchemaDocument { id, name, description, attributes, .. } = document;
        if !is_uri(&id) {
            return Err(invalid(format!("the schema id `{id}` is not a URI"))
                .remedy("use a URN such as `urn:ietf:params:scim:schemas:extension:acme:2.0:User`"));
        }
        if attributes.is_empty() {
            return Err(invalid(format!("schema `{id}` declares no attributes")));
        }
        let attributes = read_all(attributes, &id, false)?;
        let name = if name.is_empty() { id.rsplit(':').next().unwrap_or_default().to_owned() } else { name };
        Ok(Self { id: id.into(), name, description, attributes })
    }

    /// Writes the document as `/Schemas` shows it, without `meta`.
    pub fn to_json(&self) -> Value {
        json!({
            "schemas": [super::SCHEMA],
            "id": &*self.id,
            "name": self.name,
            "description": self.description,
            "attributes": self.attributes.all.iter().map(|attribute| attribute.to_json()).collect::<Vec<_>>(),
        })
    }
}

impl Attribute {
    fn to_json(&self) -> Value {
        let mut document = Map::new();
        let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
        put("name", (*self.name).into());
        put("type", self.kind.name().into());
        put("multiValued", self.multi_valued.into());
        put("description", self.description.as_str().into());
        put("required", self.required.into());
        if !self.canonical_values.is_empty() {
            put("canonicalValues", self.canonical_values.clone().into());
        }
        put("caseExact", self.case_exact.into());
        put("mutability", self.mutability.name().into());
        put("returned", self.returned.name().into());
        put("uniqueness", self.uniqueness.name().into());
        if !self.reference_types.is_empty() {
            put("referenceTypes", self.reference_types.clone().into());
        }
        if !self.sub_attributes.all.is_empty() {
            put("subAttributes", self.sub_attributes.all.iter().map(|sub| sub.to_json()).collect());
        }
        Value::Object(document)
    }
}

fn read_all(documents: Vec<AttributeDocument>, parent: &str, is_sub: bool) -> Result<Attributes> {
    let mut attributes = Attributes::default();
    for document in documents {
        let attribute = read(document, parent, is_sub)?;
        if attributes.find(&attribute.name).is_some() {
            return Err(invalid(format!("`{parent}` declares `{}` twice", attribute.name)));
        }
        attributes.push(attribute);
    }
    Ok(attributes)
}

fn read(document: AttributeDocument, parent: &str, is_sub: bool) -> Result<Attribute> {
    let path = format!("{parent}{}{}", if is_sub { "." } else { ":" }, document.name);
    if !is_attribute_name(&document.name) {
        return Err(invalid(format!("`{path}` is not an attribute name"))
            .remedy("start with a letter and use letters, digits, `$`, `-` and `_`"));
    }
    let kind = match document.kind.as_deref() {
        Some(text) => one_of(text, &Type::NAMES, &path, "type")?,
        None if document.sub_attributes.is_empty() => Type::String,
        None => Type::Complex,
    };
    let mutability = or_default(document.mutability.as_deref(), &Mutability::NAMES, &path, "mutability")?;
    let returned = match document.returned.as_deref() {
        None if mutability == Mutability::WriteOnly => Returned::Never,
        text => or_default(text, &Returned::NAMES, &path, "returned")?,
    };
    let uniqueness = or_default(document.uniqueness.as_deref(), &Uniqueness::NAMES, &path, "uniqueness")?;
    if (kind == Type::Complex) == document.sub_attributes.is_empty() {
        return Err(invalid(format!("`{path}`: sub-attributes and type `complex` need each other")));
    }
    // Only the schema of schemas nests, and it is read-only.
    if is_sub && kind == Type::Complex && mutability != Mutability::ReadOnly {
        return Err(invalid(format!("`{path}`: a sub-attribute cannot be complex (RFC 7643 §2.3.8)")));
    }
    if mutability == Mutability::WriteOnly && !matches!(returned, Returned::Never | Returned::Request) {
        return Err(invalid(format!("`{path}`: a writeOnly attribute cannot be returned"))
            .remedy("set `returned` to `never`"));
    }
    if uniqueness != Uniqueness::None && (kind == Type::Complex || returned == Returned::Never) {
        return Err(invalid(format!("`{path}`: this attribute cannot be unique")));
    }
    let sub_attributes = read_all(document.sub_attributes, &path, true)?;
    Ok(Attribute {
        name: document.name.into(),
        description: document.description,
        kind,
        multi_valued: document.multi_valued,
        required: document.required,
        // RFC 7643 §2.3.6, §2.3.7: binary and reference values are always case exact.
        case_exact: document.case_exact.unwrap_or(false) || matches!(kind, Type::Binary | Type::Reference),
        mutability,
        returned,
        uniqueness,
        canonical_values: document.canonical_values,
        reference_types: document.reference_types,
        sub_attributes,
    })
}

fn or_default<T: Copy>(text: Option<&str>, names: &[(&str, T)], path: &str, what: &str) -> Result<T> {
    match (text, names.first()) {
        (None, Some((_, default))) => Ok(*default),
        (text, _) => one_of(text.unwrap_or_default(), names, path, what),
    }
}

fn one_of<T: Copy>(text: &str, names: &[(&str, T)], path: &str, what: &str) -> Result<T> {
    if let Some((_, value)) = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(*value);
    }
    let known = || names.iter().map(|(name, _)| *name);
    let remedy = match nearest(text, known()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => {
            format!("use one of {}", known().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
        }
    };
    Err(invalid(format!("`{path}`: unknown {what} `{text}`")).remedy(remedy))
}

fn invalid(explanation: String) -> Error {
    Error::new(ErrorKind::InvalidValue, explanation)
}

fn is_uri(text: &str) -> bool {
    let known_scheme =
        ["urn:", "http:", "https:"].iter().any(|scheme| text.to_ascii_lowercase().starts_with(scheme));
    known_scheme && text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains(['[', ']', '"', '\\'])
}

/// RFC 7643 §2.1: `ATTRNAME = ALPHA *(nameChar)`, where `$` is one of the characters, and `$ref` besides.
pub(crate) fn is_attribute_name(name: &str) -> bool {
    let rest = match name.strip_prefix('$') {
        Some(rest) => rest,
        None => name,
    };
    rest.starts_with(|first: char| first.is_ascii_alphabetic())
        && rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '$' | '-' | '_'))
}

macro_rules! names {
    ($type:ident { $($name:literal = $variant:ident),+ $(,)? }) => {
        impl $type {
            /// The names in schema documents. The first is the default.
            const NAMES: [(&'static str, $type); [$($name),+].len()] = [$(($name, $type::$variant)),+];

            /// The name in schema documents.
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }
    };
}

names!(Type {
    "string" = String,
    "boolean" = Boolean,
    "decimal" = Decimal,
    "integer" = Integer,
    "dateTime" = DateTime,
    "binary" = Binary,
    "reference" = Reference,
    "complex" = Complex,
});
names!(Mutability {
    "readWrite" = ReadWrite,
    "readOnly" = ReadOnly,
    "immutable" = Immutable,
    "writeOnly" = WriteOnly,
});
names!(Returned { "default" = Default, "always" = Always, "never" = Never, "request" = Request });
names!(Uniqueness { "none" = None, "server" = Server, "global" = Global });
