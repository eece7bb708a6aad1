//! How often each fault of the scenario comes, and when. What it does then is not told here.
//!
//! Each time is an occurrence with a number of its own, under which it is in force, ends and is
//! reported: one may begin before the one before it has ended. A fault that hits its nodes one
//! after the other is an occurrence for each.

use std::time::Duration;

use super::Lifecycle;
use super::agenda::{Control, schedule};
use crate::scenario::{Fault, FaultKind, Selector};
use crate::world::{Random, Time, nanoseconds};

/// A time that a fault begins.
#[derive(Clone, Debug)]
pub(super) struct Occurrence {
    /// The fault's place in the scenario.
    pub(super) fault: usize,
    /// Whom it hits, if that was decided when the first node of several was hit.
    pub(super) chosen: Option<Vec<u32>>,
    /// Whether it is still to come, and starts nodes: those chosen, or some that are down then.
    will_start: bool,
}

/// The occurrences of all faults, by their numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Occurrences {
    all: Vec<Occurrence>,
    /// How many are still to come that choose among those that are down, and start them.
    may_start: usize,
}

impl Occurrences {
    /// This one begins.
    pub(super) fn begin(&mut self, number: usize) -> Occurrence {
        let occurrence = &mut self.all[number];
        let will_start = std::mem::take(&mut occurrence.will_start);
        self.may_start -= usize::from(will_start && occurrence.chosen.is_none());
        occurrence.clone()
    }

    pub(super) fn fault(&self, number: usize) -> usize {
        self.all[number].fault
    }

    /// Whether one is to come that may start machines of which nobody knows yet which they are.
    pub(super) const fn may_start_more(&self) -> bool {
        self.may_start > 0
    }

    /// Whether one is to come that starts this machine.
    pub(super) fn will_start(&self, machine: u32) -> bool {
        let mut chosen = self.all.iter().filter(|occurrence| occurrence.will_start);
        chosen.any(|occurrence| {
            let chosen = occurrence.chosen.iter().flatten();
            chosen.into_iter().any(|&number| number == machine)
        })
    }

    fn add(&mut self, occurrence: Occurrence) -> usize {
        let may_start = occurrence.will_start && occurrence.chosen.is_none();
        self.may_start += usize::from(may_start);
        self.all.push(occurrence);
        self.all.len() - 1
    }
}

/// Puts the beginnings of all faults on the agenda.
pub(super) fn plan<W: Lifecycle>(world: &mut W) {
    let scenario = std::sync::Arc::clone(&world.script().scenario);
    for (fault, said) in scenario.faults.iter().enumerate() {
        let first = first(said, &mut world.script_mut().fault_times);
        for at in said.beginnings(first) {
            let number = world.script_mut().occurrences.add(Occurrence {
                fault,
                chosen: None,
                will_start: starts_the_down(&said.kind),
            });
            if let FaultKind::Snapshot { age, .. } = said.kind {
                let copied = nanoseconds(at.saturating_sub(age));
                schedule(world, Control::DisksCopied(number), copied, Some(0));
            }
            schedule(
                world,
                Control::FaultBegins(number),
                nanoseconds(at),
                Some(0),
            );
        }
    }
}

/// When a fault begins for the first time. One that says when costs no number.
fn first(fault: &Fault, random: &mut Random) -> Duration {
    fault.before.map_or(fault.at, |before| {
        Duration::from_nanos(random.between(fault.at, before))
    })
}

/// The same fault hits these later: each entry at its time after now, in the order of the entries.
pub(super) fn hit_later<W: Lifecycle>(
    world: &mut W,
    fault: usize,
    apart: Time,
    later: impl Iterator<Item = Vec<u32>>,
) {
    let kind = &world.script().scenario.faults[fault].kind;
    let will_start = matches!(kind, FaultKind::Restart { .. } | FaultKind::Move { .. });
    let mut from = world.now() - world.script().origin;
    for chosen in later {
        from = from.saturating_add(apart);
        let number = world.script_mut().occurrences.add(Occurrence {
            fault,
            chosen: Some(chosen),
            will_start,
        });
        schedule(world, Control::FaultBegins(number), from, Some(0));
    }
}

/// Whether a fault starts nodes that it chooses because they are down.
fn starts_the_down(kind: &FaultKind) -> bool {
    fn names_down(selector: &Selector) -> bool {
        match selector {
            Selector::Down => true,
            Selector::List(entries) => entries.iter().any(names_down),
            _ => false,
        }
    }
    kind.nodes().is_some_and(names_down)
}
