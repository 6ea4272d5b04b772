//! Why a text is no domain, or no domain that a tenant may list, in words for whoever wrote it.

use std::error::Error;
use std::fmt;

use super::{DOMAIN_LIMIT, LABEL_LIMIT};
use crate::value::character::{named, quoted};

/// Why a domain is refused, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainError {
    text: String,
    pub(super) reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    Empty,
    TooLong,
    LongLabel,
    Machine,
    Address,
    Wildcard,
    Url,
    Character(char),
    TrailingDot,
    EmptyLabel,
    Hyphen,
    Punycode(String),
    Malformed,
    SingleLabel,
    PublicSuffix,
    FreeMail,
    Shared,
    Twice,
}

impl DomainError {
    pub(super) fn new(text: &str, reason: Reason) -> Self {
        Self { text: quoted(text), reason }
    }

    /// What is wrong: lower-case, without a full stop.
    pub fn explanation(&self) -> String {
        let text = &self.text;
        match &self.reason {
            Reason::Empty => "the domain is empty".to_owned(),
            Reason::TooLong => format!("`{text}` is longer than the {DOMAIN_LIMIT} characters of a domain"),
            Reason::LongLabel => {
                format!(
                    "`{text}` has more than {LABEL_LIMIT} characters between two dots, counted in punycode"
                )
            }
            Reason::Machine => format!("`{text}` is the number of a machine, not a domain"),
            Reason::Address => format!("`{text}` is not a domain but holds an `@`, like an address"),
            Reason::Wildcard => format!("`{text}` is a pattern, not a domain"),
            Reason::Url => format!("`{text}` is not a domain but looks like a URL"),
            Reason::Character(character) => {
                format!("the domain `{text}` holds {}, which no domain has", named(*character))
            }
            Reason::TrailingDot => format!("the domain `{text}` ends in a dot"),
            Reason::EmptyLabel => format!("the domain `{text}` has a dot with nothing before it"),
            Reason::Hyphen => format!("the domain `{text}` has a hyphen beside a dot or at an end"),
            Reason::Punycode(label) => {
                format!("`{}` in the domain `{text}` is not punycode of anything", quoted(label))
            }
            Reason::Malformed => format!("`{text}` has characters in an order that no domain has (IDNA)"),
            Reason::SingleLabel => {
                format!("`{text}` has no dot: it is a top-level domain or the name of a machine")
            }
            Reason::PublicSuffix => {
                format!("`{text}` is a public suffix: anybody can register a domain below it")
            }
            Reason::FreeMail => format!("`{text}` is a free-mail domain: anybody can get an address there"),
            Reason::Shared => format!("`{text}` is shared by all customers of one provider"),
            Reason::Twice => format!("the domain `{text}` is listed twice"),
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match &self.reason {
            Reason::Empty | Reason::SingleLabel | Reason::Malformed => {
                "write a whole domain, such as `example.com`"
            }
            Reason::TooLong | Reason::LongLabel => "shorten it",
            Reason::Machine => "use the domain that the mail server answers for",
            Reason::Address => "write only what follows the `@`",
            Reason::Wildcard => "leave `*.` off and set `subdomains = true`",
            Reason::Url => "write the domain alone, such as `example.com`",
            Reason::Character(_) => "replace or remove that character",
            Reason::TrailingDot => "leave the last dot off",
            Reason::EmptyLabel | Reason::Hyphen => "remove the dot or hyphen that is too many",
            Reason::Punycode(_) => "write the domain in Unicode, such as `bücher.example`",
            Reason::PublicSuffix => "list the domain that your organisation registered below it",
            Reason::FreeMail => "list domains that your organisation administers",
            Reason::Shared => "list your own name below it",
            Reason::Twice => "remove one of the two",
        }
    }
}

impl fmt::Display for DomainError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.explanation(), self.remedy())
    }
}

impl Error for DomainError {}
