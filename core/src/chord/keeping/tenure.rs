//! Which arc a node serves, and which it should.

use crate::ring::{Arc, Id};

/// The arc that a node answers for: from `start` to itself.
///
/// It is not the arc between predecessor and node, which changes with every rumour: a tenure
/// changes only by a numbered hand-over, or by taking over from the dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tenure {
    /// Where the arc starts; not part of it.
    pub(super) start: Id,
    /// Later tenures of the same keys have greater numbers.
    pub(super) number: u64,
}

/// What is to be done about the difference between what a node serves and what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nothing.
    None,
    /// It should serve this arc, too.
    Acquire(Arc),
    /// The predecessor should serve this arc.
    Release(Arc),
}

impl Tenure {
    /// The arc of the node `me`.
    pub(super) const fn arc(self, me: Id) -> Arc {
        Arc::new(self.start, me)
    }

    /// Compares a tenure with a node's place on the circle.
    pub(super) fn gap(tenure: Option<Tenure>, me: Id, predecessor: Id) -> Gap {
        let Some(tenure) = tenure else {
            return Gap::Acquire(Arc::new(predecessor, me));
        };
        if tenure.start == predecessor {
            Gap::None
        } else if predecessor != me && tenure.arc(me).contains(predecessor) {
            Gap::Release(Arc::new(tenure.start, predecessor))
        } else {
            Gap::Acquire(Arc::new(predecessor, tenure.start))
        }
    }

    /// The tenure after an arc was handed over to the node `me`; `None` if the arc neither ends
    /// where the tenure starts nor at the node.
    pub(super) fn extended(
        tenure: Option<Tenure>,
        me: Id,
        arc: Arc,
        number: u64,
    ) -> Option<Tenure> {
        let start = match tenure {
            // It has all of it already.
            Some(tenure) if covers(tenure.arc(me), arc) => tenure.start,
            None if arc.end == me => arc.start,
            Some(tenure) if arc.end == tenure.start => arc.start,
            // It overlaps: the farther start is that of both together.
            Some(tenure) if arc.end == me && arc.contains(tenure.start) => arc.start,
            Some(tenure) if arc.end == me => tenure.start,
            _ => return None,
        };
        Some(Tenure { start, number })
    }
}

/// Whether the whole of an arc lies on another.
fn covers(outer: Arc, inner: Arc) -> bool {
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

    fn tenure(start: u8) -> Option<Tenure> {
        Some(Tenure {
            start: id(start),
            number: 1,
        })
    }

    fn arc(start: u8, end: u8) -> Arc {
        Arc::new(id(start), id(end))
    }

    #[test]
    fn the_gap_is_between_what_is_served_and_what_should_be() {
        let gap = |start, predecessor| Tenure::gap(start, id(50), id(predecessor));
        assert_eq!(gap(None, 40), Gap::Acquire(arc(40, 50)));
        assert_eq!(gap(tenure(40), 40), Gap::None);
        assert_eq!(gap(tenure(30), 40), Gap::Release(arc(30, 40)));
        assert_eq!(gap(tenure(40), 30), Gap::Acquire(arc(30, 40)));
        // A ring of one serves the whole circle, until somebody joins.
        assert_eq!(gap(tenure(50), 50), Gap::None);
        assert_eq!(gap(tenure(50), 40), Gap::Release(arc(50, 40)));
        assert_eq!(gap(tenure(40), 50), Gap::Acquire(arc(50, 40)));
    }

    #[test]
    fn what_is_handed_over_extends_the_tenure() {
        let extended = |start: Option<Tenure>, arc| {
            Tenure::extended(start, id(50), arc, 7).map(|tenure| tenure.start)
        };
        assert_eq!(extended(None, arc(40, 50)), Some(id(40)));
        assert_eq!(extended(tenure(40), arc(30, 40)), Some(id(30)));
        assert_eq!(extended(tenure(40), arc(30, 50)), Some(id(30)));
        assert_eq!(extended(tenure(30), arc(40, 50)), Some(id(30)));
        assert_eq!(extended(tenure(30), arc(35, 45)), Some(id(30)));
        assert_eq!(extended(tenure(50), arc(10, 50)), Some(id(50)));
        assert_eq!(extended(tenure(40), arc(45, 42)), None);
        assert_eq!(extended(tenure(40), arc(20, 30)), None);
        assert_eq!(extended(None, arc(20, 30)), None);
    }
}
