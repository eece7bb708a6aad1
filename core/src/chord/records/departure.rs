//! A leaving node hands over first.

use std::collections::BTreeMap;
use std::task::Poll;

use super::asking;
use crate::chord::Node;
use crate::chord::ask::{Pause, Settled};
use crate::protocol::Network;
use crate::record::{Digest, Entry};
use crate::ring::Id;
use crate::store::Store;

/// How far a node is with leaving.
///
/// 1. It hands what it serves over to its successor, still a member of the ring.
/// 2. It says good-bye to its neighbours, so that others become holders in its place.
/// 3. It asks for each record that it has whether enough others hold it by now, and brings it to
///    its owner if not.
/// 4. It goes when that is so for all, or when the time for it is over. Nothing is taken off its
///    disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Departure {
    Staying,
    HandingOver(Pause),
    Giving {
        pause: Pause,
        /// Until misplaced records are looked for again.
        again: Option<Pause>,
        /// What others hold by now.
        safe: BTreeMap<Id, Digest>,
    },
    Over,
}

impl Departure {
    pub(super) fn awaits(&self, number: u32) -> bool {
        match self {
            Departure::Staying | Departure::Over => false,
            Departure::HandingOver(pause) => pause.awaits(number),
            Departure::Giving { pause, again, .. } => {
                pause.awaits(number) || again.as_ref().is_some_and(|again| again.awaits(number))
            }
        }
    }

    pub(super) fn is_safe(&self, entry: Entry) -> bool {
        match self {
            Departure::Giving { safe, .. } => safe.get(&entry.key) == Some(&entry.digest),
            _ => false,
        }
    }

    pub(super) fn is_safe_now(&mut self, entry: Entry) {
        if let Departure::Giving { safe, .. } = self {
            safe.insert(entry.key, entry.digest);
        }
    }
}

impl Node {
    /// Whether the node means to stay in the ring.
    pub(in crate::chord) fn is_staying(&self) -> bool {
        let keeping = self.records.as_ref();
        keeping.is_none_or(|keeping| keeping.departure == Departure::Staying)
    }

    /// Begins to hand over. False if there is nothing to hand over, or nobody to take it.
    pub(in crate::chord) fn begin_departure(&mut self, net: &mut impl Network<Node>) -> bool {
        let (me, successor) = (self.me(), self.neighbours.successor());
        let within = self.config.hand_over_within;
        let Some(keeping) = &mut self.records else {
            return false;
        };
        if net.store().is_empty() || successor == me {
            return false;
        }
        let mut pause = Pause::default();
        let mut ask = asking!(self, keeping, net, None);
        let _ = pause.poll(&mut ask, within);
        keeping.departure = Departure::HandingOver(pause);
        keeping.acquire = None;
        keeping.hand_over = None;
        keeping.again = None;
        match keeping.ownership {
            Some(ownership) => self.hand_over(ownership.arc(me.id), successor, net),
            None => self.handed_over(net),
        }
        true
    }

    /// What was served is served by another now.
    pub(super) fn handed_over(&mut self, net: &mut impl Network<Node>) {
        let Some(keeping) = &mut self.records else {
            return;
        };
        let Departure::HandingOver(pause) = &mut keeping.departure else {
            return;
        };
        keeping.departure = Departure::Giving {
            pause: std::mem::take(pause),
            again: None,
            safe: BTreeMap::new(),
        };
        keeping.repair = super::Repair::default();
        keeping.assignments.clear();
        keeping.misplaced = None;
        self.say_goodbye(net);
        self.look_for_misplaced(net);
    }

    pub(super) fn poll_departure(
        &mut self,
        settled: Option<(u32, Settled)>,
        net: &mut impl Network<Node>,
    ) {
        let within = self.config.hand_over_within;
        let Some(keeping) = &mut self.records else {
            return;
        };
        let mut ask = asking!(self, keeping, net, settled);
        match &mut keeping.departure {
            Departure::Staying | Departure::Over => {}
            Departure::HandingOver(pause) => {
                if let Poll::Ready(()) = pause.poll(&mut ask, within) {
                    keeping.departure = Departure::Over;
                    self.serve_nothing(net);
                    self.say_goodbye(net);
                }
            }
            Departure::Giving { pause, again, .. } => {
                let over = pause.poll(&mut ask, within).is_ready();
                let now = again
                    .as_mut()
                    .is_some_and(|again| again.poll(&mut ask, within).is_ready());
                if over {
                    keeping.departure = Departure::Over;
                    self.leave_when_idle(net);
                } else if now {
                    *again = None;
                    self.look_for_misplaced(net);
                }
            }
        }
    }

    /// No record is left that should be elsewhere.
    pub(super) fn none_misplaced(&mut self, net: &mut impl Network<Node>) {
        if let Some(keeping) = &mut self.records
            && matches!(keeping.departure, Departure::Giving { .. })
        {
            keeping.departure = Departure::Over;
            self.leave_when_idle(net);
        }
    }

    /// What is left could not be given away now. A node that stays looks again after a period.
    pub(super) fn misplaced_later(&mut self, net: &mut impl Network<Node>) {
        let Some(keeping) = &mut self.records else {
            return;
        };
        let mut ask = asking!(self, keeping, net, None);
        if let Departure::Giving { again, .. } = &mut keeping.departure
            && again.is_none()
        {
            let mut pause = Pause::default();
            let time = ask.timeout();
            let _ = pause.poll(&mut ask, time);
            *again = Some(pause);
        }
    }

    /// Whether what a leaving node has is elsewhere, as far as that can be.
    pub(in crate::chord) fn departure_is_over(&self) -> bool {
        let keeping = self.records.as_ref();
        keeping
            .is_none_or(|keeping| matches!(keeping.departure, Departure::Staying | Departure::Over))
    }

    /// Whether it hands over before it says good-bye.
    pub(in crate::chord) fn is_handing_over(&self) -> bool {
        let keeping = self.records.as_ref();
        keeping.is_some_and(|keeping| matches!(keeping.departure, Departure::HandingOver(_)))
    }
}
