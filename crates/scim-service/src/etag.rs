//! Entity tags and the preconditions made of them (RFC 7644 §3.14, RFC 9110 §13).
//!
//! A tag is weak and made of the resource's version, and where the answer shows derived memberships of a digest of
//! those. `If-None-Match` compares the whole tag, since it asks whether the answer would look the same. `If-Match`
//! compares the version alone: a write cannot lose what it does not write.

use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use scim_core::{Error, ErrorKind, Result};
use scim_store::{Edge, Guard, Record};

/// The tag of a resource whose derived memberships are `groups`.
pub(crate) fn tag(record: &Record, groups: &[Edge]) -> String {
    if groups.is_empty() {
        return record.etag();
    }
    // FNV-1a: the digest tells versions apart, it does not defend against anybody.
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for group in groups {
        for byte in group.id.bytes().chain([0]).chain(group.label.bytes()).chain([0]) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("W/\"{}-{digest:016x}\"", record.version)
}

/// What `If-Match` or an operation's `version` demands of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Precondition {
    /// Nothing.
    None,
    /// That it exists.
    Any,
    /// That it has one of these versions. Tags that were never made here are left out.
    Versions(Vec<u64>),
}

impl Precondition {
    /// Reads `If-Match`.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self> {
        let tags = tags(headers, &IF_MATCH)?;
        if tags.is_empty() {
            return Ok(if headers.contains_key(IF_MATCH) { Self::Versions(Vec::new()) } else { Self::None });
        }
        if tags.iter().any(|tag| tag == "*") {
            return Ok(Self::Any);
        }
        Ok(Self::Versions(tags.iter().filter_map(|tag| version(tag)).collect()))
    }

    /// Reads the `version` of a bulk operation.
    pub(crate) fn of_version(tag: &str) -> Self {
        Self::Versions(version(tag.trim()).into_iter().collect())
    }

    /// The guard of a write that was planned without reading the resource.
    pub(crate) fn guard(&self) -> Option<Guard> {
        match self {
            Self::None | Self::Any => Some(Guard::Exists),
            Self::Versions(versions) => match versions.as_slice() {
                [version] => Some(Guard::Version(*version)),
                _ => None,
            },
        }
    }

    /// Checks a version that was read.
    pub(crate) fn check(&self, current: u64) -> Result<()> {
        match self {
            Self::None | Self::Any => Ok(()),
            Self::Versions(versions) if versions.contains(&current) => Ok(()),
            Self::Versions(_) => Err(failed(current)),
        }
    }

    /// Whether the client asked for a particular state, so that a lost race is its to resolve.
    pub(crate) fn is_conditional(&self) -> bool {
        matches!(self, Self::Versions(_))
    }
}

/// The refusal of a write to a resource that has moved on.
pub(crate) fn failed(current: u64) -> Error {
    Error::new(
        ErrorKind::PreconditionFailed,
        format!("the resource has changed: its version is now W/\"{current}\""),
    )
    .remedy("read it again and repeat the change on what you find")
}

/// Whether `If-None-Match` says that the client has this very answer already.
pub(crate) fn is_known(headers: &HeaderMap, tag: &str) -> Result<bool> {
    let known = tags(headers, &IF_NONE_MATCH)?;
    Ok(known.iter().any(|candidate| candidate == "*" || weak(candidate) == weak(tag)))
}

fn version(tag: &str) -> Option<u64> {
    let opaque = weak(tag).strip_prefix('"')?.strip_suffix('"')?;
    opaque.split('-').next()?.parse().ok()
}

fn weak(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Vec<String>> {
    let mut tags = Vec::new();
    for value in headers.get_all(name) {
        let text = value
            .to_str()
            .map_err(|_| Error::new(ErrorKind::BadRequest, format!("the {name} header is not readable")))?;
        tags.extend(text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn if_match_is_read() {
        for (value, expected) in [
            ("*", Precondition::Any),
            ("W/\"12\"", Precondition::Versions(vec![12])),
            ("\"12\"", Precondition::Versions(vec![12])),
            ("W/\"12-00ab\", W/\"13\"", Precondition::Versions(vec![12, 13])),
            ("W/\"abc\"", Precondition::Versions(vec![])),
            ("", Precondition::Versions(vec![])),
        ] {
            let headers = HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_static(value))]);
            assert_eq!(Precondition::of(&headers).expect(value), expected, "{value}");
        }
        assert_eq!(Precondition::of(&HeaderMap::new()).expect("absent"), Precondition::None);
    }
}
