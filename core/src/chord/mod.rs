//! The protocol: one [`Node`], which handles one [`Input`] at a time and answers through a
//! [`Network`].
//!
//! ```text
//!   mod.rs            the node: which input goes where
//!   ├ membership.rs   the ways into a ring and out of it
//!   ├ maintenance.rs  stabilize, rectify, departures: the only writer of the neighbours
//!   ├ queries.rs      look-ups, fingers, probes and reunion
//!   ├ answers.rs      what it replies to others
//!   ├ copies.rs       whether its records are where they should be
//!   ├ effects.rs      what it does because of its records
//!   ├ records/*       records: who serves them, and on which nodes they are
//!   ├ op/*            the operations, each a value that asks and ends
//!   ├ ask.rs          questions, timers, retries: how an operation asks
//!   ├ requests.rs     the requests' numbers, who waits for which, how long replies may take
//!   └ slots.rs        places with numbers, for what there may be many of
//! ```
//!
//! A handler runs to its end, so what held on entry holds throughout. Every request has a
//! timer, and silence is an answer in the same `match` as all others, so that no failure path
//! can be forgotten. Nothing here performs I/O, knows the time, or draws a random number.

mod answers;
mod ask;
mod config;
mod copies;
mod effects;
pub mod limits;
mod maintenance;
mod membership;
mod merging;
mod message;
mod op;
mod open_requests;
mod phase;
mod queries;
mod record_message;
mod records;
mod remembered;
mod requests;
mod rtt;
mod slots;
#[cfg(test)]
mod tests;
mod timer;
mod variant;

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub use crate::protocol::{
    AccessError, Condition, Denied, Fetched, Ignored, LookupError, Network, Origin, OwnerFound,
    Protocol, Refusal, RequestId, Versions, VersionsApart, Wire, Write, Written,
};
pub use config::{Config, ConfigError};
pub use copies::Copies;
pub use message::{Hello, Message, Reply, Request};
pub use phase::Membership;
/// What [`Membership`] was called before; kept for those who know it by that name.
pub use phase::Membership as Standing;
pub use record_message::{
    Claimed, Doubts, Held, RecordNotice, RecordReply, RecordRequest, Stamped,
};
pub use timer::Timer;
#[cfg(feature = "mutants")]
pub use variant::Variant;

use crate::ring::{Fingers, Id, KeyRange, Neighbours, Peer};
use ask::Settled;
use maintenance::Maintenance;
use open_requests::Waiter;
use phase::MembershipPhase;
use queries::Queries;
use records::Records;
use remembered::Remembered;
use requests::Requests;
#[cfg(not(feature = "mutants"))]
use variant::Variant;

/// What can happen to a Chord node.
pub type Input = crate::protocol::Input<Node>;
/// What a Chord node tells whoever runs it: nothing beyond what all nodes tell.
pub type Event = crate::protocol::Event<Infallible>;
/// A world for tests, which writes down what a Chord node asks of it.
pub type Recorder = crate::protocol::Recorder<Node>;

/// The newest version of Chord's messages that this code speaks.
///
/// 1. What the first nodes spoke; never released.
/// 2. Notices about records: what needs no answer is not asked as a request.
/// 3. Who leaves asks its successor to stay, and says that it holds nothing for others.
pub const PROTOCOL_VERSION: u16 = 3;

/// The oldest version of Chord's messages that this code understands. Nodes that speak none from
/// here to [`PROTOCOL_VERSION`] are refused. A node does not know which version each of its peers
/// speaks, so it can't spare those of earlier versions what they don't understand.
pub const PROTOCOL_OLDEST: u16 = 3;

// Whoever speaks no version at all could talk to nobody.
const _: () = assert!(PROTOCOL_OLDEST >= 1 && PROTOCOL_OLDEST <= PROTOCOL_VERSION);

/// The versions of Chord's messages that this code understands.
pub const VERSIONS: Versions = Versions {
    newest: PROTOCOL_VERSION,
    oldest: PROTOCOL_OLDEST,
};

