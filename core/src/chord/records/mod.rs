//! Records: who serves which keys, on which nodes they are, and how they get there.
//!
//! ```text
//!   mod.rs          the state; what comes in (Input), what follows for the node (Effect)
//!   ├ context.rs    what of the node and its world records are given with each input
//!   ├ ownership.rs  which arc a node serves, and which it should
//!   ├ accesses.rs   what its clients read and write, anywhere
//!   ├ answers.rs    what it does for others
//!   ├ writes.rs     as an owner: to all holders, then acknowledge
//!   ├ moves.rs      arcs change hands: claimed, handed over, taken over from the dead
//!   ├ repair.rs     owner and holders compare what they have
//!   ├ misplaced.rs  copies that should be elsewhere
//!   ├ expiry.rs     deletions whose time is over
//!   ├ scrub.rs      all is read now and then, to see whether it has rotted
//!   ├ departure.rs  a leaving node hands over first
//!   ├ leavers.rs    who is leaving is no holder
//!   ├ clocks.rs     what time it is, as far as others agree
//!   ├ away.rs       who was away may have what all others have deleted and forgotten
//!   └ doubt.rs      what nobody knows yet after the whole ring has stopped
//! ```
//!
//! # What makes an acknowledged write safe
//!
//! It is acknowledged when the owner and the next k−1 nodes of other processes have it on disk.
//! A node answers for a key only within its *ownership*, which begins with the ring's founding,
//! with a numbered hand-over from the one who served it before, or, when that one is dead, after
//! everything was fetched that any of the successors has. A former owner that does not know yet
//! that it is one gets no write to all holders: its successor is one of them, serves the key
//! itself, and refuses. Copies are dropped only when the owner says that k others hold them.
//!
//! Nothing here writes the neighbours, looks a key up or decides who is alive: the node does, and
//! records say by an [`Effect`] what they need of it. The ring goes on without records as it does
//! with them. A node that stores nothing sends nothing but a claim when it joins.

mod accesses;
mod answers;
mod away;
mod clocks;
mod context;
mod departure;
mod doubt;
mod expiry;
mod leavers;
mod misplaced;
mod moves;
mod ownership;
mod repair;
mod scrub;
mod writes;

use super::ask::{Pause, Settled};
use super::message::Reply;
use super::op::{Access, Acquire, HandOver, Misplaced, Outcome};
use super::record_message::{Held, RecordNotice, RecordRequest, Stamped};
use super::slots::Slots;
use super::{Node, limits};
use crate::chord::open_requests::RecordsWaiter;
use crate::chord::variant::Variant;
use crate::protocol::{Network, RequestId, Write};
use crate::record::{Stamp, StampClock};
use crate::ring::{Id, KeyRange, Peer};
use crate::store::Store;
use away::Presence;
pub(super) use context::Context;
use departure::Departure;
use doubt::Doubt;
use leavers::Leavers;
use ownership::Ownership;
use repair::{Assignment, Repair};
use scrub::Scrub;
use writes::OpenWrite;

/// A node's part in keeping records.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Records {
    clock: StampClock,
    /// By how many milliseconds this machine's clock was wrong when that was last looked at.
    clock_wrong_by: Option<i64>,
    ownership: Option<Ownership>,
    /// The latest epoch of any ownership that this node has heard of.
    epoch: u64,
    /// The last arc taken over, and its epoch, to recognize a request that is sent again.
    taken: Option<(KeyRange, u64)>,
    accesses: Slots<Access>,
    writes: Slots<OpenWrite>,
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
    scrub: Scrub,
    /// When it was there, and since when it may have missed deletions that nobody remembers.
    presence: Presence,
    departure: Departure,
    doubt: Doubt,
    /// The predecessor that means to leave, for which this node stays.
    stays_for: Option<Id>,
    /// Successors that have said that they are leaving: they are no holders.
    leavers: Leavers,
    /// Until what failed is tried again.
    again: Option<Pause>,
    /// Whether the repair timer is under way.
    armed: bool,
    /// What the node serves may differ from what it should serve.
    unsettled: bool,
}

