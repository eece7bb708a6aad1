//! Each rule fires on a node that breaks it, and is silent on the same node when it does not.

mod clocks;
mod coming_and_going;
mod copies;
mod leaving;
mod lookups;
mod records;
mod repair;
mod steps;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use cuerda_core::chord::{Doubts, RecordNotice, RecordReply, RecordRequest, Stamped};
use cuerda_core::chord::{Message, Node, Reply, Request};
use cuerda_core::protocol::{AccessError, Event, Input, RequestId, Written};
use cuerda_core::record::Stamp;
use cuerda_core::ring::{Id, KeyRange, Neighbours, Peer, SuccessorList};

use super::{Conformance, Rules as _};
use crate::scenario::{Overrides, Scenario};
use crate::world::{
    Cause, Gone, Moment, NodeView, SECOND, Time, Watcher as _, WriteEnd, WriteIssue,
};

/// How many successors a node has.
const ROOM: u8 = 3;
/// Who there is, each with its number for its place.
const PLACES: [u8; 6] = [10, 20, 30, 40, 50, 60];

fn peer(place: u8) -> Peer {
    Peer {
        id: Id::from_high(u64::from(place) << 56),
        address: SocketAddr::from(([10, 0, 0, place], 4000)).into(),
    }
}

fn peers(places: &[u8]) -> Vec<Peer> {
    places.iter().map(|place| peer(*place)).collect()
}

/// A list as a node at `of` would have it.
fn list(of: u8, places: &[u8]) -> SuccessorList {
    let all = peers(places);
    SuccessorList::following(peer(of).id, all[0], &all[1..], 64)
}

fn neighbours(me: u8, predecessor: u8, successors: &[u8]) -> Neighbours {
    Neighbours::given(peer(me), peer(predecessor), &peers(successors), ROOM)
}

/// The neighbours of one of those that are there, when all is well.
fn ideal(me: u8) -> Neighbours {
    let at = PLACES
        .iter()
        .position(|place| *place == me)
        .expect("it is there");
    let step = |step: usize| PLACES[(at + step) % PLACES.len()];
    neighbours(me, step(PLACES.len() - 1), &[step(1), step(2), step(3)])
}

fn about(number: u32, body: RecordRequest) -> Message {
    let clock = Stamp::ZERO;
    ask(
        number,
        Request::Records(Box::new(Stamped::new(clock, body))),
    )
}

fn answer(number: u32, body: RecordReply) -> Message {
    let clock = Stamp::ZERO;
    reply(number, Reply::Records(Box::new(Stamped::new(clock, body))))
}

fn hand_over(arc: KeyRange, epoch: u64) -> RecordRequest {
    let doubts = Doubts::default();
    RecordRequest::HandOver { arc, epoch, doubts }
}

fn id(number: u32) -> RequestId {
    RequestId::of_node(1, number)
}

fn ask(number: u32, request: Request) -> Message {
    Message::Request {
        id: id(number),
        request,
    }
}

fn reply(number: u32, reply: Reply) -> Message {
    Message::Reply {
        id: id(number),
        reply,
    }
}

fn told(number: u32, predecessor: u8, of: u8, successors: &[u8]) -> Message {
    reply(
        number,
        Reply::Neighbours {
            predecessor: peer(predecessor),
            successors: list(of, successors),
        },
    )
}

fn from(place: u8, message: Message) -> Input<Node> {
    Input::Message {
        from: peer(place),
        message,
        took: None,
    }
}

fn late(number: u32) -> Input<Node> {
    Input::Timer(cuerda_core::chord::Timer::Request(number))
}

/// A ring that is watched.
struct Scene {
    watched: Conformance,
    now: Time,
}

/// What a node tells while it handles something, besides its messages.
#[derive(Clone, Debug)]
enum Aside {
    Event(Event<Infallible>),
    Joined,
    Gone(Gone),
}

impl Scene {
    /// A client's write ends: the rules that this shows to be broken.
    fn ended(
        &mut self,
        at: Moment,
        issue: WriteIssue,
        result: Result<Written, AccessError>,
    ) -> Vec<&'static str> {
        let end = WriteEnd {
            issue,
            issued: 0,
            result,
        };
        self.watched.write_ended(at, &end);
        let breaches = self.watched.breaches().into_iter();
        breaches.map(|breach| breach.rule).collect()
    }

    fn new() -> Scene {
        Scene::with("")
    }

    /// With these faults, which begin when a test says so.
    fn with(faults: &str) -> Scene {
        let text = "duration = \"1h\"\n[ring]\nnodes = 6\n[node]\nsuccessors = 3\nattempts = 2\n\
                    probe_every_max = \"4m\"\n";
        let text = format!("{text}{faults}");
        let scenario = Scenario::parse("watched.toml", &text, &[], &Overrides::default());
        let scenario = Arc::new(scenario.expect("it is valid"));
        let all: Vec<(u32, Neighbours)> = PLACES
            .iter()
            .map(|&place| (place.into(), ideal(place)))
            .collect();
        let members = all.iter().map(|(number, view)| NodeView {
            number: *number,
            peer: view.me(),
            view,
        });
        Scene {
            watched: Conformance::start(&scenario, 0, members),
            now: SECOND,
        }
    }

    /// A node handles this, says that, and has these neighbours then: the rules that it broke.
    fn step(
        &mut self,
        node: u8,
        input: Input<Node>,
        sent: &[(u8, Message)],
        after: &Neighbours,
    ) -> Vec<&'static str> {
        self.tell(node, input, sent, &[], after)
    }

    fn tell(
        &mut self,
        node: u8,
        input: Input<Node>,
        sent: &[(u8, Message)],
        asides: &[Aside],
        after: &Neighbours,
    ) -> Vec<&'static str> {
        let (now, cause) = (self.now, Cause::Start);
        let at = Moment { now, cause };
        let number = u32::from(node);
        self.watched.handles(at, number, &input);
        for (to, message) in sent {
            self.watched.sent(at, number, peer(*to), message);
        }
        let view = NodeView {
            number,
            peer: peer(node),
            view: after,
        };
        self.watched.changed(at, view);
        for aside in asides {
            match aside {
                Aside::Event(event) => self.watched.on_event(at, number, event, None),
                Aside::Joined => self.watched.joined(at, view),
                Aside::Gone(how) => self.watched.gone(at, number, *how),
            }
        }
        self.watched.handled(at, view);
        let breaches = self.watched.breaches();
        breaches.into_iter().map(|breach| breach.rule).collect()
    }

    /// The same on a copy of the scene as it is now.
    fn would(
        &self,
        node: u8,
        input: Input<Node>,
        sent: &[(u8, Message)],
        after: &Neighbours,
    ) -> Vec<&'static str> {
        self.clone().step(node, input, sent, after)
    }
}

impl Clone for Scene {
    fn clone(&self) -> Scene {
        Scene {
            watched: self.watched.clone(),
            now: self.now,
        }
    }
}
