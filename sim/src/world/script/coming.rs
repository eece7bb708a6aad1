//! How nodes come and go: joining, leaving, crashing, starting again.

use cuerda_core::protocol::Input;

use super::{Machines, quiet, sides, take_down};
use crate::scenario::Disk;
use crate::world::{Cause, DiskGone, Gone, Moment, Watcher};

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

/// Adds a machine whose node has the key of this one's, and that no partition has named.
pub(super) fn add_twin<W: Machines>(world: &mut W, of: u32) -> u32 {
    let number = world.add_twin(of);
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
    world.script_mut().told.insert(number, contacts);
    world.order(number, Input::Join(peers), "join", watcher);
}

/// A machine runs at another address. In a configuration it stands by its name: who is told to join
/// through it and is still on its way looks where that is.
pub(super) fn found_by_name<W: Machines>(
    world: &mut W,
    number: u32,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let peer = world.peer(number);
    let strays = world.script().strays.iter();
    let told = |stray: &&u32| {
        let told = world.script().told.get(stray);
        told.is_some_and(|told| told.contains(&number))
    };
    let strays: Vec<u32> = strays.filter(told).copied().collect();
    for stray in strays {
        world.order(stray, Input::Remember(vec![peer]), "remember", watcher);
    }
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
    for &number in &gone {
        tell_namesake(world, number, at, watcher);
    }
    if disk == Disk::Lost {
        return watcher.disks_gone(at, &down, DiskGone::Lost);
    }
    tell_gone(world, &down, DiskGone::Away, at, watcher);
}

/// A process has found another one with its key, which had started before: it stops, all its nodes
/// at one instant, as the program does.
#[cold]
pub(in crate::world) fn stop_twin<W: Machines>(
    world: &mut W,
    number: u32,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let nodes: Vec<u32> = world.script().siblings(number).collect();
    let cause = Cause::Order {
        node: number,
        kind: "stop-twin",
    };
    crash(world, &nodes, Disk::Kept, cause, watcher);
}

/// A member is gone. If another has its key, the place on the circle is that one's from now on.
pub(super) fn tell_namesake<W: Machines>(
    world: &W,
    number: u32,
    at: Moment,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let id = world.peer(number).id;
    if let Some(namesake) = world.script().members.with_id(id) {
        watcher.changed(at, world.seen_as(namesake));
    }
}

/// Tells that the disks of machines that stopped are out of reach for good: of those that nothing
/// starts again. As long as a fault is to come that chooses among the machines that are down,
/// nobody can tell.
pub(super) fn tell_gone<W: Machines>(
    world: &mut W,
    numbers: &[u32],
    how: DiskGone,
    at: Moment,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let script = world.script_mut();
    let stay = numbers.iter().filter(|&&number| !script.returns(number));
    let stay: Vec<u32> = stay.copied().collect();
    if script.occurrences.may_start_more() {
        script
            .withheld
            .extend(stay.into_iter().map(|number| (number, how)));
    } else if !stay.is_empty() {
        watcher.disks_gone(at, &stay, how);
    }
}

/// Tells what nobody could tell before, if now one can.
pub(super) fn tell_withheld<W: Machines>(
    world: &mut W,
    cause: Cause,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    if world.script().occurrences.may_start_more() || world.script().withheld.is_empty() {
        return;
    }
    let at = world.moment(cause);
    let withheld = std::mem::take(&mut world.script_mut().withheld);
    for how in [DiskGone::Away, DiskGone::Left] {
        let such = withheld.iter().filter(|&(_, &other)| other == how);
        let numbers: Vec<u32> = such.map(|(&number, _)| number).collect();
        tell_gone(world, &numbers, how, at, watcher);
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
    let up = world.is_up(number);
    if up && world.is_member(number) && !world.script().leaving.contains(&number) {
        return;
    }
    world.script_mut().withheld.remove(&number);
    let on_disk = world.script_mut().remembered.remove(&number);
    let remembered = on_disk.unwrap_or_else(|| world.remembered(number));
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
            tell_namesake(world, number, at, watcher);
        }
    }
    if disk == Disk::Lost {
        world.lose_disk(number);
        world.script_mut().blank.insert(number);
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
