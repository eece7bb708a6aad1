//! Joining, founding, finding back, leaving, and one life after another.

use super::*;
use cuerda_core::chord::{Hello, VERSIONS};

fn joining() -> Scene {
    let mut scene = Scene::new();
    let greet = [(10, ask(1, Request::Hello(hello(false))))];
    let order = Input::Join(peers(&[10]));
    let alone = Neighbours::alone(peer(35), ROOM);
    assert!(scene.step(35, order, &greet, &alone).is_empty());
    scene
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

fn joins(
    scene: &Scene,
    answer: Input<Node>,
    sent: &[(u8, Message)],
    after: &Neighbours,
) -> Vec<&'static str> {
    scene
        .clone()
        .tell(35, answer, sent, &[Aside::Joined], after)
}

#[test]
fn a_joiner_takes_its_predecessors_list_whole_and_says_that_it_is_there() {
    let scene = joining();
    let answer = || from(30, told(2, 20, 30, &[40, 50, 60]));
    let introduces = (30, Message::Introduce(peer(35)));
    let stabilizes = (40, ask(3, Request::Neighbours));
    let all = [introduces.clone(), stabilizes.clone()];
    let after = neighbours(35, 30, &[40, 50, 60]);
    let right = joins(&scene, answer(), &all, &after);
    assert!(right.is_empty(), "{right:?}");
    assert_eq!(joins(&scene, answer(), &all[1..], &after), ["unintroduced"]);
    assert_eq!(joins(&scene, answer(), &all[..1], &after), ["joiner-waits"]);
    let head = neighbours(35, 30, &[40]);
    assert_eq!(joins(&scene, answer(), &all, &head), ["list-not-taken"]);
    // What it named first was an earlier life, and no way past others.
    let still_named = || from(30, told(2, 20, 30, &[35, 40, 50, 60]));
    assert!(joins(&scene, still_named(), &all, &after).is_empty());
    let past = from(30, told(2, 20, 30, &[40, 35, 50, 60]));
    assert_eq!(joins(&scene, past, &all, &after), ["list-not-taken"]);
    let elsewhere = from(10, told(2, 60, 10, &[20, 30, 40]));
    let after = neighbours(35, 10, &[20, 30, 40]);
    let all = [
        (10, Message::Introduce(peer(35))),
        (20, ask(3, Request::Neighbours)),
    ];
    assert_eq!(joins(&scene, elsewhere, &all, &after), ["unbracketed-join"]);
}

#[test]
fn a_ring_is_founded_after_the_wait_by_the_lowest_and_by_no_member() {
    let mut scene = joining();
    let alone = Neighbours::alone(peer(35), ROOM);
    let due = || Input::Timer(cuerda_core::chord::Timer::Join);
    let founds = |scene: &Scene, input: Input<Node>| {
        scene.clone().tell(35, input, &[], &[Aside::Joined], &alone)
    };
    assert_eq!(founds(&scene, due()), ["founds-too-soon"]);
    scene.now += 4 * SECOND;
    assert_eq!(
        founds(&scene, due()),
        ["founds-too-soon"],
        "it hears nobody"
    );
    let long = Scene {
        now: scene.now + 60 * SECOND,
        ..scene.clone()
    };
    assert!(founds(&long, due()).is_empty());
    let outside = || {
        let hello = hello(false);
        let contacts = Vec::new();
        from(
            10,
            reply(
                1,
                Reply::Joining {
                    hello,
                    running: 0,
                    contacts,
                },
            ),
        )
    };
    assert_eq!(founds(&scene, outside()), ["founds-out-of-turn"]);
    // That one may hear nobody: it is not waited for without end.
    let later = Scene {
        now: scene.now + 20 * SECOND,
        ..scene.clone()
    };
    assert!(founds(&later, outside()).is_empty());
    let ordered = founds(&scene, Input::Found);
    assert!(ordered.is_empty(), "{ordered:?}");

    let asides = [Aside::Gone(Gone::Stranded), Aside::Joined];
    let mut scene = Scene::new();
    let alone = Neighbours::alone(peer(30), ROOM);
    assert_eq!(
        scene.tell(30, late(1), &[], &asides, &alone),
        ["founds-own-ring"]
    );
}

