//! The bulk request (RFC 7644 §3.7).

use std::collections::HashSet;

use serde_json::Value;

use super::members::{Members, invalid};
use crate::error::{Error, ErrorKind, Result};
use crate::text::excerpt;

/// URN of the request.
pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// URN of the response.
pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// A decoded request.
#[derive(Debug)]
pub struct BulkRequest {
    /// After how many errors to stop.
    pub fail_on_errors: Option<u64>,
    /// In the order of the request. One that is malformed fails alone (§3.7: "continue performing as many changes as
    /// possible and disregard partial failures").
    pub operations: Vec<std::result::Result<BulkOperation, MalformedOperation>>,
}

/// An operation that cannot be run.
#[derive(Debug)]
pub struct MalformedOperation {
    /// The method, as far as it could be read.
    pub method: String,
    /// The name, as far as it could be read.
    pub bulk_id: Option<String>,
    /// The path, as far as it could be read.
    pub path: String,
    /// What is wrong.
    pub error: Error,
}

/// One operation, its data still as sent.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkOperation {
    /// `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// The name that other operations refer to it by. Every POST has one, and no two have the same.
    pub bulk_id: Option<String>,
    /// The path below the base URL.
    pub path: String,
    /// The entity tag that the resource must have.
    pub version: Option<String>,
    /// The body. Everything but DELETE has one.
    pub data: Option<Value>,
}

impl BulkRequest {
    /// Reads the message, if it has at most so many operations. None of more is looked at: what is said of one can be a
    /// hundred times as long as the operation.
    ///
    /// # Errors
    /// `invalidSyntax`, naming the member, or the operation that has the `bulkId` of another; `TooLarge`.
    pub fn decode(body: &Value, most_operations: usize) -> Result<Self> {
        let members = Members::of("a bulk request", body, &["schemas", "failOnErrors", "Operations"])?;
        members.expect_schema(BULK_REQUEST)?;
        let fail_on_errors = match members.integer("failOnErrors")? {
            None => None,
            Some(number) => {
                Some(u64::try_from(number).ok().filter(|number| *number > 0).ok_or_else(|| {
                    invalid("`failOnErrors` must be at least 1".to_owned())
                        .remedy("leave it out to run all operations")
                })?)
            }
        };
        let entries =
            members.array("Operations")?.filter(|entries| !entries.is_empty()).ok_or_else(|| {
                invalid("a bulk request needs `Operations`".to_owned()).remedy("send at least one")
            })?;
        if entries.len() > most_operations {
            let explanation = format!(
                "the request has {} operations and at most {most_operations} are allowed",
                entries.len()
            );
            return Err(Error::new(ErrorKind::TooLarge, explanation).remedy("split it into several requests"));
        }
        let mut operations = Vec::with_capacity(entries.len());
        let mut bulk_ids = HashSet::new();
        for (index, entry) in entries.iter().enumerate() {
            let text = |name: &str| {
                let found = entry.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.and_then(|(_, value)| value.as_str()).map(str::to_owned)
            };
            if let Some(bulk_id) = text("bulkId")
                && !bulk_ids.insert(bulk_id.clone())
            {
                let number = index + 1;
                let explanation = format!(
                    "operation {number}: an earlier operation has the bulkId `{}`",
                    excerpt(&bulk_id)
                );
                return Err(invalid(explanation).remedy("give each operation a name of its own"));
            }
            operations.push(operation(entry).map_err(|error| MalformedOperation {
                method: text("method").unwrap_or_default(),
                bulk_id: text("bulkId"),
                path: text("path").unwrap_or_default(),
                error,
            }));
        }
        Ok(Self { fail_on_errors, operations })
    }
}

fn operation(entry: &Value) -> Result<BulkOperation> {
    let members = Members::of("a bulk operation", entry, &["method", "bulkId", "path", "version", "data"])?;
    let method = members.text("method")?.unwrap_or_default();
    if !["POST", "PUT", "PATCH", "DELETE"].contains(&method) {
        return Err(invalid(format!("`{}` is not a method of bulk operations", excerpt(method)))
            .remedy("use POST, PUT, PATCH or DELETE"));
    }
    let path = members.text("path")?.filter(|path| path.starts_with('/')).ok_or_else(|| {
        invalid("`path` must begin with a slash".to_owned()).remedy("send a path such as `/Users`")
    })?;
    if path.contains('?') {
        return Err(invalid(format!(
            "`{}` has a query, and no path of a bulk operation takes one",
            excerpt(path)
        ))
        .remedy("send the path alone, such as `/Users/{id}`"));
    }
    let bulk_id = members.text("bulkId")?.filter(|bulk_id| !bulk_id.is_empty());
    if method == "POST" && bulk_id.is_none() {
        return Err(invalid("a POST needs a `bulkId`".to_owned()).remedy("give each POST a name of its own"));
    }
    let data = members.value("data");
    if method != "DELETE" && data.is_none() {
        return Err(invalid(format!("a {method} needs `data`")));
    }
    Ok(BulkOperation {
        method: method.to_owned(),
        bulk_id: bulk_id.map(str::to_owned),
        path: path.to_owned(),
        version: members.text("version")?.map(str::to_owned),
        data: data.cloned(),
    })
}
