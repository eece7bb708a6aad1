//! Into a ring: founding, joining, and who is let in.

use super::world::*;
use crate::chord::{
    Config, Event, Hello, Input, Message, Node, PROTOCOL_VERSION, Refusal, Reply, Request, Timer,
    VERSIONS, Versions, VersionsApart,
};
use crate::ring::Id;
use crate::ring::test_peers::{peer, peers};

const TEN: [u8; 10] = [120, 30, 200, 10, 90, 31, 250, 60, 150, 5];

fn hello(member: bool) -> Hello {
    Hello {
        versions: VERSIONS,
        cluster: Id::of_key(b"cuerda"),
        successors: 3,
        replicas: 1,
        incarnation: 1,
        member,
    }
}

/// Everything in which a peer may differ, the gravest first.
fn misfits() -> [(Hello, Refusal); 4] {
    let base = hello(true);
    let later = Versions {
        newest: PROTOCOL_VERSION + 2,
        oldest: PROTOCOL_VERSION + 1,
    };
    [
        (
            Hello {
                versions: later,
                ..base
            },
            Refusal::Version(VersionsApart {
                ours: VERSIONS,
                theirs: later,
            }),
        ),
        (
            Hello {
                cluster: Id::of_key(b"other"),
                ..base
            },
            Refusal::Cluster,
        ),
        (
            Hello {
                successors: 4,
                ..base
            },
            Refusal::Successors,
        ),
        (
            Hello {
                replicas: 2,
                ..base
            },
            Refusal::Replicas,
        ),
    ]
}

#[test]
fn one_founds_and_nine_join_and_every_ring_on_the_way_is_ideal() {
    let mut world = World::new(config(3));
    world.start(TEN[0], 1, Input::Found);
    assert_eq!(world.around(TEN[0]), (TEN[0], vec![]));
    for count in 2..=TEN.len() {
        let contact = TEN[count / 2 - 1];
        world.start(TEN[count - 1], 1, Input::Join(vec![peer(contact)]));
        world.run(SECOND * 10);
        world.assert_ideal(&TEN[..count]);
        if count <= 4 {
            // At most r+1 members: each knows all the others.
            for place in &TEN[..count] {
                assert_eq!(world.around(*place).1.len(), count - 1);
            }
        }
    }
    assert_eq!(world.count(|event| *event == Event::Joined), TEN.len());
    assert_eq!(
        world.count(|event| matches!(event, Event::PresumedDead(_))),
        0
    );
}

#[test]
fn nine_that_join_at_the_same_instant_all_find_their_place() {
    let mut world = World::new(config(3));
    world.start(TEN[0], 1, Input::Found);
    for place in &TEN[1..] {
        world.start(*place, 1, Input::Join(vec![peer(TEN[0])]));
    }
    world.run(SECOND * 30);
    world.assert_ideal(&TEN);
}

#[test]
fn both_neighbours_know_a_newcomer_long_before_any_period_is_over() {
    let mut world = World::ideal(
        Config {
            stabilize_every: NEVER,
            ..config(3)
        },
        &[10, 100, 200],
    );
    world.start(150, 1, Input::Join(vec![peer(10)]));
    world.run(SECOND);
    assert_eq!(world.around(100).1[0], 150);
    assert_eq!(world.around(200).0, 150);
    assert_eq!(world.around(150), (100, vec![200, 10, 100]));
}

#[test]
fn a_ring_of_one_and_who_joins_it_do_not_hold_each_other_up() {
    let mut world = World::new(Config {
        stabilize_every: NEVER,
        ..config(3)
    });
    world.start(10, 1, Input::Found);
    world.start(150, 1, Input::Join(vec![peer(10)]));
    world.run(SECOND);
    world.assert_ideal(&[10, 150]);
}

#[test]
fn a_joiner_introduces_itself_and_stabilizes_at_once() {
    let mut joiner = Bench::outside(20);
    joiner.handle(Input::Join(peers(&[90])));
    let (to, number, request) = joiner.question();
    assert_eq!((to, request), (90, Request::Hello(hello(false))));
    joiner.reply(90, number, Reply::Hello(hello(true)));
    let (to, number, _) = joiner.question();
    assert_eq!(to, 90);
    joiner.reply(90, number, Reply::Covered(list(90, &[10, 30])));
    let (to, number, _) = joiner.question();
    assert_eq!(to, 30);
    joiner.reply(30, number, Reply::Owner);
    let (to, number, request) = joiner.question();
    assert_eq!((to, request), (30, Request::Neighbours));
    joiner.reply(30, number, neighbours(30, 10, &[90, 10]));
    let (to, number, request) = joiner.question();
    assert_eq!((to, request), (10, Request::Neighbours));
    assert!(!joiner.node.is_member());
    joiner.net.timers.clear();
    joiner.reply(10, number, neighbours(10, 90, &[30, 90]));

    assert!(joiner.node.is_member());
    assert_eq!(around(&joiner.node), (10, vec![30, 90]));
    assert!(joiner.net.take_events().contains(&Event::Joined));
    for timer in [Timer::Stabilize, Timer::Fingers] {
        assert_eq!(
            joiner
                .net
                .timers
                .iter()
                .filter(|(set, _)| *set == timer)
                .count(),
            1
        );
    }
    let sent = joiner.sent();
    assert!(sent.contains(&(10, Message::Introduce(peer(20)))));
    let stabilizes = |(to, message): &(u8, Message)| {
        *to == 30
            && matches!(
                message,
                Message::Request {
                    request: Request::Neighbours,
                    ..
                }
            )
    };
    assert!(sent.iter().any(stabilizes), "{sent:?}");
}

