//! Sixteen processes of the real program on loopback, four of which are killed and come back.
//!
//! Requires that afterwards every look-up, through every process, names the right owner within
//! five stabilization periods, and that meanwhile none hangs longer than its time-out.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cuerda::ring::Id;
use serde_json::Value;

const PROCESSES: usize = 16;
const STABILIZE_EVERY: Duration = Duration::from_secs(1);
/// What a call may take: the time-out that the command is given, and room for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(5);
/// No measure of speed: whoever needs so long is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process, killed when dropped.
struct Process {
    child: Child,
    control: String,
    id: Id,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

fn start(data: &Path, port: u16, join: Option<u16>) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cuerda"));
    command
        .args([
            "--json",
            "node",
            "run",
            "--control",
            "127.0.0.1:0",
            "--stabilize-every",
            "1s",
        ])
        .args(["--fix-fingers-every", "1s", "--log", "warn"])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .arg("--data")
        .arg(data);
    if let Some(join) = join {
        command.args(["--join", &format!("127.0.0.1:{join}")]);
    }
    let mut child = command
        .env_clear()
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = child.stdout.take().expect("stdout is piped");
    let (sender, line) = mpsc::channel();
    #[expect(
        clippy::disallowed_methods,
        reason = "a test reads a pipe beside the clock"
    )]
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody listens after the first.
            let _ = sender.send(line);
        }
    });
    let line = line
        .recv_timeout(PATIENCE)
        .expect("it says where it listens");
    let said: Value = serde_json::from_str(&line).expect("it speaks JSON");
    Process {
        child,
        control: said["control"].as_str().expect("an address").to_owned(),
        id: said["ids"][0]
            .as_str()
            .expect("an id")
            .parse()
            .expect("an id"),
    }
}

/// Asks a process by the program itself, as a user would. `None` if that fails.
fn ask(process: &Process, arguments: &[&str]) -> Option<Value> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a real program runs in real time"
    )]
    let began = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_cuerda"))
        .args(["--json"])
        .args(arguments)
        .args(["--control", &process.control, "--timeout", "5s"])
        .env_clear()
        .output()
        .expect("the program starts");
    let took = began.elapsed();
    assert!(took < TIMEOUT * 2, "{arguments:?} took {took:?}");
    output
        .status
        .success()
        .then(|| serde_json::from_slice(&output.stdout).expect("it speaks JSON"))
}

fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "a real program runs in real time"
    )]
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    began.elapsed()
}

fn is_ideal(process: &Process, members: usize) -> bool {
    ask(process, &["ring"]).is_some_and(|walk| {
        walk["ideal"] == true
            && walk["members"]
                .as_array()
                .is_some_and(|all| all.len() == members)
    })
}

/// The owner that a process names for a key.
fn named(process: &Process, key: &str) -> Option<Id> {
    let answer = ask(process, &["lookup", key])?;
    answer["owner"]["id"].as_str()?.parse().ok()
}

#[test]
fn a_ring_of_processes_survives_the_death_of_four_and_their_return() {
    let directory = tempfile::tempdir().expect("a directory for tests");
    let data = |number: usize| directory.path().join(number.to_string());
    let ports: Vec<u16> = (0..PROCESSES).map(|_| free_port()).collect();
    let mut processes = Vec::new();
    for number in 0..PROCESSES {
        let join = (number > 0).then_some(ports[0]);
        processes.push(start(&data(number), ports[number], join));
    }
    until("sixteen form an ideal ring", || {
        is_ideal(&processes[0], PROCESSES)
    });

    // Four others die, three of them neighbours in the ring, and no look-up hangs.
    let ids: Vec<Id> = processes.iter().map(|process| process.id).collect();
    let mut circle: Vec<usize> = (0..PROCESSES).collect();
    circle.sort_by_key(|&number| ids[0].distance_to(ids[number]));
    let killed = [circle[4], circle[5], circle[6], circle[11]];
    let alive: Vec<usize> = (0..PROCESSES)
        .filter(|number| !killed.contains(number))
        .collect();
    for number in killed {
        processes[number].child.kill().expect("it can be killed");
        processes[number].child.wait().expect("it has died");
    }
    for key in 0..20 {
        // An answer or an error, but in time: `ask` asserts that.
        named(
            &processes[alive[key % alive.len()]],
            &format!("during {key}"),
        );
    }
    for number in killed {
        let again = start(&data(number), ports[number], Some(ports[0]));
        assert_eq!(again.id, ids[number], "its key was kept");
        processes[number] = again;
    }

    let right = |key: &str| {
        let place = Id::of_key(key.as_bytes());
        *ids.iter()
            .min_by_key(|id| place.distance_to(**id))
            .expect("there are nodes")
    };
    let healed = until("every process names the right owner of every key", || {
        processes.iter().enumerate().all(|(number, process)| {
            let key = format!("after {number}");
            named(process, &key) == Some(right(&key))
        })
    });
    println!("every process was right again {healed:?} after the last return");
    let bound = STABILIZE_EVERY * 5;
    assert!(
        healed <= bound,
        "healed after {healed:?}, not within {bound:?}"
    );
    for (number, process) in processes.iter().enumerate() {
        for key in 0..4 {
            let key = format!("later {number} {key}");
            assert_eq!(named(process, &key), Some(right(&key)), "{key}");
        }
    }
}
