//! Reading a text as words: what each part of a local part or of a display name means.
//!
//! Cut at everything but letters. What is not listed is tried as two listed words written as one, and is then unknown; no
//! piece of an unknown word means anything.

use super::exceptions::{Exceptions, Ruling};
use super::words::{self, Class, LONGEST_PHRASE, Word};

/// A text, read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    /// Its parts, in order.
    pub(super) parts: Vec<Part<'a>>,
}

/// A word, or the words of a phrase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    /// The word in folded form; the first one of a phrase.
    pub(super) text: &'a str,
    /// What it means.
    pub(super) sense: Sense<'a>,
}

/// What a part means.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sense<'a> {
    /// Not known here: it may be a name.
    Unknown,
    /// It says nothing.
    Beside,
    /// One word of the lists, or a tenant's, which is as good as a `role`.
    Known(Class, Meaning<'a>),
    /// Several words of which this is the one that counts.
    Joined(Class, Meaning<'a>),
}

/// A word that convicts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning<'a> {
    /// From the lists.
    Listed(&'static Word),
    /// From the tenant's, as it wrote it.
    Denied(&'a str),
}

/// How much a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// No word for a role is to be taken for a name.
    Clear,
    /// All that speaks is a word that is also a name, or that may be initials.
    Faint,
}

impl<'a> Reading<'a> {
    /// Reads a folded text. The labels of `domain` say nothing beside other words: `example-support@example.com`.
    pub(super) fn of(folded: &'a str, domain: &str, exceptions: &'a Exceptions) -> Self {
        let words: Vec<&str> = split(folded).collect();
        let mut parts = Vec::with_capacity(words.len());
        let mut rest = words.as_slice();
        while let Some((first, after)) = rest.split_first() {
            let (sense, length) = sense(first, rest, domain, exceptions);
            parts.push(Part { text: first, sense });
            rest = rest.get(length..).unwrap_or(after);
        }
        Self { parts }
    }

    /// The word that speaks for a collective address, and how clearly.
    pub(super) fn weigh(&self) -> Option<(Weight, Meaning<'a>)> {
        let mut unknown = false;
        let mut role = None;
        let mut alone = None;
        for part in &self.parts {
            match part.sense {
                Sense::Unknown => unknown = true,
                Sense::Beside => {}
                Sense::Known(class, meaning) | Sense::Joined(class, meaning) => match class {
                    Class::Sure => return Some((Weight::Clear, meaning)),
                    Class::Role if unknown => {}
                    Class::Role => role = role.or(Some(meaning)),
                    Class::Alone => alone = alone.or(Some(meaning)),
                    Class::Beside => {}
                },
            }
        }
        let faint = alone.filter(|_| !unknown).map(|meaning| (Weight::Faint, meaning));
        role.map(|meaning| (Weight::Clear, meaning)).or(faint)
    }
}

/// The words of a folded text.
pub(super) fn split(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty())
}

/// What the words from `first` on mean, and how many of them that takes.
fn sense<'a>(first: &str, rest: &[&str], domain: &str, exceptions: &'a Exceptions) -> (Sense<'a>, usize) {
    if let Some((ruling, length)) = exceptions.word(rest) {
        let sense = match (ruling, length) {
            (Ruling::Allowed, _) => Sense::Unknown,
            (Ruling::Denied(entry), 1) => Sense::Known(Class::Role, Meaning::Denied(entry)),
            (Ruling::Denied(entry), _) => Sense::Joined(Class::Role, Meaning::Denied(entry)),
        };
        return (sense, length);
    }
    let entry = words::entry(first);
    if entry.begins_phrase
        && let Some((word, length)) = phrase(rest)
    {
        return (Sense::Joined(word.class, Meaning::Listed(word)), length);
    }
    let sense = match entry.word {
        Some(word) if word.class == Class::Beside => Sense::Beside,
        Some(word) => Sense::Known(word.class, Meaning::Listed(word)),
        None => match compound(first) {
            Some(word) => Sense::Joined(word.class, Meaning::Listed(word)),
            None if domain.split('.').any(|label| label == first) => Sense::Beside,
            None => Sense::Unknown,
        },
    };
    (sense, 1)
}

/// The longest phrase of the lists that the words begin with.
fn phrase(rest: &[&str]) -> Option<(&'static Word, usize)> {
    let longest = rest.len().min(LONGEST_PHRASE);
    (2..=longest).rev().find_map(|length| {
        let words = rest.get(..length)?;
        words::entry(&words.join(" ")).word.map(|word| (word, length))
    })
}

/// The longest word that is tried as two.
const LONGEST_COMPOUND: usize = 40;

/// The word that counts where two listed ones are written as one: `infokoeln`, `teamhr`.
///
/// One of the two is no name, and both are long enough not to make a surname by accident, as in `ismail` and `salgado`.
fn compound(text: &str) -> Option<&'static Word> {
    if text.len() > LONGEST_COMPOUND {
        return None;
    }
    text.char_indices().skip(2).find_map(|(at, _)| {
        let (left, right) = text.split_at_checked(at)?;
        let shorter = left.chars().count().min(right.chars().count());
        let counts = |word: &&Word| match word.class {
            Class::Sure => shorter > 1,
            Class::Role => shorter > 3,
            Class::Alone | Class::Beside => false,
        };
        let (left, right) = (words::entry(left).word?, words::entry(right).word?);
        [left, right].into_iter().find(counts)
    })
}
