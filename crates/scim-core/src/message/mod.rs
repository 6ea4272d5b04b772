//! Protocol messages (RFC 7644 §3): what is in a body that is not a resource.
//!
//! Reading is strict: a member that the message does not have is refused with the nearest name, in whatever case it
//! comes. PATCH has its message beside its engine, in [`crate::patch`].

mod bulk;
mod error;
mod list;
mod members;
mod search;
#[cfg(test)]
mod tests;

pub use bulk::{BULK_REQUEST, BULK_RESPONSE, BulkOperation, BulkRequest, MalformedOperation};
pub use error::{ERROR, error_body};
pub use list::{LIST_RESPONSE, ListWriter};
pub use search::{SEARCH_REQUEST, SearchRequest};
