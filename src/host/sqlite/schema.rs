//! The tables of the file, and which format they have.

use rusqlite::Connection;

/// The format that is written here; in the file it is `PRAGMA user_version`.
pub(super) const FORMAT: i32 = 3;
/// Tells a file of records from the files of other programs: `CUER`.
pub(super) const APPLICATION: i32 = 0x4355_4552;

/// Numbers that may be beyond 2^63 are written as what the same 64 bits are with a sign; no clock
/// that is about right comes near.
const TABLES: &str = "
CREATE TABLE nodes (
    node  INTEGER PRIMARY KEY,
    id    TEXT NOT NULL UNIQUE,          -- the place on the circle
    mark  INTEGER NOT NULL DEFAULT 0,    -- no stamp of the node is above, in milliseconds
    alive INTEGER NOT NULL DEFAULT 0,    -- when it was last known to be running, in milliseconds
    forgotten INTEGER NOT NULL DEFAULT 0, -- the latest deletion that all have forgotten
    held  TEXT,                          -- from where on it held all that was acknowledged
    scrubbed TEXT                        -- the key that was read last to see whether it has rotted
) STRICT;
CREATE TABLE records (
    record INTEGER PRIMARY KEY,
    node   INTEGER NOT NULL REFERENCES nodes,
    key    TEXT NOT NULL,                -- where the key lies on the circle
    digest TEXT NOT NULL,                -- of all fields; the checksum
    UNIQUE (node, key)
) STRICT;
CREATE TABLE fields (
    record   INTEGER NOT NULL REFERENCES records,
    name     TEXT NOT NULL,
    stamp    TEXT NOT NULL,              -- milliseconds.counter@node of who wrote it
    replaces TEXT,                       -- the stamp found there by who wrote it
    expires  INTEGER,                    -- in milliseconds since 1970
    value    BLOB,                       -- none: deleted, or expired
    UNIQUE (record, name)
) STRICT;
CREATE TABLE aside (
    node     INTEGER NOT NULL REFERENCES nodes,
    alive    INTEGER NOT NULL,           -- when the node was last known to be running before
    key      TEXT NOT NULL,
    name     TEXT NOT NULL,
    stamp    TEXT NOT NULL,
    replaces TEXT,
    expires  INTEGER,
    value    BLOB
) STRICT;
CREATE VIEW contents AS
SELECT nodes.id AS node,
       records.key AS key,
       fields.name AS name,
       fields.value AS value,
       datetime(CAST(fields.stamp AS INTEGER) / 1000, 'unixepoch') AS written,
       fields.stamp AS stamp,
       datetime(fields.expires / 1000, 'unixepoch') AS expires
FROM nodes JOIN records USING (node) JOIN fields USING (record);
";

/// What makes a file of format 1 one of format 2.
const FROM_1: &str = "
ALTER TABLE nodes ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
ALTER TABLE nodes ADD COLUMN held TEXT;
";

/// What makes a file of format 2 one of format 3.
const FROM_2: &str = "ALTER TABLE nodes ADD COLUMN scrubbed TEXT;";

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Nothing has been written to it.
    Empty,
    /// It has the format that is written here.
    Known,
    /// It has an earlier format, from which it can be brought to this one.
    Older,
    /// It has a later format.
    Newer(i32),
    /// Another program has made it.
    Foreign,
}

/// Which format a file has.
pub(super) fn format(connection: &Connection) -> rusqlite::Result<Format> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, format) = (number("application_id")?, number("user_version")?);
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection.query_row(tables, [], |row| row.get(0))?;
    Ok(match (application, format) {
        (0, 0) if tables == 0 => Format::Empty,
        (APPLICATION, FORMAT) => Format::Known,
        (APPLICATION, 1..FORMAT) => Format::Older,
        (APPLICATION, later) if later > FORMAT => Format::Newer(later),
        _ => Format::Foreign,
    })
}

/// Makes the tables of an empty file, all or none.
pub(super) fn make(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Brings a file of an earlier format to this one, wholly or not at all.
pub(super) fn renew(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let found: i32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found < 2 {
        transaction.execute_batch(FROM_1)?;
    }
    transaction.execute_batch(FROM_2)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}
