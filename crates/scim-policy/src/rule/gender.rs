//! A tenant's own words for genders, in any language.
//!
//! The vocabulary decides and nothing is guessed: `m` may be *male* or *Frau Müller's* initial. The application's own four
//! words are understood without being listed.

use std::borrow::Cow;
use std::collections::HashMap;

use icu_normalizer::ComposingNormalizer;
use scim_core::person::Gender;
use scim_core::text::{excerpt, fold};

use super::{CodeDocumentation, Documentation, Event, Example, Rule, Setting, short};
use crate::draft::Draft;
use crate::file::Table;
use crate::finding::{Code, Finding, Mode};
use crate::mapping::Field;
use crate::value::character::quoted;

/// `[gender]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct GenderRule {
    mode: Mode,
    /// By words in the form that [`spelling`] gives.
    vocabulary: HashMap<String, Gender>,
}

/// Longest word, in bytes, that is looked up.
const WORD_LIMIT: usize = 256;

impl GenderRule {
    pub(crate) fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    pub(crate) fn read(table: &Table<'_, '_>) -> Self {
        let mut vocabulary: HashMap<String, Gender> = HashMap::new();
        let words = table.section("vocabulary", "gender.vocabulary");
        for (word, value) in words.entries() {
            let Some(name) = table.reader.text(&word.value, value) else { continue };
            let Some(gender) = Gender::from_name(&name.value) else {
                let explanation = format!("`{}` is not a gender of the application", quoted(&name.value));
                table.reader.unknown(name.place, explanation, &name.value, Gender::ALL.map(Gender::name));
                continue;
            };
            let shown = quoted(&word.value);
            let spelled = spelling(&word.value).into_owned();
            if spelled.is_empty() || spelled.len() > WORD_LIMIT {
                let remedy = format!("use a word of at most {WORD_LIMIT} bytes");
                table.reader.problem(word.place, format!("`{shown}` is no word of a vocabulary"), remedy);
            } else if vocabulary.insert(spelled, gender).is_some_and(|other| other != gender) {
                let explanation = format!("`{shown}` is there twice, in another spelling");
                table.reader.problem(word.place, explanation, "leave one out: case does not matter");
            }
        }
        Self { mode: table.mode(Mode::Warn), vocabulary }
    }
}

/// The word in the form in which words are compared: without blanks around it, in any case, composed.
fn spelling(word: &str) -> Cow<'_, str> {
    let word = word.trim();
    if word.len() > WORD_LIMIT {
        return Cow::Borrowed(word);
    }
    if word.is_ascii() {
        return fold(word);
    }
    Cow::Owned(ComposingNormalizer::new_nfc().normalize(&fold(word)).into_owned())
}

impl GenderRule {
    /// The word in the form in which words are compared, and what it stands for.
    pub(crate) fn understood<'w>(&self, word: &'w str) -> (Cow<'w, str>, Option<Gender>) {
        let word = spelling(word);
        let known = self.vocabulary.get(&*word).copied().or_else(|| Gender::from_name(&word));
        (word, known)
    }

    /// The tenant's own words, in order.
    pub(crate) fn vocabulary(&self) -> Vec<(&str, Gender)> {
        let mut words: Vec<_> =
            self.vocabulary.iter().map(|(word, gender)| (word.as_str(), *gender)).collect();
        words.sort();
        words
    }
}

impl GenderRule {
    /// Some words that are understood.
    fn some(&self) -> String {
        let own: Vec<String> =
            self.vocabulary().iter().take(3).map(|(word, _)| format!("`{}`", short(word))).collect();
        match own.is_empty() {
            true => Gender::ALL.map(|gender| format!("`{}`", gender.name())).join(" or "),
            false => format!("a word that it has, such as {}", own.join(" or ")),
        }
    }
}

impl Rule for GenderRule {
    fn normalise<'a>(&'a self, draft: &mut Draft<'a>) {
        let Some(found) = draft.mapped.of(Field::Gender) else { return };
        let (_, known) = self.understood(&found.text);
        let gender = known.unwrap_or(Gender::Unknown);
        if known.is_none() {
            draft.unmapped_gender = Some(excerpt(&found.text).into_owned());
        }
        let what = if known.is_some() { "[gender] vocabulary" } else { "not in the vocabulary" };
        draft.trace.step(Field::Gender.name(), what, gender.name());
        draft.person.gender = Some(gender);
    }

    fn check(&self, draft: &Draft<'_>, findings: &mut Vec<Finding>) {
        if let Some(word) = &draft.unmapped_gender {
            let explanation = format!("`{}` is not in the tenant's vocabulary of genders", short(word));
            let remedy = format!("send {}, or have the operator add it to the vocabulary", self.some());
            let (code, field) = (Code::GenderUnmapped, Field::Gender);
            findings.extend(draft.finding(code, self.mode, field, explanation, remedy));
        }
    }
}

pub(super) const DOCUMENTATION: Documentation = Documentation {
    section: "gender",
    summary: "A person's gender is `male`, `female`, `diverse` or `unknown`, or nothing at all. `[mapping] gender` names \
              the attribute, since SCIM has none. A word that the vocabulary does not have makes it `unknown`.",
    default_mode: Mode::Warn,
    settings: &[Setting {
        key: "vocabulary",
        values: "a table from words to `male`, `female`, `diverse` or `unknown`",
        default: "these four words alone",
        meaning: "the tenant's words, in any language. Case and blanks around them do not matter",
    }],
    codes: &[CodeDocumentation {
        code: Code::GenderUnmapped,
        meaning: "the vocabulary does not have the word; with `warn`, this is a note and the gender is `unknown`",
        remedy: "add the word to the vocabulary",
        example: Example {
            policy: "[mapping]\nundeclared = \"accept\"\n\
                     gender = \"urn:ietf:params:scim:schemas:extension:acme:2.0:User:gender\"\n\
                     [gender]\nvocabulary = { m = \"male\", w = \"female\", x = \"diverse\" }\n",
            event: Event::User(
                r#"{"userName": "ada", "urn:ietf:params:scim:schemas:extension:acme:2.0:User": {"gender": "frau"}}"#,
            ),
        },
    }],
};
