//! Making two nodes hold the same on an arc.

use crate::chord::Node;
use std::collections::VecDeque;
use std::task::{Poll, ready};

use crate::chord::ask::{Ask, Question};
use crate::chord::record_message::{Held, RecordReply, RecordRequest};
use crate::chord::variant::Variant;
use crate::chord::{limits, merging};
use crate::protocol::Network;
use crate::record::{self, Difference, Digest, RangeSync, Record};
use crate::ring::{Id, KeyRange, Peer};

/// **Compare** what this node and another hold on an arc, and merge what differs. (After the
/// Merkle synchronization of J. Cates, *Robust and Efficient Data Management for a Distributed
/// Hash Table*, 2003; here over digests of arcs that need no tree.)
///
/// 1. Ask for the digest of the arc, and where it differs of its parts, down to single keys.
/// 2. Fetch what the other has under a key that differs, and merge it.
/// 3. Unless only fetching, send what the other then still lacks, field by field.
///
/// One of these goes on at a time, a bounded number of bytes in a message, so that comparing
/// never crowds out anything else. What changes meanwhile may be missed: whoever needs to know
/// that it is not sends such changes by itself. A silent peer ends it; what was merged stays.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Compare {
    peer: Peer,
    whole: KeyRange,
    way: Way,
    attempts: u8,
    sync: RangeSync,
    comparing: Vec<(KeyRange, Question)>,
    differences: VecDeque<Difference>,
    fetching: Option<(Vec<Id>, Question)>,
    /// Of the first key to fetch, the fields behind this one are missing.
    after: Option<String>,
    sending: VecDeque<(Id, Record)>,
    merging: Option<(Vec<(Id, Record)>, Question)>,
    asked: u32,
    /// What is asked before all else, if it is.
    first: Option<Question>,
    outcome: Compared,
}

/// Which way records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) enum Way {
    /// Only to this node.
    Here,
    /// Both ways.
    Both,
    /// Both ways, and the other is told that it is among the holders of the arc.
    Assign,
}

/// What comparing came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Compared {
    /// The other stayed silent, or answered what no correct node does.
    pub(in crate::chord) failed: bool,
    /// It is leaving, and holds nothing for others.
    pub(in crate::chord) leaving: bool,
    /// It answered at least once.
    pub(in crate::chord) answered: bool,
    /// Keys whose records are other here than before.
    pub(in crate::chord) changed: Vec<Id>,
    /// The highest epoch of a served arc that the other knows of.
    pub(in crate::chord) epoch: u64,
    /// Of which arc the peer held all that was acknowledged, if it was asked for that.
    pub(in crate::chord) held: Option<Held>,
}

impl Compare {
    pub(in crate::chord) fn new(peer: Peer, arc: KeyRange, way: Way, attempts: u8) -> Compare {
        Compare {
            peer,
            whole: arc,
            way,
            attempts,
            sync: RangeSync::new(arc),
            comparing: Vec::new(),
            differences: VecDeque::new(),
            fetching: None,
            after: None,
            sending: VecDeque::new(),
            merging: None,
            asked: 0,
            first: None,
            outcome: Compared::default(),
        }
    }

    /// The same for single keys, which are known to differ.
    pub(in crate::chord) fn of_keys(peer: Peer, keys: Vec<Id>, attempts: u8) -> Compare {
        // The range is a placeholder: the keys that differ are already known, so no digest is asked
        // for.
        let mut compare = Compare::new(peer, KeyRange::new(peer.id, peer.id), Way::Both, attempts);
        compare.sync = RangeSync::done();
        compare.fetching = Some((keys, Question::new(peer, attempts)));
        compare
    }

    /// Says first that not all is known here, and asks of which arc the peer held all.
    pub(in crate::chord) fn ask_what_is_held(&mut self) {
        self.first = Some(self.question());
    }

    pub(in crate::chord) const fn peer(&self) -> Peer {
        self.peer
    }

    /// The keys whose records have changed here since this was last asked. Those are not in the
    /// outcome any more.
    pub(in crate::chord) fn take_changed(&mut self) -> Vec<Id> {
        std::mem::take(&mut self.outcome.changed)
    }

