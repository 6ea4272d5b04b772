//! The registry: every schema and resource type that a server speaks, checked against each other.

use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Extension, RESOURCE_TYPE, ResourceType, Schema, Uniqueness};
use crate::error::{Error, ErrorKind, Result};
use crate::path::AttributePath;
use crate::text::nearest;

/// The schemas and resource types in force. Immutable, and cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Registry {
    source: RegistryBuilder,
    resource_types: Vec<Arc<ResourceType>>,
}

impl Registry {
    /// User, Group and the enterprise extension, and nothing else.
    ///
    /// # Errors
    /// None in practice: the documents are compiled in and covered by tests.
    pub fn builtin() -> Result<Self> {
        Self::builder()?.build()
    }

    /// Starts from the built-in schemas and resource types.
    ///
    /// # Errors
    /// None in practice: the documents are compiled in and covered by tests.
    pub fn builder() -> Result<RegistryBuilder> {
        RegistryBuilder::new()
    }

    /// Starts from everything that this registry has, to add to it or to leave something out.
    pub fn to_builder(&self) -> RegistryBuilder {
        self.source.clone()
    }

    /// All schemas, the built-in ones first.
    pub fn schemas(&self) -> &[Arc<Schema>] {
        &self.source.schemas
    }

    /// The schema with this URN, in any case.
    pub fn schema(&self, urn: &str) -> Option<&Arc<Schema>> {
        self.schemas().iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// All resource types.
    pub fn resource_types(&self) -> &[Arc<ResourceType>] {
        &self.resource_types
    }

    /// The resource type of this name, in its exact spelling.
    pub fn resource_type(&self, name: &str) -> Option<&Arc<ResourceType>> {
        self.resource_types.iter().find(|resource_type| resource_type.name() == name)
    }

    /// The resource type served at `/segment`, in its exact spelling.
    pub fn endpoint(&self, segment: &str) -> Option<&Arc<ResourceType>> {
        self.resource_types
            .iter()
            .find(|resource_type| resource_type.endpoint().strip_prefix('/') == Some(segment))
    }
}

/// Collects documents, then checks them as a whole.
#[derive(Debug, Clone)]
pub struct RegistryBuilder {
    common: Arc<Schema>,
    schemas: Vec<Arc<Schema>>,
    types: Vec<ResourceTypeDocument>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "camelCase",
    expecting = "an object with `name`, `endpoint` and `schema`"
)]
struct ResourceTypeDocument {
    #[serde(default, rename = "schemas")]
    _schemas: Option<Vec<String>>,
    #[serde(default, rename = "id")]
    _id: Option<String>,
    #[serde(default, rename = "meta")]
    _meta: Option<Value>,
    name: String,
    endpoint: String,
    #[serde(default)]
    description: String,
    schema: String,
    #[serde(default)]
    schema_extensions: Vec<ExtensionDocument>,
    /// Not in RFC 7643: the attribute paths that stores keep an index of, beside the unique ones.
    #[serde(default)]
    indexed: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `schema`")]
struct ExtensionDocument {
    schema: String,
    #[serde(default)]
    required: bool,
}

const BUILTIN_SCHEMAS: [&str; 6] = [
    include_str!("builtin/user.json"),
    include_str!("builtin/enterprise_user.json"),
    include_str!("builtin/group.json"),
    include_str!("builtin/service_provider_config.json"),
    include_str!("builtin/resource_type.json"),
    include_str!("builtin/schema.json"),
];
const COMMON: &str = include_str!("builtin/common.json");
const BUILTIN_TYPES: &str = include_str!("builtin/resource_types.json");

impl RegistryBuilder {
    fn new() -> Result<Self> {
        let common = Arc::new(Schema::from_json(&read(COMMON)?)?);
        let mut builder = Self { common, schemas: Vec::new(), types: Vec::new() };
        for text in BUILTIN_SCHEMAS {
            builder = builder.schema(&read(text)?)?;
        }
        for document in read(BUILTIN_TYPES)?.as_array().into_iter().flatten() {
            builder = builder.resource_type(document)?;
        }
        Ok(builder)
    }

    /// Adds a schema document.
    ///
    /// # Errors
    /// `invalidValue` when the document is not a schema, or its URN is taken.
    pub fn schema(mut self, document: &Value) -> Result<Self> {
        let schema = Schema::from_json(document)?;
        if self.schemas.iter().any(|known| known.id.eq_ignore_ascii_case(&schema.id)) {
            return Err(invalid(format!("schema `{}` is declared twice", schema.id)));
        }
        self.schemas.push(Arc::new(schema));
        Ok(self)
    }

    /// Adds a resource type document (RFC 7643 §6). It may carry `indexed`, a list of attribute paths that stores
    /// keep an index of.
    ///
    /// # Errors
    /// `invalidValue` when the document is not a resource type, or its name or endpoint is taken.
    pub fn resource_type(mut self, document: &Value) -> Result<Self> {
        let document = ResourceTypeDocument::deserialize(document)
            .map_err(|error| invalid(format!("not a resource type document: {error}")))?;
        let segment = document.endpoint.strip_prefix('/').unwrap_or_default();
        if segment.is_empty() || !segment.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            return Err(invalid(format!("`{}` is not an endpoint", document.endpoint))
                .remedy("use one path segment such as `/Devices`"));
        }
        if RESERVED.contains(&segment) {
            return Err(invalid(format!("the endpoint `{}` belongs to the protocol", document.endpoint)));
        }
        let taken = |known: &&ResourceTypeDocument| {
            known.name == document.name || known.endpoint == document.endpoint
        };
        if let Some(known) = self.types.iter().find(taken) {
            return Err(invalid(format!("resource type `{}` clashes with `{}`", document.name, known.name)));
        }
        self.types.push(document);
        Ok(self)
    }

