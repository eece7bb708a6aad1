//! Durations as JSON has them: a number of milliseconds, to the microsecond.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(number(*time))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    Ok(duration(f64::deserialize(from)?))
}

/// The same where there may be none.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, duration, number};

    pub(in super::super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(number).serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<f64>::deserialize(from)?.map(duration))
    }
}

fn number(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

/// What is no duration, as a negative number, becomes none or the longest.
fn duration(milliseconds: f64) -> Duration {
    Duration::from_micros((milliseconds * 1000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn microseconds_survive_being_written_and_read(micros in 0..1_u64 << 50) {
            let time = Duration::from_micros(micros);
            prop_assert_eq!(duration(number(time)), time);
        }
    }

    #[test]
    fn numbers_that_are_no_durations_do_not_panic() {
        assert_eq!(duration(-1.0), Duration::ZERO);
        assert_eq!(duration(f64::NAN), Duration::ZERO);
        assert_eq!(duration(f64::INFINITY), Duration::from_micros(u64::MAX));
    }
}
