//! The listener for operators: `/healthz`, `/readyz` and `/metrics`, in plain HTTP/1.1, without authentication.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use scim_store::Store;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::exchange::Exchange;

/// How long the store may take to show that it answers.
const PATIENCE: Duration = Duration::from_secs(1);
const MAX_CONNECTIONS: usize = 64;

/// Serves until it is dropped.
pub(super) async fn serve(listener: TcpListener, exchange: Arc<Exchange>, store: Arc<dyn Store>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let Ok((socket, _)) = super::accept(&listener).await else { continue };
        let (exchange, store) = (Arc::clone(&exchange), Arc::clone(&store));
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let (exchange, store) = (Arc::clone(&exchange), Arc::clone(&store));
                async move { Ok::<_, Infallible>(answer(&request, &exchange, &*store).await) }
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
}

async fn answer(
    request: &Request<Incoming>,
    exchange: &Exchange,
    store: &dyn Store,
) -> Response<Full<Bytes>> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/healthz") => (StatusCode::OK, "ok\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/metrics") => (StatusCode::OK, exchange.metrics.render(store.load())),
        (&Method::GET | &Method::HEAD, "/readyz") => match ready(exchange).await {
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

async fn ready(exchange: &Exchange) -> Result<(), &'static str> {
    if exchange.draining.load(Ordering::Relaxed) {
        return Err("the server is ending");
    }
    match timeout(PATIENCE, exchange.service.is_current()).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => {
            Err("a server with other schemas, or of another version, has been started on the store since")
        }
        Ok(Err(_)) => Err("the store cannot be read"),
        Err(_) => Err("the store does not answer"),
    }
}
