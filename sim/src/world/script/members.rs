//! Who is a member now: for picking one at random, and for finding them along the circle.

use std::collections::BTreeSet;
use std::ops::Bound;

use cuerda_core::ring::Id;

use crate::world::Random;

#[derive(Clone, Debug, Default)]
pub(in crate::world) struct Members {
    /// Two may have the same id, if somebody runs one key twice.
    circle: BTreeSet<(Id, u32)>,
    list: Vec<u32>,
    /// Where each node stands in the list; `u32::MAX` if it does not.
    place: Vec<u32>,
}

const NOWHERE: u32 = u32::MAX;

impl Members {
    /// Many at once, for a world that begins with a complete ring.
    pub(in crate::world) fn start(&mut self, sorted: impl Iterator<Item = (Id, u32)>) {
        self.circle = sorted.collect();
        let count = u32::try_from(self.circle.len()).expect("node numbers fit 32 bits");
        self.list = (0..count).collect();
        self.place = (0..count).collect();
    }

    pub(in crate::world) fn add(&mut self, id: Id, number: u32) {
        let at = number as usize;
        if at >= self.place.len() {
            self.place.resize(at + 1, NOWHERE);
        }
        if self.place[at] == NOWHERE {
            self.place[at] = u32::try_from(self.list.len()).expect("node numbers fit 32 bits");
            self.list.push(number);
            self.circle.insert((id, number));
        }
    }

    /// False if it was none.
    pub(in crate::world) fn remove(&mut self, id: Id, number: u32) -> bool {
        if !self.has(number) {
            return false;
        }
        let at = std::mem::replace(&mut self.place[number as usize], NOWHERE) as usize;
        self.list.swap_remove(at);
        if let Some(&moved) = self.list.get(at) {
            self.place[moved as usize] = at as u32;
        }
        self.circle.remove(&(id, number));
        true
    }

    pub(in crate::world) fn has(&self, number: u32) -> bool {
        self.place
            .get(number as usize)
            .is_some_and(|&place| place != NOWHERE)
    }

    /// A member with this id: of two with one key, whichever comes first.
    pub(in crate::world) fn with_id(&self, id: Id) -> Option<u32> {
        let (_, number) = self.circle.range((id, 0)..=(id, u32::MAX)).next()?;
        Some(*number)
    }

    pub(in crate::world) fn len(&self) -> usize {
        self.list.len()
    }

    /// In the order of their numbers as far as nobody has left; a set, in an order that is the
    /// same in every run.
    pub(in crate::world) fn all(&self) -> &[u32] {
        &self.list
    }

    pub(in crate::world) fn pick(&self, random: &mut Random) -> Option<u32> {
        random.pick(&self.list)
    }

    /// Going round once from a point, which is the first counted.
    pub(in crate::world) fn from(&self, point: Id) -> impl Iterator<Item = (Id, u32)> + '_ {
        let ahead = self.circle.range((point, 0)..);
        let behind = self
            .circle
            .range((Bound::Unbounded, Bound::Excluded((point, 0))));
        ahead.chain(behind).copied()
    }
}
