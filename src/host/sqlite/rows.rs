//! Records as rows of the tables.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use cuerda_core::record::{Field, Record, Value};
use cuerda_core::ring::Id;
use cuerda_core::store::{Batch, Notes};

/// The record of a key, whatever its digest; `None` if there is none, or none that makes sense.
pub(super) fn read(
    connection: &Connection,
    node: i64,
    key: Id,
) -> rusqlite::Result<Option<Record>> {
    let mut statement = connection.prepare_cached(
        "SELECT name, stamp, replaces, expires, value FROM fields JOIN records USING (record) \
         WHERE node = ? AND key = ?",
    )?;
    let rows = statement.query_map(params![node, key.to_string()], field)?;
    let fields: Option<Record> = rows.collect::<rusqlite::Result<Option<Record>>>()?;
    Ok(fields.filter(|record| !record.is_empty()))
}

/// A field, with its name; `None` if it is none of those that are written here.
pub(super) fn field(row: &Row<'_>) -> rusqlite::Result<Option<(String, Field)>> {
    // Text that is none any more is damage to a field, not to the file.
    let text = |at| Ok::<_, rusqlite::Error>(row.get_ref(at)?.as_str_or_null().ok().flatten());
    let (Some(name), Some(stamp)) = (text(0)?, text(1)?.and_then(|text| text.parse().ok())) else {
        return Ok(None);
    };
    let replaces = match row.get_ref(2)? {
        rusqlite::types::ValueRef::Null => None,
        _ => match text(2)?.and_then(|text| text.parse().ok()) {
            None => return Ok(None),
            replaces => replaces,
        },
    };
    let expires = row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned);
    let value = row.get_ref(4)?.as_blob_or_null();
    let field = match value.ok().flatten() {
        Some(value) => {
            let value = Value::from(Bytes::copy_from_slice(value));
            Field::new(stamp, replaces, value, expires)
        }
        None if expires.is_none() => Field::tombstone(stamp, replaces),
        None => {
            // Only what expires leaves a tombstone with an expiry.
            let mut field = Field::new(stamp, replaces, Value::default(), expires);
            field.expire(u64::MAX);
            field
        }
    };
    Ok(Some((name.to_owned(), field)))
}

/// Writes a batch of a node, within a transaction.
pub(super) fn write(connection: &Connection, node: i64, batch: &Batch) -> rusqlite::Result<()> {
    if batch.set_aside {
        set_aside(connection, node)?;
    }
    for (key, record) in &batch.records {
        match record {
            Some(record) => put(connection, node, *key, record)?,
            None => remove(connection, node, *key)?,
        }
    }
    if let Some(Notes {
        mark,
        alive,
        forgotten,
        held,
        scrubbed,
    }) = batch.notes
    {
        let text = |point: Option<Id>| point.map(|point| point.to_string());
        connection
            .prepare_cached(
                "UPDATE nodes SET mark = ?, alive = ?, forgotten = ?, held = ?, scrubbed = ? \
                 WHERE node = ?",
            )?
            .execute(params![
                mark.cast_signed(),
                alive.cast_signed(),
                forgotten.cast_signed(),
                text(held),
                text(scrubbed),
                node
            ])?;
    }
    Ok(())
}

/// Writes those fields of a record that are not there yet: of large ones most often a few.
fn put(connection: &Connection, node: i64, key: Id, record: &Record) -> rusqlite::Result<()> {
    let before = read(connection, node, key)?;
    let at: i64 = connection
        .prepare_cached(
            "INSERT INTO records (node, key, digest) VALUES (?, ?, ?) \
             ON CONFLICT (node, key) DO UPDATE SET digest = excluded.digest RETURNING record",
        )?
        .query_row(
            params![node, key.to_string(), record.digest().to_string()],
            |row| row.get(0),
        )?;
    let before = match before {
        Some(before) => before,
        None => {
            // Nothing, or something of which no sense can be made.
            delete_fields(connection, at)?;
            Record::default()
        }
    };
    let mut forget =
        connection.prepare_cached("DELETE FROM fields WHERE record = ? AND name = ?")?;
    for (name, _) in before.fields() {
        if record.field(name).is_none() {
            forget.execute(params![at, name])?;
        }
    }
    let mut write = connection.prepare_cached(
        "INSERT OR REPLACE INTO fields (record, name, stamp, replaces, expires, value) \
         VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    for (name, field) in record.fields() {
        if before.field(name) == Some(field) {
            continue;
        }
        write.execute(params![
            at,
            name,
            field.stamp().to_string(),
            field.replaces().map(|stamp| stamp.to_string()),
            field.expires().map(u64::cast_signed),
            field.value().map(Value::as_bytes),
        ])?;
    }
    Ok(())
}

fn remove(connection: &Connection, node: i64, key: Id) -> rusqlite::Result<()> {
    let at = connection
        .prepare_cached("SELECT record FROM records WHERE node = ? AND key = ?")?
        .query_row(params![node, key.to_string()], |row| row.get::<_, i64>(0))
        .optional()?;
    if let Some(at) = at {
        delete_fields(connection, at)?;
        connection
            .prepare_cached("DELETE FROM records WHERE record = ?")?
            .execute([at])?;
    }
    Ok(())
}

fn delete_fields(connection: &Connection, record: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM fields WHERE record = ?")?
        .execute([record])?;
    Ok(())
}

fn set_aside(connection: &Connection, node: i64) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO aside (node, alive, key, name, stamp, replaces, expires, value) \
         SELECT node, alive, key, name, stamp, replaces, expires, value \
         FROM nodes JOIN records USING (node) JOIN fields USING (record) WHERE node = ? \
         ORDER BY key, name",
        [node],
    )?;
    connection.execute(
        "DELETE FROM fields WHERE record IN (SELECT record FROM records WHERE node = ?)",
        [node],
    )?;
    connection.execute("DELETE FROM records WHERE node = ?", [node])?;
    Ok(())
}
