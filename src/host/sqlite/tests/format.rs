//! The format of the file, kept as SQL in `format-3.sql`: what this release writes is that to the
//! envelope, and what stands there is read. A change of the format is a new number and a new file
//! beside the old ones, which must go on being read.

use std::path::Path;

use rusqlite::Connection;

use super::*;

const KEPT: &str = include_str!("format-3.sql");
const SECOND: &str = include_str!("format-2.sql");
const FIRST: &str = include_str!("format-1.sql");

fn stamp(milliseconds: u64) -> Stamp {
    Stamp {
        milliseconds,
        counter: 7,
        node: Id::of_key(b"writer"),
    }
}

/// One node's, with every kind of field; beyond 2^63 too.
fn full() -> Record {
    let mut expired = Field::new(stamp(3), None, "was", Some(1_800_000_000_000));
    expired.expire(u64::MAX);
    let fields = [
        ("", Field::new(stamp(1), None, "la la", None)),
        (
            "bytes",
            Field::new(stamp(2), Some(stamp(1)), vec![0, 39, 255], Some(u64::MAX)),
        ),
        ("deleted", Field::tombstone(stamp(u64::MAX), Some(stamp(2)))),
        ("empty", Field::new(stamp(4), None, "", None)),
        ("it's over", expired),
    ];
    fields
        .into_iter()
        .map(|(name, field)| (name.to_owned(), field))
        .collect()
}

/// What a file of this format says of a node.
fn notes(format: u8) -> Notes {
    let held = format > 1;
    Notes {
        mark: 1_700_000_001_000,
        alive: 1_700_000_000_000,
        forgotten: if held { 1_600_000_000_000 } else { 0 },
        held: held.then(|| Id::of_key(b"start")),
        scrubbed: (format > 2).then(|| Id::of_key(b"read")),
    }
}

fn node(number: u8) -> Id {
    Id::of_key(&[b'n', number])
}

/// Two nodes, the second of which has set something aside.
fn write(database: &mut Database) {
    let mut batches = Vec::new();
    for number in [1, 2] {
        let mut store = database.store(node(number)).unwrap();
        store.put(key(number), record("old"));
        store.note(notes(3));
        batches.push((node(number), store.seal().unwrap()));
        if number == 2 {
            store.set_aside();
            batches.push((node(number), store.seal().unwrap()));
        }
        store.put(key(9), full());
        batches.push((node(number), store.seal().unwrap()));
    }
    let batches = batches.iter().map(|(id, batch)| (*id, batch));
    database.commit(batches).unwrap();
}

/// All that a file holds, as SQL that makes it anew.
fn dump(file: &Connection) -> String {
    let rows = |sql: &str| -> Vec<String> {
        let mut statement = file.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let mut lines = Vec::new();
    for name in ["application_id", "user_version"] {
        let number: i64 = file
            .pragma_query_value(None, name, |row| row.get(0))
            .unwrap();
        lines.push(format!("PRAGMA {name} = {number};"));
    }
    let made = "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";
    lines.extend(rows(made));
    for table in ["nodes", "records", "fields", "aside"] {
        let columns = rows(&format!("SELECT name FROM pragma_table_info('{table}')"));
        let values: Vec<String> = columns
            .iter()
            .map(|name| format!("quote({name})"))
            .collect();
        let insert = format!(
            "'INSERT INTO {table} VALUES (' || {} || ');'",
            values.join(" || ', ' || ")
        );
        lines.extend(rows(&format!(
            "SELECT {insert} FROM {table} ORDER BY rowid"
        )));
    }
    lines.join("\n") + "\n"
}

#[test]
fn a_file_is_written_as_it_was_in_the_first_release_that_had_this_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    write(&mut Database::open(&path).unwrap());
    let written = dump(&Connection::open(&path).unwrap());
    assert!(
        written == KEPT,
        "the format has changed: raise FORMAT and go on reading the old one\n{written}"
    );
}

#[test]
fn files_of_all_formats_are_read_and_go_on() {
    for (made, number) in [(FIRST, 1), (SECOND, 2), (KEPT, 3)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.db");
        Connection::open(&path)
            .unwrap()
            .execute_batch(made)
            .unwrap();
        goes_on(&path, number);
        // It has the format of this release now.
        let format = |name| {
            let file = Connection::open(&path).unwrap();
            file.pragma_query_value(None, name, |row| row.get::<_, i32>(0))
                .unwrap()
        };
        assert_eq!(format("user_version"), crate::host::sqlite::schema::FORMAT);
    }
}

fn goes_on(path: &Path, format: u8) {
    let mut database = Database::open(path).unwrap();
    for (number, records) in [(1, 2), (2, 1)] {
        let mut store = database.store(node(number)).unwrap();
        assert_eq!((store.len(), store.notes()), (records, notes(format)));
        assert_eq!(store.get(key(9)), Ok(Some(full())));
        let old = (number == 1).then(|| record("old"));
        assert_eq!(store.get(key(number)), Ok(old));
        // What is written to it now stands beside what was there.
        store.put(key(5), record("new"));
        let batch = store.seal().unwrap();
        database.commit([(node(number), &batch)]).unwrap();
        let mut again = database.store(node(number)).unwrap();
        assert_eq!(again.get(key(5)), Ok(Some(record("new"))));
        assert_eq!(again.get(key(9)), Ok(Some(full())));
    }
}
