//! Personal addresses alone: none of an office, a team or a shared mailbox.

use super::{Documentation, Rule, Setting};
use crate::file::{Placed, Table};
use crate::finding::Mode;

/// `[collective]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collective {
    mode: Mode,
    allow: Vec<Placed<String>>,
    deny: Vec<Placed<String>>,
}

impl Collective {
    pub(crate) fn off() -> Self {
        Self { mode: Mode::Off, ..Self::default() }
    }

    pub(crate) fn read(table: &Table<'_, '_>) -> Self {
        let texts = |key| table.texts(key).unwrap_or_default();
        Self { mode: table.mode(Mode::Enforce), allow: texts("allow"), deny: texts("deny") }
    }
}

impl Rule for Collective {}

pub(super) const DOCUMENTATION: Documentation = Documentation {
    section: "collective",
    summary: "Addresses belong to a person, not to an office, a team or a shared mailbox.",
    default_mode: Mode::Enforce,
    settings: &[
        Setting { key: "allow", values: "a list", default: "none", meaning: "what is a person's after all" },
        Setting { key: "deny", values: "a list", default: "none", meaning: "what is collective besides" },
    ],
    codes: &[],
};
