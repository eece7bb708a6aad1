//! Any sequence of envelopes, handed to a node that has neighbours and questions of its own: it
//! never panics, keeps its lists within bounds, stays its own node, and sends to one envelope no
//! more than a handful.
//!
//! The bytes are frames as they travel, with one byte before each that says who sends it or
//! which timer is due. A reply needs the number of an open question: numbers begin at one, so
//! that the fuzzer finds them.
#![no_main]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use cuerda::host::Frame;
use cuerda::node::{Config, Input, Node, Recorder, limits};
use cuerda::ring::{Fingers, Id, Neighbours, Peer};
use libfuzzer_sys::fuzz_target;

fn peer(number: u8) -> Peer {
    let address = SocketAddr::from(([10, 0, 0, number], 4000)).into();
    Peer {
        id: Id::of_key(&[number]),
        address,
    }
}

/// A member between others, one that is joining, or one that stands outside.
fn node(kind: u8, world: &mut Recorder) -> Node {
    let config = Arc::new(Config::default());
    let mut node = Node::new(peer(0), Arc::clone(&config), 1);
    match kind % 4 {
        0 => {
            let mut others: Vec<Peer> = (1..8).map(peer).collect();
            others.sort_by_key(|other| peer(0).id.distance_to(other.id));
            let (room, before) = (config.successors, others[6]);
            let neighbours = Neighbours::given(peer(0), before, &others, room);
            node = Node::member(config, 1, neighbours, Fingers::new());
            node.handle(Input::Resume, world);
        }
        1 => node.handle(Input::Join((1..4).map(peer).collect()), world),
        2 => node.handle(Input::Found, world),
        _ => {}
    }
    node
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else {
        return;
    };
    let mut world = Recorder::default();
    let mut node = node(*kind, &mut world);
    let mut buffer = BytesMut::from(bytes);
    while buffer.len() > 1 {
        let who = buffer.get_u8();
        let input = if who >= 128 {
            // One of the timers that it has set; each comes back once.
            if world.timers.is_empty() {
                continue;
            }
            let at = usize::from(who - 128) % world.timers.len();
            Input::Timer(world.timers.swap_remove(at).0)
        } else if who >= 120 {
            let (token, key) = (u64::from(who), Id::of_key(&[who]));
            Input::Lookup { token, key }
        } else {
            match Frame::decode(&mut buffer) {
                Ok(Some(Frame::Envelope(envelope))) => Input::Message {
                    from: peer(who % 16),
                    message: envelope.message,
                    took: Some(Duration::from_millis(who.into())),
                },
                Ok(Some(_)) => continue,
                Ok(None) | Err(_) => return,
            }
        };
        world.sent.clear();
        world.events.clear();
        node.handle(input, &mut world);
        assert_eq!(node.me(), peer(0));
        let successors = node.neighbours().successors();
        assert!(successors.len() <= usize::from(node.config().successors));
        assert!(node.remembered().count() <= usize::from(limits::REMEMBERED));
        assert!(world.sent.len() <= 256, "{} sent", world.sent.len());
    }
});
