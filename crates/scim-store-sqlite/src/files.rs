//! Whether the files that are open are still the ones that are found under their names.
//!
//! A file that was removed, or in whose place another was put, takes writes for as long as it is open, and what was
//! acknowledged is gone with the last connection. With a write-ahead log SQLite does not look.

use std::fs::{Metadata, metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use scim_store::StoreError;

/// The file, its log, and the index of that, as they were opened.
pub(crate) struct Files(Vec<(PathBuf, Identity)>);

/// What stays as long as it is the same file: the file system, and the number in it.
type Identity = (u64, u64);

impl Files {
    /// Those that are there now.
    pub(crate) fn of(path: &Path) -> std::io::Result<Self> {
        // The companions of a link are beside what it leads to. The file itself is looked for where it was named.
        let real = path.canonicalize()?;
        let companion = |suffix: &str| {
            let mut name = real.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        let mut files = vec![(path.to_owned(), identity(&metadata(path)?))];
        for path in [companion("-wal"), companion("-shm")] {
            if let Ok(found) = metadata(&path) {
                files.push((path, identity(&found)));
            }
        }
        Ok(Self(files))
    }

    /// Whether they are still there.
    ///
    /// # Errors
    /// When one is not. Where that cannot be known, it is taken to be.
    pub(crate) fn are_there(&self) -> Result<(), StoreError> {
        for (path, known) in &self.0 {
            let is_there = match metadata(path) {
                Ok(found) => identity(&found) == *known,
                Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
            };
            if !is_there {
                let path = path.display();
                let why = format!(
                    "{path} was moved, removed or replaced while it was open, and what is written now would be lost; put it \
                     back, or restart this server to go on with what is there"
                );
                return Err(StoreError::Unavailable(why.into()));
            }
        }
        Ok(())
    }
}

#[cfg(unix)]
fn identity(file: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;

    (file.dev(), file.ino())
}

/// Elsewhere a file that is open can be neither removed nor replaced.
#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {
    (0, 0)
}
