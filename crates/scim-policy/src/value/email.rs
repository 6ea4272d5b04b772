//! E-mail addresses of persons: a local part as it was written, at a [`Domain`] in its one form.
//!
//! Stricter than RFC 5322, which also allows comments, quoted local parts and numbers of machines: nobody's address at
//! work has them, and each of them has been used to make one program read another address than the next. It refuses to
//! know the habits of mail servers: dots count, and a `+tag` makes another address.

mod error;

pub use error::EmailError;
use error::Reason;

use std::fmt;

use icu_normalizer::ComposingNormalizer;
use scim_core::text::fold;

use super::character::{is_hidden, stands_in, trim_blanks};
use super::domain::Domain;

/// Longest text that is looked at; what is longer is refused unread.
const TEXT_LIMIT: usize = 1000;
/// Longest local part in bytes (RFC 5321 §4.5.3.1.1).
const LOCAL_LIMIT: usize = 64;
/// Longest address in bytes: the path of RFC 5321 §4.5.3.1.3 without its angle brackets.
const ADDRESS_LIMIT: usize = 254;

/// An e-mail address. [`Display`](fmt::Display) writes its normalised form: the local part as it was written, an `@`,
/// the domain in ASCII.
///
/// Equal are addresses that are written alike; whether two mean the same mailbox is asked of [`EmailAddress::key`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress {
    local: String,
    domain: Domain,
}

impl EmailAddress {
    /// Reads an address as identity providers send it. Blanks around it are left off; the local part may be in any
    /// script (RFC 6531).
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = trim_blanks(text);
        read(text).map_err(|reason| EmailError::new(text, reason))
    }

    /// What is before the `@`, as it was written.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// What is after the `@`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The text under which two spellings are one address. Case is folded and Unicode composed (NFC) in the local part,
    /// since no mail server gives `Ada@` and `ada@` to two people, though RFC 5321 §2.4 lets it.
    ///
    /// A `+tag` stays: whether `ada+x@` reaches `ada@` is for the server of that domain to know, and taking two people
    /// for one would lock out the second.
    pub fn key(&self) -> String {
        let compose = ComposingNormalizer::new_nfc();
        let folded = fold(&compose.normalize(&self.local)).into_owned();
        format!("{}@{}", compose.normalize(&folded), self.domain.as_str())
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.local, self.domain.as_str())
    }
}

/// The address, or why there is none. What has a form of its own is told apart first, for the sake of the words.
fn read(text: &str) -> Result<EmailAddress, Reason> {
    if text.is_empty() {
        return Err(Reason::Empty);
    }
    if text.len() > TEXT_LIMIT {
        return Err(Reason::TooLong);
    }
    if text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:")) {
        return Err(Reason::Mailto);
    }
    if text.contains(['<', '>']) {
        return Err(Reason::DisplayName);
    }
    if text.contains('"') {
        return Err(Reason::Quoted);
    }
    if text.contains(['(', ')']) {
        return Err(Reason::Comment);
    }
    let (local, domain) = match text.split('@').collect::<Vec<_>>().as_slice() {
        [_] => return Err(Reason::NoAt),
        [local, domain] => (*local, *domain),
        _ if text.contains([',', ';']) => return Err(Reason::Several),
        _ => return Err(Reason::SeveralAt),
    };
    check_local(local)?;
    // `Domain::parse` would trim what stands right after the `@`.
    if let Some(character) = domain.chars().find(|character| is_hidden(*character) || *character == ' ') {
        return Err(Reason::Character(character));
    }
    let domain = Domain::parse(domain).map_err(Reason::Domain)?;
    let address = EmailAddress { local: local.to_owned(), domain };
    let written = address.to_string();
    if written.len() > ADDRESS_LIMIT {
        return Err(Reason::TooLong);
    }
    if !email_address::EmailAddress::is_valid(&written) {
        return Err(Reason::Malformed);
    }
    Ok(address)
}

fn check_local(local: &str) -> Result<(), Reason> {
    if local.is_empty() {
        return Err(Reason::NoLocal);
    }
    let refused = |character: &char| {
        !email_address::EmailAddress::is_valid_local_part(character.encode_utf8(&mut [0; 4]))
    };
    let odd = local
        .chars()
        .filter(|character| *character != '.')
        .find(|character| is_hidden(*character) || stands_in(*character) || refused(character));
    if let Some(character) = odd {
        return Err(Reason::Character(character));
    }
    // RFC 2047 §5 forbids encoded words in addresses; what decodes them all the same finds another `@` in them.
    if local.contains("=?") {
        return Err(Reason::Encoded);
    }
    // `ada%example.org@` and `example.org!ada@` are source routes, from before RFC 1123 §5.2.16 and RFC 976.
    if let Some(sign) = local.chars().find(|character| matches!(character, '%' | '!')) {
        return Err(Reason::Routed(sign));
    }
    if local.split('.').any(str::is_empty) {
        return Err(Reason::Dots);
    }
    if local.len() > LOCAL_LIMIT {
        return Err(Reason::LongLocal);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
