//! How a User became a person, step by step.
//!
//! The engine that judges writes this down when it is asked to; there is no second one that could explain something
//! else.

use serde::{Deserialize, Serialize};

use crate::mapping::Source;
use crate::verdict::Verdict;

/// A verdict with its story.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Each field of the person, in the order of the record, and after them the application's own.
    pub fields: Vec<Explained>,
    /// What [`crate::Policy::judge`] says.
    pub verdict: Verdict,
}

/// How one field came to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// The field, such as `first_name`.
    pub field: String,
    /// What the person has in the end.
    pub value: Option<String>,
    /// The SCIM path that it came from.
    pub path: Option<String>,
    /// What was there.
    pub raw: Option<String>,
    /// What was done to it, in order. Steps that changed nothing are left out.
    pub steps: Vec<Step>,
}

/// One step from what was sent to what the person has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What was done, such as `trim`, or `[language] default`.
    pub what: String,
    /// What came of it.
    pub value: String,
}

/// Where the engine writes its steps down, if anybody wants to read them.
#[derive(Debug, Default)]
pub(crate) struct Trace<'a>(Option<Vec<Entry<'a>>>);

#[derive(Debug)]
struct Entry<'a> {
    field: &'a str,
    found: Option<(&'a Source, String)>,
    steps: Vec<Step>,
}

impl<'a> Trace<'a> {
    pub(crate) fn recording() -> Self {
        Self(Some(Vec::new()))
    }

    /// The text that a field is made from. One that was found before is forgotten.
    pub(crate) fn found(&mut self, field: &'a str, source: &'a Source, raw: &str) {
        self.forget(field);
        if let Some(entries) = &mut self.0 {
            entries.push(Entry { field, found: Some((source, raw.to_owned())), steps: Vec::new() });
        }
    }

    /// Nothing was found after all.
    pub(crate) fn forget(&mut self, field: &str) {
        if let Some(entries) = &mut self.0 {
            entries.retain(|entry| entry.field != field);
        }
    }

    /// What a step has made of the text.
    pub(crate) fn step(&mut self, field: &'a str, what: &str, value: &str) {
        let Some(entries) = &mut self.0 else { return };
        let entry = match entries.iter_mut().position(|entry| entry.field == field) {
            Some(position) => entries.get_mut(position),
            None => {
                entries.push(Entry { field, found: None, steps: Vec::new() });
                entries.last_mut()
            }
        };
        let Some(entry) = entry else { return };
        let raw = entry.found.as_ref().map(|(_, raw)| raw.as_str());
        if entry.steps.last().map(|step| step.value.as_str()).or(raw) != Some(value) {
            entry.steps.push(Step { what: what.to_owned(), value: value.to_owned() });
        }
    }

    /// The story of one field, which in the end has `value`.
    pub(crate) fn explained(&self, field: &str, value: Option<String>) -> Explained {
        let entry = self.0.iter().flatten().find(|entry| entry.field == field);
        let found = entry.and_then(|entry| entry.found.as_ref());
        Explained {
            field: field.to_owned(),
            value,
            path: found.map(|(source, _)| source.to_string()),
            raw: found.map(|(_, raw)| raw.clone()),
            steps: entry.map(|entry| entry.steps.clone()).unwrap_or_default(),
        }
    }
}
