//! The body of a request: read whole, within its limit, and only once the credential is known to be good.

use std::error::Error as StdError;
use std::io;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use scim_core::{Error, ErrorKind, Result};

use crate::media;

/// The most bytes that a body can have, which is `limit` where it does not say.
///
/// # Errors
/// `UnsupportedMediaType` when it is of no type that is understood, `TooLarge` when it says that it has more.
pub(crate) fn most(parts: &Parts, limit: usize) -> Result<usize> {
    media::check_content_type(&parts.headers)?;
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match announced.unwrap_or(limit) {
        most if most > limit => Err(too_large(limit)),
        most => Ok(most),
    }
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn collect<B>(body: B, limit: usize) -> Result<Bytes>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let collected = Limited::new(body, limit).collect().await;
    match collected {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_large(limit)),
        Err(error) if is_late(&*error) => {
            Err(Error::new(ErrorKind::Timeout, "the body did not arrive in time").caused_by(error))
        }
        Err(error) => {
            Err(Error::new(ErrorKind::BadRequest, "the body did not arrive whole").caused_by(error))
        }
    }
}

/// Whether the server stopped waiting for a body: it says so by an I/O error of that kind.
fn is_late(error: &(dyn StdError + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

fn too_large(limit: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the body is larger than {limit} bytes"))
        .remedy("send less at once")
}
