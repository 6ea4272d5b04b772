//! Reading TOML with the place of everything in it, and going on after a problem, so that all are told at once.
//!
//! It knows keys, words and texts, and refuses to know what any of them means.

use std::cell::RefCell;

use scim_core::text::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use crate::finding::Mode;
use crate::value::character::quoted;

/// A place in the file. The first character of it is at 1, 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    line: usize,
    column: usize,
}

/// A value, and where the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

impl Place {
    pub(crate) fn problem(self, explanation: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem {
            line: self.line,
            column: self.column,
            explanation: explanation.into(),
            remedy: remedy.into(),
        }
    }
}

/// The text that is read, and what was found to be wrong with it.
pub(crate) struct Reader<'t> {
    text: &'t str,
    /// Where each line starts.
    lines: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(after_breaks).collect();
        Self { text, lines, problems: RefCell::default() }
    }

    pub(crate) fn place(&self, offset: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.text.get(start..offset).unwrap_or_default();
        Place { line, column: before.chars().count() + 1 }
    }

    pub(crate) fn place_of<T>(&self, value: &Spanned<T>) -> Place {
        self.place(value.span().start)
    }

    pub(crate) fn problem(&self, place: Place, explanation: impl Into<String>, remedy: impl Into<String>) {
        self.problems.borrow_mut().push(place.problem(explanation, remedy));
    }

    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// A text, or a problem.
    pub(crate) fn text(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Placed<String>> {
        let place = self.place_of(value);
        match value.get_ref() {
            DeValue::String(text) => Some(Placed { value: text.as_ref().to_owned(), place }),
            other => {
                self.expected(place, key, "a text in double quotes", other);
                None
            }
        }
    }

    /// A list of texts, less those that are none.
    pub(crate) fn texts(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Vec<Placed<String>>> {
        match value.get_ref() {
            DeValue::Array(list) => Some(list.iter().filter_map(|element| self.text(key, element)).collect()),
            other => {
                self.expected(self.place_of(value), key, "a list of texts, such as `[\"…\", \"…\"]`", other);
                None
            }
        }
    }

    pub(crate) fn expected(&self, place: Place, key: &str, expected: &str, found: &DeValue<'_>) {
        let found = match found {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "`true` or `false`",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.problem(place, format!("`{}` is {found}", quoted(key)), format!("write {expected}"));
    }

    /// A word that is none of those that are known.
    pub(crate) fn unknown<'k>(
        &self,
        place: Place,
        explanation: String,
        word: &str,
        known: impl IntoIterator<Item = &'k str> + Clone,
    ) {
        let remedy = match nearest(word, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "there are {}",
                known.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
            ),
        };
        self.problem(place, explanation, remedy);
    }
}

/// A section, or an inline table, with the keys that it may have. One that the file does not have is empty.
#[derive(Clone, Copy)]
pub(crate) struct Table<'r, 't> {
    pub(crate) reader: &'r Reader<'t>,
    name: &'r str,
    entries: Option<&'r DeTable<'t>>,
    place: Place,
}

/// Modes by their names.
pub(crate) const MODES: [(&str, Mode); 3] =
    [("enforce", Mode::Enforce), ("warn", Mode::Warn), ("off", Mode::Off)];

impl<'r, 't> Table<'r, 't> {
    /// The whole file.
    pub(crate) fn root(reader: &'r Reader<'t>, entries: &'r DeTable<'t>) -> Self {
        Self { reader, name: "", entries: Some(entries), place: reader.place(0) }
    }

    /// A table whose entries are known already.
    pub(crate) fn inline(
        reader: &'r Reader<'t>,
        name: &'r str,
        entries: &'r DeTable<'t>,
        place: Place,
    ) -> Self {
        Self { reader, name, entries: Some(entries), place }
    }

