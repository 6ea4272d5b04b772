//! What the fuzz targets share: schemas with an attribute of every kind, a few documents of each type, and a service
//! with a tenant for each kind of identity provider.
//!
//! Nothing here knows what must hold; that is what the targets are for. Everything is the same in every run, so that
//! an input alone is enough to see a finding again.

pub mod conversation;
pub mod world;

use std::sync::{Arc, LazyLock};

use scim_core::decode;
use scim_core::document::Document;
use scim_core::schema::{ENTERPRISE_USER, GROUP, Registry, ResourceType, USER};
use serde_json::{Map, Value, json};

/// URN of the extension of User that has an attribute of every kind.
pub const KINDS: &str = "urn:x:Kinds";

/// A resource type and documents of it.
pub struct Type {
    /// The type.
    pub resource_type: Arc<ResourceType>,
    /// Canonical documents, from nearly empty to nearly full.
    pub documents: Vec<Document>,
}

impl Type {
    /// The document as a client would send it to have it stored again: with what is required and never in a document.
    pub fn body(&self, document: &Document) -> Value {
        let mut body = document.as_map().clone();
        if self.resource_type.name() == "Device" {
            body.insert("pin".to_owned(), json!("1"));
        }
        Value::Object(body)
    }
}

/// The built-in types, and a Device that has every kind of mutability.
pub static TYPES: LazyLock<Vec<Type>> = LazyLock::new(|| {
    let type_of = |name: &str, bodies: &[Value]| {
        let resource_type = Arc::clone(REGISTRY.resource_type(name).expect(name));
        let decoded = |body| decode::resource(body, &resource_type).expect("a resource").document;
        let documents = bodies.iter().map(decoded).collect();
        Type { resource_type, documents }
    };
    vec![type_of("User", &users()), type_of("Group", &groups()), type_of("Device", &devices())]
});

/// The schemas of [`TYPES`].
pub static REGISTRY: LazyLock<Arc<Registry>> = LazyLock::new(|| {
    let kinds = json!({"id": KINDS, "attributes": [
        {"name": "badge", "type": "integer"},
        {"name": "score", "type": "decimal"},
        {"name": "hired", "type": "dateTime"},
        {"name": "photo", "type": "binary"},
        {"name": "home", "type": "reference", "referenceTypes": ["external"]},
        {"name": "remote", "type": "boolean"},
        {"name": "tags", "multiValued": true},
        {"name": "shifts", "type": "dateTime", "multiValued": true},
        {"name": "note", "returned": "request"},
        {"name": "secret", "mutability": "writeOnly", "returned": "never"},
    ]});
    let device = json!({"id": "urn:x:Device", "attributes": [
        {"name": "serial", "mutability": "immutable"},
        {"name": "tags", "multiValued": true},
        {"name": "limit", "type": "integer"},
        {"name": "owner", "required": true},
        {"name": "origin", "subAttributes": [
            {"name": "country", "mutability": "immutable"}, {"name": "city"},
            {"name": "marks", "multiValued": true}, {"name": "stamp", "mutability": "readOnly"}]},
        {"name": "ports", "multiValued": true, "subAttributes": [
            {"name": "number", "type": "integer", "required": true}, {"name": "label"},
            {"name": "kind", "mutability": "immutable"}, {"name": "state", "mutability": "readOnly"},
            {"name": "primary", "type": "boolean"}]},
        {"name": "seals", "multiValued": true, "mutability": "immutable"},
        {"name": "keys", "multiValued": true, "subAttributes": [
            {"name": "name"}, {"name": "secret", "mutability": "writeOnly"}]},
        {"name": "vault", "subAttributes": [{"name": "hint"}, {"name": "code", "mutability": "writeOnly"}]},
        {"name": "lease", "subAttributes": [{"name": "term", "required": true}]},
        {"name": "system", "mutability": "readOnly", "subAttributes": [{"name": "name"}]},
        {"name": "pin", "mutability": "writeOnly", "required": true},
    ]});
    let more = json!({"id": "urn:x:More", "attributes": [
        {"name": "once", "mutability": "immutable"}, {"name": "often"}, {"name": "must", "required": true},
        {"name": "token", "mutability": "writeOnly"}]});
    let firm = json!({"id": "urn:x:Firm", "attributes": [{"name": "name"}]});
    let devices = json!({"name": "Device", "endpoint": "/Devices", "schema": "urn:x:Device",
        "schemaExtensions": [{"schema": "urn:x:More"}, {"schema": "urn:x:Firm", "required": true}]});
    let registry = Registry::builder()
        .and_then(|builder| builder.schema(&kinds)?.schema(&device)?.schema(&more)?.schema(&firm))
        .and_then(|builder| builder.extend("User", KINDS, false)?.resource_type(&devices)?.build());
    Arc::new(registry.expect("the schemas agree"))
});

fn users() -> Vec<Value> {
    vec![
        json!({"schemas": [USER], "userName": "ada"}),
        json!({"schemas": [USER, ENTERPRISE_USER, KINDS], "userName": "Ada@Example.COM", "externalId": "Ada-1",
            "active": true, "title": "", "displayName": "Ada Ünï \u{1F600}", "locale": "nl-NL",
            "name": {"givenName": "Ada", "familyName": "Ünï"},
            "emails": [{"value": "ada@x.org", "type": "work", "primary": true}, {"value": "a@home.net", "type": "home"}],
            "addresses": [{"type": "work", "locality": "Delft", "primary": true}],
            "phoneNumbers": [{"value": "tel:+31-1", "type": "work"}],
            "roles": [{"value": "admin", "primary": true}, {"value": "user", "primary": false}],
            ENTERPRISE_USER: {"department": "R&D", "employeeNumber": "7", "manager": {"value": "m1"}},
            KINDS: {"badge": 42, "score": 2.5, "tags": ["red", "Blue"], "hired": "2020-01-01T00:00:00+01:00",
                "photo": "AAEC", "home": "https://x.org/", "remote": false, "shifts": ["2020-01-01T00:00:00Z"],
                "note": "n"}}),
    ]
}

fn groups() -> Vec<Value> {
    vec![
        json!({"schemas": [GROUP], "displayName": "Crew"}),
        json!({"schemas": [GROUP], "displayName": "Crew", "externalId": "g-1",
            "members": [{"value": "a", "type": "User"}, {"value": "b"}]}),
    ]
}

fn devices() -> Vec<Value> {
    let with = |members: Value| {
        let schemas = ["urn:x:Device", "urn:x:More", "urn:x:Firm"];
        let body = json!({"schemas": schemas, "owner": "o", "pin": "1", "urn:x:Firm": {"name": "f"}});
        let join = |mut body: Map<String, Value>, more: Map<String, Value>| {
            body.extend(more);
            Value::Object(body)
        };
        match (body, members) {
            (Value::Object(body), Value::Object(members)) => join(body, members),
            (body, _) => body,
        }
    };
    vec![
        with(json!({})),
        with(
            json!({"serial": "s", "tags": ["a", "b"], "limit": 1, "origin": {"country": "nl", "marks": ["m"]},
            "ports": [{"number": 1, "kind": "k", "primary": true}, {"number": 2, "label": "l"}], "seals": ["s"],
            "keys": [{"name": "k"}], "vault": {"hint": "h"}, "lease": {"term": "t"},
            "urn:x:More": {"once": "1", "often": "2", "must": "3"}}),
        ),
    ]
}
