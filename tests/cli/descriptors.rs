//! Nodes that may have few files open: what they keep them for, and what they say.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::process::{Running, command, node_arguments, said, text};

/// The program, which may have so many files open.
fn limited(limit: u32, arguments: &[&str]) -> Command {
    let whole = command(arguments);
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().stdin(Stdio::null());
    let line = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
    shell.args(["-c", &line]).arg(whole.get_program());
    shell.args(whole.get_args());
    shell
}

/// As many connections to these addresses as can be had, one after the other, which say nothing.
fn crowd(addresses: &[&str], each: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..each {
        for address in addresses {
            let address = address.parse().expect("an address");
            let connected = TcpStream::connect_timeout(&address, Duration::from_millis(200));
            streams.extend(connected);
        }
    }
    streams
}

#[test]
fn a_crowd_at_the_door_takes_no_descriptor_from_the_disk_nor_from_peers() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let arguments = node_arguments(&["--replicas", "2", "--log", "warn", "--data", text(&data)]);
    let mut start = limited(100, &arguments);
    start.arg("--json");
    let mut node = Running::spawn(start);
    let other = Running::node(&["--replicas", "2", "--join", &node.address()]);
    other.ring_of(2);
    let (address, control) = (node.address(), node.started["control"].clone());
    let control = control.as_str().expect("an address");
    for round in 0..3 {
        let crowd = crowd(&[control, &address], 100);
        // The rest of the 100 is kept.
        #[cfg(target_os = "linux")]
        assert!(node.open_files() < 60, "{}", node.open_files());
        // What is stored needs its disk, and the other one its answers.
        for key in 0..10 {
            let put = other.ask(&["put", &format!("{round}-{key}"), "la la"], 0);
            assert_eq!(put["said"], "stored on 2 of 2");
        }
        drop(crowd);
    }
    node.ring_of(2);
    node.ask(&["get", "2-9"], 0);
    node.signal(Signal::SIGTERM);
    let (code, printed, log) = node.end();
    assert_eq!(code, Some(0), "{printed}{log}");
    assert_eq!(log.matches("file descriptors run out").count(), 1, "{log}");
    assert!(log.contains("lower than a busy node needs"), "{log}");
    assert!(!log.contains("damaged"), "{log}");
}

#[test]
fn a_limit_that_is_too_low_is_refused_at_the_start() {
    let mut command = limited(60, &node_arguments(&[]));
    let output = command
        .output()
        .expect("the program was built for this test");
    let words = said(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("the limit of open files is 60"), "{words}");
    assert!(words.contains("ulimit -n"), "{words}");
}
