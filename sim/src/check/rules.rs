//! The rules of a protocol's steps: what a node must say and do when this or that happens.
//!
//! Invariants ([`super::structure`]) are about the state of all members together; a wrong step may
//! keep them for long, because others make up for it. Rules are about single nodes: each input, what
//! was sent because of it, and what the node's view became.

use crate::scenario::Scenario;
use crate::world::{NodeView, Simulated, Time, Watcher};

/// A watcher that knows how a node of its protocol has to behave.
pub trait Rules<P: Simulated>: Watcher<P> + Sized {
    /// Whether there are any.
    const CHECKS: bool = true;

    /// Nodes of a network that starts with these members.
    fn start<'a>(
        scenario: &Scenario,
        now: Time,
        members: impl Iterator<Item = NodeView<'a, P::View>>,
    ) -> Self
    where
        P::View: 'a;

    /// Takes out what was broken since the last call. Asked after each input that was handled.
    fn breaches(&mut self) -> Vec<Breach>;
}

/// A rule that a node broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The rule's name in reports.
    pub rule: &'static str,
    /// Which node.
    pub node: u32,
    /// What it did, in a sentence.
    pub detail: String,
}

/// A protocol whose steps nobody has written rules for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unruled;

impl<P: Simulated> Watcher<P> for Unruled {}

impl<P: Simulated> Rules<P> for Unruled {
    const CHECKS: bool = false;

    fn start<'a>(_: &Scenario, _: Time, _: impl Iterator<Item = NodeView<'a, P::View>>) -> Unruled
    where
        P::View: 'a,
    {
        Unruled
    }

    fn breaches(&mut self) -> Vec<Breach> {
        Vec::new()
    }
}
