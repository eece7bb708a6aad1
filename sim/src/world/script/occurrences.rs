//! How often each fault of the scenario comes, and when. What it does then is not told here.
//!
//! Each time is an occurrence with a number of its own, under which it is in force, ends and is
//! reported: one may begin before the one before it has ended.

use super::Lifecycle;
use super::agenda::{Control, schedule};
use crate::scenario::Fault;
use crate::world::{Random, nanoseconds};

/// The occurrences of all faults, by their numbers: of which fault each is one.
#[derive(Clone, Debug, Default)]
pub(super) struct Occurrences(Vec<usize>);

impl Occurrences {
    pub(super) fn fault(&self, occurrence: usize) -> usize {
        self.0[occurrence]
    }

    fn add(&mut self, fault: usize) -> usize {
        self.0.push(fault);
        self.0.len() - 1
    }
}

/// Puts the beginnings of all faults on the agenda.
pub(super) fn plan<W: Lifecycle>(world: &mut W) {
    let scenario = std::sync::Arc::clone(&world.script().scenario);
    for (index, fault) in scenario.faults.iter().enumerate() {
        let script = world.script_mut();
        let first = first(fault, &mut script.fault_times);
        for at in fault.beginnings(first) {
            let occurrence = world.script_mut().occurrences.add(index);
            let control = Control::FaultBegins(occurrence);
            schedule(world, control, nanoseconds(at), Some(0));
        }
    }
}

/// When a fault begins for the first time. One that says when costs no number.
fn first(fault: &Fault, random: &mut Random) -> std::time::Duration {
    fault.before.map_or(fault.at, |before| {
        std::time::Duration::from_nanos(random.between(fault.at, before))
    })
}
