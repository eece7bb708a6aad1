//! What a node takes from others and what it does not, and that it is a plain value.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::world::*;
use crate::chord::{
    Config, Event, Ignored, Input, LookupError, Message, Node, Reply, Request, RequestId, Timer,
};
use crate::protocol::Step;
use crate::ring::Id;
use crate::ring::test_peers::peer;

fn digest(node: &Node) -> u64 {
    let mut hasher = DefaultHasher::new();
    node.hash(&mut hasher);
    hasher.finish()
}

/// A member with an open question to its successor, and what answers that.
fn asking() -> (Bench, u32, Reply) {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let number = bench.begin_step();
    (bench, number, neighbours(30, 20, &[45, 10]))
}

/// The reply is told as ignored and changes nothing; the right one is still waited for.
fn assert_ignored(bench: &mut Bench, from: u8, id: RequestId, reply: Reply, why: Ignored) {
    let before = bench.node.clone();
    bench.hear(from, Message::Reply { id, reply });
    assert_eq!(bench.node, before);
    assert_eq!(bench.net.take_events(), [Event::Ignored(peer(from), why)]);
    assert_eq!(bench.sent(), []);
}

#[test]
fn a_reply_from_a_peer_that_was_not_asked_is_ignored() {
    let (mut bench, number, reply) = asking();
    let id = RequestId::of_node(1, number);
    assert_ignored(&mut bench, 40, id, reply.clone(), Ignored::Unasked);
    bench.reply(30, number, reply);
    assert_eq!(around(&bench.node).1, [30, 45, 10]);
}

#[test]
fn a_reply_to_an_earlier_incarnation_is_ignored() {
    let (mut bench, number, reply) = asking();
    for incarnation in [0, 2, u32::MAX] {
        let id = RequestId::of_node(incarnation, number);
        assert_ignored(&mut bench, 30, id, reply.clone(), Ignored::Unasked);
    }
    bench.reply(30, number, reply);
    assert_eq!(around(&bench.node).1, [30, 45, 10]);
}

#[test]
fn a_doubled_reply_is_ignored_the_second_time() {
    let (mut bench, number, reply) = asking();
    let id = RequestId::of_node(1, number);
    bench.reply(30, number, reply.clone());
    bench.net.take_events();
    bench.sent();
    assert_ignored(&mut bench, 30, id, reply, Ignored::Unasked);
}

#[test]
fn a_reply_that_nobody_asked_for_is_ignored() {
    let (mut bench, number, reply) = asking();
    for wrong in [0, number + 1, u32::MAX] {
        let id = RequestId::of_node(1, wrong);
        assert_ignored(&mut bench, 30, id, reply.clone(), Ignored::Unasked);
    }
    let mut outside = Bench::outside(20);
    let id = RequestId::of_node(1, 0);
    assert_ignored(&mut outside, 30, id, Reply::Pong, Ignored::Unasked);
}

#[test]
fn a_reply_of_another_kind_is_ignored_and_the_right_one_still_counts() {
    let (mut bench, number, reply) = asking();
    let id = RequestId::of_node(1, number);
    for unfit in [
        Reply::Pong,
        Reply::Owner,
        Reply::Noted,
        Reply::Before(peer(1)),
    ] {
        assert_ignored(&mut bench, 30, id, unfit, Ignored::Unfit);
    }
    bench.reply(30, number, reply);
    assert_eq!(around(&bench.node).1, [30, 45, 10]);
}

#[test]
fn whatever_seems_to_come_from_the_node_itself_is_ignored() {
    let (mut bench, number, reply) = asking();
    let id = RequestId::of_node(1, number);
    let leaving = Request::Leaving {
        predecessor: peer(1),
        successors: list(20, &[50]),
    };
    for message in [
        Message::Notify,
        Message::Introduce(peer(25)),
        Message::Request {
            id,
            request: Request::Neighbours,
        },
        Message::Request {
            id,
            request: leaving,
        },
        Message::Reply { id, reply },
    ] {
        let before = bench.node.clone();
        bench.hear(20, message);
        assert_eq!(bench.node, before);
        assert_eq!(
            bench.net.take_events(),
            [Event::Ignored(peer(20), Ignored::Oneself)]
        );
        assert_eq!(bench.sent(), []);
    }
}

#[test]
fn an_introduction_of_the_node_to_itself_changes_nothing() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let before = bench.node.clone();
    bench.hear(10, Message::Introduce(peer(20)));
    assert_eq!((bench.sent(), bench.node), (vec![], before));
}

#[test]
fn a_node_of_no_ring_refuses_to_look_up() {
    let mut bench = Bench::outside(20);
    bench.look_up(5, peer(1).id);
    assert_eq!(bench.ended(), [(5, Err(LookupError::NotMember))]);
    bench.handle(Input::Join(vec![peer(90)]));
    bench.look_up(6, peer(1).id);
    assert_eq!(bench.ended(), [(6, Err(LookupError::NotMember))]);
}

#[test]
fn alone_a_node_owns_every_key_without_asking() {
    let mut bench = Bench::outside(20);
    bench.handle(Input::Found);
    bench.sent();
    for key in [Id::ZERO, Id::MAX, peer(20).id, peer(20).id.next()] {
        bench.look_up(1, key);
        assert_eq!(bench.ended(), [(1, Ok(20))]);
    }
    assert_eq!(bench.sent(), []);
}

