//! What a process keeps on disk of itself: its key, how often it has started, and peers it knew.
//!
//! ```text
//!   DIRECTORY/lock           held while the process runs; empty
//!   DIRECTORY/identity.pem   the key: see identity.rs
//!   DIRECTORY/state.json     {"format": 1, "incarnation": 7, "records": true,
//!                             "peers": [{"id": "…", "address": "…"}, …]}
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
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::file;
use super::identity::{Identity, IdentityError};
use super::limits::PEERS_KEPT;
use cuerda_core::Hint;
use cuerda_core::ring::Peer;

/// The longest state that is read; 64 peers take some 7 KiB.
const STATE_BYTES_MAX: u64 = 64 * 1024;
/// The format of the state that is written here. A release that adds to it raises this number: who
/// does not know what was added would write the state again without it.
const FORMAT: u32 = 1;

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
    /// The file in which records were stored, and which is gone or empty.
    pub records_gone: Option<PathBuf>,
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
    /// It is a link, and where that leads nothing is.
    #[error("the data directory {path} is a link to {target}, which is not there")]
    Dangling {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A later release has written the state.
    #[error("{path} was written by a later release ({why})")]
    Newer {
        /// Which file.
        path: PathBuf,
        /// How one can tell.
        why: String,
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
            DataError::Dangling { .. } => {
                "is a disk not mounted? Mount it, make the directory, or name another by `--data`"
                    .into()
            }
            DataError::Newer { .. } => {
                "run the release that wrote it, or a later one; nothing has been changed".into()
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct State {
    /// The first release wrote none.
    #[serde(default = "first_format")]
    format: u32,
    incarnation: u32,
    /// Whether records have been stored.
    #[serde(default)]
    records: bool,
    peers: Vec<Peer>,
    /// What this release does not know.
    #[serde(flatten, skip_serializing)]
    unknown: BTreeMap<String, IgnoredAny>,
}

const fn first_format() -> u32 {
    1
}

impl State {
    /// Of a node that has started so often and knows nobody.
    const fn after(incarnation: u32) -> State {
        State {
            format: FORMAT,
            incarnation,
            records: false,
            peers: Vec::new(),
            unknown: BTreeMap::new(),
        }
    }
}

/// What a state of any release says of itself.
#[derive(Deserialize)]
struct Head {
    #[serde(default = "first_format")]
    format: u32,
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
        if let Some(target) = dangling(path) {
            return Err(DataError::Dangling {
                path: path.to_owned(),
                target,
            });
        }
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(unusable)?;
        let lock = lock(path)?;
        let (identity, created) = Identity::load_or_create(&path.join("identity.pem"))?;
        let mut state = match read_state(&path.join("state.json"))? {
            Some(state) => state,
            None if created => State::after(0),
            None => State::after(seconds_since_1970()),
        };
        // Of processes that were killed while they wrote; the lock says that none does so now.
        for name in ["state.json", "identity.pem"] {
            file::remove_temporary(&path.join(name)).map_err(unusable)?;
        }
        let records = path.join("records.db");
        let stored = fs::metadata(&records).is_ok_and(|file| file.len() > 0);
        let records_gone = (state.records && !stored).then_some(records);
        state.incarnation += 1;
        state.records = stored;
        let opened = Opened {
            identity,
            created,
            incarnation: state.incarnation,
            peers: state.peers.clone(),
            records_gone,
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
        let peers = peers[..peers.len().min(PEERS_KEPT)].to_vec();
        self.save(State {
            peers,
            ..self.state.clone()
        })
    }

    /// Remembers that records have been stored, so that a start says so if they are gone. Waits for
    /// the disk the first time.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn save_that_records_are_stored(&mut self) -> Result<(), DataError> {
        self.save(State {
            records: true,
            ..self.state.clone()
        })
    }

    fn save(&mut self, state: State) -> Result<(), DataError> {
        if self.state == state {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.state, state);
        self.write_state().inspect_err(|_| self.state = before)
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

/// Where this leads, if it is a link to what is not there.
fn dangling(path: &Path) -> Option<PathBuf> {
    let target = fs::read_link(path).ok()?;
    let missing = fs::metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    missing.then_some(target)
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
    let newer = |why: String| DataError::Newer {
        path: path.to_owned(),
        why,
    };
    let read = |error: serde_json::Error| damaged(error.to_string());
    let head: Head = serde_json::from_str(&text).map_err(read)?;
    if head.format > FORMAT {
        let found = head.format;
        return Err(newer(format!(
            "its format is {found}, and this release knows formats up to {FORMAT}"
        )));
    }
    let mut state: State = serde_json::from_str(&text).map_err(read)?;
    if let Some(name) = state.unknown.keys().next() {
        return Err(newer(format!("this release knows no `{name}`")));
    }
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
