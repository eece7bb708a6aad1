//! Records: who serves which keys, on which nodes they are, and how they get there.
//!
//! ```text
//!   mod.rs        the state, and which reply goes to whom
//!   ├ ownership.rs which arc a node serves, and which it should
//!   ├ accesses.rs what its clients read and write, anywhere
//!   ├ answers.rs  what it does for others
//!   ├ writes.rs   as an owner: to all holders, then acknowledge
//!   ├ moves.rs    arcs change hands: claimed, handed over, taken over from the dead
//!   ├ repair.rs   owner and holders compare what they have
//!   ├ misplaced.rs copies that should be elsewhere; deletions whose time is over
//!   └ departure.rs a leaving node hands over first
//! ```
//!
//! # What makes an acknowledged write safe
//!
//! It is acknowledged when the owner and the next k−1 nodes of other processes have it on disk.
//! A node answers for a key only within its *ownership*, which begins with the ring's founding, with
//! a numbered hand-over from the one who served it before, or, when that one is dead, after
//! everything was fetched that any of the successors has. A former owner that does not know yet
//! that it is one gets no write to all holders: its successor is one of them, serves the key
//! itself, and refuses. Copies are dropped only when the owner says that k others hold them.
//!
//! Nothing here writes the neighbours or decides who is alive; the ring goes on without records
//! as it does with them. A node that stores nothing sends nothing but a claim when it joins.

mod accesses;
mod answers;
mod departure;
mod misplaced;
mod moves;
mod ownership;
mod repair;
mod writes;

use super::ask::{ABOUT_RECORDS, Settled};
use super::message::{Message, Reply};
use super::op::{Access, Acquire, HandOver, Misplaced};
use super::record_message::{RecordReply, Stamped};
use super::{Membership, Node, Pause, limits};
use crate::chord::Event;
use crate::protocol::Network;
use crate::protocol::RequestId;
use crate::record::{Stamp, StampClock};
use crate::ring::{Arc, Id, Peer};
use crate::store::{Notes, Store};
use departure::Departure;
use ownership::Ownership;
use repair::{Assignment, Repair};
use writes::OpenWrite;

/// A node's part in keeping records.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Records {
    clock: StampClock,
    next_request: u32,
    ownership: Option<Ownership>,
    /// The highest number of any ownership that this node has heard of.
    number: u64,
    /// What was handed over last, to know it when it is said again.
    taken: Option<(Arc, u64)>,
    accesses: Vec<Access>,
    writes: Vec<OpenWrite>,
    /// What is rarely under way is boxed: a world has a million of these.
    acquire: Option<Box<Acquire>>,
    hand_over: Option<Box<HandOver>>,
    repair: Repair,
    assignments: Vec<Assignment>,
    misplaced: Option<Box<Misplaced>>,
    /// Where to look for misplaced records next.
    next_misplaced: Id,
    /// Where to look next for deletions whose time is over.
    next_sweep: Option<Id>,
    /// It was away for so long that it may have missed deletions that nobody remembers.
    stale: bool,
    departure: Departure,
    /// Until what failed is tried again.
    again: Option<Pause>,
    /// Whether the repair timer is under way.
    armed: bool,
}

/// The means of asking about records.
macro_rules! asking {
    ($node:expr, $keeping:expr, $net:expr, $settled:expr) => {
        $crate::chord::Ask::new(
            $net,
            $node.incarnation,
            &mut $keeping.next_request,
            $node.round_trips.timeout(&$node.config),
            $settled,
        )
        .stamped($keeping.clock.latest())
    };
}
use asking;

/// Who is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asker {
    /// Another node, under this id.
    Node(Peer, RequestId),
    /// The client's operation here with this token.
    Client(u64),
}

impl Records {
    fn new(me: Id, mark: u64) -> Records {
        Records {
            clock: StampClock::restored(me, mark),
            next_request: ABOUT_RECORDS,
            ownership: None,
            number: 0,
            taken: None,
            accesses: Vec::new(),
            writes: Vec::new(),
            acquire: None,
            hand_over: None,
            repair: Repair::default(),
            assignments: Vec::new(),
            misplaced: None,
            next_misplaced: me,
            next_sweep: None,
            stale: false,
            departure: Departure::Staying,
            again: None,
            armed: false,
        }
    }

