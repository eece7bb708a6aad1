//! Records on a real disk: a process that is killed in the middle of its work, and files that
//! are not what they should be.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use cuerda::record::{Field, Record, Stamp};
use cuerda::ring::Id;
use cuerda::store::{Batch, Database, Notes, SqliteStore, Store, StoreError};

/// Tells the killed process which file to write to.
const FILE: &str = "CUERDA_TEST_RECORDS";
/// How often a process is killed.
const KILLS: u8 = 12;
const KEYS: u8 = 40;

fn nodes() -> [Id; 2] {
    [Id::of_key(b"one"), Id::of_key(b"two")]
}

fn key(number: u8) -> Id {
    Id::of_key(&[number])
}

/// What both nodes do in a step, the same each time: some keys and what they get.
fn step(number: u64) -> Vec<(u8, Option<Record>)> {
    let bytes = Id::of_key(&number.to_be_bytes()).to_bytes();
    let change = |byte: &u8| {
        let stamp = Stamp {
            milliseconds: number,
            counter: 0,
            node: Id::ZERO,
        };
        let value = vec![*byte; usize::from(bytes[0]) * usize::from(*byte % 8)];
        let record = Record::of("", Field::new(stamp, None, value, None));
        (byte % KEYS, (!byte.is_multiple_of(5)).then_some(record))
    };
    bytes[..1 + usize::from(bytes[1] % 6)]
        .iter()
        .map(change)
        .collect()
}

/// Writes steps to a file, and says of each when it is on the disk, until it is killed.
#[test]
#[ignore = "it is killed by the test that starts it"]
fn victim() {
    let Some(path) = std::env::var_os(FILE) else {
        return;
    };
    let mut database = Database::open(Path::new(&path)).unwrap();
    let mut stores = nodes().map(|node| database.store(node).unwrap());
    let mut number = stores[0].notes().mark;
    loop {
        // Several batches in a transaction, as when they queue up behind a slow one.
        let mut batches: Vec<(Id, Batch)> = Vec::new();
        for _ in 0..=number % 3 {
            number += 1;
            for (node, store) in std::iter::zip(nodes(), &mut stores) {
                for (at, record) in step(number) {
                    match record {
                        Some(record) => store.put(key(at), record),
                        None => store.remove(key(at)),
                    }
                }
                store.note(Notes {
                    mark: number,
                    alive: 1,
                    forgotten: 0,
                    held: None,
                    scrubbed: None,
                });
                batches.push((node, store.seal().unwrap()));
            }
        }
        let to_write = batches.iter().map(|(node, batch)| (*node, batch));
        database.commit(to_write).unwrap();
        for store in &mut stores {
            let last = batches.last().unwrap().1.number;
            store.committed(last);
        }
        println!("on disk: {number}");
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn all_that_was_acknowledged_is_there_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let mut checked = 0;
    for seed in 0..KILLS {
        let acknowledged = run_and_kill(&path, seed);
        let connection = rusqlite::Connection::open(&path).unwrap();
        let sound = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0));
        assert_eq!(sound, Ok("ok".to_owned()), "seed {seed}");
        drop(connection);

        let mut database = Database::open(&path).unwrap();
        for node in nodes() {
            let mut store = database.store(node).unwrap();
            let found = store.notes().mark;
            assert!(
                found >= acknowledged,
                "{found} < {acknowledged}, seed {seed}"
            );
            check(&mut store, found);
            checked = found;
        }
    }
    assert!(checked > 0, "something was acknowledged");
    println!("{checked} steps checked, {KILLS} kills");
}

/// Starts a process on this file, kills it after some time, and returns the last step that it
/// said to be on the disk.
fn run_and_kill(path: &Path, seed: u8) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("this test has a file"))
        .args(["--exact", "victim", "--ignored", "--nocapture"])
        .env(FILE, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let told = |line: String| {
        Some(
            line.strip_prefix("on disk: ")?
                .parse::<u64>()
                .expect("it is a number"),
        )
    };
    let mut last = 0;
    let patience = 1 + usize::from(Id::of_key(&[seed]).to_bytes()[0]) / 4;
    for _ in 0..patience {
        let next = lines.by_ref().map_while(Result::ok).find_map(told);
        last = next.expect("it does not end by itself");
    }
    child.kill().expect("it runs");
    child.wait().expect("it is ours");
    // What it said before it was dead counts as well.
    lines
        .map_while(Result::ok)
        .filter_map(told)
        .fold(last, u64::max)
}

