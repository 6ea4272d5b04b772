//! The bare server: hyper, an accept loop, and one answer to everything. It is what HTTP itself costs on the machine.

use std::convert::Infallible;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use scim_bench::world::Failure;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::client::Answer;

/// Headers that hyper writes itself.
const OWN: [&str; 3] = ["content-length", "date", "connection"];

/// Writes down what the server is to answer.
pub(crate) fn write(file: &Path, answer: &Answer) -> Result<(), Failure> {
    let Answer { status, headers, body } = answer;
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default())).collect();
    let body = std::str::from_utf8(body)?;
    fs::write(file, json!({ "status": status, "headers": headers, "body": body }).to_string())?;
    Ok(())
}

/// Prints the address, and serves until the process ends.
pub(crate) fn run(file: &Path) -> Result<(), Failure> {
    let answer: Value = serde_json::from_slice(&fs::read(file)?)?;
    let response = response(&answer)?;
    Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let response = response.clone();
            tokio::spawn(async move {
                let service = service_fn(|_: Request<Incoming>| {
                    let response = response.clone();
                    async { Ok::<_, Infallible>(response) }
                });
                let builder = http1::Builder::new().timer(TokioTimer::new()).clone();
                let _ = builder.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    })
}

fn response(answer: &Value) -> Result<Response<Full<Bytes>>, Failure> {
    let part = |name: &str| answer.get(name).ok_or_else(|| format!("the answer has no {name}"));
    let body = part("body")?.as_str().unwrap_or_default().to_owned();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(part("status")?.as_u64().unwrap_or_default() as u16)?;
    for field in part("headers")?.as_array().into_iter().flatten() {
        let text = |index: usize| field.get(index).and_then(Value::as_str).unwrap_or_default();
        if !OWN.contains(&text(0).to_ascii_lowercase().as_str()) {
            let name = HeaderName::try_from(text(0))?;
            response.headers_mut().append(name, HeaderValue::from_str(text(1))?);
        }
    }
    Ok(response)
}
