//! The listener for operators: `/healthz`, `/readyz` and `/metrics`, in plain HTTP/1.1, without authentication.
//!
//! It has a thread of its own. Where a disk hangs, it holds all threads that serve requests, and whoever watches the server has
//! to learn that it lives, and whether its store answers. It begins before the store is opened, since what has to be done
//! until a server can serve may take minutes.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use scim_service::environment::Environment;
use scim_store::Store;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::exchange::Exchange;
use super::listen;
use super::metrics::Metrics;
use crate::Failure;
use crate::config::{Config, DEFAULT_METRICS};
use crate::environment::System;

/// How long the store may take to show that it answers.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many threads may wait for the store to show it.
const ASKING: usize = 2;
/// Most connections at once.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// Whoever watches the server is answered until this is dropped.
pub struct Observer {
    watched: Arc<Watched>,
    /// Where it listens, and what ends it.
    place: Option<(SocketAddr, oneshot::Sender<()>)>,
}

/// What is watched.
struct Watched {
    metrics: Arc<Metrics>,
    /// What serves, from when it does.
    serving: OnceLock<Serving>,
}

struct Serving {
    exchange: Arc<Exchange>,
    store: Arc<dyn Store>,
}

impl Observer {
    /// Begins to listen where the configuration says, if it does.
    ///
    /// # Errors
    /// When it cannot listen at an address that somebody has chosen.
    pub async fn start(config: &Config) -> Result<Self, Failure> {
        let metrics = Arc::new(Metrics::starting_at(System.now()));
        let watched = Arc::new(Watched { metrics, serving: OnceLock::new() });
        let listener = match config.metrics {
            None => None,
            Some(address) => match listen(address, "metrics.listen") {
                Ok(listener) => Some(listener),
                // A second server on one machine must not fail over a port that nobody asked for.
                Err(failure) if address == DEFAULT_METRICS => {
                    tracing::warn!(%failure, "no metrics are served");
                    None
                }
                Err(failure) => return Err(failure),
            },
        };
        let cannot = |error: io::Error| Failure::io("neither metrics nor health can be served", &error);
        let place =
            listener.map(|listener| begin(listener, Arc::clone(&watched))).transpose().map_err(cannot)?;
        Ok(Self { watched, place })
    }

    /// Where it listens, if at all.
    pub fn address(&self) -> Option<SocketAddr> {
        self.place.as_ref().map(|(address, _)| *address)
    }

    /// What is counted.
    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.watched.metrics
    }

    /// The server is ready from now on.
    pub(super) fn serves(&self, exchange: Arc<Exchange>, store: Arc<dyn Store>) {
        // There is one server for it.
        let _ = self.watched.serving.set(Serving { exchange, store });
    }
}

/// Begins to serve, until what it gives back is dropped.
fn begin(listener: TcpListener, watched: Arc<Watched>) -> io::Result<(SocketAddr, oneshot::Sender<()>)> {
    let (address, listener) = (listener.local_addr()?, listener.into_std()?);
    let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(ASKING).build()?;
    let (kept, dropped) = oneshot::channel();
    let work = async move {
        tokio::select! {
            _ = dropped => Ok(()),
            ended = serve(listener, watched) => ended,
        }
    };
    let run = move || {
        if let Err(error) = runtime.block_on(work) {
            tracing::error!(%error, "neither metrics nor health are served");
        }
        // A store that does not answer is not waited for.
        runtime.shutdown_background();
    };
    thread::Builder::new().name("scimd-observer".to_owned()).spawn(run)?;
    Ok((address, kept))
}

async fn serve(listener: std::net::TcpListener, watched: Arc<Watched>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let Ok((socket, _)) = super::accept(&listener).await else { continue };
        let watched = Arc::clone(&watched);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let watched = Arc::clone(&watched);
                async move { Ok::<_, Infallible>(answer(&request, &watched).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .keep_alive(false)
                .serve_connection(TokioIo::new(socket), service);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "metrics connection");
            }
            drop(slot);
        });
    }
    Ok(())
}

async fn answer(request: &Request<Incoming>, watched: &Watched) -> Response<Full<Bytes>> {
    let serving = watched.serving.get();
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/healthz") => (StatusCode::OK, "ok\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let load = serving.and_then(|serving| serving.store.load());
            (StatusCode::OK, watched.metrics.render(load))
        }
        (&Method::GET | &Method::HEAD, "/readyz") => match ready(serving).await {
            Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
        },
        _ => (StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response
}

async fn ready(serving: Option<&Serving>) -> Result<(), &'static str> {
    let Some(Serving { exchange, .. }) = serving else { return Err("the server is starting") };
    if exchange.draining.load(Ordering::Relaxed) {
        return Err("the server is ending");
    }
    // Short reads are done on the thread that asks, and where a disk hangs they hold it.
    let (exchange, here) = (Arc::clone(exchange), Handle::current());
    let ask = move || here.block_on(exchange.service.is_current());
    match timeout(PATIENCE, spawn_blocking(ask)).await {
        Ok(Ok(Ok(true))) => Ok(()),
        Ok(Ok(Ok(false))) => {
            Err("a server with other schemas, or of another version, has been started on the store since")
        }
        Ok(Ok(Err(_)) | Err(_)) => Err("the store cannot be read"),
        Err(_) => Err("the store does not answer"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::mpsc;
    use std::time::Instant;

    use futures_util::FutureExt;
    use scim_core::schema::Registry;
    use scim_store::MemoryStore;

    use super::super::Server;
    use super::*;

    /// As a disk that hangs holds them.
    #[test]
    fn whoever_watches_is_answered_while_all_threads_are_held() {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("built");
        let text = "listen = \"127.0.0.1:0\"\n[metrics]\nlisten = \"127.0.0.1:0\"";
        let config = Config::parse(text, "here").expect("a configuration");
        let registry = Arc::new(Registry::builtin().expect("built in"));
        let observer = runtime.block_on(Observer::start(&config)).expect("started");
        let address = observer.address().expect("an address");
        let ask = |path: &str| {
            let mut socket = TcpStream::connect(address).expect("connects");
            write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("asked");
            let mut answer = String::new();
            socket.read_to_string(&mut answer).expect("answered");
            answer.lines().next().expect("a line").to_owned()
        };
        // It is the store that is asked, which has a second; a machine may take it away.
        let until_ready = || {
            let begun = Instant::now();
            while ask("/readyz") != "HTTP/1.1 200 OK" {
                assert!(begun.elapsed() < Duration::from_secs(300), "it is not ready");
            }
        };
        assert_eq!(ask("/healthz"), "HTTP/1.1 200 OK");
        assert_eq!(ask("/metrics"), "HTTP/1.1 200 OK");
        assert_eq!(ask("/readyz"), "HTTP/1.1 503 Service Unavailable");
        let bound = runtime.block_on(Server::bind(&config, observer, registry, Arc::new(MemoryStore::new())));
        let server = bound.expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let running = runtime.spawn(server.run(stopped.into_stream(), None));
        until_ready();
        let (release, released) = mpsc::channel::<()>();
        let (hold, held) = mpsc::channel();
        runtime.spawn(async move {
            hold.send(()).expect("awaited");
            let _ = released.recv();
        });
        held.recv().expect("the only thread is held");
        assert_eq!(ask("/healthz"), "HTTP/1.1 200 OK");
        assert_eq!(ask("/metrics"), "HTTP/1.1 200 OK");
        until_ready();
        drop(release);
        drop(stop);
        runtime.block_on(running).expect("ended");
    }
}
