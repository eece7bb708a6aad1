//! What Chord brings to be judged: the invariants of its ring, and the successors of keys.

use cuerda_core::chord::Node;
use cuerda_core::ring::{Id, Neighbours};

use super::conformance::Conformance;
use super::judged::{Judged, successors};
use super::lookups::LookupOracle;
use super::placement::Placement;
use super::ring::Ring;
use crate::world::{NodeView, Time};

impl Judged for Node {
    type Structure = Ring;
    type Placement = LookupOracle;
    type Rules = Conformance;
}

impl Placement<Neighbours> for LookupOracle {
    fn start<'a>(members: impl Iterator<Item = NodeView<'a, Neighbours>>) -> LookupOracle {
        LookupOracle::start(members.map(|node| (node.number, node.view)))
    }

    fn joined(&mut self, node: NodeView<'_, Neighbours>, side: u32) {
        LookupOracle::joined(self, node.number, side, node.view);
    }

    fn changed(&mut self, node: NodeView<'_, Neighbours>) {
        LookupOracle::changed(self, node.number, node.view);
    }

    fn gone(&mut self, number: u32) {
        LookupOracle::gone(self, number);
    }

    fn split(&mut self, sides: &[u32]) {
        let side = |number: u32| sides.get(number as usize).copied().unwrap_or(0);
        LookupOracle::split(self, side);
    }

    fn healed(&mut self) {
        LookupOracle::healed(self);
    }

    fn issued(&mut self, lookup: u64, asker: u32, key: Id, now: Time) {
        LookupOracle::issued(self, lookup, asker, key, now);
    }

    fn finished(&mut self, lookup: u64, named: u32) -> Option<bool> {
        LookupOracle::finished(self, lookup, named).map(|finished| finished.right)
    }

    fn gave_up(&mut self, lookup: u64) {
        LookupOracle::gave_up(self, lookup);
    }

    /// The first member at or after the key, and those that follow it.
    fn holders(members: &[(Id, u32)], key: Id, count: usize) -> Vec<u32> {
        successors(members, key, count)
    }
}
