//! The tenant: to whom a record belongs. Every call of a store takes one, and no answer crosses it.

use std::fmt;
use std::sync::Arc;

/// The name of a tenant, checked once. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(Arc<str>);

/// A text that is not a tenant's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidTenant(String);

impl Tenant {
    /// Longest name, in bytes.
    pub const MAX_LENGTH: usize = 63;

    /// Checks a name: lower-case letters, digits and inner hyphens, as in a DNS label, so that it fits a URL, a log
    /// line and a file name as it is.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn new(name: &str) -> Result<Self, InvalidTenant> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=Self::MAX_LENGTH).contains(&name.len()) && name.bytes().all(is_plain);
        if fits && !name.starts_with('-') && !name.ends_with('-') {
            Ok(Self(name.into()))
        } else {
            Err(InvalidTenant(name.to_owned()))
        }
    }

    /// The reserved tenant that holds tenants, connections and credentials. No other name can equal it.
    pub fn system() -> Self {
        Self("$system".into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a tenant name; use 1 to {} lower-case letters, digits and hyphens, with no hyphen at either end",
            self.0.escape_debug(),
            Tenant::MAX_LENGTH
        )
    }
}

impl std::error::Error for InvalidTenant {}
