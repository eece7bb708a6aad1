//! A day of an operator's, on processes of the real program at their default settings: the ring is
//! started, grows, shrinks, is restarted node by node, loses its power as a whole and comes back
//! on other addresses, and one of its nodes is suspended.
//!
//! All the while somebody writes and reads. Requires that whatever was acknowledged is read, or at
//! least never said to be absent, and that all of it is read in the end. Only the node that was
//! suspended may answer with something older, until it hears that others went on without it.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use common::{Process, free_ports, is_ideal, start, until};
use cuerda::ring::Id;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Keys that are written in turn.
const KEYS: usize = 60;
const SETTINGS: [&str; 3] = ["--insecure", "--log", "error"];

/// The process as a command sees it: how it ends, and what it prints.
fn run(control: &str, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cuerda"))
        .args(arguments)
        .args(["--control", control, "--timeout", "3s"])
        .env_clear()
        .output()
        .expect("the program starts");
    let code = output.status.code().expect("it is not killed");
    (code, String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a client has written and read.
#[derive(Default)]
struct Client {
    /// Where it finds nodes now.
    controls: Mutex<Vec<String>>,
    /// The last value of each key that was acknowledged.
    acknowledged: Mutex<Vec<Option<u32>>>,
    counts: Mutex<[u32; 4]>,
    /// A node may run that was taken for dead: until it hears of its successor it answers with what
    /// it had, as `docs/guarantees.md` says.
    may_be_stale: AtomicBool,
    over: AtomicBool,
}

impl Client {
    fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finds(&self, processes: &[Process]) {
        let controls = processes.iter().map(|process| process.control.clone());
        *Client::lock(&self.controls) = controls.collect();
    }

    fn count(&self, what: usize) {
        Client::lock(&self.counts)[what] += 1;
    }

    /// Writes and reads until it is told to stop; says what it found wrong.
    fn work(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut turn = 0;
        while !self.over.load(Relaxed) {
            turn += 1;
            let controls = Client::lock(&self.controls).clone();
            let Some(control) = controls.get(turn % controls.len().max(1)) else {
                std::thread::yield_now();
                continue;
            };
            let key = turn * 7 % KEYS;
            let (name, value) = (format!("key {key}"), turn.to_string());
            let (code, _) = run(control, &["put", &name, &value]);
            if code == 0 {
                let value = u32::try_from(turn).expect("few turns");
                Client::lock(&self.acknowledged)[key] = Some(value);
            }
            self.count(usize::from(code != 0));
            let key = turn * 11 % KEYS;
            let may_be_stale = self.may_be_stale.load(Relaxed);
            let least = Client::lock(&self.acknowledged)[key];
            let (code, found) = run(control, &["get", &format!("key {key}")]);
            self.count(if code == 0 { 2 } else { 3 });
            let found_wrong = Client::is_wrong(key, least, code, &found);
            wrong.extend(found_wrong.filter(|_| code != 0 || !may_be_stale));
        }
        wrong
    }

    /// What is wrong with the answer to a reading, when this was acknowledged before it began.
    fn is_wrong(key: usize, least: Option<u32>, code: i32, found: &str) -> Option<String> {
        let least = least?;
        match code {
            0 => {
                let value = found.trim().parse::<u32>();
                let is_right = value.as_ref().is_ok_and(|value| *value >= least);
                (!is_right).then(|| format!("key {key}: {value:?}, not {least}"))
            }
            3 => Some(format!("key {key} is said to be absent, not {least}")),
            _ => None,
        }
    }
}

struct Day {
    folder: PathBuf,
    ports: Vec<u16>,
    running: Vec<Process>,
    ids: BTreeMap<usize, Id>,
    client: Arc<Client>,
}

impl Day {
    /// Starts the node of this number on a port of its own.
    fn start(&mut self, number: usize, port: usize, join: &[usize]) {
        let join: Vec<u16> = join.iter().map(|port| self.ports[*port]).collect();
        let data = self.folder.join(number.to_string());
        let process = start(&data, self.ports[port], &join, &SETTINGS);
        let id = *self.ids.entry(number).or_insert(process.id);
        assert_eq!(id, process.id, "its key was kept");
        self.running.push(process);
    }

    fn settles(&self, what: &str) {
        let size = self.running.len();
        let took = until(what, || {
            self.running.iter().all(|process| is_ideal(process, size))
        });
        println!(
            "{what}: after {took:?}; {:?}",
            Client::lock(&self.client.counts)
        );
        self.client.finds(&self.running);
    }

    fn signal(&self, at: usize, signal: Signal) {
        let pid = i32::try_from(self.running[at].child.id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).expect("it runs");
    }

    /// A node leaves in an orderly way, and ends.
    fn leaves(&mut self, at: usize) {
        self.signal(at, Signal::SIGTERM);
        let mut process = self.running.remove(at);
        self.client.finds(&self.running);
        let ended = process.child.wait().expect("it ends");
        assert_eq!(ended.code(), Some(0), "it handed over all that it had");
    }

    /// A node loses its power.
    fn dies(&mut self, at: usize) {
        let mut process = self.running.remove(at);
        self.client.finds(&self.running);
        process.child.kill().expect("it can be killed");
        process.child.wait().expect("it has died");
    }
}

#[test]
fn a_day_of_an_operators_loses_nothing() {
    let folder = tempfile::tempdir().expect("a directory for tests");
    let client = Arc::new(Client::default());
    *Client::lock(&client.acknowledged) = vec![None; KEYS];
    let mut day = Day {
        folder: Path::to_owned(folder.path()),
        ports: free_ports(14),
        running: Vec::new(),
        ids: BTreeMap::new(),
        client: Arc::clone(&client),
    };
    // Nobody is told to be the first.
    for number in 0..5 {
        let others: Vec<usize> = [0, 1].into_iter().filter(|at| *at != number).collect();
        day.start(number, number, &others);
    }
    day.settles("five that were told of two of them form a ring");
    #[expect(
        clippy::disallowed_methods,
        reason = "a client works beside the operator"
    )]
    let working = {
        let client = Arc::clone(&client);
        std::thread::spawn(move || client.work())
    };

    for number in [5, 6] {
        day.start(number, number, &[0]);
    }
    day.settles("two more join");
    for at in [2, 3] {
        day.leaves(at);
    }
    day.settles("two leave");
    // The numbers of those that are left.
    let numbers = [0, 1, 3, 5, 6];
    for number in numbers {
        day.dies(0);
        day.start(number, number, &[]);
        day.settles("one dies and comes back");
    }

    // All lose their power, and are elsewhere when they come back.
    day.client.finds(&[]);
    for process in &mut day.running {
        process.child.kill().expect("it can be killed");
        process.child.wait().expect("it has died");
    }
    day.running.clear();
    for (at, number) in numbers.into_iter().enumerate() {
        let join = if at == 0 { &[][..] } else { &[7] };
        day.start(number, 7 + at, join);
    }
    day.client.finds(&day.running);
    day.settles("all come back on other addresses");

    client.may_be_stale.store(true, Relaxed);
    day.signal(2, Signal::SIGSTOP);
    let before = Client::lock(&client.counts)[0];
    until("others presume it dead, and go on", || {
        Client::lock(&client.counts)[0] > before + 40
    });
    day.signal(2, Signal::SIGCONT);
    day.settles("one was suspended");
    client.may_be_stale.store(false, Relaxed);

    client.over.store(true, Relaxed);
    let wrong = working.join().expect("the client ends");
    assert!(wrong.is_empty(), "{wrong:#?}");
    let acknowledged = Client::lock(&client.acknowledged).clone();
    let control = &day.running[0].control;
    let mut checked = 0;
    for (key, least) in acknowledged.into_iter().enumerate() {
        if least.is_some() {
            checked += 1;
            let name = format!("key {key}");
            let mut last = None;
            until("it is read", || {
                let (code, found) = run(control, &["get", &name]);
                last = Client::is_wrong(key, least, code, &found);
                code == 0 || last.is_some()
            });
            assert_eq!(last, None);
        }
    }
    let [acked, unacked, read, unread] = *Client::lock(&client.counts);
    println!(
        "{checked} keys checked at the end; {acked} writes acknowledged and {unacked} not; \
         {read} readings answered and {unread} not"
    );
    assert!(
        checked == KEYS && acked > 200,
        "{checked} keys, {acked} writes"
    );
}
