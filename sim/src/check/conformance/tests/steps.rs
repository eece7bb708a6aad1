//! Stabilize, rectify, reunion.

use super::*;
use cuerda_core::chord::{Hello, Timer, VERSIONS};

fn stabilizing() -> Scene {
    let mut scene = Scene::new();
    let due = || Input::Timer(Timer::Stabilize);
    let asks = [(40, ask(1, Request::Neighbours))];
    assert!(scene.step(30, due(), &asks, &ideal(30)).is_empty());
    scene
}

#[test]
fn a_successor_that_answers_is_notified_and_its_list_taken_over() {
    let scene = stabilizing();
    let answer = || from(40, told(1, 30, 40, &[50, 60, 10]));
    let right = scene.would(30, answer(), &[(40, Message::Notify)], &ideal(30));
    assert!(right.is_empty(), "{right:?}");
    assert_eq!(scene.would(30, answer(), &[], &ideal(30)), ["unnotified"]);
    let short = neighbours(30, 20, &[40, 50]);
    let taken = scene.would(30, answer(), &[(40, Message::Notify)], &short);
    assert_eq!(taken, ["list-not-taken"]);
}

#[test]
fn whoever_the_successor_names_as_nearer_is_asked_before_it_is_adopted() {
    let mut scene = stabilizing();
    let answer = || from(40, told(1, 35, 40, &[50, 60, 10]));
    let asks = [(35, ask(2, Request::Neighbours))];
    assert_eq!(
        scene.would(30, answer(), &[], &ideal(30)),
        ["nearer-unasked"]
    );
    let unasked = neighbours(30, 20, &[35, 40, 50]);
    let rules = scene.would(30, answer(), &asks, &unasked);
    assert_eq!(rules, ["unasked-successor"]);
    assert!(scene.step(30, answer(), &asks, &ideal(30)).is_empty());

    let answer = || from(35, told(2, 20, 35, &[40, 50, 60]));
    let notify = (35, Message::Notify);
    let adopted = neighbours(30, 20, &[35, 40, 50]);
    let right = scene.would(30, answer(), std::slice::from_ref(&notify), &adopted);
    assert!(right.is_empty(), "{right:?}");
    assert_eq!(scene.would(30, answer(), &[], &adopted), ["unnotified"]);

    // It belongs to another ring, and does not list the successor whose place it took.
    let apart = || from(35, told(2, 20, 35, &[45, 55, 65]));
    let adopted = neighbours(30, 20, &[35, 45, 55]);
    let rules = scene.would(30, apart(), std::slice::from_ref(&notify), &adopted);
    assert_eq!(rules, ["not-handed-on"]);
    let key = peer(40).id;
    let find = Request::Find {
        key,
        confirm: false,
    };
    let right = scene.would(30, apart(), &[notify.clone(), (35, ask(3, find))], &adopted);
    assert!(right.is_empty(), "{right:?}");
    // It may have as many look-ups as it may: probes of an earlier period are not answered yet.
    let mut busy = scene.clone();
    let probes: Vec<_> = (0..8)
        .map(|at| {
            (
                100 + at,
                ask(u32::from(10 + at), Request::Hello(hello(true))),
            )
        })
        .collect();
    for said in [&probes[..], &[]] {
        let due = Input::Timer(Timer::Stabilize);
        let _ = busy.step(30, due, said, &ideal(30));
    }
    let right = busy.would(30, apart(), std::slice::from_ref(&notify), &adopted);
    assert!(right.is_empty(), "{right:?}");
    busy.now += 10 * crate::world::SECOND;
    let rules = busy.would(30, apart(), std::slice::from_ref(&notify), &adopted);
    assert_eq!(rules, ["not-handed-on"]);

    // It is silent.
    assert!(
        scene
            .step(
                30,
                late(2),
                &[(35, ask(2, Request::Neighbours))],
                &ideal(30)
            )
            .is_empty()
    );
    let right = scene.would(30, late(2), &[(40, Message::Notify)], &ideal(30));
    assert!(right.is_empty(), "{right:?}");
    assert_eq!(scene.would(30, late(2), &[], &ideal(30)), ["unnotified"]);
}

#[test]
fn a_successor_is_dropped_after_as_many_silences_as_it_takes_and_the_next_is_notified() {
    let mut scene = stabilizing();
    let dropped = neighbours(30, 20, &[50, 60]);
    let notify = [(50, Message::Notify)];
    assert_eq!(
        scene.would(30, late(1), &notify, &dropped),
        ["hasty-silence"]
    );
    let again = [(40, ask(1, Request::Neighbours))];
    assert!(scene.step(30, late(1), &again, &ideal(30)).is_empty());
    assert!(scene.would(30, late(1), &notify, &dropped).is_empty());
    assert_eq!(scene.would(30, late(1), &[], &dropped), ["unnotified"]);
    // It says that it is busy: then nobody is dead.
    assert!(
        scene
            .step(30, from(40, reply(1, Reply::Busy)), &[], &ideal(30))
            .is_empty()
    );
    assert_eq!(
        scene.would(30, late(1), &notify, &dropped),
        ["hasty-silence"]
    );
    let stranger = scene.would(30, from(10, Message::Notify), &notify, &dropped);
    assert!(stranger.contains(&"hasty-silence"), "{stranger:?}");
}

#[test]
fn a_successor_that_leaves_is_followed_by_the_next_which_is_notified() {
    let scene = Scene::new();
    let leaving = || {
        let successors = list(40, &[50, 60, 10]);
        let predecessor = peer(30);
        from(
            40,
            ask(
                9,
                Request::Leaving {
                    predecessor,
                    successors,
                },
            ),
        )
    };
    let after = neighbours(30, 20, &[50, 60]);
    let noted = (40, reply(9, Reply::Noted));
    let right = [noted.clone(), (50, Message::Notify)];
    assert!(scene.would(30, leaving(), &right, &after).is_empty());
    assert_eq!(scene.would(30, leaving(), &[noted], &after), ["unnotified"]);
}

