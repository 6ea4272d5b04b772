//! The one error of the SCIM language.
//!
//! An [`Error`] says what is wrong, where, and what to do about it, in words meant for the administrator of the
//! identity provider. It carries a private source for the log. It refuses to carry database messages, secrets or
//! Rust type names to a client: what [`Error::detail`] returns is all that leaves the process.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;

/// Result of everything in this crate that can refuse its input.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Which refusal this is. The HTTP status and the `scimType` follow from it and from nothing else
/// (RFC 7644 §3.12, RFC 9865 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The filter is malformed, or its operator does not fit the attribute.
    InvalidFilter,
    /// A query matches, or an operation touches, more than the server is willing to handle.
    TooMany,
    /// A unique value is already taken.
    Uniqueness,
    /// A read-only, immutable or required attribute would be changed.
    Mutability,
    /// The body is not what the message or the schema says it must be.
    InvalidSyntax,
    /// An attribute path is malformed or names something that does not exist.
    InvalidPath,
    /// A PATCH path selects nothing to operate on.
    NoTarget,
    /// A value is missing or does not fit its attribute.
    InvalidValue,
    /// A protocol version that is not spoken here.
    InvalidVersion,
    /// The request would put sensitive values into a URI.
    Sensitive,
    /// A cursor that this server did not make for this query (RFC 9865).
    InvalidCursor,
    /// A cursor past its time (RFC 9865).
    ExpiredCursor,
    /// A `count` that differs from the one the cursor was made with (RFC 9865).
    InvalidCount,
    /// A request that is malformed before SCIM has anything to say about it.
    BadRequest,
    /// No credential, or one that is not valid.
    Unauthenticated,
    /// A valid credential that may not do this.
    Forbidden,
    /// No such resource or endpoint.
    NotFound,
    /// The endpoint does not know the method.
    MethodNotAllowed,
    /// The request did not arrive in time.
    Timeout,
    /// The client accepts no media type that is spoken here.
    NotAcceptable,
    /// The state of the resource does not allow the operation.
    Conflict,
    /// `If-Match` or `If-None-Match` does not hold.
    PreconditionFailed,
    /// The body, or the number of operations in it, is over the limit.
    TooLarge,
    /// The body's media type or encoding is not spoken here.
    UnsupportedMediaType,
    /// The tenant is over its rate.
    TooManyRequests,
    /// A fault of the server.
    Internal,
    /// Something this server deliberately does not do.
    NotImplemented,
    /// The server cannot say now whether or not it could; the client should try again.
    Unavailable,
    /// No room to store the change.
    InsufficientStorage,
}

impl ErrorKind {
    /// The HTTP status code.
    pub fn status(self) -> u16 {
        self.wire().0
    }

    /// The `scimType` of the error message, where RFC 7644 or RFC 9865 define one.
    pub fn scim_type(self) -> Option<&'static str> {
        self.wire().1
    }

    /// The one place that turns a kind into what goes over the wire.
    fn wire(self) -> (u16, Option<&'static str>) {
        match self {
            Self::InvalidFilter => (400, Some("invalidFilter")),
            Self::TooMany => (400, Some("tooMany")),
            Self::Uniqueness => (409, Some("uniqueness")),
            Self::Mutability => (400, Some("mutability")),
            Self::InvalidSyntax => (400, Some("invalidSyntax")),
            Self::InvalidPath => (400, Some("invalidPath")),
            Self::NoTarget => (400, Some("noTarget")),
            Self::InvalidValue => (400, Some("invalidValue")),
            Self::InvalidVersion => (400, Some("invalidVers")),
            Self::Sensitive => (403, Some("sensitive")),
            Self::InvalidCursor => (400, Some("invalidCursor")),
            Self::ExpiredCursor => (400, Some("expiredCursor")),
            Self::InvalidCount => (400, Some("invalidCount")),
            Self::BadRequest => (400, None),
            Self::Unauthenticated => (401, None),
            Self::Forbidden => (403, None),
            Self::NotFound => (404, None),
            Self::MethodNotAllowed => (405, None),
            Self::NotAcceptable => (406, None),
            Self::Timeout => (408, None),
            Self::Conflict => (409, None),
            Self::PreconditionFailed => (412, None),
            Self::TooLarge => (413, None),
            Self::UnsupportedMediaType => (415, None),
            Self::TooManyRequests => (429, None),
            Self::Internal => (500, None),
            Self::NotImplemented => (501, None),
            Self::Unavailable => (503, None),
            Self::InsufficientStorage => (507, None),
        }
    }
}

