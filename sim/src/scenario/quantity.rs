//! Durations, rates and shares as people write them. Pure conversions between text and values.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use cuerda_text::duration;

pub use cuerda_text::Mistake;
pub use cuerda_text::duration::format_duration;

/// The longest duration that a scenario can name: ten years of 365 days. Worlds count
/// nanoseconds in 64 bits, and sums of several durations must fit as well.
pub const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The greatest rate that a scenario can name, in events a second over the whole ring.
pub const FASTEST: f64 = 1e9;

fn error<T>(message: impl Into<String>, help: impl Into<String>) -> Result<T, Mistake> {
    Err(Mistake::new(message, help))
}

/// Reads a duration such as `10m`, `1h30m`, `1.5s`, `500ms` or `0s`.
///
/// # Errors
/// If it is none, lacks a unit or is longer than [`LONGEST`].
pub fn parse_duration(text: &str) -> Result<Duration, Mistake> {
    duration::parse_duration(text, LONGEST)
}

/// How often something happens: `1/s`, `30/min`, `2/h`, `1/10s`, or, for each node of the ring,
/// `0.1/s per node`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many a second, zero or more.
    pub per_second: f64,
    /// Whether that is for each node the ring starts with instead of for the whole ring.
    pub per_node: bool,
}

impl Rate {
    /// How many a second over a whole ring that starts with so many nodes.
    #[must_use]
    pub fn over(self, nodes: u32) -> f64 {
        if self.per_node {
            self.per_second * f64::from(nodes)
        } else {
            self.per_second
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_node = if self.per_node { " per node" } else { "" };
        write!(f, "{}/s{per_node}", self.per_second)
    }
}

impl FromStr for Rate {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Rate, Mistake> {
        const HELP: &str =
            "write a number for a time, as in \"1/s\", \"30/min\", \"1/10s\" or \"0.1/s per node\"";
        let (whole, per_node) = match text.trim_end().strip_suffix("per node") {
            Some(whole) => (whole, true),
            None => (text, false),
        };
        let Some((number, time)) = whole.split_once('/') else {
            return error(format!("\"{text}\" lacks a unit of time"), HELP);
        };
        let time = time.trim();
        let time = if time.starts_with(|first: char| first.is_ascii_digit()) {
            time.to_owned()
        } else {
            format!("1{time}")
        };
        let not = format!("\"{text}\" is not a rate");
        let Ok(number) = number.trim().parse::<f64>() else {
            return error(not, HELP);
        };
        if number < 0.0 {
            return error(
                format!("\"{text}\" is negative"),
                "rates are zero or more; \"0/s\" is never",
            );
        }
        let Ok(time) = parse_duration(&time) else {
            return error(not, HELP);
        };
        // A zero time or an infinite number fails here too, and so does not-a-number.
        let per_second = number / time.as_secs_f64();
        if !(0.0..=FASTEST).contains(&per_second) {
            return error(not, format!("the greatest is \"{FASTEST}/s\""));
        }
        Ok(Rate {
            // The text may say minus zero.
            per_second: per_second.abs(),
            per_node,
        })
    }
}

/// Reads a number of bytes such as `100B`, `1KiB` or `2MiB`.
///
/// # Errors
/// If it is none, lacks a unit or is above 1 GiB.
pub fn parse_size(text: &str) -> Result<u64, Mistake> {
    const HELP: &str = "write a whole number with its unit, as in \"100B\", \"1KiB\" or \"2MiB\"";
    const MOST: u64 = 1 << 30;
    let whole = text.trim();
    let digits = whole.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = whole.split_at(digits);
    let bytes = match unit.trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "" if digits > 0 => {
            return error(
                format!("\"{text}\" lacks a unit"),
                format!("{HELP}; here perhaps \"{whole}B\""),
            );
        }
        _ => return error(format!("\"{text}\" is not a size"), HELP),
    };
    match number.parse::<u64>() {
        Ok(number) if number <= MOST / bytes => Ok(number * bytes),
        Ok(_) => error(
            format!("\"{text}\" is too large"),
            "the greatest is \"1024MiB\"",
        ),
        Err(_) => error(format!("\"{text}\" is not a size"), HELP),
    }
}

