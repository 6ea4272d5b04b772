//! One request and its answer: identifier, time limit, panics, counters and the line in the log.
//!
//! The line names the endpoint's class and never the path, the query, a header or a body.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use scim_service::{RequestId, Served, Service};
use serde_json::json;
use tokio::time::timeout;

use super::body;
use super::lines::Lines;
use super::metrics::Metrics;

/// What all requests share.
pub(super) struct Exchange {
    pub(super) service: Service,
    pub(super) metrics: Arc<Metrics>,
    /// How long a request may take until it is answered, two thirds of which its body may take to arrive.
    pub(super) limit: Duration,
    pub(super) ids: RequestIds,
    /// The lines of the log that are left for requests that are not let in.
    pub(super) refused: Lines,
    /// Whether the server is about to end, so that clients should not send another request on the same connection.
    pub(super) draining: AtomicBool,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Exchange {
    /// Answers a request. Whatever happens, there is an answer and a line in the log; if nobody waits for the answer any
    /// more, a line that says so.
    pub(super) async fn answer(&self, mut request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mut open = Open {
            id: self.ids.next(),
            method: known(request.method()),
            began: Instant::now(),
            is_answered: false,
            metrics: &self.metrics,
            refused: &self.refused,
        };
        // Dropped before `open`: whoever reads in the log that a client went away finds the request counted no more.
        let _counted = self.metrics.begin();
        let version = request.version();
        request.extensions_mut().insert(RequestId(open.id.clone()));
        let limit = self.limit;
        let host_is_clear = host_is_clear(&request);
        let (request, unread) = body::timed(request, limit * 2 / 3);
        // Pinned here, since it is large and would be copied on its way into `timeout`.
        let handled = pin!(async {
            match host_is_clear {
                true => AssertUnwindSafe(self.service.handle(request)).catch_unwind().await,
                false => Ok(refusal(StatusCode::BAD_REQUEST, "a request has one Host header")),
            }
        });
        let mut response = match timeout(limit, handled).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => {
                self.metrics.panicked();
                tracing::error!(
                    request = open.id,
                    "the request failed by a bug; the panic before this line says where"
                );
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log knows why")
            }
            Err(_) => {
                let mut response = refusal(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the request took too long; try again; the outcome of a write is not known",
                );
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
                response
            }
        };
        if let Ok(value) = HeaderValue::from_str(&open.id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let is_last = self.draining.load(Ordering::Relaxed);
        if version < Version::HTTP_2 && (!unread.drained().await || is_last) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let served = response.extensions_mut().remove();
        let served = served.unwrap_or(Served { route: "-", ..Served::default() });
        open.answered(served, response.status());
        response
    }
}

/// A request from its head to its answer.
struct Open<'a> {
    id: String,
    method: &'static str,
    began: Instant,
    is_answered: bool,
    metrics: &'a Metrics,
    refused: &'a Lines,
}

impl Open<'_> {
    fn answered(&mut self, served: Served, status: StatusCode) {
        self.is_answered = true;
        let (status, took) = (status.as_u16(), self.began.elapsed());
        let Served { tenant, route, is_admitted, scim_type } = served;
        self.metrics.answered(self.method, route, status, took);
        let is_refused = !is_admitted || status == StatusCode::TOO_MANY_REQUESTS.as_u16();
        if is_refused && !self.refused.take() {
            return;
        }
        let tenant = tenant.unwrap_or_default();
        let (request, method, micros) = (&self.id, self.method, micros(took));
        tracing::info!(request, tenant, method, route, status, scim_type, micros, "request");
    }
}

impl Drop for Open<'_> {
    /// What was begun is carried out or not, as it is when a server fails: a write that the store has is written.
    fn drop(&mut self) {
        if !self.is_answered {
            self.metrics.abandoned();
            // Nobody knows whether it would have been let in.
            if !self.refused.take() {
                return;
            }
            let (request, method, micros) = (&self.id, self.method, micros(self.began.elapsed()));
            tracing::info!(request, method, micros, "the client went away before it was answered");
        }
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// Identifiers of requests: unique on this server, and not to be guessed from one another by eye.
pub(super) struct RequestIds {
    origin: u64,
    count: AtomicU64,
}

impl RequestIds {
    /// Begins at a random place.
    pub(super) fn starting_at(origin: u64) -> Self {
        Self { origin, count: AtomicU64::default() }
    }

    fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        // An odd factor makes this a permutation, so that no number repeats.
        let number = self.origin.wrapping_add(count.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        format!("{number:016x}")
    }
}

/// RFC 9112 §3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a
/// Host header field and to any request message that contains more than one".
fn host_is_clear(request: &Request<Incoming>) -> bool {
    let count = request.headers().get_all(HOST).iter().count();
    count == 1 || (count == 0 && request.version() != Version::HTTP_11)
}

/// A method by its name, if it is one that SCIM or HTTP knows: a name is at most as long as a header may be.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// An error message of RFC 7644 §3.12 about something that the service had no part in.
fn refusal(status: StatusCode, detail: &str) -> Response<Full<Bytes>> {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": status.as_str(),
        "detail": detail,
    });
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_identifiers_do_not_repeat() {
        let ids = RequestIds::starting_at(u64::MAX);
        let drawn: std::collections::HashSet<String> = (0..1000).map(|_| ids.next()).collect();
        assert_eq!(drawn.len(), 1000);
        assert!(drawn.iter().all(|id| id.len() == 16));
    }
}
