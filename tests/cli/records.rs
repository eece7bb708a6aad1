//! Records from outside: what is stored, where, and what is said when it is not.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Running, command, cuerda, said, text};

/// Says what a person sees, with this exit code.
fn words(node: &Running, arguments: &[&str], code: i32) -> String {
    let control = node.started["control"].as_str().expect("an address");
    let output = cuerda(&[arguments, &["--control", control]].concat());
    let all = said(&output.stdout) + &said(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {all}");
    all
}

/// A node that is the whole ring, and meant to be.
fn alone() -> Running {
    let node = Running::node(&["--replicas", "1"]);
    node.ring_of(1);
    node
}

#[test]
fn what_is_put_is_got_and_deleted_and_then_not_there() {
    let node = alone();
    assert_eq!(node.ask(&["get", "song"], 3)["code"], "no_such_key");
    let put = node.ask(&["put", "song", "la la"], 0);
    assert_eq!(
        (&put["said"], &put["complete"]),
        (&"stored on 1 of 1".into(), &true.into())
    );
    assert_eq!(words(&node, &["get", "song"], 0), "la la");
    let got = node.ask(&["get", "song"], 0);
    assert_eq!(got["fields"][""]["text"], "la la");
    assert_eq!(got["fields"][""]["stamp"], put["stamp"]);
    let place = put["key"].as_str().expect("a place");
    assert_eq!(words(&node, &["get", place, "--id"], 0), "la la");
    let keys = node.ask(&["keys"], 0);
    assert_eq!(keys["keys"][0]["key"], place);
    assert_eq!(
        node.ask(&["delete", "song"], 0)["said"],
        "deleted on 1 of 1"
    );
    for gone in [["get", "song"], ["delete", "song"]] {
        assert_eq!(node.ask(&gone, 3)["code"], "no_such_key");
    }
    assert!(words(&node, &["get", "song"], 3).contains("cuerda who"));
}

#[test]
fn fewer_copies_than_wanted_end_with_5_and_are_told() {
    let node = Running::node(&[]);
    node.ring_of(1);
    let told = words(&node, &["put", "song", "la"], 5);
    assert!(told.starts_with("stored on 1 of 3: "), "{told}");
    assert_eq!(
        node.ask(&["put", "song", "la", "--wait", "replicas=1"], 0)["stored"],
        1
    );
    assert_eq!(
        node.ask(&["put", "song", "la", "--wait", "replicas=2"], 5)["complete"],
        false
    );
    assert_eq!(
        words(&node, &["get", "song"], 0),
        "la",
        "it stands all the same"
    );
}

#[test]
fn a_write_reaches_three_of_three_and_is_read_through_each() {
    let first = Running::node(&[]);
    let join = first.address();
    let second = Running::node(&["--join", &join]);
    let third = Running::node(&["--join", &join]);
    first.ring_of(3);
    // Who is beside whom is right; who serves what may still be on its way.
    second.ask(&["wait", "--copies"], 0);
    let put = second.ask(&["put", "song", "la", "--wait", "replicas=3"], 0);
    assert_eq!(put["holders"].as_array().map(Vec::len), Some(3), "{put}");
    for node in [&first, &second, &third] {
        assert_eq!(words(node, &["get", "song"], 0), "la");
        assert_eq!(
            node.ask(&["keys"], 0)["keys"].as_array().map(Vec::len),
            Some(1)
        );
    }
    let own = |node: &Running| {
        let keys = node.ask(&["keys", "--own"], 0);
        keys["keys"].as_array().map_or(0, Vec::len)
    };
    assert_eq!([&first, &second, &third].map(own).iter().sum::<usize>(), 1);
}

#[test]
fn conditions_and_fields_and_times_to_live() {
    let node = alone();
    let holder = ["--field", "holder"];
    let put = |value: &str, more: &[&str], code| {
        node.ask(&[&["put", "lock", value], &holder[..], more].concat(), code)
    };
    let first = put("me", &["--if-absent"], 0);
    let stamp = first["stamp"].as_str().expect("a stamp");
    assert_eq!(put("you", &["--if-absent"], 1)["code"], "changed");
    let second = put("you", &["--if-stamp", stamp, "--past", stamp], 0);
    assert_eq!(put("me", &["--if-stamp", stamp], 1)["code"], "changed");
    let told = node.ask(&["get", "lock", "--field", "owner"], 3);
    assert_eq!(told["code"], "no_such_field");
    assert!(words(&node, &["get", "lock"], 3).contains("holder"));
    let got = node.ask(&["get", "lock"], 0);
    assert_eq!(got["fields"]["holder"]["stamp"], second["stamp"]);
    let expires = node.ask(&["put", "short", "lived", "--ttl", "1h"], 0);
    assert!(expires["stamp"].is_string());
    assert!(node.ask(&["get", "short"], 0)["fields"][""]["expires_ms"].is_number());
}

#[test]
fn values_come_from_files_and_from_stdin_and_go_out_as_they_were() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("song");
    let bytes: Vec<u8> = (0..=255).collect();
    fs::write(&file, &bytes).expect("it can be written");
    let node = alone();
    node.ask(&["put", "file", "--file", text(&file)], 0);
    let control = node.started["control"].as_str().expect("an address");
    let mut piped = command(&["put", "stdin", "-", "--control", control]);
    let mut piped = piped.stdin(Stdio::piped()).spawn().expect("it was built");
    let mut stdin = piped.stdin.take().expect("it is piped");
    stdin.write_all(&bytes).expect("it reads");
    drop(stdin);
    assert!(piped.wait().expect("it ends").success());
    for key in ["file", "stdin"] {
        let got = cuerda(&["get", key, "--control", control]);
        assert_eq!(got.stdout, bytes, "{key}");
    }
}

