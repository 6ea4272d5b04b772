//! A connection's bytes before HTTP: which version is spoken, whether the framing of HTTP/1.1 is beyond doubt, and whether
//! the client takes what it is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::framing::Framing;

/// What an HTTP/2 client sends first (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a client may take nothing of what it is sent, not even a part. Nothing else ends a connection whose client asks
/// and never reads.
const STALL: Duration = Duration::from_secs(10);

/// A byte stream of which the beginning has been looked at.
pub(super) struct Stream<S> {
    inner: S,
    /// Bytes that were read and not yet passed on.
    begun: Vec<u8>,
    passed: usize,
    /// For HTTP/1.1.
    framing: Option<Framing>,
    refused: bool,
    stall: Stall,
}

/// Since when nothing more could be written, as the moment when that has lasted too long.
#[derive(Default)]
struct Stall(Option<Pin<Box<Sleep>>>);

impl Stall {
    /// What came of writing, unless it has been waited for too long.
    fn bound<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.0 = None;
            return outcome;
        }
        let end = self.0.get_or_insert_with(|| Box::pin(sleep(STALL)));
        end.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// Reads until it is clear whether the client speaks HTTP/2, and says so.
    ///
    /// # Errors
    /// When the client goes away.
    pub(super) async fn open(mut inner: S) -> io::Result<(Self, bool)> {
        let mut begun = Vec::with_capacity(PREFACE.len());
        let is_http2 = loop {
            if !PREFACE.starts_with(&begun) {
                break false;
            }
            if begun.len() == PREFACE.len() {
                break true;
            }
            let left = PREFACE.len() - begun.len();
            if (&mut inner).take(left as u64).read_buf(&mut begun).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let framing = (!is_http2).then(Framing::new);
        Ok((Self { inner, begun, passed: 0, framing, refused: false, stall: Stall::default() }, is_http2))
    }

    /// Reads on, without a judgement.
    fn poll_more(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.passed == self.begun.len() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        self.give_begun(buf);
        Poll::Ready(Ok(()))
    }

    /// Passes on what was read before.
    fn give_begun(&mut self, buf: &mut ReadBuf<'_>) {
        let rest = self.begun.get(self.passed..).unwrap_or_default();
        let count = rest.len().min(buf.remaining());
        buf.put_slice(rest.get(..count).unwrap_or_default());
        self.passed += count;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.refused {
            this.give_begun(buf);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(this.poll_more(cx, buf))?;
        let Some(framing) = &mut this.framing else { return Poll::Ready(Ok(())) };
        if let Err(at) = framing.follow(buf.filled().get(before..).unwrap_or_default()) {
            // A NUL is wrong wherever it stands in a head or a chunk's frame, so that hyper answers 400 and closes. It
            // looks at a head that came in parts when its end is there, so the end is what comes next, and the last.
            this.refused = true;
            this.begun = b"\r\n\r\n".to_vec();
            this.passed = 0;
            let end = before + at;
            if let Some(byte) = buf.filled_mut().get_mut(end) {
                *byte = 0;
            }
            buf.set_filled(end + 1);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { inner, stall, .. } = self.get_mut();
        let outcome = Pin::new(inner).poll_write(cx, bytes);
        stall.bound(cx, outcome)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { inner, stall, .. } = self.get_mut();
        let outcome = Pin::new(inner).poll_write_vectored(cx, slices);
        stall.bound(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { inner, stall, .. } = self.get_mut();
        let outcome = Pin::new(inner).poll_flush(cx);
        stall.bound(cx, outcome)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { inner, stall, .. } = self.get_mut();
        let outcome = Pin::new(inner).poll_shutdown(cx);
        stall.bound(cx, outcome)
    }
}