/// A Chord node as a plain value.
///
/// It can be cloned to explore two futures, compared and hashed by a model checker, and built
/// in one line by a test:
///
/// ```
/// use cuerda_core::chord::{Config, Event, Input, Node, Protocol, Recorder};
/// use cuerda_core::ring::{Id, Peer};
///
/// let address = "127.0.0.1:4000".parse::<std::net::SocketAddr>().unwrap().into();
/// let me = Peer { id: Id::of_key(b"me"), address };
/// let mut node = Node::new(me, Config::default().into(), 1);
/// let mut world = Recorder::default();
/// node.handle(Input::Found, &mut world);
/// assert!(world.events.contains(&Event::Joined));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    neighbours: Neighbours,
    maintenance: Maintenance,
    phase: MembershipPhase,
    requests: Requests,
    armed: Armed,
    /// Rounds of stabilization left in which a newcomer hurries.
    hurry: u8,
    config: Arc<Config>,
    fingers: Fingers,
    queries: Queries,
    remembered: Remembered,
    /// `None` until it first takes part in a ring.
    records: Option<Box<Records>>,
    /// What its records serve may not be what they should.
    unsettled: bool,
}

/// Which of the periodic timers are under way, so that none ever runs twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Armed {
    stabilize: bool,
    fingers: bool,
    join: bool,
}

impl Node {
    /// A node that belongs to no ring yet: hand it [`Input::Found`] or [`Input::Join`].
    ///
    /// `incarnation` must be greater at each start of the same node, so that replies to an
    /// earlier one are recognized. The configuration is taken as
    /// [valid](Config::validate).
    ///
    /// # Panics
    /// If the configuration has no room for successors.
    #[must_use]
    pub fn new(me: Peer, config: Arc<Config>, incarnation: u32) -> Node {
        let incarnation = match config.is_variant(Variant::IncarnationNotIncreased) {
            true => incarnation.min(1),
            false => incarnation,
        };
        Node {
            neighbours: Neighbours::alone(me, config.successors),
            maintenance: Maintenance::default(),
            phase: MembershipPhase::Outside,
            requests: Requests::new(incarnation),
            armed: Armed::default(),
            hurry: 0,
            config,
            fingers: Fingers::new(),
            queries: Queries::default(),
            remembered: Remembered::default(),
            records: None,
            unsettled: false,
        }
    }

    /// A member with these tables, for experiments that begin with a complete ring; hand it
    /// [`Input::Resume`]. A real node never starts from tables: what they say may be history.
    ///
    /// # Panics
    /// If the configuration has no room for successors.
    #[must_use]
    pub fn member(
        config: Arc<Config>,
        incarnation: u32,
        neighbours: Neighbours,
        fingers: Fingers,
    ) -> Node {
        let mut node = Node::new(neighbours.me(), config, incarnation);
        node.neighbours = neighbours;
        node.fingers = fingers;
        node.phase = MembershipPhase::Member;
        node
    }

    /// The node as others know it.
    #[must_use]
    pub const fn me(&self) -> Peer {
        self.neighbours.me()
    }

    /// Whether it belongs to a ring: it answers questions about it and may own keys.
    #[must_use]
    pub const fn is_member(&self) -> bool {
        matches!(self.phase, MembershipPhase::Member)
    }

    /// Where it stands towards the ring.
    #[must_use]
    pub fn membership(&self) -> Membership {
        match self.phase.membership() {
            Membership::Member if self.keeps(Records::is_about_to_leave) => Membership::Leaving,
            membership => membership,
        }
    }

    /// Predecessor and successors. They mean something only for a member.
    #[must_use]
    pub const fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    /// The finger table.
    #[must_use]
    pub const fn fingers(&self) -> &Fingers {
        &self.fingers
    }

