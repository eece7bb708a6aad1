//! What nodes have set aside, piece by piece: looked through, read, and deleted.
//!
//! It may be much, and whoever looks at it shares the connection with the nodes' commits, so each
//! call goes through a bounded number of rows and says where the next one begins. What a node has
//! set aside at one time is a *group*, named by when the node was last known to be running before.
//! The fields of a record stand one after the other, since they were set aside so.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use super::{Database, StoreError, rows};
use cuerda_core::record::Record;
use cuerda_core::ring::Id;

/// Rows that are gone through in a call: those of other groups and nodes, too.
const ROWS: usize = 4096;
/// Records that are read in a call, and bytes of names and values after which it ends sooner.
const RECORDS: usize = 64;
const BYTES: u64 = 1 << 20;

/// A part of what is set aside, in the order in which it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsidePage<T> {
    /// What there is. May be nothing although more follows.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<i64>,
}

impl<T> Default for AsidePage<T> {
    fn default() -> AsidePage<T> {
        AsidePage {
            items: Vec::new(),
            next: None,
        }
    }
}

/// A record that is set aside, without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsideKey {
    /// When the node was last known to be running before, in milliseconds since 1970: the group.
    pub alive: u64,
    /// Its key; `None` if what stands there is none any more.
    pub key: Option<Id>,
    /// How many fields it has, deleted ones among them.
    pub fields: u64,
    /// Bytes of their names and values.
    pub bytes: u64,
}

/// A record that is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsideRecord {
    /// Its key; `None` if what stands there is none any more.
    pub key: Option<Id>,
    /// What it holds; `None` if a field of it makes no sense any more.
    pub record: Option<Record>,
    /// Where it stands in the file.
    pub rows: Vec<i64>,
}

/// A row, without what is long.
struct Row {
    row: i64,
    node: i64,
    alive: i64,
    key: Option<Id>,
    bytes: u64,
}

impl Row {
    fn is_beside(&self, other: &Row) -> bool {
        (self.node, self.alive, self.key) == (other.node, other.alive, other.key)
    }
}

impl Database {
    /// What a node has set aside, in all of its groups, behind this place; from 0 on all.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn aside_keys(&self, node: Id, after: i64) -> Result<AsidePage<AsideKey>, StoreError> {
        self.look_aside(node, after, |_, runs| {
            let item = |run: &[Row]| AsideKey {
                alive: run[0].alive.cast_unsigned(),
                key: run[0].key,
                fields: run.len() as u64,
                bytes: run.iter().map(|row| row.bytes).sum(),
            };
            Ok((runs.iter().map(|run| item(run)).collect(), None))
        })
    }

    /// The records of one of these groups, behind this place.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn aside_records(
        &self,
        node: Id,
        alive: u64,
        after: i64,
    ) -> Result<AsidePage<AsideRecord>, StoreError> {
        self.look_aside(node, after, |connection, runs| {
            let (mut items, mut bytes, mut end) = (Vec::new(), 0, None);
            for run in runs
                .iter()
                .filter(|run| run[0].alive.cast_unsigned() == alive)
            {
                bytes += run.iter().map(|row| row.bytes).sum::<u64>();
                // One is always read, so that it goes on.
                if !items.is_empty() && (bytes > BYTES || items.len() >= RECORDS) {
                    return Ok((items, end));
                }
                items.push(read(connection, run)?);
                end = run.last().map(|row| row.row);
            }
            Ok((items, None))
        })
    }

    /// Looks through the next rows: what `item` makes of the runs of rows that are a record of the
    /// node each, and behind which place it did not look at them.
    fn look_aside<T>(
        &self,
        node: Id,
        after: i64,
        items: impl FnOnce(&Connection, &[&[Row]]) -> rusqlite::Result<(Vec<T>, Option<i64>)>,
    ) -> Result<AsidePage<T>, StoreError> {
        let look = || {
            let Some(node) = number(&self.writer, node)? else {
                return Ok(AsidePage::default());
            };
            let (rows, next) = scan(&self.writer, after)?;
            let runs: Vec<&[Row]> = rows
                .chunk_by(Row::is_beside)
                .filter(|run| run[0].node == node)
                .collect();
            let (items, end) = items(&self.writer, &runs)?;
            let next = end.or(next);
            Ok(AsidePage { items, next })
        };
        look().map_err(|error| StoreError::of(&self.path, &error))
    }

    /// Deletes rows of a group that were read before, all or none.
    ///
    /// # Errors
    /// If that can't be done; then the file is as it was.
    pub fn drop_aside(&mut self, node: Id, alive: u64, rows: &[i64]) -> Result<(), StoreError> {
        let delete = |writer: &mut Connection| {
            let Some(node) = number(writer, node)? else {
                return Ok(());
            };
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Whoever has deleted them meanwhile may have made room for others at their places.
            let mut delete = transaction
                .prepare_cached("DELETE FROM aside WHERE rowid = ? AND node = ? AND alive = ?")?;
            for row in rows {
                delete.execute(params![row, node, alive.cast_signed()])?;
            }
            drop(delete);
            transaction.commit()
        };
        delete(&mut self.writer).map_err(|error| StoreError::of(&self.path, &error))
    }

    /// Deletes what the next rows have of a group: what that was, without what it held, and where
    /// to go on.
    ///
    /// # Errors
    /// If that can't be done; then the file is as it was.
    pub fn drop_aside_page(
        &mut self,
        node: Id,
        alive: u64,
        after: i64,
    ) -> Result<AsidePage<AsideKey>, StoreError> {
        let mut rows = Vec::new();
        let keys = self.look_aside(node, after, |_, runs| {
            let of = runs
                .iter()
                .filter(|run| run[0].alive.cast_unsigned() == alive);
            let mut keys = Vec::new();
            for run in of {
                rows.extend(run.iter().map(|row| row.row));
                keys.push(AsideKey {
                    alive,
                    key: run[0].key,
                    fields: run.len() as u64,
                    bytes: run.iter().map(|row| row.bytes).sum(),
                });
            }
            Ok((keys, None))
        })?;
        self.drop_aside(node, alive, &rows)?;
        Ok(keys)
    }
}