    /// Attaches an extension schema to a resource type.
    ///
    /// # Errors
    /// `invalidValue` when there is no such resource type.
    pub fn extend(mut self, resource_type: &str, urn: &str, required: bool) -> Result<Self> {
        let names: Vec<String> = self.types.iter().map(|document| document.name.clone()).collect();
        let Some(document) = self.types.iter_mut().find(|document| document.name == resource_type) else {
            return Err(unknown("resource type", resource_type, names.iter().map(String::as_str)));
        };
        document.schema_extensions.push(ExtensionDocument { schema: urn.to_owned(), required });
        Ok(self)
    }

    /// Leaves out a resource type and its schema, if there is one of this name. Its extensions stay.
    #[must_use]
    pub fn without(mut self, resource_type: &str) -> Self {
        if let Some(at) = self.types.iter().position(|document| document.name == resource_type) {
            let gone = self.types.remove(at);
            let is_used = self.types.iter().any(|document| document.schema == gone.schema);
            if !is_used {
                self.schemas.retain(|schema| !schema.id.eq_ignore_ascii_case(&gone.schema));
            }
        }
        self
    }

    /// Checks everything against everything.
    ///
    /// # Errors
    /// `invalidValue` naming the resource type and the URN or path that does not exist.
    pub fn build(self) -> Result<Registry> {
        let mut resource_types = Vec::with_capacity(self.types.len());
        for document in &self.types {
            let resource_type = self
                .resolve(document)
                .map_err(|error| error.context(format_args!("resource type `{}`", document.name)))?;
            resource_types.push(Arc::new(resource_type));
        }
        Ok(Registry { source: self, resource_types })
    }

    fn resolve(&self, document: &ResourceTypeDocument) -> Result<ResourceType> {
        let schema = Arc::clone(self.find(&document.schema)?);
        let mut extensions: Vec<Extension> = Vec::new();
        for extension in &document.schema_extensions {
            let schema = Arc::clone(self.find(&extension.schema)?);
            if extensions.iter().any(|known| known.schema.id == schema.id) || *schema.id == *document.schema {
                return Err(invalid(format!("extension `{}` is listed twice", schema.id)));
            }
            extensions.push(Extension { schema, required: extension.required });
        }
        let mut resource_type = ResourceType {
            name: document.name.as_str().into(),
            endpoint: document.endpoint.clone(),
            description: document.description.clone(),
            schema,
            extensions,
            common: Arc::clone(&self.common),
            unique: Vec::new(),
            indexed: Vec::new(),
            default_projection: OnceLock::new(),
        };
        resource_type.unique = unique_paths(&resource_type);
        let mut indexed = resource_type.unique.clone();
        for text in &document.indexed {
            let path = AttributePath::parse(text, &resource_type)?;
            if !indexed.contains(&path) {
                indexed.push(path);
            }
        }
        resource_type.indexed = indexed;
        Ok(resource_type)
    }

    fn find(&self, urn: &str) -> Result<&Arc<Schema>> {
        self.schemas
            .iter()
            .find(|schema| schema.id.eq_ignore_ascii_case(urn))
            .ok_or_else(|| unknown("schema", urn, self.schemas.iter().map(|schema| schema.id())))
    }
}

impl ResourceType {
    /// Writes the document as `/ResourceTypes` shows it, without `meta`.
    pub fn to_json(&self) -> Value {
        let extensions: Vec<Value> = self
            .extensions
            .iter()
            .map(|extension| json!({ "schema": extension.schema.id(), "required": extension.required }))
            .collect();
        json!({
            "schemas": [RESOURCE_TYPE],
            "id": self.name(),
            "name": self.name(),
            "endpoint": self.endpoint,
            "description": self.description,
            "schema": self.schema.id(),
            "schemaExtensions": extensions,
        })
    }
}

/// Endpoints of RFC 7644 that a resource type cannot take.
const RESERVED: [&str; 5] = ["Bulk", "Me", "Schemas", "ResourceTypes", "ServiceProviderConfig"];

fn unique_paths(resource_type: &ResourceType) -> Vec<AttributePath> {
    let own = resource_type.schema.attributes.all.iter().map(|attribute| (None, attribute));
    let extensions = resource_type.extensions.iter().flat_map(|extension| {
        extension
            .schema
            .attributes
            .all
            .iter()
            .map(|attribute| (Some(extension.schema.shared_id()), attribute))
    });
    let mut paths = Vec::new();
    for (urn, attribute) in own.chain(extensions) {
        if attribute.uniqueness != Uniqueness::None {
            paths.push(AttributePath::new(urn.cloned(), Arc::clone(attribute), None));
        }
        for sub in attribute.sub_attributes.all.iter().filter(|sub| sub.uniqueness != Uniqueness::None) {
            paths.push(AttributePath::new(urn.cloned(), Arc::clone(attribute), Some(Arc::clone(sub))));
        }
    }
    paths
}

fn read(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|error| invalid(format!("not JSON: {error}")))
}

fn unknown<'a>(what: &str, wanted: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let error = invalid(format!("there is no {what} `{wanted}`"));
    match nearest(wanted, known) {
        Some(name) => error.remedy(format!("did you mean `{name}`?")),
        None => error.remedy("add its document"),
    }
}

fn invalid(explanation: String) -> Error {
    Error::new(ErrorKind::InvalidValue, explanation)
}
