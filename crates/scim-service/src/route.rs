//! Routes: what a method and a path below a tenant's base URL stand for (RFC 7644 §3.2).
//!
//! The path is taken as it came. Segments are compared byte for byte, so an encoded, doubled or dotted path leads
//! nowhere instead of past a check; only identifiers are percent-decoded, once. A slash may follow the name of a type.

use std::sync::Arc;

use http::Method;
use percent_encoding::percent_decode_str;
use scim_core::schema::{Registry, ResourceType};
use scim_core::text::nearest;

/// The methods of a collection of resources.
const COLLECTION: &[Method] = &[Method::GET, Method::HEAD, Method::POST];
/// The methods of one resource.
const RESOURCE: &[Method] = &[Method::GET, Method::HEAD, Method::PUT, Method::PATCH, Method::DELETE];
/// All methods, for what is refused whatever the method.
const ANY: &[Method] = &[Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
/// The methods of what can only be read.
const READ: &[Method] = &[Method::GET, Method::HEAD];
/// The methods of what can only be posted to.
const POST: &[Method] = &[Method::POST];

/// An endpoint.
#[derive(Debug, Clone)]
pub(crate) enum Endpoint {
    /// The base URL itself: a query over all types.
    Root,
    /// `/.search`
    RootSearch,
    /// `/Users`, or `/Users/`
    Collection(Arc<ResourceType>),
    /// `/Users/.search`
    Search(Arc<ResourceType>),
    /// `/Users/{id}`
    Resource(Arc<ResourceType>, String),
    /// `/Bulk`
    Bulk,
    /// `/Me` and what is below it.
    Me,
    /// `/ServiceProviderConfig`
    ServiceProviderConfig,
    /// `/Schemas`
    Schemas,
    /// `/Schemas/{urn}`
    Schema(String),
    /// `/ResourceTypes`
    ResourceTypes,
    /// `/ResourceTypes/{name}`
    ResourceType(String),
}

impl Endpoint {
    /// The endpoint at `path`, which begins with a slash or is empty.
    pub(crate) fn of(path: &str, registry: &Registry) -> Option<Self> {
        if path.is_empty() || path == "/" {
            return Some(Self::Root);
        }
        let mut segments = path.strip_prefix('/')?.split('/');
        let first = segments.next()?;
        let second = segments.next();
        if segments.next().is_some() {
            return (first == "Me").then_some(Self::Me);
        }
        match (first, second) {
            (".search", None) => Some(Self::RootSearch),
            ("Bulk", None) => Some(Self::Bulk),
            ("Me", _) => Some(Self::Me),
            ("ServiceProviderConfig", None) => Some(Self::ServiceProviderConfig),
            ("Schemas", None) => Some(Self::Schemas),
            ("Schemas", Some(urn)) => Some(Self::Schema(identifier(urn)?)),
            ("ResourceTypes", None) => Some(Self::ResourceTypes),
            ("ResourceTypes", Some(name)) => Some(Self::ResourceType(identifier(name)?)),
            (segment, second) => {
                let resource_type = Arc::clone(registry.endpoint(segment)?);
                match second {
                    None | Some("") => Some(Self::Collection(resource_type)),
                    Some(".search") => Some(Self::Search(resource_type)),
                    Some(id) => Some(Self::Resource(resource_type, identifier(id)?)),
                }
            }
        }
    }

    /// The endpoint without identifiers, for logs and metrics.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::RootSearch | Self::Search(_) => "search",
            Self::Collection(_) => "collection",
            Self::Resource(..) => "resource",
            Self::Bulk => "bulk",
            Self::Me => "me",
            Self::ServiceProviderConfig | Self::Schemas | Self::Schema(_) => "discovery",
            Self::ResourceTypes | Self::ResourceType(_) => "discovery",
        }
    }

    /// Whether a request of this method carries a body that counts.
    pub(crate) fn takes_body(&self, method: &Method) -> bool {
        match self {
            Self::Root | Self::Me | Self::ServiceProviderConfig | Self::Schemas | Self::Schema(_) => false,
            Self::ResourceTypes | Self::ResourceType(_) => false,
            Self::RootSearch | Self::Search(_) | Self::Bulk => true,
            Self::Collection(_) | Self::Resource(..) => {
                matches!(*method, Method::POST | Method::PUT | Method::PATCH)
            }
        }
    }

    /// Whether the endpoint tells of the server.
    pub(crate) fn is_discovery(&self) -> bool {
        self.name() == "discovery"
    }

    /// The methods that the endpoint knows.
    pub(crate) fn methods(&self) -> &'static [Method] {
        match self {
            Self::Root | Self::ServiceProviderConfig | Self::Schemas | Self::Schema(_) => READ,
            Self::ResourceTypes | Self::ResourceType(_) => READ,
            Self::RootSearch | Self::Search(_) | Self::Bulk => POST,
            Self::Collection(_) => COLLECTION,
            Self::Resource(..) => RESOURCE,
            Self::Me => ANY,
        }
    }

    /// Whether the endpoint knows the method.
    pub(crate) fn allows(&self, method: &Method) -> bool {
        self.methods().contains(method)
    }
}

