//! What a node has set aside: looked at, brought back and dropped by its operator.

use std::path::Path;

use cuerda::ring::Id;
use cuerda::store::{Database, Notes, Store as _};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::process::{Running, cuerda, said, text};

/// When the node was last running before it was away, in milliseconds since 1970.
const LAST: u64 = 1_700_000_000_000;
const GROUP: &str = "1700000000000";

fn node(data: &Path, more: &[&str]) -> Running {
    let more = [&["--data", text(data)], more].concat();
    Running::node(&more)
}

fn killed(mut node: Running) {
    node.signal(Signal::SIGKILL);
    node.end();
}

/// A data directory whose node has stored something and then set it aside, as one does that was
/// away for long.
fn aside(data: &Path) {
    let first = node(data, &["--replicas", "1"]);
    first.ring_of(1);
    for number in 0..5 {
        first.ask(&["put", &format!("key {number}"), "old"], 0);
    }
    first.ask(&["put", "key 0", "happy", "--field", "mood"], 0);
    let id: Id = first.id().parse().expect("a place");
    killed(first);
    sets_aside(data, id);
}

fn sets_aside(data: &Path, id: Id) {
    let mut database = Database::open(&data.join("records.db")).expect("it was left so");
    let mut store = database.store(id).expect("it was left so");
    store.note(Notes {
        alive: LAST,
        ..store.notes()
    });
    let noted = store.seal().expect("it is noted");
    store.set_aside();
    let batch = store.seal().expect("there are records");
    let batches = [(id, &noted), (id, &batch)];
    database.commit(batches).expect("there is room");
}

/// Nothing is found under this key. That nothing is there the node can't say: the whole ring had
/// stopped, and what it held is not among what it serves.
fn is_missing(node: &Running, key: &[&str]) {
    let told = node.ask_anyhow(&[&["get"], key].concat());
    let code = told["code"].as_str();
    assert!(matches!(code, Some("no_such_key" | "uncertain")), "{told}");
}

fn groups(node: &Running) -> Vec<Value> {
    let told = node.ask(&["set-aside", "list"], 0);
    let groups = told["nodes"][0]["groups"].as_array();
    groups.expect("a list").clone()
}

#[test]
fn what_is_set_aside_is_listed_restored_and_then_no_longer_there() {
    let folder = tempfile::tempdir().expect("a folder");
    aside(folder.path());
    let node = node(folder.path(), &["--replicas", "1"]);
    node.ring_of(1);
    is_missing(&node, &["key 1"]);
    node.ask(&["put", "key 2", "new"], 0);
    let told = groups(&node);
    // Names of fields count as well: "mood", "happy", and five times "old".
    let expected = serde_json::json!(
        [{ "group": LAST, "records": 5, "fields": 6, "bytes": 24 }]
    );
    assert_eq!(Value::Array(told), expected);
    let keys = node.ask(&["set-aside", "list", GROUP], 0)["keys"].clone();
    let keys = keys.as_array().expect("a list");
    let zero = Id::of_key(b"key 0").to_string();
    assert!(
        keys.len() == 5
            && keys
                .iter()
                .any(|of| of["key"] == zero.as_str() && of["fields"] == 2),
        "{keys:?}"
    );

    let told = node.ask(&["set-aside", "restore", GROUP], 0);
    assert_eq!((&told["restored"], &told["kept"]), (&5.into(), &0.into()));
    for (key, value) in [("key 0", "old"), ("key 1", "old"), ("key 2", "new")] {
        let got = node.ask(&["get", key], 0);
        assert_eq!(got["fields"][""]["text"], value, "{key}");
    }
    assert!(groups(&node).is_empty());
    let told = node.ask(&["set-aside", "restore", GROUP], 2);
    assert!(told["error"].to_string().contains(GROUP), "{told}");
}

