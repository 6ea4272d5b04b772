//! What can go wrong, sorted by what a caller can do about it.
//!
//! Of what the database says only its code and its message are kept, for the log: details quote values.

use std::fmt;
use std::path::PathBuf;

use scim_store::{CommitError, StoreError};
use tokio_postgres::error::Severity;

/// Why a database could not be opened as a store.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// There are no tables of ours in it, or older ones than this software knows.
    Older {
        /// The version of its schema; 0 where there is none.
        found: i32,
        /// The version that is wanted.
        known: i32,
    },
    /// The tables were made by a later version of this software.
    Newer {
        /// The version of its schema.
        found: i32,
        /// The latest version that is known here.
        known: i32,
    },
    /// The database would not hold this role to one tenant.
    Role {
        /// The role.
        role: String,
        /// What it is.
        reason: &'static str,
    },
    /// Row-level security is off for a table.
    Unprotected {
        /// The tables.
        tables: String,
    },
    /// The server does not sync what it acknowledges.
    NotDurable,
    /// Something in between lends one connection to several sessions in turns.
    Pooled,
    /// Texts are kept in another encoding than UTF-8.
    Encoding {
        /// Which.
        encoding: String,
    },
    /// The server is too old.
    Server {
        /// Its version, as it says.
        version: String,
    },
    /// The file of root certificates cannot be used.
    RootCertificates {
        /// The file.
        file: PathBuf,
        /// Why.
        error: String,
    },
    /// The file with the password cannot be read.
    Password {
        /// The file.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// There is no such role to serve as.
    NoRole {
        /// Its name.
        role: String,
    },
    /// The network or the database refused.
    Refused(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Older { found: 0, .. } => f.write_str(
                "the database has no tables of this software; run `scimd store migrate` as their owner",
            ),
            Self::Older { found, known } => write!(
                f,
                "the database has schema version {found}, and this software needs {known}; run `scimd store migrate` as \
                 the tables' owner"
            ),
            Self::Newer { found, known } => write!(
                f,
                "the database has schema version {found}, and this software knows up to {known}; run the version whose \
                 `scimd store migrate` made it, or a later one"
            ),
            Self::Role { role, reason } => write!(
                f,
                "the role `{}` {reason}, and so would see every tenant's rows; connect as another role, made with `CREATE \
                 ROLE scimd LOGIN` and named to `scimd store migrate --role scimd`",
                role.escape_debug()
            ),
            Self::Unprotected { tables } => write!(
                f,
                "row-level security is not forced on {tables}; put it back with `ALTER TABLE … ENABLE ROW LEVEL SECURITY, \
                 FORCE ROW LEVEL SECURITY`"
            ),
            Self::NotDurable => f.write_str(
                "the server runs with `fsync = off`, so that nothing it acknowledges is durable; turn it on",
            ),
            Self::Pooled => f.write_str(
                "a pooler in between gives each transaction another session of the database, which loses what is set and \
                 prepared; let it pool sessions (`pool_mode = session`), or name the database itself",
            ),
            Self::Encoding { encoding } => write!(
                f,
                "the database keeps texts in {encoding}, which has no room for all names; make it with `CREATE DATABASE … \
                 TEMPLATE template0 ENCODING 'UTF8'`"
            ),
            Self::Server { version } => {
                write!(f, "the server is PostgreSQL {version}; 15 or later is needed")
            }
            Self::RootCertificates { file, error } => {
                write!(f, "the root certificates in {} cannot be used: {error}", file.display())
            }
            Self::Password { file, error } => {
                write!(f, "the password in {} cannot be read: {error}", file.display())
            }
            Self::NoRole { role } => write!(
                f,
                "there is no role `{0}` to serve as; create it with `CREATE ROLE {0} LOGIN`",
                role.escape_debug()
            ),
            Self::Refused(source) => write!(f, "the database cannot be opened: {source}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(source) => Some(source.as_ref()),
            Self::Password { error, .. } => Some(error),
            Self::Older { .. }
            | Self::Newer { .. }
            | Self::Role { .. }
            | Self::Unprotected { .. }
            | Self::NotDurable
            | Self::Pooled
            | Self::Encoding { .. }
            | Self::Server { .. }
            | Self::RootCertificates { .. }
            | Self::NoRole { .. } => None,
        }
    }
}

