//! Stretches of the circle.

use serde::{Deserialize, Serialize};

use super::Id;

/// The points one meets walking clockwise from `start` to `end`, the end counted and the start
/// not: the keys that a node at `end` owns when its predecessor is at `start`.
///
/// From a point to itself it is the whole circle, never nothing: a node that is its own
/// predecessor owns every key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyRange {
    /// Where the walk starts; not itself part of the arc.
    pub start: Id,
    /// Where it ends; the last point of the arc.
    pub end: Id,
}

impl KeyRange {
    /// The arc after `start` up to and with `end`.
    #[must_use]
    pub const fn new(start: Id, end: Id) -> KeyRange {
        KeyRange { start, end }
    }

    /// Whether the point lies on the arc.
    #[must_use]
    pub fn contains(self, point: Id) -> bool {
        point == self.end || point.is_between(self.start, self.end)
    }

    /// How many points it has; zero stands for all 2^160.
    #[must_use]
    pub const fn length(self) -> Id {
        self.start.distance_to(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::id::tests::any_id;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn its_end_is_on_it_and_its_start_only_if_it_is_the_circle(a in any_id(), b in any_id()) {
            let arc = KeyRange::new(a, b);
            prop_assert!(arc.contains(b));
            prop_assert_eq!(arc.contains(a), a == b);
        }

        #[test]
        fn two_points_cut_the_circle_in_two(a in any_id(), b in any_id(), x in any_id()) {
            prop_assume!(a != b);
            prop_assert!(KeyRange::new(a, b).contains(x) != KeyRange::new(b, a).contains(x));
        }

        #[test]
        fn a_point_is_on_it_if_it_is_not_farther_than_the_end(
            a in any_id(), b in any_id(), x in any_id()
        ) {
            prop_assume!(a != b && a != x);
            prop_assert_eq!(
                KeyRange::new(a, b).contains(x), a.distance_to(x) <= KeyRange::new(a, b).length()
            );
        }
    }

    #[test]
    fn from_a_point_to_itself_it_is_everything() {
        let point = Id::of_key(b"p");
        let all = KeyRange::new(point, point);
        assert!(all.contains(point) && all.contains(Id::ZERO) && all.contains(Id::MAX));
    }
}
