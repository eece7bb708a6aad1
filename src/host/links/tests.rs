//! Which connection leads to whom, whatever comes and goes.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::host::ProtocolName;
use cuerda_core::chord::{Message, VERSIONS};

const MINE: [u8; 32] = [5; 32];
const IDLE: Duration = Duration::from_secs(300);

fn address(number: u16) -> Address {
    SocketAddr::from(([10, 0, 0, 1], number)).into()
}

/// The connection with this start of a process whose key is made of `key`.
fn link(key: u8, nodes: u8, instance: u64, dialled: Option<u16>) -> Link<Message> {
    let handshake = Handshake {
        protocol: VERSIONS,
        cluster: Id::ZERO,
        public_key: [key; 32],
        address: address(key.into()),
        nodes,
        incarnation: 1,
        proof: None,
        name: ProtocolName::default(),
    };
    let (frames, _) = mpsc::channel(1);
    let dialled = dialled.map(address);
    let start = Start { at_ms: 1, instance };
    Link::new(
        handshake,
        start,
        Admitted::default(),
        dialled,
        frames,
        Instant::now(),
    )
}

fn id(key: u8, index: u8) -> Id {
    Id::of_node(&[key; 32], index)
}

fn open(links: &mut Links<Message>, link: Link<Message>) -> u64 {
    let serial = links.next_serial();
    links.open(serial, link, &MINE);
    serial
}

fn waiting(id: Id, to: u16) -> Waiting<Message> {
    let address = address(to);
    Waiting {
        from: 0,
        to: Peer { id, address },
        message: Message::Notify,
    }
}

#[test]
fn every_node_of_a_process_is_found_by_its_id() {
    let mut links = Links::default();
    let serial = open(&mut links, link(7, 3, 1, None));
    for index in 0..3 {
        assert_eq!(links.find(id(7, index)), Some((serial, index)));
    }
    assert_eq!(links.find(id(7, 3)), None);
    assert_eq!(links.find(id(8, 0)), None);
    assert!(links.close(serial).is_some());
    assert_eq!(links.find(id(7, 0)), None);
    assert!(links.close(serial).is_none());
}

#[test]
fn of_two_dialled_at_once_both_ends_take_that_of_the_lower_key() {
    // The other key is lower, then higher; the two connections come about in either order.
    for (theirs, own_wins) in [(1, false), (9, true)] {
        for own_first in [true, false] {
            let mut links = Links::default();
            let own = link(theirs, 2, 1, Some(1));
            let other = link(theirs, 2, 1, None);
            let (own, other) = if own_first {
                let own = open(&mut links, own);
                (own, open(&mut links, other))
            } else {
                let other = open(&mut links, other);
                (open(&mut links, own), other)
            };
            let used = if own_wins { own } else { other };
            assert_eq!(links.find(id(theirs, 1)), Some((used, 1)));
            // The one left over still leads there when the first is gone.
            links.close(used);
            let left = if own_wins { other } else { own };
            assert_eq!(links.find(id(theirs, 1)), Some((left, 1)));
        }
    }
}

#[test]
fn a_later_connection_counts_if_it_is_no_coincidence() {
    // Started again since.
    let mut links = Links::default();
    open(&mut links, link(9, 1, 1, Some(1)));
    let later = open(&mut links, link(9, 1, 2, None));
    assert_eq!(links.find(id(9, 0)), Some((later, 0)));
    // The same end dialled again: the first one did not work for it.
    let mut links = Links::default();
    open(&mut links, link(1, 1, 1, None));
    let later = open(&mut links, link(1, 1, 1, None));
    assert_eq!(links.find(id(1, 0)), Some((later, 0)));
}

#[test]
fn a_process_that_hosts_fewer_nodes_by_another_connection_is_not_asked_for_more() {
    let mut links = Links::default();
    let few = open(&mut links, link(7, 1, 1, None));
    let many = open(&mut links, link(7, 3, 2, None));
    links.close(many);
    assert_eq!(links.find(id(7, 0)), Some((few, 0)));
    assert_eq!(links.find(id(7, 1)), None);
}

#[test]
fn an_address_is_dialled_once_for_all_that_wait_and_no_more_wait_than_there_is_room_for() {
    let (mut links, now) = (Links::default(), Instant::now());
    assert_eq!(
        links.wait(waiting(id(7, 0), 1), now),
        Wait::Dial(address(1))
    );
    for _ in 1..limits::DIALING {
        assert_eq!(links.wait(waiting(id(7, 0), 1), now), Wait::More);
    }
    assert_eq!(links.wait(waiting(id(7, 0), 1), now), Wait::Full);
    assert_eq!(links.dial_succeeded(address(1)).len(), limits::DIALING);
    assert_eq!(links.dial_succeeded(address(1)).len(), 0);
}