    /// Whether this node answers for the key, and under which number.
    fn serves(&self, me: Id, key: Id) -> Option<u64> {
        let ownership = self.ownership?;
        ownership.arc(me).contains(key).then_some(ownership.number)
    }

    /// Numbers grow by one with each move of an arc: one far ahead of all others is made up, and
    /// would leave no room for later ones.
    fn heard_number(&mut self, number: u64) {
        if self.is_likely(number) {
            self.number = self.number.max(number);
        }
    }

    const fn is_likely(&self, number: u64) -> bool {
        number <= self.number.saturating_add(limits::NUMBERS_AHEAD)
    }

    /// A number above all that are known.
    fn next_number(&mut self) -> u64 {
        self.number = self.number.saturating_add(1);
        self.number
    }

    fn awaits(&self, me: Peer, number: u32) -> Option<(Waiting, Peer)> {
        let access = self.accesses.iter().enumerate().find_map(|(at, access)| {
            let to = access.awaits(number)?;
            Some((Waiting::Access(at), to))
        });
        let write = || {
            let mut writes = self.writes.iter().enumerate();
            writes.find_map(|(at, write)| Some((Waiting::Write(at), write.awaits(number)?)))
        };
        let waits = |to: Option<Peer>, waiting| to.map(|to| (waiting, to));
        let acquire = self.acquire.as_ref();
        let hand_over = self.hand_over.as_ref();
        let misplaced = self.misplaced.as_ref();
        let again = self.again.as_ref().filter(|pause| pause.awaits(number));
        access
            .or_else(write)
            .or_else(|| waits(acquire?.awaits(number), Waiting::Acquire))
            .or_else(|| waits(hand_over?.awaits(number), Waiting::HandOver))
            .or_else(|| waits(self.repair.awaits(number), Waiting::Repair))
            .or_else(|| waits(misplaced?.awaits(number), Waiting::Misplaced))
            .or_else(|| waits(again.map(|_| me), Waiting::Again))
            .or_else(|| {
                waits(
                    self.departure.awaits(number).then_some(me),
                    Waiting::Departure,
                )
            })
    }
}

/// What waits for a reply.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    Access(usize),
    Write(usize),
    Acquire,
    HandOver,
    Repair,
    Misplaced,
    Again,
    Departure,
}

impl Node {
    /// The node begins to take part in a ring.
    pub(super) fn begin_records(&mut self, net: &mut impl Network<Node>) {
        if self.records.is_some() || self.standing() != Membership::Outside {
            return;
        }
        let notes = net.store().notes();
        let lifetime = u64::try_from(self.config.tombstones_for.as_millis()).unwrap_or(u64::MAX);
        let away = net.wall_clock().saturating_sub(notes.alive);
        let mut keeping = Records::new(self.me().id, notes.mark);
        keeping.stale = notes.alive != 0 && away > lifetime;
        self.records = Some(Box::new(keeping));
    }

    /// It joins a ring that went on without it. (Who founds one has nobody to be behind of.) What
    /// it has kept for too long may have been deleted there, and that forgotten.
    pub(super) fn set_stale_aside(&mut self, net: &mut impl Network<Node>) {
        let keeping = self.records.as_mut();
        let stale = keeping.is_some_and(|keeping| std::mem::take(&mut keeping.stale));
        if stale && !net.store().is_empty() {
            net.store().set_aside();
            net.emit(Event::SetAside);
        }
    }

    /// The node has left. Replies and timers that are still under way find nothing.
    pub(super) fn end_records(&mut self) {
        let me = self.me().id;
        if let Some(keeping) = &mut self.records {
            let anew = Records::new(me, 0);
            let old = std::mem::replace(&mut **keeping, anew);
            keeping.clock = old.clock;
            keeping.next_request = old.next_request;
            keeping.armed = old.armed;
            keeping.number = old.number;
        }
    }

    /// A ring of one, or an experiment's complete ring: the node serves what it owns.
    pub(super) fn serve_own(&mut self) {
        let me = self.me().id;
        let (start, holders) = (self.neighbours.predecessor().id, self.holders());
        let keeping = self
            .records
            .get_or_insert_with(|| Box::new(Records::new(me, 0)));
        let number = keeping.next_number();
        keeping.ownership = Some(Ownership { start, number });
        keeping.repair.begin(me, holders);
    }

