//! A whole ring in one process.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;

use crate::process::{Running, command, cuerda, json, said};

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
    assert!(owners[0]["id"].is_string(), "{owners:?}");
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

/// Killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn where_the_usual_port_is_taken_the_commands_to_try_say_where_to_ask() {
    // If this fails, somebody else has it, which is as good.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 4080));
    let demo = command(&["demo", "--nodes", "2"])
        .stdout(Stdio::piped())
        .spawn();
    let mut demo = Killed(demo.expect("the program was built for this test"));
    let stdout = demo.0.stdout.take().expect("it is piped");
    let lines = BufReader::new(stdout).lines().map_while(Result::ok);
    let lines: Vec<String> = lines
        .take_while(|line| !line.starts_with("Ctrl-C"))
        .collect();
    let commands = lines
        .iter()
        .filter_map(|line| line.strip_prefix("  cuerda "));
    let commands: Vec<&str> = commands.collect();
    assert_eq!(commands.len(), 5, "{lines:?}");
    for line in commands {
        assert!(line.contains(" --control 127.0.0.1:"), "{line}");
        let words = shlex::split(line).expect("a shell reads it");
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = cuerda(&words);
        assert!(output.status.success(), "{line}: {}", said(&output.stderr));
    }
    drop(taken);
}