#[test]
fn addresses_that_failed_make_room_for_others_and_those_waited_for_do_not() {
    let (mut links, now) = (Links::default(), Instant::now());
    let most = limits::DIALS as u16;
    for to in 0..most {
        assert!(matches!(
            links.wait(waiting(id(7, 0), to), now),
            Wait::Dial(_)
        ));
    }
    assert_eq!(links.wait(waiting(id(7, 0), most), now), Wait::Full);
    assert_eq!(links.dial_failed(address(3), now, 0.5), 1);
    assert_eq!(
        links.wait(waiting(id(7, 0), most), now),
        Wait::Dial(address(most))
    );
    assert_eq!(links.dials.len(), limits::DIALS);
    assert_eq!(links.wait(waiting(id(7, 0), 3), now), Wait::Full);
}

#[test]
fn the_wait_after_a_failure_doubles_up_to_a_limit_and_is_forgotten_after_long() {
    for jitter in [0.0, 0.25, 0.999] {
        let (mut links, mut now) = (Links::default(), Instant::now());
        let mut rest = limits::BACK_OFF;
        for _ in 0..100 {
            assert_eq!(
                links.wait(waiting(id(7, 0), 1), now),
                Wait::Dial(address(1))
            );
            assert_eq!(links.dial_failed(address(1), now, jitter), 1);
            let until = now + rest.mul_f64(1.0 - jitter / 2.0);
            let early = until - Duration::from_millis(1);
            let wait = links.wait(waiting(id(7, 0), 1), early);
            assert_eq!(wait, Wait::DialAt(address(1), until));
            assert_eq!(links.wait(waiting(id(7, 0), 1), early), Wait::More);
            assert!(links.dial_planned(address(1)));
            assert!(!links.dial_planned(address(1)), "it is under way");
            now = until;
            assert_eq!(links.dial_failed(address(1), now, jitter), 2);
            rest = (rest * 4).min(limits::BACK_OFF_MAX);
            now += limits::BACK_OFF_MAX;
        }
        links.sweep(now + limits::BACK_OFF_MAX * 10, IDLE);
        assert!(links.dials.is_empty());
        assert!(!links.dial_planned(address(1)));
    }
}

#[test]
fn what_is_for_somebody_else_at_a_known_address_is_not_dialled() {
    let (mut links, now) = (Links::default(), Instant::now());
    let serial = open(&mut links, link(7, 1, 1, Some(1)));
    assert_eq!(links.wait(waiting(id(8, 0), 1), now), Wait::Misdirected);
    // Silent for long, it may belong to another process by now.
    let later = now + limits::PROVEN_FOR;
    let mut silent = Links::default();
    open(&mut silent, link(7, 1, 1, Some(1)));
    assert_eq!(
        silent.wait(waiting(id(8, 0), 1), later + IDLE),
        Wait::Dial(address(1))
    );
    // An address that he claims and nobody has dialled is another matter.
    open(&mut links, link(6, 1, 1, None));
    assert_eq!(
        links.wait(waiting(id(8, 0), 6), now),
        Wait::Dial(address(6))
    );
    links.close(serial);
    assert_eq!(
        links.wait(waiting(id(8, 0), 1), now),
        Wait::Dial(address(1))
    );
}

#[test]
fn only_what_is_unused_is_idle_whatever_the_limit() {
    let (mut links, now) = (Links::default(), Instant::now());
    let (one, two) = (
        open(&mut links, link(7, 1, 1, None)),
        open(&mut links, link(8, 1, 1, None)),
    );
    links.used(two, now + IDLE);
    assert_eq!(
        links.sweep(now + IDLE * 2 - Duration::from_secs(1), IDLE),
        [one]
    );
    assert_eq!(links.sweep(now + IDLE * 2, Duration::MAX), [0; 0]);
}

#[test]
fn room_is_made_at_the_cost_of_who_takes_most_and_uses_least() {
    let (mut links, now) = (Links::default(), Instant::now());
    let first = open(&mut links, link(1, 1, 1, None));
    let greedy: Vec<u64> = (0..limits::CONNECTIONS_PER_KEY)
        .map(|_| open(&mut links, link(2, 1, 1, None)))
        .collect();
    assert_eq!(links.surplus(&[1; 32]), None);
    assert_eq!(links.surplus(&[2; 32]), Some(greedy[0]));
    links.used(greedy[0], now + IDLE);
    assert_eq!(links.surplus(&[2; 32]), Some(greedy[1]));
    for number in links.len()..limits::CONNECTIONS {
        let mut other = link(3, 1, 1, None);
        other.handshake.public_key[..2].copy_from_slice(&(number as u16).to_be_bytes());
        open(&mut links, other);
    }
    assert_eq!(links.surplus(&[1; 32]), Some(first));
}

