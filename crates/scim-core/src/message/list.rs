//! The list response (RFC 7644 §3.4.2, RFC 9865 §2), put together from resources that are bytes already.

use std::io::Write;

/// URN of the message.
pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// Collects resources, then writes the message around them.
#[derive(Debug, Default)]
pub struct ListWriter {
    resources: Vec<u8>,
    count: u64,
    start_index: Option<u64>,
    next_cursor: Option<String>,
}

impl ListWriter {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of the first resource, for paging by index.
    pub fn start_index(&mut self, number: u64) {
        self.start_index = Some(number);
    }

    /// The cursor of the next page. It is written as it is, and consists of URL-safe characters.
    pub fn next_cursor(&mut self, cursor: String) {
        self.next_cursor = Some(cursor);
    }

    /// Where to write the next resource, as JSON.
    pub fn resource(&mut self) -> &mut Vec<u8> {
        if self.count > 0 {
            self.resources.push(b',');
        }
        self.count += 1;
        &mut self.resources
    }

    /// The message. `total` counts all matches, on whatever page.
    pub fn finish(self, total: u64) -> Vec<u8> {
        let cursor = self.next_cursor.as_ref().map_or(0, String::len);
        let mut message = Vec::with_capacity(self.resources.len() + cursor + 256);
        // Writing into memory cannot fail.
        let _ = write!(
            message,
            "{{\"schemas\":[\"{LIST_RESPONSE}\"],\"totalResults\":{total},\"itemsPerPage\":{}",
            self.count
        );
        if let Some(number) = self.start_index {
            let _ = write!(message, ",\"startIndex\":{number}");
        }
        if let Some(cursor) = &self.next_cursor {
            let _ = write!(message, ",\"nextCursor\":{}", serde_json::Value::from(cursor.as_str()));
        }
        message.extend_from_slice(b",\"Resources\":[");
        message.extend_from_slice(&self.resources);
        message.extend_from_slice(b"]}");
        message
    }
}
