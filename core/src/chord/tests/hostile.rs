//! Whatever comes in, in whatever order: a node survives it and stays within its bounds.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use proptest::prelude::*;

use super::limits::{forged, peers_held};
use super::world::*;
use crate::chord::{
    Event, Hello, Input, Message, Origin, Refusal, Reply, Request, RequestId, Timer, VERSIONS,
    limits,
};
use crate::ring::test_peers::peer;
use crate::ring::{Id, Peer};

/// The node under test.
const ME: u8 = 96;
/// Numbers of requests that are guessed; the node counts its own from one.
const NUMBERS: u32 = 60;
/// The longest list that is made up: as long as a correct node's may be.
const LONGEST: usize = limits::SUCCESSORS as usize;

/// One of a few peers, the node itself among them, sometimes under a wrong address.
fn any_peer() -> impl Strategy<Value = Peer> {
    (0u8..16, prop::bool::weighted(0.1)).prop_map(|(place, moved)| {
        let known = peer(place * 16);
        let elsewhere = SocketAddr::from((Ipv4Addr::new(10, 9, 9, place), 9)).into();
        if moved {
            Peer {
                address: elsewhere,
                ..known
            }
        } else {
            known
        }
    })
}

fn any_key() -> impl Strategy<Value = Id> {
    prop_oneof![
        any::<u64>().prop_map(Id::from_high),
        any_peer().prop_map(|peer| peer.id)
    ]
}

fn any_peers() -> impl Strategy<Value = Vec<Peer>> {
    prop_oneof![
        4 => prop::collection::vec(any_peer(), 0..5),
        1 => prop::collection::vec(any::<u64>(), 0..LONGEST).prop_map(|places| {
            places.into_iter().map(|at| Peer { id: Id::from_high(at), ..peer(1) }).collect()
        }),
    ]
}

fn any_hello() -> impl Strategy<Value = Hello> {
    let fits = prop::bool::weighted(0.8);
    (fits, any::<bool>(), 0u32..3).prop_map(|(fits, member, incarnation)| Hello {
        versions: VERSIONS,
        cluster: Id::of_key(if fits { b"cuerda" } else { b"others" }),
        successors: 3,
        replicas: 1,
        incarnation,
        member,
    })
}

fn any_request() -> impl Strategy<Value = Request> {
    prop_oneof![
        any_hello().prop_map(Request::Hello),
        Just(Request::Ping),
        Just(Request::Neighbours),
        Just(Request::Copies),
        (any_key(), any::<bool>()).prop_map(|(key, confirm)| Request::Find { key, confirm }),
        (any_peer(), any_peers()).prop_map(|(predecessor, successors)| Request::Leaving {
            predecessor,
            successors: forged(&successors),
        }),
    ]
}

fn any_reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        2 => any_hello().prop_map(Reply::Hello),
        1 => Just(Reply::Refused(Refusal::Cluster)),
        1 => Just(Reply::Pong),
        1 => Just(Reply::Busy),
        1 => Just(Reply::NotMember),
        4 => (any_peer(), any_peers()).prop_map(|(predecessor, successors)| {
            Reply::Neighbours { predecessor, successors: forged(&successors) }
        }),
        1 => Just(Reply::Owner),
        3 => any_peers().prop_map(|peers| Reply::Covered(forged(&peers))),
        2 => any_peers().prop_map(Reply::Closer),
        2 => any_peer().prop_map(Reply::Before),
        1 => Just(Reply::Noted),
    ]
}

/// What happens to the node next.
#[derive(Clone, Debug)]
enum Act {
    Any(Input),
    /// The oldest open request but so many is answered, by the one that was asked.
    Answer(usize, Reply),
    /// Or is late.
    Late(usize),
}

fn any_act() -> impl Strategy<Value = Act> {
    let id = (0..NUMBERS, prop::bool::weighted(0.9))
        .prop_map(|(number, now)| RequestId::of_node(u32::from(now), number));
    let message = prop_oneof![
        4 => (id.clone(), any_request())
            .prop_map(|(id, request)| Message::Request { id, request }),
        2 => (id, any_reply()).prop_map(|(id, reply)| Message::Reply { id, reply }),
        1 => Just(Message::Notify),
        1 => any_peer().prop_map(Message::Introduce),
        1 => prop::collection::vec(any_peer(), 0..70).prop_map(Message::Remember),
    ];
    let took = prop::option::of((0u64..u64::MAX).prop_map(Duration::from_nanos));
    let timer = prop_oneof![
        3 => Just(Timer::Stabilize),
        2 => Just(Timer::Fingers),
        1 => Just(Timer::Join),
        1 => (0..NUMBERS).prop_map(Timer::Request),
    ];
    prop_oneof![
        8 => (any_peer(), message, took)
            .prop_map(|(from, message, took)| Act::Any(Input::Message { from, message, took })),
        4 => timer.prop_map(|timer| Act::Any(Input::Timer(timer))),
        3 => any_key().prop_map(|key| Act::Any(Input::Lookup { token: 0, key, traced: true })),
        1 => any_peers().prop_map(|peers| Act::Any(Input::Remember(peers))),
        1 => any_peers().prop_map(|peers| Act::Any(Input::Join(peers))),
        1 => prop_oneof![Just(Input::Found), Just(Input::Resume), Just(Input::Leave)]
            .prop_map(Act::Any),
        8 => (0usize..4, any_reply()).prop_map(|(at, reply)| Act::Answer(at, reply)),
        4 => (0usize..4).prop_map(Act::Late),
    ]
}

