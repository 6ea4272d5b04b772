//! One connection that is kept open, and requests over it, one after the other. Plain HTTP/1.1 on a blocking socket: the
//! generator must cost less than what it measures.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use scim_bench::world::Failure;

/// A server and how to be let in.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Host and port.
    authority: String,
    /// The path of the base URL, without a trailing slash.
    prefix: String,
    token: String,
}

/// A request, without what is the same in all of them.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    /// Below the base URL.
    pub(crate) path: String,
    pub(crate) body: String,
}

/// An answer as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A connection.
pub(crate) struct Client {
    target: Target,
    stream: TcpStream,
    out: Vec<u8>,
    input: Vec<u8>,
}

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Answers are refused past this size.
const LARGEST: usize = 1 << 30;

impl Target {
    /// Reads a base URL.
    pub(crate) fn parse(url: &str, token: &str) -> Result<Self, Failure> {
        let rest =
            url.strip_prefix("http://").ok_or("the URL must begin with `http://`; TLS is not spoken here")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let authority = match authority.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
            _ => format!("{authority}:80"),
        };
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { authority, prefix, token: token.to_owned() })
    }
}

impl Client {
    pub(crate) fn connect(target: &Target) -> io::Result<Self> {
        let stream = connect(target)?;
        Ok(Self { target: target.clone(), stream, out: Vec::new(), input: Vec::new() })
    }

    /// Sends a request and reads its status. The body is read and thrown away.
    pub(crate) fn status(&mut self, call: &Call) -> io::Result<u16> {
        match self.exchange(call).and_then(|()| self.read(None)) {
            Ok(status) => Ok(status),
            Err(error) => {
                // The next request begins anew.
                self.stream = connect(&self.target)?;
                Err(error)
            }
        }
    }

    /// Sends a request and reads the whole answer.
    pub(crate) fn answer(&mut self, call: &Call) -> io::Result<Answer> {
        self.exchange(call)?;
        let mut answer = Answer::default();
        answer.status = self.read(Some(&mut answer))?;
        Ok(answer)
    }

    fn exchange(&mut self, call: &Call) -> io::Result<()> {
        let Target { authority, prefix, token } = &self.target;
        let Call { method, path, body } = call;
        self.out.clear();
        write!(
            self.out,
            "{method} {prefix}{path} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {token}\r\n\
             accept: application/scim+json\r\n"
        )?;
        if !body.is_empty() {
            let length = body.len();
            write!(self.out, "content-type: application/scim+json\r\ncontent-length: {length}\r\n")?;
        }
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(body.as_bytes());
        self.stream.write_all(&self.out)
    }

    /// Reads an answer, and keeps it where one is given.
    fn read(&mut self, mut keep: Option<&mut Answer>) -> io::Result<u16> {
        self.input.clear();
        let (status, head, framing) = loop {
            self.more()?;
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut response = httparse::Response::new(&mut fields);
            let parsed = response.parse(&self.input).map_err(|error| invalid(&error.to_string()))?;
            let httparse::Status::Complete(head) = parsed else { continue };
            let status = response.code.unwrap_or_default();
            if let Some(answer) = &mut keep {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let fields = response.headers.iter().map(|field| (field.name.to_owned(), text(field.value)));
                answer.headers = fields.collect();
            }
            break (status, head, Framing::of(status, response.headers)?);
        };
        let body = match framing {
            Framing::Length(length) => {
                while self.input.len() < head + length {
                    self.more()?;
                }
                self.input.get(head..head + length).unwrap_or_default().to_vec_if(keep.is_some())
            }
            Framing::Chunked => self.chunks(head)?,
        };
        if let Some(answer) = keep {
            answer.body = body;
        }
        Ok(status)
    }

