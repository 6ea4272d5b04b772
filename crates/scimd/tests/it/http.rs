//! A blocking HTTP/1.1 client for tests.
//!
//! It speaks over a plain socket, so that tests can also send what no client library would: broken heads, raw bytes,
//! half a request. It follows nothing, decompresses nothing and hides nothing.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use serde_json::Value;

use crate::server::PATIENCE;

/// The media type of SCIM.
pub(crate) const SCIM: &str = "application/scim+json";

/// One connection.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Reads one answer. The answer to `HEAD` has no body, whatever its head says.
    pub(crate) fn receive(&mut self, method: &str) -> Result<Answer> {
        loop {
            let answer = self.read_answer(method)?;
            if answer.status >= 200 {
                return Ok(answer);
            }
        }
    }

    /// Waits until the server closes the connection, and gives back what it still sent.
    pub(crate) fn rest(&mut self) -> Result<Vec<u8>> {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => Ok(rest),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(rest),
            Err(error) => Err(error),
        }
    }

    fn read_answer(&mut self, method: &str) -> Result<Answer> {
        let status_line = self.line().map_err(|error| match error.kind() {
            // Nothing of an answer is there.
            ErrorKind::UnexpectedEof => Error::new(ErrorKind::ConnectionAborted, error),
            _ => error,
        })?;
        let status = status_line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status: u16 = status.ok_or_else(|| odd(format!("status line `{status_line}`")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| odd(format!("header `{line}`")))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return Ok(answer);
        }
        answer.body = if answer.header("transfer-encoding").is_some_and(|coding| coding.ends_with("chunked"))
        {
            self.chunks()?
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().map_err(|_| odd(format!("Content-Length `{length}`")))?;
            self.exactly(length)?
        } else {
            self.rest()?
        };
        Ok(answer)
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(|_| odd(format!("chunk size `{line}`")))?;
            if size == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.exactly(size)?);
            self.line()?;
        }
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the server closed the connection"));
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of this name, which is given in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The body as JSON, after checking the status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Checks that this is a SCIM error of this status and `scimType` (`""` for none), and gives back its `detail`.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, scim_type: &str) -> String {
        let error = self.expect(status);
        assert_eq!(
            error["schemas"],
            serde_json::json!(["urn:ietf:params:scim:api:messages:2.0:Error"]),
            "{error}"
        );
        assert_eq!(error["status"], status.to_string(), "{error}");
        assert_eq!(error["scimType"].as_str().unwrap_or_default(), scim_type, "{error}");
        let detail = error["detail"].as_str().unwrap_or_default().to_owned();
        assert!(!detail.is_empty(), "an error without detail: {error}");
        detail
    }
}

/// A client of one tenant, with its credential. Clones share no connection.
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    /// The path in front of every path.
    pub(crate) base: String,
    /// Sent with every request, unless it names the header itself.
    pub(crate) headers: Vec<(String, String)>,
    /// When the last request was sent, other than on a connection of its own.
    pub(crate) sent: Option<Instant>,
    connection: Option<Connection>,
}

impl Clone for Client {
    fn clone(&self) -> Self {
        Self {
            address: self.address,
            base: self.base.clone(),
            headers: self.headers.clone(),
            sent: None,
            connection: None,
        }
    }
}

impl Client {
    /// A client that sends nothing but the request.
    pub(crate) fn bare(address: SocketAddr, base: &str) -> Self {
        Self { address, base: base.to_owned(), headers: Vec::new(), sent: None, connection: None }
    }

    /// A client that presents a token.
    pub(crate) fn new(address: SocketAddr, base: &str, token: &str) -> Self {
        let headers = vec![
            ("authorization".to_owned(), format!("Bearer {token}")),
            ("accept".to_owned(), SCIM.to_owned()),
            ("content-type".to_owned(), SCIM.to_owned()),
        ];
        Self { address, base: base.to_owned(), headers, sent: None, connection: None }
    }