/// The node on the bench, and what is known of it from outside.
struct Trial {
    bench: Bench,
    /// Its requests to which no answer came and no timer yet, oldest first.
    open: VecDeque<(u32, Peer)>,
    /// How often each look-up ended.
    lookups: BTreeMap<u64, u32>,
    left: u32,
}

impl Trial {
    fn act(&mut self, act: Act) {
        let input = match act {
            Act::Any(Input::Lookup { key, .. }) => {
                let token = self.lookups.len() as u64;
                self.lookups.insert(token, 0);
                Input::Lookup {
                    token,
                    key,
                    traced: true,
                }
            }
            Act::Any(input) => input,
            Act::Answer(at, reply) => {
                let Some(&(number, from)) = self.open.get(at) else {
                    return;
                };
                let id = RequestId::of_node(1, number);
                Input::Message {
                    from,
                    message: Message::Reply { id, reply },
                    took: None,
                }
            }
            Act::Late(at) => {
                let Some((number, _)) = self.open.remove(at) else {
                    return;
                };
                Input::Timer(Timer::Request(number))
            }
        };
        self.input(input);
    }

    fn input(&mut self, input: Input) {
        // Besides those that had to wait, and one word for each that left: a step, its notices,
        // the probes and the queries that end in it.
        let most = 2 * limits::DELAYED + 16;
        let shown = format!("{input:?}");
        self.bench.handle(input);
        let net = &mut self.bench.net;
        assert!(
            net.sent.len() <= most,
            "{} messages after {shown}",
            net.sent.len()
        );
        assert!(
            net.timers.len() <= most,
            "{} timers after {shown}",
            net.timers.len()
        );
        let mut asked = BTreeMap::new();
        for (to, message) in net.take_sent() {
            // The process's own client is answered.
            let of_host =
                matches!(&message, Message::Reply { id, .. } if id.origin == Origin::HOST);
            let itself = to.id == peer(ME).id && !of_host;
            assert!(!itself, "a message to itself after {shown}");
            if let Message::Request { id, .. } = message {
                assert_eq!(id.origin, Origin::node(1));
                asked.insert(id.number, to);
            }
        }
        for (timer, after) in net.take_timers() {
            assert!(after.start <= after.end);
            if let Timer::Request(number) = timer {
                let to = asked.remove(&number).or_else(|| {
                    self.open
                        .iter()
                        .find(|(open, _)| *open == number)
                        .map(|(_, to)| *to)
                });
                self.open.push_back((number, to.unwrap_or(peer(1))));
            }
        }
        assert!(
            asked.is_empty(),
            "asked without a timer after {shown}: {asked:?}"
        );
        for event in net.take_events() {
            match event {
                Event::Lookup { token, .. } => *self.lookups.get_mut(&token).expect("asked") += 1,
                Event::Left => self.left += 1,
                _ => {}
            }
        }
        let lookup = limits::LOOKUP_CANDIDATES + LONGEST + 8;
        let waiting = limits::DELAYED * (LONGEST + 3);
        let most = (limits::QUERIES + self.lookups.len()) * lookup + waiting + 600;
        let held = peers_held(&self.bench);
        assert!(held <= most, "{held} peers held after {shown}");
        assert!(self.lookups.values().all(|&ended| ended <= 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn nothing_that_comes_in_makes_it_panic_grow_or_babble(
        first in prop_oneof![
            3 => Just(None),
            1 => Just(Some(Input::Found)),
            1 => any_peers().prop_map(|peers| Some(Input::Join(peers))),
        ],
        acts in prop::collection::vec(any_act(), 1..120),
    ) {
        let bench = match &first {
            None => Bench::member(ME, 80, &[112, 128, 144]),
            Some(_) => Bench::outside(ME),
        };
        let (open, lookups) = (VecDeque::new(), BTreeMap::new());
        let mut trial = Trial { bench, open, lookups, left: 0 };
        trial.input(first.unwrap_or(Input::Resume));
        for act in acts {
            trial.act(act);
        }
        // Whatever it was in the midst of, it can leave; and then every look-up has ended once.
        let left = trial.left;
        trial.input(Input::Leave);
        for _ in 0..10_000 {
            if trial.left > left {
                break;
            }
            let Some((number, _)) = trial.open.pop_front() else { break };
            trial.input(Input::Timer(Timer::Request(number)));
        }
        prop_assert!(trial.left > left, "it never left: {:?}", trial.bench.node);
        prop_assert!(trial.lookups.values().all(|&ended| ended == 1), "{:?}", trial.lookups);
    }

    #[test]
    fn a_clone_stays_equal_whatever_comes_in(
        acts in prop::collection::vec(any_act(), 1..60), fork in any::<prop::sample::Index>(),
    ) {
        let mut bench = Bench::member(ME, 80, &[112, 128, 144]);
        let inputs: Vec<Input> = acts.into_iter().filter_map(|act| match act {
            Act::Any(input) => Some(input),
            Act::Answer(..) | Act::Late(_) => None,
        }).collect();
        let (before, after) = inputs.split_at(fork.index(inputs.len() + 1));
        for input in before {
            bench.handle(input.clone());
        }
        let mut twin = Bench { node: bench.node.clone(), net: bench.net.clone() };
        for input in after {
            bench.handle(input.clone());
            twin.handle(input.clone());
            prop_assert_eq!(&bench.node, &twin.node);
        }
        prop_assert_eq!(bench.net, twin.net);
    }
}
