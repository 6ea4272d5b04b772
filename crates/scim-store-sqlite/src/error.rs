//! What can go wrong, sorted by what a caller can do about it.

use std::fmt;

use rusqlite::ErrorCode;
use rusqlite::ffi;
use scim_store::StoreError;

/// Why a file could not be opened as a store.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The path names no file: a database in memory would lose what it acknowledged.
    NotAFile,
    /// The file is a database of something else.
    Foreign,
    /// The file was written by a later version of this software.
    Newer {
        /// The version of its schema.
        found: i64,
        /// The latest version that is known here.
        known: i64,
    },
    /// The file system or SQLite refused.
    Refused(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFile => {
                f.write_str("a store needs the path of a file; in memory nothing would be durable")
            }
            Self::Foreign => {
                f.write_str("the file is a database, but not one of this software; choose another path")
            }
            Self::Newer { found, known } => write!(
                f,
                "the file has schema version {found}, and this software knows up to {known}; run the version that wrote it, or a later one"
            ),
            Self::Refused(source) => write!(f, "the file cannot be opened: {source}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(source) => Some(source.as_ref()),
            Self::NotAFile | Self::Foreign | Self::Newer { .. } => None,
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// The one place that sorts SQLite's errors.
pub(crate) fn store_error(error: rusqlite::Error) -> StoreError {
    let code = match &error {
        rusqlite::Error::SqliteFailure(failure, _) => Some((failure.code, failure.extended_code)),
        _ => None,
    };
    match code {
        Some((ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OperationInterrupted, _)) => {
            StoreError::Unavailable(error.into())
        }
        // The shared-memory file is extended before the disk is found to be full.
        Some((ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE)) => StoreError::Full(error.into()),
        // Locks that the file system does not give, descriptors or memory that ran out: it may have them again.
        Some((ErrorCode::FileLockingProtocolFailed | ErrorCode::CannotOpen | ErrorCode::OutOfMemory, _)) => {
            StoreError::Unavailable(error.into())
        }
        // A sync that failed leaves open what is on the disk; a quota that is used up is reported like this too.
        Some((ErrorCode::SystemIoFailure, _)) => StoreError::Unavailable(error.into()),
        _ => StoreError::Fault(error.into()),
    }
}

/// What is stored is not what was written.
pub(crate) fn corrupt(what: &'static str) -> StoreError {
    StoreError::Fault(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_a_caller_can_do() {
        let sorted = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            match store_error(error) {
                StoreError::Unavailable(_) => "unavailable",
                StoreError::Full(_) => "full",
                StoreError::Fault(_) => "fault",
            }
        };
        for (code, expected) in [
            (ffi::SQLITE_BUSY, "unavailable"),
            (ffi::SQLITE_BUSY_RECOVERY, "unavailable"),
            (ffi::SQLITE_IOERR_FSYNC, "unavailable"),
            (ffi::SQLITE_IOERR_WRITE, "unavailable"),
            (ffi::SQLITE_PROTOCOL, "unavailable"),
            (ffi::SQLITE_CANTOPEN, "unavailable"),
            (ffi::SQLITE_NOMEM, "unavailable"),
            (ffi::SQLITE_FULL, "full"),
            (ffi::SQLITE_IOERR_SHMSIZE, "full"),
            (ffi::SQLITE_CORRUPT, "fault"),
            (ffi::SQLITE_CONSTRAINT, "fault"),
        ] {
            assert_eq!(sorted(code), expected, "code {code}");
        }
    }
}
