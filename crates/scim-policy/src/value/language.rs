//! Languages of persons: what identity providers write for them, as BCP 47 tags with an ISO 639-1 code.
//!
//! A [`LanguageTag`] says what an application needs in order to choose a translation: language, script where it is not
//! the usual one, region. It refuses languages without a two-letter code, and it drops what no translation is chosen by:
//! variants, extensions, character sets, sort orders.

mod choose;
mod error;
mod names;
mod preferences;
mod read;

pub use choose::choose;
pub use error::LanguageError;
pub use preferences::Preferences;

use std::fmt;
use std::str::FromStr;

/// Longest text that is looked at; what is longer is refused unread.
const TEXT_LIMIT: usize = 1000;

/// A language, with script and region where they were given and mean something. [`Display`](fmt::Display) writes it as
/// BCP 47 does: `de`, `pt-BR`, `zh-Hans-CN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LanguageTag {
    language: &'static str,
    script: Option<&'static str>,
    region: Option<&'static str>,
}

impl LanguageTag {
    /// Reads one language as identity providers and people write it: a tag in any case and with any separator, a code of
    /// three letters, a POSIX locale, a name in English or in the language itself, with a region in parentheses.
    pub fn parse(text: &str) -> Result<Self, LanguageError> {
        read::read(text).map_err(|reason| LanguageError::new(text, reason))
    }

    /// The ISO 639-1 code: two lower-case letters.
    pub fn language(&self) -> &'static str {
        self.language
    }

    /// The ISO 15924 code of the script, unless it is the one that the language is usually written in.
    pub fn script(&self) -> Option<&'static str> {
        self.script
    }

    /// The code of the region, from ISO 3166-1 or UN M.49.
    pub fn region(&self) -> Option<&'static str> {
        self.region
    }

    /// The tag without a script that goes without saying.
    fn new(language: &'static str, script: Option<&'static str>, region: Option<&'static str>) -> Self {
        let script = script.filter(|script| usual_script(language) != Some(script));
        Self { language, script, region }
    }
}

impl fmt::Display for LanguageTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.language)?;
        for subtag in [self.script, self.region].into_iter().flatten() {
            write!(formatter, "-{subtag}")?;
        }
        Ok(())
    }
}

impl FromStr for LanguageTag {
    type Err = LanguageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// The script that nobody writes into a tag of the language (`Suppress-Script` in IANA's registry of subtags).
fn usual_script(language: &str) -> Option<&'static str> {
    USUAL_SCRIPTS
        .iter()
        .find(|(_, languages)| languages.split(' ').any(|usual| usual == language))
        .map(|(script, _)| *script)
}

const USUAL_SCRIPTS: &[(&str, &str)] = &[
    (
        "Latn",
        "af ay ca ch cs cy da de en eo es et eu fi fj fo fr fy ga gl gn gv hr ht hu id is it kl la lb ln lt lv mg mh ms \
         mt na nb nd nl nn no nr ny om pl pt qu rm rn ro rw sg sk sl sm so sq ss st sv sw tl tn to tr ts ve vi xh zu",
    ),
    ("Cyrl", "be bg kk mk ru uk"),
    ("Arab", "ar fa ps ur"),
    ("Deva", "hi mr ne"),
    ("Beng", "as bn"),
    ("Ethi", "am ti"),
    ("Hebr", "he yi"),
    ("Armn", "hy"),
    ("Geor", "ka"),
    ("Grek", "el"),
    ("Gujr", "gu"),
    ("Guru", "pa"),
    ("Jpan", "ja"),
    ("Khmr", "km"),
    ("Knda", "kn"),
    ("Kore", "ko"),
    ("Laoo", "lo"),
    ("Mlym", "ml"),
    ("Mymr", "my"),
    ("Orya", "or"),
    ("Sinh", "si"),
    ("Taml", "ta"),
    ("Telu", "te"),
    ("Thaa", "dv"),
    ("Thai", "th"),
    ("Tibt", "dz"),
];

#[cfg(test)]
mod tests;
