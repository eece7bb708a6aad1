//! Starts the program, waits for it and tells it to stop.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// The program with these arguments and nothing else from outside.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cuerda"));
    command.env_clear().args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn cuerda(arguments: &[&str]) -> Output {
    let output = command(arguments).output();
    output.expect("the program was built for this test")
}

/// What it printed.
pub(crate) fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("all that is printed is UTF-8")
}

/// Runs it to its end, which must be this one, and reads its JSON.
pub(crate) fn json(arguments: &[&str], code: i32) -> Value {
    let output = cuerda(arguments);
    let stdout = said(&output.stdout);
    let stderr = said(&output.stderr);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}: {stdout}{stderr}"
    );
    serde_json::from_str(&stdout).expect("one JSON document")
}

/// Looks until it sees something.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        if let Some(seen) = look() {
            return seen;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("waited in vain: {what}");
}

/// The arguments of [`Running::node`].
pub(crate) fn node_arguments<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["node", "run", "--dev"];
    arguments.extend(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]);
    arguments.extend(["--stabilize-every", "200ms", "--fix-fingers-every", "500ms"]);
    arguments.extend_from_slice(more);
    arguments
}

/// A program that runs until it is told to stop; killed if a test forgets it.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// The JSON that it printed when it had started.
    pub(crate) started: Value,
}

impl Running {
    /// Starts it with `--json`, and waits for its first line.
    pub(crate) fn start(arguments: &[&str]) -> Running {
        let mut command = command(arguments);
        command.arg("--json");
        Running::spawn(command)
    }

    /// The same for a prepared command.
    pub(crate) fn spawn(command: Command) -> Running {
        Running::spawn_logging(command, Stdio::piped())
    }

    /// The same with a log that goes elsewhere.
    pub(crate) fn spawn_logging(mut command: Command, log: Stdio) -> Running {
        let spawned = command.stdout(Stdio::piped()).stderr(log).spawn();
        let mut child = spawned.expect("the program was built for this test");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut stderr = child.stderr.take();
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it can be read");
        if line.is_empty() {
            let mut words = String::new();
            if let Some(log) = &mut stderr {
                log.read_to_string(&mut words).expect("it can be read");
            }
            panic!("it did not start: {words}");
        }
        let started = serde_json::from_str(&line).expect("one line of JSON");
        Running {
            child,
            stdout,
            stderr,
            started,
        }
    }

    /// A node on free ports that keeps nothing, with more arguments.
    pub(crate) fn node(more: &[&str]) -> Running {
        Running::start(&node_arguments(more))
    }

    /// The same with a log that goes elsewhere.
    pub(crate) fn node_logging(more: &[&str], log: Stdio) -> Running {
        let mut command = command(&node_arguments(more));
        command.arg("--json");
        Running::spawn_logging(command, log)
    }

    /// How many files it has open.
    #[cfg(target_os = "linux")]
    pub(crate) fn open_files(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        files.expect("it runs").count()
    }

    /// Nobody reads its log any more.
    pub(crate) fn close_log(&mut self) {
        self.stderr = None;
    }

    fn word(&self, name: &str) -> String {
        let word = self.started[name].as_str();
        word.expect("it is told when it starts").to_owned()
    }

    /// Where others reach it.
    pub(crate) fn address(&self) -> String {
        self.word("address")
    }

    /// Its id.
    pub(crate) fn id(&self) -> String {
        let id = self.started["ids"][0].as_str();
        id.expect("it is told when it starts").to_owned()
    }

    /// Asks it something, and expects this exit code.
    pub(crate) fn ask(&self, arguments: &[&str], code: i32) -> Value {
        let control = self.word("control");
        let more = ["--json", "--control", &control, "--timeout", "30s"];
        json(&[arguments, &more].concat(), code)
    }

    /// Asks it something, however that ends.
    pub(crate) fn ask_anyhow(&self, arguments: &[&str]) -> Value {
        let control = self.word("control");
        let output = cuerda(&[arguments, &["--json", "--control", &control]].concat());
        serde_json::from_slice(&output.stdout).expect("one JSON document")
    }

    /// Waits until a walk from here finds so many members whose tables are as they should be.
    pub(crate) fn ring_of(&self, members: usize) {
        until("an ideal ring", || {
            let control = self.word("control");
            let output = cuerda(&["ring", "--json", "--control", &control]);
            let walk: Value = serde_json::from_slice(&output.stdout).ok()?;
            let found = walk["members"].as_array()?.len();
            (found == members && walk["ideal"] == true).then_some(())
        });
    }

    /// The next line that it prints.
    pub(crate) fn next_line(&mut self) -> String {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line);
        assert_ne!(read.expect("it can be read"), 0, "it has ended");
        line
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("it runs");
    }

    /// Waits for its end: the exit code, the rest of what it printed, and its log.
    pub(crate) fn end(&mut self) -> (Option<i32>, String, String) {
        let status = until("its end", || self.child.try_wait().expect("it is ours"));
        let mut printed = String::new();
        self.stdout
            .read_to_string(&mut printed)
            .expect("it can be read");
        let mut log = String::new();
        if let Some(mut stderr) = self.stderr.take() {
            stderr.read_to_string(&mut log).expect("it can be read");
        }
        (status.code(), printed, log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}
