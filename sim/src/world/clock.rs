//! How far a machine's wall clock is off. It reads no clock itself: simulated time is given to it.

use super::Time;

/// A wall clock that may have been set wrongly, and may run too fast or too slowly.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    /// By how many milliseconds it was set ahead; negative is back.
    ahead_ms: i64,
    /// `None` as long as it never ran at another speed.
    drift: Option<Box<Drift>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Drift {
    /// How many millionths of the time it gains.
    ppm: i64,
    /// Since when.
    since: Time,
    /// What it had gained before, in millionths of nanoseconds.
    gained: i128,
}

impl Drift {
    fn gained(self, now: Time) -> i128 {
        let time = i128::from(now.saturating_sub(self.since));
        self.gained + time * i128::from(self.ppm)
    }
}

impl Clock {
    /// It is set ahead.
    pub(super) const fn set(&mut self, by_ms: i64) {
        self.ahead_ms = self.ahead_ms.saturating_add(by_ms);
    }

    /// It gains so many more millionths of the time from now on.
    pub(super) fn drift(&mut self, now: Time, by_ppm: i64) {
        let drift = self.drift.get_or_insert_default();
        **drift = Drift {
            ppm: drift.ppm.saturating_add(by_ppm),
            since: now,
            gained: drift.gained(now),
        };
    }

    /// By how many milliseconds it is ahead now.
    #[inline]
    pub(super) fn ahead_ms(&self, now: Time) -> i64 {
        let Some(drift) = &self.drift else {
            return self.ahead_ms;
        };
        let gained_ms = drift.gained(now) / 1_000_000_000_000;
        let gained_ms = i64::try_from(gained_ms).unwrap_or(i64::MAX);
        self.ahead_ms.saturating_add(gained_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::SECOND;

    #[test]
    fn a_clock_that_was_set_stays_so_far_ahead() {
        let mut clock = Clock::default();
        assert_eq!(clock.ahead_ms(SECOND), 0);
        clock.set(3_000);
        clock.set(-500);
        assert_eq!(clock.ahead_ms(0), 2_500);
        assert_eq!(clock.ahead_ms(9 * SECOND), 2_500);
        clock.set(i64::MAX);
        assert_eq!(clock.ahead_ms(0), i64::MAX);
    }

    #[test]
    fn a_clock_gains_while_it_runs_fast_and_keeps_what_it_gained() {
        let mut clock = Clock::default();
        clock.drift(10 * SECOND, 200);
        assert_eq!(clock.ahead_ms(10 * SECOND), 0);
        // 200 millionths of 1,000 seconds.
        assert_eq!(clock.ahead_ms(1_010 * SECOND), 200);
        clock.drift(1_010 * SECOND, -300);
        assert_eq!(clock.ahead_ms(1_010 * SECOND), 200);
        assert_eq!(clock.ahead_ms(4_010 * SECOND), -100);
        clock.drift(4_010 * SECOND, 100);
        assert_eq!(clock.ahead_ms(99_999 * SECOND), -100);
    }
}
