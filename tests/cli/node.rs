//! Nodes that run: what commands say about them, and how they end.

use std::fs;

use nix::sys::signal::Signal;

use crate::process::{Running, command, cuerda, json, said, text, until};

#[test]
fn a_node_by_itself_answers_every_command_and_leaves_when_told() {
    let mut node = Running::node(&[]);
    let id = node.id();
    let status = node.ask(&["status"], 0);
    assert_eq!(status["nodes"][0]["id"], id.as_str());
    node.ring_of(1);
    assert_eq!(
        node.ask(&["lookup", "a song", "--trace"], 0)["owner"]["id"],
        id.as_str()
    );
    assert_eq!(node.ask(&["lookup", &id, "--id"], 0)["key"], id.as_str());
    assert_eq!(
        node.ask(&["who", "a song"], 0)["holders"][0]["id"],
        id.as_str()
    );
    assert_eq!(node.ask(&["fingers"], 0)["id"], id.as_str());
    assert_eq!(
        node.ask(&["fingers", "--node", "1"], 2)["code"],
        "no_such_node"
    );
    assert_eq!(
        node.ask(&["lookup", "abc", "--id"], 2)["code"],
        "bad_request"
    );
    assert_eq!(node.ask(&["health"], 0)["status"], "healthy");
    assert_eq!(node.ask(&["reload"], 0)["closed"], 0);
    assert_eq!(node.ask(&["leave"], 0)["left"], true);
    let (code, printed, log) = node.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(printed.contains("\"how\":\"left\""), "{printed}");
}

#[test]
fn health_is_quiet_when_told_and_tells_by_its_exit_code() {
    let node = Running::node(&[]);
    let control = node.started["control"].as_str().expect("an address");
    let output = cuerda(&["health", "--quiet", "--control", control]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
    let words = said(&cuerda(&["health", "--control", control]).stdout);
    assert!(words.starts_with("healthy\n"), "{words}");
    assert_eq!(node.ask(&["health", "--live"], 0)["status"], "live");

    // Nobody is at the address it is to join.
    let lost = Running::node(&["--join", "127.0.0.1:9"]);
    let told = lost.ask(&["health"], 4);
    assert_eq!(told["status"], "unhealthy");
    let live = cuerda(&[
        "health",
        "--live",
        "--control",
        lost.started["control"].as_str().expect("an address"),
    ]);
    assert_eq!(
        (live.status.code(), &*said(&live.stdout)),
        (Some(0), "live\n")
    );
    assert_eq!(lost.ask(&["lookup", "a"], 4)["code"], "not_member");
    let waits = until("what it waits for", || {
        let status = lost.ask(&["status"], 0);
        status["waiting_for"].as_str().map(str::to_owned)
    });
    assert!(waits.contains("127.0.0.1:9"), "{waits}");
}

#[cfg(target_os = "linux")]
#[test]
fn waiting_ends_when_it_is_told_to_stop() {
    let mut child = command(&["wait"]).spawn().expect("the program starts");
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    // Until it listens for the signal, that kills it.
    let status = format!("/proc/{pid}/status");
    until("it catches SIGTERM", || {
        let status = fs::read_to_string(&status).ok()?;
        let caught = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))?;
        let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
        (caught & 1 << (Signal::SIGTERM as u32 - 1) != 0).then_some(())
    });
    nix::sys::signal::kill(pid, Signal::SIGTERM).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    // There is no such network on any machine.
    let refused = cuerda(&["wait", "--take", "192.0.2.77/32"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        cuerda(&["wait", "--take", "192.0.2.77"]).status.code(),
        Some(2)
    );
}

#[test]
fn both_polite_signals_end_a_node_with_0() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut node = Running::node(&[]);
        node.signal(signal);
        let (code, printed, log) = node.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(printed.contains("\"how\":\"left\""), "{printed}");
    }
}

#[test]
fn nodes_join_and_one_that_is_terminated_has_left_for_the_others() {
    let first = Running::node(&[]);
    let join = first.address();
    let second = Running::node(&["--join", &join]);
    let mut third = Running::node(&["--join", &join]);
    first.ring_of(3);
    let who = second.ask(&["who", "a song"], 0);
    assert_eq!(
        who["holders"].as_array().map(Vec::len),
        Some(3),
        "three processes: {who}"
    );
    let owners: Vec<serde_json::Value> = [&first, &second, &third]
        .map(|node| node.ask(&["lookup", "a song"], 0)["owner"].clone())
        .to_vec();
    assert!(owners[0]["id"].is_string(), "{owners:?}");
    assert!(
        owners.windows(2).all(|pair| pair[0] == pair[1]),
        "{owners:?}"
    );
    third.signal(Signal::SIGTERM);
    assert_eq!(third.end().0, Some(0));
    first.ring_of(2);
    let status = first.ask(&["status"], 0);
    let presumed_dead = &status["nodes"][0]["remembered"];
    assert_eq!(*presumed_dead, serde_json::json!([]), "it has left");
}

#[test]
fn a_process_with_several_nodes_holds_a_key_once_and_leaves_with_all_of_them() {
    let first = Running::node(&[]);
    let join = first.address();
    let _second = Running::node(&["--join", &join]);
    let mut several = Running::node(&["--join", &join, "--virtual-nodes", "3"]);
    first.ring_of(5);
    let who = first.ask(&["who", "a song"], 0);
    let holders = who["holders"].as_array().map(Vec::len);
    assert_eq!(holders, Some(3), "three processes of five nodes: {who}");
    assert_eq!(several.ask(&["fingers", "--node", "2"], 0)["node"], 2);
    several.signal(Signal::SIGTERM);
    assert_eq!(several.end().0, Some(0));
    first.ring_of(2);
}

