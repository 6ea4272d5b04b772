//! A language for each person, out of those that the application speaks.
//!
//! Nobody is refused for speaking another language: the next preference is taken, and then the default. Only what is no
//! language at all is against the rule.

use super::{CodeDocumentation, Documentation, Event, Example, Rule, Setting, short};
use crate::draft::Draft;
use crate::file::{Placed, Table};
use crate::finding::{Code, Finding, Mode};
use crate::mapping::Field;
use crate::value::language::{LanguageTag, Preferences, choose};

/// `[language]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Language {
    mode: Mode,
    default: Option<LanguageTag>,
    /// All, if none is named.
    supported: Vec<LanguageTag>,
}

impl Language {
    pub(crate) fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    pub(crate) fn read(table: &Table<'_, '_>) -> Self {
        let mut supported: Vec<LanguageTag> = Vec::new();
        for entry in table.texts("supported").unwrap_or_default() {
            match parse(table, &entry) {
                Some(tag) if supported.contains(&tag) => {
                    table.reader.problem(entry.place, format!("`{tag}` is listed twice"), "leave one out");
                }
                Some(tag) => supported.push(tag),
                None => {}
            }
        }
        let default = table.text("default").and_then(|entry| {
            let tag = parse(table, &entry)?;
            if !supported.is_empty() && choose(&[tag], &supported).is_none() {
                let explanation = format!("`default` is `{tag}`, which is not among `supported`");
                table.reader.problem(entry.place, explanation, "add it there, or choose another default");
            }
            Some(tag)
        });
        Self { mode: table.mode(Mode::Warn), default, supported }
    }

    /// The language that a text asks for, and the tag that says it in full. `None` where none is supported.
    fn choose(&self, preferences: &[LanguageTag]) -> Option<(&'static str, LanguageTag)> {
        if self.supported.is_empty() {
            return preferences.first().map(|tag| (tag.language(), *tag));
        }
        let (place, offered) = choose(preferences, &self.supported)?;
        // What the person prefers says more than what the application has, unless it has only a relative.
        let preferred = preferences.get(place).filter(|tag| tag.language() == offered.language());
        Some((offered.language(), preferred.copied().unwrap_or(offered)))
    }
}

fn parse(table: &Table<'_, '_>, entry: &Placed<String>) -> Option<LanguageTag> {
    match LanguageTag::parse(&entry.value) {
        Ok(tag) => Some(tag),
        Err(error) => {
            table.reader.problem(entry.place, error.explanation(), error.remedy());
            None
        }
    }
}

impl Rule for Language {
    fn normalise<'a>(&'a self, draft: &mut Draft<'a>) {
        let mut chosen = None;
        if let Some(found) = draft.mapped.of(Field::Language) {
            match Preferences::parse(&found.text) {
                Ok(preferences) => {
                    chosen = self.choose(&preferences);
                    draft.unsupported = chosen.is_none();
                }
                Err(error) => draft.unreadable.push((Field::Language, error)),
            }
        }
        let (what, language) = match chosen {
            Some(chosen) => ("language", Some(chosen)),
            None => ("[language] default", self.default.map(|tag| (tag.language(), tag))),
        };
        let mut locale = language.map(|(_, tag)| tag);
        if let (Some(_), Some(found)) = (chosen, draft.mapped.of(Field::Language)) {
            draft.trace.found(Field::Locale.name(), found.source, &found.raw);
        }
        if let Some(found) = draft.mapped.of(Field::Locale) {
            match LanguageTag::parse(&found.text) {
                Ok(tag) => {
                    draft.trace.found(Field::Locale.name(), found.source, &found.raw);
                    locale = Some(tag);
                }
                Err(error) => draft.unreadable.push((Field::Locale, error)),
            }
        }
        if let Some((language, _)) = language {
            draft.trace.step(Field::Language.name(), what, language);
            draft.person.language = Some(language.to_owned());
        }
        if let Some(locale) = locale {
            let locale = locale.to_string();
            draft.trace.step(Field::Locale.name(), what, &locale);
            draft.person.locale = Some(locale);
        }
    }

    fn check(&self, draft: &Draft<'_>, findings: &mut Vec<Finding>) {
        let instead = |field| match draft.value(field) {
            Some(value) => format!("; `{value}` is used instead"),
            None => String::new(),
        };
        for (field, error) in &draft.unreadable {
            let explanation = match self.mode {
                Mode::Enforce => error.explanation(),
                Mode::Warn | Mode::Off => format!("{}{}", error.explanation(), instead(*field)),
            };
            let code = Code::LanguageUnreadable;
            findings.extend(draft.finding(code, self.mode, *field, explanation, error.remedy()));
        }
        if let (true, Some(found)) = (draft.unsupported, draft.mapped.of(Field::Language)) {
            let text = short(&found.raw);
            let explanation =
                format!("`{text}` names no language that the application speaks{}", instead(Field::Language));
            let spoken: Vec<String> = self.supported.iter().take(8).map(|tag| format!("`{tag}`")).collect();
            let remedy = format!("it speaks {}", spoken.join(", "));
            let (code, field) = (Code::LanguageUnsupported, Field::Language);
            findings.extend(draft.finding(code, self.mode, field, explanation, remedy));
        }
    }
}

pub(super) const DOCUMENTATION: Documentation = Documentation {
    section: "language",
    summary: "`language` is an ISO 639-1 code, `locale` the same language in full (BCP 47). Whatever identity providers \
              write is understood: `DE`, `de_DE`, `deu`, `German`, `de-DE,de;q=0.9,en;q=0.8`. The first preference that \
              the application speaks is taken, and otherwise the default.",
    default_mode: Mode::Warn,
    settings: &[
        Setting {
            key: "default",
            values: "a language, such as `\"de\"`",
            default: "none: such persons have no language",
            meaning: "the language of those who bring none, or none that is supported",
        },
        Setting {
            key: "supported",
            values: "a list of languages, such as `[\"de\", \"en\", \"pt-BR\"]`",
            default: "all",
            meaning: "the languages that the application speaks",
        },
    ],
    codes: &[
        CodeDocumentation {
            code: Code::LanguageUnreadable,
            meaning: "the value is no language; with `warn`, the default is used",
            remedy: "send an ISO 639-1 code such as `de`, with a region where it matters: `de-DE`",
            example: Example {
                policy: "[language]\nmode = \"enforce\"\ndefault = \"de\"\n",
                event: Event::User(r#"{"userName": "ada", "preferredLanguage": "Klingonisch"}"#),
            },
        },
        CodeDocumentation {
            code: Code::LanguageUnsupported,
            meaning: "none of the languages that the person prefers is supported, so that the default is used; a note, \
                      where the rule is enforced too",
            remedy: "nothing needs to be done",
            example: Example {
                policy: "[language]\ndefault = \"de\"\nsupported = [\"de\", \"en\"]\n",
                event: Event::User(r#"{"userName": "ada", "preferredLanguage": "fr-FR"}"#),
            },
        },
    ],
};
