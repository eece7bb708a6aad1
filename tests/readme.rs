//! The README's words about `cuerda`: its commands work as they stand there, and its table of
//! settings is that of the code.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const README: &str = include_str!("../README.md");
/// No measure of speed: whoever needs so long is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// The shell blocks of a section.
fn blocks(section: &str) -> Vec<&'static str> {
    let start = README.find(section).expect("the README has this section");
    let section = &README[start + 3..];
    let section = &section[..section.find("\n## ").expect("another section follows")];
    let blocks = section.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("\n```").next().expect("a block ends"))
        .collect()
}

/// Ends what it holds.
struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A command of the README, on other ports: those it names may be taken on this machine.
fn command(line: &str, ports: &[(&str, u16)], directory: &Path) -> Command {
    let free = |word: &str| {
        let port = word.strip_prefix("127.0.0.1:");
        let port = port.and_then(|port| ports.iter().find(|(name, _)| *name == port));
        port.map_or(word.to_owned(), |(_, free)| format!("127.0.0.1:{free}"))
    };
    let words = shlex::split(line).expect("a shell reads it");
    let mut words = words.iter().map(|word| free(word));
    assert_eq!(words.next().as_deref(), Some("cuerda"), "{line}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cuerda"));
    command
        .args(words)
        .current_dir(directory)
        .env_clear()
        // What it says nothing about is where it would be on an idle machine.
        .env("CUERDA_LISTEN", format!("127.0.0.1:{}", ports[0].1))
        .env("CUERDA_CONTROL", format!("127.0.0.1:{}", ports[1].1));
    command
}

fn said(output: &Output) -> String {
    let text = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn three_nodes_by_hand() {
    let directory = tempfile::tempdir().expect("a directory for tests");
    let free: Vec<TcpListener> = (0..6)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port"))
        .collect();
    let names = ["4000", "4080", "4001", "4081", "4002", "4082"];
    let ports: Vec<(&str, u16)> = names
        .into_iter()
        .zip(&free)
        .map(|(name, free)| (name, free.local_addr().expect("it is bound").port()))
        .collect();
    drop(free);
    let run = |line: &str| command(line, &ports, directory.path()).output();
    // Ideal, so that what is stored finds all its holders.
    let is_ring_of = |count: usize| -> bool {
        let output = run("cuerda --json ring").expect("the program starts");
        let walk: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let members = walk["members"].as_array().map_or(0, Vec::len);
        members == count && walk["ideal"] == true
    };
    let until = |count: usize| {
        #[expect(
            clippy::disallowed_methods,
            reason = "a real program runs in real time"
        )]
        let began = Instant::now();
        while !is_ring_of(count) {
            let walk = || said(&run("cuerda ring").expect("the program starts"));
            assert!(began.elapsed() < PATIENCE, "no ring of {count}: {}", walk());
            std::thread::sleep(Duration::from_millis(50));
        }
    };

    let [nodes, questions] = blocks("## Three nodes by hand")[..] else {
        panic!("nodes are started in one block and asked in another");
    };
    let mut processes = Processes(Vec::new());
    for (number, line) in nodes.lines().enumerate() {
        let line = line
            .strip_suffix(" &")
            .expect("a node runs in the background");
        let mut node = command(line, &ports, directory.path());
        let node = node.stdout(Stdio::null()).stderr(Stdio::null());
        processes.0.push(node.spawn().expect("the program starts"));
        until(number + 1);
    }
    for line in questions.lines() {
        let output = run(line).expect("the program starts");
        assert!(output.status.success(), "{line}: {}", said(&output));
        if line.starts_with("cuerda leave") {
            until(2);
        }
    }
}

#[test]
fn its_table_of_settings_is_that_of_the_code() {
    let output = Command::new(env!("CARGO_BIN_EXE_cuerda"))
        .args(["config", "reference"])
        .output()
        .expect("the program starts");
    assert!(
        README.contains(&*said(&output)),
        "put the output of `cuerda config reference` into the README"
    );
}
