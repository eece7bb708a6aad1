//! The invariants of a protocol: what must hold of all members together, whatever happens.

use std::collections::BTreeMap;

use crate::scenario::Scenario;
use crate::world::{NodeView, Time};

/// The members of a network as a checker knows them: it is told every change, and asks no node.
///
/// It judges by what each member's view shows. What no protocol could keep up while the network
/// is disturbed it excuses by name, and counts; excuses end.
pub trait Structure<V: ?Sized>: Sized {
    /// Whether there is anything to check; else [`Structure::is_ideal`] and [`Structure::parts`]
    /// mean nothing and are not reported.
    const CHECKS: bool = true;

    /// A network that starts with these members.
    fn start<'a>(
        scenario: &Scenario,
        now: Time,
        members: impl Iterator<Item = NodeView<'a, V>>,
    ) -> Self
    where
        V: 'a;

    /// A node has become a member.
    fn joined(&mut self, node: NodeView<'_, V>);
    /// A member's view has changed.
    fn changed(&mut self, node: NodeView<'_, V>);
    /// A member has ceased to be one.
    fn gone(&mut self, number: u32);

    /// What has broken since the last call and nothing excuses. Called after every change; `how`
    /// says what kind of change it was.
    fn look(&mut self, now: Time, how: Changed) -> Vec<Broken>;

    /// How many members there are.
    fn members(&self) -> usize;
    /// How many networks they form that don't know of each other.
    fn parts(&self) -> usize;
    /// Whether every member's view is as it should be with just these members, as far as
    /// [`Structure::look`] has seen.
    fn is_ideal(&self) -> bool;

    /// So many nodes that have been members are up and none now: what disturbed the network is not
    /// over as long as they have not come back.
    fn strays(&mut self, _count: usize) {}
    /// The network begins to be disturbed in this way; it may be so several times over.
    fn disturbed(&mut self, _now: Time, _by: Disturbance) {}
    /// One disturbance less.
    fn calmed(&mut self, _now: Time, _by: Disturbance) {}
    /// A member was taken for dead that lives, though nothing in the scenario explains it.
    fn suspected(&mut self, _now: Time) {}
    /// The name of what excuses the network now, if anything does: what nodes say may be wrong
    /// then, and is no violation.
    fn excuse(&self, _now: Time) -> Option<&'static str> {
        None
    }
    /// The same of any moment after `since`, up to now: what got lost while the network was disturbed
    /// may be missed for a while longer.
    fn excuse_since(&self, _since: Time, now: Time) -> Option<&'static str> {
        self.excuse(now)
    }
    /// How often what was excused by what, as `excuse: property`.
    fn excused(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}

/// What a kind of fault is to the invariants; crashes and departures are judged by what they take
/// away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// Members can't reach each other.
    Partition,
    /// The living look dead: they are slow, or what they say gets lost.
    Suspicion,
}

impl Disturbance {
    /// What a fault of this kind is, as scenarios call it.
    #[must_use]
    pub fn of(kind: &str) -> Option<Disturbance> {
        match kind {
            "partition" => Some(Disturbance::Partition),
            "pause" | "slow" | "loss" | "one_way" | "reset" => Some(Disturbance::Suspicion),
            // Whoever knows its old address takes it for dead, and it lives.
            "move" => Some(Disturbance::Suspicion),
            _ => None,
        }
    }
}

/// What kind of change the structure is looked at after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Nodes changed what they know.
    ByNodes,
    /// Members ceased to be some.
    ByFailure,
}

/// An invariant found broken without an excuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its name in reports.
    pub check: String,
    /// What it means that it is broken, in a sentence.
    pub detail: String,
    /// At which node; `None` where it is nobody's alone.
    pub node: Option<u32>,
    /// When it broke, or when its excuse ended.
    pub at: Time,
}

/// A protocol without invariants: members are counted, and nothing else is known of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unstructured {
    members: usize,
}

impl<V: ?Sized> Structure<V> for Unstructured {
    const CHECKS: bool = false;

    fn start<'a>(
        _: &Scenario,
        _: Time,
        members: impl Iterator<Item = NodeView<'a, V>>,
    ) -> Unstructured
    where
        V: 'a,
    {
        Unstructured {
            members: members.count(),
        }
    }

    fn joined(&mut self, _: NodeView<'_, V>) {
        self.members += 1;
    }

    fn changed(&mut self, _: NodeView<'_, V>) {}

    fn gone(&mut self, _: u32) {
        self.members = self.members.saturating_sub(1);
    }

    fn look(&mut self, _: Time, _: Changed) -> Vec<Broken> {
        Vec::new()
    }

    fn members(&self) -> usize {
        self.members
    }

    fn parts(&self) -> usize {
        0
    }

    fn is_ideal(&self) -> bool {
        false
    }
}
