//! Rings of processes of the real program on loopback.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cuerda::ring::Id;
use serde_json::Value;

/// What a call may take: the time-out that the command is given, and room for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(5);
/// No measure of speed: whoever needs so long is stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Ports from here on, so many, are not among those that the system gives to connections: a
/// process that was killed finds its own free when it comes back.
const PORTS: std::ops::Range<u32> = 10_000..30_000;

/// A process, killed when dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) control: String,
    pub(crate) id: Id,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Different ports that were free a moment ago; other ones in each process of tests.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    let first = std::process::id().wrapping_mul(97);
    let places = PORTS.end - PORTS.start;
    let all = (0..places).map(|step| PORTS.start + first.wrapping_add(step) % places);
    let all = all.filter_map(|port| u16::try_from(port).ok());
    let free = all.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let ports: Vec<u16> = free.take(count).collect();
    assert_eq!(ports.len(), count, "loopback has free ports");
    ports
}

/// Starts a node that keeps its data here, and waits until it says where it listens.
pub(crate) fn start(data: &Path, port: u16, join: &[u16], more: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cuerda"));
    command
        .args(["--json", "node", "run", "--control", "127.0.0.1:0"])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(more)
        .arg("--data")
        .arg(data);
    for join in join {
        command.args(["--join", &format!("127.0.0.1:{join}")]);
    }
    command.env_clear();
    started(command)
}

/// Starts a process, and waits until a line of its says where it listens.
pub(crate) fn started(mut command: Command) -> Process {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = child.stdout.take().expect("stdout is piped");
    let (sender, lines) = mpsc::channel();
    #[expect(
        clippy::disallowed_methods,
        reason = "a test reads a pipe beside the clock"
    )]
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody listens after the one that is waited for.
            let _ = sender.send(line);
        }
    });
    let said = std::iter::from_fn(|| {
        let line = lines.recv_timeout(PATIENCE);
        Some(line.expect("it says where it listens"))
    })
    .find_map(|line| {
        let said: Value = serde_json::from_str(&line).ok()?;
        said["control"].is_string().then_some(said)
    })
    .expect("each line is waited for");
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
pub(crate) fn ask(process: &Process, arguments: &[&str]) -> Option<Value> {
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

/// Looks until something holds, and says how long that took.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
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

/// Whether a walk from here finds so many members whose tables are as they should be.
pub(crate) fn is_ideal(process: &Process, members: usize) -> bool {
    ask(process, &["ring"]).is_some_and(|walk| {
        walk["ideal"] == true
            && walk["members"]
                .as_array()
                .is_some_and(|all| all.len() == members)
    })
}
