//! The way into a ring, with a list of nodes standing in for the network.

use super::*;
use crate::chord::ask::script::{drive, drive_in};
use crate::chord::{Recorder, VERSIONS};
use crate::ring::Id;
use crate::ring::test_peers::{peer, peers};
use proptest::prelude::*;

const HELLO: Hello = Hello {
    versions: VERSIONS,
    cluster: Id::ZERO,
    successors: 3,
    replicas: 3,
    incarnation: 1,
    member: false,
};
const MEMBER: Hello = Hello {
    member: true,
    ..HELLO
};

fn join(me: u8, contacts: &[u8]) -> Join {
    let config = Config {
        attempts: 1,
        ..Config::default()
    };
    Join::new(peer(me), HELLO, &config, peers(contacts))
}

fn list(me: u8, places: &[u8]) -> SuccessorList {
    SuccessorList::following(peer(me).id, peer(places[0]), &peers(&places[1..]), 9)
}

/// The answer of one that is outside and wants in.
fn on_the_way(contacts: &[u8]) -> Reply {
    Reply::Joining {
        hello: HELLO,
        running: 0,
        contacts: peers(contacts),
    }
}

/// The ring 10, 20, 30, 40 as its members see it.
fn ring(to: Peer, request: &Request) -> Option<Reply> {
    let (successors, before) = match (to.id.high() >> 56) as u8 {
        10 => (list(10, &[20, 30, 40]), peer(40)),
        20 => (list(20, &[30, 40, 10]), peer(10)),
        30 => (list(30, &[40, 10, 20]), peer(20)),
        40 => (list(40, &[10, 20, 30]), peer(30)),
        _ => return None,
    };
    let own = crate::ring::KeyRange::new(before.id, to.id);
    Some(match request {
        Request::Hello(_) => Reply::Hello(MEMBER),
        Request::Find { key, .. } if own.contains(*key) => Reply::Owner,
        Request::Find { confirm: true, .. } => Reply::Before(before),
        Request::Find { .. } => Reply::Covered(successors),
        _ => Reply::Neighbours {
            predecessor: before,
            successors,
        },
    })
}

#[test]
fn it_takes_the_list_of_the_member_before_it() {
    for contact in [10, 20, 30, 40] {
        let mut op = join(25, &[77, contact]);
        let (joined, asked) = drive(|ask| op.poll(ask), &mut ring);
        let expected = Neighbours::given(peer(25), peer(20), &peers(&[30, 40, 10]), 3);
        assert_eq!(
            joined,
            Joined::Member(expected),
            "through {contact}: {asked:?}"
        );
    }
}

#[test]
fn a_contact_that_does_not_fit_is_named_and_the_next_one_asked() {
    let mut op = join(25, &[50, 10]);
    let mut script = |to, request: &Request| {
        if to == peer(50) {
            Some(Reply::Refused(Refusal::Cluster))
        } else {
            ring(to, request)
        }
    };
    let mut net = Recorder::default();
    let (joined, _) = drive_in(&mut net, |ask| op.poll(ask), &mut script);
    assert!(matches!(joined, Joined::Member(_)), "{joined:?}");
    assert_eq!(net.events, [Event::Refused(peer(50), Refusal::Cluster)]);
}

#[test]
fn nobody_there_means_later_and_never_a_ring_of_ones_own() {
    let mut op = join(25, &[10, 20]);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        let (joined, _) = drive(|ask| op.poll(ask), &mut |_, _| None);
        let Joined::Later(pause) = joined else {
            panic!("{joined:?}")
        };
        pauses.push(pause.as_millis());
        op.start_again();
    }
    assert_eq!(
        pauses,
        [500, 1000, 2000, 2000, 2000, 2000, 2000, 2000, 2000, 2000]
    );
}

#[test]
fn who_was_a_member_goes_on_alone_if_nobody_answers_for_long_and_not_if_it_is_refused() {
    let ends = |script: &mut dyn FnMut(Peer, &Request) -> Option<Reply>| {
        let mut op = join(25, &[10, 20]).of_member();
        for round in 1..100 {
            match drive(|ask| op.poll(ask), &mut *script).0 {
                Joined::Alone => return Some(round),
                joined => assert!(matches!(joined, Joined::Later(_)), "{joined:?}"),
            }
            op.start_again();
        }
        None
    };
    // 0.5 + 1 s, and twenty-three pauses of two seconds, and half a second of silence in each of
    // twenty-six rounds: the first sum past twelve times five.
    assert_eq!(ends(&mut |_, _| None), Some(26));
    let refused = |_: Peer, _: &Request| Some(Reply::Refused(Refusal::Cluster));
    assert_eq!(ends(&mut { refused }), None);
    let member = |to: Peer, request: &Request| match request {
        // It is there, and can say nothing of the place.
        Request::Hello(_) if to == peer(20) => Some(Reply::Hello(MEMBER)),
        _ => None,
    };
    assert_eq!(ends(&mut { member }), None);
}

