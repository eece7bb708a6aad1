//! A whole ring in one process.

use nix::sys::signal::Signal;

use crate::process::{Running, json};

#[test]
fn a_ring_in_one_process_can_be_looked_at_and_ends_with_ctrl_c() {
    let mut demo = Running::start(&["demo", "--nodes", "5"]);
    let nodes = demo.started["nodes"].as_array().expect("a list").clone();
    assert_eq!(nodes.len(), 5);
    assert_eq!(demo.started["ideal"], true, "{:?}", demo.started);
    let ask = |node: usize, arguments: &[&str]| {
        let control = nodes[node]["control"].as_str().expect("an address");
        json(&[arguments, &["--json", "--control", control]].concat(), 0)
    };
    let owners: Vec<_> = (0..5)
        .map(|node| ask(node, &["lookup", "song"])["owner"].clone())
        .collect();
    assert!(
        owners.windows(2).all(|pair| pair[0] == pair[1]),
        "{owners:?}"
    );
    assert_eq!(ask(1, &["leave"])["left"], true);
    crate::process::until("four are left", || {
        let walk = ask(2, &["ring"]);
        let members = walk["members"].as_array().expect("a list").len();
        (members == 4 && walk["closed"] == true).then_some(())
    });
    demo.signal(Signal::SIGINT);
    assert_eq!(demo.end().0, Some(0));
}
