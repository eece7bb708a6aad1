//! Look-ups.

use super::*;
use crate::world::LookupEnd;
use cuerda_core::protocol::OwnerFound;

const KEY: u8 = 55;

fn find(number: u32, confirm: bool) -> Message {
    let key = peer(KEY).id;
    ask(number, Request::Find { key, confirm })
}

fn looking_up() -> Scene {
    let mut scene = Scene::new();
    let (token, key, traced) = (1, peer(KEY).id, false);
    let order = Input::Lookup { token, key, traced };
    assert!(
        scene
            .step(10, order, &[(40, find(1, false))], &ideal(10))
            .is_empty()
    );
    scene
}

#[test]
fn it_goes_on_to_whoever_is_named() {
    let scene = looking_up();
    let closer = || from(40, reply(1, Reply::Closer(peers(&[50]))));
    assert_eq!(
        scene.would(10, closer(), &[], &ideal(10)),
        ["look-up-given-up"]
    );
    assert!(
        scene
            .would(10, closer(), &[(50, find(2, false))], &ideal(10))
            .is_empty()
    );
    let covered = || from(40, reply(1, Reply::Covered(list(40, &[50, 60, 10]))));
    assert_eq!(
        scene.would(10, covered(), &[], &ideal(10)),
        ["owner-unconfirmed"]
    );
    assert!(
        scene
            .would(10, covered(), &[(60, find(2, true))], &ideal(10))
            .is_empty()
    );
}

#[test]
fn it_asks_nobody_twice_who_answered() {
    let mut scene = looking_up();
    let closer = || from(40, reply(1, Reply::Closer(peers(&[50]))));
    assert_eq!(
        scene.would(10, closer(), &[(40, find(2, false))], &ideal(10)),
        ["asked-twice"]
    );
    // Silence is no answer.
    assert!(
        scene
            .step(10, closer(), &[(50, find(2, false))], &ideal(10))
            .is_empty()
    );
    assert!(
        scene
            .would(10, late(2), &[(50, find(3, true))], &ideal(10))
            .is_empty()
    );
}

#[test]
fn a_silence_does_not_end_it_while_others_are_left() {
    let mut scene = looking_up();
    let closer = from(40, reply(1, Reply::Closer(peers(&[50, 45]))));
    assert!(
        scene
            .step(10, closer, &[(50, find(2, false))], &ideal(10))
            .is_empty()
    );
    assert_eq!(
        scene.would(10, late(2), &[], &ideal(10)),
        ["look-up-given-up"]
    );
    assert!(
        scene
            .would(10, late(2), &[(45, find(3, false))], &ideal(10))
            .is_empty()
    );
}

#[test]
fn it_goes_back_to_a_predecessor_that_lies_at_the_key_or_behind_it() {
    let mut scene = looking_up();
    let covered = from(40, reply(1, Reply::Covered(list(40, &[50, 60, 10]))));
    assert!(
        scene
            .step(10, covered, &[(60, find(2, true))], &ideal(10))
            .is_empty()
    );
    let before = |place: u8| from(60, reply(2, Reply::Before(peer(place))));
    for nearer in [KEY, KEY + 2] {
        let rules = scene.would(10, before(nearer), &[], &ideal(10));
        assert_eq!(rules, ["nearer-owner-unasked"]);
        assert!(
            scene
                .would(10, before(nearer), &[(nearer, find(3, true))], &ideal(10))
                .is_empty()
        );
    }
    assert!(
        scene.would(10, before(50), &[], &ideal(10)).is_empty(),
        "it owns the key"
    );
}

#[test]
fn whoever_is_named_as_the_owner_has_said_so() {
    let mut scene = looking_up();
    let covered = from(40, reply(1, Reply::Covered(list(40, &[50, 60, 10]))));
    assert!(
        scene
            .step(10, covered, &[(60, find(2, true))], &ideal(10))
            .is_empty()
    );
    let named = |owner: u8| {
        let mut scene = scene.clone();
        let at = Moment {
            now: scene.now,
            cause: Cause::Start,
        };
        scene
            .watched
            .handles(at, 10, &from(60, reply(2, Reply::Owner)));
        let owner = OwnerFound {
            owner: peer(owner),
            hops: 2,
            hops_to_predecessor: 1,
        };
        scene.watched.lookup_ended(
            at,
            &LookupEnd {
                lookup: 1,
                asker: 10,
                key: peer(KEY).id,
                issued: 0,
                result: Ok((60, owner)),
                timeouts: 0,
            },
        );
        let view = NodeView {
            number: 10,
            peer: peer(10),
            view: &ideal(10),
        };
        scene.watched.handled(at, view);
        let breaches = scene.watched.breaches();
        breaches
            .into_iter()
            .map(|breach| breach.rule)
            .collect::<Vec<_>>()
    };
    assert!(named(60).is_empty());
    assert_eq!(named(50), ["owner-unconfirmed"]);
}

#[test]
fn a_node_says_of_a_key_what_its_predecessor_says_of_it() {
    let scene = Scene::new();
    let asked = || from(10, find(1, true));
    let yes = [(10, reply(1, Reply::Owner))];
    let no = |before: u8| [(10, reply(1, Reply::Before(peer(before))))];
    assert!(scene.would(60, asked(), &yes, &ideal(60)).is_empty());
    assert_eq!(
        scene.would(60, asked(), &no(50), &ideal(60)),
        ["false-owner"]
    );
    assert!(scene.would(50, asked(), &no(40), &ideal(50)).is_empty());
    assert_eq!(scene.would(50, asked(), &yes, &ideal(50)), ["false-owner"]);
}
