//! Discovery: `/ServiceProviderConfig`, `/Schemas` and `/ResourceTypes` (RFC 7644 §4, RFC 9865 §4).

use std::sync::Arc;

use http::StatusCode;
use scim_core::message::ListWriter;
use scim_core::schema::{Membership, ResourceType, SERVICE_PROVIDER_CONFIG, Schema};
use scim_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::context::Context;
use crate::query::has_filter;
use crate::quirk::Quirk;
use crate::reply::Reply;

/// RFC 7644 §4: a filter here is answered with 403, since discovery is the same for every client. All other parameters
/// "SHALL be ignored".
pub(crate) fn check_query(query: Option<&str>) -> Result<()> {
    match has_filter(query) {
        false => Ok(()),
        true => {
            Err(Error::new(ErrorKind::Forbidden, "discovery cannot be filtered").remedy("leave out `filter`"))
        }
    }
}

/// Answers `/ServiceProviderConfig`.
pub(crate) fn service_provider_config(context: &Context<'_>) -> Result<Reply> {
    let settings = context.settings;
    let document = json!({
        "schemas": [SERVICE_PROVIDER_CONFIG],
        "patch": { "supported": true },
        "bulk": {
            "supported": true,
            "maxOperations": settings.max_operations,
            "maxPayloadSize": settings.max_body,
        },
        "filter": { "supported": true, "maxResults": settings.max_results },
        "changePassword": { "supported": settings.passwords.is_some() },
        "sort": { "supported": true },
        "etag": { "supported": true },
        "pagination": {
            "cursor": true,
            "index": true,
            "defaultPaginationMethod": "index",
            "defaultPageSize": settings.default_results.min(settings.max_results),
            "maxPageSize": settings.max_results,
            "cursorTimeout": settings.cursor_seconds,
        },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "OAuth Bearer Token",
            "description": "A secret token in the Authorization header, made for this tenant.",
            "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
            "primary": true,
        }],
    });
    let location = format!("{}/ServiceProviderConfig", context.base);
    Ok(one(&with_meta(document, "ServiceProviderConfig", location)))
}

/// Answers `/Schemas`.
pub(crate) fn schemas(context: &Context<'_>) -> Result<Reply> {
    list(context.registry.schemas().iter().map(|schema| schema_document(context, schema)))
}

/// Answers `/Schemas/{urn}`.
pub(crate) fn schema(context: &Context<'_>, urn: &str) -> Result<Reply> {
    match context.registry.schema(urn) {
        Some(schema) => Ok(one(&schema_document(context, schema))),
        None => Err(unknown("schema", "/Schemas")),
    }
}

/// Answers `/ResourceTypes`.
pub(crate) fn resource_types(context: &Context<'_>) -> Result<Reply> {
    list(context.registry.resource_types().iter().map(|resource_type| type_document(context, resource_type)))
}

/// Answers `/ResourceTypes/{name}`.
pub(crate) fn resource_type(context: &Context<'_>, name: &str) -> Result<Reply> {
    match context.registry.resource_type(name) {
        Some(resource_type) => Ok(one(&type_document(context, resource_type))),
        None => Err(unknown("resource type", "/ResourceTypes")),
    }
}

/// A schema, with what a quirk of the connection makes of it.
fn schema_document(context: &Context<'_>, schema: &Schema) -> Value {
    let location = format!("{}/Schemas/{}", context.base, schema.id());
    let mut document = schema.to_json();
    let is_of_groups = |resource_type: &Arc<ResourceType>| {
        resource_type.membership() == Some(Membership::Group) && resource_type.schema().id() == schema.id()
    };
    if context.quirks.has(Quirk::UniqueGroupNames)
        && context.registry.resource_types().iter().any(is_of_groups)
        && let Some(Value::Array(attributes)) = document.get_mut("attributes")
    {
        for name in attributes.iter_mut().filter(|attribute| attribute["name"] == "displayName") {
            name["uniqueness"] = "server".into();
        }
    }
    with_meta(document, "Schema", location)
}

fn type_document(context: &Context<'_>, resource_type: &ResourceType) -> Value {
    let location = format!("{}/ResourceTypes/{}", context.base, resource_type.name());
    with_meta(resource_type.to_json(), "ResourceType", location)
}

/// An answer that shows one document, "in the same way that a single User or Group is retrieved".
fn one(document: &Value) -> Reply {
    let reply = Reply::json(StatusCode::OK, document.to_string());
    match document.pointer("/meta/location").and_then(Value::as_str) {
        Some(location) => reply.shown_at(location),
        None => reply,
    }
}

fn list(documents: impl Iterator<Item = Value>) -> Result<Reply> {
    let mut list = ListWriter::new();
    list.start_index(1);
    let mut total = 0;
    for document in documents {
        list.resource().extend_from_slice(document.to_string().as_bytes());
        total += 1;
    }
    Ok(Reply::json(StatusCode::OK, list.finish(total)))
}

fn with_meta(mut document: Value, resource_type: &str, location: String) -> Value {
    if let Value::Object(members) = &mut document {
        members.insert("meta".to_owned(), json!({ "resourceType": resource_type, "location": location }));
    }
    document
}

fn unknown(what: &str, endpoint: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no such {what}"))
        .remedy(format!("{endpoint} lists what there is"))
}
