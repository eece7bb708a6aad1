//! Numbers and times as a person reads them.
//!
//! All of it is for the eye: whoever wants to compute with a number takes the JSON form.

use std::time::Duration;

pub use cuerda_text::words::{count, grouped, harmless};

/// A measured number with three significant digits at least, and whole numbers whole.
#[must_use]
pub fn number(number: f64) -> String {
    let size = number.abs();
    if number.fract() == 0.0 && size < 1e15 {
        let sign = if number < 0.0 { "-" } else { "" };
        format!("{sign}{}", grouped(size as u64))
    } else if size >= 1000.0 {
        let sign = if number < 0.0 { "-" } else { "" };
        format!("{sign}{}", grouped(size.round() as u64))
    } else if size >= 100.0 {
        format!("{number:.1}")
    } else if size >= 0.1 {
        format!("{number:.2}")
    } else if size >= 0.0001 {
        format!("{number:.4}")
    } else {
        format!("{number:.1e}")
    }
}

/// A share of 1 in per cent.
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 || percent.abs() >= 10.0 {
        format!("{percent:.0} %")
    } else if percent.abs() >= 0.1 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.3} %")
    }
}

/// Simulated seconds in the unit one would say them in: `250 ms`, `12.345 s`, `10 min`,
/// `1 h 30 min`.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    let milliseconds = (seconds * 1000.0).round() as u64;
    let (whole, rest) = (milliseconds / 1000, milliseconds % 1000);
    if milliseconds > 0 && whole == 0 {
        return format!("{milliseconds} ms");
    }
    if whole < 60 || rest > 0 {
        let exact = format!("{whole}.{rest:03}");
        return format!("{} s", exact.trim_end_matches('0').trim_end_matches('.'));
    }
    let units = [
        (whole / 3600, "h"),
        (whole / 60 % 60, "min"),
        (whole % 60, "s"),
    ];
    let said: Vec<String> = units
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    said.join(" ")
}

/// A moment of the run, always in seconds so that moments can be compared: `312.407 s`.
#[must_use]
pub fn moment(seconds: f64) -> String {
    let exact = format!("{seconds:.3}");
    format!("{} s", exact.trim_end_matches('0').trim_end_matches('.'))
}

/// A [`Duration`] in the unit one would say it in, as [`seconds`] does.
#[must_use]
pub fn duration(duration: Duration) -> String {
    seconds(duration.as_secs_f64())
}

/// Bytes in binary units.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes >= 1024.0 {
        format!("{:.1} GiB", mebibytes / 1024.0)
    } else {
        format!("{mebibytes:.1} MiB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_numbers_keep_three_digits() {
        let all = [
            0.0, -2.0, 3.845, 412.54, 1234.5, 0.05, 0.00001234, -0.5, 998.0,
        ];
        let shown = [
            "0", "-2", "3.85", "412.5", "1,235", "0.0500", "1.2e-5", "-0.50", "998",
        ];
        for (number_, shown) in all.into_iter().zip(shown) {
            let close = number(number_);
            // 3.845 lies between two doubles; either neighbour is right.
            assert!(
                close == shown || (number_ == 3.845 && close == "3.84"),
                "{close}"
            );
        }
    }

    #[test]
    fn shares_are_per_cent() {
        let all = [0.0, 1.0, 0.1234, 0.0123, 0.0002, -0.034];
        assert_eq!(
            all.map(percent),
            ["0 %", "100 %", "12 %", "1.2 %", "0.020 %", "-3.4 %"]
        );
    }

    #[test]
    fn times_come_in_the_unit_one_would_say() {
        let all = [
            0.0, 0.25, 12.345, 12.3, 59.0, 60.0, 312.4, 90.0, 600.0, 5400.0, 3600.0,
        ];
        assert_eq!(
            all.map(seconds),
            [
                "0 s",
                "250 ms",
                "12.345 s",
                "12.3 s",
                "59 s",
                "1 min",
                "312.4 s",
                "1 min 30 s",
                "10 min",
                "1 h 30 min",
                "1 h"
            ]
        );
    }

    #[test]
    fn moments_are_in_seconds() {
        assert_eq!(
            [0.0, 600.0, 312.4071].map(moment),
            ["0 s", "600 s", "312.407 s"]
        );
    }
}
