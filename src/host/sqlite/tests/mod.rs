//! The store on a disk, and what only files can do.

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use cuerda_core::record::{Field, Stamp};
use cuerda_core::store::Batch;
use cuerda_core::store::conformance::{Lab, commit, field, key, record};

mod aside;
mod format;
mod conformance {
    cuerda_core::store_conformance!(super::InFile);
}

/// A file in a folder of its own.
pub(super) struct InFile {
    database: Option<Database>,
    store: Option<SqliteStore>,
    folder: TempDir,
}

impl InFile {
    fn node() -> Id {
        Id::of_key(b"node")
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("records.db")
    }

    fn open(&mut self) {
        // As when a process dies: what is in memory is gone, then somebody opens the file.
        self.store = None;
        self.database = None;
        let mut database = Database::open(&self.path()).unwrap();
        self.store = Some(database.store(InFile::node()).unwrap());
        self.database = Some(database);
    }

    fn database(&mut self) -> &mut Database {
        self.database.as_mut().unwrap()
    }

    fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        let connection = Connection::open(self.path()).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let text = |at| {
                let value = row.get_ref(at).unwrap();
                match value {
                    rusqlite::types::ValueRef::Blob(bytes) => {
                        String::from_utf8_lossy(bytes).into_owned()
                    }
                    rusqlite::types::ValueRef::Text(bytes) => {
                        String::from_utf8_lossy(bytes).into_owned()
                    }
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    rusqlite::types::ValueRef::Null => "NULL".to_owned(),
                    rusqlite::types::ValueRef::Real(number) => number.to_string(),
                }
            };
            Ok((0..columns).map(text).collect())
        };
        let rows = statement.query_map([], row).unwrap();
        rows.map(Result::unwrap).collect()
    }
}

impl Lab for InFile {
    type Store = SqliteStore;

    fn new() -> InFile {
        let mut lab = InFile {
            database: None,
            store: None,
            folder: tempfile::tempdir().unwrap(),
        };
        lab.open();
        lab
    }

    fn store(&mut self) -> &mut SqliteStore {
        self.store.as_mut().unwrap()
    }

    fn write(&mut self, batch: &Batch) {
        self.database().commit([(InFile::node(), batch)]).unwrap();
    }

    fn crash(&mut self) {
        self.open();
    }

    fn damage(&mut self, key: Id) {
        let connection = Connection::open(self.path()).unwrap();
        let changed = connection.execute(
            "UPDATE fields SET value = CAST(value || 'x' AS BLOB) \
             WHERE record = (SELECT record FROM records WHERE key = ?)",
            [key.to_string()],
        );
        assert!(changed.unwrap() > 0);
    }

    fn aside(&mut self) -> Vec<(Id, Record)> {
        let rows = self.sql("SELECT key, name, value FROM aside ORDER BY key");
        let rows = rows.iter();
        rows.map(|row| (row[0].parse().unwrap(), field(&row[1], &row[2], 1)))
            .collect()
    }
}

#[test]
fn people_can_read_the_file() {
    let mut lab = InFile::new();
    let stamp = Stamp {
        milliseconds: 1_700_000_000_123,
        counter: 2,
        node: Id::of_key(b"writer"),
    };
    let fields = [
        (
            "name",
            Field::new(stamp, None, "Ann", Some(1_700_000_060_123)),
        ),
        ("old", Field::tombstone(stamp, Some(Stamp::ZERO))),
    ];
    let record = fields.map(|(name, field)| (name.to_owned(), field));
    lab.store().put(key(1), record.into_iter().collect());
    commit(&mut lab);
    let shown: Vec<String> = lab
        .sql("SELECT * FROM contents ORDER BY name")
        .iter()
        .map(|row| row.join(" | "))
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @"
    f8e966d1e207d02c44511a58dccff2f5429e9a3b | bf8b4530d8d246dd74ac53a13471bba17941dff7 | name | Ann | 2023-11-14 22:13:20 | 1700000000123.2@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8 | 2023-11-14 22:14:20
    f8e966d1e207d02c44511a58dccff2f5429e9a3b | bf8b4530d8d246dd74ac53a13471bba17941dff7 | old | NULL | 2023-11-14 22:13:20 | 1700000000123.2@fe28f10d2c6dab4e315f2659adaa6a4f16b5e4b8 | NULL
    ");
}

