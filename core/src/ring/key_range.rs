//! Stretches of the circle: arcs.

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

    /// The arcs of which each point lies on both: none, one, or two, if they meet at both ends.
    pub fn intersection(self, other: KeyRange) -> impl Iterator<Item = KeyRange> {
        let first = (other.goes_on_after(self.start)).then_some(self.start);
        let starts_too = other.start != self.start && self.goes_on_after(other.start);
        let second = starts_too.then_some(other.start);
        // Back at its start an arc has gone round the whole circle.
        let length = move |start: Id, end: Id| (start == end, start.distance_to(end));
        [first, second].into_iter().flatten().map(move |start| {
            let ends = [self.end, other.end].into_iter();
            let end = ends.min_by_key(|end| length(start, *end));
            KeyRange::new(start, end.unwrap_or(start))
        })
    }

    /// What is left of it without another: none, one, or two arcs.
    pub fn without(self, other: KeyRange) -> impl Iterator<Item = KeyRange> {
        let rest = KeyRange::new(other.end, other.start);
        let is_some = other.start != other.end;
        self.intersection(rest).filter(move |_| is_some)
    }

    /// Whether the point that follows this one lies on it.
    fn goes_on_after(self, point: Id) -> bool {
        point == self.start || point != self.end && self.contains(point)
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
        fn each_point_of_two_arcs_lies_on_one_piece_of_what_they_share_or_is_left(
            ends in prop::array::uniform4(0u8..6), more in any_id()
        ) {
            let point = |at: u8| crate::ring::test_peers::peer(at * 40).id;
            let [a, b, c, d] = ends.map(point);
            let (one, other) = (KeyRange::new(a, b), KeyRange::new(c, d));
            let shared: Vec<KeyRange> = one.intersection(other).collect();
            let left: Vec<KeyRange> = one.without(other).collect();
            prop_assert!(shared.len() <= 2 && left.len() <= 2);
            let points = (0u8..6).flat_map(|at| [point(at), point(at).plus_power(0)]);
            for x in points.chain([more]) {
                let lies = |arcs: &[KeyRange]| arcs.iter().filter(|arc| arc.contains(x)).count();
                let (on_one, on_other) = (one.contains(x), other.contains(x));
                prop_assert_eq!(lies(&shared), usize::from(on_one && on_other));
                prop_assert_eq!(lies(&left), usize::from(on_one && !on_other));
            }
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