/// Reads a share in percent such as `20%` as a number from 0 to 1.
///
/// # Errors
/// If it is none or out of its range.
pub fn parse_percentage(text: &str) -> Result<f64, Mistake> {
    const HELP: &str = "shares run from \"0%\" to \"100%\"";
    let number = text
        .trim()
        .strip_suffix('%')
        .and_then(|number| number.trim_end().parse::<f64>().ok());
    match number {
        None => error(format!("\"{text}\" is not a share"), HELP),
        Some(number) if (0.0..=100.0).contains(&number) => Ok(number.abs() / 100.0),
        Some(number) if number > 100.0 => error(format!("\"{text}\" is more than all"), HELP),
        Some(_) => error(format!("\"{text}\" is less than nothing"), HELP),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_duration_is_ten_years() {
        assert_eq!(parse_duration("3650d"), Ok(LONGEST));
        let error = parse_duration("3651d").expect_err("too long");
        assert_eq!(error.help, "the longest is \"3650d\"");
    }

    #[test]
    fn rates_as_people_write_them() {
        for (text, per_second, per_node) in [
            ("1/s", 1.0, false),
            ("30/min", 0.5, false),
            ("30/m", 0.5, false),
            ("36/h", 0.01, false),
            ("1/10s", 0.1, false),
            ("0/s", 0.0, false),
            ("0.1/s per node", 0.1, true),
            ("6 / min per node", 0.1, true),
        ] {
            let rate = Rate {
                per_second,
                per_node,
            };
            assert_eq!(text.parse(), Ok(rate), "{text}");
        }
        assert_eq!("0.5/s per node".parse::<Rate>().unwrap().over(10), 5.0);
        assert_eq!("0.5/s".parse::<Rate>().unwrap().over(10), 0.5);
    }

    #[test]
    fn what_is_no_rate() {
        for text in [
            "",
            "1",
            "/s",
            "1/",
            "1/x",
            "-1/s",
            "1/0s",
            "0/0s",
            "nan/s",
            "inf/s",
            "1e10/s",
            "1 per node",
            "1/s per",
            "1/M",
            "one/s",
        ] {
            let error = text.parse::<Rate>().expect_err(text);
            assert!(!error.help.is_empty());
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("100B", 100),
            ("1KiB", 1024),
            (" 2 MiB ", 2 << 20),
            ("0B", 0),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "B",
            "100",
            "-1B",
            "1.5KiB",
            "1kb",
            "1025MiB",
            "99999999999999999999B",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn percentages() {
        assert_eq!(parse_percentage("20%"), Ok(0.2));
        assert_eq!(parse_percentage("12.5 %"), Ok(0.125));
        for text in ["20", "-1%", "101%", "nan%", "%", "x%"] {
            assert!(parse_percentage(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn rates_print_and_parse_back(
            per_second in prop_oneof![0.0..=FASTEST, 0.0..1e-6, Just(f64::MIN_POSITIVE), Just(0.0)],
            per_node: bool,
        ) {
            let rate = Rate { per_second, per_node };
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn no_text_makes_reading_panic(text in any::<String>()) {
            let _ = parse_duration(&text);
            let _ = text.parse::<Rate>();
            let _ = parse_percentage(&text);
            let _ = parse_size(&text);
        }

        #[test]
        fn whatever_is_read_is_in_range(text in "-?[0-9.einfa]{1,6}(/(s|h|ms|0s|1e)|%|s|y)( per node)?") {
            if let Ok(duration) = parse_duration(&text) {
                prop_assert!(duration <= LONGEST);
            }
            if let Ok(rate) = text.parse::<Rate>() {
                prop_assert!((0.0..=FASTEST).contains(&rate.per_second));
            }
            if let Ok(share) = parse_percentage(&text) {
                prop_assert!((0.0..=1.0).contains(&share));
            }
        }
    }
}
