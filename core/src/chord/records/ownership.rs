//! Which arc a node serves, and which it should.

use crate::ring::{Id, KeyRange};

/// The arc that a node answers for: from `start` to itself.
///
/// It is not the arc between predecessor and node, which changes with every rumour: an ownership
/// changes only by a numbered hand-over, or by taking over from the dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ownership {
    /// Where the arc starts; not part of it.
    pub(super) start: Id,
    /// Later ownerships of the same keys have greater epochs.
    pub(super) epoch: u64,
}

/// What is to be done about the difference between what a node serves and what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nothing.
    None,
    /// It should serve this arc, too.
    Acquire(KeyRange),
    /// The predecessor should serve this arc.
    Release(KeyRange),
}

impl Ownership {
    /// The arc of the node `me`.
    pub(super) const fn arc(self, me: Id) -> KeyRange {
        KeyRange::new(self.start, me)
    }

    /// Compares an ownership with a node's place on the circle.
    pub(super) fn gap(ownership: Option<Ownership>, me: Id, predecessor: Id) -> Gap {
        let Some(ownership) = ownership else {
            return Gap::Acquire(KeyRange::new(predecessor, me));
        };
        if ownership.start == predecessor {
            Gap::None
        } else if predecessor != me && ownership.arc(me).contains(predecessor) {
            Gap::Release(KeyRange::new(ownership.start, predecessor))
        } else {
            Gap::Acquire(KeyRange::new(predecessor, ownership.start))
        }
    }

    /// The ownership after an arc was handed over to the node `me`; `None` if the arc neither ends
    /// where the ownership starts nor at the node.
    pub(super) fn extended(
        ownership: Option<Ownership>,
        me: Id,
        arc: KeyRange,
        epoch: u64,
    ) -> Option<Ownership> {
        let start = match ownership {
            // It has all of it already.
            Some(ownership) if covers(ownership.arc(me), arc) => ownership.start,
            None if arc.end == me => arc.start,
            Some(ownership) if arc.end == ownership.start => arc.start,
            // It overlaps: the farther start is that of both together.
            Some(ownership) if arc.end == me && arc.contains(ownership.start) => arc.start,
            Some(ownership) if arc.end == me => ownership.start,
            _ => return None,
        };
        Some(Ownership { start, epoch })
    }
}

/// Whether the whole of an arc lies on another.
fn covers(outer: KeyRange, inner: KeyRange) -> bool {
    let from = |point: Id| outer.start.distance_to(point);
    outer.start == outer.end
        || outer.contains(inner.end)
            && (inner.start == outer.start
                || outer.contains(inner.start) && from(inner.start) < from(inner.end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::test_peers::peer;

    fn id(place: u8) -> Id {
        peer(place).id
    }

    fn ownership(start: u8) -> Option<Ownership> {
        Some(Ownership {
            start: id(start),
            epoch: 1,
        })
    }

    fn arc(start: u8, end: u8) -> KeyRange {
        KeyRange::new(id(start), id(end))
    }

    #[test]
    fn the_gap_is_between_what_is_served_and_what_should_be() {
        let gap = |start, predecessor| Ownership::gap(start, id(50), id(predecessor));
        assert_eq!(gap(None, 40), Gap::Acquire(arc(40, 50)));
        assert_eq!(gap(ownership(40), 40), Gap::None);
        assert_eq!(gap(ownership(30), 40), Gap::Release(arc(30, 40)));
        assert_eq!(gap(ownership(40), 30), Gap::Acquire(arc(30, 40)));
        // A ring of one serves the whole circle, until somebody joins.
        assert_eq!(gap(ownership(50), 50), Gap::None);
        assert_eq!(gap(ownership(50), 40), Gap::Release(arc(50, 40)));
        assert_eq!(gap(ownership(40), 50), Gap::Acquire(arc(50, 40)));
    }

    #[test]
    fn what_is_handed_over_extends_the_ownership() {
        let extended = |start: Option<Ownership>, arc| {
            Ownership::extended(start, id(50), arc, 7).map(|ownership| ownership.start)
        };
        assert_eq!(extended(None, arc(40, 50)), Some(id(40)));
        assert_eq!(extended(ownership(40), arc(30, 40)), Some(id(30)));
        assert_eq!(extended(ownership(40), arc(30, 50)), Some(id(30)));
        assert_eq!(extended(ownership(30), arc(40, 50)), Some(id(30)));
        assert_eq!(extended(ownership(30), arc(35, 45)), Some(id(30)));
        assert_eq!(extended(ownership(50), arc(10, 50)), Some(id(50)));
        assert_eq!(extended(ownership(40), arc(45, 42)), None);
        assert_eq!(extended(ownership(40), arc(20, 30)), None);
        assert_eq!(extended(None, arc(20, 30)), None);
    }
}
