//! How long nodes stay and how long they are away: what can be said of it, and how that is read.

use std::time::Duration;

use super::diagnostic::{Problems, Reported};
use super::section::{Entry, Section};
use super::timing::positive;

/// Nodes that come and go each at their own time: how long they stay, and how long they are away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sessions {
    /// How long a node stays.
    pub session: Lengths,
    /// How long it is away before it starts again, with its disk; without, it stays away.
    pub absence: Option<Lengths>,
    /// How its session ends.
    pub ends: SessionEnd,
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEnd {
    /// The process is killed.
    Crash,
    /// The node leaves gracefully.
    Leave,
}

/// How lengths of time are distributed. Each has the mean that is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lengths {
    /// Exponential.
    Exponential {
        /// The mean.
        mean: Duration,
    },
    /// Weibull: with a shape below 1, who has stayed long stays on.
    Weibull {
        /// The exponent.
        shape: f64,
        /// The mean.
        mean: Duration,
    },
    /// Pareto, from a least length on; with a shape of 2 or less its variance is infinite.
    Pareto {
        /// The exponent of the tail, above 1.
        shape: f64,
        /// The mean.
        mean: Duration,
    },
}

/// The shapes that a Weibull distribution can have; real sessions have 0.3 to 0.6.
const WEIBULL: std::ops::RangeInclusive<f64> = 0.1..=20.0;
/// The shapes that a Pareto distribution can have: at 1 there is no mean.
const PARETO: std::ops::RangeInclusive<f64> = 1.01..=20.0;

/// Reads the sessions of a churn section, if it has any.
pub(super) fn sessions(
    section: &Section,
    problems: &mut Problems,
) -> Result<Option<Sessions>, Reported> {
    let Some(session) = section.get("session") else {
        let without = ["absence", "ends"]
            .into_iter()
            .find_map(|key| section.get(key));
        return match without {
            None => Ok(None),
            Some(_) if section.has_misspelt("session", problems) => Err(Reported),
            Some(entry) => Err(problems.report(
                entry.key_span,
                format!("`{}` without `session`", entry.key),
                "say how long nodes stay, as in `session = { exponential = \"1h\" }`",
            )),
        };
    };
    let session = lengths(&session, problems);
    let absence = section
        .get("absence")
        .map(|entry| lengths(&entry, problems))
        .transpose();
    let ends = section.get("ends").map_or(Ok(SessionEnd::Crash), |entry| {
        let words = [("crash", SessionEnd::Crash), ("leave", SessionEnd::Leave)];
        entry.word(problems, &words)
    });
    Ok(Some(Sessions {
        session: session?,
        absence: absence?,
        ends: ends?,
    }))
}

fn lengths(entry: &Entry, problems: &mut Problems) -> Result<Lengths, Reported> {
    const FORMS: &[&str] = &["exponential", "weibull", "pareto"];
    const HELP: &str = "write `{ exponential = \"1h\" }`, `{ weibull = { shape = 0.5, mean = \"1h\" } \
                        }` or `{ pareto = { shape = 1.5, mean = \"1h\" } }`";
    let table = entry.table(problems, HELP)?;
    table.only(FORMS, problems);
    let forms = table.entries().filter(|form| FORMS.contains(&form.key));
    let forms: Vec<Entry> = forms.collect();
    match &forms[..] {
        [form] if form.key == "exponential" => {
            let mean = mean(form, problems)?;
            Ok(Lengths::Exponential { mean })
        }
        [form] => shaped(form, problems),
        [first, second, ..] => Err(problems.report(
            second.key_span.clone(),
            format!("`{}` is `{}` already", entry.key, first.key),
            "keep one of them",
        )),
        // An unknown form has been reported, and says what was meant.
        [] if table.entries().next().is_some() => Err(Reported),
        [] => Err(entry.wrong(problems, format!("`{}` says nothing", entry.key), HELP)),
    }
}

fn mean(entry: &Entry, problems: &mut Problems) -> Result<Duration, Reported> {
    let help = "say how long it is on average, as in \"1h\"";
    positive(entry, "this is over as it begins", help, problems)
}

/// A distribution with a shape and a mean.
fn shaped(form: &Entry, problems: &mut Problems) -> Result<Lengths, Reported> {
    let help = "write `{ shape = 0.5, mean = \"1h\" }`";
    let table = form.table(problems, help)?;
    table.only(&["shape", "mean"], problems);
    let bounds = if form.key == "weibull" {
        WEIBULL
    } else {
        PARETO
    };
    let shape = table.require("shape", problems, help).and_then(|entry| {
        let shape = entry.number(problems, help)?;
        if bounds.contains(&shape) {
            return Ok(shape);
        }
        Err(entry.wrong(
            problems,
            format!(
                "`shape` must be between {} and {}, not {shape}",
                bounds.start(),
                bounds.end()
            ),
            "below 1, who has stayed long stays on (for `weibull`); for `pareto` it is above 1, and \
             the nearer to 1 the heavier is the tail",
        ))
    });
    let mean = table
        .require("mean", problems, help)
        .and_then(|entry| mean(&entry, problems));
    let (shape, mean) = (shape?, mean?);
    Ok(match form.key {
        "weibull" => Lengths::Weibull { shape, mean },
        _ => Lengths::Pareto { shape, mean },
    })
}
