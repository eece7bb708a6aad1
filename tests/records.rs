//! Sixteen processes of the real program, with their records on disk, killed at random two at a
//! time and started again while clients write and read: nothing that was acknowledged is lost.
//!
//! Clients send to random processes, dead ones too. Each key belongs to one client, which numbers
//! its writes. A write is *acknowledged* when it is answered with 200; when the answer says that
//! only some hold it, it may be lost, and when no answer comes, nobody knows, so that key is not
//! written again. At the end each key must hold its last acknowledged write or a later one.
//!
//! `CUERDA_TEST_SECONDS` says how long it goes on (120), and `CUERDA_TEST_SEED` which choices are
//! made, as far as a test with real clocks can repeat them.

mod common;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use common::{PATIENCE, Process, free_ports, is_ideal, start, until};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use ureq::Agent;

const PROCESSES: usize = 16;
const CLIENTS: u64 = 4;
/// How many die at once: one less than hold a record.
const VICTIMS: usize = 2;
/// Between two requests of a client: this is no measure of speed, and others share the machine.
const PAUSE: Duration = Duration::from_millis(10);
const SETTINGS: [&str; 10] = [
    "--stabilize-every",
    "500ms",
    "--fix-fingers-every",
    "2s",
    "--request-timeout",
    "300ms",
    "--request-timeout-max",
    "1s",
    "--log",
    "error",
];

/// What is known of a key.
#[derive(Clone, Debug, Default)]
struct Key {
    /// The number of the last write that was begun, from 1.
    begun: u64,
    /// The last one that was acknowledged.
    acknowledged: u64,
    /// How many were.
    writes: u64,
    /// The stamp of the last answer.
    stamp: String,
    /// The outcome of the last one is not known.
    unsure: bool,
}

/// What a client has seen.
#[derive(Debug, Default)]
struct Seen {
    keys: BTreeMap<String, Key>,
    partial: u64,
    failed: u64,
    reads: u64,
    /// Readings that found less than had been acknowledged before, and those that found nobody.
    stale: u64,
    unread: u64,
}

/// How a write ended.
enum Ended {
    Acknowledged(String),
    Partial(String),
    /// It was certainly not done.
    Refused,
    Unknown,
}

fn environment(name: &str, usual: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.map_or(usual, |text| text.parse().expect("a number"))
}

fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a real program runs in real time"
    )]
    Instant::now()
}

fn below(random: &mut ChaCha8Rng, bound: u64) -> u64 {
    random.next_u64() % bound
}

fn agent() -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(5)))
        .http_status_as_error(false)
        .proxy(None);
    config.build().into()
}

fn value(key: &str, number: u64, length: u64) -> String {
    let padding = usize::try_from(length).expect("a length of some hundred bytes");
    format!("{number} {key} {}", "x".repeat(padding))
}

