//! The protocol: a node asks all that it knows whether they are alive, again and again, and belongs
//! to the others once one has answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::{Basics, Hosted};
use cuerda_core::protocol::{
    AccessError, Event, Input, LookupError, Network, Protocol, RequestId, Timer, Versions, Wire,
    Written,
};
use cuerda_core::record::{Field, Record, Stamp};
use cuerda_core::ring::{Id, Peer};
use cuerda_core::store::Store;

const EVERY: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ping {
    me: Peer,
    incarnation: u32,
    member: bool,
    known: BTreeMap<Id, Peer>,
    asked: u32,
    /// Whose reply is waited for, by the request's number.
    waiting: BTreeMap<u32, Peer>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Message {
    Ping { id: RequestId },
    Pong { id: RequestId },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Due {
    Again,
    Late(u32),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    /// A peer answered; whether the world knew how long that took.
    Answered { timed: bool },
    /// One did not, in time.
    Silent,
}

/// What is told of a node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PingStatus {
    pub(super) member: bool,
    pub(super) known: usize,
}

impl Wire for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Ping { .. } => "Ping",
            Message::Pong { .. } => "Pong",
        }
    }

    fn wire_size(&self) -> usize {
        postcard::to_stdvec(self).map_or(0, |bytes| bytes.len())
    }

    fn asks(&self) -> Option<RequestId> {
        match self {
            Message::Ping { id } => Some(*id),
            Message::Pong { .. } => None,
        }
    }

    fn answers(&self) -> Option<RequestId> {
        match self {
            Message::Ping { .. } => None,
            Message::Pong { id } => Some(*id),
        }
    }
}

impl Timer for Due {
    fn pack(self) -> (u8, u32) {
        match self {
            Due::Again => (0, 0),
            Due::Late(number) => (1, number),
        }
    }

    fn unpack(kind: u8, value: u32) -> Due {
        match kind {
            0 => Due::Again,
            _ => Due::Late(value),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Due::Again => "Again",
            Due::Late(_) => "Late",
        }
    }

    fn request(self) -> Option<u32> {
        match self {
            Due::Again => None,
            Due::Late(number) => Some(number),
        }
    }
}

impl Ping {
    fn ask(&mut self, to: Peer, net: &mut impl Network<Ping>) {
        if to.id == self.me.id {
            return;
        }
        self.asked += 1;
        let (incarnation, number) = (self.incarnation, self.asked);
        let id = RequestId::of_node(incarnation, number);
        self.waiting.insert(number, to);
        net.set_timer(Due::Late(number), PATIENCE..PATIENCE);
        net.send(to, Message::Ping { id });
    }

    fn enter(&mut self, net: &mut impl Network<Ping>) {
        if !self.member {
            self.member = true;
            net.emit(Event::Joined);
            net.set_timer(Due::Again, EVERY..EVERY * 2);
        }
    }
}

impl Protocol for Ping {
    const NAME: &'static str = "ping";
    const VERSIONS: Versions = Versions {
        newest: 7,
        oldest: 7,
    };
    type Config = Basics;
    type Message = Message;
    type Timer = Due;
    type Told = Told;

    fn new(me: Peer, _: Arc<Basics>, incarnation: u32) -> Ping {
        Ping {
            me,
            incarnation,
            member: false,
            known: BTreeMap::new(),
            asked: 0,
            waiting: BTreeMap::new(),
        }
    }

    fn me(&self) -> Peer {
        self.me
    }

    fn is_member(&self) -> bool {
        self.member
    }

    fn handle(&mut self, input: Input<Ping>, net: &mut impl Network<Ping>) {
        match input {
            Input::Found => self.enter(net),
            Input::Join(peers) | Input::Remember(peers) => {
                peers.into_iter().for_each(|peer| self.ask(peer, net));
            }
            Input::Resume => net.set_timer(Due::Again, EVERY..EVERY * 2),
            // To tell so is enough: what becomes of the node then is the host's business.
            Input::Leave => net.emit(Event::Left),
            Input::Message { from, message, .. } if matches!(message, Message::Ping { .. }) => {
                self.known.insert(from.id, from);
                if let Some(id) = message.asks() {
                    net.send(from, Message::Pong { id });
                }
            }
            Input::Message {
                from,
                message,
                took,
            } => {
                let number = message.answers().map_or(0, |id| id.number);
                if self.waiting.remove(&number).is_some() {
                    self.known.insert(from.id, from);
                    self.enter(net);
                    let timed = took.is_some();
                    net.emit(Event::Told(Told::Answered { timed }));
                }
            }
            Input::Timer(Due::Again) => {
                for peer in self.known.clone().into_values() {
                    self.ask(peer, net);
                }
                if self.member {
                    net.set_timer(Due::Again, EVERY..EVERY * 2);
                }
            }
            Input::Timer(Due::Late(number)) => {
                if self.waiting.remove(&number).is_some() {
                    net.emit(Event::Told(Told::Silent));
                }
            }
            Input::Lookup { token, .. } => net.emit(Event::Lookup {
                token,
                result: Err(LookupError::NoRoute),
                timeouts: 0,
            }),
            Input::Write { token, key, write } => {
                let stamp = Stamp {
                    milliseconds: net.wall_clock(),
                    counter: 0,
                    node: self.me.id,
                };
                let field = match write.value {
                    Some(value) => Field::new(stamp, None, value.into_bytes(), None),
                    None => Field::tombstone(stamp, None),
                };
                net.store().put(key, Record::of(&write.name, field));
                let written = Written {
                    stamp,
                    holders: vec![self.me.id],
                    wanted: 1,
                    majority: true,
                };
                net.emit(Event::Written {
                    token,
                    result: Ok(written),
                });
            }
            Input::Read { token, .. } => net.emit(Event::Read {
                token,
                result: Err(AccessError::NoOwner),
            }),
        }
    }
}

impl Hosted for Ping {
    type Status = PingStatus;

    fn status(&self, _: &impl Store) -> PingStatus {
        PingStatus {
            member: self.member,
            known: self.known.len(),
        }
    }

    fn basics(config: &Basics) -> Basics {
        config.clone()
    }
}
