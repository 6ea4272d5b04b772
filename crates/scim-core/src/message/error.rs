//! The error message (RFC 7644 §3.12).

use serde_json::{Map, Value, json};

use crate::error::Error;

/// URN of the message.
pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The body that tells a client of an error: its detail, and never its source.
pub fn error_body(error: &Error) -> Value {
    let mut body = Map::new();
    body.insert("schemas".to_owned(), json!([ERROR]));
    body.insert("status".to_owned(), error.kind().status().to_string().into());
    if let Some(scim_type) = error.kind().scim_type() {
        body.insert("scimType".to_owned(), scim_type.into());
    }
    body.insert("detail".to_owned(), error.detail().into());
    Value::Object(body)
}
