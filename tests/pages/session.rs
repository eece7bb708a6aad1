//! Playing the commands of a page in a shell, as its reader would: in a folder of their own, one
//! after the other, on other ports, since those they name may be taken on this machine.
//!
//! A page that starts no node plays in the ring of three that the README starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::common::free_ports;
use super::markdown::{Block, Page, Step, page, pages, simple_commands};
use super::mask::agree;

/// No measure of speed: whoever needs so long is stuck.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often a write that was done in part is done again.
const TRIES: usize = 10;
/// What a shell and this test need no network, engine or compiler for.
const PLAYED: [&str; 7] = ["cuerda", "curl", "openssl", "cat", "echo", "ls", "sqlite3"];

/// Whether all commands of a block can be played here; others are only read.
fn can_be_played(steps: &[Step]) -> bool {
    let commands = steps.iter().flat_map(|step| simple_commands(&step.command));
    let mut names = commands.map(|command| command[0].clone());
    steps
        .iter()
        .any(|step| step.command.contains("cuerda") || step.command.contains("curl"))
        && names.all(|name| PLAYED.contains(&name.as_str()))
}

/// Runs a ring in the background, and commands before it.
struct Session {
    folder: tempfile::TempDir,
    /// The ports that pages name, and those that are used instead.
    ports: BTreeMap<u16, u16>,
    processes: Vec<Child>,
    /// How many members the ring has.
    members: usize,
}

