//! What time it is, as far as others agree.
//!
//! Everything that is said of records carries two clocks of its sender: the highest stamp that it
//! knows, which this node's stamps come after, and what its wall clock shows. Where this machine's is
//! far from those of others, this node issues no stamps, judges by the time that others agree on,
//! and asks them now and then, so that it notices when its clock is set right. It never decides by
//! the time who is alive.

use super::{Context, Records};
use crate::chord::message::Message;
use crate::chord::record_message::{RecordNotice, Stamped};
use crate::chord::variant::Variant;
use crate::chord::{Event, Node};
use crate::protocol::{Denied, Network};
use crate::record::Stamp;
use crate::ring::Peer;

/// As many others are asked what their clocks show.
const ASKED: usize = 3;

impl Records {
    /// What time it is, in milliseconds since 1970: by this machine's clock, or by those of others
    /// where it is far from them.
    pub(super) fn now<N: Network<Node>>(&self, ctx: &Context<'_, N>) -> u64 {
        let wall_clock = ctx.net.wall_clock();
        match ctx.config.is_variant(Variant::WrongClockTrusted) {
            true => wall_clock,
            false => self.clock.right(wall_clock),
        }
    }

    /// By how many milliseconds this machine's clock is ahead of others, or behind them, if it is
    /// far from them.
    pub(in crate::chord) const fn clock_wrong_by(&self) -> Option<i64> {
        self.clock_wrong_by
    }

    /// Takes in the clocks that came with a message. A stamp that is too far ahead is left alone, so
    /// that one fast clock can't block others' writes.
    pub(super) fn heard_clocks<N: Network<Node>>(
        &mut self,
        from: Peer,
        stamp: Stamp,
        theirs: u64,
        ctx: &mut Context<'_, N>,
    ) {
        if ctx.config.is_variant(Variant::ClocksNotHeard) {
            return;
        }
        let mine = ctx.net.wall_clock();
        self.clock.compare(from.address, theirs, mine);
        // By its own clock, also where others say that it is wrong: a stamp that is followed stays, and
        // these may be the wrong ones.
        let _ = self.clock.heard(stamp, mine);
        self.tell_of_clock(ctx);
    }

    /// Tells when this machine's clock turns out to be wrong, or is right again.
    pub(super) fn tell_of_clock<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let wrong_by = self.clock.wrong_by(ctx.net.wall_clock());
        let told = std::mem::replace(&mut self.clock_wrong_by, wrong_by);
        if wrong_by.is_some() != told.is_some() {
            ctx.net.emit(Event::ClockWrong(wrong_by));
        }
    }

    /// Refuses to stamp a write by a clock that is wrong, and asks whether it still is: in a ring
    /// where nothing is said of records nobody else would.
    pub(super) fn may_stamp<N: Network<Node>>(
        &mut self,
        ctx: &mut Context<'_, N>,
    ) -> Result<(), Denied> {
        match self.clock.wrong_by(ctx.net.wall_clock()) {
            Some(by) if !ctx.config.is_variant(Variant::WrongClockTrusted) => {
                self.ask_clocks(ctx);
                Err(Denied::ClockWrong(by))
            }
            _ => Ok(()),
        }
    }

    /// Asks others what their clocks show, if this machine's is wrong as far as is known.
    pub(super) fn ask_clocks<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        if self.clock.wrong_by(ctx.net.wall_clock()).is_none() {
            return;
        }
        let mut others = ctx.other_processes();
        let predecessor = ctx.neighbours.predecessor();
        if predecessor.address != ctx.me().address {
            others.insert(0, predecessor);
        }
        others.dedup_by_key(|other| other.address);
        for other in others.into_iter().take(ASKED) {
            self.tell_clock(other, RecordNotice::AskClock, ctx);
        }
    }

    /// Says something to another, only that it may see the clocks that come with it.
    pub(super) fn tell_clock<N: Network<Node>>(
        &self,
        to: Peer,
        body: RecordNotice,
        ctx: &mut Context<'_, N>,
    ) {
        let notice = Stamped::by(&self.clock, ctx.net.wall_clock(), body);
        ctx.net.send(to, Message::Records(Box::new(notice)));
    }
}
