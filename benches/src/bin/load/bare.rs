//! The bare server: hyper, an accept loop, and one answer to everything. It is what HTTP itself costs on the machine.
//!
//! With a file of rows it does the least that any server must that keeps resources in one: it hashes the request's token, and
//! reads the row of the identifier that the path ends with.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rusqlite::{Connection, OptionalExtension};
use scim_bench::world::Failure;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
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
pub(crate) fn run(file: &Path, rows: Option<&Path>) -> Result<(), Failure> {
    let answer: Value = serde_json::from_slice(&fs::read(file)?)?;
    let response = response(&answer)?;
    let rows = rows.map(|path| Rows { path: path.to_owned() });
    Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let (response, rows) = (response.clone(), rows.clone());
            tokio::spawn(async move {
                let service = service_fn(|request: Request<Incoming>| {
                    let mut response = response.clone();
                    if let Some(rows) = &rows {
                        rows.answer(&request, &mut response);
                    }
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

/// A file with a row for each resource, with a connection of each thread.
#[derive(Clone)]
pub(crate) struct Rows {
    path: PathBuf,
}

thread_local! {
    static READER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

impl Rows {
    /// Makes the file.
    pub(crate) fn fill(path: &Path, ids: &[String], body: &[u8]) -> Result<(), Failure> {
        let mut connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
            CREATE TABLE resource (num INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body BLOB NOT NULL) STRICT;",
        )?;
        let transaction = connection.transaction()?;
        for id in ids {
            let mut insert = transaction.prepare_cached("INSERT INTO resource (id, body) VALUES (?1, ?2)")?;
            insert.execute((id, body))?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Puts a row's body in the place of the answer's; without one, the answer is a failure.
    fn answer(&self, request: &Request<Incoming>, response: &mut Response<Full<Bytes>>) {
        let token = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        black_box(Sha256::digest(token));
        let id = request.uri().path().rsplit('/').next().unwrap_or_default();
        match READER.with_borrow_mut(|reader| self.read(reader, id)) {
            Ok(Some(body)) => *response.body_mut() = Full::new(Bytes::from(body)),
            Ok(None) => *response.status_mut() = StatusCode::NOT_FOUND,
            Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn read(&self, reader: &mut Option<Connection>, id: &str) -> rusqlite::Result<Option<Vec<u8>>> {
        let connection = match reader {
            Some(connection) => connection,
            None => {
                let connection = Connection::open(&self.path)?;
                // What the threads of a store with its default cache have.
                connection.pragma_update(None, "cache_size", -(20 << 10))?;
                reader.insert(connection)
            }
        };
        let mut statement = connection.prepare_cached("SELECT body FROM resource WHERE id = ?1")?;
        statement.query_row((id,), |row| row.get(0)).optional()
    }
}
