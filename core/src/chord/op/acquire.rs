//! Coming to serve an arc that nobody hands over.

use crate::chord::Node;
use std::task::{Poll, ready};

use super::{Compare, Way};
use crate::chord::ask::{Ask, Pause, Question};
use crate::chord::limits;
use crate::chord::record_message::{Claimed, RecordReply, RecordRequest};
use crate::chord::variant::Variant;
use crate::protocol::Network;
use crate::ring::{Id, KeyRange, Peer};

/// **Acquire** an arc that should be this node's and is not.
///
/// 1. Claim it from the successor. A newcomer's arc is served there until it is handed over: wait
///    for that, and claim again now and then, in case it got lost.
/// 2. If the successor waits itself, wait too; but not for ever, because all may wait.
/// 3. If nobody serves it, its owner is dead, and what it acknowledged is on others of those that
///    come next: fetch from the first of them, then from all others side by side, as far as the
///    successor list goes. It is longer than any set of holders: also one that was chosen while
///    somebody was wrongly taken for dead, or before others joined in between.
/// 4. One that stays silent from the start is dead. One that answered and then fell silent is
///    fetched from again.
/// 5. Then the arc can be served, in an epoch above all that were heard.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Acquire {
    pub(in crate::chord) arc: KeyRange,
    attempts: u8,
    /// The successors, nearest first; also those of this process.
    others: Vec<Peer>,
    stage: Stage,
    rounds: u8,
    epoch: u64,
    /// Those that have been fetched from, or are dead.
    done: Vec<Id>,
    /// Those that answered, and then did not; once for each time.
    broken_off: Vec<Id>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Claiming(Question),
    Waiting(Pause),
    Fetching(Vec<Compare>),
    /// Before those that broke off are asked again.
    Resting(Pause),
}

impl Acquire {
    pub(in crate::chord) fn new(arc: KeyRange, others: Vec<Peer>, attempts: u8) -> Acquire {
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
            epoch: 0,
            done: Vec::new(),
            broken_off: Vec::new(),
        }
    }

    /// The successors may be others now: those that were asked are not asked again. Says whether
    /// it has given up all that it waited for.
    #[must_use]
    pub(in crate::chord) fn consider(&mut self, others: Vec<Peer>) -> bool {
        if self.others == others {
            return false;
        }
        if !self.is_vacant() {
            // Another successor has kept it waiting for no round yet.
            let same = self.others.first() == others.first();
            *self = Acquire {
                rounds: if same { self.rounds } else { 0 },
                epoch: self.epoch,
                ..Acquire::new(self.arc, others, self.attempts)
            };
            return true;
        }
        self.others = others;
        if self.others.is_empty() {
            self.stage = Stage::Fetching(Vec::new());
        }
        self.others.is_empty()
    }

    /// Whether it knows that nobody serves the arc.
    pub(in crate::chord) const fn is_vacant(&self) -> bool {
        matches!(self.stage, Stage::Fetching(_) | Stage::Resting(_))
    }

    /// The highest epoch heard, when the arc can be served.
    pub(in crate::chord) fn poll<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<u64> {
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
                Stage::Resting(pause) => {
                    let time = ask.timeout();
                    ready!(pause.poll(ask, time));
                    self.stage = Stage::Fetching(Vec::new());
                }
                Stage::Fetching(_) => {
                    if let Some(epoch) = ready!(self.fetch(ask)) {
                        return Poll::Ready(epoch);
                    }
                }
            }
        }
    }

    /// The highest epoch heard, when all that can be fetched is.
    fn fetch<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<Option<u64>> {
        let Stage::Fetching(compares) = &mut self.stage else {
            return Poll::Ready(None);
        };
        if ask.is_variant(Variant::TakenOverUnfetched) {
            return Poll::Ready(Some(self.epoch));
        }
        let mut rests = false;
        for mut compare in std::mem::take(compares) {
            let Poll::Ready(compared) = compare.poll(ask) else {
                compares.push(compare);
                continue;
            };
            let peer = compare.peer().id;
            self.epoch = self.epoch.max(compared.epoch);
            let times = self.broken_off.iter().filter(|id| **id == peer).count();
            if compared.failed && compared.answered && times < usize::from(limits::FETCH_TRIES) {
                self.broken_off.push(peer);
                rests = true;
            } else {
                self.done.push(peer);
            }
        }
        if rests && compares.is_empty() {
            self.stage = Stage::Resting(Pause::default());
            return Poll::Ready(None);
        }
        // The first of those that may have most of the arc is fetched from alone, so that nothing
        // comes several times.
        let most = if self.done.is_empty() {
            1
        } else {
            limits::PULLS
        };
        if !self.done.is_empty() && ask.is_variant(Variant::FetchedFromOne) {
            return Poll::Ready(Some(self.epoch));
        }
        let mut began = false;
        for &peer in &self.others {
            let asked = |compare: &Compare| compare.peer().id == peer.id;
            if compares.len() < most && !self.done.contains(&peer.id) && !compares.iter().any(asked)
            {
                compares.push(Compare::new(peer, self.arc, Way::Here, self.attempts));
                began = true;
            }
        }
        if began {
            Poll::Ready(None)
        } else if compares.is_empty() {
            Poll::Ready(Some(self.epoch))
        } else {
            Poll::Pending
        }
    }

    fn claimed(&mut self, reply: Option<RecordReply>) {
        let by = match reply {
            Some(RecordReply::Claimed { by, epoch }) => {
                self.epoch = self.epoch.max(epoch);
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
                self.stage = Stage::Fetching(Vec::new());
            }
        }
    }
}

#[cfg(test)]
mod tests;