    /// The node is no member any more, or anew: others may serve what it served.
    pub(super) fn serve_nothing(&mut self, net: &mut impl Network<Node>) {
        let Some(keeping) = &mut self.records else {
            return;
        };
        keeping.ownership = None;
        keeping.taken = None;
        keeping.acquire = None;
        keeping.hand_over = None;
        keeping.repair = Repair::default();
        keeping.misplaced = None;
        let writes = std::mem::take(&mut keeping.writes);
        for write in writes {
            self.fail_write(write.asker, net);
        }
    }

    /// Whether the reply to this request about records is waited for.
    pub(super) fn records_await(&self, number: u32) -> bool {
        let keeping = self.records.as_ref();
        keeping.is_some_and(|keeping| keeping.awaits(self.me(), number).is_some())
    }

    /// Gives what came in to what waits for it; false if nothing does.
    pub(super) fn settle_records(
        &mut self,
        from: Option<Peer>,
        settled: (u32, Settled),
        net: &mut impl Network<Node>,
    ) -> bool {
        let me = self.me();
        let Some(keeping) = &mut self.records else {
            return false;
        };
        let Some((waiting, to)) = keeping.awaits(me, settled.0) else {
            return false;
        };
        if from.is_some_and(|from| from.id != to.id) {
            return false;
        }
        if let Settled::Reply(Reply::Records(reply)) = &settled.1 {
            self.heard_clock(reply.clock, net);
        }
        match waiting {
            Waiting::Access(at) => self.poll_access(at, settled, net),
            Waiting::Write(at) => self.poll_write(at, Some(settled), net),
            Waiting::Acquire => self.poll_acquire(Some(settled), net),
            Waiting::HandOver => self.poll_hand_over(Some(settled), net),
            Waiting::Repair => self.poll_repair(Some(settled), net),
            Waiting::Misplaced => self.poll_misplaced(Some(settled), net),
            Waiting::Again => {
                if let Some(keeping) = &mut self.records {
                    keeping.again = None;
                }
                self.unsettled = true;
            }
            Waiting::Departure => self.poll_departure(Some(settled), net),
        }
        true
    }

    /// Takes in the clock that came with a message. One that is too far ahead is left alone:
    /// nobody else's writes shall fail for it.
    pub(super) fn heard_clock(&mut self, clock: Stamp, net: &mut impl Network<Node>) {
        if let Some(keeping) = &mut self.records {
            let _ = keeping.clock.heard(clock, net.wall_clock());
        }
    }

    /// Tries again after a while what could not be done now.
    fn try_again(&mut self, net: &mut impl Network<Node>) {
        let Some(keeping) = &mut self.records else {
            return;
        };
        if keeping.again.is_none() {
            let mut pause = Pause::default();
            let mut ask = asking!(self, keeping, net, None);
            let time = ask.timeout();
            let _ = pause.poll(&mut ask, time);
            keeping.again = Some(pause);
        }
    }

    /// Puts what must survive a restart beside what is stored.
    fn note(&mut self, net: &mut impl Network<Node>, change: impl FnOnce(&mut Notes)) {
        let mut notes = net.store().notes();
        change(&mut notes);
        net.store().note(notes);
    }

    /// Sends a reply about records.
    fn reply(&mut self, to: Peer, id: RequestId, body: RecordReply, net: &mut impl Network<Node>) {
        let keeping = self.records.as_ref();
        let clock = keeping.map_or(Stamp::ZERO, |keeping| keeping.clock.latest());
        let reply = Reply::Records(Box::new(Stamped { clock, body }));
        net.send(to, Message::Reply { id, reply });
    }

    /// The next nodes of other processes, as far as the successor list goes: those that share an
    /// address with a nearer one, or with this node, would be lost together with it.
    fn other_processes(&self) -> Vec<Peer> {
        let mut others: Vec<Peer> = Vec::new();
        for peer in self.neighbours.successors().iter() {
            let same = |other: &Peer| other.address == peer.address;
            if !same(&self.me()) && !others.iter().any(same) {
                others.push(*peer);
            }
        }
        others
    }

    /// The other nodes that should hold what this one serves.
    fn holders(&self) -> Vec<Peer> {
        let mut holders = self.other_processes();
        holders.truncate(usize::from(self.config.replicas) - 1);
        holders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_little_room_where_nothing_is_stored() {
        assert!(size_of::<Records>() <= 800, "{}", size_of::<Records>());
    }
}