#[test]
fn a_backup_of_one_ring_is_merged_into_another() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("backup");
    let file = text(&file);
    let old = alone();
    for number in 0..100 {
        old.ask(
            &["put", &format!("key {number}"), &format!("value {number}")],
            0,
        );
    }
    old.ask(&["delete", "key 7"], 0);
    assert_eq!(old.ask(&["export", file], 0)["records"], 100);
    let lines = fs::read_to_string(file).expect("it is there");
    assert_eq!(
        lines.lines().count(),
        102,
        "a head, a hundred records, an end"
    );

    let new = alone();
    new.ask(&["put", "key 1", "newer"], 0);
    for _ in 0..2 {
        assert_eq!(new.ask(&["import", file], 0)["restored"], 100);
    }
    assert_eq!(words(&new, &["get", "key 0"], 0), "value 0");
    assert_eq!(words(&new, &["get", "key 1"], 0), "newer");
    new.ask(&["get", "key 7"], 3);
    assert_eq!(
        new.ask(&["keys"], 0)["keys"].as_array().map(Vec::len),
        Some(100)
    );
}

#[test]
fn a_node_without_records_has_an_empty_backup_and_others_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name);
    let node = Running::node(&[]);
    node.ring_of(1);
    let backup = file("backup");
    assert_eq!(node.ask(&["export", text(&backup)], 0)["records"], 0);
    let written = fs::read_to_string(&backup).expect("it is there");
    assert_eq!(words(&node, &["export"], 0), written);
    assert_eq!(node.ask(&["import", text(&backup)], 0)["restored"], 0);
    assert_eq!(node.ask(&["keys"], 0)["keys"], Value::Array(Vec::new()));
    assert_eq!(node.ask(&["export"], 2)["code"], "usage");
    assert_eq!(
        node.ask(&["keys", "--node", "1"], 2)["code"],
        "no_such_node"
    );

    let cut = file("cut");
    fs::write(&cut, &written[..written.len() - 9]).expect("it can be written");
    let told = node.ask(&["import", text(&cut)], 1);
    assert!(
        told["error"]
            .as_str()
            .is_some_and(|words| words.contains("missing")),
        "{told}"
    );
    let other = file("other");
    let strings = Running::node(&["--cluster", "strings"]);
    strings.ring_of(1);
    strings.ask(&["export", text(&other)], 0);
    node.ask(&["import", text(&other)], 2);
    node.ask(&["import", text(&other), "--any-cluster"], 0);
    let nowhere = file("no folder").join("backup");
    node.ask(&["export", text(&nowhere)], 1);
    let names = fs::read_dir(folder.path()).expect("it is there").count();
    assert_eq!(names, 3, "nothing unfinished is left behind");
}

#[test]
fn a_node_outside_a_ring_and_a_value_too_long_are_told_apart() {
    let node = Running::node(&["--join", "127.0.0.1:9"]);
    for command in [&["put", "a", "b"][..], &["get", "a"], &["delete", "a"]] {
        assert_eq!(node.ask(command, 4)["code"], "not_member", "{command:?}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let long = folder.path().join("long");
    fs::write(&long, vec![0; 100_000]).expect("it can be written");
    let told = node.ask(&["put", "a", "--file", text(&long)], 1);
    assert_eq!(told["code"], "limit");
    let told = words(&node, &["get", "a"], 4);
    assert!(told.contains("cuerda status"), "{told}");
}