#[test]
fn nodes_of_one_process_share_the_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let ids = [Id::of_key(b"one"), Id::of_key(b"two")];
    for round in ["1", "2"] {
        let mut database = Database::open(&path).unwrap();
        let mut stores = ids.map(|id| database.store(id).unwrap());
        let batches: Vec<(Id, Batch)> = std::iter::zip(ids, &mut stores)
            .map(|(id, store)| {
                store.put(key(1), record(&format!("{round} of {id}")));
                store.note(Notes {
                    mark: 1,
                    alive: 2,
                    forgotten: 0,
                    held: None,
                    scrubbed: None,
                });
                (id, store.seal().unwrap())
            })
            .collect();
        // One transaction for all.
        database
            .commit(batches.iter().map(|(id, batch)| (*id, batch)))
            .unwrap();
    }
    let mut database = Database::open(&path).unwrap();
    for id in ids {
        let mut store = database.store(id).unwrap();
        assert_eq!(store.get(key(1)), Ok(Some(record(&format!("2 of {id}")))));
        store.set_aside();
        let batch = store.seal().unwrap();
        database.commit([(id, &batch)]).unwrap();
        assert!(database.store(id).unwrap().is_empty());
    }
}

#[test]
fn only_fields_that_differ_are_written() {
    let mut lab = InFile::new();
    let mut record: Record = (0..100)
        .map(|number| {
            (
                format!("{number}"),
                Field::new(Stamp::ZERO, None, "x", None),
            )
        })
        .collect();
    lab.store().put(key(1), record.clone());
    commit(&mut lab);
    let before = lab.sql("SELECT max(rowid) FROM fields");
    let newer = Stamp {
        milliseconds: 1,
        ..Stamp::ZERO
    };
    let _ = record.put("50", Field::new(newer, None, "y", None));
    lab.store().put(key(1), record.clone());
    commit(&mut lab);
    let after = lab.sql("SELECT max(rowid) FROM fields");
    assert_eq!(
        (before[0][0].as_str(), after[0][0].as_str()),
        ("100", "101")
    );
    lab.crash();
    assert_eq!(lab.store().get(key(1)), Ok(Some(record)));
}

#[test]
fn a_full_disk_is_named_and_harms_nothing() {
    let mut lab = InFile::new();
    lab.store().put(key(1), record("small"));
    commit(&mut lab);
    let pages: i64 = lab.sql("PRAGMA page_count")[0][0].parse().unwrap();
    lab.database().fill(pages + 4);
    lab.store().put(key(1), record("new"));
    lab.store().put(key(2), record(&"large".repeat(10_000)));
    let batch = lab.store().seal().unwrap();
    let error = lab
        .database()
        .commit([(InFile::node(), &batch)])
        .unwrap_err();
    let path = lab.path();
    assert_eq!(error, StoreError::Full { path: path.clone() });
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    // All or nothing.
    lab.crash();
    assert_eq!(lab.store().get(key(1)), Ok(Some(record("small"))));
    assert_eq!(lab.store().get(key(2)), Ok(None));
    assert_eq!(lab.sql("PRAGMA integrity_check"), [["ok"]]);
}

#[test]
fn a_file_that_became_read_only_is_named() {
    let mut lab = InFile::new();
    lab.database()
        .writer_for_tests()
        .pragma_update(None, "query_only", true)
        .unwrap();
    lab.store().put(key(1), record("1"));
    let batch = lab.store().seal().unwrap();
    let error = lab
        .database()
        .commit([(InFile::node(), &batch)])
        .unwrap_err();
    let path = lab.path();
    assert_eq!(error, StoreError::ReadOnly { path });
}

