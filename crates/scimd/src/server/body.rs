//! The body of a request: by when it must have arrived, and what becomes of one that nobody wanted to read.
//!
//! Over HTTP/1.1 the next request comes after the body of this one. An answer that was clear from the head, such as 401 or
//! 429, leaves a body behind that may still be on its way, since most clients send head and body one after the other. A
//! little of it is read and thrown away; of a connection that is closed instead, the answer says so, or the client's next
//! request would go into it and be lost.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::EXPECT;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::{Sleep, sleep, timeout};

/// Most bytes that are read only to be thrown away.
const MOST: u64 = 64 * 1024;
/// How long an answer waits for them.
const PATIENCE: Duration = Duration::from_secs(1);

/// A body that must have arrived by a deadline, which is before that of the whole request.
pub(super) struct Timed {
    /// There until this is dropped.
    body: Option<Incoming>,
    rest: Option<oneshot::Sender<Incoming>>,
    limit: Duration,
    /// Set when the body is first waited for.
    deadline: Option<Pin<Box<Sleep>>>,
}

/// What of a body was not read, once the request is answered.
pub(super) struct Unread {
    rest: Option<oneshot::Receiver<Incoming>>,
    /// Whether the client sends the body only if it is asked to, which it will not be.
    waits: bool,
}

/// A request whose body has to arrive within `limit`, and what will be left of it.
pub(super) fn timed(request: Request<Incoming>, limit: Duration) -> (Request<Timed>, Unread) {
    let (sender, receiver) = match request.body().is_end_stream() {
        true => (None, None),
        false => {
            let (sender, receiver) = oneshot::channel();
            (Some(sender), Some(receiver))
        }
    };
    let unread = Unread { rest: receiver, waits: request.headers().contains_key(EXPECT) };
    let request = request.map(|body| Timed { body: Some(body), rest: sender, limit, deadline: None });
    (request, unread)
}

impl Unread {
    /// Reads the rest of a body, if that is little, and says whether nothing is left before the next request.
    pub(super) async fn drained(self) -> bool {
        let Some(mut rest) = self.rest else { return true };
        match rest.try_recv() {
            Ok(body) if self.waits || body.size_hint().lower() > MOST => false,
            Ok(body) => timeout(PATIENCE, is_read(body)).await.unwrap_or(false),
            // It was read to its end.
            Err(TryRecvError::Closed) => true,
            // It is being read still by what took too long.
            Err(TryRecvError::Empty) => false,
        }
    }
}

async fn is_read(mut body: Incoming) -> bool {
    let mut left = MOST;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        match left.checked_sub(length) {
            Some(less) => left = less,
            None => return false,
        }
    }
    true
}

impl Drop for Timed {
    fn drop(&mut self) {
        if let (Some(body), Some(rest)) = (self.body.take(), self.rest.take())
            && !body.is_end_stream()
        {
            // Nobody waits for it if the request was given up.
            let _ = rest.send(body);
        }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = self.limit;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        match deadline.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
