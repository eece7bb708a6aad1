//! Nodes that know nobody but a bootstrap node.

use nix::sys::signal::Signal;

use crate::process::Running;

#[test]
fn nodes_find_each_other_and_the_ring_outlives_its_bootstrap_node() {
    let mut bootstrap = Running::start(&["bootstrap", "run", "--dev", "--listen", "127.0.0.1:0"]);
    let join = bootstrap.address();
    let arguments = [
        "--join",
        &join,
        "--found-after",
        "1s",
        "--heartbeat",
        "500ms",
    ];
    let first = Running::node(&arguments);
    first.ring_of(1);
    let second = Running::node(&arguments);
    first.ring_of(2);
    bootstrap.signal(Signal::SIGTERM);
    assert_eq!(bootstrap.end().0, Some(0));
    let member = second.address();
    let _third = Running::node(&["--join", &member]);
    first.ring_of(3);
}
