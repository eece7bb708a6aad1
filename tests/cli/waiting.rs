//! What nodes that are not let in say that they wait for, and what an operator waits for.

use std::net::TcpListener;

use nix::sys::signal::Signal;

use crate::process::{Running, cuerda, said, text, until};

/// Waits until a node says that it waits for something in these words, also to those who ask for
/// its health.
fn says(node: &Running, words: &str) {
    until(words, || {
        let status = node.ask(&["status"], 0);
        let waits = status["waiting_for"].as_str()?;
        waits.contains(words).then_some(())
    });
    let health = node.ask(&["health"], 4);
    assert!(health.to_string().contains(words), "{health}");
}

/// An address of loopback where nobody listens.
fn nobodys() -> String {
    let free = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    free.local_addr().expect("it is bound").to_string()
}

#[test]
fn other_settings_are_named() {
    let ring = Running::node(&["--replicas", "1"]);
    let join = ring.address();
    let other = Running::node(&["--join", &join, "--successors", "4", "--replicas", "1"]);
    says(&other, "another number of successors");
}

#[test]
fn a_neighbour_that_nobody_can_dial_is_named() {
    let first = Running::node(&["--replicas", "2"]);
    let (join, nowhere) = (first.address(), nobodys());
    let _hidden = Running::node(&["--join", &join, "--advertise", &nowhere, "--replicas", "2"]);
    first.ring_of(2);
    let late = Running::node(&["--join", &join, "--replicas", "2"]);
    says(&late, &nowhere);
}

#[test]
fn nodes_of_which_none_founds_a_ring_say_so() {
    let nowhere = nobodys();
    let first = Running::node(&["--join", &nowhere]);
    let second = Running::node(&["--join", &first.address()]);
    says(&first, "found a ring");
    says(&second, "found a ring");
}

#[test]
fn a_node_that_returns_before_it_was_missed_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let slow = ["--stabilize-every", "20s", "--replicas", "1"];
    let arguments = [
        "node",
        "run",
        "--dev",
        "--listen",
        "127.0.0.1:0",
        "--control",
        "127.0.0.1:0",
    ];
    let first = Running::start(&[&arguments[..], &slow].concat());
    let address = first.address();
    let kept = ["--join", &address, "--data", text(&data)];
    let start = || Running::start(&[&arguments[..], &slow, &kept].concat());
    let mut node = start();
    until("a member", || {
        (node.ask(&["status"], 0)["nodes"][0]["standing"] == "member").then_some(())
    });
    // Whoever is before it must have heard of it.
    until("its neighbour", || {
        let id = node.id();
        let successors = first.ask(&["status"], 0)["nodes"][0]["successors"].clone();
        (successors[0]["id"] == id.as_str()).then_some(())
    });
    node.signal(Signal::SIGKILL);
    node.end();
    says(&start(), "returning");
}

#[test]
fn when_all_have_their_copies_again_the_next_node_may_be_stopped() {
    let two = ["--replicas", "2"];
    let mut first = Running::node(&two);
    let join = first.address();
    let joining = [&two[..], &["--join", &join]].concat();
    let mut second = Running::node(&joining);
    first.ring_of(2);
    let third = Running::node(&joining);
    third.ring_of(3);
    let _fourth = Running::node(&joining);
    third.ring_of(4);
    let keys: Vec<String> = (0..30).map(|number| format!("key {number}")).collect();
    let wait = ["wait", "--copies", "--within", "60s"];
    assert_eq!(third.ask(&wait, 0)["members"], 4);
    for key in &keys {
        third.ask(&["put", key, "la"], 0);
    }
    assert_eq!(third.ask(&wait, 0)["lacking"], 0);
    // Of two copies one is lost each time, and the other has to become two.
    second.signal(Signal::SIGKILL);
    second.end();
    let well = third.ask(&wait, 0);
    assert_eq!((&well["members"], &well["lacking"]), (&3.into(), &0.into()));
    first.signal(Signal::SIGKILL);
    first.end();
    for key in &keys {
        until("the last two have it", || {
            (third.ask_anyhow(&["get", key])["fields"][""]["text"] == "la").then_some(())
        });
    }
}

#[test]
fn where_copies_can_not_be_had_waiting_ends_with_5() {
    let node = Running::node(&["--replicas", "3"]);
    node.ring_of(1);
    node.ask(&["wait", "--copies"], 0);
    node.ask(&["put", "song", "la"], 5);
    let told = node.ask(&["wait", "--copies", "--within", "1s"], 5);
    let words = told["error"].as_str().unwrap_or_default();
    assert!(words.contains("1 key lacks copies"), "{told}");
    let health = node.ask(&["health"], 0);
    assert_eq!(health["status"], "degraded");
    let control = node.started["control"].as_str().expect("an address");
    let status = cuerda(&["status", "--control", control]);
    assert!(said(&status.stdout).contains("1 lacks copies"));
    // Who belongs to no ring may do so soon.
    let outside = Running::node(&["--join", "127.0.0.1:9"]);
    let told = outside.ask(&["wait", "--copies", "--within", "1s"], 4);
    assert_eq!(told["code"], "not_member");
}