#[test]
fn nothing_is_said_about_oneself_while_a_step_is_open() {
    let scene = stabilizing();
    let question = || from(20, ask(7, Request::Neighbours));
    let says = [(20, told(7, 20, 30, &[40, 50, 60]))];
    assert_eq!(
        scene.would(30, question(), &says, &ideal(30)),
        ["told-in-step"]
    );
    let waits = [(20, reply(7, Reply::Busy))];
    assert!(scene.would(30, question(), &waits, &ideal(30)).is_empty());
    assert!(
        Scene::new()
            .step(30, question(), &says, &ideal(30))
            .is_empty()
    );
}

#[test]
fn a_farther_predecessor_comes_after_a_silent_ping_and_never_none() {
    let mut scene = Scene::new();
    let farther = neighbours(30, 10, &[40, 50, 60]);
    let notify = || from(10, Message::Notify);
    assert_eq!(
        scene.would(30, notify(), &[], &farther),
        ["unpinged-predecessor"]
    );
    assert_eq!(
        scene.would(30, notify(), &[], &ideal(30)),
        ["predecessor-unchecked"]
    );
    let nearer = neighbours(30, 25, &[40, 50, 60]);
    assert!(
        scene
            .would(30, from(25, Message::Notify), &[], &nearer)
            .is_empty()
    );

    let ping = [(20, ask(1, Request::Ping))];
    assert!(scene.step(30, notify(), &ping, &ideal(30)).is_empty());
    let pong = from(20, reply(1, Reply::Pong));
    assert_eq!(
        scene.would(30, pong, &[], &farther),
        ["unpinged-predecessor"]
    );
    assert!(scene.step(30, late(1), &ping, &ideal(30)).is_empty());
    assert!(scene.would(30, late(1), &[], &farther).is_empty());
    let none = neighbours(30, 30, &[40, 50, 60]);
    assert_eq!(
        scene.would(30, late(1), &[], &none),
        ["predecessor-forgotten"]
    );
}

fn hello(member: bool) -> Hello {
    Hello {
        versions: VERSIONS,
        cluster: Id::ZERO,
        successors: ROOM,
        replicas: 3,
        incarnation: 1,
        member,
    }
}

#[test]
fn probes_back_off_and_one_that_answers_is_asked_for_ones_own_place() {
    let mut scene = Scene::new();
    let due = || Input::Timer(Timer::Stabilize);
    let probe = |number| [(90, ask(number, Request::Hello(hello(true))))];
    assert!(scene.step(30, due(), &probe(1), &ideal(30)).is_empty());
    // The second must wait for two periods, the third for four.
    assert_eq!(
        scene.would(30, due(), &probe(2), &ideal(30)),
        ["probes-too-often"]
    );
    assert!(scene.step(30, due(), &[], &ideal(30)).is_empty());
    assert!(scene.step(30, due(), &probe(2), &ideal(30)).is_empty());
    for _ in 0..3 {
        assert_eq!(
            scene.would(30, due(), &probe(3), &ideal(30)),
            ["probes-too-often"]
        );
        assert!(scene.step(30, due(), &[], &ideal(30)).is_empty());
    }
    assert!(scene.step(30, due(), &probe(3), &ideal(30)).is_empty());

    // An answer to an earlier one, which comes late, counts as well.
    for number in [2, 3] {
        let answer = from(90, reply(number, Reply::Hello(hello(true))));
        assert_eq!(
            scene.would(30, answer, &[], &ideal(30)),
            ["reunion-not-sought"]
        );
    }
    let answer = || from(90, reply(2, Reply::Hello(hello(true))));
    let key = peer(30).id;
    let seek = [(
        90,
        ask(
            4,
            Request::Find {
                key,
                confirm: false,
            },
        ),
    )];
    assert!(scene.step(30, answer(), &seek, &ideal(30)).is_empty());
    // One that has answered may be probed soon again.
    assert!(scene.would(30, due(), &probe(5), &ideal(30)).is_empty());

    // The owner of its place there is asked, or hears of it.
    let found = || from(90, reply(4, Reply::Owner));
    assert_eq!(
        scene.would(30, found(), &[], &ideal(30)),
        ["home-not-contacted"]
    );
    assert!(
        scene
            .would(30, found(), &[(90, Message::Notify)], &ideal(30))
            .is_empty()
    );
}

#[test]
fn whoever_left_may_have_had_nobody_else_before_it() {
    let alone = neighbours(30, 30, &[40, 50, 60]);
    let leaves = |predecessor: u8| {
        let (predecessor, successors) = (peer(predecessor), list(20, &[30, 40, 50]));
        let request = Request::Leaving {
            predecessor,
            successors,
        };
        from(20, ask(1, request))
    };
    let scene = Scene::new();
    assert!(scene.would(30, leaves(30), &[], &alone).is_empty());
    assert_eq!(
        scene.would(30, leaves(10), &[], &alone),
        ["predecessor-forgotten"]
    );
}

#[test]
fn a_member_stabilizes_again_and_again() {
    let mut scene = Scene::new();
    assert!(scene.step(30, late(0), &[], &ideal(30)).is_empty());
    scene.now += 10 * 60 * SECOND;
    let asks = [(40, ask(1, Request::Neighbours))];
    assert_eq!(
        scene.would(30, late(0), &[], &ideal(30)),
        ["not-stabilized"]
    );
    assert!(scene.would(30, late(0), &asks, &ideal(30)).is_empty());
}
