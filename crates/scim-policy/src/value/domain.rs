//! Domains: what is one, and which a tenant may list as its own.
//!
//! A [`Domain`] is kept in one form, lower-case ASCII with international labels in punycode, so that two domains are the
//! same exactly when their texts are. It refuses everything that only some readers would take for that form: trailing
//! dots, look-alike characters that some software folds, broken punycode, numbers of machines. It never asks the DNS.

mod error;
mod list;

pub use error::DomainError;
use error::Reason;
pub use list::DomainList;

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::character::{is_hidden, stands_in, trim_blanks};

/// Longest text that is looked at; what is longer is refused unread.
const TEXT_LIMIT: usize = 1000;
/// Longest domain in its ASCII form (RFC 1035 §3.1, less the length bytes).
const DOMAIN_LIMIT: usize = 253;
/// Longest label in its ASCII form (RFC 1035 §2.3.4).
const LABEL_LIMIT: usize = 63;

/// A domain in its one form. Ordered and compared as that text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain(String);

impl Domain {
    /// Reads a domain as people and machines write it: any case, Unicode or punycode, blanks around it.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        let text = trim_blanks(text);
        read(text).map(Self).map_err(|reason| DomainError::new(text, reason))
    }

    /// The ASCII form: lower-case, international labels in punycode.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form for people, as [`Display`](fmt::Display) writes it. A label that mixes scripts, or whose letters all
    /// look like Latin ones, stays in punycode: it is made to be mistaken for another.
    pub fn unicode(&self) -> String {
        if !self.0.contains("xn--") {
            return self.0.clone();
        }
        let ascii = self.0.as_bytes();
        let honest = |label: &[char], _: &[char], _: bool| !misleads(label);
        Uts46::new()
            .to_user_interface(ascii, AsciiDenyList::STD3, Hyphens::CheckFirstLast, honest)
            .0
            .into_owned()
    }

    /// Whether anybody can register a name below it, by the public suffix list. Its private section counts: whoever
    /// lists `github.io` lists the domains of strangers as much as whoever lists `co.uk`.
    pub fn is_public_suffix(&self) -> bool {
        psl::suffix(self.0.as_bytes()).is_some_and(|suffix| suffix.is_known() && suffix == self.as_str())
    }

    /// The part that somebody registered, in ASCII: the public suffix and one label. A public suffix has none.
    pub fn registrable(&self) -> Option<&str> {
        psl::domain_str(&self.0)
    }

    /// Whether anybody can get a mailbox there, by our list of free-mail providers. Subdomains are not meant: some
    /// providers' own staff have their addresses in one.
    pub fn is_free_mail(&self) -> bool {
        FREE_MAIL.contains(self.as_str())
    }

    /// The domain itself and then each domain above it, on label boundaries.
    fn and_above(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.as_str()), |domain| domain.split_once('.').map(|(_, above)| above))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.unicode())
    }
}

/// The ASCII form, or why there is none. The checks before UTS #46 are those whose refusal deserves its own words.
fn read(text: &str) -> Result<String, Reason> {
    if text.is_empty() {
        return Err(Reason::Empty);
    }
    if text.len() > TEXT_LIMIT {
        return Err(Reason::TooLong);
    }
    if text.starts_with('[') || text.parse::<std::net::IpAddr>().is_ok() {
        return Err(Reason::Machine);
    }
    if text.contains('@') {
        return Err(Reason::Address);
    }
    if text.starts_with("*.") {
        return Err(Reason::Wildcard);
    }
    if text.contains(['/', ':', '?']) {
        return Err(Reason::Url);
    }
    if let Some(character) = text.chars().find(|character| !is_allowed(*character)) {
        return Err(Reason::Character(character));
    }
    let labels = || text.split('.');
    if text.ends_with('.') && labels().filter(|label| label.is_empty()).count() == 1 {
        return Err(Reason::TrailingDot);
    }
    if labels().any(str::is_empty) {
        return Err(Reason::EmptyLabel);
    }
    if labels().any(|label| !is_punycode(label) && (label.starts_with('-') || label.ends_with('-'))) {
        return Err(Reason::Hyphen);
    }
    let ascii = Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Ignore)
        .map_err(|_| match labels().find(|label| is_punycode(label)) {
            Some(label) => Reason::Punycode(label.to_owned()),
            None => Reason::Malformed,
        })?;
    measured(ascii.into_owned())
}

/// The ASCII form, if its length and its labels are those of a domain that can have mailboxes.
fn measured(ascii: String) -> Result<String, Reason> {
    if ascii.split('.').any(|label| label.len() > LABEL_LIMIT) {
        return Err(Reason::LongLabel);
    }
    if ascii.len() > DOMAIN_LIMIT {
        return Err(Reason::TooLong);
    }
    let Some((_, last)) = ascii.rsplit_once('.') else {
        return Err(Reason::SingleLabel);
    };
    // No top-level domain is a number, and software that sees one reads the whole as an IPv4 address (WHATWG URL).
    if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
        return Err(Reason::Machine);
    }
    Ok(ascii)
}

/// Whether the character can be in a domain at all: letters, digits, hyphens and dots, of ASCII or of other scripts.
fn is_allowed(character: char) -> bool {
    if character.is_ascii() {
        character.is_ascii_alphanumeric() || matches!(character, '.' | '-')
    } else {
        !is_hidden(character) && !stands_in(character)
    }
}

fn is_punycode(label: &str) -> bool {
    label.as_bytes().get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"xn--"))
}

/// Whether a reader would take the label for another: Latin letters among Greek, Cyrillic, Armenian or Cherokee ones,
/// or none but letters that look like Latin ones.
fn misleads(label: &[char]) -> bool {
    let alike = |letter: &char| {
        matches!(*letter, '\u{370}'..='\u{58F}' | '\u{13A0}'..='\u{13FF}' | '\u{1C80}'..='\u{1C8F}'
            | '\u{1F00}'..='\u{1FFF}' | '\u{2DE0}'..='\u{2DFF}' | '\u{A640}'..='\u{A69F}' | '\u{AB70}'..='\u{ABBF}')
    };
    let latin = |letter: &char| {
        letter.is_ascii_alphabetic()
            || matches!(*letter, '\u{C0}'..='\u{24F}' | '\u{250}'..='\u{2AF}' | '\u{1E00}'..='\u{1EFF}')
    };
    let mixed = label.iter().any(alike) && label.iter().any(latin);
    let disguised = label.iter().all(|letter| !letter.is_alphabetic() || LIKE_LATIN.contains(*letter));
    mixed || disguised
}

/// Letters of Greek, Cyrillic and Armenian that look like a Latin letter.
const LIKE_LATIN: &str = "асԁеһіјӏорԛѕԝхуъьҽпгѵѡαικνορυωսօոցհ";

/// The free-mail domains, from their file.
static FREE_MAIL: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| entries(include_str!("domain/free_mail.txt")).collect());

/// The lines of a data file that are neither empty nor remarks.
fn entries(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests;
