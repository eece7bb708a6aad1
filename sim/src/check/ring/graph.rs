//! The graph of best successors as a whole: its rings, and what hangs on to them.
//!
//! Members are numbers here, in the order of their identifiers, and each has at most one best
//! successor. One pass over all of them, whatever their state; nothing is kept.

use std::collections::BTreeSet;

use crate::check::property::Property;

/// Where the walk from a member ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Unknown,
    /// It belongs to the walk that is going on.
    Walking,
    /// It is on a ring itself.
    Ring,
    /// It leads to a ring.
    Appendage,
    /// It leads to a member without a live successor.
    DeadEnd,
}

/// Each member's fate, and the number of rings.
fn fates(best: &[Option<usize>]) -> (Vec<Fate>, usize) {
    let mut fates = vec![Fate::Unknown; best.len()];
    let mut rings = 0;
    let mut walk = Vec::new();
    for start in 0..best.len() {
        let mut at = Some(start);
        while let Some(member) = at
            && fates[member] == Fate::Unknown
        {
            fates[member] = Fate::Walking;
            walk.push(member);
            at = best[member];
        }
        let mut fate = match at.map(|member| fates[member]) {
            None | Some(Fate::DeadEnd) => Fate::DeadEnd,
            Some(Fate::Walking) => Fate::Ring,
            Some(_) => Fate::Appendage,
        };
        rings += usize::from(fate == Fate::Ring);
        while let Some(member) = walk.pop() {
            fates[member] = fate;
            if fate == Fate::Ring && at == Some(member) {
                fate = Fate::Appendage;
            }
        }
    }
    (fates, rings)
}

/// How many rings there are.
pub(super) fn rings(best: &[Option<usize>]) -> usize {
    fates(best).1
}

/// Which of the four properties that are about this graph are broken.
pub(super) fn broken(best: &[Option<usize>]) -> BTreeSet<Property> {
    let (fates, rings) = fates(best);
    let ring: Vec<usize> = (0..best.len())
        .filter(|&member| fates[member] == Fate::Ring)
        .collect();
    // Each one's best successor is the next ring member clockwise, or itself.
    let nexts = ring.iter().cycle().skip(1);
    let ordered = ring
        .iter()
        .zip(nexts)
        .all(|(&member, &next)| best[member] == Some(next) || best[member] == Some(member));
    let holds = [
        (Property::AtLeastOneRing, rings >= 1 || best.is_empty()),
        (Property::AtMostOneRing, rings <= 1),
        (Property::OrderedRing, ordered),
        (
            Property::ConnectedAppendages,
            !fates.contains(&Fate::DeadEnd),
        ),
    ];
    let broken = holds.into_iter().filter(|(_, holds)| !holds);
    broken.map(|(property, _)| property).collect()
}
