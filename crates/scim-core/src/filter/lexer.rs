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

/// A token and its place.
type Placed<'t> = (Token<'t>, Range<usize>);

/// Reads tokens one by one, and each of them once.
pub(super) struct Lexer<'t> {
    text: &'t str,
    position: usize,
    /// The next token, if it was looked at and not taken yet.
    ahead: Option<Placed<'t>>,
    kind: ErrorKind,
}

impl<'t> Lexer<'t> {
    /// A lexer whose errors are of `kind`.
    pub(super) fn new(text: &'t str, kind: ErrorKind) -> Self {
        Self { text, position: 0, ahead: None, kind }
    }

    /// Sets the kind of errors from here on.
    pub(super) fn speak_of(&mut self, kind: ErrorKind) {
        self.kind = kind;
    }

    /// Where the next token will begin, white space aside.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Whether a `.` follows with nothing in between, as in `emails[…].value`. It is taken.
    pub(super) fn dot(&mut self) -> bool {
        let found = self.rest().starts_with('.');
        self.position += usize::from(found);
        found
    }

    /// Takes the next token if it is this word, in any case.
    #[inline]
    pub(super) fn take_word(&mut self, wanted: &str) -> Result<bool> {
        if self.ahead.is_none() {
            self.ahead = Some(self.read()?);
        }
        match &self.ahead {
            Some((Token::Word(word), span)) if word.eq_ignore_ascii_case(wanted) => {
                self.position = span.end;
                self.ahead = None;
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    /// The next token and its place.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Placed<'t>> {
        let (token, span) = match self.ahead.take() {
            Some(ahead) => ahead,
            None => self.read()?,
        };
        self.position = span.end;
        Ok((token, span))
    }

    /// Reads a token and does not take it.
    fn read(&mut self) -> Result<Placed<'t>> {
        let bytes = self.text.as_bytes();
        let mut end = self.position;
        while bytes.get(end) == Some(&b' ') {
            end += 1;
        }
        self.position = end;
        let token = match bytes.get(end) {
            None => Token::End,
            Some(b'"') => return self.string(),
            Some(b'(') => Token::Open,
            Some(b')') => Token::Close,
            Some(b'[') => Token::OpenBracket,
            Some(b']') => Token::CloseBracket,
            Some(_) => {
                let ends = |byte| matches!(byte, b' ' | b'(' | b')' | b'[' | b']' | b'"');
                while bytes.get(end).is_some_and(|byte| !ends(*byte)) {
                    end += 1;
                }
                let word = self.text.get(self.position..end).unwrap_or_default();
                return Ok((Token::Word(word), self.position..end));
            }
        };
        let length = usize::from(token != Token::End);
        Ok((token, end..end + length))
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
    fn string(&self) -> Result<Placed<'t>> {
        let (bytes, start) = (self.text.as_bytes(), self.position + 1);
        let mut end = start;
        while bytes.get(end).is_some_and(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1F)) {
            end += 1;
        }
        if bytes.get(end) != Some(&b'"') {
            return self.escaped_string();
        }
        let content = self.text.get(start..end).unwrap_or_default();
        Ok((Token::Text(Cow::Borrowed(content)), self.position..end + 1))
    }

    /// A string that holds an escape, or a character that must not be there.
    #[cold]
    fn escaped_string(&self) -> Result<Placed<'t>> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.bytes().enumerate().skip(1).find_map(|(index, byte)| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => return Some(index),
                _ => {}
            }
            None
        });
        let Some(end) = end else {
            let error = self.error(self.position..self.text.len(), "the string is not closed");
            return Err(error.remedy("end it with `\"`"));
        };
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
        Ok((Token::Text(Cow::Owned(decoded)), span))
    }
}