#[test]
fn a_stranded_node_goes_back_as_far_as_they_lie_ahead() {
    let mut scene = Scene::new();
    let none = neighbours(30, 20, &[]);
    // Its last successor has been silent twice.
    let only = neighbours(30, 20, &[40]);
    let asks = [(40, ask(1, Request::Neighbours))];
    let due = || Input::Timer(cuerda_core::chord::Timer::Stabilize);
    assert!(scene.step(20, due(), &[], &ideal(20)).is_empty());
    scene.watched.seen(30).neighbours = Some(only.clone());
    assert!(scene.step(30, due(), &asks, &only).is_empty());
    assert!(scene.step(30, late(1), &asks, &only).is_empty());
    let first = [(60, ask(2, Request::Neighbours))];
    let stranded = [Aside::Gone(Gone::Stranded)];
    assert!(scene.tell(30, late(1), &first, &stranded, &none).is_empty());

    let answer = |number, of, before| from(of, told(number, before, of, &[70, 80]));
    let found = neighbours(30, 20, &[60, 70, 80]);
    let stabilizes = [(60, ask(9, Request::Neighbours))];
    let joined = [Aside::Joined];
    let back = |scene: &Scene, input| scene.clone().tell(30, input, &stabilizes, &joined, &found);
    assert_eq!(back(&scene, answer(2, 60, 50)), ["retreat-stops-short"]);
    assert!(back(&scene, answer(2, 60, 20)).is_empty(), "it lies behind");
    assert!(
        scene
            .step(
                30,
                answer(2, 60, 50),
                &[(50, ask(3, Request::Neighbours))],
                &none
            )
            .is_empty()
    );
    assert!(back(&scene, late(3)).is_empty(), "nobody nearer answers");
}

#[test]
fn a_leaver_tells_both_neighbours() {
    let scene = Scene::new();
    let says = |number| {
        let leaving = Request::Leaving {
            predecessor: peer(20),
            successors: list(30, &[40, 50, 60]),
        };
        ask(number, leaving)
    };
    let leaves = |sent: &[(u8, Message)]| {
        let asides = [Aside::Gone(Gone::Left)];
        scene
            .clone()
            .tell(30, Input::Leave, sent, &asides, &ideal(30))
    };
    assert!(leaves(&[(40, says(1)), (20, says(2))]).is_empty());
    assert_eq!(leaves(&[(40, says(1))]), ["untold-departure"]);
    assert_eq!(leaves(&[]), ["untold-departure", "untold-departure"]);
}

#[test]
fn who_was_there_before_may_hear_answers_to_what_it_asked_before() {
    let mut scene = Scene::new();
    let heard = from(20, reply(1, Reply::Hello(hello(true))));
    let rules = scene.step(30, heard, &[], &ideal(30));
    assert!(!rules.contains(&"earlier-reply"), "{rules:?}");
}

#[test]
fn each_life_has_a_greater_number_and_takes_no_reply_to_another() {
    let mut scene = joining();
    let alone = Neighbours::alone(peer(35), ROOM);
    let greets = |incarnation| {
        let id = RequestId::of_node(incarnation, 1);
        let request = Request::Hello(hello(false));
        [(10, Message::Request { id, request })]
    };
    let again = || Input::Join(peers(&[10]));
    let same = scene.would(35, again(), &greets(1), &alone);
    assert_eq!(same, ["incarnation-not-increased"]);
    assert!(scene.step(35, again(), &greets(2), &alone).is_empty());

    let old = || from(10, reply(1, Reply::Hello(hello(true))));
    assert_eq!(scene.would(35, old(), &[], &alone), ["earlier-reply"]);
    let ignored = Event::Ignored(peer(10), cuerda_core::protocol::Ignored::Unasked);
    assert!(
        scene
            .tell(35, old(), &[], &[Aside::Event(ignored)], &alone)
            .is_empty()
    );
}