/// Holds a store against what so many steps come to: each whole or not at all.
fn check(store: &mut SqliteStore, steps: u64) {
    let mut expected: Vec<Option<Record>> = vec![None; usize::from(KEYS)];
    for (at, record) in (1..=steps).flat_map(step) {
        expected[usize::from(at)] = record;
    }
    for (at, record) in (0..KEYS).zip(expected) {
        assert_eq!(store.get(key(at)), Ok(record), "key {at}");
    }
}

/// Reads and writes while the process can open nothing more.
#[test]
#[ignore = "it is started with few descriptors by another test"]
fn crowded() {
    let Some(path) = std::env::var_os(FILE) else {
        return;
    };
    let path = Path::new(&path);
    written(path);
    let node = nodes()[0];
    let mut database = Database::open(path).expect("there are descriptors");
    let mut store = database.store(node).expect("it is sound");
    let mut taken = Vec::new();
    while let Ok(file) = fs::File::open("/dev/null") {
        taken.push(file);
    }
    let (at, _) = step(199).pop().expect("each does something");
    assert!(store.get(key(at)).is_ok(), "what is stored is read");
    store.put(key(at), Record::default());
    let batch = store.seal().expect("it was written to");
    let committed = database.commit([(node, &batch)]);
    assert_eq!(committed, Ok(()), "and more is stored");
    let error = Database::open(path).expect_err("no file can be opened");
    assert!(matches!(error, StoreError::Descriptors { .. }), "{error}");
    println!("all was done with {} files open", taken.len());
}

#[test]
fn a_process_without_descriptors_reads_and_writes_and_calls_nothing_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new("/bin/sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().expect("this test has a file"))
        .args(["--exact", "crowded", "--ignored", "--nocapture"])
        .env(FILE, folder.path().join("records.db"))
        .output()
        .expect("there is a shell");
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words);
    assert!(
        output.status.success() && words.contains("all was done"),
        "{words}"
    );
}

/// A file with some records.
fn written(path: &Path) {
    let node = nodes()[0];
    let mut database = Database::open(path).expect("there is none yet");
    let mut store = database.store(node).expect("it is sound");
    for (at, record) in (1..200).flat_map(step) {
        store.put(key(at), record.unwrap_or_default());
    }
    let batch = store.seal().expect("it was written to");
    database.commit([(node, &batch)]).expect("there is room");
}

/// What is told of a file that can't be used.
fn refused(path: &Path) -> StoreError {
    let opened = Database::open(path).and_then(|mut database| database.store(nodes()[0]));
    let error = opened.expect_err("it can't be used");
    assert!(
        error
            .to_string()
            .contains(path.to_str().expect("it is text")),
        "{error}"
    );
    error
}

#[test]
fn damaged_files_are_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.db");
    written(&whole);
    let whole = fs::read(&whole).unwrap();
    let mut bad_tables = whole.clone();
    bad_tables[100..600].fill(0x55);
    let bad: [&[u8]; 5] = [
        b"not a database at all, but long enough to be taken for one",
        &[0x55; 8192],
        &whole[..whole.len() / 2],
        &whole[..4096],
        &bad_tables,
    ];
    for (at, bytes) in bad.into_iter().enumerate() {
        let path = folder.path().join(format!("{at}.db"));
        fs::write(&path, bytes).unwrap();
        let error = refused(&path);
        assert!(matches!(error, StoreError::Damaged { .. }), "{at}: {error}");
        assert_eq!(
            fs::read(&path).unwrap(),
            bytes,
            "{at} is left for people to look at"
        );
    }
}

#[test]
fn files_that_can_not_be_written_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    written(&path);
    let all = fs::Permissions::from_mode;
    fs::set_permissions(&path, all(0o400)).unwrap();
    fs::set_permissions(folder.path(), all(0o500)).unwrap();
    // Nothing is forbidden to root.
    if fs::OpenOptions::new().write(true).open(&path).is_err() {
        let error = refused(&path);
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    }
    fs::set_permissions(folder.path(), all(0o700)).unwrap();
}

#[test]
fn a_node_whose_records_can_not_be_used_says_so_and_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    fs::write(&path, [0x55; 8192]).unwrap();
    let mut node = Command::new(env!("CARGO_BIN_EXE_cuerda"))
        .args([
            "node",
            "run",
            "--listen",
            "127.0.0.1:0",
            "--control",
            "127.0.0.1:0",
        ])
        .arg("--data")
        .arg(folder.path())
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    node.stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(node.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("records.db is damaged"), "{said}");
    assert!(said.contains("move the file"), "{said}");
}
