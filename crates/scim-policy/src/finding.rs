//! What a rule says of a User: a code, the attribute, the value, an explanation and a remedy.
//!
//! A finding is written for the administrator of the identity provider, who can mend it. It never holds a password or a
//! token.

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

/// What a rule says of a User.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule, and what about it, such as `domain-not-listed`. Documented and stable.
    pub code: String,
    /// How serious it is.
    pub severity: Severity,
    /// The SCIM attribute path that the value came from, such as `emails[type eq "work"].value`.
    pub path: String,
    /// The value, as it was sent.
    pub value: String,
    /// What is wrong: lower-case, without a full stop.
    pub explanation: String,
    /// What to do about it.
    pub remedy: String,
}