impl From<Failed> for OpenError {
    fn from(failed: Failed) -> Self {
        match failed.is_pooled {
            true => Self::Pooled,
            false => Self::Refused(failed.words.into()),
        }
    }
}

/// What became of statements that were sent.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    pub(crate) kind: Kind,
    /// Whether the server refuses to write, as a standby does.
    pub(crate) is_read_only: bool,
    /// Whether a statement that was prepared is not there, or one that was not is: the session is another one, as behind a
    /// pooler of transactions.
    is_pooled: bool,
    words: String,
}

/// What can be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The connection is gone; what was being done may or may not have happened.
    Lost,
    /// There is no connection to be had.
    Away,
    /// The server gave up on the transaction because of what others did; the same again, over another connection, may
    /// succeed.
    Again,
    /// The server refused for now.
    Busy,
    /// There is no room left.
    Full,
    /// A value could not be encoded, and so its statement was not sent.
    Unsent,
    /// Anything else.
    Fault,
}

impl Failed {
    pub(crate) fn new(kind: Kind, words: impl Into<String>) -> Self {
        Self { kind, is_read_only: false, is_pooled: false, words: words.into() }
    }

    /// The same, where a commit may have happened.
    pub(crate) fn with_unknown_outcome(self) -> Self {
        Self::new(Kind::Lost, format!("the outcome is unknown: {}", self.words))
    }

    /// Sorts an error of an established connection.
    pub(crate) fn of(error: &tokio_postgres::Error) -> Self {
        let Some(database) = error.as_db_error() else {
            let words = chain(error);
            // Errors that are neither of the database nor of the connection are told apart by their words alone.
            let begins = |any: &[&str]| any.iter().any(|start| words.starts_with(start));
            let kind = if begins(&["error serializing", "error encoding", "expected "]) {
                Kind::Unsent
            } else if begins(&["error deserializing"]) {
                Kind::Fault
            } else {
                Kind::Lost
            };
            return Self::new(kind, words);
        };
        let code = database.code().code();
        let is_ended = matches!(database.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
        let kind = match code {
            // Whyever the server has ended the session.
            _ if is_ended => Kind::Lost,
            "40001" | "40P01" => Kind::Again,
            // What a statement gives has changed since it was prepared: tables were migrated. The words are in the
            // language of the server, the function that they come from is not.
            "0A000" if database.routine() == Some("RevalidateCachedQuery") => Kind::Again,
            "53100" => Kind::Full,
            // A standby, a lock that was waited for long enough, a statement that took too long, too few resources.
            "25006" | "55P03" | "57014" | "53000" | "53200" | "53300" | "53400" => Kind::Busy,
            _ if code.starts_with("08") => Kind::Lost,
            _ => Kind::Fault,
        };
        let (is_read_only, is_pooled) = (code == "25006", matches!(code, "26000" | "42P05"));
        Self { is_read_only, is_pooled, ..Self::new(kind, format!("{} ({})", database.message(), code)) }
    }

    /// Sorts an error of a connection that did not come to be.
    pub(crate) fn to_connect(error: &tokio_postgres::Error) -> Self {
        let words = match error.as_db_error() {
            Some(database) => format!("{} ({})", database.message(), database.code().code()),
            None => chain(error),
        };
        // The server has no more of them for us, or for anybody.
        let is_busy = error.as_db_error().is_some_and(|database| database.code().code() == "53300");
        Self::new(if is_busy { Kind::Busy } else { Kind::Away }, words)
    }
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        let words = failed.words.into();
        match failed.kind {
            Kind::Lost | Kind::Away | Kind::Again | Kind::Busy => Self::Unavailable(words),
            Kind::Full => Self::Full(words),
            Kind::Unsent | Kind::Fault => Self::Fault(words),
        }
    }
}

impl From<Failed> for CommitError {
    fn from(failed: Failed) -> Self {
        StoreError::from(failed).into()
    }
}

/// An error and what is behind it, on one line.
fn chain(error: &tokio_postgres::Error) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        source = error.source();
    }
    words
}

/// What is stored is not what was written.
pub(crate) fn corrupt(what: &'static str) -> Failed {
    Failed::new(Kind::Fault, what)
}
