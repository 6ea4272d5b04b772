//! The rules of a tenant, one a file: what it may set, what the rule reads in a person, what it says of one.
//!
//! All rules normalise before the first one checks, so that none sees what another has not read yet. A rule is a pure
//! function of its settings and a draft. What needs to know of other people is checked where it is written; only the
//! words for it are here.

pub(crate) mod collective;
pub(crate) mod degree;
pub(crate) mod domain;
pub(crate) mod email;
pub(crate) mod gender;
pub(crate) mod group;
pub(crate) mod language;
pub(crate) mod required;

use crate::draft::Draft;
use crate::finding::{Code, Finding, Mode};
use crate::policy::Policy;
use crate::value::character::quoted;

/// A rule with a tenant's settings.
pub(crate) trait Rule {
    /// Puts what the rule is about into its one form. It happens whatever the mode is.
    fn normalise<'a>(&'a self, draft: &mut Draft<'a>) {
        let _ = draft;
    }

    /// Says what is against the rule.
    fn check(&self, draft: &Draft<'_>, findings: &mut Vec<Finding>) {
        let _ = (draft, findings);
    }
}

/// What there is to know of a rule.
#[derive(Debug, Clone, Copy)]
pub struct Documentation {
    /// The section of the policy file.
    pub section: &'static str,
    /// What the rule wants, in a sentence or two.
    pub summary: &'static str,
    /// The mode of a section that does not name one. Without the section the rule is off.
    pub default_mode: Mode,
    /// The keys of the section, `mode` aside.
    pub settings: &'static [Setting],
    /// What the rule can find.
    pub codes: &'static [CodeDocumentation],
}

/// A key of a section.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    /// What it may be.
    pub values: &'static str,
    /// What it is when it is left out.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// What there is to know of a code.
#[derive(Debug, Clone, Copy)]
pub struct CodeDocumentation {
    /// The code.
    pub code: Code,
    /// What it means.
    pub meaning: &'static str,
    /// What the administrator of the identity provider can do.
    pub remedy: &'static str,
    /// What yields it.
    pub example: Example,
}

/// Something that yields a finding.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The policy file.
    pub policy: &'static str,
    /// What happens.
    pub event: Event,
}

/// What an example shows.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// A User, as JSON, that is judged.
    User(&'static str),
    /// Something that shows when it is written: what, in words, and the finding for it.
    Write(&'static str, fn(&Policy) -> Option<Finding>),
}

/// All rules, in the order in which they are looked at.
pub fn documentation() -> [&'static Documentation; 8] {
    [
        &email::DOCUMENTATION,
        &domain::DOCUMENTATION,
        &collective::DOCUMENTATION,
        &language::DOCUMENTATION,
        &group::DOCUMENTATION,
        &gender::DOCUMENTATION,
        &degree::DOCUMENTATION,
        &required::DOCUMENTATION,
    ]
}

/// The text as an explanation quotes it: short, with what cannot be seen written out, so that the remedy after it is
/// still read.
pub(crate) fn short(text: &str) -> String {
    let shown = quoted(text);
    match shown.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
        None => shown,
    }
}

/// Longest text, in characters, that an explanation quotes whole.
const SHORT: usize = 60;
