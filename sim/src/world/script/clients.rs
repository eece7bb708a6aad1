//! What comes from outside all the time: look-ups, and nodes that come and go.

use cuerda_core::chord::Input;
use cuerda_core::ring::Id;

use super::lookups::OpenLookup;
use super::plan::Going;
use super::{Machines, faults, take_down};
use crate::scenario::{Churn, Disk};
use crate::world::{Cause, DiskGone, Gone, Watcher};

/// Through how many members a node tries to join.
const CONTACTS: usize = 3;
/// How often a random choice is repeated to find one that will do.
const TRIES: usize = 16;

/// A client asks a random member that is awake.
pub(super) fn look_up(world: &mut impl Machines, watcher: &mut impl Watcher) {
    let now = world.now();
    let script = world.script_mut();
    let mut key = [0; 20];
    script.workload.fill(&mut key);
    let key = Id::from_bytes(key);
    // One number, whoever sleeps: a pause does not shift the look-ups.
    let members = script.members.all().len();
    let first = script.workload.below(members as u64) as usize;
    let members = world.script().members.all();
    let mut round = members[first..].iter().chain(&members[..first]).copied();
    let Some(asker) = round.find(|&number| !world.is_paused(number)) else {
        return;
    };
    let issued = now + world.lag();
    let lookup = world
        .script_mut()
        .lookups
        .open(OpenLookup { asker, key, issued });
    let cause = Cause::Order {
        node: asker,
        kind: "lookup",
    };
    watcher.lookup_issued(world.moment(cause), lookup, asker, key);
    world.order(
        asker,
        Input::Lookup {
            token: lookup,
            key,
            traced: false,
        },
        "lookup",
        watcher,
    );
}

/// Somebody comes or goes. Returns how often that happens.
pub(super) fn go(
    world: &mut impl Machines,
    going: Going,
    churn: &Churn,
    watcher: &mut impl Watcher,
) -> f64 {
    match going {
        Going::Join => {
            let number = add(world);
            enter(world, number, watcher);
            churn.join
        }
        Going::Leave => {
            if let Some(number) = pick_leaver(world) {
                leave(world, number, watcher);
            }
            churn.leave
        }
        Going::Crash => {
            if let Some(number) = pick_leaver(world) {
                crash(world, &[number], Disk::Kept, Cause::Churn("crash"), watcher);
            }
            churn.crash
        }
    }
}

fn pick_leaver(world: &mut impl Machines) -> Option<u32> {
    let script = world.script_mut();
    script.members.pick(&mut script.churn)
}

fn pick_contact(world: &mut impl Machines) -> Option<u32> {
    let script = world.script_mut();
    script.members.pick(&mut script.contacts)
}

/// Adds a machine, which no partition has named.
pub(in crate::world) fn add(world: &mut impl Machines) -> u32 {
    let number = world.add();
    faults::stand_with_the_rest(world);
    number
}

/// Starts a node and lets it join through a few random members that it can reach.
pub(in crate::world) fn enter(world: &mut impl Machines, number: u32, watcher: &mut impl Watcher) {
    world.boot(number);
    let mut contacts = Vec::new();
    // Who was there before has a side already.
    if world.node(number).incarnation() == 1 {
        let contact = pick_contact(world);
        faults::stand_with(world, number, contact, watcher);
        contacts.extend(contact);
    }
    for _ in 0..TRIES {
        let Some(contact) = pick_contact(world) else {
            break;
        };
        let reached = world.cuts(|cuts| cuts.are_together(number, contact));
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
    let peers = contacts.iter().map(|&contact| world.node(contact).me());
    let peers = peers.collect();
    world.order(number, Input::Join(peers), "join", watcher);
}

/// Makes a member leave gracefully: it owns what it has until it has handed that over.
pub(super) fn leave(world: &mut impl Machines, number: u32, watcher: &mut impl Watcher) {
    if world.is_up(number) {
        world.script_mut().leaving.insert(number);
        world.order(number, Input::Leave, "leave", watcher);
    }
}

/// Stops nodes at one instant.
pub(super) fn crash(
    world: &mut impl Machines,
    numbers: &[u32],
    disk: Disk,
    cause: Cause,
    watcher: &mut impl Watcher,
) {
    let up = numbers.iter().copied();
    let up: Vec<u32> = up.filter(|&number| world.is_up(number)).collect();
    world.strike(&up, watcher);
    let at = world.moment(cause);
    let mut gone = Vec::new();
    let mut down = Vec::new();
    for &number in numbers {
        if !world.is_up(number) {
            continue;
        }
        let id = world.node(number).me().id;
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
