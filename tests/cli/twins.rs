//! Two processes with one key: a data directory was copied while its node runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::process::{Running, text, until};

/// What `cp -a` copies.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("there is room");
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it can be read");
        // Keeps the mode.
        fs::copy(entry.path(), to.join(entry.file_name())).expect("there is room");
    }
    let key = fs::metadata(to.join("identity.pem")).expect("it was copied");
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

/// How many twins this node has found.
fn twins_found(node: &Running) -> f64 {
    let control = node.started["control"].as_str().expect("it is told");
    let url = format!("http://{control}/metrics");
    let output = std::process::Command::new("curl")
        .args(["--silent", "--show-error", &url])
        .output()
        .expect("curl is there");
    let page = String::from_utf8(output.stdout).expect("it is text");
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix("cuerda_twins_found_total "));
    line.and_then(|count| count.parse().ok())
        .expect("it is counted")
}

#[test]
fn a_copy_of_a_running_node_is_refused_and_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, copied) = (folder.path().join("data"), folder.path().join("copy"));
    let mut other = Running::node(&["--replicas", "2", "--log", "warn"]);
    let join = other.address();
    let start = |data: &Path| {
        let kept = ["--replicas", "2", "--join", &join, "--data", text(data)];
        Running::node(&[&kept[..], &["--log", "warn"]].concat())
    };
    let mut first = start(&data);
    other.ring_of(2);
    first.ask(&["put", "song", "la la"], 0);
    copy(&data, &copied);

    let mut twin = start(&copied);
    let (code, printed, log) = twin.end();
    assert_eq!(code, Some(1), "{log}");
    assert!(printed.contains(r#""how":"twin""#), "{printed}");
    let address = first.address();
    assert!(log.contains("ERROR") && log.contains(&address), "{log}");
    assert!(log.contains("identity.pem"), "{log}");

    // The first one, and who heard both, go on and have noticed.
    other.ring_of(2);
    first.ask(&["get", "song"], 0);
    until("both have noticed", || {
        (twins_found(&first) >= 1.0 && twins_found(&other) >= 1.0).then_some(())
    });
    // With a key of its own the copy is a node like any other.
    fs::remove_file(copied.join("identity.pem")).expect("it is there");
    let third = start(&copied);
    other.ring_of(3);
    assert_ne!(third.id(), first.id());
    drop(third);
    for node in [&mut first, &mut other] {
        node.signal(Signal::SIGKILL);
        let (_, _, log) = node.end();
        assert!(
            log.contains("WARN") && log.contains("same key") || log.contains("this node's key")
        );
    }
}

#[test]
fn a_node_that_is_started_again_elsewhere_at_once_is_no_twin() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let other = Running::node(&["--replicas", "2"]);
    let join = other.address();
    let start = || Running::node(&["--replicas", "2", "--join", &join, "--data", text(&data)]);
    let mut first = start();
    other.ring_of(2);
    let before = first.address();
    first.signal(Signal::SIGKILL);
    first.end();
    let again = start();
    assert_ne!(again.address(), before);
    other.ring_of(2);
    assert!(again.ask(&["status"], 0)["nodes"][0]["standing"] == "member");
    assert_eq!((twins_found(&other), twins_found(&again)), (0.0, 0.0));
}