/// The endpoint that a path which leads nowhere was probably meant to begin with.
pub(crate) fn meant(path: &str, registry: &Registry) -> Option<String> {
    const FIXED: [&str; 5] = ["Bulk", "Me", "ResourceTypes", "Schemas", "ServiceProviderConfig"];
    let first = path.strip_prefix('/')?.split('/').next()?;
    let types = registry.resource_types().iter().filter_map(|known| known.endpoint().strip_prefix('/'));
    nearest(first, types.chain(FIXED)).map(|segment| format!("/{segment}"))
}

/// Splits `/t/{tenant}/scim/v2{rest}`.
pub(crate) fn split_tenant(path: &str) -> Option<(&str, &str)> {
    let (tenant, rest) = path.strip_prefix("/t/")?.split_once('/')?;
    let rest = rest.strip_prefix("scim/v2")?;
    (rest.is_empty() || rest.starts_with('/')).then_some((tenant, rest))
}

/// The version of the protocol that the path asks for where a tenant's `v2` would be, if it is another.
pub(crate) fn other_version(path: &str) -> Option<&str> {
    let (_, rest) = path.strip_prefix("/t/")?.split_once('/')?;
    let version = rest.strip_prefix("scim/")?.split('/').next()?;
    let number = version.strip_prefix('v')?;
    (version != "v2"
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && !number.is_empty())
    .then_some(version)
}

/// Decodes an identifier. One that could be taken for a path, or that no server ever gave out, leads nowhere.
fn identifier(segment: &str) -> Option<String> {
    if !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        // As every identifier that was made here.
        return Some(segment.to_owned());
    }
    let decoded = percent_decode_str(segment).decode_utf8().ok()?;
    let odd = |c: char| c.is_control() || c == '/' || c == '\\' || c == ';';
    let plain = !decoded.is_empty() && decoded != "." && decoded != ".." && !decoded.contains(odd);
    plain.then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_they_say_or_nowhere() {
        let registry = Registry::builtin().expect("built in");
        for (path, expected) in [
            ("", "Root"),
            ("/", "Root"),
            ("/.search", "RootSearch"),
            ("/Users", "Collection"),
            ("/Users/", "Collection"),
            ("/Users/.search", "Search"),
            ("/Groups/2819c223", "Resource"),
            ("/Me/x/y", "Me"),
            ("/Schemas/urn%3Aietf%3Aparams%3Ascim%3Aschemas%3Acore%3A2.0%3AUser", "Schema"),
            ("/users", "nowhere"),
            ("/%55sers", "nowhere"),
            ("/Users//", "nowhere"),
            ("/Bulk/", "nowhere"),
            ("/Schemas/", "nowhere"),
            ("//Users", "nowhere"),
            ("/Users//1", "nowhere"),
            ("/Users/..", "nowhere"),
            ("/Users/%2e%2e", "nowhere"),
            ("/Users/1%2F2", "nowhere"),
            ("/Users;x", "nowhere"),
            ("/Users/1;x", "nowhere"),
            ("/Users/1/2", "nowhere"),
            ("/Users/%ff", "nowhere"),
            ("Users", "nowhere"),
        ] {
            let endpoint = Endpoint::of(path, &registry);
            let name = endpoint.map_or("nowhere".to_owned(), |endpoint| format!("{endpoint:?}"));
            assert!(name.starts_with(expected), "{path}: {name}");
        }
    }

    #[test]
    fn a_tenant_is_split_off() {
        assert_eq!(split_tenant("/t/acme/scim/v2/Users"), Some(("acme", "/Users")));
        assert_eq!(split_tenant("/t/acme/scim/v2"), Some(("acme", "")));
        for path in ["/t/acme/scim/v2Users", "/t/acme", "/acme/scim/v2", "/t//scim/v3/Users", "/"] {
            assert_eq!(split_tenant(path), None, "{path}");
        }
        assert_eq!(other_version("/t/acme/scim/v1/Users"), Some("v1"));
        assert_eq!(other_version("/t/acme/scim/v2.1"), Some("v2.1"));
        for path in ["/t/acme/scim/v2/Users", "/t/acme/scim/v2Users", "/t/acme/scim/vx", "/t/acme/v1", "/v1"]
        {
            assert_eq!(other_version(path), None, "{path}");
        }
    }
}
