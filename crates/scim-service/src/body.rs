//! The body of a request: read whole, within its limit, and only once the credential is known to be good.

use std::error::Error as StdError;
use std::io;
use std::pin::pin;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use scim_core::{Error, ErrorKind, Result};

use crate::held::Share;
use crate::media;

/// How much is made room for at once.
const BLOCK: usize = 64 * 1024;

/// Reads a body of at most `limit` bytes, each of which is held in the `share` as soon as it is there.
///
/// # Errors
/// `UnsupportedMediaType` when it is of no type that is understood, `TooLarge`, `Timeout`, those of [`Share::grow`], and
/// `BadRequest` when it ends early.
pub(crate) async fn collect<B>(parts: &Parts, body: B, limit: usize, share: &mut Share) -> Result<Bytes>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    media::check_content_type(&parts.headers)?;
    let announced =
        parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let mut body = pin!(Limited::new(body, limit));
    // Most bodies are one chunk. Others are copied as they come, since each chunk keeps hold of what it was read with, and
    // into blocks, which do not move when there are more.
    let (mut first, mut blocks) = (Bytes::new(), Vec::<Vec<u8>>::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(error, limit))?;
        let Ok(chunk) = frame.into_data() else { continue };
        share.grow(chunk.len())?;
        if first.is_empty() {
            first = chunk;
            continue;
        }
        match blocks.last_mut() {
            Some(block) if block.capacity() - block.len() >= chunk.len() => block.extend_from_slice(&chunk),
            _ => {
                let mut block = Vec::with_capacity(BLOCK.max(chunk.len()));
                block.extend_from_slice(&chunk);
                blocks.push(block);
            }
        }
    }
    if blocks.is_empty() {
        return Ok(first);
    }
    let rest = blocks.iter().map(Vec::as_slice);
    Ok(std::iter::once(&*first).chain(rest).collect::<Vec<_>>().concat().into())
}

/// Why a body did not arrive.
fn broken(error: Box<dyn StdError + Send + Sync>, limit: usize) -> Error {
    if error.is::<LengthLimitError>() {
        return too_large(limit);
    }
    // The server stopped waiting for it: it says so by an I/O error of that kind.
    let io = error.downcast_ref::<io::Error>();
    let (kind, words) = match io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
        true => (ErrorKind::Timeout, "the body did not arrive in time"),
        false => (ErrorKind::BadRequest, "the body did not arrive whole"),
    };
    Error::new(kind, words).caused_by(error)
}

fn too_large(limit: usize) -> Error {
    Error::new(ErrorKind::TooLarge, format!("the body is larger than {limit} bytes"))
        .remedy("send less at once")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use http::Request;
    use http_body::Frame;
    use scim_store::Tenant;

    use super::*;
    use crate::held::Held;

    /// A body that arrives in parts.
    struct Parted(std::vec::IntoIter<Bytes>);

    impl Body for Parted {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.next().map(|part| Ok(Frame::data(part))))
        }
    }

    fn collected(parts: &[&str], limit: usize) -> Result<Bytes> {
        let request =
            Request::post("/").header("content-type", "application/scim+json").body(()).expect("fine");
        let body = Parted(
            parts.iter().map(|part| Bytes::copy_from_slice(part.as_bytes())).collect::<Vec<_>>().into_iter(),
        );
        let mut share = Held::new(10_000).share(&Tenant::new("acme").expect("a name"));
        let (head, ()) = request.into_parts();
        let mut collecting = pin!(collect(&head, body, limit, &mut share));
        match collecting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("it is there"),
        }
    }

    #[test]
    fn a_body_is_whole_however_it_comes() {
        for parts in [&[][..], &["{}"], &["", "{}"], &["{", "}"], &["{", "", "\"a\":", "1", "}"]] {
            assert_eq!(collected(parts, 7).expect("it fits"), parts.concat());
        }
        let refused = collected(&["{\"a\":", "12}"], 7).expect_err("too large");
        assert_eq!(refused.to_string(), "the body is larger than 7 bytes; send less at once");
    }
}
