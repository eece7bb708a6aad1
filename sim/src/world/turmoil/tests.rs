//! Tests of the `turmoil` world: the sockets with hand-written programs at both ends, then whole
//! worlds, whose watcher writes everything down.

mod connects;
mod faults;
mod machines;
mod operators;
mod streams;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cuerda::host::Sockets as _;
use cuerda_core::chord::{Event, Node};
use cuerda_core::ring::{Id, Neighbours};

use super::World;
use super::net::{Machine, Net, Shared, now};
use super::sockets::Plugs;
use super::stream::Stream;
use crate::scenario::{Overrides, Scenario};
use crate::world::script::Lifecycle as _;
use crate::world::{
    Effect, Gone, LookupEnd, Moment, NodeView, SECOND, Subject, Time, Watcher, World as _,
    address_of,
};

const MILLISECOND: Time = SECOND / 1000;

fn scenario(nodes: u32, rest: &str) -> Scenario {
    let text = format!(
        "world = \"turmoil\"\nduration = \"400s\"\n[ring]\nnodes = {nodes}\n[node]\n\
         successors = 4\nreplicas = 2\nstabilize_every = \"1s\"\nfix_fingers_every = \"5s\"\n\
         request_timeout = \"200ms\"\nfound_after = \"5s\"\n[network]\n{rest}"
    );
    let read = Scenario::parse("mine.toml", &text, &[], &Overrides::default());
    read.unwrap_or_else(|wrong| panic!("{wrong}"))
}

const FIXED: &str = "latency = { fixed = \"20ms\" }\n";

fn world(nodes: u32, rest: &str) -> World {
    World::new(&Arc::new(scenario(nodes, &format!("{FIXED}{rest}"))), 1)
}

/// One fault with these keys.
fn fault(kind: &str, at: &str, lasts: &str, keys: &str) -> String {
    let lasts = if lasts.is_empty() {
        String::new()
    } else {
        format!("for = \"{lasts}\"\n")
    };
    format!("[[fault]]\nkind = \"{kind}\"\nat = \"{at}\"\n{lasts}{keys}\n")
}

/// Two or more machines that run what a test says instead of a node.
struct Bench {
    sim: turmoil::Sim<'static>,
    net: Shared,
}

impl Bench {
    fn new(network: &str) -> Bench {
        let sim = turmoil::Builder::new()
            .rng_seed(1)
            .simulation_duration(Duration::MAX)
            .tick_duration(Duration::from_millis(5))
            .min_message_latency(Duration::ZERO)
            .max_message_latency(Duration::ZERO)
            .tcp_capacity(1 << 14)
            .build();
        let net = Shared::new(&scenario(1, network), 1);
        Bench { sim, net }
    }

    /// Adds a machine, which is up and runs this.
    fn add<F: Future<Output = ()> + 'static>(&mut self, program: impl Fn(Plugs) -> F + 'static) {
        let mut net = self.net.lock();
        let number = u32::try_from(net.machines.len()).unwrap();
        net.machines.push(Machine {
            up: true,
            epoch: 1,
            ..Machine::default()
        });
        drop(net);
        let net = self.net.clone();
        self.sim.host(address_of(number).ip(), move || {
            let epoch = net.lock().epoch(number);
            let program = program(Plugs {
                net: net.clone(),
                number,
                epoch,
            });
            async move {
                program.await;
                std::future::pending().await
            }
        });
    }

    /// Goes on for so long. A program that fails a test fails it here.
    fn go_on(&mut self, time: Time) {
        for _ in 0..time / (5 * MILLISECOND) {
            self.sim.step().unwrap();
        }
    }

    fn change(&mut self, act: impl FnOnce(&mut Net)) {
        let mut net = self.net.lock();
        act(&mut net);
        net.apply_resets();
        net.changed();
    }

    /// The power of a machine fails.
    fn power_off(&mut self, number: u32) {
        self.change(|net| net.machines[number as usize].up = false);
        self.sim.crash(address_of(number).ip());
    }

    fn power_on(&mut self, number: u32) {
        self.change(|net| {
            net.machines[number as usize].up = true;
            net.machines[number as usize].epoch += 1;
        });
        self.sim.bounce(address_of(number).ip());
    }
}

/// Dropped, nobody is told anything any more.
impl Drop for Bench {
    fn drop(&mut self) {
        for machine in &mut self.net.lock().machines {
            machine.up = false;
        }
    }
}

/// What programs of a bench have noted, with the time.
#[derive(Clone, Default)]
struct Notes<T>(Arc<std::sync::Mutex<Vec<(Time, T)>>>);

