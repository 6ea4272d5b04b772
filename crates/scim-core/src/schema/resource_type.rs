//! A resource type: an endpoint, its core schema and its extensions (RFC 7643 §6).

use std::sync::{Arc, OnceLock};

use super::{Attribute, ENTERPRISE_USER, GROUP, Schema, USER};
use crate::path::AttributePath;
use crate::project::Projection;

/// How a resource type takes part in memberships, which are kept as edges and never in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// The type has members: its `members` attribute lists them.
    Group,
    /// The type's `groups` attribute is derived from the groups that list it.
    Member,
}

/// An extension of a resource type.
#[derive(Debug, Clone)]
pub struct Extension {
    pub(super) schema: Arc<Schema>,
    pub(super) required: bool,
}

impl Extension {
    /// The extension's schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Whether a resource is incomplete without the extension.
    pub fn is_required(&self) -> bool {
        self.required
    }
}

/// A resource type and everything that is known of it before a request comes in.
#[derive(Debug)]
pub struct ResourceType {
    pub(super) name: Arc<str>,
    pub(super) endpoint: String,
    pub(super) description: String,
    pub(super) schema: Arc<Schema>,
    pub(super) extensions: Vec<Extension>,
    pub(super) common: Arc<Schema>,
    pub(super) unique: Vec<AttributePath>,
    pub(super) indexed: Vec<AttributePath>,
    /// What an answer holds when the request names no attributes; made when it is first needed.
    pub(crate) default_projection: OnceLock<Projection>,
}

impl ResourceType {
    /// The name, as in `meta.resourceType`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name, shared.
    pub fn shared_name(&self) -> &Arc<str> {
        &self.name
    }

    /// The endpoint below the base URL, with its leading slash.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What the type is for.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The core schema.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The extensions, in the order they were declared.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The extension with this URN, in any case.
    pub fn extension(&self, urn: &str) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.schema.id.eq_ignore_ascii_case(urn))
    }

    /// The schema that SCIM 1 and the drafts of SCIM 2 named by this URN, in any case: `urn:scim:schemas:core:1.0`.
    pub fn successor(&self, urn: &str) -> Option<&Arc<Schema>> {
        let urn = urn.to_ascii_lowercase();
        let (kind, version) = urn.strip_prefix("urn:scim:schemas:")?.split_once(':')?;
        let (schema, version) = match (kind, version.strip_prefix("enterprise:")) {
            ("core", None) => (&self.schema, version),
            ("extension", Some(version)) => (self.extension(ENTERPRISE_USER)?.schema(), version),
            _ => return None,
        };
        let of_type = version.strip_prefix("2.0:").is_some_and(|name| name.eq_ignore_ascii_case(&self.name));
        (of_type || ["1.0", "2.0"].contains(&version)).then_some(schema)
    }

    /// The attribute of the core schema, or the common attribute (RFC 7643 §3.1), of this name in any case.
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.schema.attribute(name).or_else(|| self.common.attribute(name))
    }

    /// The attributes of the core schema and the common ones that it does not declare itself.
    pub fn attributes(&self) -> impl Iterator<Item = &Arc<Attribute>> {
        let common = self.common.attributes.all.iter();
        common
            .filter(|attribute| self.schema.attribute(&attribute.name).is_none())
            .chain(&self.schema.attributes.all)
    }

    /// The attributes whose values are unique within the tenant, `id` aside.
    pub fn unique(&self) -> &[AttributePath] {
        &self.unique
    }

    /// The attributes that stores keep an index of. Unique attributes are among them.
    pub fn indexed(&self) -> &[AttributePath] {
        &self.indexed
    }

    /// How the type takes part in memberships.
    pub fn membership(&self) -> Option<Membership> {
        match self.schema.id() {
            GROUP => Some(Membership::Group),
            USER => Some(Membership::Member),
            _ => None,
        }
    }
}
