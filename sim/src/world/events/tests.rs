//! Tests of the `events` world, by a watcher that writes everything down.
//!
//! What the network does to one message is asked of a clone that has nothing else to do; what
//! happens to nodes is read off whole runs.

mod coming_back;
mod disks;
mod links;
mod lookups;
mod machines;
mod mended;
mod network;
mod operators;
mod overlaps;
mod random;
mod selectors;
mod sessions;
mod start;
mod streams;
mod times;
mod twins;
mod virtual_nodes;

use std::sync::Arc;

use cuerda_core::chord::{Event, Message, Network as _, Node, Request, RequestId};
use cuerda_core::ring::{Neighbours, Peer};
use cuerda_core::store::Batch;

use super::queue::Queue;
use super::wire::NodeContext;
use super::{World, kind};
use crate::scenario::{Overrides, Scenario};
use crate::world::{
    DiskGone, Effect, Gone, LookupEnd, Moment, NodeView, SECOND, Subject, Time, Watcher,
    World as _, address_of,
};

const MILLISECOND: Time = SECOND / 1000;
/// The latency of the network of [`scenario`].
const LATENCY: Time = 20 * MILLISECOND;

/// A scenario of a small lively ring whose messages are 20 ms under way. What follows may begin
/// with keys of `[network]`.
fn scenario(nodes: u32, rest: &str) -> Scenario {
    let text = format!(
        "duration = \"400s\"\n[ring]\nnodes = {nodes}\n[node]\nsuccessors = 4\nreplicas = 2\n\
         stabilize_every = \"1s\"\nrepair_every = \"1h\"\nfix_fingers_every = \"5s\"\n\
         request_timeout = \"200ms\"\n\
         found_after = \"5s\"\n[network]\nlatency = {{ fixed = \"20ms\" }}\n{rest}"
    );
    let read = Scenario::parse("mine.toml", &text, &[], &Overrides::default());
    read.unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

fn world(nodes: u32, rest: &str) -> World {
    World::new(&Arc::new(scenario(nodes, rest)), 1)
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

/// What a watcher is told.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Committed(u32, u64),
    DisksGone(Vec<u32>, DiskGone),
    Spoilt(u32, cuerda_core::ring::Id),
    /// Machines, and how many records they have now.
    Replaced(Vec<(u32, usize)>),
    Joined(u32),
    Gone(u32, Gone),
    Issued(u64, u32, cuerda_core::ring::Id),
    Ended(LookupEnd),
    Abandoned(u64),
    Began(Effect),
    Over(Effect),
    Sides(Option<Vec<u32>>),
    Told(u32, Event, Option<Subject>),
    Line(String),
}

/// Writes everything down, with its time.
#[derive(Clone, Debug, Default, PartialEq)]
struct Log(Vec<(Time, Seen)>);

impl Log {
    fn lines(&self) -> impl Iterator<Item = (Time, &str)> {
        self.0.iter().filter_map(|(time, seen)| match seen {
            Seen::Line(line) => Some((*time, line.as_str())),
            _ => None,
        })
    }

    /// The effects of the faults that began, in that order.
    fn effects(&self) -> Vec<&Effect> {
        let began = self.0.iter().filter_map(|(_, seen)| match seen {
            Seen::Began(effect) => Some(effect),
            _ => None,
        });
        began.collect()
    }

    /// When something was told.
    fn times(&self, wanted: &Seen) -> Vec<Time> {
        let such = self.0.iter().filter(|(_, seen)| seen == wanted);
        such.map(|&(time, _)| time).collect()
    }

    /// When a reply to a [`ping`] was delivered to its sender, or to nobody in its place.
    fn reply(&self, from: u32, to: u32, number: u32) -> Option<Time> {
        let (way, which) = (
            format!("n{to} -> n{from}: Reply"),
            format!("origin: Origin(99), number: {number} }}"),
        );
        let mut lines = self.lines();
        let found = lines.find(|(_, line)| line.starts_with(&way) && line.contains(&which));
        found.map(|(time, _)| time)
    }

    /// Messages delivered, as the time of their sending (the latency is fixed) and both ends.
    fn envelopes(&self) -> impl Iterator<Item = (Time, u32, u32)> {
        self.lines().filter_map(|(time, line)| {
            let (from, rest) = line.strip_prefix('n')?.split_once(" -> n")?;
            let (to, _) = rest.split_once(':')?;
            Some((time - LATENCY, from.parse().unwrap(), to.parse().unwrap()))
        })
    }
}

impl Watcher<Node> for Log {
    fn joined(&mut self, at: Moment, node: NodeView<'_, Neighbours>) {
        self.0.push((at.now, Seen::Joined(node.number)));
    }
    fn gone(&mut self, at: Moment, number: u32, how: Gone) {
        self.0.push((at.now, Seen::Gone(number, how)));
    }
    fn lookup_issued(&mut self, at: Moment, lookup: u64, asker: u32, key: cuerda_core::ring::Id) {
        self.0.push((at.now, Seen::Issued(lookup, asker, key)));
    }
    fn lookup_ended(&mut self, at: Moment, end: &LookupEnd) {
        self.0.push((at.now, Seen::Ended(*end)));
    }
    fn lookup_abandoned(&mut self, at: Moment, lookup: u64) {
        self.0.push((at.now, Seen::Abandoned(lookup)));
    }
    fn committed(&mut self, at: Moment, number: u32, _: cuerda_core::ring::Id, batch: &Batch) {
        self.0.push((at.now, Seen::Committed(number, batch.number)));
    }
    fn disks_gone(&mut self, at: Moment, numbers: &[u32], how: DiskGone) {
        let numbers = numbers.to_vec();
        self.0.push((at.now, Seen::DisksGone(numbers, how)));
    }
    fn spoilt(&mut self, at: Moment, number: u32, key: cuerda_core::ring::Id) {
        self.0.push((at.now, Seen::Spoilt(number, key)));
    }
    fn disks_replaced(&mut self, at: Moment, disks: &[(u32, cuerda_core::ring::Id, Batch)]) {
        let disks = disks
            .iter()
            .map(|(number, _, batch)| (*number, batch.records.len()));
        self.0.push((at.now, Seen::Replaced(disks.collect())));
    }
    fn fault_began(&mut self, at: Moment, effect: &Effect) {
        self.0.push((at.now, Seen::Began(effect.clone())));
    }
    fn fault_ended(&mut self, at: Moment, effect: &Effect) {
        self.0.push((at.now, Seen::Over(effect.clone())));
    }
    fn sides(&mut self, at: Moment, sides: Option<&[u32]>) {
        self.0
            .push((at.now, Seen::Sides(sides.map(<[u32]>::to_vec))));
    }
    fn on_event(&mut self, at: Moment, number: u32, event: &Event, about: Option<Subject>) {
        self.0
            .push((at.now, Seen::Told(number, event.clone(), about)));
    }
    fn handling(&mut self, _: u64, now: Time, line: &dyn Fn() -> String) {
        self.0.push((now, Seen::Line(line())));
    }
}

impl World {
    /// Lets the world go on until a time after t = 0.
    fn go_on(&mut self, seconds: f64, log: &mut Log) {
        let end = self.origin() + (seconds * SECOND as f64) as Time;
        self.run_until(end, log);
    }

    fn is_member(&self, number: u32) -> bool {
        self.script.members.has(number)
    }

    /// What these nodes' ids are called here, in the order of the circle.
    fn circle(&self) -> Vec<u32> {
        let mut circle: Vec<(Peer, u32)> = self
            .each_member()
            .map(|node| (node.peer, node.number))
            .collect();
        circle.sort_unstable();
        circle.into_iter().map(|(_, number)| number).collect()
    }

    /// Whether every member's tables are as they should be.
    fn is_ideal(&self) -> bool {
        let circle = self.circle();
        let count = circle.len();
        (0..count).all(|at| {
            let (me, before) = (circle[at], circle[(at + count - 1) % count]);
            let room = usize::from(self.config.successors).min(count - 1);
            let ahead = (1..=room).map(|step| self.node(circle[(at + step) % count]).me());
            let neighbours = self.node(me).neighbours();
            neighbours.successors().iter().copied().eq(ahead)
                && neighbours.predecessor() == self.node(before).me()
        })
    }

    /// How many nodes say that they are members, and run.
    fn acting_members(&self) -> usize {
        let acting = |host: &&super::Host<Node>| host.up && host.node.is_member();
        self.hosts.iter().filter(acting).count()
    }

    fn context<T>(&mut self, number: u32, act: impl FnOnce(&mut NodeContext<'_, Node>) -> T) -> T {
        let host = &self.hosts[number as usize];
        act(&mut NodeContext {
            me: host.node.me(),
            number,
            epoch: host.epoch,
            ahead_ms: host.clock.ahead_ms(self.air.now),
            asked: None,
            air: &mut self.air,
            emitted: &mut Vec::new(),
            store: &mut None,
            kept: None,
        })
    }

    /// Has one node ask whether the other lives; [`Log::reply`] finds the answer.
    fn ping(&mut self, from: u32, to: u32, number: u32) {
        let id = RequestId::of_node(99, number);
        let (to, request) = (self.node(to).me(), Request::Ping);
        self.context(from, |context| {
            context.send(to, Message::Request { id, request });
        });
    }

    /// How long each copy of `times` messages would be under way if they were sent now.
    fn delays(&self, from: u32, to: Peer, times: usize) -> Vec<Time> {
        let mut fork = self.clone();
        fork.air.queue = Queue::new(1000.0);
        for _ in 0..times {
            fork.context(from, |context| context.send(to, Message::Notify));
        }
        let arrivals = std::iter::from_fn(|| fork.air.queue.pop_before(Time::MAX));
        arrivals.map(|entry| entry.time - fork.air.now).collect()
    }

    /// How long a message would be under way now, if it arrived.
    fn delay(&self, from: u32, to: u32) -> Option<Time> {
        let arrivals = self.delays(from, self.node(to).me(), 1);
        assert!(arrivals.len() <= 1, "{arrivals:?}");
        arrivals.first().copied()
    }
}

/// The look-ups that are open at the end. Each must end or be abandoned once; a number may serve
/// again after that.
fn open_lookups(log: &Log) -> std::collections::BTreeMap<u64, u32> {
    let mut open = std::collections::BTreeMap::new();
    for (_, seen) in &log.0 {
        match seen {
            Seen::Issued(lookup, asker, _) => {
                let before = open.insert(*lookup, *asker);
                assert_eq!(before, None, "{lookup} is issued while it is open");
            }
            Seen::Ended(end) => assert_eq!(open.remove(&end.lookup), Some(end.asker), "{end:?}"),
            Seen::Abandoned(lookup) => {
                assert!(open.remove(lookup).is_some(), "{lookup} was not open");
            }
            _ => {}
        }
    }
    open
}

fn mean(of: &[Time]) -> f64 {
    of.iter().sum::<Time>() as f64 / of.len() as f64
}

fn share(part: usize, of: usize) -> f64 {
    part as f64 / of as f64
}

/// An address that no node of any world has.
fn nobody() -> Peer {
    let address = "192.0.2.7:4000".parse::<std::net::SocketAddr>().unwrap();
    Peer {
        id: cuerda_core::ring::Id::of_key(b"nobody"),
        address: address.into(),
    }
}
