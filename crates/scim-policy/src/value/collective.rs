//! Collective addresses: which address several people read, as `info@`, `hr-team2@` or a shared mailbox's.
//!
//! A verdict weighs three things: the words before the `@` against a list of words in the languages of Europe, the names
//! of the User, and what else tells a mailbox from a person (`userType`, a display name such as `Team Vertrieb`). Only a
//! clear case convicts, because a false hit keeps a real person out, and a miss lets one mailbox in:
//!
//! 1. A tenant's exceptions come first: a whole address before a word, and both before anything else.
//! 2. The local part is read without its `+tag`, in any case and spelling (`büro`, `buero`, `buro`), and cut into words at
//!    separators and digits. A word counts as a whole, or as one of two known words written as one (`salesteam`);
//!    a piece of an unknown word (`infante`) never counts.
//! 3. A `sure` word convicts wherever it stands; a `role` word unless something unknown stands before it, since
//!    `anna.info` may be Anna's; an `alone` word, which is also a name or as short as initials, only where nothing unknown
//!    stands beside it.
//! 4. The person's own names acquit. A word of the local part that is a name, or a piece of one, makes the address hers:
//!    `anna.info` is Anna's, and `post` is Emily Post's. `sure` and `role` words are nobody's names: `info` is not
//!    acquitted by a family name `Info`. Nor does a "name" count that is itself collective, such as `Info Köln`.
//! 5. `userType` and the display name are asked last; the display name only where a given or a family name is missing.
//!
//! It refuses to judge whether an address exists, whether its syntax is right, and whether two people share it.

mod exceptions;
mod parts;
mod person;
mod spelling;
#[cfg(test)]
mod tests;
mod words;

pub use exceptions::{BadEntry, Exceptions, List};
pub use words::{Category, Class, Word};

use exceptions::Ruling;
use parts::{Meaning, Reading, Weight};
use person::Person;

/// What is known of a User.
#[derive(Debug, Clone, Copy, Default)]
pub struct Signals<'a> {
    /// What stands before the `@`, as it was written.
    pub local: &'a str,
    /// `name.givenName`.
    pub given_name: Option<&'a str>,
    /// `name.familyName`.
    pub family_name: Option<&'a str>,
    /// `displayName`.
    pub display_name: Option<&'a str>,
    /// `userType`.
    pub user_type: Option<&'a str>,
}

/// Why an address is collective.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// The local part holds a word for a role, and nothing in it is the person's.
    Role {
        /// The word, as its language spells it.
        word: &'static Word,
    },
    /// Something other than the address says that this is no person.
    SharedMailbox {
        /// What says so.
        signal: Signal,
    },
    /// The tenant says so.
    Denied {
        /// Its entry, as the tenant wrote it.
        entry: String,
    },
}

/// What tells a mailbox from a person, apart from its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The display name is one of a team or a function, and a given or a family name is missing.
    DisplayName {
        /// The display name.
        name: String,
        /// The word in it that says so.
        word: &'static Word,
    },
    /// `userType` names something other than a person.
    UserType {
        /// The value.
        value: String,
    },
}

/// Judges the address `signals.local` at `domain`; `None` where nothing clear speaks against a person.
///
/// Adding a `+tag` and changing case never change the verdict. Costs a microsecond or two for an address of usual length,
/// and is linear in the length of what it is given.
pub fn judge(signals: &Signals<'_>, domain: &str, exceptions: &Exceptions) -> Option<Evidence> {
    let local = spelling::untagged(signals.local);
    match exceptions.ruling(local, domain) {
        Some(Ruling::Allowed) => return None,
        Some(Ruling::Denied(entry)) => return Some(Evidence::Denied { entry: entry.to_owned() }),
        None => {}
    }
    let domain = spelling::folded(domain);
    let local = spelling::folded(local);
    let reading = Reading::of(&local, &domain, exceptions);
    role(&reading, signals, &domain)
        .or_else(|| user_type(signals).map(|signal| Evidence::SharedMailbox { signal }))
        .or_else(|| display_name(&reading, signals, &domain).map(|signal| Evidence::SharedMailbox { signal }))
}

/// What the words of the local part say, unless a name of the person's is among them.
fn role(reading: &Reading<'_>, signals: &Signals<'_>, domain: &str) -> Option<Evidence> {
    let (_, meaning) = reading.weigh()?;
    if Person::of(signals, domain).is_behind(reading) {
        return None;
    }
    Some(match meaning {
        Meaning::Listed(word) => Evidence::Role { word },
        Meaning::Denied(entry) => Evidence::Denied { entry: entry.to_owned() },
    })
}

/// A `userType` that no person has, or that no person with a whole name has.
fn user_type(signals: &Signals<'_>) -> Option<Signal> {
    let value = signals.user_type?;
    let word = words::user_type(&spelling::condensed(value))?;
    let convicts = match word.class {
        Class::Sure | Class::Role => true,
        Class::Alone => !has_whole_name(signals),
        Class::Beside => false,
    };
    convicts.then(|| Signal::UserType { value: value.to_owned() })
}

/// A display name that is collective, of a User without a whole name, whose address is not made of the rest of it.
fn display_name(reading: &Reading<'_>, signals: &Signals<'_>, domain: &str) -> Option<Signal> {
    let name = signals.display_name?;
    if has_whole_name(signals) && !person::is_hollow(signals, domain) {
        return None;
    }
    let folded = spelling::folded(name);
    let shown = Reading::of(&folded, domain, Exceptions::none());
    let word = match shown.weigh()? {
        (Weight::Clear, Meaning::Listed(word)) => word,
        // `Post` may be all that is known of a person; `Post Köln` is not.
        (Weight::Faint, Meaning::Listed(word)) if shown.parts.len() > 1 => word,
        (Weight::Clear | Weight::Faint, _) => return None,
    };
    // `Support - Ada Lovelace` at `ada.lovelace@` is Ada.
    (!Person::shown_in(&shown).is_behind(reading))
        .then(|| Signal::DisplayName { name: name.to_owned(), word })
}

fn has_whole_name(signals: &Signals<'_>) -> bool {
    let has = |name: Option<&str>| name.is_some_and(|name| name.chars().any(char::is_alphabetic));
    has(signals.given_name) && has(signals.family_name)
}