fn put(agent: &Agent, control: &str, key: &str, past: &str, value: &str) -> Ended {
    let past = match past {
        "" => String::new(),
        past => format!("?past={past}"),
    };
    let url = format!("http://{control}/v1/records/{key}{past}");
    let response = match agent.put(url).send(value) {
        Ok(response) => response,
        // A process that is dead refuses the connection: then nothing was sent.
        Err(ureq::Error::Io(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Ended::Refused;
        }
        Err(_) => return Ended::Unknown,
    };
    let stamp = response.headers().get("cuerda-stamp");
    let stamp = stamp.and_then(|stamp| stamp.to_str().ok());
    let stamp = stamp.unwrap_or_default().to_owned();
    match response.status().as_u16() {
        200 => Ended::Acknowledged(stamp),
        202 => Ended::Partial(stamp),
        _ => Ended::Unknown,
    }
}

/// The number of the write that a process finds under a key, 0 for none; `None` if it can't say.
fn get(agent: &Agent, control: &str, key: &str) -> Option<u64> {
    let url = format!("http://{control}/v1/records/{key}");
    let mut response = agent.get(url).call().ok()?;
    match response.status().as_u16() {
        200 => {
            let certain = response.headers().get("cuerda-certain")?;
            if certain != "true" {
                return None;
            }
            let text = response.body_mut().read_to_string().ok()?;
            let (number, rest) = text.split_once(' ').expect("a number and the key");
            assert!(rest.starts_with(key), "{key} has the value of another key");
            Some(number.parse().expect("a number"))
        }
        404 => Some(0),
        _ => None,
    }
}

/// Writes and reads until told to stop.
fn client(number: u64, seed: u64, controls: &Mutex<Vec<String>>, stop: &AtomicBool) -> Seen {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(1 + number);
    let (agent, mut seen) = (agent(), Seen::default());
    let mut names: Vec<String> = Vec::new();
    while !stop.load(Relaxed) {
        std::thread::sleep(PAUSE);
        let control = {
            let controls = controls.lock().expect("nobody panics with it");
            controls[below(&mut random, PROCESSES as u64) as usize].clone()
        };
        let old = !names.is_empty() && below(&mut random, 2) == 0;
        let name = match old {
            true => names[below(&mut random, names.len() as u64) as usize].clone(),
            false => format!("{number}-{}", names.len()),
        };
        if old && below(&mut random, 2) == 0 {
            let acknowledged = seen.keys[&name].acknowledged;
            seen.reads += 1;
            match get(&agent, &control, &name) {
                Some(found) => seen.stale += u64::from(found < acknowledged),
                None => seen.unread += 1,
            }
            continue;
        }
        if !old {
            names.push(name.clone());
        }
        let key = seen.keys.entry(name.clone()).or_default();
        if key.unsure {
            continue;
        }
        key.begun += 1;
        let value = value(&name, key.begun, below(&mut random, 1000));
        match put(&agent, &control, &name, &key.stamp, &value) {
            Ended::Acknowledged(stamp) => {
                key.acknowledged = key.begun;
                key.writes += 1;
                key.stamp = stamp;
            }
            Ended::Partial(stamp) => {
                seen.partial += 1;
                key.stamp = stamp;
            }
            Ended::Refused => seen.failed += 1,
            Ended::Unknown => {
                seen.failed += 1;
                key.unsure = true;
            }
        }
    }
    seen
}

/// The processes, and what it takes to start one again.
struct Ring {
    directory: tempfile::TempDir,
    ports: Vec<u16>,
    processes: Vec<Process>,
}

impl Ring {
    fn form() -> Ring {
        let mut ring = Ring {
            directory: tempfile::tempdir().expect("a directory for tests"),
            ports: free_ports(PROCESSES),
            processes: Vec::new(),
        };
        for number in 0..PROCESSES {
            let join = if number == 0 {
                &[][..]
            } else {
                &ring.ports[..1]
            };
            let process = ring.start(number, join);
            ring.processes.push(process);
        }
        until("all form an ideal ring", || {
            is_ideal(&ring.processes[0], PROCESSES)
        });
        ring
    }

    fn start(&self, number: usize, join: &[u16]) -> Process {
        let data = self.directory.path().join(number.to_string());
        start(&data, self.ports[number], join, &SETTINGS)
    }

    fn controls(&self) -> Vec<String> {
        let controls = self.processes.iter();
        controls.map(|process| process.control.clone()).collect()
    }

    /// Kills these as SIGKILL does, and waits until they are dead.
    fn kill(&mut self, victims: &[usize]) {
        for &number in victims {
            self.processes[number].child.kill().expect("it is ours");
        }
        for &number in victims {
            self.processes[number].child.wait().expect("it has died");
        }
    }

    /// Starts them again, and waits until they are members.
    fn bring_back(&mut self, victims: &[usize]) {
        let alive = (0..PROCESSES).filter(|number| !victims.contains(number));
        let join: Vec<u16> = alive.take(3).map(|number| self.ports[number]).collect();
        for &number in victims {
            let again = self.start(number, &join);
            assert_eq!(again.id, self.processes[number].id, "its key was kept");
            self.processes[number] = again;
        }
        let agent = agent();
        let ready = |number: &usize| {
            let url = format!("http://{}/health/ready", self.processes[*number].control);
            let response = agent.get(url).call();
            response.is_ok_and(|response| response.status().as_u16() == 200)
        };
        until("who comes back belongs to the ring", || {
            victims.iter().all(ready)
        });
    }
}

/// Different ones, at random.
fn victims(random: &mut ChaCha8Rng) -> Vec<usize> {
    let mut all: Vec<usize> = (0..PROCESSES).collect();
    let mut chosen = Vec::new();
    for _ in 0..VICTIMS {
        let at = below(random, all.len() as u64) as usize;
        chosen.push(all.swap_remove(at));
    }
    chosen
}

/// What a key holds at the end, by any process that answers for certain.
fn at_the_end(agent: &Agent, controls: &[String], name: &str, first: usize) -> u64 {
    let began = now();
    for turn in first.. {
        if let Some(found) = get(agent, &controls[turn % controls.len()], name) {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "nobody answers for {name}");
        std::thread::sleep(Duration::from_millis(20));
    }
    unreachable!("there is always another turn");
}

#[test]
fn nothing_acknowledged_is_lost_when_two_at_a_time_are_killed() {
    let seed = environment("CUERDA_TEST_SEED", u64::from(std::process::id()));
    let duration = Duration::from_secs(environment("CUERDA_TEST_SECONDS", 120));
    println!("CUERDA_TEST_SEED={seed}, for {duration:?}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut ring = Ring::form();
    let controls = Mutex::new(ring.controls());
    let stop = AtomicBool::new(false);
    let mut killed = 0;
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let (controls, stop) = (&controls, &stop);
                scope.spawn(move || client(number, seed, controls, stop))
            })
            .collect();
        // Whatever goes wrong here, the clients must not go on for ever.
        let went = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let began = now();
            while began.elapsed() < duration {
                std::thread::sleep(Duration::from_millis(500 + below(&mut random, 2500)));
                let victims = victims(&mut random);
                ring.kill(&victims);
                killed += victims.len();
                std::thread::sleep(Duration::from_millis(below(&mut random, 3000)));
                ring.bring_back(&victims);
                *controls.lock().expect("nobody panics with it") = ring.controls();
            }
        }));
        stop.store(true, Relaxed);
        let seen = clients
            .into_iter()
            .map(|client| client.join().expect("no client panics"))
            .collect();
        if let Err(panic) = went {
            std::panic::resume_unwind(panic);
        }
        seen
    });
    let acknowledged = |seen: &Seen| seen.keys.values().map(|key| key.writes).sum::<u64>();
    let all = seen.iter().map(acknowledged).sum::<u64>();
    assert!(
        all > 0 && killed > 0,
        "something was acknowledged, and somebody killed"
    );
    until("the ring is ideal at the end", || {
        is_ideal(&ring.processes[0], PROCESSES)
    });

    let controls = ring.controls();
    let (mut lost, mut keys, mut writes, mut unsure) = (Vec::new(), 0, 0, 0);
    std::thread::scope(|scope| {
        let checks: Vec<_> = seen
            .iter()
            .map(|seen| {
                let controls = &controls;
                scope.spawn(move || {
                    let agent = agent();
                    let checked = seen.keys.iter().enumerate().map(|(number, (name, key))| {
                        let found = at_the_end(&agent, controls, name, number);
                        (name.clone(), key.clone(), found)
                    });
                    checked.collect::<Vec<_>>()
                })
            })
            .collect();
        for check in checks {
            for (name, key, found) in check.join().expect("no check panics") {
                assert!(
                    found <= key.begun,
                    "{name} holds what nobody wrote: {found}"
                );
                keys += 1;
                writes += key.writes;
                unsure += u64::from(key.unsure);
                if found < key.acknowledged {
                    lost.push((name, key, found));
                }
            }
        }
    });
    let sum = |of: fn(&Seen) -> u64| seen.iter().map(of).sum::<u64>();
    println!(
        "{killed} processes were killed; {writes} acknowledged writes to {keys} keys were checked; \
         {} were partial, {} failed, the outcome of {unsure} is not known; of {} reads meanwhile \
         {} found less than had been acknowledged and {} found nobody",
        sum(|seen| seen.partial),
        sum(|seen| seen.failed),
        sum(|seen| seen.reads),
        sum(|seen| seen.stale),
        sum(|seen| seen.unread),
    );
    assert!(keys > 0 && writes > 0, "something was checked");
    assert!(
        lost.is_empty(),
        "seed {seed}: {} keys lost what was acknowledged: {lost:#?}",
        lost.len()
    );
}