#[test]
fn every_look_up_ends_exactly_once_whatever_befalls_the_ring() {
    let ring = [10, 40, 70, 100, 130, 160, 190, 220];
    let mut world = World::grown(config(3), &ring);
    let mut asked = BTreeMap::new();
    let mut ask_all = |world: &mut World, round: u64| {
        for (at, &place) in ring.iter().enumerate() {
            for key in 0..8 {
                let token = round * 1000 + at as u64 * 10 + key;
                if world.nodes.contains_key(&place) {
                    asked.insert(token, place);
                    let key = Id::of_key(&token.to_be_bytes());
                    world.input(
                        place,
                        Input::Lookup {
                            token,
                            key,
                            traced: false,
                        },
                    );
                }
            }
        }
    };
    ask_all(&mut world, 0);
    world.run(LATENCY);
    world.input(70, Input::Leave);
    ask_all(&mut world, 1);
    world.cut(&[100, 130, 160]);
    ask_all(&mut world, 2);
    world.run(SECOND * 5);
    ask_all(&mut world, 3);
    world.cut(&[]);
    world.run(SECOND);
    world.input(70, Input::Join(vec![peer(10)]));
    ask_all(&mut world, 4);
    world.run(SECOND * 60);
    let mut ended = BTreeMap::new();
    for (_, by, event) in &world.told {
        if let Event::Lookup { token, .. } = event {
            assert_eq!(ended.insert(*token, *by), None, "{token} ended twice");
        }
    }
    assert_eq!(ended, asked);
}

#[test]
fn in_a_quiet_ring_every_look_up_names_the_owner() {
    let ring = [10, 40, 70, 100, 130, 160, 190, 220];
    let mut world = World::grown(config(2), &ring);
    let key = |token: u64| Id::of_key(&token.to_be_bytes());
    for token in 0..200 {
        world.input(
            ring[token as usize % 8],
            Input::Lookup {
                token,
                key: key(token),
                traced: false,
            },
        );
    }
    world.run(SECOND);
    let mut ended = 0;
    for (_, _, event) in &world.told {
        if let Event::Lookup {
            token,
            result,
            timeouts,
        } = event
        {
            let owner = ring.iter().map(|&place| peer(place));
            let owner = owner.min_by_key(|owner| key(*token).distance_to(owner.id));
            assert_eq!(
                (result.map(|found| found.owner).ok(), *timeouts),
                (owner, 0)
            );
            ended += 1;
        }
    }
    assert_eq!(ended, 200);
}

#[test]
fn a_traced_look_up_tells_each_step_and_no_other_does() {
    let steps = |traced: bool| {
        let mut bench = Bench::member(10, 250, &[20, 30]);
        let (token, key) = (7, peer(100).id);
        bench.handle(Input::Lookup { token, key, traced });
        let closer = |peers| Reply::Closer(peers);
        let (_, number, _) = bench.question();
        bench.reply(30, number, closer(vec![peer(80)]));
        let (_, number, _) = bench.question();
        bench.late(number);
        let (_, number, _) = bench.question();
        bench.reply(20, number, closer(Vec::new()));
        bench.net.take_events()
    };
    let told = |place, step| Event::Step {
        token: 7,
        peer: peer(place),
        step,
    };
    let end = Event::Lookup {
        token: 7,
        result: Err(LookupError::NoRoute),
        timeouts: 1,
    };
    let expected = [
        told(30, Step::Asked),
        told(30, Step::Answered("closer")),
        told(80, Step::Asked),
        told(80, Step::Silent),
        told(20, Step::Asked),
        told(20, Step::Answered("closer")),
        end.clone(),
    ];
    assert_eq!(steps(true), expected);
    assert_eq!(steps(false), [end]);
}

#[test]
fn a_clone_given_the_same_inputs_stays_equal_and_hashes_equal() {
    let mut world = World::grown(config(3), &[10, 60, 120, 180]);
    // Forked in the midst of a step.
    while !world.node(60).maintenance.is_busy() {
        assert!(world.step(SECOND * 1000), "it stabilizes again and again");
    }
    let mut twin = Bench {
        node: world.node(60).clone(),
        net: Default::default(),
    };
    let mut other = Bench {
        node: world.node(60).clone(),
        net: Default::default(),
    };
    let config = Config::default();
    let inputs = [
        Input::Message {
            from: peer(50),
            message: Message::Notify,
            took: None,
        },
        Input::Lookup {
            token: 1,
            key: peer(200).id,
            traced: false,
        },
        Input::Message {
            from: peer(120),
            message: Message::Request {
                id: ASKED,
                request: Request::Neighbours,
            },
            took: Some(config.request_timeout),
        },
        Input::Remember(vec![peer(99)]),
        Input::Timer(Timer::Fingers),
        Input::Leave,
    ];
    for input in inputs {
        let before = twin.node.clone();
        twin.handle(input.clone());
        assert_ne!(
            (twin.node != before, twin.net.sent.len()),
            (false, 0),
            "{input:?} did nothing"
        );
        other.handle(input);
        assert_eq!(twin.node, other.node);
        assert_eq!(digest(&twin.node), digest(&other.node));
        assert_eq!(twin.net, other.net);
    }
    assert_ne!(
        &twin.node,
        world.node(60),
        "the one it was cloned from is untouched"
    );
}

#[test]
fn slow_replies_lengthen_the_wait_for_the_next() {
    let (mut bench, number, reply) = asking();
    let id = RequestId::of_node(1, number);
    let took = Some(Duration::from_millis(400));
    let message = Message::Reply { id, reply };
    bench.handle(Input::Message {
        from: peer(30),
        message,
        took,
    });
    bench.net.timers.clear();
    let number = bench.begin_step();
    let timer = |(timer, _): &&(Timer, _)| *timer == Timer::Request(number);
    let (_, after) = bench
        .net
        .timers
        .iter()
        .find(timer)
        .expect("a timer for the question");
    assert!(after.start > Duration::from_millis(400), "{after:?}");
}