impl<T: Clone> Notes<T> {
    fn new() -> Notes<T> {
        Notes(Arc::default())
    }

    fn note(&self, what: T) {
        self.0.lock().unwrap().push((now(), what));
    }

    fn all(&self) -> Vec<(Time, T)> {
        self.0.lock().unwrap().clone()
    }
}

/// Waits for one connection.
async fn accepted(plugs: &Plugs) -> Stream {
    let (listener, _) = plugs.listen(address_of(plugs.number).into()).await.unwrap();
    plugs.accept(&listener).await.unwrap().0
}

async fn connected(plugs: &Plugs, other: u32) -> Stream {
    plugs.connect(address_of(other).into()).await.unwrap()
}

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Joined(u32),
    Gone(u32, Gone),
    Issued(u64),
    Ended(LookupEnd),
    Abandoned(u64),
    Began(Effect),
    Over(Effect),
    Dead(u32, u32, bool),
    Line(String),
}

/// Writes everything down, with its time.
#[derive(Default)]
struct Log(Vec<(Time, Seen)>);

impl Log {
    fn put(&mut self, time: Time, seen: Seen) {
        // Checkers count on it.
        assert!(self.0.last().is_none_or(|(last, _)| *last <= time));
        self.0.push((time, seen));
    }

    fn times(&self, wanted: impl Fn(&Seen) -> bool) -> Vec<Time> {
        let such = self.0.iter().filter(|(_, seen)| wanted(seen));
        such.map(|&(time, _)| time).collect()
    }

    /// Messages handled: when, from whom, by whom.
    fn envelopes(&self) -> impl Iterator<Item = (Time, u32, u32)> {
        self.0.iter().filter_map(|(time, seen)| {
            let Seen::Line(line) = seen else { return None };
            let (from, rest) = line.strip_prefix('n')?.split_once(" -> n")?;
            let (to, _) = rest.split_once(':')?;
            Some((*time, from.parse().unwrap(), to.parse().unwrap()))
        })
    }
}

impl Watcher<Node> for Log {
    fn joined(&mut self, at: Moment, node: NodeView<'_, Neighbours>) {
        self.put(at.now, Seen::Joined(node.number));
    }
    fn gone(&mut self, at: Moment, number: u32, how: Gone) {
        self.put(at.now, Seen::Gone(number, how));
    }
    fn lookup_issued(&mut self, at: Moment, lookup: u64, _: u32, _: Id) {
        self.put(at.now, Seen::Issued(lookup));
    }
    fn lookup_ended(&mut self, at: Moment, end: &LookupEnd) {
        self.put(at.now, Seen::Ended(*end));
    }
    fn lookup_abandoned(&mut self, at: Moment, lookup: u64) {
        self.put(at.now, Seen::Abandoned(lookup));
    }
    fn fault_began(&mut self, at: Moment, effect: &Effect) {
        self.put(at.now, Seen::Began(effect.clone()));
    }
    fn fault_ended(&mut self, at: Moment, effect: &Effect) {
        self.put(at.now, Seen::Over(effect.clone()));
    }
    fn on_event(&mut self, at: Moment, number: u32, event: &Event, about: Option<Subject>) {
        if let (Event::PresumedDead(_), Some(other)) = (event, about) {
            self.put(at.now, Seen::Dead(number, other.number, other.up));
        }
    }
    fn handling(&mut self, _: u64, now: Time, line: &dyn Fn() -> String) {
        self.put(now, Seen::Line(line()));
    }
}

impl World {
    /// Lets the world go on until a time after t = 0. Nothing may break it.
    fn go_on(&mut self, seconds: f64, log: &mut Log) {
        let end = self.origin() + (seconds * SECOND as f64) as Time;
        self.run_until(end, log);
        assert_eq!(self.broken(), None);
    }

    /// Whether every member's neighbours are as they should be.
    fn is_ideal(&self) -> bool {
        let mut circle: Vec<Neighbours> =
            self.each_member().map(|node| node.view.clone()).collect();
        circle.sort_unstable_by_key(|neighbours| neighbours.me().id);
        let count = circle.len();
        (0..count).all(|at| {
            let before = circle[(at + count - 1) % count].me();
            let room = usize::from(self.config.successors).min(count - 1);
            let ahead = (1..=room).map(|step| circle[(at + step) % count].me());
            let neighbours = &circle[at];
            neighbours.successors().iter().copied().eq(ahead) && neighbours.predecessor() == before
        })
    }

    fn is_member(&self, number: u32) -> bool {
        self.script.members.has(number)
    }

    fn id(&self, number: u32) -> Id {
        self.peer(number).id
    }
}
