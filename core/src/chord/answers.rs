//! What a node replies to others. Nothing here changes the node, but for the questions that
//! must wait, the departures that are noted, and the callers that a joiner gets to know.

use super::maintenance::Leaver;
use super::message::{Message, Reply, Request};
use super::phase::MembershipPhase;
use super::records::Input;
use super::variant::Variant;
use super::{Node, limits};
use crate::chord::Event;
use crate::protocol::RequestId;
use crate::protocol::{Ignored, Network};
use crate::ring::{Id, KeyRange, Peer};
use crate::store::Store as _;

impl Node {
    pub(super) fn handle_request(
        &mut self,
        from: Peer,
        id: RequestId,
        request: Request,
        net: &mut impl Network<Node>,
    ) {
        let reply = match request {
            Request::Hello(theirs) => match self.hello().accepts(&theirs) {
                Ok(()) => self.greet(from, net),
                Err(refusal) => {
                    net.emit(Event::Refused(from, refusal));
                    Reply::Refused(refusal.mirrored())
                }
            },
            Request::Records(stamped) => {
                if self.tell_records(Input::Request(from, id, *stamped), net) {
                    return;
                }
                Reply::NotMember
            }
            _ if !self.is_member() => Reply::NotMember,
            Request::Ping => Reply::Pong,
            Request::Neighbours
                if self.maintenance.is_busy()
                    && !self.config.is_variant(Variant::AnswersInStep) =>
            {
                if self.maintenance.delayed.len() < limits::DELAYED {
                    self.maintenance.delayed.push((from, id));
                } else {
                    net.emit(Event::Ignored(from, Ignored::Full));
                }
                Reply::Busy
            }
            Request::Neighbours => self.neighbours_reply(),
            Request::Find { key, confirm } => self.find(key, confirm),
            Request::Leaving {
                predecessor,
                successors,
            } => {
                self.maintenance.departed(Leaver {
                    peer: from,
                    predecessor,
                    successors,
                });
                Reply::Noted
            }
            Request::Copies => Reply::Copies(self.copies(net.store())),
        };
        net.send(from, Message::Reply { id, reply });
        self.greet_newcomers(net);
    }

    /// The answer to a hello that fits. Who is on the way into a ring has met somebody whom it can
    /// ask, too, and names whom it asks itself: so those that wait for a ring come to know each
    /// other.
    fn greet(&mut self, from: Peer, net: &mut impl Network<Node>) -> Reply {
        let hello = self.hello();
        let running = net.store().notes().alive;
        let MembershipPhase::Joining(join) = &mut self.phase else {
            return Reply::Hello(hello);
        };
        let contacts = join.contacts().filter(|peer| peer.id != from.id);
        let contacts = contacts.take(limits::CONTACTS).collect();
        join.meet([from]);
        Reply::Joining {
            hello,
            running,
            contacts,
        }
    }

    pub(super) fn neighbours_reply(&self) -> Reply {
        Reply::Neighbours {
            predecessor: self.neighbours.predecessor(),
            successors: self.neighbours.successors().clone(),
        }
    }

    fn find(&self, key: Id, confirm: bool) -> Reply {
        let owns = if self.config.is_variant(Variant::OwnRangeReversed) {
            key == self.neighbours.predecessor().id
                || key != self.me().id && self.neighbours.own().contains(key)
        } else {
            self.neighbours.own().contains(key)
        };
        if owns {
            Reply::Owner
        } else if confirm {
            Reply::Before(self.neighbours.predecessor())
        } else if self.covers(key) {
            Reply::Covered(self.neighbours.successors().clone())
        } else {
            Reply::Closer(self.routes(key).take(limits::CLOSER).collect())
        }
    }

    /// Whether the key lies within the successor list, so that its owner is known from it.
    pub(super) fn covers(&self, key: Id) -> bool {
        let last = self.neighbours.successors().last();
        last.is_some_and(|last| KeyRange::new(self.me().id, last.id).contains(key))
    }

    /// Known nodes before the key, the nearest to it first, for a key beyond the successors.
    pub(super) fn routes(&self, key: Id) -> impl Iterator<Item = Peer> + '_ {
        let me = self.me().id;
        let successors = self.neighbours.successors();
        let last = successors.last().map_or(me, |last| last.id);
        let beyond = move |peer: &Peer| !KeyRange::new(me, last).contains(peer.id);
        let before = move |peer: &Peer| peer.id.is_between(me, key);
        let fingers = self.fingers.preceding(me, key);
        fingers
            .take_while(beyond)
            .chain(successors.iter().rev().copied().filter(before))
    }
}
