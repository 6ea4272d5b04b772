//! Why a text names no language, in words for whoever wrote it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use super::LanguageTag;
use super::names::meant;
use crate::value::character::quoted;

/// Why a language is refused, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LanguageError {
    text: String,
    reason: Reason,
    meant: Option<LanguageTag>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    Empty,
    TooLong,
    NoLanguage,
    Unknown,
    NoShortCode(&'static str),
    Script(String),
    Region(String),
    Malformed,
    Weight,
}

impl LanguageError {
    pub(super) fn new(text: &str, reason: Reason) -> Self {
        let meant = if reason == Reason::Unknown { meant(text) } else { None };
        Self { text: quoted(text), reason, meant }
    }

    /// What is wrong: lower-case, without a full stop.
    pub fn explanation(&self) -> String {
        let text = &self.text;
        match &self.reason {
            Reason::Empty => "the language is empty".to_owned(),
            Reason::TooLong => format!("`{text}` is too long to be a list of languages"),
            Reason::NoLanguage => format!("`{text}` names no language that is preferred"),
            Reason::Unknown => format!("`{text}` is no language that is known"),
            Reason::NoShortCode(name) => format!("`{text}` ({name}) is a language without an ISO 639-1 code"),
            Reason::Script(subtag) => {
                format!("`{}` in the language `{text}` is no script (ISO 15924)", quoted(subtag))
            }
            Reason::Region(subtag) => {
                format!("`{}` in the language `{text}` is no region (ISO 3166-1)", quoted(subtag))
            }
            Reason::Malformed => format!("`{text}` has parts in an order that no language tag has (BCP 47)"),
            Reason::Weight => format!("the weight of `{text}` is not a number between 0 and 1"),
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> Cow<'static, str> {
        if let Some(meant) = self.meant {
            return Cow::Owned(format!("did you mean `{meant}`?"));
        }
        match &self.reason {
            Reason::Empty | Reason::NoLanguage | Reason::Unknown | Reason::Malformed => {
                Cow::Borrowed("send an ISO 639-1 code such as `de`, with a region where it matters: `de-DE`")
            }
            Reason::TooLong => Cow::Borrowed("send a few languages at most"),
            Reason::NoShortCode(_) => {
                Cow::Borrowed("send a language that has a code of two letters, such as `de`")
            }
            Reason::Script(_) => Cow::Borrowed("leave the script off, or send its code, such as `Latn`"),
            Reason::Region(_) => Cow::Borrowed("leave the region off, or send its code, such as `DE`"),
            Reason::Weight => Cow::Borrowed("send weights such as `de;q=0.9`"),
        }
    }
}

impl fmt::Display for LanguageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.explanation(), self.remedy())
    }
}

impl Error for LanguageError {}
