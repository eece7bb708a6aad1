//! Records in an SQLite file: one for all nodes of a process, which people can read.
//!
//! ```text
//!   SqliteStore ×n ── reads ──▶ a connection that they share ──▶┐
//!        │ seal                                                 │ records.db
//!        ▼                                                      │ records.db-wal
//!      Batch ×n ─── Database::commit, one transaction ─────────▶┘
//! ```
//!
//! The keys and digests are in memory, and so is what has not been committed; all else is read
//! from the file when it is asked for, and held against its digest. A commit waits for the disk,
//! so whoever runs the nodes does it beside them. What is committed is synced: the file is in WAL
//! mode, with `synchronous=FULL`.
//!
//! # What is in the file
//!
//! `sqlite3 records.db 'SELECT * FROM contents'` shows it all. Every field of a record is a row,
//! with its stamps as `milliseconds.counter@node`; its record's digest stands in another table,
//! and the records that a node had set aside in a third. What is written to the file by somebody
//! else is not known to the nodes before their next start, and looks to them like damage.

mod aside;
mod database;
mod error;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod wal;

use std::sync::{self, Mutex, PoisonError};

use rusqlite::Connection;

use cuerda_core::calls_on_staged;
use cuerda_core::record::{Digest, DigestSource, Entry, RangeDigest, Record};
use cuerda_core::ring::{Id, KeyRange};
use cuerda_core::store::staged::{RecordLocation, Staged};
use cuerda_core::store::{Damaged, Index, Notes, Store};

pub use aside::{AsideKey, AsidePage, AsideRecord};
pub use database::Database;
pub use error::StoreError;
pub use wal::LogState;

/// The records of one node in a [`Database`].
#[derive(Debug)]
pub struct SqliteStore {
    node: i64,
    reader: sync::Arc<Reader>,
    staged: Staged,
    trouble: Option<StoreError>,
}

/// The connection by which records are read.
#[derive(Debug)]
struct Reader {
    path: std::path::PathBuf,
    connection: Mutex<Connection>,
}

impl SqliteStore {
    fn new(node: i64, reader: sync::Arc<Reader>, index: Index, notes: Notes) -> SqliteStore {
        SqliteStore {
            node,
            reader,
            staged: Staged::over(index, notes),
            trouble: None,
        }
    }

    /// Takes out what was wrong with the file itself when a record was read, if anything was: it
    /// can't be relied on any more. The record that was asked for counts as damaged.
    pub fn take_trouble(&mut self) -> Option<StoreError> {
        self.trouble.take()
    }

    /// Whether something is wrong with the file itself, so that nothing can be said of a record.
    #[must_use]
    pub const fn has_trouble(&self) -> bool {
        self.trouble.is_some()
    }

    /// The record of a key in the file, if it has this digest.
    fn read(&self, key: Id, digest: Digest) -> rusqlite::Result<Option<Record>> {
        let connection = &self.reader.connection;
        let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        let found = rows::read(&connection, self.node, key)?;
        Ok(found.filter(|record| record.digest() == digest))
    }
}

impl DigestSource for SqliteStore {
    fn entries(&self, arc: KeyRange) -> impl Iterator<Item = Entry> {
        self.staged.index().entries(arc)
    }

    fn digest(&self, arc: KeyRange) -> RangeDigest {
        self.staged.index().digest(arc)
    }
}

impl Store for SqliteStore {
    fn get(&mut self, key: Id) -> Result<Option<Record>, Damaged> {
        let digest = match self.staged.find(key) {
            RecordLocation::Nothing => return Ok(None),
            RecordLocation::Here(record) => return Ok(Some(record.clone())),
            RecordLocation::OnDisk(digest) => digest,
        };
        match self.read(key, digest) {
            Ok(Some(record)) => return Ok(Some(record)),
            Ok(None) => {}
            Err(error) => {
                let error = StoreError::of(&self.reader.path, &error);
                self.trouble.get_or_insert(error);
            }
        }
        self.staged.lose(key);
        Err(Damaged(key))
    }

    calls_on_staged!();

    fn committed(&mut self, number: u64) {
        while self.staged.committed(number).is_some() {}
    }
}
