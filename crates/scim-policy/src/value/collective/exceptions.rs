//! A tenant's exceptions: addresses and words that are, or are not, collective whatever else speaks for or against it.
//!
//! An entry is a whole address (`info@example.com`) or what stands before the `@` (`front-desk`), which is then also a word
//! in other local parts (`front.desk.koeln`). An address decides before a word, and a word that is the whole local part
//! before anything else is asked. It refuses patterns: an entry says one thing.

use std::collections::BTreeMap;
use std::fmt;

use scim_core::text;

use super::{parts, spelling};

/// A tenant's exceptions, ready for use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// By folded address.
    addresses: BTreeMap<String, Entry>,
    /// By the letters and digits of a local part.
    locals: BTreeMap<String, Entry>,
    /// By words with spaces between them.
    words: BTreeMap<String, Entry>,
    /// The most words that a key of `words` has.
    longest: usize,
}

/// Which list an entry is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// Persons after all.
    Allow,
    /// Collective after all.
    Deny,
}

impl List {
    /// The name in a policy.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    list: List,
    written: String,
}

/// An entry that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEntry {
    /// The list that it is on.
    pub list: List,
    /// Its place there, from 0.
    pub index: usize,
    /// As the tenant wrote it.
    pub entry: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` under `{}`: {}", text::excerpt(&self.entry), self.list.name(), self.reason)
    }
}

impl std::error::Error for BadEntry {}

/// What a tenant says of an address or of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruling<'a> {
    Allowed,
    /// By this entry.
    Denied(&'a str),
}

impl Entry {
    fn ruling(&self) -> Ruling<'_> {
        match self.list {
            List::Allow => Ruling::Allowed,
            List::Deny => Ruling::Denied(&self.written),
        }
    }
}

/// The longest entry, in bytes, which is the longest address.
const LONGEST_ENTRY: usize = 254;

impl Exceptions {
    /// Those of a tenant that has none.
    pub fn none() -> &'static Self {
        static NONE: Exceptions = Exceptions {
            addresses: BTreeMap::new(),
            locals: BTreeMap::new(),
            words: BTreeMap::new(),
            longest: 0,
        };
        &NONE
    }

    /// Takes the entries of both lists.
    ///
    /// # Errors
    /// Every entry that cannot be used, in the order of the lists. There is at least one.
    pub fn new<'a>(
        allow: impl IntoIterator<Item = &'a str>,
        deny: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Vec<BadEntry>> {
        let mut exceptions = Self::default();
        let mut bad = Vec::new();
        let allow = allow.into_iter().enumerate().map(|(index, entry)| (List::Allow, index, entry));
        let deny = deny.into_iter().enumerate().map(|(index, entry)| (List::Deny, index, entry));
        for (list, index, entry) in allow.chain(deny) {
            if let Err(reason) = exceptions.add(list, entry) {
                bad.push(BadEntry { list, index, entry: entry.to_owned(), reason });
            }
        }
        if bad.is_empty() { Ok(exceptions) } else { Err(bad) }
    }

    fn add(&mut self, list: List, written: &str) -> Result<(), String> {
        let entry = Entry { list, written: written.to_owned() };
        let trimmed = written.trim();
        if trimmed.is_empty() {
            return Err("is empty; name an address, or what stands before its `@`".to_owned());
        }
        if trimmed.len() > LONGEST_ENTRY {
            return Err(format!("is longer than the {LONGEST_ENTRY} bytes that an address may have"));
        }
        if trimmed.contains(['*', '?', '%']) {
            return Err("is a pattern; name each address, or the word that they share".to_owned());
        }
        if let Some((_, tag)) = trimmed.split('@').next().and_then(|local| local.split_once('+')) {
            return Err(format!("tags are not looked at; leave out `+{}`", text::excerpt(tag)));
        }
        match trimmed.rsplit_once('@') {
            Some((local, domain)) => insert(&mut self.addresses, address_entry(local, domain)?, entry),
            None => self.add_word(trimmed, entry),
        }
    }

    fn add_word(&mut self, trimmed: &str, entry: Entry) -> Result<(), String> {
        let folded = spelling::folded(trimmed);
        let words: Vec<&str> = parts::split(&folded).collect();
        if words.is_empty() {
            return Err("has no letter; name the whole address".to_owned());
        }
        insert(&mut self.locals, spelling::condensed(trimmed), entry.clone())?;
        // `team7` is an address; it says nothing of `team`.
        if folded.chars().any(char::is_numeric) {
            return Ok(());
        }
        self.longest = self.longest.max(words.len());
        for key in [words.join(" "), words.concat()] {
            self.words.insert(key, entry.clone());
        }
        Ok(())
    }

    /// What the tenant says of a whole address.
    pub(super) fn ruling(&self, untagged: &str, domain: &str) -> Option<Ruling<'_>> {
        let address = || self.addresses.get(&address_key(untagged, domain));
        let local = || self.locals.get(&spelling::condensed(untagged));
        let listed = (!self.addresses.is_empty()).then(address).flatten();
        listed.or_else(|| (!self.locals.is_empty()).then(local).flatten()).map(Entry::ruling)
    }

    /// What the tenant says of the word or phrase that the words begin with, and how many words that has.
    pub(super) fn word(&self, rest: &[&str]) -> Option<(Ruling<'_>, usize)> {
        (1..=self.longest.min(rest.len())).rev().find_map(|length| {
            let entry = self.words.get(&rest.get(..length)?.join(" "))?;
            Some((entry.ruling(), length))
        })
    }
}

fn insert(entries: &mut BTreeMap<String, Entry>, key: String, entry: Entry) -> Result<(), String> {
    match entries.get(&key) {
        Some(other) if other.list != entry.list => {
            let (written, list) = (text::excerpt(&other.written), other.list.name());
            Err(format!("is `{written}` under `{list}` too; leave out one of the two"))
        }
        _ => {
            entries.insert(key, entry);
            Ok(())
        }
    }
}

fn address_entry(local: &str, domain: &str) -> Result<String, String> {
    if local.is_empty() {
        return Err("names a whole domain; name each address, or what stands before its `@`".to_owned());
    }
    if local.contains('@') || local.contains(char::is_whitespace) {
        return Err("is not an address; name one, such as `info@example.com`".to_owned());
    }
    match idna::domain_to_ascii(domain) {
        Ok(ascii) if !ascii.is_empty() => Ok(address_key(local, &ascii)),
        _ => Err(format!("`{}` is not a domain", text::excerpt(domain))),
    }
}

/// Local parts are compared in any case, and domains in their ASCII form.
fn address_key(local: &str, domain: &str) -> String {
    let domain = match domain.is_ascii() {
        true => domain.to_ascii_lowercase(),
        false => idna::domain_to_ascii(domain).unwrap_or_else(|_| text::fold(domain).into_owned()),
    };
    format!("{}@{domain}", text::fold(local))
}