/// What can happen to records.
#[derive(Debug)]
pub(super) enum Input {
    /// The node joins a ring that went on without it.
    Joining,
    /// The node has become a member.
    Joined,
    /// The node is alone, or part of a complete ring that an experiment began with: it serves what
    /// it owns.
    ServeOwn,
    /// The node has founded a ring among others, of which the last that stored anything noted at
    /// this time, in milliseconds since 1970, that it was running.
    Founded(u64),
    /// Nobody answers the node any more, which goes on alone.
    WentOnAlone,
    /// The neighbours or the ownership changed: what follows from that is to be done.
    Settle,
    /// Another node asks.
    Request(Peer, RequestId, Stamped<RecordRequest>),
    /// Another node says something that it wants no answer to.
    Notice(Peer, Stamped<RecordNotice>),
    /// This came in for the request of the number beside it, for this one that waits for it.
    Settled(RecordsWaiter, (u32, Settled)),
    /// A client writes.
    Write { token: u64, key: Id, write: Write },
    /// A client reads.
    Read { token: u64, key: Id, past: Stamp },
    /// The look-up of [`Effect::SeekOwner`] has ended.
    OwnerSought(ClientAccess, Outcome),
    /// The look-up of [`Effect::SeekMisplaced`] has ended.
    MisplacedSought(Id, Outcome),
    /// The repair timer is due.
    RepairDue,
    /// The timer for reading on is due.
    ScrubDue,
    /// Make sure that the repair timer runs, if there is anything to repair.
    ArmRepair,
    /// The node's successors are silent: others may serve what it served.
    Stranded,
    /// The node is told to leave: hand over first.
    Leave,
    /// The node has left, or stops.
    Left,
}

/// What the node does because of what happened to its records. It does so after the input is
/// handled; the records do not wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Look up who owns the key of this operation of a client's.
    SeekOwner { access: ClientAccess, key: Id },
    /// Look up who owns a record that this node should not hold, or will not.
    SeekMisplaced(Id),
    /// Nothing is left to hand over: say good-bye to the neighbours.
    SayGoodbye,
    /// What may have kept the node from leaving has ended.
    LeaveWhenIdle,
    /// There is no ring to leave: go.
    Leave,
    /// The successor may be dead: find out.
    Stabilize,
}

/// Who is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asker {
    /// Another node, under this id.
    Node(Peer, RequestId),
    /// This operation of a client's, here.
    Client(ClientAccess),
}

/// An operation of a client's here: its place, and its token, which tells it apart from a later one
/// in the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ClientAccess {
    at: u16,
    token: u64,
}

impl Records {
    /// Those of a node that has issued no stamp above this mark.
    pub(super) fn new(me: Id, mark: u64) -> Records {
        Records {
            clock: StampClock::restored(me, mark),
            clock_wrong_by: None,
            ownership: None,
            epoch: 0,
            taken: None,
            accesses: Slots::default(),
            writes: Slots::default(),
            acquire: None,
            hand_over: None,
            repair: Repair::default(),
            assignments: Vec::new(),
            misplaced: None,
            next_misplaced: me,
            next_sweep: None,
            scrub: Scrub::after(me),
            presence: Presence::default(),
            departure: Departure::Staying,
            doubt: Doubt::default(),
            stays_for: None,
            leavers: Leavers::default(),
            again: None,
            armed: false,
            unsettled: false,
        }
    }

    /// Those of a node that has just been started, with what its store says of its last life.
    pub(super) fn restored<N: Network<Node>>(me: Id, net: &mut N) -> Records {
        let notes = net.store().notes();
        let mut records = Records::new(me, notes.mark);
        records.clock.forget(notes.forgotten);
        records.presence = Presence::since(notes.alive);
        records.scrub = Scrub::after(notes.scrubbed.unwrap_or(me));
        let at = notes.alive;
        let before = notes.held.map(|start| Held { start, at });
        records.doubt = Doubt::of(before, at != 0);
        records
    }

