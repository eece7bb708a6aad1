//! What can be wrong with the file, in words that say what to try next.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use super::super::descriptors::{are_missing, are_used_up};
use cuerda_core::Hint;
use rusqlite::ErrorCode;

/// Why records can't be read or written. After a commit that failed nothing of it is in the
/// file, and the file is as sound as before; the process must not go on, since its nodes have
/// written what is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no room.
    #[error("{path} can't grow, the disk is full or a quota is used up")]
    Full {
        /// Which file.
        path: PathBuf,
    },
    /// It may not be written.
    #[error("{path} can't be written, it is read-only")]
    ReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// Somebody else is writing.
    #[error("{path} is locked by another process")]
    Locked {
        /// Which file.
        path: PathBuf,
    },
    /// The process, or the system, can open no more files.
    #[error("can't use {path}: no file descriptor is left")]
    Descriptors {
        /// Which file.
        path: PathBuf,
    },
    /// It is not what was written.
    #[error("{path} is damaged or not a file of records ({why})")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What SQLite says.
        why: String,
    },
    /// A later release has written it.
    #[error("{path} has the format {found}, and this release knows formats up to {known}")]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The format of the file.
        found: i32,
        /// The latest that is known here.
        known: i32,
    },
    /// Something else; most often the file can't be opened or the disk does not do its work.
    #[error("can't use {path}: {why}")]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What SQLite or the system says.
        why: String,
    },
    /// A harness made a commit fail.
    #[error("a commit was made to fail: {0}")]
    Injected(String),
}

impl Hint for StoreError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            StoreError::Full { .. } => {
                "free some space and start the node again; what it has acknowledged is safe".into()
            }
            StoreError::ReadOnly { .. } => {
                "make sure that the user that runs the node may write the file and its folder, \
                 and that the disk is not mounted read-only (a disk with errors may have become \
                 so)"
                .into()
            }
            StoreError::Locked { .. } => {
                "stop whoever has it open (a `sqlite3` with an open transaction, perhaps) and \
                 start the node again"
                    .into()
            }
            StoreError::Descriptors { .. } => {
                "raise the limit of open files (`ulimit -n`, `LimitNOFILE=`) and start the node \
                 again; nothing is damaged"
                    .into()
            }
            StoreError::Damaged { path, .. } => format!(
                "check the disk; move the file and those that begin with its name away and start \
                 the node again, which then fetches its records from the other holders; \
                 `sqlite3 {} .recover` shows what can be saved",
                path.display()
            )
            .into(),
            StoreError::Newer { .. } => "run the release that wrote it, or a later one".into(),
            StoreError::Unusable { .. } => {
                "make sure that its folder is there, that it belongs to the user that runs the \
                 node and that the disk works"
                    .into()
            }
            StoreError::Injected(_) => return None,
        })
    }
}

impl StoreError {
    /// What an error of the system means for people.
    pub(super) fn unreadable(path: &Path, error: &io::Error) -> StoreError {
        let path = path.to_owned();
        if are_used_up(error) {
            return StoreError::Descriptors { path };
        }
        StoreError::Unusable {
            path,
            why: error.to_string(),
        }
    }

    /// What an error of SQLite means for people.
    pub(super) fn of(path: &Path, error: &rusqlite::Error) -> StoreError {
        let (path, why) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full { path },
            Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Locked { path }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged { path, why }
            }
            // It says only that a file can't be opened.
            Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) if are_missing() => {
                StoreError::Descriptors { path }
            }
            _ => StoreError::Unusable { path, why },
        }
    }
}