#[test]
fn a_file_that_somebody_else_has_locked_is_named() {
    let mut lab = InFile::new();
    let other = Connection::open(lab.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // No need to wait.
    let zero = std::time::Duration::ZERO;
    lab.database()
        .writer_for_tests()
        .busy_timeout(zero)
        .unwrap();
    lab.store().put(key(1), record("1"));
    let batch = lab.store().seal().unwrap();
    let error = lab
        .database()
        .commit([(InFile::node(), &batch)])
        .unwrap_err();
    let path = lab.path();
    assert_eq!(error, StoreError::Locked { path });
    other.execute_batch("ROLLBACK").unwrap();
    lab.write(&batch);
}

#[test]
fn files_of_later_releases_and_of_other_programs_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    drop(Database::open(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 9).unwrap();
    let error = Database::open(&path).unwrap_err();
    let newer = StoreError::Newer {
        path: path.clone(),
        found: 9,
        known: schema::FORMAT,
    };
    assert_eq!(error, newer);
    connection.pragma_update(None, "application_id", 1).unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let journal = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0));
    assert_eq!(journal, Ok(9));
}

#[test]
fn what_is_committed_is_synced() {
    let mut lab = InFile::new();
    assert_eq!(lab.sql("PRAGMA journal_mode"), [["wal"]]);
    let synchronous: i64 = lab
        .database()
        .writer_for_tests()
        .pragma_query_value(None, "synchronous", |row| row.get(0))
        .unwrap();
    assert_eq!(synchronous, 2, "FULL");
}

#[test]
fn a_table_that_is_gone_is_trouble_and_not_only_damage() {
    let mut lab = InFile::new();
    lab.store().put(key(1), record("1"));
    commit(&mut lab);
    lab.sql("ALTER TABLE fields RENAME TO other");
    assert_eq!(lab.store().get(key(1)), Err(Damaged(key(1))));
    let trouble = lab.store().take_trouble().unwrap();
    assert!(matches!(trouble, StoreError::Unusable { .. }), "{trouble}");
    assert_eq!(lab.store().take_trouble(), None);
}

#[test]
fn rows_that_make_no_sense_are_damage_to_their_record_alone() {
    for (column, table) in [
        ("stamp", "fields"),
        ("digest", "records"),
        ("replaces", "fields"),
    ] {
        let mut lab = InFile::new();
        lab.store().put(key(1), record("1"));
        lab.store().put(key(2), record("2"));
        commit(&mut lab);
        lab.sql(&format!(
            "UPDATE {table} SET {column} = 'nonsense' WHERE rowid = 1"
        ));
        lab.crash();
        let found = [key(1), key(2)].map(|key| lab.store().get(key));
        let damaged = found.iter().filter(|found| found.is_err()).count();
        assert_eq!(damaged, 1, "{column}: {found:?}");
        for (number, value) in [(1, "1"), (2, "2")] {
            lab.store().put(key(number), record(value));
        }
        commit(&mut lab);
        lab.crash();
        assert_eq!(lab.store().get(key(1)), Ok(Some(record("1"))), "{column}");
        assert_eq!(lab.store().get(key(2)), Ok(Some(record("2"))), "{column}");
    }
}

#[test]
fn a_file_that_was_cut_short_is_refused_though_its_log_hides_it() {
    for with_log in [false, true] {
        let mut lab = InFile::new();
        for number in 0..200 {
            lab.store().put(key(number), record(&"x".repeat(5000)));
            commit(&mut lab);
        }
        let copy = lab.folder.path().join("copy.db");
        if with_log {
            let log = |path: &std::path::Path| path.with_extension("db-wal");
            std::fs::copy(log(&lab.path()), log(&copy)).unwrap();
            std::fs::copy(lab.path(), &copy).unwrap();
        } else {
            lab.sql("PRAGMA wal_checkpoint(TRUNCATE)");
            std::fs::copy(lab.path(), &copy).unwrap();
        }
        let file = std::fs::File::options().write(true).open(&copy).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length / 2 / 4096 * 4096).unwrap();
        let error = Database::open(&copy).unwrap_err();
        let StoreError::Damaged { why, .. } = error else {
            panic!("{error}");
        };
        assert!(why.contains("missing") || !with_log, "{why}");
    }
}