#[test]
fn until_it_is_a_member_it_says_so_to_every_question_but_hello() {
    let mut outside = Bench::outside(20);
    let mut joining = Bench::outside(20);
    joining.handle(Input::Join(peers(&[90])));
    let key = peer(15).id;
    for bench in [&mut outside, &mut joining] {
        bench.sent();
        for request in [
            Request::Ping,
            Request::Neighbours,
            Request::Find {
                key,
                confirm: false,
            },
            Request::Find { key, confirm: true },
            Request::Leaving {
                predecessor: peer(3),
                successors: list(40, &[50]),
            },
        ] {
            bench.ask(40, request);
            assert_eq!(bench.replied(), [(40, Reply::NotMember)]);
        }
        bench.ask(40, Request::Hello(hello(true)));
        let hello = hello(false);
        let greeted = match bench.node.membership() {
            crate::chord::Membership::Joining => Reply::Joining {
                hello,
                running: 0,
                contacts: peers(&[90]),
            },
            _ => Reply::Hello(hello),
        };
        assert_eq!(bench.replied(), [(40, greeted)]);
        for message in [Message::Notify, Message::Introduce(peer(5))] {
            bench.hear(40, message);
        }
        assert_eq!((bench.sent(), bench.net.take_events()), (vec![], vec![]));
    }
}

#[test]
fn not_a_member_counts_as_silence_at_once_at_whoever_asked() {
    let mut bench = Bench::member(20, 10, &[30, 40]);
    let number = bench.begin_step();
    bench.reply(30, number, Reply::NotMember);
    assert!(bench.net.events.contains(&Event::PresumedDead(peer(30))));
    assert_eq!(around(&bench.node), (10, vec![40]));
    assert!(bench.sent().contains(&(40, Message::Notify)));
}

#[test]
fn who_does_not_fit_is_refused_by_members_and_by_others() {
    for mut bench in [Bench::outside(20), Bench::member(20, 10, &[30])] {
        for (theirs, refusal) in misfits() {
            bench.ask(40, Request::Hello(theirs));
            let seen_there = Reply::Refused(refusal.mirrored());
            assert_eq!(bench.replied(), [(40, seen_there)]);
            assert_eq!(bench.net.take_events(), [Event::Refused(peer(40), refusal)]);
        }
    }
}

#[test]
fn a_later_release_that_understands_this_one_may_come_in() {
    let mut bench = Bench::member(20, 10, &[30]);
    let versions = Versions {
        newest: PROTOCOL_VERSION + 1,
        oldest: PROTOCOL_VERSION,
    };
    let later = Hello {
        versions,
        ..hello(false)
    };
    bench.ask(40, Request::Hello(later));
    let replied = bench.replied();
    assert!(
        matches!(replied[..], [(40, Reply::Hello(ours))] if ours.versions == VERSIONS),
        "{replied:?}"
    );
    assert_eq!(bench.net.take_events(), []);
}

#[test]
fn a_joiner_passes_over_contacts_that_do_not_fit_whichever_side_says_so() {
    for (theirs, refusal) in misfits() {
        for reply in [Reply::Hello(theirs), Reply::Refused(refusal)] {
            let mut joiner = Bench::outside(20);
            joiner.handle(Input::Join(peers(&[90, 100])));
            let [(to, number, _), (other, next, _)] = joiner.asked()[..] else {
                panic!("both are asked side by side")
            };
            joiner.reply(to, number, reply);
            assert_eq!(
                joiner.net.take_events(),
                [Event::Refused(peer(90), refusal)]
            );
            joiner.reply(other, next, Reply::Hello(hello(true)));
            let (to, _, request) = joiner.question();
            assert_eq!((to, other), (100, 100));
            assert!(matches!(request, Request::Find { .. }), "{request:?}");
        }
    }
}

#[test]
fn strangers_never_become_one_ring() {
    let mut world = World::grown(config(3), &[10, 100, 200]);
    let other = Config {
        cluster: "other".to_owned(),
        ..config(3)
    };
    let stranger = Node::new(peer(50), other.into(), 1);
    world.start_with(stranger, Input::Join(peers(&[10, 100])));
    world.run(SECOND * 30);
    world.assert_ideal(&[10, 100, 200]);
    assert!(!world.node(50).is_member());
    assert!(
        world
            .told_by(50)
            .contains(&&Event::Refused(peer(10), Refusal::Cluster))
    );
    assert!(
        world
            .told_by(10)
            .contains(&&Event::Refused(peer(50), Refusal::Cluster))
    );
}

#[test]
fn found_and_join_mean_nothing_to_a_member() {
    let mut bench = Bench::member(20, 10, &[30]);
    let before = bench.node.clone();
    bench.handle(Input::Found);
    bench.handle(Input::Join(peers(&[90])));
    assert_eq!(bench.node, before);
    assert_eq!((bench.sent(), bench.net.events), (vec![], vec![]));
}