/// A refusal: kind, explanation, and where known the remedy, the attribute path and the place in the input.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    explanation: String,
    remedy: Option<String>,
    path: Option<String>,
    span: Option<Range<usize>>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind`. The explanation is lower-case, in SCIM words, with backticks around input.
    pub fn new(kind: ErrorKind, explanation: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            explanation: explanation.into(),
            remedy: None,
            path: None,
            span: None,
            source: None,
        }))
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// Adds the attribute path that the error is about.
    #[must_use]
    pub fn at(mut self, path: impl fmt::Display) -> Self {
        self.0.path = Some(path.to_string());
        self
    }

    /// Adds the byte range of the input text that the error is about.
    #[must_use]
    pub fn spanning(mut self, span: Range<usize>) -> Self {
        self.0.span = Some(span);
        self
    }

    /// Adds the cause. It is for the log and never reaches the client.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error as another kind, such as a path that is wrong inside a filter.
    #[must_use]
    pub fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Puts words in front of the explanation, such as which of several operations it is about.
    #[must_use]
    pub fn context(mut self, prefix: impl fmt::Display) -> Self {
        self.0.explanation = format!("{prefix}: {}", self.0.explanation);
        self
    }

    /// Which refusal this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The attribute path that the error is about.
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// The byte range of the input text that the error is about.
    pub fn span(&self) -> Option<Range<usize>> {
        self.0.span.clone()
    }

    /// What is wrong, without what to do about it.
    pub fn explanation(&self) -> &str {
        &self.0.explanation
    }

    /// What the reader can do about it: the text that [`Error::remedy`] added.
    pub fn advice(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    /// What the client is told: the explanation, then the remedy.
    pub fn detail(&self) -> String {
        match &self.0.remedy {
            Some(remedy) => format!("{}; {remedy}", self.0.explanation),
            None => self.0.explanation.clone(),
        }
    }

    /// What is behind it, each cause once though some tell their own causes, too. For a log and for operators, never for a
    /// client.
    pub fn causes(&self) -> Vec<String> {
        let mut told = self.detail();
        let mut causes = Vec::new();
        let mut cause = self.source();
        while let Some(source) = cause {
            let words = source.to_string();
            if !told.contains(&words) {
                told.push_str(&words);
                causes.push(words);
            }
            cause = source.source();
        }
        causes
    }
}

/// What [`Error::detail`] gives. With `{:#}` also [`Error::causes`], for a log.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.explanation)?;
        if let Some(remedy) = &self.0.remedy {
            write!(f, "; {remedy}")?;
        }
        let causes = if f.alternate() { self.causes() } else { Vec::new() };
        causes.iter().try_for_each(|cause| write!(f, ", caused by: {cause}"))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, explanation, remedy, path, span, source } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("explanation", explanation)
            .field("remedy", remedy)
            .field("path", path)
            .field("span", span)
            .field("source", source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_told_each_cause_once() {
        let broken = std::io::Error::other("the disk is broken");
        let store = Error::new(ErrorKind::Internal, "the store failed: the disk is broken").caused_by(broken);
        let error = Error::new(ErrorKind::Unavailable, "not now").remedy("try again").caused_by(store);
        assert_eq!(error.to_string(), "not now; try again");
        assert_eq!(error.to_string(), error.detail());
        let told = "not now; try again, caused by: the store failed: the disk is broken";
        assert_eq!(format!("{error:#}"), told);
        assert_eq!(error.causes(), ["the store failed: the disk is broken"]);
    }
}
