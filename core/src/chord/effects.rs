//! The node and its records: it hands them what they need, and does what follows.
//!
//! This is the only place that knows that a node may keep no records: before it first takes part
//! in a ring.

use super::records::{Context, Effect, Input, Records};
use super::{Membership, Node};
use crate::protocol::Network;

impl Node {
    /// Lets the records handle what happened, and does what follows from it. False if there are
    /// none.
    pub(super) fn tell_records<N: Network<Node>>(&mut self, input: Input, net: &mut N) -> bool {
        let membership = self.phase.membership();
        let Some(records) = &mut self.records else {
            return false;
        };
        let mut context = Context {
            neighbours: &self.neighbours,
            remembered: &self.remembered,
            config: &self.config,
            membership,
            requests: &mut self.requests,
            net,
            effects: Vec::new(),
        };
        records.handle(input, &mut context);
        self.unsettled |= records.take_unsettled();
        for effect in context.effects {
            match effect {
                Effect::SeekOwner { access, key } => self.seek_owner(access, key, net),
                Effect::SeekMisplaced(key) => self.seek_misplaced(key, net),
                Effect::SayGoodbye => self.say_goodbye(net),
                Effect::Leave => self.left(net),
                Effect::Stabilize => self.maintenance.stabilization_due(),
                Effect::LeaveWhenIdle => self.leave_when_idle(net),
            }
        }
        true
    }

    /// The node begins to take part in a ring.
    pub(super) fn begin_records(&mut self, net: &mut impl Network<Node>) {
        if self.records.is_none() && self.membership() == Membership::Outside {
            let records = Records::restored(self.me().id, net);
            self.records = Some(Box::new(records));
        }
    }

    /// A ring of one, or an experiment's complete ring: the node serves what it owns.
    pub(super) fn serve_own(&mut self, net: &mut impl Network<Node>) {
        let me = self.me().id;
        self.records
            .get_or_insert_with(|| Box::new(Records::new(me, 0)));
        self.tell_records(Input::ServeOwn, net);
    }

    /// Does what follows when neighbours or ownership are not what they were.
    #[inline]
    pub(super) fn settle_records(&mut self, net: &mut impl Network<Node>) {
        // What follows from one thing may lead to another, but not for ever.
        for _ in 0..super::limits::SETTLINGS {
            if !std::mem::take(&mut self.unsettled) {
                return;
            }
            self.tell_records(Input::Settle, net);
        }
    }

    /// Whether it keeps records of which this is true.
    pub(super) fn keeps(&self, is_so: impl FnOnce(&Records) -> bool) -> bool {
        self.records.as_deref().is_some_and(is_so)
    }
}
