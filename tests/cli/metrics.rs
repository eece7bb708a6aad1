//! Numbers for Prometheus, as its own tool reads them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::process::{Running, text, until};

/// This test can't run here. Where all must be there, that is a failure.
fn skipped(why: &str) {
    let all_must_run = std::env::var("CUERDA_CI").is_ok_and(|value| value == "1");
    assert!(!all_must_run, "CUERDA_CI=1, and {why}");
    // Not `eprint`, which the harness keeps for tests that fail.
    let words = format!("SKIPPED the check of metrics by promtool, nothing was tested: {why}\n");
    let _ = std::io::stderr().write_all(words.as_bytes());
}

/// The page of metrics of a node, as it is for those who ask for nothing special.
fn page(node: &Running) -> String {
    let control = node.started["control"].as_str().expect("an address");
    let answer = ureq::get(format!("http://{control}/metrics")).call();
    let page = answer.expect("it answers").body_mut().read_to_string();
    page.expect("it is text")
}

/// The value of a metric without labels, if it is on the page.
fn value(page: &str, name: &str) -> Option<f64> {
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line?.parse().ok()
}

/// Two nodes, the first of which keeps its records in this folder, and what has been done to them.
fn busy(folder: &std::path::Path) -> [Running; 2] {
    let data = folder.join("data");
    let first = Running::node(&["--replicas", "2", "--data", text(&data)]);
    let second = Running::node(&["--replicas", "2", "--join", &first.address()]);
    first.ring_of(2);
    first.ask(&["put", "song", "la la"], 0);
    first.ask(&["get", "song"], 0);
    first.ask(&["lookup", "song"], 0);
    [first, second]
}

#[test]
fn they_say_how_long_things_took_and_how_much_is_open_and_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let [node, _other] = busy(folder.path());
    let page = page(&node);
    for kind in ["lookup", "read", "write", "commit"] {
        let count = value(&page, &format!("cuerda_{kind}_duration_seconds_count"));
        assert!(count >= Some(1.0), "{kind}: {page}");
    }
    let stored = std::fs::metadata(folder.path().join("data/records.db")).expect("it is there");
    assert!(
        value(&page, "cuerda_disk_bytes") >= Some(stored.len() as f64),
        "{page}"
    );
    let open = value(&page, "cuerda_open_descriptors");
    assert!(
        open > Some(5.0) && open < value(&page, "cuerda_descriptors_limit"),
        "{page}"
    );
}

#[test]
fn a_node_whose_successor_is_gone_has_not_stabilized_for_longer_and_longer() {
    let folder = tempfile::tempdir().expect("a folder");
    let [node, other] = busy(folder.path());
    let age = || value(&page(&node), "cuerda_stabilization_age_seconds");
    // It stabilizes five times a second.
    until("a stabilization", || (age()? < 1.0).then_some(()));
    other.signal(nix::sys::signal::Signal::SIGSTOP);
    until("silence", || {
        (age().is_none_or(|age| age > 1.0)).then_some(())
    });
}

#[test]
fn promtool_finds_nothing_to_complain_of() {
    let promtool = Command::new("promtool").arg("--version").output();
    if let Err(error) = promtool {
        return skipped(&format!(
            "promtool can't be run ({error}): Debian's `prometheus` has it"
        ));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let [node, _other] = busy(folder.path());
    let page = page(&node);
    let mut check = Command::new("promtool");
    check.args(["check", "metrics"]).stdin(Stdio::piped());
    check.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = check.spawn().expect("it was run a moment ago");
    let mut stdin = running.stdin.take().expect("it is piped");
    stdin.write_all(page.as_bytes()).expect("it reads");
    drop(stdin);
    let output = running.wait_with_output().expect("it ends");
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words);
    assert!(
        output.status.success() && words.trim().is_empty(),
        "{words}{page}"
    );
}
