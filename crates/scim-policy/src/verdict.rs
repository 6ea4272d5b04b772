//! What a policy says of a User, and how a refusal reaches the identity provider.
//!
//! The refusal is one SCIM error with everything in it, the essence first: provisioning logs show little more than the
//! first 200 characters.

use std::fmt::Write;

use scim_core::person::Derived;
use scim_core::{Error, ErrorKind};

use crate::finding::{Finding, Severity};

/// What becomes of a User.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The person, to be stored with the User unless it is refused.
    pub derived: Derived,
    /// Everything that the rules say, in the order of the rules.
    pub findings: Vec<Finding>,
    /// What to claim for the person, so that nobody else has the same address. None where the policy does not ask, where
    /// there is no address, and for a person who is not active.
    pub email_key: Option<String>,
    /// Where that address came from, for [`crate::Policy::email_taken`].
    pub email_path: Option<String>,
    /// A word for a gender that the tenant's vocabulary does not have, cut where it is long. It is here whatever the mode
    /// of the rule is, so that such words can be counted.
    pub unmapped_gender: Option<String>,
}

impl Verdict {
    /// Whether the User is refused.
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The answer to the identity provider, if the User is refused.
    pub fn refusal(&self) -> Option<Error> {
        refusal(&self.findings)
    }
}

/// Longest detail, in characters.
const DETAIL_LIMIT: usize = 1500;
/// In how many characters the first error has its rule, attribute, value and remedy.
const ESSENCE_LIMIT: usize = 200;
/// Longest path, in characters, that a detail shows whole.
const PATH_LIMIT: usize = 48;
/// The least that is left of an explanation, which begins with the value.
const LEAST_EXPLANATION: usize = 30;

/// One SCIM error for all findings that are errors; none if there are none.
pub fn refusal<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Option<Error> {
    let errors: Vec<&Finding> =
        findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    let first = errors.first()?;
    let mut detail = essence(first);
    let mut length = detail.chars().count();
    for (told, finding) in errors.iter().enumerate().skip(1) {
        let next = format!(" | {finding}");
        let more = format!(" | and {} more", errors.len() - told);
        length += next.chars().count();
        if length + more.len() > DETAIL_LIMIT {
            let _ = write!(detail, "{more}");
            break;
        }
        detail.push_str(&next);
    }
    Some(Error::new(ErrorKind::InvalidValue, detail).at(&first.path))
}

/// The finding in few words. Only the explanation is cut, from its end.
fn essence(finding: &Finding) -> String {
    let Finding { code, path, explanation, remedy, .. } = finding;
    let path = match path.is_empty() {
        true => String::new(),
        false => format!(" at {}", tail(path, PATH_LIMIT)),
    };
    let around = code.chars().count() + path.chars().count() + remedy.chars().count() + ": ; ".len();
    let room = ESSENCE_LIMIT.saturating_sub(around).max(LEAST_EXPLANATION);
    format!("{code}{path}: {}; {remedy}", head(explanation, room))
}

/// At most `limit` characters from the start.
fn head(text: &str, limit: usize) -> String {
    match text.chars().count() > limit {
        true => text.chars().take(limit - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// At most `limit` characters from the end, where a path says most.
fn tail(text: &str, limit: usize) -> String {
    let length = text.chars().count();
    match length > limit {
        true => ['…'].into_iter().chain(text.chars().skip(length + 1 - limit)).collect(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
