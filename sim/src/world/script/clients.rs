//! What comes from outside all the time: look-ups, and nodes that come and go.

use cuerda_core::protocol::Input;
use cuerda_core::ring::Id;

use super::Machines;
use super::agenda::Going;
use super::coming::{add, crash, enter, leave};
use super::lookups::OpenLookup;
use crate::scenario::{Churn, Disk};
use crate::world::{Cause, Watcher};

/// A client asks a random member that is awake.
pub(super) fn look_up<W: Machines>(world: &mut W, watcher: &mut impl Watcher<W::Protocol>) {
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
pub(super) fn go<W: Machines>(
    world: &mut W,
    going: Going,
    churn: &Churn,
    watcher: &mut impl Watcher<W::Protocol>,
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

fn pick_leaver<W: Machines>(world: &mut W) -> Option<u32> {
    let script = world.script_mut();
    script.members.pick(&mut script.churn)
}
