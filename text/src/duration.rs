//! Durations as people write them. Pure conversions between text and values.

use std::time::Duration;

use humantime::DurationError;

use crate::Mistake;

const UNITS: &str = "the units are `ns`, `us`, `ms`, `s`, `m`, `h` and `d`, as in \"1h30m\"";

/// Reads a duration such as `10m`, `1h30m`, `1.5s`, `500ms` or `0s`.
///
/// # Errors
/// If it is none, lacks a unit, is finer than a nanosecond or longer than `longest`.
pub fn parse_duration(text: &str, longest: Duration) -> Result<Duration, Mistake> {
    let wrong =
        |problem: &str, help: &str| Err(Mistake::new(format!("\"{text}\" {problem}"), help));
    match humantime::parse_duration(text) {
        // To the library `M` is a month, which nobody means here.
        Ok(_) if text.contains('M') => wrong(
            "is not a duration",
            "minutes are written with a small `m`, as in \"10m\"",
        ),
        // The library takes a zero without a unit; one is wanted everywhere.
        Ok(_) if !text.contains(|char: char| char.is_ascii_alphabetic()) => wrong(
            "lacks a unit",
            &format!("{UNITS}; here perhaps \"{}s\"", text.trim()),
        ),
        Ok(duration) if duration > longest => wrong(
            "is too long a duration",
            &format!("the longest is \"{}\"", format_duration(longest)),
        ),
        Ok(duration) => Ok(duration),
        Err(DurationError::UnknownUnit { unit, .. }) if unit.is_empty() => {
            wrong("lacks a unit", UNITS)
        }
        Err(DurationError::UnknownUnit { unit, .. }) => wrong(
            &format!("is not a duration: there is no unit `{unit}`"),
            UNITS,
        ),
        Err(DurationError::NumberOverflow) => wrong(
            "is too long a duration, or too fine",
            &format!(
                "the longest is \"{}\", the shortest \"1ns\"",
                format_duration(longest)
            ),
        ),
        Err(_) if text.trim_start().starts_with('-') => {
            wrong("is negative", "durations are zero or more")
        }
        Err(_) => wrong(
            "is not a duration",
            "write a number with its unit, as in \"30s\", \"500ms\" or \"1h30m\"",
        ),
    }
}

/// Writes a duration so that [`parse_duration`] reads the same one, as in `1h30m`.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let days = duration.as_secs() / DAY;
    // The library counts months of 30.44 days and years of 365.25.
    let rest = duration - Duration::from_secs(days * DAY);
    let rest_of_day = humantime::format_duration(rest)
        .to_string()
        .replace(' ', "");
    match days {
        0 => rest_of_day,
        _ if rest.is_zero() => format!("{days}d"),
        _ => format!("{days}d{rest_of_day}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    fn read(text: &str) -> Result<Duration, Mistake> {
        parse_duration(text, LONGEST)
    }

    #[test]
    fn durations_as_people_write_them() {
        for (text, milliseconds) in [
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("1.5s", 1_500),
            ("500ms", 500),
            ("0s", 0),
            ("2d", 172_800_000),
        ] {
            assert_eq!(
                read(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        assert_eq!(read("365d"), Ok(LONGEST));
        assert_eq!(read("50us"), Ok(Duration::from_micros(50)));
    }

    #[test]
    fn what_is_no_duration() {
        for text in [
            "",
            "10",
            "0",
            " 0 ",
            "10M",
            "10 x",
            "5 parsecs",
            "-5s",
            "s",
            "1m30",
            "366d",
            "11y",
            "nan",
            "1e3s",
            "0.1ns",
            "infs",
            "99999999999d",
        ] {
            let wrong = read(text).expect_err(text);
            assert!(
                wrong.message.contains(text) && !wrong.help.is_empty(),
                "{wrong}"
            );
        }
        let wrong = read("366d").expect_err("a leap year");
        assert_eq!(wrong.help, "the longest is \"365d\"");
    }

    #[test]
    fn days_are_the_longest_unit() {
        let hours = |hours: u64| format_duration(Duration::from_secs(hours * 60 * 60));
        assert_eq!([0, 2, 24, 1501].map(hours), ["0s", "2h", "1d", "62d13h"]);
        assert_eq!(format_duration(Duration::from_millis(90_500)), "1m30s500ms");
    }

    proptest! {
        #[test]
        fn durations_come_back(
            duration in (0..LONGEST.as_secs(), 0..1_000_000_000_u32)
                .prop_map(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds))
        ) {
            prop_assert_eq!(read(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_read_or_refused(
            text in prop_oneof![any::<String>(), "-?[0-9.einfadMs]{1,7}(h|ms|ns)?"]
        ) {
            match read(&text) {
                Ok(duration) => prop_assert!(duration <= LONGEST),
                Err(wrong) => prop_assert!(!wrong.help.is_empty()),
            }
        }
    }
}
