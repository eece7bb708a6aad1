//! How the ring comes about before t = 0.

use std::sync::Arc;

use cuerda_core::protocol::Input;
use cuerda_core::ring::Peer;

use super::{Machines, add, enter};
use crate::scenario::Start;
use crate::world::{Nobody, SECOND, Simulated as _, Time, nanoseconds};

/// How long one node may take to join before the next one starts to.
const JOIN_PATIENCE: Time = 60 * SECOND;

/// Adds the scenario's machines and makes a ring of them, as it says.
pub(in crate::world) fn start<W: Machines>(world: &mut W) {
    let scenario = Arc::clone(&world.script().scenario);
    for _ in 0..scenario.nodes {
        add(world);
    }
    if scenario.start == Start::Join || !start_ideal(world, scenario.nodes) {
        start_by_joining(world, scenario.nodes);
    }
}

/// Every node a member, with the tables that it would have in the end. False if the protocol
/// knows no such tables.
fn start_ideal<W: Machines>(world: &mut W, nodes: u32) -> bool {
    let mut circle: Vec<(Peer, u32)> = (0..nodes)
        .map(|number| (world.peer(number), number))
        .collect();
    circle.sort_unstable();
    let peers: Vec<Peer> = circle.iter().map(|&(peer, _)| peer).collect();
    let config = world.config();
    for (at, &(_, number)) in circle.iter().enumerate() {
        let Some(node) = W::Protocol::complete(&peers, at, &config) else {
            return false;
        };
        world.boot_member(number, node);
    }
    let sorted = circle.iter().map(|&(peer, number)| (peer.id, number));
    world.script_mut().members.start(sorted);
    world.resume();
    true
}

/// The first node founds a ring; each other one joins when the one before it has, through
/// random members. Then the ring has time to become ideal.
fn start_by_joining<W: Machines>(world: &mut W, nodes: u32) {
    world.boot(0);
    world.order(0, Input::Found, "found", &mut Nobody);
    for number in 1..nodes {
        enter(world, number, &mut Nobody);
        let patience = world.now() + JOIN_PATIENCE;
        while !world.script().members.has(number) && world.now() < patience {
            let end = world.now() + SECOND / 100;
            world.run_until(end, &mut Nobody);
        }
    }
    let end = world.now() + nanoseconds(W::Protocol::settling(&world.config()));
    world.run_until(end, &mut Nobody);
}
