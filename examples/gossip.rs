//! A protocol of one's own in Cuerda's worlds: a full mesh that gossips a number.
//!
//! Every node tells every other, once in a round, what it knows: who lives, and the greatest
//! number that anybody was given. The scenario beside this file lets nodes come and go and cuts
//! the network in two. What must hold: nobody's number ever shrinks; and when nothing changes any
//! more, all know the same living nodes and the same number.
//!
//! ```text
//! cargo run --release --package cuerda-sim --example gossip
//! cargo run --release --package cuerda-sim --example gossip -- turmoil
//! ```
//!
//! The second plays it on simulated machines, whose nodes talk over TLS.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cuerda::host::Hosted;
use cuerda_core::protocol::{Event, Input, Network, Protocol, Timer, Wire};
use cuerda_core::ring::{Id, Peer};
use cuerda_core::store::Store;
use cuerda_sim::check::judged::Judged;
use cuerda_sim::check::placement::Unplaced;
use cuerda_sim::check::rules::Unruled;
use cuerda_sim::check::structure::{Broken, Changed, Structure};
use cuerda_sim::report::{Report, Verdict};
use cuerda_sim::run::{Play, play_in_with, play_with, read};
use cuerda_sim::scenario::{Scenario, World};
use cuerda_sim::world::{NodeView, Simulated, Time, turmoil};
use serde::{Deserialize, Serialize};

/// The time from one round to the next.
const ROUND: Duration = Duration::from_secs(1);

// ---- the protocol ----

/// What each node was last heard to have counted, by itself or by way of others; and the number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Gossip {
    beats: BTreeMap<Peer, u64>,
    greatest: u64,
}

impl Wire for Gossip {
    fn kind(&self) -> &'static str {
        "Gossip"
    }
    fn wire_size(&self) -> usize {
        8 + 46 * self.beats.len()
    }
}

/// Time for the next round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Round;

impl Timer for Round {
    fn pack(self) -> (u8, u32) {
        (0, 0)
    }
    fn unpack(_: u8, _: u32) -> Round {
        Round
    }
    fn kind(self) -> &'static str {
        "Round"
    }
}

/// What there is to see of a node.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    alive: BTreeSet<Id>,
    greatest: u64,
}

#[derive(Clone, Debug)]
struct Mesh {
    me: Peer,
    /// After so many rounds without news a node counts as dead.
    patience: u32,
    member: bool,
    gossip: Gossip,
    /// Rounds since each node's count last grew.
    ages: BTreeMap<Peer, u32>,
    known: Known,
}

impl Mesh {
    fn hear(&mut self, heard: Gossip) {
        self.gossip.greatest = self.gossip.greatest.max(heard.greatest);
        for (peer, beat) in heard.beats {
            let last = self.gossip.beats.entry(peer).or_default();
            if beat > *last {
                *last = beat;
                self.ages.insert(peer, 0);
            }
        }
    }

    /// The dead are told too: they may only have been out of reach.
    fn round(&mut self, net: &mut impl Network<Mesh>) {
        self.ages.values_mut().for_each(|age| *age += 1);
        *self.gossip.beats.entry(self.me).or_default() += 1;
        self.ages.insert(self.me, 0);
        for &peer in self.gossip.beats.keys().filter(|peer| **peer != self.me) {
            net.send(peer, self.gossip.clone());
        }
        net.set_timer(Round, ROUND / 2..ROUND * 3 / 2);
    }

    fn become_member(&mut self, net: &mut impl Network<Mesh>) {
        if !std::mem::replace(&mut self.member, true) {
            net.emit(Event::Joined);
        }
    }
}

impl Protocol for Mesh {
    const NAME: &'static str = "gossip";
    type Config = u32;
    type Message = Gossip;
    type Timer = Round;
    type Told = Infallible;

    fn new(me: Peer, patience: Arc<u32>, incarnation: u32) -> Mesh {
        let beats = BTreeMap::from([(me, u64::from(incarnation) << 32)]);
        let greatest = me.id.high();
        Mesh {
            me,
            patience: *patience,
            member: false,
            gossip: Gossip { beats, greatest },
            ages: BTreeMap::from([(me, 0)]),
            known: Known::default(),
        }
    }

    fn me(&self) -> Peer {
        self.me
    }

    fn is_member(&self) -> bool {
        self.member
    }

