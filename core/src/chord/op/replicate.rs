//! Bringing a write to all its holders.

use crate::chord::Node;
use std::task::Poll;

use crate::chord::ask::{Ask, Question};
use crate::chord::record_message::{RecordReply, RecordRequest};
use crate::chord::variant::Variant;
use crate::protocol::Network;
use crate::record::{Field, Record, Stamp, TooFarAhead};
use crate::ring::{Id, Peer};

/// **Replicate** one write, as the owner of its key, who has stored it already.
///
/// 1. Send it to all other holders side by side: nodes of different processes, the next ones on
///    the circle. While the arc is being handed over, to the one that will serve it, too.
/// 2. One that stays silent, or is leaving, is replaced by the next one of a process that was not asked.
/// 3. When as many as should hold it have it on disk, it is done; when nobody is left to ask, it
///    is done in part.
/// 4. One that finds its stamp too far ahead does not take it in, and is replaced as well. If all do
///    that asked, the owner's clock is wrong, and it takes the write back.
/// 5. If it did not win somewhere, it has to be stamped anew: the asker does that. If a holder
///    knows of a later owner, this node is not the owner any more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::chord) struct Replicate {
    pub(in crate::chord) key: Id,
    name: String,
    field: Field,
    /// The epoch in which the key is served.
    epoch: u64,
    attempts: u8,
    asking: Vec<(Question, bool)>,
    /// Not yet asked.
    spare: Vec<Peer>,
    holders: Vec<Id>,
    beaten: Option<Stamp>,
    /// A holder does not take it in, since its stamp is too far ahead.
    ahead: Option<TooFarAhead>,
    next_owner_lacks: bool,
    leavers: Vec<Id>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chord) enum Replicated {
    /// It is held.
    Held {
        /// By these, the owner first.
        holders: Vec<Id>,
        /// The one to which the arc is being handed over did not say that it has it.
        next_owner_lacks: bool,
        /// These are leaving, and hold nothing for others.
        leavers: Vec<Id>,
    },
    /// This stamp is above it.
    Beaten(Stamp),
    /// Somebody else owns the key, in this epoch.
    Superseded(u64),
    /// Its stamp is too far ahead for those that answered, and none of them holds it.
    Ahead(TooFarAhead),
}

impl Replicate {
    /// `others` are the other processes in the order of the circle; the first `copies` of them
    /// should hold it, and `next_owner` has to.
    pub(in crate::chord) fn new(
        me: Id,
        (key, name, field): (Id, String, Field),
        epoch: u64,
        (mut others, copies): (Vec<Peer>, usize),
        next_owner: Option<Peer>,
        attempts: u8,
    ) -> Replicate {
        others.retain(|other| next_owner.is_none_or(|next_owner| next_owner.id != other.id));
        let spare = others.split_off(copies.min(others.len()));
        let asking = others.into_iter().map(|to| (to, false));
        let next_owner = next_owner.into_iter().map(|to| (to, true));
        Replicate {
            key,
            name,
            field,
            epoch,
            attempts,
            asking: asking
                .chain(next_owner)
                .map(|(to, is_next_owner)| (Question::new(to, attempts), is_next_owner))
                .collect(),
            spare,
            holders: vec![me],
            beaten: None,
            ahead: None,
            next_owner_lacks: false,
            leavers: Vec::new(),
        }
    }

    /// The field's name.
    pub(in crate::chord) fn name(&self) -> &str {
        &self.name
    }

    /// The stamp that is written.
    pub(in crate::chord) const fn stamp(&self) -> Stamp {
        self.field.stamp()
    }

    /// Whether it is a write of this field.
    pub(in crate::chord) fn is(&self, key: Id, name: &str) -> bool {
        self.key == key && self.name == name
    }

    pub(in crate::chord) fn poll<N: Network<Node>>(
        &mut self,
        ask: &mut Ask<'_, N>,
    ) -> Poll<Replicated> {
        let mut at = 0;
        while at < self.asking.len() {
            let (key, epoch) = (self.key, self.epoch);
            let (name, field) = (&self.name, &self.field);
            let store = |_: &mut N| RecordRequest::Store {
                key,
                part: Record::of(name, field.clone()),
                epoch,
            };
            let (question, is_next_owner) = &mut self.asking[at];
            let is_next_owner = *is_next_owner;
            let Poll::Ready(reply) = question.poll_records(ask, store) else {
                at += 1;
                continue;
            };
            let (question, _) = self.asking.remove(at);
            if reply == Some(RecordReply::Leaving) {
                self.leavers.push(question.to.id);
            }
            if let Some(RecordReply::Ahead(ahead)) = reply {
                self.ahead = Some(ahead);
            }
            match reply {
                // Beyond the holders that it needs, the next owner does not count.
                Some(RecordReply::Stored) if is_next_owner => {}
                Some(RecordReply::Stored) => self.holders.push(question.to.id),
                Some(RecordReply::Beaten(stamp)) => self.beaten = self.beaten.max(Some(stamp)),
                Some(RecordReply::Superseded(epoch)) => {
                    for (question, _) in &self.asking {
                        question.give_up(ask);
                    }
                    return Poll::Ready(Replicated::Superseded(epoch));
                }
                None if !is_next_owner && ask.is_variant(Variant::SilentHolderCounts) => {
                    self.holders.push(question.to.id);
                }
                _ if is_next_owner => self.next_owner_lacks = true,
                _ if self.spare.is_empty() => {}
                _ => {
                    let next = Question::new(self.spare.remove(0), self.attempts);
                    self.asking.push((next, false));
                }
            }
        }
        if !self.asking.is_empty() {
            return Poll::Pending;
        }
        let alone = self.holders.len() <= 1;
        Poll::Ready(match (self.beaten, self.ahead) {
            (Some(stamp), _) => Replicated::Beaten(stamp),
            (None, Some(ahead)) if alone => Replicated::Ahead(ahead),
            (None, _) => Replicated::Held {
                holders: std::mem::take(&mut self.holders),
                next_owner_lacks: self.next_owner_lacks,
                leavers: std::mem::take(&mut self.leavers),
            },
        })
    }
}

#[cfg(test)]
mod tests;
