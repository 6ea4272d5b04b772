//! Who sends a request: the tenant, its credential, its connection, and how often it may come.
//!
//! Whatever is wrong with a credential, the answer is the same, so that nobody learns which tenants or tokens there are.
//! What is said of a connection is said to who has a credential of its tenant.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use scim_core::{Error, ErrorKind, Result};

use crate::directory::{Connection, TenantEntry, TokenEntry};
use crate::quirk::Quirk;
use crate::reply::Reply;
use crate::{Served, Service};

impl Service {
    /// Checks the credential and finds the tenant, in this order: whatever is wrong, the answer is the same, and nothing is
    /// looked up that would make it quicker or slower by whether there is such a tenant.
    pub(crate) async fn authenticate(
        &self,
        tenant: &str,
        headers: &HeaderMap,
        served: &mut Served,
    ) -> Result<(Arc<TenantEntry>, Arc<TokenEntry>)> {
        let credential = Credential::of(headers)?;
        let admitted = self.directory.admit(tenant, credential.token).await?;
        let (entry, token) = admitted.ok_or_else(unauthenticated)?;
        served.tenant = Some(entry.tenant.as_str().to_owned());
        if credential.bare && !entry.quirks().has(Quirk::BareToken) {
            return Err(unauthenticated());
        }
        Ok((entry, token))
    }

    /// What to say to a request that is not let in. Whose credential it should have been is noted for the operator, who has to
    /// know whose token has ended.
    pub(crate) async fn stranger(
        &self,
        name: &str,
        headers: &HeaderMap,
        error: Error,
        served: &mut Served,
    ) -> Result<Reply> {
        if error.kind() != ErrorKind::Unauthenticated {
            return Err(error);
        }
        if let Err(seconds) = self.strangers.take(name, self.environment().now()) {
            return Ok(
                self.too_many("too many requests without a token that is valid for this tenant", seconds)
            );
        }
        if headers.contains_key(AUTHORIZATION) && self.directory.is_there(name).await? {
            served.tenant = Some(name.to_owned());
        }
        Err(error)
    }

    /// The answer to whoever may come again in so many seconds, with what there was too much of.
    pub(crate) fn too_many(&self, what: &str, seconds: u64) -> Reply {
        let most = self.settings.requests_per_second;
        let error = Error::new(ErrorKind::TooManyRequests, what)
            .remedy(format!("wait {seconds} s, then send at most {most} a second"));
        Reply::from(&error).retry_after(seconds)
    }
}

/// The connection that a tenant's requests come over.
///
/// # Errors
/// `Forbidden` when there is none, or it is paused.
pub(crate) fn in_use(entry: &TenantEntry) -> Result<&Connection> {
    let name = &entry.tenant;
    let Some(connection) = &entry.connection else {
        let words = format!("tenant `{name}` has no connection to an identity provider");
        let remedy = "its operator creates one with `scimd connection create`";
        return Err(Error::new(ErrorKind::Forbidden, words).remedy(remedy));
    };
    if connection.paused {
        let words = format!("the connection of tenant `{name}` is paused");
        let remedy = "its operator resumes it with `scimd connection resume`";
        return Err(Error::new(ErrorKind::Forbidden, words).remedy(remedy));
    }
    Ok(connection)
}

/// What stands in the Authorization header.
struct Credential<'a> {
    token: &'a str,
    /// Whether it stands there without a scheme.
    bare: bool,
}

impl<'a> Credential<'a> {
    fn of(headers: &'a HeaderMap) -> Result<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().and_then(|value| value.to_str().ok()).ok_or_else(unauthenticated)?;
        if values.next().is_some() {
            return Err(unauthenticated());
        }
        let (token, bare) = match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                (token.trim_matches(' '), false)
            }
            Some(_) => return Err(unauthenticated()),
            None => (value, true),
        };
        if token.is_empty() { Err(unauthenticated()) } else { Ok(Self { token, bare }) }
    }
}

/// The complaint about a credential, whatever is wrong with it.
pub(crate) fn unauthenticated() -> Error {
    Error::new(ErrorKind::Unauthenticated, "the request carries no token that is valid for this tenant")
        .remedy(
            "check the tenant in the URL, and send `Authorization: Bearer TOKEN` with a token of it that has neither expired nor \
             been revoked",
        )
}
