//! How the ring comes about before t = 0: the nodes join one after another, and the ring is given
//! time until every one knows its right neighbours.

use cuerda_core::chord::Input;
use cuerda_core::ring::Id;

use super::engine::Trouble;
use super::{BEHIND, World};
use crate::world::script::{self, Lifecycle as _, Orders as _};
use crate::world::{Nobody, SECOND, Time, World as _, nanoseconds};

/// How long a node may take to start and join.
const JOINING: Time = 60 * SECOND;

/// Adds the scenario's machines and makes a ring of them.
pub(super) fn start(world: &mut World) -> Result<(), Trouble> {
    let nodes = world.script.scenario.nodes;
    for _ in 0..nodes {
        script::add(world);
    }
    // What nodes tell is passed on some time after.
    world.now = world.clock.real().saturating_sub(BEHIND);
    for number in 0..nodes {
        if number == 0 {
            world.boot(0);
            world.order(0, Input::Found, "found", &mut Nobody);
        } else {
            script::enter(world, number, &mut Nobody);
        }
        until(world, JOINING, |world| {
            let joined = world.script.members.has(number);
            (!joined).then(|| match world.machines[number as usize].told {
                true => format!("n{number} did not join"),
                false => format!(
                    "n{number} told nothing; is {} an image of this release?",
                    world.engine.image()
                ),
            })
        })?;
    }
    let config = &world.script.scenario.node;
    // A list grows by one right entry a period; a period is jittered up to half as long again.
    let periods = 2 * (u32::from(config.successors) + 5);
    let settling = nanoseconds(config.stabilize_every * periods);
    until(world, settling.max(JOINING), is_not_ideal)
}

/// Waits until nothing is amiss any more.
fn until(
    world: &mut World,
    patience: Time,
    amiss: impl Fn(&World) -> Option<String>,
) -> Result<(), Trouble> {
    let end = world.now + patience;
    while let Some(said) = amiss(world) {
        if let Some(why) = world.broken.take() {
            if why == Trouble::Interrupted.to_string() {
                return Err(Trouble::Interrupted);
            }
            return Err(Trouble::NoRing {
                within_s: patience / SECOND,
                said: why,
            });
        }
        if world.now >= end {
            return Err(Trouble::NoRing {
                within_s: patience / SECOND,
                said,
            });
        }
        let step = world.now + SECOND / 20;
        world.run_until(step, &mut Nobody);
    }
    Ok(())
}

/// Whose neighbours are not yet what they should be.
fn is_not_ideal(world: &World) -> Option<String> {
    let mut circle: Vec<(Id, u32)> = world
        .each_member()
        .map(|node| (node.peer.id, node.number))
        .collect();
    circle.sort_unstable();
    let count = circle.len();
    for (place, &(_, number)) in circle.iter().enumerate() {
        let neighbours = world.view(number);
        let room = usize::from(world.config.successors).min(count - 1);
        let right = (1..=room).map(|step| circle[(place + step) % count].0);
        let before = circle[(place + count - 1) % count].0;
        let successors = neighbours.successors().iter().map(|peer| peer.id);
        if !right.eq(successors) || neighbours.predecessor().id != before {
            return Some(format!("n{number} does not know its neighbours yet"));
        }
    }
    None
}