#[test]
fn what_is_not_restored_stays_set_aside_and_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    aside(folder.path());
    let file = rusqlite::Connection::open(folder.path().join("records.db")).expect("it is there");
    let damaged = Id::of_key(b"key 3").to_string();
    let sql = "UPDATE aside SET stamp = 'yesterday' WHERE key = ?";
    assert_eq!(file.execute(sql, [&damaged]).expect("it is a file"), 1);
    drop(file);
    // Who belongs to no ring has nowhere to bring it.
    let outside = node(folder.path(), &["--replicas", "1", "--join", "127.0.0.1:9"]);
    let told = outside.ask(&["set-aside", "restore", GROUP], 4);
    assert_eq!(told["code"], "not_member");
    assert_eq!(groups(&outside)[0]["records"], 5);
    killed(outside);

    let node = node(folder.path(), &["--replicas", "1"]);
    node.ring_of(1);
    let told = node.ask(&["set-aside", "restore", GROUP], 5);
    assert_eq!((&told["restored"], &told["kept"]), (&4.into(), &1.into()));
    assert_eq!(told["failed"][0]["key"], damaged.as_str());
    let left = node.ask(&["set-aside", "list", GROUP], 0);
    assert_eq!(left["keys"].as_array().map(Vec::len), Some(1));
    assert_eq!(left["keys"][0]["key"], damaged.as_str());
    node.ask(&["set-aside", "restore", GROUP], 1);
}

#[test]
fn a_ring_that_is_too_small_has_what_it_can_have() {
    let folder = tempfile::tempdir().expect("a folder");
    aside(folder.path());
    let node = node(folder.path(), &["--replicas", "3"]);
    node.ring_of(1);
    let told = node.ask(&["set-aside", "restore", GROUP], 5);
    assert_eq!((&told["partly"], &told["kept"]), (&5.into(), &0.into()));
    assert!(groups(&node).is_empty());
    node.ask(&["get", "key 1"], 0);
}

#[test]
fn a_group_is_dropped_only_by_those_who_say_so_and_each_node_has_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let two = ["--replicas", "1", "--virtual-nodes", "2"];
    let first = node(folder.path(), &two);
    first.ring_of(2);
    let key = |node: usize| {
        let ids = first.started["ids"].as_array().expect("a list");
        ids[node].as_str().expect("a place").to_owned()
    };
    // A key that lies where a node does is that node's own.
    let keys = [key(0), key(1)];
    for key in &keys {
        first.ask(&["put", "--id", key, "old"], 0);
    }
    killed(first);
    for key in &keys {
        sets_aside(folder.path(), key.parse().expect("a place"));
    }
    let node = node(folder.path(), &two);
    node.ring_of(2);
    let told = node.ask(&["set-aside", "list"], 0);
    for at in [0, 1] {
        let groups = &told["nodes"][at]["groups"];
        assert_eq!(groups[0]["records"], 1, "{told}");
    }
    let second = ["set-aside", "drop", GROUP, "--node", "1"];
    assert!(node.ask(&second, 2)["hint"].to_string().contains("--yes"));
    let dropped = node.ask(&[&second[..], &["--yes"]].concat(), 0);
    assert_eq!(dropped["dropped"]["records"], 1);
    let told = node.ask(&["set-aside", "list"], 0);
    assert_eq!(told["nodes"][0]["groups"][0]["records"], 1);
    assert_eq!(told["nodes"][1]["groups"], Value::Array(Vec::new()));
    node.ask(&["set-aside", "list", GROUP, "--node", "1"], 2);
    node.ask(&["set-aside", "list", GROUP, "--node", "7"], 2);
    node.ask(&["set-aside", "restore", GROUP], 0);
    node.ask(&["get", "--id", &keys[0]], 0);
    is_missing(&node, &["--id", &keys[1]]);
    let control = node.started["control"].as_str().expect("an address");
    let output = cuerda(&["set-aside", "list", "--control", control]);
    assert_eq!(said(&output.stdout), "nothing is set aside\n");
}
