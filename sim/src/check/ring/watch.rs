//! The ring's invariants as the conductor has them watched: what the checker finds, less what is
//! excused.

use std::collections::BTreeMap;

use cuerda_core::ring::Neighbours;

use super::{Change, RingChecker};
use crate::check::excuse::{Excuses, FAILURES, PARTITION, SUSPICION, Verdict};
use crate::check::property::Property;
use crate::check::structure::{Broken, Changed, Disturbance, Structure};
use crate::scenario::Scenario;
use crate::world::{NodeView, Time, nanoseconds};

/// The ring of Chord's members.
#[derive(Debug)]
pub struct Ring {
    checker: RingChecker,
    excuses: Excuses,
    ideal: bool,
    /// Nodes that have been members, are up and none now.
    strays: usize,
    /// The ring as a whole, once in doubt, is not looked at again before this time unless what
    /// is found would be a violation.
    next_look: Time,
    stabilize_every: Time,
}

impl Structure<Neighbours> for Ring {
    fn start<'a>(
        scenario: &Scenario,
        now: Time,
        members: impl Iterator<Item = NodeView<'a, Neighbours>>,
    ) -> Ring {
        let room = usize::from(scenario.node.successors);
        let stabilize_every = nanoseconds(scenario.node.stabilize_every);
        let mut excuses = Excuses::new(room, stabilize_every);
        let network = &scenario.network;
        if network.loss > 0.0 || network.broken_links > 0.0 {
            // What gets lost makes the living look dead, from the first to the last moment.
            excuses.begun(now, SUSPICION);
        }
        let members = members.map(|node| (node.number, node.view));
        Ring {
            checker: RingChecker::start(room, members),
            excuses,
            ideal: false,
            strays: 0,
            next_look: now,
            stabilize_every,
        }
    }

    fn joined(&mut self, node: NodeView<'_, Neighbours>) {
        self.checker.joined(node.number, node.view);
    }

    fn changed(&mut self, node: NodeView<'_, Neighbours>) {
        self.checker.changed(node.number, node.view);
    }

    fn gone(&mut self, number: u32) {
        self.checker.gone(number);
    }

    fn look(&mut self, now: Time, how: Changed) -> Vec<Broken> {
        self.excuses.members(now, self.checker.members());
        // A look at the whole ring costs a walk over it. Whatever is not excused is found at
        // once; while it is, once in a period will do.
        let excused = self.excuse(now).is_some();
        if self.checker.in_doubt() && (!excused || now >= self.next_look) {
            self.checker.broken_in_full();
            self.next_look = now + self.stabilize_every;
        }
        if how == Changed::ByFailure && self.checker.survivor_is_lost() {
            self.excuses.struck(now, FAILURES);
        }
        let mut found = Vec::new();
        if self.checker.has_changes() {
            let changes: Vec<Change> = self.checker.drain_changes().collect();
            if how == Changed::ByFailure {
                self.excuses.crashed(now, &changes);
            }
            for change in changes {
                if self.excuses.changed(now, change) == Verdict::Violated {
                    found.push(broken(change.property, change.node, now, None));
                }
            }
        }
        self.ideal = self.checker.ideal();
        // Ideal for those who are up: not for what is left while others are on their way back.
        let is_whole = self.strays == 0 && self.checker.members() > 0;
        self.excuses.ideal(now, self.ideal && is_whole);
        for late in self.excuses.overdue(now) {
            let excuse = Some(late.excuse);
            found.push(broken(late.property, late.node, late.at, excuse));
        }
        found
    }

    fn members(&self) -> usize {
        self.checker.members()
    }

    fn parts(&self) -> usize {
        self.checker.rings()
    }

    fn is_ideal(&self) -> bool {
        self.ideal
    }

    fn strays(&mut self, count: usize) {
        self.strays = count;
    }

    fn disturbed(&mut self, now: Time, by: Disturbance) {
        self.excuses.begun(now, excuse_of(by));
    }

    fn calmed(&mut self, now: Time, by: Disturbance) {
        self.excuses.ended(now, excuse_of(by));
    }

    fn suspected(&mut self, now: Time) {
        self.excuses.struck(now, SUSPICION);
    }

    fn excuse(&self, now: Time) -> Option<&'static str> {
        self.excuses.excuse(now, Property::OrderedRing)
    }

    fn excuse_since(&self, since: Time, now: Time) -> Option<&'static str> {
        self.excuses.excuse_since(since, now, Property::OrderedRing)
    }

    fn excused(&self) -> BTreeMap<String, u64> {
        let counts = self.excuses.counts().iter();
        let counts =
            counts.map(|((name, property), &count)| (format!("{name}: {property}"), count));
        counts.collect()
    }
}

const fn excuse_of(disturbance: Disturbance) -> &'static str {
    match disturbance {
        Disturbance::Partition => PARTITION,
        Disturbance::Suspicion => SUSPICION,
    }
}

/// `overdue` is the excuse whose end made it a violation, if one's did.
fn broken(property: Property, node: Option<u32>, at: Time, overdue: Option<&str>) -> Broken {
    let late = overdue.map_or(String::new(), |excuse| {
        format!(" (excused by {excuse} until now, and still broken)")
    });
    Broken {
        check: property.to_string(),
        detail: format!("{}{late}", sentence(property)),
        node,
        at,
    }
}

/// What it means that a property is broken.
const fn sentence(property: Property) -> &'static str {
    match property {
        Property::AtLeastOneRing => "no member comes back to itself by way of best successors",
        Property::AtMostOneRing => "there are several rings that don't know of each other",
        Property::OrderedRing => "the ring goes round more than once, or passes members over",
        Property::ConnectedAppendages => "a member's way does not lead into the ring",
        Property::NoDuplicates => "a successor list names a node twice, or its own node",
        Property::OrderedSuccessorLists => "a successor list is out of order",
        Property::OneLiveSuccessor => "all the successors it lists are dead",
        Property::SufficientPrincipals => {
            "fewer than r+1 members are in everybody's lists where they belong"
        }
    }
}
