//! The search request (RFC 7644 §3.4.3; RFC 9865 §3), which says in a body what a query string says in a URL.

use serde_json::Value;

use super::members::Members;
use crate::error::{ErrorKind, Result};

/// URN of the message.
pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// What a query asks for, as it was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// Names of the attributes to return.
    pub attributes: Vec<String>,
    /// Names of the attributes not to return.
    pub excluded_attributes: Vec<String>,
    /// The filter.
    pub filter: Option<String>,
    /// The attribute to sort by.
    pub sort_by: Option<String>,
    /// `ascending` or `descending`.
    pub sort_order: Option<String>,
    /// Number of the first result, from 1.
    pub start_index: Option<i64>,
    /// Most results on a page.
    pub count: Option<i64>,
    /// The cursor; empty for the first page.
    pub cursor: Option<String>,
}

const MEMBERS: [&str; 9] = [
    "schemas",
    "attributes",
    "excludedAttributes",
    "filter",
    "sortBy",
    "sortOrder",
    "startIndex",
    "count",
    "cursor",
];

impl SearchRequest {
    /// Reads the message.
    ///
    /// # Errors
    /// `invalidSyntax`, naming the member.
    pub fn decode(body: &Value) -> Result<Self> {
        // RFC 7644 §3.4.2: a provider "SHOULD ignore any query parameters they do not recognize".
        let members = Members::among_others("a search request", body, &MEMBERS)?;
        members.expect_schema(SEARCH_REQUEST)?;
        let count = members.integer("count").map_err(|error| match members.value("cursor") {
            // RFC 9865 §2.1.
            Some(_) => error.of_kind(ErrorKind::InvalidCount),
            None => error,
        })?;
        let text = |name| Ok(members.text(name)?.map(str::to_owned));
        Ok(Self {
            attributes: members.names("attributes")?,
            excluded_attributes: members.names("excludedAttributes")?,
            filter: text("filter")?,
            sort_by: text("sortBy")?,
            sort_order: text("sortOrder")?,
            start_index: members.integer("startIndex")?,
            count,
            cursor: text("cursor")?,
        })
    }
}