    fn handle(&mut self, input: Input<Mesh>, net: &mut impl Network<Mesh>) {
        match input {
            Input::Found => {
                self.become_member(net);
                self.round(net);
            }
            Input::Join(contacts) => {
                let contacts = contacts.into_iter().map(|contact| (contact, 0));
                self.gossip.beats.extend(contacts);
                self.round(net);
            }
            Input::Message { message, .. } => {
                self.hear(message);
                self.become_member(net);
            }
            Input::Timer(Round) => self.round(net),
            Input::Leave => {
                net.emit(Event::Leaving);
                net.emit(Event::Left);
            }
            // It has no clients, and no tables to begin with.
            _ => {}
        }
        let lives = |(peer, age): (&Peer, &u32)| (*age <= self.patience).then_some(peer.id);
        let known = Known {
            alive: self.ages.iter().filter_map(lives).collect(),
            greatest: self.gossip.greatest,
        };
        if known != self.known {
            self.known = known;
            net.emit(Event::NeighboursChanged);
        }
    }
}

// ---- what the harness is told of it ----

impl Simulated for Mesh {
    type View = Known;

    fn view(&self) -> &Known {
        &self.known
    }
}

impl Judged for Mesh {
    type Structure = Everybody;
    type Placement = Unplaced;
    type Rules = Unruled;
}

/// All members, and what they know.
#[derive(Default)]
struct Everybody {
    members: BTreeMap<u32, (Id, Known)>,
    shrunk: Vec<u32>,
}

impl Structure<Known> for Everybody {
    fn start<'a>(
        _: &Scenario,
        _: Time,
        members: impl Iterator<Item = NodeView<'a, Known>>,
    ) -> Everybody {
        let mut all = Everybody::default();
        members.for_each(|node| all.joined(node));
        all
    }

    fn joined(&mut self, node: NodeView<'_, Known>) {
        let known = (node.peer.id, node.view.clone());
        self.members.insert(node.number, known);
    }

    fn changed(&mut self, node: NodeView<'_, Known>) {
        if let Some((_, known)) = self.members.get_mut(&node.number) {
            if node.view.greatest < known.greatest {
                self.shrunk.push(node.number);
            }
            known.clone_from(node.view);
        }
    }

    fn gone(&mut self, number: u32) {
        self.members.remove(&number);
    }

    fn look(&mut self, at: Time, _: Changed) -> Vec<Broken> {
        let shrunk = std::mem::take(&mut self.shrunk).into_iter();
        let broken = shrunk.map(|number| Broken {
            check: "never-shrinks".to_owned(),
            detail: "a node knows a smaller number than before".to_owned(),
            node: Some(number),
            at,
        });
        broken.collect()
    }

    fn members(&self) -> usize {
        self.members.len()
    }

    fn parts(&self) -> usize {
        let views = self.members.values().map(|(_, known)| &known.alive);
        views.collect::<BTreeSet<_>>().len()
    }

    fn is_ideal(&self) -> bool {
        let all: BTreeSet<Id> = self.members.values().map(|(id, _)| *id).collect();
        let greatest = self.members.values().map(|(_, known)| known.greatest).max();
        let right = |known: &Known| known.alive == all && Some(known.greatest) == greatest;
        self.members.values().all(|(_, known)| right(known))
    }
}

// ---- what a host is told of it, to run it on sockets ----

impl Hosted for Mesh {
    /// How many nodes it takes to be alive.
    type Status = usize;

    fn status(&self, _store: &impl Store) -> usize {
        self.known.alive.len()
    }
}

/// The nodes' settings: after how many rounds of silence somebody counts as dead.
const PATIENCE: u32 = 5;

fn on_simulated_machines(mut scenario: Scenario) -> Report {
    scenario.world = World::Turmoil;
    let scenario = Arc::new(scenario);
    let mut world = turmoil::World::with(&scenario, scenario.seed, Arc::new(PATIENCE));
    play_in_with(&mut world, &scenario, Play::<Mesh>::of(PATIENCE))
}

fn main() -> ExitCode {
    let scenario = read("gossip.toml", include_str!("gossip.toml")).expect("it stands beside");
    let report = match std::env::args().nth(1).as_deref() {
        None | Some("events") => play_with(&scenario, Play::<Mesh>::of(PATIENCE)),
        Some("turmoil") => on_simulated_machines(scenario),
        Some(other) => {
            eprintln!("there is no world `{other}` here; `events` or `turmoil`");
            return ExitCode::from(2);
        }
    };
    println!(
        "{} members, {} messages; everybody knows everybody: {:?}, {:?} s after the last fault",
        report.ring.members, report.traffic.messages, report.ring.ideal, report.ring.ideal_after_s
    );
    for violation in &report.violations {
        println!("{}: {}", violation.check, violation.detail);
    }
    for unmet in &report.unmet {
        println!("{} is {}, not {}", unmet.metric, unmet.value, unmet.bound);
    }
    match report.verdict {
        Verdict::Pass => ExitCode::SUCCESS,
        Verdict::Fail => ExitCode::FAILURE,
    }
}
