//! Somebody who writes and reads all day, through whichever node is there.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use crate::common::Process;

/// Keys that are written in turn.
pub(super) const KEYS: usize = 60;

/// The process as a command sees it: how it ends, and what it prints.
pub(super) fn run(control: &str, arguments: &[&str]) -> (i32, String) {
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
pub(super) struct Client {
    /// Where it finds nodes now.
    pub(super) controls: Mutex<Vec<String>>,
    /// The last value of each key that was acknowledged.
    pub(super) acknowledged: Mutex<Vec<Option<u32>>>,
    pub(super) counts: Mutex<[u32; 4]>,
    /// A node may run that was taken for dead: until it hears of its successor it answers with what
    /// it had, as `docs/guarantees.md` says.
    pub(super) may_be_stale: AtomicBool,
    pub(super) over: AtomicBool,
}

impl Client {
    pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn finds(&self, processes: &[Process]) {
        let controls = processes.iter().map(|process| process.control.clone());
        *Client::lock(&self.controls) = controls.collect();
    }

    fn count(&self, what: usize) {
        Client::lock(&self.counts)[what] += 1;
    }

    /// Writes and reads until it is told to stop; says what it found wrong.
    pub(super) fn work(&self) -> Vec<String> {
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
    pub(super) fn is_wrong(
        key: usize,
        least: Option<u32>,
        code: i32,
        found: &str,
    ) -> Option<String> {
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
