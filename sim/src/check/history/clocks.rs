//! How far apart the clocks of nodes can be, and so how long something is promised for certain.
//!
//! Lives and deletions end by the clock of some node. This knows how far the scenario has set
//! clocks wrong, asks nobody, and judges nothing: it says between which bounds the clock of any
//! node must be, whichever node that is. What is over by the highest of them may be over; what is
//! over by the lowest of them is.
//!
//! A stamp clock follows the highest stamp that it has seen, and never goes back. So the highest
//! is not what the clocks show now, but the highest that any of them ever showed, or that a client
//! handed in.

use std::collections::BTreeMap;
use std::time::Duration;

use cuerda_core::record::{Stamp, limits};

use super::Nanos;
use super::readings::is_alive;

/// Nanoseconds of a millisecond.
const MILLISECOND: u64 = 1_000_000;

/// The clocks of all nodes.
#[derive(Clone, Debug, Default)]
pub struct Clocks {
    /// What a right clock shows at time zero, in milliseconds since 1970.
    epoch: u64,
    /// How many milliseconds the clocks of machines are ahead; negative is behind. Those that are
    /// right are not here.
    off: BTreeMap<u32, i64>,
    /// When each was last touched; `None` once it runs at a pace of its own.
    touched: BTreeMap<u32, Option<Nanos>>,
    /// The greatest of these and the least; never less than zero, and never more.
    ahead: u64,
    behind: u64,
    /// The same from each time on at which a clock was set.
    spans: Vec<(Nanos, u64, u64)>,
    /// How far ahead the clocks of clients are, who hand in what these show.
    clients: u64,
    /// The highest that a stamp clock is known to have shown.
    shown: u64,
    /// Whether any clock has ever been off.
    wrong: bool,
    /// Until when several clocks were so wrong that others take theirs for right; [`Nanos::MAX`] as
    /// long as they are.
    misled: Option<Nanos>,
}

/// A node that hears three machines believes two of them. One wrong clock misleads nobody.
const MISLEADING: usize = 2;

impl Clocks {
    /// Clocks that are right, and show `epoch` milliseconds since 1970 at time zero. Those of
    /// clients may be ahead.
    #[must_use]
    pub fn new(epoch: u64, clients: Duration) -> Clocks {
        Clocks {
            epoch,
            clients: milliseconds(clients),
            wrong: !clients.is_zero(),
            ..Clocks::default()
        }
    }

    /// What a right clock shows.
    fn right(&self, now: Nanos) -> u64 {
        self.epoch.saturating_add(now / MILLISECOND)
    }

    /// From now on these machines' clocks are off by so many milliseconds more.
    pub fn set(&mut self, now: Nanos, machines: &[u32], by: i64) {
        self.shown = self.highest(now);
        self.wrong = true;
        for &machine in machines {
            if let Some(at) = self.touched.entry(machine).or_insert(Some(now)) {
                *at = now;
            }
            let off = self.off.entry(machine).or_insert(0);
            *off = off.saturating_add(by);
        }
        self.off.retain(|_, off| *off != 0);
        let far = |off: &&i64| off.unsigned_abs() > limits::TAKEN_MAX / 2;
        if self.off.values().filter(far).count() >= MISLEADING {
            self.misled = Some(Nanos::MAX);
        } else if self.misled == Some(Nanos::MAX) {
            self.misled = Some(now);
        }
        let each = || self.off.values().copied();
        self.ahead = each().max().unwrap_or(0).max(0).unsigned_abs();
        self.behind = each().min().unwrap_or(0).min(0).unsigned_abs();
        self.spans.push((now, self.ahead, self.behind));
    }

    /// From now on these machines' clocks run at another pace: nothing is known of them any more.
    pub fn drift(&mut self, machines: &[u32]) {
        self.touched
            .extend(machines.iter().map(|&machine| (machine, None)));
    }

    /// How far the clock by which a machine's node judges has been ahead ever since `then`, in
    /// milliseconds; negative is behind. `None` if it has been set meanwhile, or runs at a pace of its
    /// own, or if nobody knows whose clock the node goes by, since so many are wrong.
    #[must_use]
    pub fn ahead_since(&self, then: Nanos, machine: u32) -> Option<i64> {
        if self.misled.is_some_and(|until| until >= then) {
            return None;
        }
        let was_touched = match self.touched.get(&machine) {
            Some(Some(at)) => *at >= then,
            Some(None) => true,
            None => false,
        };
        (!was_touched).then(|| self.off.get(&machine).copied().unwrap_or(0))
    }

    /// Somebody has seen this stamp, or handed it in.
    pub fn saw(&mut self, stamp: Stamp) {
        self.shown = self.shown.max(stamp.milliseconds);
    }

