//! Handing an arc over.

use crate::chord::Node;
use std::task::{Poll, ready};

use super::{Compare, Compared, Way};
use crate::chord::ask::{Ask, Question};
use crate::chord::limits;
use crate::chord::record_message::{Doubts, RecordReply, RecordRequest};
use crate::chord::variant::Variant;
use crate::protocol::Network;
use crate::ring::{Id, KeyRange, Peer};

/// **Hand over** an arc that this node serves to the one that should.
///
/// 1. Compare both ways with the other: it then has all that was written here before. What is
///    written meanwhile goes to it as well, and is acknowledged only with it. What comes here in
///    another way meanwhile, from a holder, calls for comparing once more.
/// 2. Let go: from now on this node does not answer for the arc. ([`super::super::Node`] does
///    that, and fails the writes that are open there, which are tried again at the other.)
/// 3. Say so, in an epoch above all in which it was served, until the other has heard.
/// 4. If it is silent then, or about to leave itself, take the arc back in a later epoch, and
///    begin anew with whoever should have it then.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct HandOver {
    pub(in crate::chord) arc: KeyRange,
    pub(in crate::chord) to: Peer,
    stage: Stage,
    /// Something changed here that the other may have missed.
    again: bool,
    /// What is not known of the arc, once it was let go.
    pub(in crate::chord) doubts: Doubts,
    /// Keys whose records changed here by comparing, so far.
    changed: Vec<Id>,
    attempts: u8,
    tellings: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Bringing(Box<Compare>),
    /// All is brought; the node has not let go yet.
    Brought,
    Telling(u64, Question),
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chord) enum Handed {
    /// The other has all: let go, and say so by [`HandOver::tell`]. Keys whose records changed
    /// here are named.
    Brought(Compared),
    /// The other serves the arc.
    Taken,
    /// The other knows of a later owner, in this epoch.
    Superseded(u64),
    /// The other is silent, or about to leave itself; this is said when the node has let go of
    /// the arc already.
    Refused {
        /// Whether it had.
        let_go: bool,
    },
}

impl HandOver {
    pub(in crate::chord) fn new(arc: KeyRange, to: Peer, attempts: u8) -> HandOver {
        let compare = Compare::new(to, arc, Way::Both, attempts);
        HandOver {
            arc,
            to,
            stage: Stage::Bringing(Box::new(compare)),
            again: false,
            doubts: Doubts::default(),
            changed: Vec::new(),
            attempts,
            tellings: 0,
        }
    }

    /// The record of this key is another one here, and not because of a write.
    pub(in crate::chord) fn changed(&mut self, key: Id) {
        self.again |= self.is_bringing() && self.arc.contains(key);
    }

    /// Whether writes in the arc must reach the other, too.
    pub(in crate::chord) const fn is_bringing(&self) -> bool {
        matches!(self.stage, Stage::Bringing(_))
    }

    /// This node has let go of the arc: tell the other.
    pub(in crate::chord) fn tell(&mut self, epoch: u64, attempts: u8) {
        self.tellings += 1;
        self.stage = Stage::Telling(epoch, Question::new(self.to, attempts));
    }

    pub(in crate::chord) fn poll<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
    ) -> Poll<Handed> {
        let (arc, to) = (self.arc, self.to);
        match &mut self.stage {
            Stage::Bringing(_) if ask.is_variant(Variant::HandedOverUnbrought) => {
                self.stage = Stage::Brought;
                Poll::Ready(Handed::Brought(Compared::default()))
            }
            Stage::Bringing(compare) => {
                let mut compared = ready!(compare.poll(ask));
                while !compared.failed && std::mem::take(&mut self.again) {
                    self.changed.append(&mut compared.changed);
                    **compare = Compare::new(to, arc, Way::Both, self.attempts);
                    compared = ready!(compare.poll(ask));
                }
                if compared.failed {
                    return Poll::Ready(Handed::Refused { let_go: false });
                }
                compared.changed.append(&mut self.changed);
                self.stage = Stage::Brought;
                Poll::Ready(Handed::Brought(compared))
            }
            Stage::Brought => Poll::Pending,
            Stage::Telling(epoch, question) => {
                let epoch = *epoch;
                let doubts = &self.doubts;
                let hand = |_: &mut N| RecordRequest::HandOver {
                    arc,
                    epoch,
                    doubts: doubts.clone(),
                };
                Poll::Ready(match ready!(question.poll_records(ask, hand)) {
                    Some(RecordReply::Taken) => Handed::Taken,
                    // Refused in an older epoch, it is not next to what the other serves.
                    Some(RecordReply::Superseded(later))
                        if later >= epoch && self.tellings < limits::TELLINGS =>
                    {
                        Handed::Superseded(later)
                    }
                    _ => Handed::Refused { let_go: true },
                })
            }
        }
    }
}