#[test]
fn a_full_queue_takes_no_more() {
    let mut links = Links::default();
    let (frames, mut receiver) = mpsc::channel(2);
    let handshake = link(7, 1, 1, None).handshake;
    let now = Instant::now();
    let serial = open(
        &mut links,
        Link::new(
            handshake,
            Start::default(),
            Admitted::default(),
            None,
            frames,
            now,
        ),
    );
    let envelope = || Envelope {
        from: 0,
        to: 0,
        message: Message::Notify,
    };
    assert!(links.send(serial, envelope(), now) && links.send(serial, envelope(), now));
    assert!(!links.send(serial, envelope(), now));
    assert!(receiver.try_recv().is_ok());
    assert!(links.send(serial, envelope(), now));
    drop(receiver);
    assert!(!links.send(serial, envelope(), now));
    assert!(!links.send(serial + 1, envelope(), now));
}

/// What may happen to the table.
#[derive(Clone, Debug)]
enum Step {
    Open(u8, u8, u64, Option<u16>),
    Close(prop::sample::Index),
    Wait(u8, u8, u16),
    Failed(u16, f64),
    Connected(u16),
    Planned(u16),
    Sweep(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let dialled = prop::option::of(0..4_u16);
    prop_oneof![
        4 => (3..8_u8, 0..4_u8, 1..3_u64, dialled)
            .prop_map(|(key, nodes, starts, dialled)| Step::Open(key, nodes, starts, dialled)),
        3 => any::<prop::sample::Index>().prop_map(Step::Close),
        4 => (3..8_u8, 0..4_u8, 0..4_u16).prop_map(|(key, node, to)| Step::Wait(key, node, to)),
        1 => (0..4_u16, 0.0..1.0).prop_map(|(to, jitter)| Step::Failed(to, jitter)),
        1 => (0..4_u16).prop_map(Step::Connected),
        1 => (0..4_u16).prop_map(Step::Planned),
        1 => (0..20_000_u64).prop_map(Step::Sweep),
    ]
}

proptest! {
    /// Whatever happens: who is found is connected and has proved the id, who is connected is
    /// found, and no message is lost without being told.
    #[test]
    fn find_leads_to_an_open_connection_that_proved_the_id(
        steps in prop::collection::vec(step(), 0..60)
    ) {
        let (mut links, mut now) = (Links::default(), Instant::now());
        let (mut kept, mut told) = (0, 0);
        for step in steps {
            match step {
                Step::Open(key, nodes, starts, dialled) => {
                    open(&mut links, link(key, nodes, starts, dialled));
                }
                Step::Close(index) if links.len() > 0 => {
                    let serials: Vec<u64> = links.iter().map(|(serial, _)| serial).collect();
                    prop_assert!(links.close(*index.get(&serials)).is_some());
                }
                Step::Close(_) => {}
                Step::Wait(key, node, to) => {
                    let known = links.dialled.contains_key(&address(to));
                    match links.wait(waiting(id(key, node), to), now) {
                        Wait::Misdirected => prop_assert!(known),
                        Wait::Full => {}
                        _ => kept += 1,
                    }
                }
                Step::Failed(to, jitter) => told += links.dial_failed(address(to), now, jitter),
                Step::Connected(to) => told += links.dial_succeeded(address(to)).len(),
                Step::Planned(to) => {
                    links.dial_planned(address(to));
                }
                Step::Sweep(millis) => {
                    now += Duration::from_millis(millis);
                    for serial in links.sweep(now, IDLE) {
                        prop_assert!(links.close(serial).is_some());
                    }
                }
            }
            for (key, node) in (3..8).flat_map(|key| (0..4).map(move |node| (key, node))) {
                let id = id(key, node);
                let proved = |link: &Link<Message>| link.ids.contains(&id);
                match links.find(id) {
                    Some((serial, index)) => {
                        let link = &links.links[&serial];
                        prop_assert_eq!(link.ids[usize::from(index)], id);
                        prop_assert_eq!(link.handshake.public_key, [key; 32]);
                    }
                    None => prop_assert!(!links.links.values().any(proved)),
                }
            }
            for (to, serial) in &links.dialled {
                prop_assert_eq!(links.links[serial].dialled, Some(*to));
            }
            let waiting: usize = links.dials.values().map(|dial| dial.waiting.len()).sum();
            prop_assert_eq!(kept, told + waiting);
        }
    }
}