    /// Peers presumed dead that it goes on probing; the oldest first.
    pub fn remembered(&self) -> impl Iterator<Item = Peer> + '_ {
        self.remembered.peers()
    }

    /// Counts its starts.
    #[must_use]
    pub const fn incarnation(&self) -> u32 {
        self.requests.incarnation()
    }

    /// Arcs that it serves without knowing all that there is: the whole ring had stopped, and of
    /// those that held them nobody is back. What it does not find there it calls
    /// [uncertain](Denied::Uncertain).
    #[must_use]
    pub fn in_doubt(&self) -> &[KeyRange] {
        self.records.as_deref().map_or(&[], Records::in_doubt)
    }

    /// Records that it has read since its start to see whether they have rotted
    /// ([`Config::scrub_every`]).
    #[must_use]
    pub fn scrubbed(&self) -> u64 {
        self.records.as_deref().map_or(0, Records::scrubbed)
    }

    /// By how many milliseconds its machine's clock is ahead of those of others, or behind them if
    /// this is negative; `None` unless it is farther from more than half of those that it heard from
    /// last than stamps are taken in ([`crate::record::limits::TAKEN_MAX`]). Then it stamps no
    /// writes.
    #[must_use]
    pub fn clock_wrong_by(&self) -> Option<i64> {
        self.records.as_deref().and_then(Records::clock_wrong_by)
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn handle_input(&mut self, input: Input, net: &mut impl Network<Node>) {
        match input {
            Input::Message {
                from,
                message,
                took,
            } => self.handle_message(from, message, took, net),
            Input::Timer(timer) => self.handle_timer(timer, net),
            Input::Lookup { token, key, traced } => self.look_up(token, key, traced, net),
            Input::Write { token, key, write } => {
                if !self.tell_records(records::Input::Write { token, key, write }, net) {
                    let result = Err(LookupError::NotMember.into());
                    net.emit(Event::Written { token, result });
                }
            }
            Input::Read { token, key, past } => {
                if !self.tell_records(records::Input::Read { token, key, past }, net) {
                    let result = Err(LookupError::NotMember.into());
                    net.emit(Event::Read { token, result });
                }
            }
            Input::Found => {
                self.begin_records(net);
                self.found(0, net);
            }
            Input::Join(contacts) => {
                self.begin_records(net);
                self.join(contacts, net);
            }
            Input::Resume => self.resume(net),
            Input::Leave => self.leave(net),
            Input::Remember(_) if self.config.is_variant(Variant::MemoryNotRestored) => {}
            Input::Remember(peers) => {
                if let MembershipPhase::Joining(join) = &mut self.phase {
                    join.meet(peers.iter().copied());
                    // Whoever knows peers of an earlier life was a member in it.
                    join.was_member |= !peers.is_empty();
                }
                // If there is no room for all, the first stay.
                for peer in peers.into_iter().rev() {
                    self.remember(peer);
                }
            }
        }
        self.maintain(net);
        if self.neighbours.take_changed() {
            net.emit(Event::NeighboursChanged);
            self.unsettled = true;
        }
        self.settle_records(net);
    }

    fn handle_message(
        &mut self,
        from: Peer,
        message: Message,
        took: Option<Duration>,
        net: &mut impl Network<Node>,
    ) {
        // The process that runs it may ask, for a client.
        let of_host = matches!(&message, Message::Request { id, .. } if id.origin == Origin::HOST);
        if from.id == self.me().id && !of_host {
            return net.emit(Event::Ignored(from, Ignored::Oneself));
        }
        if message.longest_list() > usize::from(limits::SUCCESSORS) {
            return net.emit(Event::Ignored(from, Ignored::Full));
        }
        match message {
            Message::Request { id, request } => self.handle_request(from, id, request, net),
            Message::Reply { id, reply } => {
                if let Some(took) = took {
                    self.requests.measured(took);
                }
                let settled = (id.number, Settled::Reply(from, reply));
                let is_mine = id.origin == Origin::node(self.incarnation())
                    || self.config.is_variant(Variant::EarlierReplyTrusted);
                let open = is_mine && self.settle(settled, net);
                if !open {
                    net.emit(Event::Ignored(from, Ignored::Unasked));
                }
            }
            Message::Notify if self.is_member() => self.notified(from),
            Message::Introduce(peer) if self.is_member() => self.introduced(peer),
            Message::Remember(peers) if self.is_member() => self.inherits(peers),
            // To somebody who has left, or not joined yet: too late or too early, not wrong.
            Message::Notify | Message::Introduce(_) | Message::Remember(_) => {}
            Message::Records(notice) => {
                self.tell_records(records::Input::Notice(from, *notice), net);
            }
        }
    }

    fn handle_timer(&mut self, timer: Timer, net: &mut impl Network<Node>) {
        match timer {
            Timer::Request(number) => {
                self.settle((number, Settled::Late), net);
            }
            Timer::Stabilize => {
                self.armed.stabilize = false;
                if self.is_member() {
                    self.maintenance.age();
                    self.maintenance.stabilization_due();
                    self.probe_remembered(net);
                    self.arm_stabilize(net);
                }
            }
            Timer::Fingers => {
                self.armed.fingers = false;
                if self.is_member() {
                    if !self.config.is_variant(Variant::FingersNeverRefreshed) {
                        self.refresh_finger(net);
                    }
                    self.arm_fingers(net);
                }
            }
            Timer::Repair => {
                self.tell_records(records::Input::RepairDue, net);
                self.tell_records(records::Input::ArmRepair, net);
            }
            Timer::Scrub => {
                self.tell_records(records::Input::ScrubDue, net);
            }
            Timer::Join => {
                self.armed.join = false;
                if let MembershipPhase::Joining(join) = &mut self.phase {
                    join.start_again();
                    self.poll_membership(None, net);
                }
            }
        }
    }

    /// Gives what came in to the operation that waits for it; false if none does. Whether a reply
    /// comes from the peer that was asked is looked at there.
    fn settle(&mut self, settled: (u32, Settled), net: &mut impl Network<Node>) -> bool {
        let Some(waiter) = self.requests.waiter(settled.0) else {
            return false;
        };
        match waiter {
            Waiter::Maintenance => self.poll_maintenance(Some(settled), net),
            Waiter::Membership => self.poll_membership(Some(settled), net),
            Waiter::Query(at) => self.poll_query(at, Some(settled), net),
            Waiter::Records(waiter) => {
                self.tell_records(records::Input::Settled(waiter, settled), net);
            }
        }
        true
    }

    fn hello(&self) -> Hello {
        Hello {
            versions: VERSIONS,
            cluster: Id::of_key(self.config.cluster.as_bytes()),
            successors: self.config.successors,
            replicas: self.config.replicas,
            incarnation: self.incarnation(),
            member: self.is_member(),
        }
    }

    fn arm_stabilize(&mut self, net: &mut impl Network<Node>) {
        if !std::mem::replace(&mut self.armed.stabilize, true) {
            let sooner = self.config.stabilize_every / (1 << self.hurry);
            let period = sooner
                .max(self.config.request_timeout)
                .min(self.config.stabilize_every);
            self.hurry = self.hurry.saturating_sub(1);
            net.set_timer(Timer::Stabilize, jittered(period));
        }
    }

    fn arm_fingers(&mut self, net: &mut impl Network<Node>) {
        if !std::mem::replace(&mut self.armed.fingers, true) {
            net.set_timer(Timer::Fingers, jittered(self.finger_period()));
        }
    }

    /// The time between two refreshes, so that all distinct fingers have their turn in the
    /// configured time.
    fn finger_period(&self) -> Duration {
        let fingers = self.fingers.entries().len().max(1);
        self.config.fix_fingers_every / u32::try_from(fingers).unwrap_or(u32::MAX)
    }
}