    fn chunks(&mut self, mut at: usize) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = httparse::parse_chunk_size(self.input.get(at..).unwrap_or_default());
            let Ok(size) = size else { return Err(invalid("a chunk has no size")) };
            let httparse::Status::Complete((length, size)) = size else {
                self.more()?;
                continue;
            };
            let size = usize::try_from(size).unwrap_or(LARGEST);
            let (begin, end) = (at + length, at + length + size);
            if end > LARGEST {
                return Err(invalid("the answer is too large"));
            }
            while self.input.len() < end + 2 {
                self.more()?;
            }
            body.extend_from_slice(self.input.get(begin..end).unwrap_or_default());
            at = end + 2;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// Reads what there is.
    fn more(&mut self) -> io::Result<()> {
        let used = self.input.len();
        self.input.resize(used + 16 * 1024, 0);
        let read = self.stream.read(self.input.get_mut(used..).unwrap_or_default());
        self.input.truncate(used + *read.as_ref().unwrap_or(&0));
        match read? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Where a body ends.
enum Framing {
    Length(usize),
    Chunked,
}

impl Framing {
    fn of(status: u16, fields: &[httparse::Header<'_>]) -> io::Result<Self> {
        let field = |name: &str| fields.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        if field("transfer-encoding").is_some() {
            return Ok(Self::Chunked);
        }
        let length = field("content-length").and_then(|field| std::str::from_utf8(field.value).ok());
        match length.map(|text| text.trim().parse::<usize>()) {
            Some(Ok(length)) if length <= LARGEST => Ok(Self::Length(length)),
            None if matches!(status, 204 | 304) => Ok(Self::Length(0)),
            Some(_) | None => Err(invalid("the answer does not say where it ends")),
        }
    }
}

trait ToVecIf {
    fn to_vec_if(&self, wanted: bool) -> Vec<u8>;
}

impl ToVecIf for [u8] {
    fn to_vec_if(&self, wanted: bool) -> Vec<u8> {
        if wanted { self.to_vec() } else { Vec::new() }
    }
}

fn connect(target: &Target) -> io::Result<TcpStream> {
    let address =
        target.authority.to_socket_addrs()?.next().ok_or_else(|| invalid("the host has no address"))?;
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What a client makes of these bytes, which come in two parts.
    fn read(bytes: &str) -> io::Result<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let target = Target::parse(&format!("http://{}/scim/", listener.local_addr().expect("bound")), "t");
        let bytes = bytes.to_owned();
        let serving = thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("a client");
            let mut request = vec![0; 1024];
            let length = socket.read(&mut request).expect("a request");
            let (first, second) = bytes.split_at(bytes.len() / 2);
            socket.write_all(first.as_bytes()).expect("sent");
            thread::sleep(Duration::from_millis(20));
            socket.write_all(second.as_bytes()).expect("sent");
            String::from_utf8(request[..length].to_vec()).expect("text")
        });
        let mut client = Client::connect(&target.expect("a URL")).expect("connects");
        let answer = client.answer(&Call { method: "GET", path: "/Users".to_owned(), body: String::new() });
        let request = serving.join().expect("served");
        assert!(request.starts_with("GET /scim/Users HTTP/1.1\r\n"), "{request}");
        answer
    }

    #[test]
    fn answers_are_read_to_their_end() {
        for (bytes, status, body) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"),
            ("HTTP/1.1 204 No Content\r\netag: W/\"1\"\r\n\r\n", 204, ""),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhell\r\n1\r\no\r\n0\r\n\r\n",
                200,
                "hello",
            ),
        ] {
            let answer = read(bytes).expect(bytes);
            assert_eq!((answer.status, answer.body.as_slice()), (status, body.as_bytes()), "{bytes}");
        }
        for bytes in
            ["HTTP/1.1 200 OK\r\n\r\n", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nx"]
        {
            assert!(read(bytes).is_err(), "{bytes}");
        }
    }

    #[test]
    fn only_plain_http_is_spoken() {
        assert!(Target::parse("https://scim.example", "t").is_err());
        let target = Target::parse("http://scim.example", "t").expect("a URL");
        assert_eq!((target.authority.as_str(), target.prefix.as_str()), ("scim.example:80", ""));
    }
}
