//! Whether an address is the person's own: made of given and family names, or of pieces of them.
//!
//! `ada.lovelace`, `lovelace`, `alove`, `adlo` and `al` are Ada Lovelace's, and so is `ada.info`. That somebody's names
//! happen to make a word for a role (`team` for Teresa Amado) is rarer than that the address was made of them.
//! It refuses to know names: what counts is what this User is called.

use super::exceptions::Exceptions;
use super::parts::{self, Part, Reading, Sense, Weight};
use super::words::Class;
use super::{Signals, has_whole_name, spelling};

/// The names of a User, as far as they are evidence.
#[derive(Debug, Default)]
pub(super) struct Person {
    /// Skeletons of given names, then of family names.
    names: Vec<String>,
    /// How many of them are given names, or may be.
    given: usize,
    /// Whether there are both.
    whole: bool,
}

/// The most names that are looked at.
const MOST_NAMES: usize = 8;

impl Person {
    /// The names that `name` gives, or else those of a display name.
    pub(super) fn of(signals: &Signals<'_>, domain: &str) -> Self {
        let mut names = names(signals.given_name);
        let given = names.len();
        names.extend(self::names(signals.family_name));
        if !names.is_empty() && !is_hollow(signals, domain) {
            return Self { names, given, whole: has_whole_name(signals) };
        }
        let shown = spelling::folded(signals.display_name.unwrap_or_default());
        Self::shown_in(&Reading::of(&shown, domain, Exceptions::none()))
    }

    /// What may be a name in a display name. It is never whole: it doesn't say which is the family name.
    pub(super) fn shown_in(shown: &Reading<'_>) -> Self {
        let unknown = shown.parts.iter().filter(|part| matches!(part.sense, Sense::Unknown));
        let names: Vec<_> = unknown.take(MOST_NAMES).map(|part| spelling::skeleton(part.text)).collect();
        let given = names.len();
        Self { names, given, whole: false }
    }

    /// Whether some part of a local part is hers.
    pub(super) fn is_behind(&self, reading: &Reading<'_>) -> bool {
        !self.names.is_empty() && reading.parts.iter().any(|part| self.owns(part))
    }

    fn owns(&self, part: &Part<'_>) -> bool {
        let text = spelling::skeleton(part.text);
        let letters = text.chars().count();
        match part.sense {
            Sense::Unknown if letters < 2 => false,
            Sense::Unknown => {
                self.has(&text)
                    || self.makes(&text)
                    || letters > 2
                        && (self.begins(&text) || self.is_short_for_given(&text) || self.is_foreign())
            }
            Sense::Beside => letters > 2 && self.has(&text),
            Sense::Known(Class::Alone, _) => {
                self.makes(&text) || self.whole && (self.has(&text) || letters > 2 && self.begins(&text))
            }
            Sense::Known(Class::Sure | Class::Role | Class::Beside, _) => self.makes(&text),
            Sense::Joined(..) => false,
        }
    }

    fn has(&self, text: &str) -> bool {
        self.names.iter().any(|name| name == text)
    }

    /// `love` of Lovelace.
    fn begins(&self, text: &str) -> bool {
        self.names.iter().any(|name| name.starts_with(text))
    }

    /// `kate` of Katherine: the same first three letters.
    fn is_short_for_given(&self, text: &str) -> bool {
        let begins = |text: &str| text.char_indices().nth(3).map_or(text.len(), |(at, _)| at);
        let begin = text.get(..begins(text)).unwrap_or(text);
        self.names.iter().take(self.given).any(|name| name.starts_with(begin))
    }

    /// `alove`, `adlo` and `lovelaceada`: a piece of one name and then one of another; or the initials of all.
    fn makes(&self, text: &str) -> bool {
        let pieces = text.char_indices().skip(1).filter_map(|(at, _)| text.split_at_checked(at));
        let made = pieces.into_iter().any(|(left, right)| {
            let lefts = self.names.iter().enumerate().filter(|(_, name)| name.starts_with(left));
            lefts.into_iter().any(|(first, _)| {
                let mut others = self.names.iter().enumerate().filter(|(other, _)| *other != first);
                others.any(|(_, name)| name.starts_with(right))
            })
        });
        let initials = self.names.iter().filter_map(|name| name.chars().next());
        made || self.names.len() > 1 && text.chars().eq(initials)
    }

    /// Names in another script can't be compared with a local part in this one, so that any unknown word may be one.
    fn is_foreign(&self) -> bool {
        !self.names.iter().flat_map(|name| name.chars()).any(|c| c.is_ascii_alphabetic())
    }
}

/// Whether what is given as a name is itself collective: `Info Köln`, `Human Resources`, `Sales Team`.
pub(super) fn is_hollow(signals: &Signals<'_>, domain: &str) -> bool {
    let given = signals.given_name.unwrap_or_default();
    let name = spelling::folded(&format!("{given} {}", signals.family_name.unwrap_or_default()));
    matches!(Reading::of(&name, domain, Exceptions::none()).weigh(), Some((Weight::Clear, _)))
}

fn names(name: Option<&str>) -> Vec<String> {
    let folded = spelling::folded(name.unwrap_or_default());
    parts::split(&folded).take(MOST_NAMES / 2).map(spelling::skeleton).collect()
}
