//! One connection, from accepting it to closing it.
//!
//! Every phase is bounded: the handshake and the first bytes, each head, each request (in `exchange`), the time between
//! requests, and the farewell. HTTP/1.1 or HTTP/2 is decided by what the client sends, with TLS and without.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::server::TlsStream;

use super::exchange::Exchange;
use super::metrics::Turned;
use super::stream::Stream;
use super::tls::Identity;

/// How long a client may say nothing: before its first request, within a head, and between heads over HTTP/1.1.
const SILENCE: Duration = Duration::from_secs(10);
/// How long an HTTP/2 connection may stay open without a request.
const IDLE: Duration = Duration::from_secs(60);
/// How long a request that is already on its way, or what has to come before it, is waited for when the server ends.
const LINGER: Duration = Duration::from_millis(500);
/// How long requests that were begun may take when the server ends.
pub(super) const FAREWELL: Duration = Duration::from_secs(10);

const MAX_HEADERS: usize = 100;
const MAX_HEAD: usize = 64 * 1024;
/// HTTP/2 requests at once on one connection.
const MAX_STREAMS: u32 = 128;
/// HTTP/2 requests that were reset before they were looked at; more of them end the connection (CVE-2023-44487).
const MAX_RESETS: usize = 32;

/// For who speaks HTTP where TLS is spoken.
const PLAINTEXT: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 59\r\n\
    connection: close\r\n\r\nTLS is spoken here: the address has to begin with https://\n";

/// Serves a connection until it ends.
pub(super) async fn serve(
    socket: TcpStream,
    identity: Option<Arc<Identity>>,
    exchange: Arc<Exchange>,
    stop: watch::Receiver<bool>,
) {
    let metrics = Arc::clone(&exchange.metrics);
    let _counted = metrics.connect();
    // Answers are written whole, so that waiting for more of them only costs time.
    let _ = socket.set_nodelay(true);
    match identity {
        None => serve_stream(socket, exchange, stop).await,
        Some(identity) => match begun(encrypted(socket, &identity), stop.clone()).await {
            Some(Ok(stream)) => serve_stream(stream, exchange, stop).await,
            Some(Err(error)) => {
                let reason = match error.kind() {
                    // Whoever looks whether the port is open, or was in the middle of it.
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => None,
                    io::ErrorKind::Unsupported => Some(Turned::Plaintext),
                    _ => Some(Turned::Tls),
                };
                tell(&exchange, reason, &error);
            }
            None => tracing::debug!("no TLS session in time"),
        },
    }
}

/// Counts a connection that ended for a reason that an operator may have to know, and gives it a line while there are some.
fn tell(exchange: &Exchange, reason: Option<Turned>, error: &(dyn Error + 'static)) {
    let Some(reason) = reason else { return tracing::debug!(error, "a connection ended") };
    exchange.metrics.turned_away(reason);
    if exchange.refused.take() {
        tracing::info!(reason = reason.name(), error, "a connection was ended");
    }
}

/// Why hyper ended a connection, where it was not the client who just went away.
fn why(error: &hyper::Error) -> Option<Turned> {
    let source = error.source();
    match source.and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(error) => (error.kind() == io::ErrorKind::TimedOut).then_some(Turned::Unread),
        None if error.is_parse_too_large() => Some(Turned::TooLarge),
        // What HTTP/2 makes of it is in the source.
        None if error.is_parse() || source.is_some() => Some(Turned::Malformed),
        None => None,
    }
}

/// Waits for a TLS session. Who begins with HTTP instead is told what is wrong, since it would not understand an alert.
async fn encrypted(mut socket: TcpStream, identity: &Identity) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    socket.peek(&mut first).await?;
    // The name of a method. TLS begins with the type of a record, which is no letter.
    if first.iter().all(u8::is_ascii_uppercase) {
        // What was sent and not read would end the connection before the answer is there.
        let _ = socket.read(&mut [0; 4096]).await?;
        socket.write_all(PLAINTEXT).await?;
        socket.shutdown().await?;
        return Err(io::Error::new(io::ErrorKind::Unsupported, "HTTP where TLS is spoken"));
    }
    identity.acceptor().accept(socket).await
}

