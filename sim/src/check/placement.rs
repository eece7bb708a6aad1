//! Where keys belong: the oracle that look-ups and copies are held against.

use cuerda_core::ring::Id;

use crate::world::{NodeView, Time};

/// An oracle that sees the whole world: which members a key belongs to, at each moment.
///
/// It is told every change, and asks no node. Owners change while a look-up is under way, so a
/// look-up is right if it names somebody who was an owner at any instant of it.
pub trait Placement<V: ?Sized>: Sized {
    /// Whether it knows; else look-ups are counted and not judged, and copies not looked for.
    const CHECKS: bool = true;

    /// A network that starts with these members, all on one side.
    fn start<'a>(members: impl Iterator<Item = NodeView<'a, V>>) -> Self
    where
        V: 'a;

    /// A node has become a member, on this side if a partition is in force.
    fn joined(&mut self, node: NodeView<'_, V>, side: u32);
    /// A member's view has changed.
    fn changed(&mut self, node: NodeView<'_, V>);
    /// A member has ceased to be one.
    fn gone(&mut self, number: u32);
    /// Each node is on this side from now on, by its number; beyond the end on side 0.
    fn split(&mut self, sides: &[u32]);
    /// All are on one side again.
    fn healed(&mut self);

    /// A look-up begins.
    fn issued(&mut self, lookup: u64, asker: u32, key: Id, now: Time);
    /// It named this node: whether that is right. `None` if it is not open.
    fn finished(&mut self, lookup: u64, named: u32) -> Option<bool>;
    /// It ended without naming anybody.
    fn gave_up(&mut self, lookup: u64);

    /// Who should hold a key, `count` members or as many as there are, the owner first. `members`
    /// are sorted by their ids.
    fn holders(members: &[(Id, u32)], key: Id, count: usize) -> Vec<u32>;
}

/// A protocol of which nobody says where keys belong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unplaced;

impl<V: ?Sized> Placement<V> for Unplaced {
    const CHECKS: bool = false;

    fn start<'a>(_: impl Iterator<Item = NodeView<'a, V>>) -> Unplaced
    where
        V: 'a,
    {
        Unplaced
    }

    fn joined(&mut self, _: NodeView<'_, V>, _: u32) {}
    fn changed(&mut self, _: NodeView<'_, V>) {}
    fn gone(&mut self, _: u32) {}
    fn split(&mut self, _: &[u32]) {}
    fn healed(&mut self) {}
    fn issued(&mut self, _: u64, _: u32, _: Id, _: Time) {}

    fn finished(&mut self, _: u64, _: u32) -> Option<bool> {
        None
    }

    fn gave_up(&mut self, _: u64) {}

    fn holders(_: &[(Id, u32)], _: Id, _: usize) -> Vec<u32> {
        Vec::new()
    }
}