/// Nothing that comes in makes it panic; what no correct node would send is dropped and told as
/// [`Event::Ignored`](crate::protocol::Event::Ignored).
impl Protocol for Node {
    const NAME: &'static str = "chord";
    const VERSIONS: Versions = VERSIONS;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Told = Infallible;

    fn new(me: Peer, config: Arc<Config>, incarnation: u32) -> Node {
        Node::new(me, config, incarnation)
    }

    #[inline]
    fn me(&self) -> Peer {
        self.neighbours.me()
    }

    #[inline]
    fn is_member(&self) -> bool {
        matches!(self.phase, MembershipPhase::Member)
    }

    fn handle(&mut self, input: Input, net: &mut impl Network<Node>) {
        self.handle_input(input, net);
    }

    fn remembered(&self) -> Vec<Peer> {
        let neighbours = self.neighbours.successors().iter().copied();
        let neighbours = neighbours.chain([self.neighbours.predecessor()]);
        let mut all: Vec<Peer> = Vec::new();
        for peer in neighbours.chain(self.remembered.peers()) {
            if peer.id != self.me().id && all.iter().all(|other| other.id != peer.id) {
                all.push(peer);
            }
        }
        all
    }

    #[inline]
    fn awaits(&self, number: u32) -> bool {
        self.requests.waiter(number).is_some()
    }

    #[inline]
    fn prefetch(&self) -> u64 {
        u64::from(self.requests.last())
            + u64::from(self.neighbours.room())
            + u64::from(self.maintenance.is_busy())
            + self.fingers.entries().len() as u64
            + self.remembered.peers().len() as u64
            + u64::from(self.is_member())
    }

    #[inline]
    fn prefetch_tables(&self) -> u64 {
        let successors = self.neighbours.successors();
        let fingers = self.fingers.entries();
        u64::from(successors.first().map_or(0, |peer| peer.address.port()))
            + u64::from(successors.last().map_or(0, |peer| peer.address.port()))
            + fingers
                .first()
                .map_or(0, |finger| u64::from(finger.exponent))
            + fingers
                .last()
                .map_or(0, |finger| u64::from(finger.exponent))
            + self.queries.prefetch()
    }
}

/// From half to one and a half of a period: nodes that started together drift apart.
fn jittered(period: Duration) -> Range<Duration> {
    period / 2..period * 3 / 2
}
