//! Looks for what a connection does not serve.
//!
//! ```text
//! GET /Groups?excludedAttributes=members&filter=displayName eq "5d1e"
//! ```
//!
//! Entra ID sends it to test a connection, whether groups are to be provisioned over it or not.

use http::{Method, StatusCode};
use scim_core::message::ListWriter;

use super::Quirk;
use crate::directory::Connection;
use crate::reply::Reply;

/// The answer to an identity provider that looks for groups over a connection without them: there are none.
pub(crate) fn answer_probe(method: &Method, path: &str, connection: &Connection) -> Option<Reply> {
    let is_probe = !connection.groups
        && method == Method::GET
        && path == "/Groups"
        && connection.quirks().has(Quirk::ProbedGroups);
    is_probe.then(|| {
        let mut none = ListWriter::new();
        none.start_index(1);
        Reply::json(StatusCode::OK, none.finish(0))
    })
}