/// What a client begins with, if it comes in time. A server that ends waits for it as for a request that is on its way.
async fn begun<T>(beginning: impl Future<Output = T>, mut stop: watch::Receiver<bool>) -> Option<T> {
    let ending = async {
        drop(stop.wait_for(|stop| *stop).await);
        sleep(LINGER).await;
    };
    tokio::select! {
        // What has come is not late, however late it is looked at.
        biased;
        outcome = timeout(SILENCE, beginning) => outcome.ok(),
        () = ending => None,
    }
}

async fn serve_stream<S>(socket: S, exchange: Arc<Exchange>, stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(Ok((stream, is_http2))) = begun(Stream::open(socket), stop.clone()).await else { return };
    let activity = Arc::new(Activity::new());
    let service = {
        let (activity, exchange) = (Arc::clone(&activity), Arc::clone(&exchange));
        service_fn(move |request| {
            let exchange = Arc::clone(&exchange);
            let busy = Busy::new(Arc::clone(&activity));
            async move {
                let response = exchange.answer(request).await;
                drop(busy);
                Ok::<_, Infallible>(response)
            }
        })
    };
    let io = TokioIo::new(stream);
    let outcome = if is_http2 {
        // A stream lasts until its client takes the answer, in the same place as the work that made it. In an allocation of its
        // own the work is given back once it is done: it is several times as large as what is left.
        let service = service_fn(move |request| Box::pin(service.call(request)));
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_pending_accept_reset_streams(MAX_RESETS)
            .max_header_list_size(MAX_HEAD as u32)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(SILENCE)
            .serve_connection(io, service);
        drive(
            pin!(connection),
            |connection| connection.graceful_shutdown(),
            stop,
            Duration::ZERO,
            activity.idle(),
        )
        .await
    } else {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(SILENCE)
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEAD)
            .max_buf_size(MAX_HEAD * 2)
            .serve_connection(io, service);
        drive(
            pin!(connection),
            |connection| connection.graceful_shutdown(),
            stop,
            LINGER,
            std::future::pending(),
        )
        .await
    };
    if let Err(error) = outcome {
        tell(&exchange, why(&error), &error);
    }
}

/// Lets a connection run until it ends, the server ends, or `idle` says that it is of no use.
async fn drive<C: Future<Output = hyper::Result<()>>>(
    mut connection: Pin<&mut C>,
    drain: fn(Pin<&mut C>),
    mut stop: watch::Receiver<bool>,
    linger: Duration,
    idle: impl Future<Output = ()>,
) -> hyper::Result<()> {
    tokio::select! {
        outcome = connection.as_mut() => return outcome,
        _ = stop.wait_for(|stop| *stop) => {}
        () = idle => {}
    }
    // A request may be on its way already: it is answered, and the answer closes the connection. One that has come by then is
    // seen first, even where the pause is over before anything was looked at.
    tokio::select! {
        biased;
        outcome = connection.as_mut() => return outcome,
        () = sleep(linger) => {}
    }
    drain(connection.as_mut());
    timeout(FAREWELL, connection).await.unwrap_or(Ok(()))
}

/// When a connection was last of use.
struct Activity {
    began: Instant,
    requests: AtomicUsize,
    /// Milliseconds after `began` when the last request ended.
    last: AtomicU64,
    served: AtomicU64,
}

impl Activity {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            requests: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            served: AtomicU64::new(0),
        }
    }

    /// Waits until the connection has been of no use for too long.
    async fn idle(&self) {
        loop {
            sleep(Duration::from_secs(1)).await;
            let bound = if self.served.load(Ordering::Relaxed) == 0 { SILENCE } else { IDLE };
            let quiet =
                self.began.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)));
            if self.requests.load(Ordering::Relaxed) == 0 && quiet >= bound {
                return;
            }
        }
    }
}

/// A request on a connection.
struct Busy(Arc<Activity>);

impl Busy {
    fn new(activity: Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        activity.served.fetch_add(1, Ordering::Relaxed);
        Self(activity)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let millis = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last.store(millis, Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}
