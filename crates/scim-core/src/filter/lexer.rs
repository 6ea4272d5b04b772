//! Tokens of filters and paths, borrowed from the text.

use std::borrow::Cow;
use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'t> {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    /// A name, an operator, a number or a bare literal.
    Word(&'t str),
    /// A string literal, with its escapes resolved.
    Text(Cow<'t, str>),
    End,
}

/// Reads tokens one by one.
pub(super) struct Lexer<'t> {
    text: &'t str,
    position: usize,
    kind: ErrorKind,
}

impl<'t> Lexer<'t> {
    /// A lexer whose errors are of `kind`.
    pub(super) fn new(text: &'t str, kind: ErrorKind) -> Self {
        Self { text, position: 0, kind }
    }

    /// Where the next token will begin, white space aside.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Goes back to a place that [`Self::position`] gave.
    pub(super) fn rewind(&mut self, position: usize) {
        self.position = position;
    }

    /// Whether a `.` follows with nothing in between, as in `emails[…].value`. It is taken.
    pub(super) fn dot(&mut self) -> bool {
        let found = self.rest().starts_with('.');
        self.position += usize::from(found);
        found
    }

    /// The next token and its place.
    pub(super) fn next(&mut self) -> Result<(Token<'t>, Range<usize>)> {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches(' ');
        self.position += rest.len() - trimmed.len();
        let start = self.position;
        let (token, length) = match trimmed.bytes().next() {
            None => (Token::End, 0),
            Some(b'(') => (Token::Open, 1),
            Some(b')') => (Token::Close, 1),
            Some(b'[') => (Token::OpenBracket, 1),
            Some(b']') => (Token::CloseBracket, 1),
            Some(b'"') => self.string(trimmed)?,
            Some(_) => {
                let end =
                    trimmed.bytes().position(|byte| b" ()[]\"".contains(&byte)).unwrap_or(trimmed.len());
                let word = trimmed.get(..end).unwrap_or(trimmed);
                (Token::Word(word), word.len())
            }
        };
        self.position += length;
        Ok((token, start..self.position))
    }

    /// An error at a place, saying at which character that is.
    pub(super) fn error(&self, span: Range<usize>, explanation: impl std::fmt::Display) -> Error {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let number = before.chars().count() + 1;
        Error::new(self.kind, format!("at character {number}: {explanation}")).spanning(span)
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.position..).unwrap_or_default()
    }

    /// A JSON string (RFC 8259 §7).
    fn string(&self, rest: &'t str) -> Result<(Token<'t>, usize)> {
        let mut escaped = false;
        let mut plain = true;
        let end = rest.bytes().enumerate().skip(1).find_map(|(index, byte)| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => (escaped, plain) = (true, false),
                b'"' => return Some(index),
                0..=0x1F => plain = false,
                _ => {}
            }
            None
        });
        let Some(end) = end else {
            let error = self.error(self.position..self.text.len(), "the string is not closed");
            return Err(error.remedy("end it with `\"`"));
        };
        let content = rest.get(1..end).unwrap_or_default();
        if plain {
            return Ok((Token::Text(Cow::Borrowed(content)), end + 1));
        }
        let span = self.position..self.position + end + 1;
        let decoded: String = serde_json::from_str(rest.get(..=end).unwrap_or_default()).map_err(|_| {
            self.error(
                span.clone(),
                "the string has an escape or a control character that JSON does not allow",
            )
            .remedy("write `\\\\` for a backslash and `\\\"` for a quote")
        })?;
        if decoded.contains('\0') {
            return Err(self.error(span, "the string holds a NUL character"));
        }
        Ok((Token::Text(Cow::Owned(decoded)), end + 1))
    }
}