impl Drop for Session {
    fn drop(&mut self) {
        for child in &mut self.processes {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Session {
    fn new(steps: &[Step]) -> Session {
        let named = steps.iter().flat_map(|step| ports(&step.command));
        let named: Vec<u16> = named.chain([4000, 4080]).collect();
        let named: BTreeSet<u16> = named.into_iter().collect();
        let free = free_ports(named.len());
        Session {
            folder: tempfile::tempdir().expect("a directory for tests"),
            ports: named.into_iter().zip(free).collect(),
            processes: Vec::new(),
            members: 0,
        }
    }

    fn shell(&self, command: &str) -> Command {
        let mut command = command.to_owned();
        for (name, port) in &self.ports {
            command = command.replace(&format!("127.0.0.1:{name}"), &format!("127.0.0.1:{port}"));
        }
        let program = Path::new(env!("CARGO_BIN_EXE_cuerda"));
        let bin = program.parent().expect("it lies in a folder").display();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &command])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{bin}:{path}"))
            .env("COLUMNS", "100")
            // What it says nothing about is where it would be on an idle machine.
            .env("CUERDA_LISTEN", format!("127.0.0.1:{}", self.ports[&4000]))
            .env("CUERDA_CONTROL", format!("127.0.0.1:{}", self.ports[&4080]))
            .stdin(Stdio::null());
        shell
    }

    fn run(&self, command: &str) -> Output {
        self.shell(command).output().expect("there is a shell")
    }

    /// Plays a command; the place says where it stands.
    fn play(&mut self, step: &Step, place: &str) {
        if let Some(command) = step.command.strip_suffix(" &") {
            let mut shell = self.shell(&format!("exec {command}"));
            let shell = shell.stdout(Stdio::null()).stderr(Stdio::null());
            self.processes
                .push(shell.spawn().expect("there is a shell"));
            if command.contains("cuerda node run") {
                self.members += 1;
            }
            self.until_ideal(place);
            return;
        }
        let mut output = self.run(&step.command);
        for _ in 0..TRIES {
            if !is_in_part(&said(&output)) {
                break;
            }
            std::thread::sleep(Duration::from_secs(1));
            output = self.run(&step.command);
        }
        let mut printed = said(&output);
        for (name, port) in &self.ports {
            printed = printed.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{name}"));
        }
        match &step.prints {
            None => assert!(
                output.status.success(),
                "{place}: {}: {printed}",
                step.command
            ),
            Some(shown) => assert!(
                agree(shown, &printed),
                "{place}: `{}` does not print\n{shown}\nbut\n{printed}",
                step.command
            ),
        }
        if step.command.starts_with("cuerda leave") {
            self.members -= 1;
            self.until_ideal(place);
        }
    }

    /// Waits until the ring has all its members and is ideal: what is stored then finds all its
    /// holders.
    fn until_ideal(&self, place: &str) {
        if self.members == 0 {
            return;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a real program runs in real time"
        )]
        let began = Instant::now();
        loop {
            let walk = self.run("cuerda --json ring");
            let walk: Value = serde_json::from_slice(&walk.stdout).unwrap_or_default();
            let members = walk["members"].as_array().map_or(0, Vec::len);
            if members == self.members && walk["ideal"] == true {
                return;
            }
            let late = || said(&self.run("cuerda ring; cuerda status"));
            let wanted = self.members;
            assert!(
                began.elapsed() < PATIENCE,
                "{place}: no ring of {wanted}: {}",
                late()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Whether a write is on fewer disks than it should be. On a busy machine one may sync too slowly,
/// which is said and is no success; whoever reads that writes again.
fn is_in_part(printed: &str) -> bool {
    ["stored on 1 of 3", "stored on 2 of 3"]
        .iter()
        .any(|part| printed.contains(part))
}

fn said(output: &Output) -> String {
    let text = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// The ports of this machine that a command names.
fn ports(command: &str) -> Vec<u16> {
    let parts = command.split("127.0.0.1:").skip(1);
    let digits = parts.map(|part| part.split(|c: char| !c.is_ascii_digit()).next());
    digits.filter_map(|digits| digits?.parse().ok()).collect()
}

fn played(page: &Page) -> Vec<Step> {
    let steps: Vec<(&Block, Vec<Step>)> = page.steps();
    let blocks = steps.into_iter().filter(|(_, steps)| can_be_played(steps));
    blocks.flat_map(|(_, steps)| steps).collect()
}

fn starts_a_node(step: &Step) -> bool {
    step.command.ends_with(" &")
}

/// Plays a page, and says how many commands it has.
fn play(page: &Page) -> usize {
    let mut steps = played(page);
    let own = steps.len();
    if own > 0 && !steps.iter().any(starts_a_node) {
        let mut ring = three_nodes();
        ring.extend(steps);
        steps = ring;
    }
    let mut session = Session::new(&steps);
    for block in &page.blocks {
        // What a page tells people to put into a file is there.
        if let Some(name) = block
            .text
            .strip_prefix("# ")
            .and_then(|text| text.lines().next())
            && name.ends_with(".toml")
        {
            let file = session.folder.path().join(name);
            std::fs::write(file, &block.text).expect("the folder is ours");
        }
    }
    for step in &steps {
        session.play(step, &format!("{}:{}", page.shown, step.line));
    }
    own
}

/// What the README says starts a ring.
fn three_nodes() -> Vec<Step> {
    let steps = played(&page("README.md"));
    let nodes: Vec<Step> = steps.into_iter().filter(starts_a_node).collect();
    assert_eq!(nodes.len(), 3, "the README starts three nodes");
    nodes
}

#[test]
fn every_command_that_can_be_played_works_and_prints_what_is_shown() {
    let mut played = 0;
    for page in pages() {
        played += play(&page);
    }
    assert!(played > 40, "these are not all: {played}");
}

#[test]
fn what_needs_an_engine_or_a_compiler_is_not_played() {
    let steps = |text: &str| {
        let page = Page::new("a.md", &format!("```sh\n{text}\n```\n"));
        page.steps().remove(0).1
    };
    assert!(can_be_played(&steps(
        "openssl rand -hex 32 > a\ncuerda status | cat"
    )));
    for text in [
        "docker-compose exec client /cuerda ring",
        "cuerda ring && docker ps",
        "cat a",
    ] {
        assert!(!can_be_played(&steps(text)), "{text}");
    }
}
