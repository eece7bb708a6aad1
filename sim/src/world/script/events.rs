//! What the events of nodes mean for the world and its watcher.

use cuerda_core::protocol::{Event, Protocol};
use cuerda_core::ring::Peer;

use super::coming::{tell_gone, tell_namesake};
use super::{Machines, quiet, records};
use crate::world::{DiskGone, Gone, Moment, Subject, Watcher, World};

/// What only the nodes of a world's protocol tell.
type Told<W> = <<W as World>::Protocol as Protocol>::Told;

/// Does what an event of a node means for the world, and tells the watcher.
pub(in crate::world) fn pass_on<W: Machines>(
    world: &mut W,
    number: u32,
    event: Event<Told<W>>,
    at: Moment,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    match event {
        Event::NeighboursChanged => {
            if world.script().members.has(number) {
                watcher.changed(at, world.seen_as(number));
            }
        }
        Event::Joined => {
            let id = world.peer(number).id;
            world.script_mut().members.add(id, number);
            world.script_mut().blank.remove(&number);
            watcher.joined(at, world.seen_as(number));
            quiet::stray(world, number, false, at, watcher);
        }
        Event::Lookup {
            token,
            result,
            timeouts,
        } => {
            let Some(open) = world.script_mut().lookups.close(token) else {
                return;
            };
            let named = |owner: Peer| world.number_of(owner).unwrap_or(u32::MAX);
            let result = result.map(|found| (named(found.owner), found));
            watcher.lookup_ended(at, &open.ended(token, result, timeouts));
        }
        Event::Stranded => {
            let id = world.peer(number).id;
            if world.script_mut().members.remove(id, number) {
                // Told first: who is gone is still to come back.
                let leaves = world.script().leaving.contains(&number);
                quiet::stray(world, number, !leaves, at, watcher);
                watcher.gone(at, number, Gone::Stranded);
                tell_namesake(world, number, at, watcher);
            }
        }
        Event::Left => {
            take_down(world, number, at, watcher);
            tell_gone(world, &[number], DiskGone::Left, at, watcher);
        }
        Event::PresumedDead(peer) => {
            let about = world.number_of(peer).map(|other| Subject {
                number: other,
                up: other < world.machines() && world.is_up(other) && !world.is_killed(other),
            });
            watcher.on_event(at, number, &event, about);
        }
        Event::Written { token, result } => {
            records::written(world, token, result, at, watcher);
        }
        Event::Read { token, result } => records::found(world, token, result, at, watcher),
        Event::Leaving => {
            let id = world.peer(number).id;
            if world.script_mut().members.remove(id, number) {
                watcher.gone(at, number, Gone::Left);
                tell_namesake(world, number, at, watcher);
            }
        }
        Event::Conflict(..)
        | Event::Damaged(_)
        | Event::SetAside
        | Event::ClockWrong(_)
        | Event::LeftBehind { .. } => {
            watcher.on_event(at, number, &event, None);
        }
        Event::Refused(..) | Event::Ignored(..) | Event::Told(_) => {
            watcher.on_event(at, number, &event, None);
        }
        // No look-up of the harness is traced.
        Event::Step { .. } => {}
    }
}

/// Stops a machine: nothing comes to it any more, and its clients hear nothing.
pub(in crate::world) fn take_down<W: Machines>(
    world: &mut W,
    number: u32,
    at: Moment,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    world.stop(number);
    world.script_mut().leaving.remove(&number);
    quiet::stray(world, number, false, at, watcher);
    for lookup in world.script_mut().lookups.abandon(number) {
        watcher.lookup_abandoned(at, lookup);
    }
    records::abandon(world, number, at, watcher);
}