#[test]
fn of_several_outside_the_lowest_founds_after_a_while() {
    let outside = |_: Peer, _: &Request| Some(on_the_way(&[]));
    let mut lowest = join(5, &[10, 20]);
    let mut other = join(15, &[10, 20]);
    let mut rounds = 0;
    while drive(|ask| lowest.poll(ask), &mut { outside }).0 != Joined::Found(0) {
        lowest.start_again();
        rounds += 1;
    }
    // 0.5 + 1 + 2 + 2 s of pauses are the first sum past five.
    assert_eq!(rounds, 4);
    // One is before it, which may hear nobody: it waits four times longer for that one.
    let mut waits = 0;
    while drive(|ask| other.poll(ask), &mut { outside }).0 != Joined::Found(0) {
        other.start_again();
        waits += 1;
    }
    assert_eq!(waits, 14);
}

#[test]
fn who_does_not_mean_to_join_is_not_waited_for_and_nobody_to_found_with() {
    let mut op = join(15, &[10, 20]);
    let mut rounds = 0;
    let mut script = |to, _: &Request| match to == peer(10) {
        true => Some(Reply::Hello(HELLO)),
        false => Some(on_the_way(&[])),
    };
    while drive(|ask| op.poll(ask), &mut script).0 != Joined::Found(0) {
        op.start_again();
        rounds += 1;
    }
    assert_eq!(rounds, 4);
    let mut op = join(5, &[10]);
    for _ in 0..20 {
        let (joined, _) = drive(|ask| op.poll(ask), &mut |_, _| Some(Reply::Hello(HELLO)));
        assert!(matches!(joined, Joined::Later(_)), "{joined:?}");
        op.start_again();
    }
}

#[test]
fn whom_those_on_their_way_name_is_asked_in_the_same_round() {
    let mut op = join(25, &[50]);
    let mut script = |to, request: &Request| match to {
        to if to == peer(50) => Some(on_the_way(&[77, 25, 60])),
        to if to == peer(60) => Some(on_the_way(&[10, 50])),
        to => ring(to, request),
    };
    let (joined, asked) = drive(|ask| op.poll(ask), &mut script);
    assert!(matches!(joined, Joined::Member(_)), "{joined:?}");
    let greets = |(_, request): &&(Peer, Request)| matches!(request, Request::Hello(_));
    let greeted: Vec<Peer> = asked.iter().filter(greets).map(|(to, _)| *to).collect();
    assert_eq!(greeted, peers(&[50, 77, 60, 10]));
}

#[test]
fn somebody_who_joined_in_between_is_asked_instead() {
    // 20 has taken 22 in since the look-up; 22 brackets 25.
    let mut op = join(25, &[10]);
    let (joined, _) = drive(|ask| op.poll(ask), &mut |to, request| match request {
        Request::Neighbours if to == peer(20) => Some(Reply::Neighbours {
            predecessor: peer(10),
            successors: list(20, &[22, 30, 40]),
        }),
        Request::Neighbours if to == peer(22) => Some(Reply::Neighbours {
            predecessor: peer(20),
            successors: list(22, &[30, 40, 10]),
        }),
        _ => ring(to, request),
    });
    let expected = Neighbours::given(peer(25), peer(22), &peers(&[30, 40, 10]), 3);
    assert_eq!(joined, Joined::Member(expected));
}

proptest! {
    #[test]
    fn it_ends_whatever_others_say(
        replies in prop::collection::vec((0u8..9, any::<Vec<u8>>(), any::<u8>()), 1..60),
        contacts in prop::collection::vec(any::<u8>(), 0..40), me: u8,
    ) {
        let mut op = join(me, &contacts);
        let mut next = 0;
        let (joined, asked) = drive(|ask| op.poll(ask), &mut |to, request| {
            let (kind, places, place) = &replies[next % replies.len()];
            next += 1;
            if *kind == 0 { return None }
            let successors =
                SuccessorList::following(to.id, peer(*place), &peers(places), 9);
            Some(match (kind, request) {
                (1, _) => Reply::NotMember,
                (2, Request::Hello(_)) => on_the_way(places),
                (3, Request::Hello(_)) => Reply::Refused(Refusal::Successors),
                (_, Request::Hello(_)) => Reply::Hello(MEMBER),
                (4, Request::Find { .. }) => Reply::Owner,
                (_, Request::Find { confirm: true, .. }) => Reply::Before(peer(*place)),
                (5, Request::Find { .. }) => Reply::Covered(successors),
                (_, Request::Find { .. }) => Reply::Closer(peers(places)),
                _ => Reply::Neighbours { predecessor: peer(*place), successors },
            })
        });
        prop_assert!(asked.iter().all(|(to, _)| *to != peer(me)), "it asked itself");
        if let Joined::Member(neighbours) = joined {
            prop_assert!(!neighbours.successors().is_empty());
        }
    }
}
