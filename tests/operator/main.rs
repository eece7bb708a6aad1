//! A day of an operator's, on processes of the real program at their default settings: the ring is
//! started, grows, shrinks, is restarted node by node, loses its power as a whole and comes back
//! on other addresses; one of its nodes is suspended, one is copied, the clock of one is set wrong,
//! and the disk of one rots.
//!
//! All the while somebody writes and reads. Requires that whatever was acknowledged is read, or at
//! least never said to be absent, and that all of it is read in the end. Only the node that was
//! suspended may answer with something older, until it hears that others went on without it.

mod client;
mod clock;
#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use client::{Client, KEYS, run};
use clock::Clock;
use common::{Process, ask, free_ports, is_ideal, start, until};
use cuerda::ring::Id;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A disk that rots is to be noticed within the test.
const SETTINGS: [&str; 4] = ["--log", "error", "--scrub-every", "10s"];
const THREE_HOURS_MS: i64 = 3 * 60 * 60 * 1000;

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

    /// The client goes on, and this many more of its writes are acknowledged.
    fn writes_go_on(&self, what: &str) {
        let before = Client::lock(&self.client.counts)[0];
        until(what, || Client::lock(&self.client.counts)[0] > before + 40);
    }

    /// What the data directory of the node of this number is, copied and started beside it.
    fn is_copied(&mut self, number: usize, port: usize) -> ExitStatus {
        let (from, to) = (number.to_string(), format!("copy of {number}"));
        let (from, to) = (self.folder.join(from), self.folder.join(to));
        fs::create_dir(&to).expect("there is room");
        for entry in fs::read_dir(from).expect("it is there") {
            let entry = entry.expect("it can be read");
            fs::copy(entry.path(), to.join(entry.file_name())).expect("there is room");
        }
        let mut copy = start(&to, self.ports[port], &[self.ports[7]], &SETTINGS);
        until("the copy ends", || {
            let ended = copy.child.try_wait().expect("it can be waited for");
            ended.is_some()
        });
        copy.child.wait().expect("it has ended")
    }

    /// Changes each value on the disk of the node of this number, behind its back; says how many.
    fn rots(&self, number: usize) -> usize {
        let file = self.folder.join(number.to_string()).join("records.db");
        let disk = rusqlite::Connection::open(file).expect("it is there");
        disk.busy_timeout(common::PATIENCE).expect("a time");
        let rot = "UPDATE fields SET value = x'726f74' WHERE value IS NOT NULL";
        disk.execute(rot, []).expect("it can be written")
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

/// How many records this node has found to be damaged.
fn found_damaged(process: &Process) -> usize {
    let url = format!("http://{}/metrics", process.control);
    let answer = ureq::get(url).call();
    let page = answer.expect("it answers").body_mut().read_to_string();
    let page = page.expect("it is text");
    let value = |line: &str| {
        let value = line.strip_prefix("cuerda_records_damaged_total ")?;
        value.parse().ok()
    };
    page.lines().find_map(value).expect("it is counted")
}

#[test]
fn a_day_of_an_operators_loses_nothing() {
    let folder = tempfile::tempdir().expect("a directory for tests");
    let client = Arc::new(Client::default());
    *Client::lock(&client.acknowledged) = vec![None; KEYS];
    let mut day = Day {
        folder: Path::to_owned(folder.path()),
        ports: free_ports(16),
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
    day.writes_go_on("others presume it dead, and go on");
    day.signal(2, Signal::SIGCONT);
    day.settles("one was suspended");
    client.may_be_stale.store(false, Relaxed);

    // A machine is restored from a copy of one that runs.
    assert_eq!(day.is_copied(3, 12).code(), Some(1), "the younger stops");
    day.settles("one was copied");

    // A machine joins whose clock is set wrong later, and right again.
    let clock = Clock::new(&day.folder);
    day.running.push(clock::start(&clock, day.ports[7]));
    day.settles("one joins whose clock can be set");
    clock.set(THREE_HOURS_MS);
    let is_wrong = |process: &Process| {
        let status = ask(process, &["status"]).expect("it answers");
        status["nodes"][0]["clock_wrong_ms"].is_i64()
    };
    until("it says that its clock is wrong", || {
        day.running.last().is_some_and(is_wrong)
    });
    day.writes_go_on("others go on beside a wrong clock");
    let others = day.running.iter().take(day.running.len() - 1);
    assert_eq!(others.filter(|process| is_wrong(process)).count(), 0);
    clock.set(0);
    until("it says nothing of its clock", || {
        !day.running.last().is_some_and(is_wrong)
    });
    day.settles("a clock was wrong for a while");

    // What rots on one disk is mended before two others are lost.
    let rotten = day.rots(3);
    assert!(rotten > KEYS / 4, "{rotten} values have rotted");
    until("what has rotted is found and fetched again", || {
        let has_copies = ask(&day.running[0], &["wait", "--copies", "--within", "1s"]).is_some();
        found_damaged(&day.running[2]) >= rotten && has_copies
    });
    for at in [3, 3] {
        day.dies(at);
    }
    day.settles("two die at once beside a disk that had rotted");

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
