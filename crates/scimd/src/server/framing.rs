//! Where one HTTP/1.1 message ends and the next begins, judged strictly while the bytes pass by.
//!
//! hyper follows RFC 9112 §6.3 where a message states its length twice: `Transfer-Encoding` wins over
//! `Content-Length`, and equal lengths count once. A proxy in front may decide otherwise, which is how requests are
//! smuggled. So such messages are refused here before hyper sees the end of their head. Everything that a header may
//! be otherwise is left to hyper's parser: this one only has to be at least as strict about lengths and line ends.

use memchr::memchr;

/// Follows the messages on one connection.
#[derive(Debug)]
pub(super) struct Framing {
    state: State,
    line: Line,
    head: Head,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Between messages: empty lines are allowed here.
    Start,
    /// In the header fields.
    Fields,
    /// This many bytes of body are left.
    Body(u64),
    /// At a chunk's size.
    ChunkSize,
    /// This many bytes of a chunk and its line end are left.
    Chunk(u64),
    /// In the trailer fields.
    Trailers,
    Refused,
}

/// The lengths that a head states.
#[derive(Debug, Default)]
struct Head {
    length: Option<u64>,
    chunked: bool,
}

/// What a line begins with; the rest does not matter to framing.
#[derive(Debug)]
struct Line {
    bytes: [u8; Self::KEPT],
    length: usize,
    /// The last byte so far.
    last: u8,
}

/// The message cannot be framed beyond doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

impl Framing {
    pub(super) fn new() -> Self {
        Self { state: State::Start, line: Line::new(), head: Head::default() }
    }

    /// Follows the bytes that were received next.
    ///
    /// # Errors
    /// The index of the first byte that must not be believed, which is the end of a line in a head or a chunk's frame.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.state {
                State::Refused => return Err(at),
                State::Body(left) => {
                    let taken = left.min(rest.len() as u64);
                    at += taken as usize;
                    self.state = if taken == left { State::Start } else { State::Body(left - taken) };
                }
                State::Chunk(left) => {
                    let taken = left.min(rest.len() as u64);
                    at += taken as usize;
                    self.state = if taken == left { State::ChunkSize } else { State::Chunk(left - taken) };
                }
                State::Start | State::Fields | State::ChunkSize | State::Trailers => {
                    let Some(end) = memchr(b'\n', rest) else {
                        self.line.extend(rest);
                        return Ok(());
                    };
                    self.line.extend(rest.get(..end).unwrap_or_default());
                    if self.line.end(&mut self.state, &mut self.head).is_err() {
                        self.state = State::Refused;
                        return Err(at + end);
                    }
                    self.line.clear();
                    at += end + 1;
                }
            }
        }
        Ok(())
    }
}

impl Line {
    /// Enough for every field whose value matters.
    const KEPT: usize = 64;

    fn new() -> Self {
        Self { bytes: [0; Self::KEPT], length: 0, last: 0 }
    }

    /// Begins a line. What was kept of the one before is never looked at.
    fn clear(&mut self) {
        (self.length, self.last) = (0, 0);
    }

    fn extend(&mut self, bytes: &[u8]) {
        let free = self.bytes.get_mut(self.length..).unwrap_or_default();
        let count = free.len().min(bytes.len());
        if let (Some(free), Some(first)) = (free.get_mut(..count), bytes.get(..count)) {
            free.copy_from_slice(first);
        }
        self.length = self.length.saturating_add(bytes.len());
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    /// What is decided at the end of the line.
    fn end(&self, state: &mut State, head: &mut Head) -> Result<(), Ambiguous> {
        // RFC 9112 §2.2 lets a server read a lone LF as a line end. Others do not, so this one does not either.
        if self.last != b'\r' {
            return Err(Ambiguous);
        }
        let length = self.length - 1;
        let text = self.bytes.get(..length.min(Self::KEPT)).unwrap_or_default();
        let whole = length <= Self::KEPT;
        match *state {
            State::Start if length == 0 => {}
            State::Start => {
                *head = Head::default();
                *state = State::Fields;
            }
            State::Fields if length == 0 => {
                *state = match (head.chunked, head.length) {
                    (true, _) => State::ChunkSize,
                    (false, None | Some(0)) => State::Start,
                    (false, Some(length)) => State::Body(length),
                };
            }
            State::Fields => head.field(text, whole)?,
            State::ChunkSize => {
                let size = chunk_size(text).filter(|_| whole).ok_or(Ambiguous)?;
                *state = if size == 0 { State::Trailers } else { State::Chunk(size + 2) };
            }
            State::Trailers if length == 0 => *state = State::Start,
            State::Trailers => Head::trailer(text)?,
            State::Body(_) | State::Chunk(_) | State::Refused => return Err(Ambiguous),
        }
        Ok(())
    }
}

impl Head {
    fn field(&mut self, text: &[u8], whole: bool) -> Result<(), Ambiguous> {
        match Field::of(text)? {
            Field::ContentLength(value) => {
                let once = self.length.is_none() && !self.chunked && whole;
                self.length = Some(decimal(value).filter(|_| once).ok_or(Ambiguous)?);
            }
            Field::TransferEncoding(value) => {
                let once = self.length.is_none() && !self.chunked && whole;
                self.chunked = once && value.eq_ignore_ascii_case(b"chunked");
                if !self.chunked {
                    return Err(Ambiguous);
                }
            }
            Field::Other => {}
        }
        Ok(())
    }