/// The number of a node in the file.
fn number(connection: &Connection, node: Id) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT node FROM nodes WHERE id = ?")?
        .query_row([node.to_string()], |row| row.get(0))
        .optional()
}

/// The rows behind this place, as many as one call goes through, and the place behind which there
/// are more. A record is not cut where it can be helped.
fn scan(connection: &Connection, after: i64) -> rusqlite::Result<(Vec<Row>, Option<i64>)> {
    let mut statement = connection.prepare_cached(
        "SELECT rowid, node, alive, key, \
         octet_length(name) + coalesce(octet_length(value), 0) \
         FROM aside WHERE rowid > ? ORDER BY rowid LIMIT ?",
    )?;
    let rows = statement.query_map(params![after, ROWS as i64], |row| {
        // Text that is none any more is damage to a field, not to the file.
        let key = row
            .get_ref(3)?
            .as_str()
            .ok()
            .and_then(|key| key.parse().ok());
        Ok(Row {
            row: row.get(0)?,
            node: row.get(1)?,
            alive: row.get(2)?,
            key,
            bytes: row.get::<_, i64>(4)?.cast_unsigned(),
        })
    })?;
    let mut rows = rows.collect::<rusqlite::Result<Vec<Row>>>()?;
    if rows.len() < ROWS {
        return Ok((rows, None));
    }
    let last = rows.chunk_by(Row::is_beside).last().map_or(0, <[Row]>::len);
    if last < rows.len() {
        rows.truncate(rows.len() - last);
    }
    let next = rows.last().map(|row| row.row);
    Ok((rows, next))
}

/// What the rows of a record hold.
fn read(connection: &Connection, run: &[Row]) -> rusqlite::Result<AsideRecord> {
    let mut statement = connection.prepare_cached(
        "SELECT name, stamp, replaces, expires, value FROM aside WHERE rowid = ?",
    )?;
    let mut record = Some(Record::default());
    for row in run {
        match (statement.query_row([row.row], rows::field)?, &mut record) {
            (Some((name, field)), Some(record)) => _ = record.put(&name, field),
            _ => record = None,
        }
    }
    Ok(AsideRecord {
        key: run[0].key,
        record,
        rows: run.iter().map(|row| row.row).collect(),
    })
}
