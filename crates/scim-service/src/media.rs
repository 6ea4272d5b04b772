//! Media types: what a request may carry and what it accepts in return (RFC 7644 §3.8).

use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use scim_core::text::excerpt;
use scim_core::{Error, ErrorKind, Result};

/// The media type of SCIM.
pub(crate) const SCIM_JSON: &str = "application/scim+json";
const JSON: &str = "application/json";
/// All that is understood, for who sends something else.
pub(crate) const SPOKEN: &str = "application/scim+json, application/json";

/// Checks that the body is SCIM or JSON, in UTF-8 and not compressed.
pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<()> {
    let is_coded = |coding: &HeaderValue| !coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().any(is_coded) {
        return Err(unsupported("a compressed body").remedy("send the body without Content-Encoding"));
    }
    // "The format defaults to "application/scim+json" if no format is specified."
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return Ok(()) };
    // A proxy may have looked at the one and passed the other on.
    if values.next().is_some() {
        return Err(unsupported("more than one Content-Type").remedy("send one"));
    }
    let text = value.to_str().unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.eq_ignore_ascii_case("charset").then(|| value.trim_matches('"').to_owned())
    });
    if charset.is_some_and(|charset| !charset.eq_ignore_ascii_case("utf-8")) {
        return Err(unsupported(&format!("`{}`", excerpt(text))).remedy("send UTF-8, as `charset=utf-8`"));
    }
    if is_spoken(essence) {
        Ok(())
    } else {
        Err(unsupported(&format!("`{}`", excerpt(text))).remedy(format!("send `Content-Type: {SCIM_JSON}`")))
    }
}

/// The media type to answer with.
///
/// # Errors
/// `NotAcceptable` when the client accepts none that is spoken here.
pub(crate) fn negotiate(headers: &HeaderMap) -> Result<&'static str> {
    let mut ranges = Vec::new();
    for value in headers.get_all(ACCEPT) {
        let texts = value.to_str().unwrap_or_default().split(',').map(str::trim);
        ranges.extend(texts.filter(|text| !text.is_empty()).map(Range::read));
    }
    if ranges.is_empty() {
        return Ok(SCIM_JSON);
    }
    let quality = |media_type: &str| {
        let fits = ranges.iter().filter_map(|range| Some((range.precision(media_type)?, range.quality)));
        fits.max_by_key(|(precision, _)| *precision).map_or(0.0, |(_, quality)| quality)
    };
    let (scim, json) = (quality(SCIM_JSON), quality(JSON));
    if scim > 0.0 && scim >= json {
        Ok(SCIM_JSON)
    } else if json > 0.0 {
        Ok(JSON)
    } else {
        Err(Error::new(ErrorKind::NotAcceptable, "the Accept header names no media type spoken here")
            .remedy(format!("accept `{SCIM_JSON}`")))
    }
}

/// One entry of an Accept header (RFC 9110 §12.5.1).
struct Range<'a> {
    essence: &'a str,
    quality: f32,
}

impl<'a> Range<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| {
            let (name, quality) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| quality.trim().parse().ok())?
        });
        Self { essence, quality: quality.unwrap_or(1.0) }
    }

    /// How exactly the entry names a media type, if it does.
    fn precision(&self, media_type: &str) -> Option<u8> {
        if self.essence.eq_ignore_ascii_case(media_type) {
            Some(2)
        } else if self.essence.eq_ignore_ascii_case("application/*") {
            Some(1)
        } else {
            (self.essence == "*/*").then_some(0)
        }
    }
}

fn is_spoken(essence: &str) -> bool {
    essence.eq_ignore_ascii_case(SCIM_JSON) || essence.eq_ignore_ascii_case(JSON)
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorKind::UnsupportedMediaType, format!("{what} is not understood here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        for (value, accepted) in [
            ("application/scim+json", true),
            ("Application/SCIM+JSON; charset=UTF-8", true),
            ("application/json;charset=\"utf-8\"", true),
            ("application/json; charset=iso-8859-1", false),
            ("text/plain", false),
            ("application/xml", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
            assert_eq!(check_content_type(&headers).is_ok(), accepted, "{value}");
        }
        assert!(check_content_type(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn a_body_is_described_once() {
        for (name, values, accepted) in [
            (CONTENT_TYPE, ["application/json", "application/json"], false),
            (CONTENT_TYPE, ["application/json", "text/plain"], false),
            (CONTENT_ENCODING, ["identity", "identity"], true),
            (CONTENT_ENCODING, ["identity", "gzip"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(&name, HeaderValue::from_static(value));
            }
            assert_eq!(check_content_type(&headers).is_ok(), accepted, "{name}: {values:?}");
        }
    }

    #[test]
    fn accepted_types() {
        for (value, expected) in [
            ("application/scim+json", Some(SCIM_JSON)),
            ("application/scim+json; charset=utf-8", Some(SCIM_JSON)),
            ("application/json", Some(JSON)),
            ("application/json, application/scim+json", Some(SCIM_JSON)),
            ("application/json, */*;q=0.1", Some(JSON)),
            ("application/json;q=1, application/scim+json;q=0.1", Some(JSON)),
            ("application/scim+json;q=0, */*", Some(JSON)),
            ("application/scim+json; Q=0", None),
            ("Application/*", Some(SCIM_JSON)),
            ("*/*", Some(SCIM_JSON)),
            ("text/html, */*;q=0.1", Some(SCIM_JSON)),
            ("text/html", None),
            ("application/scim+json;q=0", None),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))]);
            assert_eq!(negotiate(&headers).ok(), expected, "{value}");
        }
        assert_eq!(negotiate(&HeaderMap::new()).ok(), Some(SCIM_JSON));
    }
}
