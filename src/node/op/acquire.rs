//! Coming to serve an arc that nobody hands over.

use std::task::{Poll, ready};

use super::{Compare, Way};
use crate::node::ask::{Ask, Pause, Question};
use crate::node::limits;
use crate::node::network::Network;
use crate::node::record_message::{Claimed, RecordReply, RecordRequest};
use crate::ring::{Arc, Peer};

/// **Acquire** an arc that should be this node's and is not.
///
/// 1. Claim it from the successor. A newcomer's arc is served there until it is handed over: wait
///    for that, and claim again now and then, in case it got lost.
/// 2. If the successor waits itself, wait too; but not for ever, because all may wait.
/// 3. If nobody serves it, its owner is dead, and what it acknowledged is on others of those that
///    come next: fetch from the first of them, then from all others side by side, as far as the
///    successor list goes. It is longer than any set of holders: also one that was chosen while
///    somebody was wrongly taken for dead, or before others joined in between.
/// 4. Those that stay silent are dead. Then the arc can be served, under a number above all that
///    were heard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::node) struct Acquire {
    pub(in crate::node) arc: Arc,
    attempts: u8,
    /// The first successor, then one node of each other process.
    others: Vec<Peer>,
    stage: Stage,
    rounds: u8,
    number: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Claiming(Question),
    Waiting(Pause),
    Fetching(Vec<Compare>),
}

impl Acquire {
    pub(in crate::node) fn new(arc: Arc, others: Vec<Peer>, attempts: u8) -> Acquire {
        let stage = match others.first() {
            Some(&successor) => Stage::Claiming(Question::new(successor, attempts)),
            None => Stage::Fetching(Vec::new()),
        };
        Acquire {
            arc,
            attempts,
            others,
            stage,
            rounds: 0,
            number: 0,
        }
    }

    /// The successors are others now: those that were asked are not asked again.
    pub(in crate::node) fn consider(&mut self, others: Vec<Peer>) {
        if !matches!(self.stage, Stage::Fetching(_)) {
            *self = Acquire {
                rounds: self.rounds,
                number: self.number,
                ..Acquire::new(self.arc, others, self.attempts)
            };
        }
    }

    /// Whether it knows that nobody serves the arc.
    pub(in crate::node) const fn is_vacant(&self) -> bool {
        matches!(self.stage, Stage::Fetching(_))
    }

    pub(in crate::node) fn awaits(&self, number: u32) -> Option<Peer> {
        match &self.stage {
            Stage::Claiming(question) => question.awaits(number).then_some(question.to),
            Stage::Waiting(pause) if pause.awaits(number) => self.others.first().copied(),
            Stage::Waiting(_) => None,
            Stage::Fetching(compares) => compares
                .iter()
                .find(|compare| compare.awaits(number))
                .map(Compare::peer),
        }
    }

    /// The highest number heard, when the arc can be served.
    pub(in crate::node) fn poll<N: Network>(&mut self, ask: &mut Ask<'_, N>) -> Poll<u64> {
        loop {
            match &mut self.stage {
                Stage::Claiming(question) => {
                    let arc = self.arc;
                    let claim = |_: &mut N| RecordRequest::Claim(arc);
                    let reply = ready!(question.poll_records(ask, claim));
                    self.claimed(reply);
                }
                Stage::Waiting(pause) => {
                    let time = ask.timeout();
                    ready!(pause.poll(ask, time));
                    let successor = self.others[0];
                    self.stage = Stage::Claiming(Question::new(successor, self.attempts));
                }
                Stage::Fetching(compares) => {
                    let number = &mut self.number;
                    compares.retain_mut(|compare| match compare.poll(ask) {
                        Poll::Pending => true,
                        Poll::Ready(compared) => {
                            *number = (*number).max(compared.number);
                            false
                        }
                    });
                    let alone = self.rounds == FIRST;
                    if !compares.is_empty() && (alone || compares.len() >= limits::PULLS) {
                        return Poll::Pending;
                    }
                    self.rounds = 0;
                    if self.others.is_empty() {
                        return match compares.len() {
                            0 => Poll::Ready(self.number),
                            _ => Poll::Pending,
                        };
                    }
                    let next = self.others.remove(0);
                    compares.push(Compare::new(next, self.arc, Way::Here, self.attempts));
                }
            }
        }
    }

    fn claimed(&mut self, reply: Option<RecordReply>) {
        let by = match reply {
            Some(RecordReply::Claimed { by, number }) => {
                self.number = self.number.max(number);
                by
            }
            // Silent: if it is dead, stabilization finds the next one, which is then claimed from.
            _ => Claimed::Unknown,
        };
        match by {
            Claimed::Here => {
                self.rounds = 0;
                self.stage = Stage::Waiting(Pause::default());
            }
            Claimed::Unknown if self.rounds < limits::CLAIM_ROUNDS => {
                self.rounds += 1;
                self.stage = Stage::Waiting(Pause::default());
            }
            Claimed::Unknown | Claimed::Elsewhere => {
                self.rounds = FIRST;
                let first = self.others.remove(0);
                let compare = Compare::new(first, self.arc, Way::Here, self.attempts);
                self.stage = Stage::Fetching(vec![compare]);
            }
        }
    }
}

/// The first of those that may have most of the arc is fetched from alone, so that nothing comes
/// several times.
const FIRST: u8 = u8::MAX;
