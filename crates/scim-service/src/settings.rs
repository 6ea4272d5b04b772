//! What an operator sets once for the whole service.

use std::fmt;
use std::sync::Arc;

use http::Uri;
use scim_core::{Error, ErrorKind, Result};
use scim_store::{Pending, StoreError, UnknownMembers};

/// Settings of a [`crate::Service`]. Start from [`Settings::new`] and change what differs.
#[derive(Clone)]
pub struct Settings {
    /// Scheme and authority under which clients reach the service, without a trailing slash. Every `location` and
    /// `$ref` starts with it, and goes on with `/t/{tenant}/scim/v2`; the Host header never matters. Where the service is
    /// mounted below a path, as with axum's `Router::nest`, the path ends the base URL and is not in what
    /// [`crate::Service::handle`] is given.
    pub base_url: String,
    /// Requests a second that each tenant may make.
    pub requests_per_second: u32,
    /// How many seconds' worth of requests a tenant may make at once after a pause.
    pub burst_seconds: u32,
    /// Largest body, in bytes.
    pub max_body: usize,
    /// Most operations in one Bulk request.
    pub max_operations: usize,
    /// Most resources on a page.
    pub max_results: usize,
    /// Resources on a page when the request names no count.
    pub default_results: usize,
    /// Most bytes of resources on a page, which ends before the one that has no room any more.
    pub max_page_bytes: usize,
    /// Most members in one answer, over all its groups.
    pub max_members: usize,
    /// How long a cursor stays valid.
    pub cursor_seconds: u32,
    /// What becomes of members that do not exist, where a tenant has no setting of its own.
    pub unknown_members: UnknownMembers,
    /// What becomes of passwords. `None` discards them.
    pub passwords: Option<Arc<dyn PasswordHasher>>,
}

impl Settings {
    /// The defaults, for a service that clients reach under `base_url`.
    pub fn new(base_url: impl Into<String>) -> Self {
        let base_url: String = base_url.into();
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            requests_per_second: 500,
            burst_seconds: 10,
            max_body: 4 * 1024 * 1024,
            max_operations: 1000,
            max_results: 1000,
            default_results: 100,
            max_page_bytes: 16 * 1024 * 1024,
            max_members: 100_000,
            cursor_seconds: 3600,
            unknown_members: UnknownMembers::Refuse,
            passwords: None,
        }
    }

    /// Reads a base URL: scheme, host and port, and the path below which the service is mounted, if any.
    ///
    /// # Errors
    /// `InvalidValue` for what no location could begin with: another scheme, no host, a user, a query, a fragment, or a slash at
    /// the end.
    pub fn parse_base_url(text: &str) -> Result<Uri> {
        let refused = |words: &str| {
            let shown = text.escape_debug();
            Error::new(ErrorKind::InvalidValue, format!("the base URL `{shown}` {words}"))
                .remedy("set it to what clients use, such as `https://scim.example.com`")
        };
        let uri: Uri = text.parse().map_err(|_| refused("is not a URL"))?;
        let Some(scheme @ ("http" | "https")) = uri.scheme_str() else {
            return Err(refused("does not begin with https:// or http://"));
        };
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        if authority.is_empty() || authority.contains('@') {
            return Err(refused("names no host, or more than a host and a port"));
        }
        // What the parser leaves out, as it does fragments, is missing here; the path of nothing is a slash.
        let whole = format!("{scheme}://{authority}{}", uri.path());
        if whole.strip_suffix('/').unwrap_or(&whole) != text {
            return Err(refused("has a query, a fragment or a slash at its end"));
        }
        Ok(uri)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("base_url", &self.base_url)
            .field("requests_per_second", &self.requests_per_second)
            .field("burst_seconds", &self.burst_seconds)
            .field("max_body", &self.max_body)
            .field("max_operations", &self.max_operations)
            .field("max_results", &self.max_results)
            .field("default_results", &self.default_results)
            .field("max_page_bytes", &self.max_page_bytes)
            .field("max_members", &self.max_members)
            .field("cursor_seconds", &self.cursor_seconds)
            .field("unknown_members", &self.unknown_members)
            .finish_non_exhaustive()
    }
}

/// Turns a password into the hash that is kept of it, away from the threads that serve requests.
pub trait PasswordHasher: Send + Sync + 'static {
    /// The hash, as a PHC string.
    ///
    /// # Errors
    /// `Unavailable` when too many hashes are being computed already.
    fn hash(&self, password: String) -> Pending<'_, String, StoreError>;
}
