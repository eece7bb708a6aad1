//! The file: how it is opened, and the one way by which it is written.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{self, Mutex};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};

use super::schema::{self, Format};
use super::{LogState, Reader, SqliteStore, StoreError, rows, wal};
use cuerda_core::record::Digest;
use cuerda_core::ring::Id;
use cuerda_core::store::{Batch, Index, Notes};

/// How long a commit waits for somebody else who writes to the file.
const PATIENCE: Duration = Duration::from_secs(5);
/// Statements kept ready; there are fewer.
const STATEMENTS: usize = 32;

/// A file of records, open for writing. The stores of its nodes read from it.
#[derive(Debug)]
pub struct Database {
    pub(super) path: PathBuf,
    log: LogState,
    pub(super) writer: Connection,
    reader: sync::Arc<Reader>,
}

impl Database {
    /// Opens a file of records; an empty one, or none, becomes one.
    ///
    /// # Errors
    /// If it can't be read and written, is damaged, or is not such a file.
    pub fn open(path: &Path) -> Result<Database, StoreError> {
        let wrong = |error: rusqlite::Error| StoreError::of(path, &error);
        // Before SQLite opens them, and drops what does not fit without a word.
        let unreadable = |error: io::Error| StoreError::unreadable(path, &error);
        let missing = missing_bytes(path).map_err(unreadable)?;
        let log = wal::look(path).map_err(unreadable)?;
        let mut writer = connect(path).map_err(wrong)?;
        match schema::format(&writer).map_err(wrong)? {
            Format::Empty | Format::Known | Format::Older => {}
            Format::Newer(found) => {
                return Err(StoreError::Newer {
                    path: path.to_owned(),
                    found,
                    known: schema::FORMAT,
                });
            }
            Format::Foreign => {
                return Err(StoreError::Damaged {
                    path: path.to_owned(),
                    why: "another program has made it".to_owned(),
                });
            }
        }
        if missing > 0 || log == LogState::Lost {
            check(&writer)
                .map_err(wrong)?
                .map_err(|why| StoreError::Damaged {
                    path: path.to_owned(),
                    why: match missing {
                        0 => why,
                        bytes => format!("it has been cut short, {bytes} bytes are missing; {why}"),
                    },
                })?;
        }
        // Nothing was written before it was known whose file it is.
        make_durable(&writer).map_err(wrong)?;
        match schema::format(&writer).map_err(wrong)? {
            Format::Empty => schema::make(&mut writer).map_err(wrong)?,
            Format::Older => schema::renew(&mut writer).map_err(wrong)?,
            _ => {}
        }
        let reader = connect(path).map_err(wrong)?;
        reader
            .pragma_update(None, "query_only", true)
            .map_err(wrong)?;
        // Now, while there are descriptors, it opens all files that it will ever need.
        schema::format(&reader).map_err(wrong)?;
        Ok(Database {
            path: path.to_owned(),
            log,
            writer,
            reader: sync::Arc::new(Reader {
                path: path.to_owned(),
                connection: Mutex::new(reader),
            }),
        })
    }

    /// The store of a node, as it was left. A node must have one at a time.
    ///
    /// # Errors
    /// If the file can't be read or written, or is damaged.
    pub fn store(&mut self, node: Id) -> Result<SqliteStore, StoreError> {
        self.load(node)
            .map_err(|error| StoreError::of(&self.path, &error))
    }

    fn load(&mut self, id: Id) -> rusqlite::Result<SqliteStore> {
        let id = id.to_string();
        self.writer
            .execute("INSERT OR IGNORE INTO nodes (id) VALUES (?)", [&id])?;
        let (node, notes) = self.writer.query_row(
            "SELECT node, mark, alive, forgotten, held, scrubbed FROM nodes WHERE id = ?",
            [&id],
            |row| {
                let number = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
                let (mark, alive, forgotten) = (number(1)?, number(2)?, number(3)?);
                // What is no point of the circle says nothing.
                let point = |at| {
                    let text = row.get::<_, Option<String>>(at)?;
                    Ok::<_, rusqlite::Error>(text.and_then(|text| text.parse().ok()))
                };
                let notes = Notes {
                    mark,
                    alive,
                    forgotten,
                    held: point(4)?,
                    scrubbed: point(5)?,
                };
                Ok((row.get::<_, i64>(0)?, notes))
            },
        )?;
        let mut statement = self
            .writer
            .prepare("SELECT key, digest FROM records WHERE node = ?")?;
        let mut index = Index::default();
        let mut found = statement.query(params![node])?;
        while let Some(row) = found.next()? {
            let text = |at| Ok::<_, rusqlite::Error>(row.get_ref(at)?.as_str().ok());
            // A key that is none is nobody's; a digest that is none fits no record, which is so
            // found to be damaged.
            let Some(key) = text(0)?.and_then(|key| key.parse::<Id>().ok()) else {
                continue;
            };
            let digest = text(1)?.and_then(|digest| digest.parse::<Id>().ok());
            let digest = digest.unwrap_or(Id::ZERO).to_bytes();
            index.set(key, Some(Digest::from_bytes(digest)));
        }
        Ok(SqliteStore::new(
            node,
            sync::Arc::clone(&self.reader),
            index,
            notes,
        ))
    }

