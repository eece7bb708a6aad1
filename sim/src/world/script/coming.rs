//! How nodes come and go: joining, leaving, crashing, starting again.

use cuerda_core::protocol::Input;

use super::{Machines, quiet, sides, take_down};
use crate::scenario::Disk;
use crate::world::{Cause, DiskGone, Gone, Watcher};

/// Through how many members a node tries to join.
const CONTACTS: usize = 3;
/// How often a random choice is repeated to find one that will do.
const TRIES: usize = 16;

/// Adds a machine, which no partition has named.
pub(in crate::world) fn add<W: Machines>(world: &mut W) -> u32 {
    let number = world.add();
    sides::stand_with_the_rest(world);
    number
}

/// Starts a node and lets it join through a few random members that it can reach.
pub(in crate::world) fn enter<W: Machines>(
    world: &mut W,
    number: u32,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    world.boot(number);
    let mut contacts = Vec::new();
    // Who was there before has a side already.
    if world.incarnation(number) == 1 {
        let contact = pick_contact(world);
        sides::stand_with(world, number, contact, watcher);
        contacts.extend(contact);
    } else {
        let cause = Cause::Order {
            node: number,
            kind: "join",
        };
        quiet::stray(world, number, true, world.moment(cause), watcher);
    }
    for _ in 0..TRIES {
        let Some(contact) = pick_contact(world) else {
            break;
        };
        let reached = world.network_faults(|faults| faults.are_together(number, contact));
        if reached && !contacts.contains(&contact) {
            contacts.push(contact);
        }
        if contacts.len() == CONTACTS {
            break;
        }
    }
    // Nobody left: those that a deployment would have in its configuration.
    if contacts.is_empty() {
        let first = world.machines().min(CONTACTS as u32 + 1);
        contacts.extend((0..first).filter(|&other| other != number));
    }
    // The only one there is can't wait for others: it is told to found, as at the start.
    if contacts.is_empty() {
        return world.order(number, Input::Found, "found", watcher);
    }
    let peers = contacts.iter().map(|&contact| world.peer(contact));
    let peers = peers.collect();
    world.order(number, Input::Join(peers), "join", watcher);
}

/// Makes a member leave gracefully: it owns what it has until it has handed that over.
pub(super) fn leave<W: Machines>(
    world: &mut W,
    number: u32,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    if world.is_up(number) {
        world.script_mut().leaving.insert(number);
        let cause = Cause::Order {
            node: number,
            kind: "leave",
        };
        quiet::stray(world, number, false, world.moment(cause), watcher);
        world.order(number, Input::Leave, "leave", watcher);
    }
}

/// Stops nodes at one instant.
pub(super) fn crash<W: Machines>(
    world: &mut W,
    numbers: &[u32],
    disk: Disk,
    cause: Cause,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let up = numbers.iter().copied();
    let up: Vec<u32> = up.filter(|&number| world.is_up(number)).collect();
    world.kill(&up, watcher);
    let at = world.moment(cause);
    let mut gone = Vec::new();
    let mut down = Vec::new();
    for &number in numbers {
        if !world.is_up(number) {
            continue;
        }
        let id = world.peer(number).id;
        if world.script_mut().members.remove(id, number) {
            gone.push(number);
        }
        take_down(world, number, at, watcher);
        down.push(number);
    }
    watcher.gone_together(at, &gone, Gone::Crashed);
    if disk == Disk::Lost {
        return watcher.disks_gone(at, &down, DiskGone::Lost);
    }
    down.retain(|&number| !world.script().returns(number));
    if !down.is_empty() {
        watcher.disks_gone(at, &down, DiskGone::Away);
    }
}

/// Starts a node again that is down. With its disk, identity and the peers it remembered are
/// kept; what it knew of the ring never is.
pub(super) fn restart<W: Machines>(
    world: &mut W,
    number: u32,
    disk: Disk,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let remembered = world.remembered(number);
    let up = world.is_up(number);
    if up && world.is_member(number) && !world.script().leaving.contains(&number) {
        return;
    }
    if up {
        // Still on its way out, or in: its process is replaced.
        world.kill(&[number], watcher);
        let cause = Cause::Order {
            node: number,
            kind: "restart",
        };
        let (at, id) = (world.moment(cause), world.peer(number).id);
        let member = world.script_mut().members.remove(id, number);
        take_down(world, number, at, watcher);
        if member {
            watcher.gone(at, number, Gone::Crashed);
        }
    }
    if disk == Disk::Lost {
        world.lose_disk(number);
        let cause = Cause::Order {
            node: number,
            kind: "restart",
        };
        watcher.disks_gone(world.moment(cause), &[number], DiskGone::Lost);
    }
    enter(world, number, watcher);
    if disk == Disk::Kept {
        world.order(number, Input::Remember(remembered), "remember", watcher);
    }
}

fn pick_contact<W: Machines>(world: &mut W) -> Option<u32> {
    let script = world.script_mut();
    script.members.pick(&mut script.contacts)
}