    pub(in crate::chord) fn poll<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
    ) -> Poll<Compared> {
        loop {
            let went_well = if let Some(question) = &mut self.first {
                let reply = ready!(question.poll_records(ask, |_| RecordRequest::Held));
                self.first = None;
                if let Some(RecordReply::Held(held)) = reply {
                    self.outcome.held = held;
                }
                true
            } else if self.merging.is_some() {
                ready!(self.poll_merging(ask))
            } else if self.fetching.is_some() {
                ready!(self.poll_fetching(ask))
            } else if !self.sending.is_empty() {
                self.send();
                true
            } else if !self.differences.is_empty() {
                self.act_on_differences(ask.net());
                true
            } else if self.comparing.is_empty() && self.sync.is_done() {
                return Poll::Ready(std::mem::take(&mut self.outcome));
            } else {
                ready!(self.poll_comparing(ask))
            };
            if !went_well {
                self.outcome.failed = true;
                for (_, question) in &self.comparing {
                    question.give_up(ask);
                }
                return Poll::Ready(std::mem::take(&mut self.outcome));
            }
        }
    }

    fn question(&self) -> Question {
        Question::new(self.peer, self.attempts)
    }

    // ---- where do we differ? ----

    fn poll_comparing<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<bool> {
        if self.comparing.is_empty() {
            let most = limits::COMPARISONS;
            self.asked += 1;
            if self.asked > limits::QUESTIONS {
                return Poll::Ready(false);
            }
            for question in self.sync.questions(ask.net().store(), most) {
                self.comparing.push((question.arc, self.question()));
            }
        }
        let (assigns, whole) = (self.way == Way::Assign, self.whole);
        let mut at = 0;
        while at < self.comparing.len() {
            let (arc, question) = &mut self.comparing[at];
            let arc = *arc;
            let about = |net: &mut N| RecordRequest::Compare {
                question: record::DigestQuestion {
                    arc,
                    digest: record::DigestSource::digest(net.store(), arc),
                },
                assigns: assigns && arc == whole,
            };
            let Poll::Ready(reply) = question.poll_records(ask, about) else {
                at += 1;
                continue;
            };
            self.comparing.remove(at);
            self.outcome.leaving |= reply == Some(RecordReply::Leaving);
            let Some(RecordReply::Compared { answer, epoch }) = reply else {
                return Poll::Ready(false);
            };
            self.outcome.answered = true;
            self.outcome.epoch = self.outcome.epoch.max(epoch);
            let whole_is_open = arc == whole;
            let mine = ask.net().store();
            if self.sync.answered(mine, arc, answer).is_err() {
                return Poll::Ready(false);
            }
            if whole_is_open && ask.is_variant(Variant::RepairsOnePart) {
                let first = self.sync.questions(ask.net().store(), 1).pop();
                self.sync = first.map_or(RangeSync::done(), |first| RangeSync::new(first.arc));
            }
        }
        if !self.comparing.is_empty() {
            return Poll::Pending;
        }
        let found = self
            .sync
            .differences(ask.net().store(), limits::FETCHED_KEYS);
        self.differences.extend(found);
        Poll::Ready(true)
    }

    // ---- what to do about it ----

    fn act_on_differences<N: Network<Node>>(&mut self, net: &mut N) {
        let mut fetch = Vec::new();
        for difference in std::mem::take(&mut self.differences) {
            if difference.there.is_some() {
                fetch.push(difference.key);
            } else if self.way != Way::Here
                && let Some(record) = merging::stored(net, difference.key)
            {
                self.sending.push_back((difference.key, record));
            }
        }
        if !fetch.is_empty() {
            self.fetching = Some((fetch, self.question()));
        }
    }

    fn poll_fetching<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<bool> {
        let Some((keys, question)) = &mut self.fetching else {
            return Poll::Ready(true);
        };
        let after = &self.after;
        let fetch = |_: &mut N| RecordRequest::Fetch {
            keys: keys.clone(),
            after: after.clone(),
        };
        let reply = ready!(question.poll_records(ask, fetch));
        let Some(RecordReply::Records { records, more }) = reply else {
            return Poll::Ready(false);
        };
        let mut left = std::mem::take(keys);
        self.fetching = None;
        let fits = |(at, (key, _)): (usize, &(Id, Record))| left.get(at) == Some(key);
        let goes_on = more.is_none() || records.len() > 1 || more > self.after;
        if records.is_empty() || !goes_on || !records.iter().enumerate().all(fits) {
            return Poll::Ready(false);
        }
        let last = records.len() - 1;
        for (at, (key, theirs)) in records.into_iter().enumerate() {
            let whole = (at > 0 || self.after.is_none()) && (at < last || more.is_none());
            self.merge_one(ask, key, theirs, whole);
        }
        left.drain(..last + usize::from(more.is_none()));
        self.after = more;
        if !left.is_empty() {
            self.fetching = Some((left, self.question()));
        }
        Poll::Ready(true)
    }

    /// Of a record that came in parts, nobody knows what the other lacks; it is found next time.
    fn merge_one<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
        key: Id,
        theirs: Record,
        whole: bool,
    ) {
        let variation = ask.variation();
        let net = ask.net();
        let merged = merging::merge(net, key, theirs.clone(), variation);
        if !merged.changed.is_empty() {
            self.outcome.changed.push(key);
        }
        if self.way == Way::Here || !whole {
            return;
        }
        let Some(mine) = merging::stored(net, key) else {
            return;
        };
        let lacks = |(name, field): &(&str, &record::Field)| theirs.field(name) != Some(*field);
        let lacking = mine.fields().filter(lacks);
        let lacking: Record = lacking
            .map(|(name, field)| (name.to_owned(), field.clone()))
            .collect();
        if !lacking.is_empty() {
            self.sending.push_back((key, lacking));
        }
    }

    // ---- sending ----

    /// Takes as many as fit into one message; a record that is too large for it goes in pieces.
    fn send(&mut self) {
        let (mut batch, mut room) = (Vec::new(), limits::MERGED_BYTES);
        while let Some((key, record)) = self.sending.pop_front() {
            let size = record.size() + KEY_BYTES;
            if size <= room {
                room -= size;
                batch.push((key, record));
            } else if !batch.is_empty() {
                self.sending.push_front((key, record));
                break;
            } else {
                let mut pieces = record.pieces(limits::MERGED_BYTES).into_iter();
                batch.extend(pieces.next().map(|piece| (key, piece)));
                for piece in pieces.rev() {
                    self.sending.push_front((key, piece));
                }
                break;
            }
        }
        self.merging = Some((batch, self.question()));
    }

    fn poll_merging<N: Network<Node>>(&mut self, ask: &mut Ask<'_, N>) -> Poll<bool> {
        let Some((records, question)) = &mut self.merging else {
            return Poll::Ready(true);
        };
        let merge = |_: &mut N| RecordRequest::Merge(records.clone());
        let reply = ready!(question.poll_records(ask, merge));
        self.merging = None;
        Poll::Ready(matches!(reply, Some(RecordReply::Merged)))
    }
}

/// What a key takes in a message.
const KEY_BYTES: usize = size_of::<Digest>();

#[cfg(test)]
mod tests;
