//! Logs that can't be written: a node tells nobody, counts that, and goes on.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::process::{Running, until};

/// It says of each stranger that he is one.
const TALKATIVE: &[&str] = &["--log", "debug", "--replicas", "1"];

/// So many strangers come one after the other.
fn strangers(node: &Running, count: usize) {
    for _ in 0..count {
        let mut stream = TcpStream::connect(node.address()).expect("it listens");
        // It may have closed already.
        let _ = stream.write_all(&[b'x'; 64]);
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

/// Waits until it has lost lines of its log, and sees that it still does its work.
fn loses_lines_and_goes_on(node: &Running) {
    node.ring_of(1);
    until("lost lines", || {
        strangers(node, 100);
        let status = node.ask(&["status"], 0);
        let lost = status["lines_lost"]["log"].as_u64().expect("a number");
        (lost > 5).then_some(())
    });
    assert_eq!(
        node.ask(&["put", "song", "la la"], 0)["said"],
        "stored on 1 of 1"
    );
    let control = node.started["control"].as_str().expect("an address");
    let metrics = ureq::get(format!("http://{control}/metrics")).call();
    let metrics = metrics.expect("it answers").body_mut().read_to_string();
    let metrics = metrics.expect("it is text");
    let counter = "\ncuerda_log_lines_lost_total ";
    let (_, count) = metrics.split_once(counter).expect("it is counted");
    assert!(!count.starts_with("0\n"), "{metrics}");
}

/// It stops in order, as if it had told all.
fn leaves(mut node: Running) {
    node.signal(Signal::SIGTERM);
    let (code, printed, _) = node.end();
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains(r#""how":"left""#), "{printed}");
}

#[test]
fn a_reader_of_the_log_who_is_gone_does_not_end_the_node() {
    let mut node = Running::node(TALKATIVE);
    node.close_log();
    loses_lines_and_goes_on(&node);
    leaves(node);
}

#[test]
#[cfg(target_os = "linux")]
fn a_log_on_a_full_volume_does_not_end_the_node() {
    let full = File::options().write(true).open("/dev/full");
    let full = full.expect("Linux has a device that is always full");
    let node = Running::node_logging(TALKATIVE, Stdio::from(full));
    loses_lines_and_goes_on(&node);
    leaves(node);
}

#[test]
fn a_reader_of_the_log_who_stands_still_does_not_hold_up_the_node() {
    let (_unread, log) = std::io::pipe().expect("there are files left");
    let node = Running::node_logging(TALKATIVE, Stdio::from(log));
    // The pipe fills, then the queue.
    loses_lines_and_goes_on(&node);
    leaves(node);
}

#[test]
#[cfg(target_os = "linux")]
fn what_can_not_be_printed_ends_no_node() {
    // Where nobody can be told where it listens, it must be told.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let control = free.local_addr().expect("it is bound").to_string();
    drop(free);
    let full = File::options().write(true).open("/dev/full");
    let mut command = crate::process::command(&[
        "node",
        "run",
        "--dev",
        "--json",
        "--replicas",
        "1",
        "--listen",
        "127.0.0.1:0",
        "--control",
        &control,
        "--events",
        "ring",
    ]);
    command.stdout(full.expect("Linux has a device that is always full"));
    let mut node = command
        .spawn()
        .expect("the program was built for this test");
    let status = until("its answer", || {
        let output = crate::process::cuerda(&["status", "--json", "--control", &control]);
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        let lost = status["lines_lost"]["stdout"].as_u64()?;
        (lost > 1).then_some(status)
    });
    assert_eq!(node.try_wait().expect("it is ours"), None, "{status}");
    crate::process::json(&["leave", "--json", "--control", &control], 0);
    let ended = until("its end", || node.try_wait().expect("it is ours"));
    assert_eq!(ended.code(), Some(0));
}