    /// Handles one input to its end; what follows for the node is in the context's effects.
    pub(super) fn handle<N: Network<Node>>(&mut self, input: Input, ctx: &mut Context<'_, N>) {
        match input {
            Input::Joining => self.joins(ctx),
            Input::Joined => {
                self.unsettled = true;
                self.arm_repair(ctx);
            }
            Input::ServeOwn => self.serve_own(ctx),
            Input::Founded(running) => self.founded_again(running, ctx),
            Input::WentOnAlone => self.went_on_alone(ctx),
            Input::Settle => self.settle_ownership(ctx),
            Input::Request(from, id, request) => self.requested(from, id, request, ctx),
            Input::Notice(from, notice) => self.noticed(from, notice, ctx),
            Input::Settled(waiter, settled) => self.settled(waiter, settled, ctx),
            Input::Write { token, key, write } => self.write(token, key, write, ctx),
            Input::Read { token, key, past } => self.read(token, key, past, ctx),
            Input::OwnerSought(access, outcome) => self.access_sought(access, &outcome, ctx),
            Input::MisplacedSought(first, outcome) => self.misplaced_sought(first, &outcome, ctx),
            Input::RepairDue => self.repair_due(ctx),
            Input::ScrubDue => self.scrub_due(ctx),
            Input::ArmRepair => self.arm_repair(ctx),
            Input::Stranded => {
                self.remember_held(ctx);
                self.serve_nothing(ctx);
                self.leaver_stranded(ctx);
            }
            Input::Leave => self.begin_departure(ctx),
            Input::Left => self.left(ctx),
        }
    }

    // ---- what the node asks ----

    /// Whether [`Input::Settle`] has become due. The node remembers it, who looks after each input,
    /// and would have to fetch all this for it.
    pub(super) fn take_unsettled(&mut self) -> bool {
        std::mem::take(&mut self.unsettled)
    }

    /// Whether they keep a node from leaving: a client still waits for its operation, or records
    /// that others can take are not elsewhere yet.
    pub(super) const fn hold_back(&self) -> bool {
        !self.accesses.is_empty() || !self.departure.is_over()
    }

    // ---- what its parts share ----

    /// Whether this node answers for the key, and since which epoch.
    fn serves(&self, me: Id, key: Id) -> Option<u64> {
        let ownership = self.ownership?;
        ownership.arc(me).contains(key).then_some(ownership.epoch)
    }

    /// The same for a client's write.
    fn serves_write<N>(&self, key: Id, ctx: &Context<'_, N>) -> Option<u64> {
        if ctx.config.is_variant(Variant::NeighboursDecide) {
            return ctx.neighbours.own().contains(key).then_some(self.epoch);
        }
        self.serves(ctx.neighbours.me().id, key)
    }

    /// Epochs grow by one with each move of an arc: one far ahead of all others is made up, and
    /// would leave no room for later ones.
    fn heard_epoch(&mut self, epoch: u64) {
        if self.is_likely(epoch) {
            self.epoch = self.epoch.max(epoch);
        }
    }

    const fn is_likely(&self, epoch: u64) -> bool {
        epoch <= self.epoch.saturating_add(limits::EPOCHS_AHEAD)
    }

    /// An epoch after all that are known.
    const fn next_epoch(&mut self) -> u64 {
        self.epoch = self.epoch.saturating_add(1);
        self.epoch
    }

