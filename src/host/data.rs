//! What a process keeps on disk of itself: its key, how often it has started, and peers it knew.
//!
//! ```text
//!   DIRECTORY/lock           held while the process runs; empty
//!   DIRECTORY/identity.pem   the key: see identity.rs
//!   DIRECTORY/state.json     {"incarnation": 7, "peers": [{"id": "…", "address": "…"}, …]}
//!   DIRECTORY/records.db     the records of its nodes: see store/sqlite; not opened here
//! ```
//!
//! Never the state of the ring: that is out of date as soon as the process has stopped, and a
//! node that came back with it would break the ring. It joins again; the peers are whom it
//! asks, and all of them may be gone.
//!
//! # If the state is lost
//!
//! The key is what must not be lost. Without the peers a node needs to be told whom to join,
//! as at its first start. The incarnation tells the replies to a node's present life from those
//! to an earlier one, so it must never be one that was used already. Where a key is found but
//! no state, it is therefore taken from the clock: the seconds since 1970, which are more than
//! the starts of any node that does not start more than once a second, and more than any number
//! that was itself taken from the clock before, as long as the clock is about right. So a
//! damaged state can be removed; that is left to people, since damage has a cause, which may
//! threaten the key as well.

use std::borrow::Cow;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::file;
use super::identity::{Identity, IdentityError};
use super::limits::PEERS_KEPT;
use cuerda_core::Hint;
use cuerda_core::ring::Peer;

/// The longest state that is read; 64 peers take some 7 KiB.
const STATE_BYTES_MAX: u64 = 64 * 1024;

/// A directory that belongs to this process until this value is dropped.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    state: State,
    /// Holds the lock; the system takes it back when the process ends, however it ends.
    _lock: File,
}

/// What was found in a data directory, or made there.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The key.
    pub identity: Identity,
    /// Whether the key is new, and so the node.
    pub created: bool,
    /// Counts the starts, this one included; on the disk already.
    pub incarnation: u32,
    /// Peers that were remembered, at most [`PEERS_KEPT`]; they may be gone.
    pub peers: Vec<Peer>,
}

/// Why a data directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Its key can't be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Something can't be read or written.
    #[error("can't use {path}: {error}")]
    Unusable {
        /// What.
        path: PathBuf,
        /// What the file system said.
        error: io::Error,
    },
    /// Another process has it.
    #[error("the data directory {path} is in use by another process")]
    InUse {
        /// Which directory.
        path: PathBuf,
    },
    /// The state is not what was written.
    #[error("{path} is damaged ({why})")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Hint for DataError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            DataError::Identity(error) => return error.hint(),
            DataError::Unusable { .. } => {
                "make sure that it belongs to the user that runs the node and that the disk is \
                 not full"
                    .into()
            }
            DataError::InUse { .. } => {
                "stop that one, or give this node a directory of its own".into()
            }
            DataError::Damaged { path, .. } => format!(
                "check the disk, then remove this file, and this one only, with `rm {}`; the node \
                 forgets which peers it knew, and keeps its key and its id",
                path.display()
            )
            .into(),
        })
    }
}

/// What `state.json` holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    incarnation: u32,
    peers: Vec<Peer>,
}

impl DataDirectory {
    /// Opens a data directory, which is made if there is none (mode 0700), and counts a start.
    ///
    /// # Errors
    /// If another process has it, or something in it can't be read or written or is damaged.
    pub fn open(path: &Path) -> Result<(DataDirectory, Opened), DataError> {
        let unusable = |error| DataError::Unusable {
            path: path.to_owned(),
            error,
        };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(unusable)?;
        let lock = lock(path)?;
        let (identity, created) = Identity::load_or_create(&path.join("identity.pem"))?;
        let mut state = match read_state(&path.join("state.json"))? {
            Some(state) => state,
            None if created => State::default(),
            None => State {
                incarnation: seconds_since_1970(),
                peers: Vec::new(),
            },
        };
        state.incarnation += 1;
        let opened = Opened {
            identity,
            created,
            incarnation: state.incarnation,
            peers: state.peers.clone(),
        };
        let directory = DataDirectory {
            path: path.to_owned(),
            state,
            _lock: lock,
        };
        directory.write_state()?;
        Ok((directory, opened))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its nodes keep their records: for [`super::Storage::File`].
    #[must_use]
    pub fn records(&self) -> PathBuf {
        self.path.join("records.db")
    }

    /// Remembers these peers, the first [`PEERS_KEPT`] of them, in the place of those before. Waits
    /// for the disk, unless they are the same: not a thing to do where something else waits.
    ///
    /// # Errors
    /// If they can't be written; then those before stay remembered.
    pub fn save_peers(&mut self, peers: &[Peer]) -> Result<(), DataError> {
        let peers = &peers[..peers.len().min(PEERS_KEPT)];
        if self.state.peers == peers {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.state.peers, peers.to_vec());
        self.write_state()
            .inspect_err(|_| self.state.peers = before)
    }

    fn write_state(&self) -> Result<(), DataError> {
        let file = self.path.join("state.json");
        let mut text = serde_json::to_string_pretty(&self.state)
            .expect("numbers and strings can be written as JSON");
        text.push('\n');
        file::replace(&file, text.as_bytes())
            .map_err(|error| DataError::Unusable { path: file, error })
    }
}

/// Makes sure that no other process uses the directory.
fn lock(directory: &Path) -> Result<File, DataError> {
    let path = directory.join("lock");
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path);
    let locked = opened.and_then(|file| match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    });
    match locked {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(DataError::InUse {
            path: directory.to_owned(),
        }),
        Err(error) => Err(DataError::Unusable { path, error }),
    }
}

/// The state as it was left; `None` if there is none.
fn read_state(path: &Path) -> Result<Option<State>, DataError> {
    let damaged = |why: String| DataError::Damaged {
        path: path.to_owned(),
        why,
    };
    let text = match file::read(path, STATE_BYTES_MAX) {
        Ok((text, _)) => text,
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => return Ok(None),
            io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge => {
                return Err(damaged(error.to_string()));
            }
            _ => {
                let path = path.to_owned();
                return Err(DataError::Unusable { path, error });
            }
        },
    };
    let mut state: State =
        serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    if state.incarnation == u32::MAX {
        return Err(damaged("no node starts so often".to_owned()));
    }
    state.peers.truncate(PEERS_KEPT);
    Ok(Some(state))
}

/// Greater than the number of starts of any node; see the head of this file.
fn seconds_since_1970() -> u32 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one number that a lost one can't have been greater than"
    )]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // Until the year 2106.
    u32::try_from(since).unwrap_or(u32::MAX - 1)
}

#[cfg(test)]
mod tests;
