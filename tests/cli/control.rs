//! The control interface from outside: who may ask it, and what hostile clients can't do.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use crate::process::{Running, command, cuerda, json, said, text};

/// What a node says to these words, until it ends the connection.
fn answered(control: &str, words: &str) -> String {
    let mut stream = TcpStream::connect(control).expect("it listens");
    // It may have heard enough before the end.
    let _ = stream.write_all(words.as_bytes());
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

fn control(node: &Running) -> &str {
    node.started["control"].as_str().expect("an address")
}

#[test]
fn a_name_is_answered_only_if_it_is_allowed() {
    let node = Running::node(&["--control-host", "node1", "--control-host", "ring.example"]);
    let under = |host: &str| {
        let words = format!("GET /v1/status HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = answered(control(&node), &words);
        let status = answer.split(' ').nth(1).expect("a status");
        status.to_owned()
    };
    for host in ["127.0.0.1:4080", "localhost", "node1:4080", "ring.example"] {
        assert_eq!(under(host), "200", "{host}");
    }
    for host in ["evil.example", "evil.example:4080", "node1.evil.example"] {
        assert_eq!(under(host), "421", "{host}");
    }
}

#[test]
fn bodies_that_never_come_hold_up_no_health_check() {
    let node = Running::node(&[]);
    let slow = "PUT /v1/records/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nla";
    let mut streams = Vec::new();
    for _ in 0..70 {
        let mut stream = TcpStream::connect(control(&node)).expect("it listens");
        stream.write_all(slow.as_bytes()).expect("it reads");
        streams.push(stream);
    }
    for check in [&["health", "--live"][..], &["health"]] {
        let asked = [check, &["--timeout", "4s", "--control", control(&node)]].concat();
        let output = cuerda(&asked);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
    }
}

#[test]
fn what_leaves_no_ring_says_so() {
    let outside = Running::node(&["--join", "127.0.0.1:9", "--hand-over-within", "1s"]);
    let asked = ["leave", "--timeout", "30s", "--control", control(&outside)];
    let words = said(&cuerda(&asked).stdout);
    assert!(words.contains("belonged to no ring"), "{words}");
}

#[test]
fn what_nobody_can_mean_is_refused() {
    for (arguments, named) in [
        (&["put", "a", "-"][..], "stdin"),
        (&["status", "--timeout", "0s"], "--timeout"),
        (&["config", "show", "--log", "inof"], "inof"),
        (&["config", "show", "--log", "info,wran"], "wran"),
    ] {
        let output = cuerda(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let words = said(&output.stderr);
        assert!(words.contains(named), "{arguments:?}: {words}");
    }
    for log in [
        "info",
        "OFF",
        "cuerda",
        "warn,cuerda::host=debug",
        "hyper=trace",
    ] {
        json(&["config", "show", "--json", "--log", log], 0);
    }
}

#[test]
fn with_json_every_document_is_json() {
    let reference = json(&["config", "reference", "--json"], 0);
    let rows = reference.as_array().expect("a list");
    assert!(rows.iter().any(|row| row["key"] == "control_host"
        && row["flag"] == "--control-host"
        && row["variable"] == "CUERDA_CONTROL_HOST"));
    let script = json(&["completions", "bash", "--json"], 0);
    let plain = said(&cuerda(&["completions", "bash"]).stdout);
    assert_eq!(script["script"].as_str(), Some(plain.as_str()));
}

#[test]
fn an_empty_key_is_called_empty() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let key = folder.path().join("identity.pem");
    fs::write(&key, "").expect("it can be written");
    let owner = fs::Permissions::from_mode(0o600);
    fs::set_permissions(&key, owner).expect("it is ours");
    let data = text(folder.path());
    let run = ["node", "run", "--data", data, "--listen", "127.0.0.1:0"];
    let output = cuerda(&[&run[..], &["--control", "127.0.0.1:0"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let words = said(&output.stderr);
    assert!(words.contains("identity.pem is empty"), "{words}");
}

#[test]
fn a_backup_that_was_changed_is_refused_whole_and_says_where() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("backup");
    let old = Running::node(&["--replicas", "1"]);
    old.ring_of(1);
    for number in 0..80 {
        old.ask(&["put", &format!("key {number}"), "value"], 0);
    }
    old.ask(&["export", text(&file)], 0);
    let written = fs::read_to_string(&file).expect("it is there");
    let value = written.lines().nth(70).expect("a record");
    let changed = written.replacen(value, &value.replace("dmFsdWU=", "dmFsdWE="), 1);
    assert_ne!(changed, written);
    fs::write(&file, changed).expect("it can be written");
    let new = Running::node(&["--replicas", "1"]);
    new.ring_of(1);
    let told = new.ask(&["import", text(&file)], 1);
    let words = told["error"].as_str().expect("words");
    assert!(words.contains("line 71 "), "{words}");
    let keys = new.ask(&["keys"], 0);
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(0), "{keys}");
}

#[test]
fn an_export_replaces_files_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name);
    let mode = |name: &str| {
        let there = fs::metadata(file(name)).expect("it is there");
        there.permissions().mode() & 0o777
    };
    let node = Running::node(&["--replicas", "1"]);
    node.ring_of(1);
    node.ask(&["put", "song", "la"], 0);
    let export = |to: &str| cuerda(&["export", to, "--control", control(&node)]);
    let whole = said(&export("-").stdout);
    assert!(whole.contains("bGE="), "{whole}");

    node.ask(&["export", text(&file("new"))], 0);
    assert_eq!(mode("new"), 0o600);
    fs::set_permissions(file("new"), fs::Permissions::from_mode(0o640)).expect("it is ours");
    node.ask(&["export", text(&file("new"))], 0);
    assert_eq!(mode("new"), 0o640, "that of the file which it replaces");
    assert_eq!(fs::read_to_string(file("new")).expect("it is there"), whole);

    fs::write(file("target"), "mine").expect("it can be written");
    symlink(file("target"), file("link")).expect("it can be made");
    symlink(file("nothing"), file("dangling")).expect("it can be made");
    for link in ["link", "dangling"] {
        assert_eq!(export(text(&file(link))).status.code(), Some(2), "{link}");
        assert!(file(link).is_symlink(), "{link}");
    }
    assert_eq!(fs::read(file("target")).expect("it is there"), b"mine");
    assert_eq!(export(text(folder.path())).status.code(), Some(2));

    let pipe = file("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("it is installed").success());
    let mut reader = Command::new("cat");
    let reader = reader.arg(&pipe).stdout(Stdio::piped()).spawn();
    node.ask(&["export", text(&pipe)], 0);
    let read = reader.expect("it is installed").wait_with_output();
    assert_eq!(said(&read.expect("it ends").stdout), whole);
    let there = fs::metadata(&pipe).expect("it is there");
    assert!(there.file_type().is_fifo(), "a pipe stays one");

    // By way of a link, so that whoever breaks this loses no device.
    symlink("/dev/full", file("full")).expect("it can be made");
    let full = export(text(&file("full")));
    assert_eq!(full.status.code(), Some(1), "{}", said(&full.stderr));
    let there = fs::metadata(file("full")).expect("it is there");
    assert!(there.file_type().is_char_device());
    let mut through = command(&["export", "/dev/stdout", "--control", control(&node)]);
    let through = through.output().expect("it was built");
    assert!(said(&through.stdout).starts_with(&whole));

    let names = fs::read_dir(folder.path()).expect("it is there");
    let mut names: Vec<String> = names
        .map(|entry| entry.expect("it is there").file_name().into_string())
        .map(|name| name.expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, ["dangling", "full", "link", "new", "pipe", "target"]);
}