    /// Sends a request and reads the answer. A kept connection that the server closed meanwhile is opened again.
    pub(crate) fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer> {
        if self.is_connected()
            && let Ok(answer) = self.attempt(method, path, headers, body)
        {
            return Ok(answer);
        }
        self.attempt(method, path, headers, body)
    }

    /// Sends a request once, on the kept connection if there is one, and reads the answer.
    pub(crate) fn attempt(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer> {
        let message = self.message(method, path, headers, body);
        self.sent = Some(Instant::now());
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address)?,
        };
        let answer = exchange(&mut connection, &message, method)?;
        self.keep(connection, &answer);
        Ok(answer)
    }

    /// Whether the next request goes over a connection that is open already.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Sends a request once, on a connection of its own, and reads the answer.
    pub(crate) fn call_once(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer> {
        exchange(&mut Connection::open(self.address)?, &self.message(method, path, headers, body), method)
    }

    /// The bytes of a request.
    pub(crate) fn message(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Vec<u8> {
        let mut head = format!("{method} {}{path} HTTP/1.1\r\nhost: {}\r\n", self.base, self.address);
        let given = |name: &str| headers.iter().any(|(have, _)| have.eq_ignore_ascii_case(name));
        for (name, value) in self.headers.iter().filter(|(name, _)| !given(name)) {
            if name != "content-type" || body.is_some() {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        for (name, value) in headers.iter().filter(|(name, _)| !name.is_empty()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if body.is_some() || matches!(method, "POST" | "PUT" | "PATCH") {
            head.push_str(&format!("content-length: {}\r\n", body.map_or(0, <[u8]>::len)));
        }
        head.push_str("\r\n");
        let mut message = head.into_bytes();
        message.extend_from_slice(body.unwrap_or_default());
        message
    }

    #[track_caller]
    fn must(&mut self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(|body| body.to_string().into_bytes());
        self.call(method, path, &[], body.as_deref())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.must("GET", path, None)
    }

    /// Asks until the answer is the one that is waited for, which is the only way for a client to learn of a change.
    #[track_caller]
    pub(crate) fn get_until(&mut self, what: &str, path: &str, is_it: impl Fn(&Answer) -> bool) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = self.get(path);
            if is_it(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "{what} in vain: {answer:?}");
        }
    }

    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.must("POST", path, Some(body))
    }

    #[track_caller]
    pub(crate) fn put(&mut self, path: &str, body: &Value) -> Answer {
        self.must("PUT", path, Some(body))
    }

    #[track_caller]
    pub(crate) fn patch(&mut self, path: &str, operations: Value) -> Answer {
        self.must("PATCH", path, Some(&patch_body(operations)))
    }

    #[track_caller]
    pub(crate) fn delete(&mut self, path: &str) -> Answer {
        self.must("DELETE", path, None)
    }

    /// A request with headers of its own.
    #[track_caller]
    pub(crate) fn with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let body = body.map(|body| body.to_string().into_bytes());
        self.call(method, path, headers, body.as_deref())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    fn keep(&mut self, connection: Connection, answer: &Answer) {
        if !answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.connection = Some(connection);
        }
    }
}

/// The body of a PATCH.
pub(crate) fn patch_body(operations: Value) -> Value {
    serde_json::json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

/// Percent-encodes everything but unreserved characters (RFC 3986 §2.3).
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn exchange(connection: &mut Connection, message: &[u8], method: &str) -> Result<Answer> {
    // A server may refuse before it has read everything, and close: the answer counts, not the failed write.
    let sent = connection.send(message);
    connection.receive(method).map_err(|error| match sent.err().unwrap_or(error) {
        error if error.kind() == ErrorKind::WouldBlock => {
            Error::new(ErrorKind::TimedOut, "the server is stuck")
        }
        error => error,
    })
}

fn odd(what: String) -> Error {
    Error::new(ErrorKind::InvalidData, format!("not HTTP/1.1: {what}"))
}
