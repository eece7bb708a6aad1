//! What waits for which batch, and in what order it comes out.

use std::future::{pending, ready};
use std::os::unix::fs::PermissionsExt as _;

use tokio::sync::oneshot;

use super::*;
use cuerda_core::chord::{Message, Node};
use cuerda_core::record::{Field, Record, Stamp};

fn ids() -> [Id; 2] {
    [Id::of_key(b"one"), Id::of_key(b"two")]
}

fn record(value: &str) -> Record {
    Record::of("", Field::new(Stamp::ZERO, None, value.to_owned(), None))
}

fn key(number: u8) -> Id {
    Id::of_key(&[number])
}

/// Some event; they are told apart by the number.
fn said(number: u8) -> Said<Node> {
    Said::Event(Event::Damaged(key(number)))
}

/// A node writes to a key, and its batch is closed and sent on its way.
fn write(
    disk: &mut Disk<Node>,
    node: u8,
    number: u8,
    until: impl Future<Output = Result<(), String>> + Send + 'static,
) {
    disk.store(node).put(key(number), record("x"));
    let batch = disk.seal(node).unwrap();
    disk.bring(node, batch, until);
    disk.start();
}

/// A batch that is held back until this is sent to.
fn held() -> (
    oneshot::Sender<Result<(), String>>,
    impl Future<Output = Result<(), String>> + Send + 'static,
) {
    let (sender, receiver) = oneshot::channel();
    (sender, async move { receiver.await.unwrap() })
}

#[test]
fn nothing_waits_for_memory() {
    let mut disk = Disk::open(&Storage::Memory, &ids()).unwrap();
    assert!(!disk.keeps(0) && !disk.is_busy());
    write(&mut disk, 0, 1, ready(Ok(())));
    assert!(!disk.keeps(0) && !disk.is_busy());
    assert_eq!(disk.seal(0), None);
    assert_eq!(disk.store(0).get(key(1)), Ok(Some(record("x"))));
}

#[tokio::test]
async fn what_a_node_says_waits_for_its_own_batches_and_in_its_order() {
    let mut disk = Disk::open(&Storage::Memory, &ids()).unwrap();
    let (first, until) = held();
    write(&mut disk, 0, 1, until);
    assert!(disk.keep(0, said(1)));
    // The second batch could go, but not before the first.
    write(&mut disk, 0, 2, ready(Ok(())));
    assert!(disk.keep(0, said(2)));
    assert!(disk.keep(0, said(3)));
    assert!(disk.is_busy() && disk.keeps(0) && !disk.keeps(1));
    assert_eq!(disk.progress().now_or_never(), None);
    assert_eq!(disk.released(), []);
    // What is on its way is read, all the same.
    assert_eq!(disk.store(0).get(key(2)), Ok(Some(record("x"))));
    let (third, until) = held();
    write(&mut disk, 0, 3, until);
    assert!(disk.keep(0, said(4)));

    first.send(Ok(())).unwrap();
    disk.progress().await;
    assert_eq!(disk.released(), [(0, said(1)), (0, said(2)), (0, said(3))]);
    assert!(disk.keeps(0));
    third.send(Ok(())).unwrap();
    disk.progress().await;
    assert_eq!(disk.released(), [(0, said(4))]);
    assert!(!disk.is_busy());
}

#[tokio::test]
async fn a_commit_that_fails_is_the_end() {
    let mut disk = Disk::open(&Storage::Memory, &ids()).unwrap();
    let (sender, until) = held();
    write(&mut disk, 1, 1, until);
    assert!(disk.keep(1, said(1)));
    sender.send(Err("the test says so".to_owned())).unwrap();
    disk.progress().await;
    assert_eq!(disk.released(), []);
    let why = StoreError::Injected("the test says so".to_owned());
    assert_eq!(disk.take_failure(), Some(why));
}

#[test]
fn no_more_messages_are_kept_than_there_is_room_for() {
    let mut disk = Disk::open(&Storage::Memory, &ids()).unwrap();
    write(&mut disk, 0, 1, pending());
    let message = || {
        let peer = Peer {
            id: key(1),
            address: std::net::SocketAddr::from(([10, 0, 0, 7], 1)).into(),
        };
        let id = cuerda_core::chord::RequestId::of_node(1, 1);
        let request = cuerda_core::chord::Request::Ping;
        Said::Message(peer, Message::Request { id, request })
    };
    for _ in 0..limits::KEPT {
        assert!(disk.keep(0, message()));
    }
    assert!(!disk.keep(0, message()));
    assert!(disk.keep(0, said(1)), "answers are not lost");
}