    /// Brings batches of these nodes to the disk, in this order, all or none, and waits until
    /// they are there.
    ///
    /// # Errors
    /// If that can't be done; then the file is as it was.
    pub fn commit<'a>(
        &mut self,
        batches: impl IntoIterator<Item = (Id, &'a Batch)>,
    ) -> Result<(), StoreError> {
        self.write(batches)
            .map_err(|error| StoreError::of(&self.path, &error))
    }

    fn write<'a>(
        &mut self,
        batches: impl IntoIterator<Item = (Id, &'a Batch)>,
    ) -> rusqlite::Result<()> {
        let behaviour = TransactionBehavior::Immediate;
        let transaction = self.writer.transaction_with_behavior(behaviour)?;
        for (node, batch) in batches {
            let node: i64 = transaction
                .prepare_cached("SELECT node FROM nodes WHERE id = ?")?
                .query_row([node.to_string()], |row| row.get(0))?;
            rows::write(&transaction, node, batch)?;
        }
        transaction.commit()
    }

    /// How large it is, with its log. `None` if the system does not say.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        let length = |path: &Path| fs::metadata(path).map(|file| file.len());
        let log = length(&wal::beside(&self.path, "-wal")).unwrap_or_default();
        length(&self.path).ok().map(|file| file + log)
    }

    /// How its log was found when it was opened.
    #[must_use]
    pub const fn log_state(&self) -> LogState {
        self.log
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the file have no more than so many pages, as on a full disk.
    #[cfg(test)]
    pub(in crate::host::sqlite) fn fill(&self, pages: i64) {
        let set = self.writer.pragma_update(None, "max_page_count", pages);
        set.unwrap();
    }

    #[cfg(test)]
    pub(in crate::host::sqlite) const fn writer_for_tests(&self) -> &Connection {
        &self.writer
    }
}

/// How many bytes a file has less than it says itself. That may be right: while pages are moved from
/// the log into the file, the first may say already what the last will be.
fn missing_bytes(path: &Path) -> io::Result<u64> {
    let mut head = [0; 100];
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    if length < head.len() as u64 {
        // SQLite says what it is.
        return Ok(0);
    }
    file.read_exact(&mut head)?;
    let number = |at: usize| {
        let bytes = head[at..at + 4].try_into();
        u64::from(bytes.map_or(0, u32::from_be_bytes))
    };
    let page = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 65536,
        bytes => u64::from(bytes),
    };
    // Else an old program has written it, which says no number of pages.
    let says = number(24) == number(92);
    Ok(if says { page * number(28) } else { 0 }.saturating_sub(length))
}

/// Whether all pages are there and make sense; else what is wrong with the first that does not.
fn check(connection: &Connection) -> rusqlite::Result<Result<(), String>> {
    let verdict: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    Ok(match verdict.as_str() {
        "ok" => Ok(()),
        _ => Err(verdict),
    })
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Before all else: changing the journal needs a lock that somebody else may have.
    connection.busy_timeout(PATIENCE)?;
    // No file is opened later, when there may be no descriptor left.
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Makes sure that what is committed is on the disk.
fn make_durable(connection: &Connection) -> rusqlite::Result<()> {
    let journal: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if journal != "wal" {
        // On file systems without shared memory; slower, and as safe.
        connection.pragma_update(None, "journal_mode", "delete")?;
    }
    connection.pragma_update(None, "synchronous", "FULL")
}
