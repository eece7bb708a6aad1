//! Durations as people write them. Pure conversions between text and values.

use std::time::Duration;

use super::diagnostic::Wrong;

/// The longest duration that can be configured. Sums of several must fit in what clocks count.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

const UNITS: &str = "the units are `ms`, `s`, `m`, `h` and `d`, as in \"1m30s\"";

/// Reads a duration such as `30s`, `500ms` or `1m30s`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, Wrong> {
    use humantime::DurationError::UnknownUnit;
    let wrong = |problem: &str, help: &str| Err(Wrong::new(format!("\"{text}\" {problem}"), help));
    match humantime::parse_duration(text) {
        // To the library `M` is a month, which nobody means here.
        Ok(_) if text.contains('M') => wrong(
            "is not a duration",
            "minutes are written with a small `m`, as in \"10m\"",
        ),
        // The library takes a zero without a unit; one is wanted everywhere.
        Ok(_) if !text.contains(|char: char| char.is_ascii_alphabetic()) => {
            wrong("lacks a unit", UNITS)
        }
        Ok(duration) if duration > LONGEST => {
            wrong("is too long a duration", "the longest is \"365d\"")
        }
        Ok(duration) => Ok(duration),
        Err(UnknownUnit { unit, .. }) if unit.is_empty() => wrong("lacks a unit", UNITS),
        Err(UnknownUnit { unit, .. }) => {
            wrong(&format!("has the unit `{unit}`, which there is not"), UNITS)
        }
        Err(_) => wrong(
            "is not a duration",
            "write a number with its unit, as in \"30s\", \"500ms\" or \"1m30s\"",
        ),
    }
}

/// Writes a duration so that [`parse_duration`] reads the same one.
pub(super) fn format_duration(duration: Duration) -> String {
    // The library writes days out, and reads both.
    humantime::format_duration(duration)
        .to_string()
        .replace("days", "d")
        .replace("day", "d")
        .replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_need_a_unit_that_there_is() {
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        for text in [
            "",
            "30",
            "0",
            "10M",
            "5 parsecs",
            "-5s",
            "s",
            "366d",
            "nan",
            "99999999999d",
        ] {
            let wrong = parse_duration(text).expect_err(text);
            assert!(wrong.message.contains(text) && !wrong.help.is_empty());
        }
    }

    proptest! {
        #[test]
        fn durations_come_back(seconds in 0..LONGEST.as_secs(), nanos in 0..1_000_000_000_u32) {
            let duration = Duration::new(seconds, nanos);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }
}
