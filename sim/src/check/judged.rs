//! What a protocol brings to be judged, and checks of one's own.

use cuerda_core::ring::Id;

use super::placement::Placement;
use super::rules::Rules;
use super::structure::Structure;
use crate::world::{Moment, Simulated, Watcher};

/// A protocol whose runs can be judged.
///
/// [`super::structure::Unstructured`], [`super::placement::Unplaced`] and [`super::rules::Unruled`]
/// serve for what a protocol has nothing to say of.
pub trait Judged: Simulated {
    /// Its invariants.
    type Structure: Structure<Self::View>;
    /// Where keys belong.
    type Placement: Placement<Self::View>;
    /// How its nodes have to behave, step by step.
    type Rules: Rules<Self>;
}

/// A check of one's own, beside those that are built in: a watcher that finds something.
pub trait Check<P: Simulated>: Watcher<P> {
    /// What it is called in the report.
    fn name(&self) -> &'static str;

    /// Takes out what it has found since the last call. Asked after each event that it watched.
    fn findings(&mut self) -> Vec<Finding>;

    /// The run is over. What it finds now counts too.
    fn end(&mut self, _at: Moment) {}
}

/// A violation that a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// At which node; `None` where it is nobody's alone.
    pub node: Option<u32>,
    /// What is wrong, in a sentence.
    pub detail: String,
}

/// The holders of keys on a circle: the first member at or after the key, and those after it.
pub(crate) fn successors(members: &[(Id, u32)], key: Id, count: usize) -> Vec<u32> {
    let first = members.partition_point(|&(id, _)| id < key);
    let round = members.iter().cycle().skip(first);
    let count = count.min(members.len());
    round.take(count).map(|&(_, number)| number).collect()
}