    /// No clock of any node shows more, in milliseconds since 1970. One that starts again goes on
    /// from a mark that runs ahead of what it had shown.
    #[must_use]
    pub fn highest(&self, now: Nanos) -> u64 {
        let ahead = self.ahead.max(self.clients);
        let shows = self.right(now).saturating_add(ahead);
        shows.saturating_add(limits::MARK_STEP).max(self.shown)
    }

    /// As far ahead as a stamp may be by a right clock, or by the clock by which this machine's node
    /// judged what it was asked then, if that is behind: what is farther it may have followed.
    pub(super) fn near(&self, then: Nanos, machine: u32) -> u64 {
        let behind = match self.ahead_since(then, machine) {
            Some(off) => off.min(0).unsigned_abs(),
            None => self.apart_since(then).1,
        };
        let near = self.right(then).saturating_add(limits::SKEW_MAX);
        near.saturating_sub(behind)
    }

    /// How far any clock has been ahead and behind ever since `then`, in milliseconds.
    fn apart_since(&self, then: Nanos) -> (u64, u64) {
        // What was set last before that time was in effect then.
        let first = self
            .spans
            .partition_point(|(from, ..)| *from < then)
            .saturating_sub(1);
        let since = || self.spans[first..].iter();
        let ahead = since().map(|(_, ahead, _)| *ahead).max().unwrap_or(0);
        let behind = since().map(|(.., behind)| *behind).max().unwrap_or(0);
        (ahead, behind)
    }

    /// No clock of any node shows less.
    #[must_use]
    pub fn lowest(&self, now: Nanos) -> u64 {
        self.right(now).saturating_sub(self.behind)
    }

    /// Whether nobody's clock has ever been off.
    #[must_use]
    pub const fn were_right(&self) -> bool {
        !self.wrong
    }

    /// Whether a value that was written no sooner than `at` and lives so long still does, whosever
    /// clock it is that it ends by, and whosever it is read by.
    #[must_use]
    pub fn lives(&self, now: Nanos, at: Nanos, length: Duration) -> bool {
        let (ahead, behind) = self.apart_since(at);
        // Clocks show whole milliseconds, and so a value may end one too soon.
        let apart = ahead.saturating_add(behind).saturating_add(1);
        is_alive(
            now.saturating_add(apart.saturating_mul(MILLISECOND)),
            at,
            length,
        )
    }

    /// Whether what began with this stamp and lasts so long is not over by anybody's clock.
    #[must_use]
    pub fn lasts(&self, now: Nanos, stamp: Stamp, length: Duration) -> bool {
        self.highest(now) < stamp.milliseconds.saturating_add(milliseconds(length))
    }
}

