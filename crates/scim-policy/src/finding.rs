//! What a rule says of a User: a code, the attribute, the value, an explanation and a remedy.
//!
//! A finding is written for the administrator of the identity provider, who can mend it. It never holds a password or a
//! token.

use std::fmt;

use scim_core::text::excerpt;
use serde::{Deserialize, Serialize};

/// How serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something worth knowing that needs no action.
    Note,
    /// Against a rule that the tenant does not enforce.
    Warning,
    /// Against a rule that the tenant enforces; the change is refused.
    Error,
}

impl Severity {
    /// The name in records and in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a tenant does about a rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What is against it is refused.
    #[default]
    Enforce,
    /// What is against it is recorded and let through.
    Warn,
    /// It is not looked at.
    Off,
}

impl Mode {
    /// The name in policy files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
            Self::Off => "off",
        }
    }
}

/// What a finding is about. The names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "`rule::documentation` says what they mean")]
pub enum Code {
    EmailSyntax,
    EmailTaken,
    DomainNotListed,
    CollectiveAddress,
    SharedMailbox,
    LanguageUnreadable,
    LanguageUnsupported,
    GroupNested,
    GroupSecond,
    GenderUnmapped,
    DegreeUnknown,
    RequiredMissing,
}

impl Code {
    /// All there are.
    pub const ALL: [Self; 12] = [
        Self::EmailSyntax,
        Self::EmailTaken,
        Self::DomainNotListed,
        Self::CollectiveAddress,
        Self::SharedMailbox,
        Self::LanguageUnreadable,
        Self::LanguageUnsupported,
        Self::GroupNested,
        Self::GroupSecond,
        Self::GenderUnmapped,
        Self::DegreeUnknown,
        Self::RequiredMissing,
    ];

    /// The name in findings.
    pub fn name(self) -> &'static str {
        match self {
            Self::EmailSyntax => "email-syntax",
            Self::EmailTaken => "email-taken",
            Self::DomainNotListed => "domain-not-listed",
            Self::CollectiveAddress => "collective-address",
            Self::SharedMailbox => "shared-mailbox",
            Self::LanguageUnreadable => "language-unreadable",
            Self::LanguageUnsupported => "language-unsupported",
            Self::GroupNested => "group-nested",
            Self::GroupSecond => "group-second",
            Self::GenderUnmapped => "gender-unmapped",
            Self::DegreeUnknown => "degree-unknown",
            Self::RequiredMissing => "required-missing",
        }
    }

    /// How serious a finding is under a mode; nothing where the mode does not want it.
    pub fn severity(self, mode: Mode) -> Option<Severity> {
        match (self, mode) {
            (_, Mode::Off) => None,
            // The person gets another language, which is what `supported` is for.
            (Self::LanguageUnsupported, Mode::Enforce | Mode::Warn) => Some(Severity::Note),
            // Something for the operator to map, and nothing that the identity provider could do better.
            (Self::GenderUnmapped | Self::DegreeUnknown, Mode::Warn) => Some(Severity::Note),
            (_, Mode::Warn) => Some(Severity::Warning),
            (_, Mode::Enforce) => Some(Severity::Error),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a rule says of a User.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule, and what about it, such as `domain-not-listed`. Documented and stable: the name of a [`Code`].
    pub code: String,
    /// How serious it is.
    pub severity: Severity,
    /// The SCIM attribute path that the value came from, such as `emails[type eq "work"].value`.
    pub path: String,
    /// The value, as it was sent, cut where it is long.
    pub value: String,
    /// What is wrong: lower-case, without a full stop.
    pub explanation: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    /// A finding, if the mode wants one.
    pub(crate) fn new(
        code: Code,
        mode: Mode,
        path: impl Into<String>,
        value: &str,
        explanation: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Option<Self> {
        Some(Self {
            code: code.name().to_owned(),
            severity: code.severity(mode)?,
            path: path.into(),
            value: excerpt(value).into_owned(),
            explanation: explanation.into(),
            remedy: remedy.into(),
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.path.is_empty() {
            write!(f, " at {}", self.path)?;
        }
        write!(f, ": {}; {}", self.explanation, self.remedy)
    }
}
