//! What comes from outside all the time: look-ups, and nodes that come and go.

use cuerda_core::protocol::Input;
use cuerda_core::ring::Id;

use super::agenda::Going;
use super::coming::{add, crash, enter, leave};
use super::lookups::OpenLookup;
use super::{Machines, sessions};
use crate::scenario::Disk;
use crate::world::{Cause, Watcher};

/// A client asks a random member that is awake.
pub(super) fn look_up<W: Machines>(
    world: &mut W,
    workload: usize,
    watcher: &mut impl Watcher<W::Protocol>,
) {
    let now = world.now();
    let script = world.script_mut();
    let key = match &script.popularities[workload] {
        Some(keys) => {
            let number = keys.draw(&mut script.workload);
            Id::of_key(format!("k{number}").as_bytes())
        }
        None => {
            let mut key = [0; 20];
            script.workload.fill(&mut key);
            Id::from_bytes(key)
        }
    };
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
pub(super) fn go<W: Machines>(
    world: &mut W,
    going: Going,
    index: usize,
    watcher: &mut impl Watcher<W::Protocol>,
) -> f64 {
    let churn = world.script().scenario.churn[index];
    match going {
        Going::Join => {
            let each = world.script().per_process();
            let numbers: Vec<u32> = (0..each).map(|_| add(world)).collect();
            let first = numbers[0];
            for number in numbers {
                enter(world, number, watcher);
            }
            sessions::begin(world, index, first);
            churn.join
        }
        Going::Leave => {
            for number in pick_leavers(world, churn.keep) {
                leave(world, number, watcher);
            }
            churn.leave
        }
        Going::Crash => {
            let numbers = pick_leavers(world, churn.keep);
            if !numbers.is_empty() {
                crash(world, &numbers, Disk::Kept, Cause::Churn("crash"), watcher);
            }
            churn.crash
        }
    }
}

/// The nodes of a process of which one is a member, at random; nobody if fewer members than this
/// would be left.
fn pick_leavers<W: Machines>(world: &mut W, keep: u32) -> Vec<u32> {
    let script = world.script_mut();
    let picked = script.members.pick(&mut script.churn);
    let siblings = picked.map(|number| world.script().siblings(number));
    let siblings = siblings.into_iter().flatten();
    let mut leavers: Vec<u32> = siblings.filter(|&number| world.is_up(number)).collect();
    if !sessions::may_go(world, &leavers, keep) {
        leavers.clear();
    }
    leavers
}
