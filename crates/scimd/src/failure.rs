//! Why a command did not succeed, and the exit code that says so.

use std::error::Error as StdError;
use std::fmt;

use scim_core::{Error, ErrorKind};
use scim_store::StoreError;

use crate::table::shown;

/// A command that did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// The command line or the configuration is wrong; nothing was done. Exit code 2.
    Usage(String),
    /// It could not be done. Exit code 1.
    Run(String),
    /// What was to be followed is not what was followed before, so that it has to be followed from the beginning. Exit code 3.
    Anew(String),
}

impl Failure {
    /// The process's exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Run(_) => 1,
            Self::Usage(_) => 2,
            Self::Anew(_) => 3,
        }
    }

    /// A failure of the operating system, with what was attempted.
    pub fn io(doing: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::Run(format!("{doing}: {error}"))
    }
}

/// As a terminal may show it: what it quotes may come from an identity provider or a file.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(message) | Self::Run(message) | Self::Anew(message)) = self;
        let lines: Vec<String> = message.split('\n').map(shown).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl StdError for Failure {}

impl From<Error> for Failure {
    /// An operator may read the causes that a client never sees.
    fn from(error: Error) -> Self {
        let told = std::iter::once(error.to_string()).chain(error.causes());
        let message = told.collect::<Vec<_>>().join("\n  caused by: ");
        match error.kind() {
            // Of a command, it is what was typed, or a file that was named.
            ErrorKind::InvalidValue | ErrorKind::InvalidSyntax => Self::Usage(message),
            _ => Self::Run(message),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Run(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_told_once() {
        let store = StoreError::Fault("no such table".into());
        assert!(store.source().is_none(), "its text has it");
        let error = Error::new(ErrorKind::Internal, "the store failed").caused_by(store);
        let told = "the store failed\n  caused by: the store failed: no such table";
        assert_eq!(Failure::from(error).to_string(), told);
    }
}
