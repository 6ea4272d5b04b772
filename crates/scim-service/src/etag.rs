//! Entity tags and the preconditions made of them (RFC 7644 §3.14, RFC 9110 §13).
//!
//! A tag is weak and made of the resource's version, and where the answer shows derived memberships of a digest of
//! those. `If-None-Match` compares the whole tag, since it asks whether the answer would look the same. `If-Match`
//! compares the version alone: a write cannot lose what it does not write.

use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use scim_core::{Error, ErrorKind, Result};
use scim_store::{Edge, Guard, Record};

/// The tag of a resource that is shown with these memberships.
pub(crate) fn tag(record: &Record, shown: &[Edge]) -> String {
    if shown.is_empty() {
        return plain(record.version);
    }
    // FNV-1a: the digest tells versions apart, it does not defend against anybody.
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for edge in shown {
        for byte in edge.id.bytes().chain([0]).chain(edge.label.bytes()).chain([0]) {
            digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("W/\"{}-{digest:016x}\"", record.version)
}

/// The tag of a resource of this version that is shown without memberships.
pub(crate) fn plain(version: u64) -> String {
    format!("W/\"{version}\"")
}

/// What a request demands of a resource before anything is done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Precondition {
    /// `If-Match`, or an operation's `version`.
    is_one_of: Tags,
    /// `If-None-Match`.
    is_none_of: Tags,
}

/// What a header lists.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    /// It is not there.
    Absent,
    /// `*`: whatever exists.
    Any,
    /// These versions. Tags that were never made here are left out.
    Versions(Vec<u64>),
}

impl Precondition {
    /// No demand.
    pub(crate) const NONE: Self = Self { is_one_of: Tags::Absent, is_none_of: Tags::Absent };

    /// Reads the headers of a request that writes.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self> {
        let is_none_of = Tags::of(headers, &IF_NONE_MATCH)?;
        Ok(Self { is_none_of, ..Self::if_match(headers)? })
    }

    /// Reads `If-Match` alone: `If-None-Match` of a request that reads is no demand, but asks for 304.
    pub(crate) fn if_match(headers: &HeaderMap) -> Result<Self> {
        Ok(Self { is_one_of: Tags::of(headers, &IF_MATCH)?, is_none_of: Tags::Absent })
    }

    /// Reads the `version` of a bulk operation.
    pub(crate) fn of_tag(tag: &str) -> Self {
        Self { is_one_of: Tags::read(&[tag.trim().to_owned()]), ..Self::NONE }
    }

    /// That the resource is the one of this version.
    pub(crate) fn of_version(version: u64) -> Self {
        Self { is_one_of: Tags::Versions(vec![version]), ..Self::NONE }
    }

    /// The guard of a write that was planned without reading the resource.
    pub(crate) fn guard(&self) -> Option<Guard> {
        match (&self.is_one_of, &self.is_none_of) {
            (Tags::Absent | Tags::Any, Tags::Absent) => Some(Guard::Exists),
            (Tags::Versions(versions), Tags::Absent) => match versions.as_slice() {
                [version] => Some(Guard::Version(*version)),
                _ => None,
            },
            (_, Tags::Any | Tags::Versions(_)) => None,
        }
    }

    /// Checks the version of a resource that exists.
    pub(crate) fn check(&self, current: u64) -> Result<()> {
        match &self.is_one_of {
            Tags::Versions(versions) if !versions.contains(&current) => return Err(failed(current)),
            Tags::Absent | Tags::Any | Tags::Versions(_) => {}
        }
        let unwanted = match &self.is_none_of {
            Tags::Absent => false,
            Tags::Any => true,
            Tags::Versions(versions) => versions.contains(&current),
        };
        match unwanted {
            false => Ok(()),
            true => Err(Error::new(
                ErrorKind::PreconditionFailed,
                "`If-None-Match` names the state that the resource is in, so that nothing was done",
            )
            .remedy("leave the header out, or use `If-Match`")),
        }
    }

    /// Whether the client asked for a particular state, so that a lost race is its to resolve.
    pub(crate) fn is_conditional(&self) -> bool {
        matches!(self.is_one_of, Tags::Versions(_)) || matches!(self.is_none_of, Tags::Versions(_))
    }
}

impl Tags {
    fn of(headers: &HeaderMap, name: &HeaderName) -> Result<Self> {
        if !headers.contains_key(name) {
            return Ok(Self::Absent);
        }
        Ok(Self::read(&tags(headers, name)?))
    }

    fn read(tags: &[String]) -> Self {
        if tags.iter().any(|tag| tag == "*") {
            return Self::Any;
        }
        Self::Versions(tags.iter().filter_map(|tag| version(tag)).collect())
    }
}

/// The refusal of a write to a resource that has moved on.
pub(crate) fn failed(current: u64) -> Error {
    Error::new(
        ErrorKind::PreconditionFailed,
        format!("the resource is not in the state that was asked for: its version is {}", plain(current)),
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
    fn preconditions_are_read() {
        let only = |name: HeaderName, value: &'static str| {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
            Precondition::of(&headers).expect(value)
        };
        for (value, expected) in [
            ("*", Tags::Any),
            ("W/\"12\"", Tags::Versions(vec![12])),
            ("\"12\"", Tags::Versions(vec![12])),
            ("W/\"12-00ab\", W/\"13\"", Tags::Versions(vec![12, 13])),
            ("W/\"abc\"", Tags::Versions(vec![])),
            ("", Tags::Versions(vec![])),
        ] {
            assert_eq!(
                only(IF_MATCH, value),
                Precondition { is_one_of: expected.clone(), ..Precondition::NONE }
            );
            assert_eq!(
                only(IF_NONE_MATCH, value),
                Precondition { is_none_of: expected, ..Precondition::NONE }
            );
        }
        assert_eq!(Precondition::of(&HeaderMap::new()).expect("absent"), Precondition::NONE);
        for (name, value, holds) in [
            (IF_MATCH, "*", true),
            (IF_MATCH, "W/\"12\"", true),
            (IF_MATCH, "W/\"13\"", false),
            (IF_MATCH, "", false),
            (IF_NONE_MATCH, "*", false),
            (IF_NONE_MATCH, "W/\"12\"", false),
            (IF_NONE_MATCH, "W/\"13\"", true),
        ] {
            assert_eq!(only(name.clone(), value).check(12).is_ok(), holds, "{name}: {value}");
        }
    }
}
