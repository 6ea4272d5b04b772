//! Answers: status, headers and body, made in one place.

use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_LOCATION, CONTENT_TYPE, ETAG, HeaderName, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::Full;
use scim_core::{Error, ErrorKind};

use crate::media::SCIM_JSON;

/// An answer before it becomes HTTP.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    /// An answer with a body.
    pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, headers: HeaderMap::new(), body: body.into() }
    }

    /// An answer without one.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::json(status, Bytes::new())
    }

    /// Adds `ETag`.
    #[must_use]
    pub(crate) fn etag(self, tag: &str) -> Self {
        self.header(ETAG, tag)
    }

    /// Adds `Location`.
    #[must_use]
    pub(crate) fn location(self, location: &str) -> Self {
        self.header(LOCATION, location)
    }

    /// Adds `Content-Location`, which `meta.location` "MUST be the same as" (RFC 7643 §3.1).
    #[must_use]
    pub(crate) fn content_location(self, location: &str) -> Self {
        self.header(CONTENT_LOCATION, location)
    }

    /// Adds where what the answer shows is found.
    #[must_use]
    pub(crate) fn shown_at(self, location: &str) -> Self {
        self.location(location).content_location(location)
    }

    /// Adds `Allow`, for a 405.
    #[must_use]
    pub(crate) fn allow(self, methods: &str) -> Self {
        self.header(ALLOW, methods)
    }

    /// Adds what media types a body of this method may have: RFC 9110 §15.5.16, and RFC 5789 §2.2 for a PATCH.
    #[must_use]
    pub(crate) fn spoken(self, method: &Method, media_types: &str) -> Self {
        match *method {
            Method::PATCH => self.header(HeaderName::from_static("accept-patch"), media_types),
            _ => self.header(ACCEPT, media_types),
        }
    }

    /// Adds `Retry-After` in seconds.
    #[must_use]
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, &seconds.to_string())
    }

    fn header(mut self, name: HeaderName, value: &str) -> Self {
        // A value that is not a header value was made of an identifier with odd characters; the body has it too.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Becomes an HTTP response of this media type.
    pub(crate) fn into_response(self, media_type: &'static str) -> Response<Full<Bytes>> {
        let Self { status, mut headers, body } = self;
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        // Answers hold personal data; no cache on the way may keep them.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

impl From<&Error> for Reply {
    fn from(error: &Error) -> Self {
        let status = StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&scim_core::message::error_body(error)).unwrap_or_default();
        let reply = Self::json(status, body);
        match error.kind() {
            ErrorKind::Unauthenticated => {
                reply.header(WWW_AUTHENTICATE, "Bearer realm=\"scim\", charset=\"UTF-8\"")
            }
            ErrorKind::Unavailable | ErrorKind::InsufficientStorage => reply.retry_after(5),
            _ => reply,
        }
    }
}

/// The media type of errors that happen before the client's wishes are known.
pub(crate) const DEFAULT_MEDIA_TYPE: &str = SCIM_JSON;
