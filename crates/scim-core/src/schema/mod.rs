//! Schemas, attributes and their characteristics (RFC 7643 §2, §7).
//!
//! A [`Schema`] is data: it is read from its JSON document once, checked whole, and never changes afterwards. Nothing
//! here knows a particular attribute by name except the common ones of RFC 7643 §3.1; User and Group are documents
//! like any other.

mod document;
mod registry;
mod resource_type;
#[cfg(test)]
mod tests;

pub(crate) use document::is_attribute_name;
pub use registry::{Registry, RegistryBuilder};
pub use resource_type::{Extension, Membership, ResourceType};

use std::sync::Arc;

/// URN of the core User schema.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// URN of the core Group schema.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// URN of the enterprise extension of User.
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// URN of the schema of schemas.
pub const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
/// URN of the schema of resource types.
pub const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
/// URN of the schema of the service provider's configuration.
pub const SERVICE_PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

/// Data type of an attribute (RFC 7643 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// Unicode text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A real number.
    Decimal,
    /// A whole number that fits 64 bits.
    Integer,
    /// A point in time, `xsd:dateTime`.
    DateTime,
    /// Base64 text.
    Binary,
    /// A URI, or the identifier of a resource.
    Reference,
    /// An object of sub-attributes.
    Complex,
}

/// When the client may set an attribute (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutability {
    /// Never.
    ReadOnly,
    /// At any time.
    ReadWrite,
    /// Once.
    Immutable,
    /// At any time, but nobody reads it back.
    WriteOnly,
}

/// When an attribute is part of an answer (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Returned {
    /// In every answer.
    Always,
    /// In none.
    Never,
    /// Unless the request selects other attributes.
    Default,
    /// Only when the request names it.
    Request,
}

/// Within what an attribute's value is taken only once (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Uniqueness {
    /// Values may repeat.
    None,
    /// Unique among the tenant's resources of the type.
    Server,
    /// Unique everywhere; here, as far as this tenant can see.
    Global,
}

/// One attribute and its characteristics.
#[derive(Debug, PartialEq, Eq)]
pub struct Attribute {
    name: Arc<str>,
    description: String,
    kind: Type,
    multi_valued: bool,
    required: bool,
    case_exact: bool,
    mutability: Mutability,
    returned: Returned,
    uniqueness: Uniqueness,
    canonical_values: Vec<String>,
    reference_types: Vec<String>,
    sub_attributes: Attributes,
}

impl Attribute {
    /// The name in its canonical spelling.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the attribute is, for people.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The data type, of one value where the attribute has several.
    pub fn kind(&self) -> Type {
        self.kind
    }

    /// Whether the attribute holds a list of values.
    pub fn is_multi_valued(&self) -> bool {
        self.multi_valued
    }

    /// Whether a resource is incomplete without it.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Whether case matters when its values are compared.
    pub fn is_case_exact(&self) -> bool {
        self.case_exact
    }

    /// When the client may set it.
    pub fn mutability(&self) -> Mutability {
        self.mutability
    }

    /// When it is part of an answer.
    pub fn returned(&self) -> Returned {
        self.returned
    }

    /// Within what its value is taken only once.
    pub fn uniqueness(&self) -> Uniqueness {
        self.uniqueness
    }

    /// The values it is meant to have. Empty where any will do.
    pub fn canonical_values(&self) -> &[String] {
        &self.canonical_values
    }

    /// What a reference may point at: resource type names, `external` or `uri`.
    pub fn reference_types(&self) -> &[String] {
        &self.reference_types
    }

    /// The sub-attributes of a complex attribute, in the order of the document.
    pub fn sub_attributes(&self) -> &[Arc<Attribute>] {
        &self.sub_attributes.all
    }

    /// The sub-attribute of this name, in any case.
    pub fn sub_attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.sub_attributes.find(name)
    }
}

/// A schema: the attributes that a URN stands for.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    id: Arc<str>,
    name: String,
    description: String,
    attributes: Attributes,
}

impl Schema {
    /// The schema's URN.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The URN, shared.
    pub(crate) fn shared_id(&self) -> &Arc<str> {
        &self.id
    }

    /// The short name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the schema is for.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The attributes, in the order of the document.
    pub fn attributes(&self) -> &[Arc<Attribute>] {
        &self.attributes.all
    }

    /// The attribute of this name, in any case.
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.attributes.find(name)
    }
}

/// Attributes in the order of their document, found by name without looking at each of them.
#[derive(Debug, PartialEq, Eq, Default)]
struct Attributes {
    all: Vec<Arc<Attribute>>,
    /// Of each name what tells most of them apart.
    marks: Vec<Mark>,
}

/// The length of a name and its first letter, folded.
type Mark = u16;

impl Attributes {
    /// The attribute of this name, in any case.
    fn find(&self, name: &str) -> Option<&Arc<Attribute>> {
        let wanted = mark(name);
        let likely = |(at, mark): (usize, &Mark)| if *mark == wanted { self.all.get(at) } else { None };
        let mut likely = self.marks.iter().enumerate().filter_map(likely);
        // Most clients write names as the schema does.
        likely.find(|known| *known.name == *name || known.name.eq_ignore_ascii_case(name))
    }

    fn push(&mut self, attribute: Attribute) {
        self.marks.push(mark(&attribute.name));
        self.all.push(Arc::new(attribute));
    }
}

fn mark(name: &str) -> Mark {
    let first = name.as_bytes().first().copied().unwrap_or_default();
    u16::from_be_bytes([name.len() as u8, first.to_ascii_lowercase()])
}