/// A ring of two whose second member stands still: whoever leaves waits for it.
fn beside_one_that_stands_still() -> (Running, Running) {
    // Longer than leaving may take. A newcomer may wait once for so long until its ring is one.
    let patient = [
        "--request-timeout",
        "12s",
        "--request-timeout-max",
        "12s",
        "--hand-over-within",
        "1s",
    ];
    let other = Running::node(&patient);
    let join = other.address();
    let node = Running::node(&[&patient[..], &["--join", &join]].concat());
    node.ring_of(2);
    other.signal(Signal::SIGSTOP);
    (node, other)
}

#[test]
fn a_node_that_can_not_leave_in_time_ends_all_the_same_and_says_so() {
    let (mut node, other) = beside_one_that_stands_still();
    node.signal(Signal::SIGTERM);
    let (code, printed, log) = node.end();
    assert_eq!(code, Some(1), "{log}");
    assert!(printed.contains("\"how\":\"killed\""), "{printed}");
    assert!(log.contains("before the node had left"), "{log}");
    other.signal(Signal::SIGCONT);
}

#[test]
fn a_second_signal_ends_a_node_at_once_with_1() {
    let (mut node, other) = beside_one_that_stands_still();
    node.signal(Signal::SIGTERM);
    until("it says that it stops", || {
        let told = node.ask_anyhow(&["health"]);
        (told["checks"][0]["ok"] == false).then_some(())
    });
    node.signal(Signal::SIGINT);
    let (code, _, log) = node.end();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("second signal"), "{log}");
    other.signal(Signal::SIGCONT);
}

#[test]
fn a_paused_node_stops_without_leaving_and_comes_back_as_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    // Two that stay: a node whose only neighbour is gone has lost its ring.
    let first = Running::node(&[]);
    let join = first.address();
    let _second = Running::node(&["--join", &join]);
    let kept = |more: &[&str]| {
        let data = ["--data", text(&data), "--on-terminate", "pause"];
        Running::node(&[&data[..], more].concat())
    };
    let mut node = kept(&["--join", &join]);
    first.ring_of(3);
    let in_use = cuerda(&["node", "run", "--dev", "--data", text(&data)]);
    assert_eq!(in_use.status.code(), Some(1));
    assert!(
        said(&in_use.stderr).contains("in use"),
        "{}",
        said(&in_use.stderr)
    );
    node.signal(Signal::SIGTERM);
    let (code, printed, _) = node.end();
    assert_eq!(code, Some(0));
    assert!(printed.contains("\"how\":\"stopped\""), "{printed}");
    // Told nobody to join, it goes back to whom it knew.
    let again = kept(&[]);
    assert_eq!(again.id(), node.id());
    first.ring_of(3);
    assert_eq!(again.ask(&["status"], 0)["incarnation"], 2);
}

#[test]
fn a_node_that_finds_nobody_it_knew_founds_a_ring() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let kept = ["--data", text(&data), "--found-after", "1s"];
    let mut gone = Running::node(&[]);
    let join = gone.address();
    let mut node = Running::node(&[&kept[..], &["--join", &join]].concat());
    node.ring_of(2);
    gone.signal(Signal::SIGKILL);
    gone.end();
    node.signal(Signal::SIGTERM);
    assert_eq!(node.end().0, Some(0));
    let again = Running::node(&kept);
    again.ring_of(1);
}

#[test]
fn only_who_knows_the_secret_comes_in_and_it_can_be_read_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let secret = |name: &str, digits: &str| {
        let file = folder.path().join(name);
        fs::write(&file, format!("{}\n", digits.repeat(32))).expect("it can be written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&file, mode).expect("it is ours");
        file
    };
    let (ours, theirs) = (secret("ours", "1f"), secret("theirs", "2e"));
    let first = Running::node(&["--secret-file", text(&ours)]);
    let join = first.address();
    let friend = Running::node(&["--secret-file", text(&ours), "--join", &join]);
    let intruder = Running::node(&["--secret-file", text(&theirs), "--join", &join]);
    first.ring_of(2);
    until("the intruder is refused", || {
        let waits = intruder.ask(&["status"], 0);
        waits["waiting_for"].as_str().map(str::to_owned)
    });
    assert_eq!(intruder.ask(&["lookup", "a"], 4)["code"], "not_member");
    // The first has no secret in common with anybody now.
    fs::write(&ours, format!("{}\n", "3d".repeat(32))).expect("it can be written");
    first.signal(Signal::SIGHUP);
    until("the friend is a friend no more", || {
        let status = first.ask_anyhow(&["status"]);
        (status["connections"] == 0).then_some(())
    });
    fs::write(&ours, "short\n").expect("it can be written");
    assert_eq!(friend.ask(&["reload"], 1)["code"], "admission");
}

#[test]
fn a_taken_port_that_was_asked_for_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let at = taken.local_addr().expect("it has one").to_string();
    for flag in ["--listen", "--control"] {
        let told = json(&["node", "run", "--dev", flag, &at, "--json", "-q"], 1);
        assert!(
            told["error"]
                .as_str()
                .is_some_and(|words| words.contains(&at)),
            "{told}"
        );
    }
}