    /// Tries again after a while what could not be done now.
    fn try_again<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        if self.again.is_none() {
            self.again = Some(Pause::default());
            self.poll_again(None, ctx);
        }
    }

    fn poll_again<N: Network<Node>>(
        &mut self,
        settled: Option<(u32, Settled)>,
        ctx: &mut Context<'_, N>,
    ) {
        let mut ask = ctx.ask(RecordsWaiter::Again, &mut self.clock, settled);
        let time = ask.timeout();
        let over = |again: &mut Pause| again.poll(&mut ask, time).is_ready();
        if self.again.take_if(over).is_some() {
            self.unsettled = true;
        }
    }

    // ---- the node comes and goes ----

    fn serve_own<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let start = ctx.neighbours.predecessor().id;
        let epoch = self.next_epoch();
        self.ownership = Some(Ownership { start, epoch });
        let holders = self.holders(ctx);
        self.repair.begin(holders, ctx);
    }

    /// The node is no member any more, or anew: others may serve what it served.
    fn serve_nothing<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.ownership = None;
        self.taken = None;
        self.acquire = None;
        self.hand_over = None;
        self.repair = Repair::default();
        self.misplaced = None;
        let all = KeyRange::new(ctx.me().id, ctx.me().id);
        self.doubts_let_go(all);
        ctx.forget(|waiter| {
            matches!(
                waiter,
                RecordsWaiter::Acquire
                    | RecordsWaiter::HandOver
                    | RecordsWaiter::Repair
                    | RecordsWaiter::Misplaced
            )
        });
        self.fail_writes(|_| true, ctx);
    }

    /// Replies and timers that are still under way find nothing.
    fn left<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.stop_accesses(ctx);
        let anew = Records::new(ctx.me().id, 0);
        let old = std::mem::replace(self, anew);
        ctx.forget(|_| true);
        (self.clock, self.clock_wrong_by) = (old.clock, old.clock_wrong_by);
        self.armed = old.armed;
        self.scrub = old.scrub;
        self.epoch = old.epoch;
    }

    // ---- replies ----

    /// Gives what came in to what waits for it.
    fn settled<N: Network<Node>>(
        &mut self,
        waiter: RecordsWaiter,
        settled: (u32, Settled),
        ctx: &mut Context<'_, N>,
    ) {
        if let Settled::Reply(_, Reply::Records(stamped)) = &settled.1 {
            self.hears_forgotten(stamped.forgotten, ctx);
        }
        let settled = Some(settled);
        self.settle_waiter(waiter, settled, ctx);
        // Replies bring clocks, too, and with them the first stamp that this node hears.
        self.tell_of_clock(ctx);
        if self.knows_of_records() {
            self.arm_repair(ctx);
        }
    }

    fn settle_waiter<N: Network<Node>>(
        &mut self,
        waiter: RecordsWaiter,
        settled: Option<(u32, Settled)>,
        ctx: &mut Context<'_, N>,
    ) {
        match waiter {
            RecordsWaiter::Access(at) => self.poll_access(at, settled, ctx),
            RecordsWaiter::Write(at) => self.poll_write(at, settled, ctx),
            RecordsWaiter::Acquire => self.poll_acquire(settled, ctx),
            RecordsWaiter::HandOver => self.poll_hand_over(settled, ctx),
            RecordsWaiter::Repair => self.poll_repair(settled, ctx),
            RecordsWaiter::Misplaced => self.poll_misplaced(settled, ctx),
            RecordsWaiter::Again => self.poll_again(settled, ctx),
            RecordsWaiter::Departure => self.poll_departure(settled, ctx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chord::record_message::{Claimed, RecordReply};
    use crate::ring::test_peers::peer;

    #[test]
    fn who_waits_for_what_lies_before_its_own_arc_does_not_say_that_nobody_serves_that() {
        let (claimer, me) = (peer(10), peer(40).id);
        let arc = KeyRange::new(peer(90).id, claimer.id);
        let mut records = Records::new(me, 0);
        let mut says = |start: u8, acquire: Option<Acquire>| {
            let start = peer(start).id;
            records.ownership = Some(Ownership { start, epoch: 1 });
            records.acquire = acquire.map(Box::new);
            match records.claimed(arc, me, claimer.id) {
                RecordReply::Claimed { by, .. } => by,
                other => panic!("{other:?}"),
            }
        };
        // Its arc was handed to it by 50, who had given what lies before it to 20.
        let gap = KeyRange::new(claimer.id, peer(20).id);
        let waits = Acquire::new(gap, vec![peer(50)], 2);
        assert_eq!(says(20, Some(waits)), Claimed::Unknown);
        // It knows that 20 is dead, or that nobody else is before it.
        assert_eq!(
            says(20, Some(Acquire::new(gap, vec![], 2))),
            Claimed::Elsewhere
        );
        assert_eq!(says(10, None), Claimed::Elsewhere);
        assert_eq!(says(90, None), Claimed::Here);
    }

    #[test]
    fn they_take_little_room_where_nothing_is_stored() {
        assert!(size_of::<Records>() <= 832, "{}", size_of::<Records>());
    }
}