    /// The section of this name below this table. `full_name` is what messages call it.
    pub(crate) fn section(&self, key: &str, full_name: &'r str) -> Self {
        let absent = Self { reader: self.reader, name: full_name, entries: None, place: self.place };
        let Some((_, value)) = self.entry(key) else { return absent };
        let place = self.reader.place_of(value);
        match value.get_ref() {
            DeValue::Table(entries) => Self { entries: Some(entries), place, ..absent },
            other => {
                self.reader.expected(place, key, &format!("a section, `[{full_name}]`"), other);
                absent
            }
        }
    }

    /// Complains of keys that are not `known`.
    pub(crate) fn only(self, known: &[&str]) -> Self {
        for (key, _) in self.entries() {
            if !known.contains(&key.value.as_str()) {
                let shown = quoted(&key.value);
                let explanation = match self.name {
                    "" => format!("there is no section `[{shown}]`"),
                    name => format!("`[{name}]` has no key `{shown}`"),
                };
                self.reader.unknown(key.place, explanation, &key.value, known.iter().copied());
            }
        }
        self
    }

    pub(crate) fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    /// Where the section is in the file.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// All keys with their values, in the order of the file.
    pub(crate) fn entries(&self) -> Vec<(Placed<String>, &'r Spanned<DeValue<'t>>)> {
        let placed = |(key, value): (&Spanned<_>, _)| {
            let name: &std::borrow::Cow<'t, str> = key.get_ref();
            (Placed { value: name.as_ref().to_owned(), place: self.reader.place_of(key) }, value)
        };
        let mut entries: Vec<_> = self.entries.into_iter().flatten().map(placed).collect();
        entries.sort_by_key(|(key, _)| (key.place.line, key.place.column));
        entries
    }

    pub(crate) fn entry(&self, key: &str) -> Option<(Place, &'r Spanned<DeValue<'t>>)> {
        let (name, value) = self.entries?.get_key_value(key)?;
        Some((self.reader.place_of(name), value))
    }

    /// What the tenant does about the rule of this section: nothing, if the file does not have the section.
    pub(crate) fn mode(&self, default: Mode) -> Mode {
        match self.is_present() {
            true => self.word("mode", &MODES).unwrap_or(default),
            false => Mode::Off,
        }
    }

    /// One of several words.
    pub(crate) fn word<T: Copy>(&self, key: &str, words: &[(&'static str, T)]) -> Option<T> {
        self.known(key, &self.text(key)?, words)
    }

    /// A list of words, each once and at least one.
    pub(crate) fn words<T: Copy + PartialEq>(
        &self,
        key: &str,
        words: &[(&'static str, T)],
    ) -> Option<Vec<T>> {
        let texts = self.texts(key)?;
        let mut found = Vec::with_capacity(texts.len());
        for text in &texts {
            match self.known(key, text, words) {
                Some(value) if found.contains(&value) => {
                    self.reader.problem(
                        text.place,
                        format!("`{}` is listed twice", text.value),
                        "leave one out",
                    );
                }
                value => found.extend(value),
            }
        }
        if let (true, Some((place, _))) = (texts.is_empty(), self.entry(key)) {
            self.reader.problem(place, format!("`{key}` is empty"), "list something, or leave it out");
        }
        Some(found)
    }

    fn known<T: Copy>(&self, key: &str, text: &Placed<String>, words: &[(&'static str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            let explanation = format!("`{}` is not a value of `{key}`", quoted(&text.value));
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.reader.unknown(text.place, explanation, &text.value, known);
        }
        found.map(|(_, value)| *value)
    }

    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        let (_, value) = self.entry(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.reader.expected(self.reader.place_of(value), key, "`true` or `false`", value.get_ref());
        None
    }

    pub(crate) fn text(&self, key: &str) -> Option<Placed<String>> {
        let (_, value) = self.entry(key)?;
        self.reader.text(key, value)
    }

    pub(crate) fn texts(&self, key: &str) -> Option<Vec<Placed<String>>> {
        let (_, value) = self.entry(key)?;
        self.reader.texts(key, value)
    }
}