#[tokio::test]
async fn a_file_is_written_beside_the_driver_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let storage = Storage::File(path.clone());
    let mut disk = Disk::open(&storage, &ids()).unwrap();
    for number in 0..20 {
        let node = number % 2;
        write(&mut disk, node, number, ready(Ok(())));
        assert!(disk.keep(node, said(number)));
    }
    // One is being written, and the others wait to be written together.
    let file = disk.file.as_ref().unwrap();
    assert!(file.running.is_some() && file.waiting.len() == 19);
    let mut released = Vec::new();
    while disk.is_busy() {
        disk.progress().await;
        released.extend(disk.released());
    }
    assert_eq!(released.len(), 20);
    for node in 0..2 {
        let mine: Vec<_> = released.iter().filter(|(of, _)| *of == node).collect();
        let order: Vec<_> = (0..10).map(|at| (node, said(node + 2 * at))).collect();
        assert_eq!(mine, order.iter().collect::<Vec<_>>());
    }
    // With what lies beside it as long as it is open.
    for name in ["records.db", "records.db-wal", "records.db-shm"] {
        let metadata = std::fs::metadata(folder.path().join(name)).expect(name);
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
    drop(disk);
    let mut disk = Disk::<Node>::open(&storage, &ids()).unwrap();
    for number in 0..20 {
        let found = disk.store(number % 2).get(key(number));
        assert_eq!(found, Ok(Some(record("x"))), "{number}");
    }
}

#[tokio::test]
async fn a_file_that_fails_is_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let mut disk = Disk::open(&Storage::File(path.clone()), &ids()).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("ALTER TABLE records RENAME TO gone")
        .unwrap();
    write(&mut disk, 0, 1, ready(Ok(())));
    assert!(disk.keep(0, said(1)));
    disk.progress().await;
    assert_eq!(disk.released(), []);
    let error = disk.take_failure().unwrap();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_can_not_be_read_is_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let mut disk = Disk::open(&Storage::File(path.clone()), &ids()).unwrap();
    write(&mut disk, 0, 1, ready(Ok(())));
    disk.progress().await;
    let other = rusqlite::Connection::open(&path).unwrap();
    other
        .execute_batch("ALTER TABLE fields RENAME TO gone")
        .unwrap();
    assert!(disk.store(0).get(key(1)).is_err());
    assert!(!disk.has_failed());
    let _ = disk.seal(0);
    assert!(disk.has_failed());
}

#[test]
fn memory_that_outlives_a_host_has_what_was_committed() {
    let shared = std::sync::Arc::new(std::sync::Mutex::new(MemoryStore::default()));
    let storage = Storage::Shared(vec![shared]);
    let mut disk = Disk::open(&storage, &ids()).unwrap();
    write(&mut disk, 0, 1, ready(Ok(())));
    write(&mut disk, 0, 2, pending());
    write(&mut disk, 1, 3, ready(Ok(())));
    drop(disk);
    let mut disk = Disk::open(&storage, &ids()).unwrap();
    assert_eq!(disk.store(0).get(key(1)), Ok(Some(record("x"))));
    assert_eq!(disk.store(0).get(key(2)), Ok(None));
    assert!(disk.store(1).is_empty(), "it has memory of its own");
    write(&mut disk, 0, 4, ready(Ok(())));
    assert!(!disk.is_busy());
}

#[test]
fn a_place_for_no_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere/records.db");
    let error = Disk::<Node>::open(&Storage::File(path.clone()), &ids()).unwrap_err();
    assert!(matches!(&error, StoreError::Unusable { path: of, .. } if *of == path));
    let error = Disk::<Node>::open(&Storage::File(folder.path().into()), &ids()).unwrap_err();
    assert!(
        error.to_string().contains(folder.path().to_str().unwrap()),
        "{error}"
    );
}

#[tokio::test]
async fn clients_and_nodes_take_turns_at_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::File(folder.path().join("records.db"));
    let mut disk = Disk::<Node>::open(&storage, &ids()).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    // Each says how many records it found: what is on the disk tells the order, whoever looks when.
    let job = |word: &'static str| {
        let sender = sender.clone();
        let work: OnFile = Box::new(move |file| {
            let found = file.map(|(database, id)| (id, records_in(database.path())));
            sender.send((word, found)).unwrap();
        });
        work
    };
    disk.on_file(1, job("one"));
    disk.on_file(0, job("two"));
    disk.on_file(0, job("three"));
    write(&mut disk, 0, 1, ready(Ok(())));
    assert!(disk.is_busy() && disk.keeps(0));
    while disk.is_busy() {
        disk.progress().await;
    }
    assert!(!disk.keeps(0));
    let [zero, one] = ids();
    let turns: Vec<_> = receiver.try_iter().collect();
    assert_eq!(
        turns,
        [
            ("one", Some((one, 0))),
            ("two", Some((zero, 1))),
            ("three", Some((zero, 1)))
        ]
    );
    // Without a file, and for a node that is not there, nobody is kept waiting.
    disk.on_file(7, job("nobody"));
    assert_eq!(receiver.try_recv(), Ok(("nobody", None)));
    let mut memory = Disk::<Node>::open(&Storage::Memory, &ids()).unwrap();
    memory.on_file(0, job("memory"));
    assert_eq!(receiver.try_recv(), Ok(("memory", None)));
}

/// How many records the file has that others can see.
fn records_in(path: &Path) -> i64 {
    let other = rusqlite::Connection::open(path).unwrap();
    let count = |row: &rusqlite::Row<'_>| row.get(0);
    other
        .query_row("SELECT count(*) FROM records", [], count)
        .unwrap()
}