    /// A field behind the body, where it is too late to state a length.
    fn trailer(text: &[u8]) -> Result<(), Ambiguous> {
        match Field::of(text)? {
            Field::Other => Ok(()),
            Field::ContentLength(_) | Field::TransferEncoding(_) => Err(Ambiguous),
        }
    }
}

enum Field<'a> {
    ContentLength(&'a [u8]),
    TransferEncoding(&'a [u8]),
    Other,
}

impl<'a> Field<'a> {
    fn of(text: &'a [u8]) -> Result<Self, Ambiguous> {
        // A line that begins with white space would continue the one before it (RFC 9112 §5.2).
        if text.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(Ambiguous);
        }
        let Some(colon) = memchr(b':', text) else { return Ok(Self::Other) };
        let (name, value) =
            (text.get(..colon).unwrap_or_default(), text.get(colon + 1..).unwrap_or_default());
        let value = value.trim_ascii();
        // White space before the colon is refused by hyper; trimming makes sure that it is never what matters.
        match name.trim_ascii() {
            name if name.eq_ignore_ascii_case(b"content-length") => Ok(Self::ContentLength(value)),
            name if name.eq_ignore_ascii_case(b"transfer-encoding") => Ok(Self::TransferEncoding(value)),
            _ => Ok(Self::Other),
        }
    }
}

fn decimal(text: &[u8]) -> Option<u64> {
    let plain = !text.is_empty() && text.len() <= 19 && text.iter().all(u8::is_ascii_digit);
    plain.then(|| text.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// The size of a chunk, without extensions: nobody sends any, and they have been used for smuggling.
fn chunk_size(text: &[u8]) -> Option<u64> {
    let plain = !text.is_empty() && text.len() <= 15 && text.iter().all(u8::is_ascii_hexdigit);
    plain
        .then(|| std::str::from_utf8(text).ok().and_then(|text| u64::from_str_radix(text, 16).ok()))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the bytes are followed to the end, however they are cut; and if they are, whether a message ended there.
    fn check(text: &str, expected: &str) {
        for size in [1, 2, 3, 7, text.len().max(1)] {
            let mut framing = Framing::new();
            let mut seen = 0;
            let result = text.as_bytes().chunks(size).try_for_each(|chunk| {
                let result = framing.follow(chunk).map_err(|at| seen + at);
                seen += chunk.len();
                result
            });
            let actual = match result {
                Ok(()) if framing.state == State::Start && framing.line.length == 0 => "complete".to_owned(),
                Ok(()) => "open".to_owned(),
                Err(at) => format!("refused after {}", text[..at].rsplit('\n').next().unwrap_or_default()),
            };
            assert_eq!(actual.trim_end(), expected, "{text:?} by {size}");
        }
    }

    #[test]
    fn messages_follow_each_other() {
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "complete");
        check("GET / HTTP/1.1\r\nHost: a\r\n", "open");
        check("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcd", "open");
        check("POST / HTTP/1.1\r\ncontent-length:5 \r\n\r\nab\n\rd\r\nGET / HTTP/1.1\r\n\r\n", "complete");
        check("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "complete");
        check(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
            "complete",
        );
        check("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\nX: y\r\n\r\nGET", "open");
        check(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "complete",
        );
        let long = "x".repeat(10_000);
        check(&format!("GET /{long} HTTP/1.1\r\nCookie: {long}\r\n\r\n"), "complete");
    }

    #[test]
    fn what_looks_like_a_field_in_a_body_is_none() {
        let body = "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(&format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()), "complete");
    }

    #[test]
    fn doubtful_lengths_are_refused() {
        for (fields, last) in [
            ("Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5"),
            ("Content-Length: 5\r\nX: y\r\nCONTENT-LENGTH: 6", "CONTENT-LENGTH: 6"),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked"),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length: 5"),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked"),
            ("Transfer-Encoding: gzip, chunked", "Transfer-Encoding: gzip, chunked"),
            ("Transfer-Encoding: identity", "Transfer-Encoding: identity"),
            ("Transfer-Encoding:", "Transfer-Encoding:"),
            ("Content-Length: 5, 5", "Content-Length: 5, 5"),
            ("Content-Length: +5", "Content-Length: +5"),
            ("Content-Length: 0x5", "Content-Length: 0x5"),
            ("Content-Length:", "Content-Length:"),
            ("Content-Length: 99999999999999999999", "Content-Length: 99999999999999999999"),
            ("Content-Length : 5\r\nContent-Length: 5", "Content-Length: 5"),
            ("X: y\r\n Content-Length: 5", " Content-Length: 5"),
            ("X: y\nContent-Length: 5", "X: y"),
        ] {
            check(&format!("POST / HTTP/1.1\r\n{fields}\r\n\r\nabcde"), &format!("refused after {last}"));
        }
        let padded = format!("Content-Length:{}5", " ".repeat(80));
        check(&format!("POST / HTTP/1.1\r\n{padded}\r\n\r\n"), &format!("refused after {padded}"));
    }

    #[test]
    fn doubtful_chunks_are_refused() {
        for size in ["", "x", "5;a=b", "-1", "+1", "0x5", " 5", "1234567890abcdef"] {
            let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
            check(&format!("{head}{size}\r\nabcde\r\n"), format!("refused after {size}").trim_end());
        }
    }
}