/// In whole milliseconds.
pub(super) fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use cuerda_core::ring::Id;

    use super::*;

    const SECOND: Nanos = 1_000_000_000;
    const EPOCH: u64 = 1_700_000_000_000;

    fn stamp(milliseconds: u64) -> Stamp {
        Stamp {
            milliseconds,
            counter: 0,
            node: Id::ZERO,
        }
    }

    /// How far the bounds are from the right time.
    fn bounds(clocks: &Clocks, now: Nanos) -> (u64, u64) {
        let right = EPOCH + now / MILLISECOND;
        (right - clocks.lowest(now), clocks.highest(now) - right)
    }

    #[test]
    fn a_clock_is_known_that_nobody_has_touched_since() {
        let mut clocks = Clocks::new(EPOCH, Duration::ZERO);
        clocks.set(5 * SECOND, &[1], 7000);
        assert_eq!(clocks.ahead_since(0, 2), Some(0));
        assert_eq!(clocks.ahead_since(4 * SECOND, 1), None);
        assert_eq!(clocks.ahead_since(6 * SECOND, 1), Some(7000));
        clocks.set(8 * SECOND, &[1], -7000);
        assert_eq!(clocks.ahead_since(6 * SECOND, 1), None);
        assert_eq!(clocks.ahead_since(9 * SECOND, 1), Some(0));
        clocks.drift(&[1]);
        assert_eq!(clocks.ahead_since(99 * SECOND, 1), None);
        clocks.set(100 * SECOND, &[1], 5);
        assert_eq!(
            clocks.ahead_since(200 * SECOND, 1),
            None,
            "it runs on at its pace"
        );
    }

    #[test]
    fn where_two_clocks_are_far_off_nobody_knows_whose_a_node_goes_by() {
        let hour = 3_600_000;
        let mut clocks = Clocks::new(EPOCH, Duration::ZERO);
        clocks.set(SECOND, &[1], hour);
        assert_eq!(clocks.ahead_since(2 * SECOND, 1), Some(hour));
        assert_eq!(clocks.ahead_since(2 * SECOND, 0), Some(0));
        clocks.set(3 * SECOND, &[2], 600_000);
        assert_eq!(clocks.ahead_since(4 * SECOND, 0), Some(0), "that is near");
        clocks.set(5 * SECOND, &[2], hour);
        assert_eq!(clocks.ahead_since(6 * SECOND, 0), None);
        clocks.set(7 * SECOND, &[1], -hour);
        assert_eq!(clocks.ahead_since(6 * SECOND, 0), None, "it may have been");
        assert_eq!(clocks.ahead_since(8 * SECOND, 0), Some(0));
    }

    #[test]
    fn clocks_that_nobody_touches_are_right_but_for_the_mark() {
        let clocks = Clocks::new(EPOCH, Duration::ZERO);
        assert_eq!(bounds(&clocks, 7 * SECOND), (0, limits::MARK_STEP));
    }

    #[test]
    fn the_bounds_are_those_of_the_clocks_that_are_farthest_off() {
        let mut clocks = Clocks::new(EPOCH, Duration::ZERO);
        clocks.set(SECOND, &[1, 2], 5000);
        clocks.set(SECOND, &[2, 3], -7000);
        // n1 is 5 s ahead, n2 two behind, n3 seven.
        assert_eq!(bounds(&clocks, SECOND), (7000, 5000 + limits::MARK_STEP));
        clocks.set(2 * SECOND, &[2, 3], 7000);
        assert_eq!(bounds(&clocks, 2 * SECOND).0, 0);
    }

    #[test]
    fn a_value_lives_where_no_two_clocks_since_it_was_written_say_otherwise() {
        let minute = Duration::from_secs(60);
        let mut clocks = Clocks::new(EPOCH, Duration::ZERO);
        assert!(clocks.lives(59 * SECOND, 0, minute));
        assert!(!clocks.lives(61 * SECOND, 0, minute));
        clocks.set(10 * SECOND, &[1], 20_000);
        clocks.set(10 * SECOND, &[2], -5000);
        assert!(clocks.lives(34 * SECOND, 0, minute));
        assert!(!clocks.lives(36 * SECOND, 0, minute));
        clocks.set(20 * SECOND, &[1], -20_000);
        clocks.set(20 * SECOND, &[2], 5000);
        assert!(
            !clocks.lives(59 * SECOND, 15 * SECOND, minute),
            "written before they were right"
        );
        assert!(clocks.lives(80 * SECOND, 21 * SECOND, minute));
    }

    #[test]
    fn what_is_near_goes_by_the_clock_of_whom_was_asked_or_by_any_if_nobody_knows() {
        let hour = i64::try_from(limits::SKEW_MAX).unwrap();
        let mut clocks = Clocks::new(EPOCH, Duration::ZERO);
        clocks.set(5 * SECOND, &[1], -hour);
        clocks.set(5 * SECOND, &[3], hour / 4);
        let by_right = |clocks: &Clocks, second: u64, machine| {
            let right = EPOCH + 1000 * second;
            clocks.near(second * SECOND, machine).cast_signed() - right.cast_signed()
        };
        assert_eq!(by_right(&clocks, 6, 1), 0);
        assert_eq!(by_right(&clocks, 6, 2), hour, "nobody touched it");
        assert_eq!(by_right(&clocks, 6, 3), hour, "ahead is not behind");
        assert_eq!(by_right(&clocks, 4, 1), 0, "it was set meanwhile");
        // Of two that are far off, others may believe either.
        clocks.set(7 * SECOND, &[2], -hour);
        assert_eq!(by_right(&clocks, 8, 0), 0);
        clocks.set(9 * SECOND, &[1, 2], hour);
        assert_eq!(by_right(&clocks, 10, 0), hour);
    }

    #[test]
    fn a_stamp_clock_does_not_go_back_with_the_clock_that_it_followed() {
        let mut clocks = Clocks::new(EPOCH, Duration::ZERO);
        clocks.set(0, &[1], 60_000);
        clocks.set(10 * SECOND, &[1], -60_000);
        let shown = EPOCH + 70_000 + limits::MARK_STEP;
        assert_eq!(clocks.highest(20 * SECOND), shown);
        assert_eq!(
            clocks.highest(90 * SECOND),
            EPOCH + 90_000 + limits::MARK_STEP
        );
        clocks.saw(stamp(EPOCH + 200_000));
        assert_eq!(clocks.highest(90 * SECOND), EPOCH + 200_000);
    }

    #[test]
    fn what_is_over_by_one_clock_is_not_demanded() {
        let mut clocks = Clocks::new(EPOCH, Duration::ZERO);
        let (written, minute) = (stamp(EPOCH + 1000), Duration::from_secs(60));
        assert!(clocks.lasts(59 * SECOND, written, minute));
        assert!(!clocks.lasts(61 * SECOND, written, minute));
        clocks.set(10 * SECOND, &[4], 55_000);
        assert!(!clocks.lasts(10 * SECOND, written, minute));
        // Clocks of clients count as much.
        let clocks = Clocks::new(EPOCH, minute);
        assert!(!clocks.lasts(2 * SECOND, written, minute));
    }
}
