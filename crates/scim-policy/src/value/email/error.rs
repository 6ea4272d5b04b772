//! Why a text is no e-mail address of a person, in words for whoever wrote it.

use std::error::Error;
use std::fmt;

use super::{ADDRESS_LIMIT, LOCAL_LIMIT};
use crate::value::character::{named, quoted};
use crate::value::domain::DomainError;

/// Why an e-mail address is refused, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailError {
    text: String,
    pub(super) reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    Empty,
    TooLong,
    LongLocal,
    Mailto,
    DisplayName,
    Quoted,
    Comment,
    Encoded,
    Routed(char),
    NoAt,
    Several,
    SeveralAt,
    NoLocal,
    Character(char),
    Dots,
    Domain(DomainError),
    Malformed,
}

impl EmailError {
    pub(super) fn new(text: &str, reason: Reason) -> Self {
        Self { text: quoted(text), reason }
    }

    /// What is wrong: lower-case, without a full stop.
    pub fn explanation(&self) -> String {
        let text = &self.text;
        match &self.reason {
            Reason::Empty => "the e-mail address is empty".to_owned(),
            Reason::TooLong => {
                format!("`{text}` is longer than the {ADDRESS_LIMIT} bytes of an e-mail address")
            }
            Reason::LongLocal => {
                format!("`{text}` has more than {LOCAL_LIMIT} bytes before the `@`")
            }
            Reason::Mailto => format!("`{text}` is a link, not an e-mail address"),
            Reason::DisplayName => format!("`{text}` has a name or angle brackets around the e-mail address"),
            Reason::Quoted => format!("`{text}` has quotation marks, which no person's e-mail address has"),
            Reason::Comment => format!("`{text}` has a comment in parentheses"),
            Reason::Encoded => {
                format!("`{text}` has an encoded word (`=?`), which some software reads as another address")
            }
            Reason::Routed(sign) => {
                format!("`{text}` holds `{sign}`, by which some mail servers pass mail on to another domain")
            }
            Reason::NoAt => format!("`{text}` is no e-mail address: it has no `@`"),
            Reason::Several => format!("`{text}` is more than one e-mail address"),
            Reason::SeveralAt => format!("`{text}` has more than one `@`"),
            Reason::NoLocal => format!("`{text}` has nothing before the `@`"),
            Reason::Character(character) => {
                format!("`{text}` holds {}, which no e-mail address has", named(*character))
            }
            Reason::Dots => format!("`{text}` has a dot too many before the `@`"),
            Reason::Domain(error) => format!("in `{text}`, {}", error.explanation()),
            Reason::Malformed => format!("`{text}` is no e-mail address (RFC 5321)"),
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match &self.reason {
            Reason::Empty | Reason::NoAt | Reason::NoLocal | Reason::Malformed => {
                "send a whole address, such as `ada@example.com`"
            }
            Reason::TooLong | Reason::LongLocal => "shorten it",
            Reason::Mailto => "leave `mailto:` off",
            Reason::DisplayName => "send what is between the angle brackets alone",
            Reason::Quoted | Reason::Comment => "send the address without them",
            Reason::Encoded | Reason::Routed(_) => "send the address of the mailbox itself",
            Reason::Several => "send one address",
            Reason::SeveralAt => "send an address with one `@`",
            Reason::Character(_) => "replace or remove that character",
            Reason::Dots => "remove the dot at the start, at the end or beside another",
            Reason::Domain(error) => error.remedy(),
        }
    }
}

impl fmt::Display for EmailError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.explanation(), self.remedy())
    }
}

impl Error for EmailError {}
