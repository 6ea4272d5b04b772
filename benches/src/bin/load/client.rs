//! One connection that is kept open, and requests over it, one after the other: hyper's client, HTTP/1.1.
//!
//! It follows no redirect and speaks no TLS.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use scim_bench::world::Failure;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server and how to be let in.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Host and port.
    authority: String,
    /// The path of the base URL, without a trailing slash.
    prefix: String,
    /// What every request carries.
    headers: HeaderMap,
}

/// A request, without what is the same in all of them.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Below the base URL, escaped as it is sent.
    pub(crate) path: String,
    /// Empty where there is none.
    pub(crate) body: String,
}

/// An answer as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// 0 when none came.
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// What the server said, or why nothing came.
    pub(crate) body: Bytes,
}

/// A connection, opened when the first request needs it and again when the server closes it.
pub(crate) struct Client {
    target: Target,
    sender: Option<SendRequest<Full<Bytes>>>,
    /// How often it was opened.
    pub(crate) opened: u64,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: String::new() }
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, path: path.into(), body: String::new() }
    }

    pub(crate) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self { method: Method::POST, path: path.into(), body: body.to_string() }
    }

    pub(crate) fn patch(path: impl Into<String>, body: &Value) -> Self {
        Self { method: Method::PATCH, path: path.into(), body: body.to_string() }
    }
}

impl Answer {
    pub(crate) fn succeeded(&self) -> bool {
        (200..=299).contains(&self.status)
    }

    /// The body as JSON, null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The identifier of the resource in the body. Some servers write numbers.
    pub(crate) fn id(&self) -> Option<String> {
        identifier(self.json().get("id")?)
    }

    /// What was said, short enough for a line.
    pub(crate) fn excerpt(&self) -> String {
        let body = self.json();
        let text = body.get("detail").and_then(Value::as_str).map(str::to_owned);
        let text = text.unwrap_or_else(|| String::from_utf8_lossy(&self.body).into_owned());
        let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(120).collect();
        match self.status {
            0 => format!("no answer: {line}"),
            status => format!("{status} {line}").trim_end().to_owned(),
        }
    }
}

/// The text of an identifier.
pub(crate) fn identifier(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Target {
    /// Reads a base URL. The headers replace those that would be sent otherwise.
    pub(crate) fn parse(
        url: &str,
        token: Option<&str>,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Self, Failure> {
        let rest = url.strip_prefix("http://").ok_or_else(|| {
            format!("`{url}` does not begin with `http://`; TLS is not spoken here, put a proxy in between")
        })?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let with_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if with_port { authority.to_owned() } else { format!("{authority}:80") };
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        let mut all = HeaderMap::new();
        all.insert(HOST, HeaderValue::from_str(&authority)?);
        all.insert("accept", HeaderValue::from_static("application/scim+json"));
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))?;
            value.set_sensitive(true);
            all.insert(AUTHORIZATION, value);
        }
        all.extend(headers.iter().cloned());
        Ok(Self { authority, prefix, headers: all })
    }

    fn request(&self, call: &Call) -> Result<Request<Full<Bytes>>, http::Error> {
        let path = format!("{}{}", self.prefix, call.path);
        let mut request = Request::builder().method(&call.method).uri(path).body(Full::default())?;
        request.headers_mut().clone_from(&self.headers);
        if call.body.is_empty() {
            request.headers_mut().remove(CONTENT_TYPE);
        } else {
            *request.body_mut() = Full::new(Bytes::from(call.body.clone()));
        }
        Ok(request)
    }
}

impl Client {
    pub(crate) fn new(target: &Target) -> Self {
        Self { target: target.clone(), sender: None, opened: 0 }
    }

    /// Sends a request and reads the whole answer. When none comes, the status is 0 and the body says why.
    pub(crate) async fn answer(&mut self, call: &Call) -> Answer {
        let outcome = match timeout(PATIENCE, self.exchange(call)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        };
        outcome.unwrap_or_else(|error| {
            self.sender = None;
            Answer { body: Bytes::from(error.to_string()), ..Answer::default() }
        })
    }

    async fn exchange(&mut self, call: &Call) -> Result<Answer, Failure> {
        loop {
            let kept = self.sender.is_some();
            match self.send(self.target.request(call)?).await {
                // A server may close a connection while nothing is sent. hyper tells when the request was not taken.
                Err(error) if kept && gone(&error, call) => self.sender = None,
                outcome => return outcome,
            }
        }
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let mut sender = match self.sender.take() {
            Some(sender) => sender,
            None => {
                self.opened += 1;
                connect(&self.target.authority).await?
            }
        };
        sender.ready().await?;
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.sender = Some(sender);
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

/// Whether a kept connection had been closed before the request reached anybody, as far as can be told.
fn gone(error: &Failure, call: &Call) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(|error| {
        error.is_canceled()
            || error.is_closed()
            || (error.is_incomplete_message() && call.method == Method::GET)
    })
}

async fn connect(authority: &str) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// What a client makes of servers that give these bytes to one request each and close, in turn.
    async fn answers(bytes: &'static [&'static str]) -> (Vec<Answer>, String, u64) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/scim/", listener.local_addr().expect("bound"));
        let serving = tokio::spawn(async move {
            let mut request = vec![0; 1024];
            let mut length = 0;
            for answer in bytes {
                let (mut socket, _) = listener.accept().await.expect("a client");
                length = socket.read(&mut request).await.expect("a request");
                socket.write_all(answer.as_bytes()).await.expect("sent");
            }
            String::from_utf8(request[..length].to_vec()).expect("text")
        });
        let header = (HeaderName::from_static("x-key"), HeaderValue::from_static("1"));
        let target = Target::parse(&url, Some("t"), &[header]).expect("a URL");
        let mut client = Client::new(&target);
        let mut answers = Vec::new();
        for _ in bytes {
            answers.push(client.answer(&Call::get("/Users")).await);
        }
        (answers, serving.await.expect("served"), client.opened)
    }

    #[tokio::test]
    async fn answers_are_read_to_their_end() {
        let (answers, request, opened) = answers(&[
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 204 No Content\r\netag: W/\"1\"\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhell\r\n1\r\no\r\n0\r\n\r\n",
            "nonsense\r\n\r\n",
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"id\":7}",
        ])
        .await;
        let seen: Vec<_> = answers.iter().map(|answer| (answer.status, answer.body.as_ref())).collect();
        assert_eq!(seen[..3], [(200, &b"hello"[..]), (204, b""), (200, b"hello")]);
        assert_eq!((answers[3].status, answers[4].id().as_deref()), (0, Some("7")));
        assert!(answers[3].excerpt().starts_with("no answer: "), "{}", answers[3].excerpt());
        assert_eq!(opened, 5, "each of them closed the connection");
        for line in ["GET /scim/Users HTTP/1.1\r\n", "authorization: Bearer t\r\n", "x-key: 1\r\n"] {
            assert!(request.contains(line), "{request}");
        }
    }

    #[test]
    fn only_plain_http_is_spoken() {
        assert!(Target::parse("https://scim.example", None, &[]).is_err());
        let target = Target::parse("http://scim.example", None, &[]).expect("a URL");
        assert_eq!((target.authority.as_str(), target.prefix.as_str()), ("scim.example:80", ""));
    }
}
