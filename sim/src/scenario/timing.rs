//! When a fault begins, how often, and how long it lasts: what that is, and how it is read.
//!
//! Whatever is drawn from the seed, and however often a fault comes, all of it lies within the
//! run; that is proved here, once, from what the file says.

use std::time::Duration;

use super::FaultKind;
use super::diagnostic::{Problems, Reported};
use super::quantity::format_duration;
use super::section::{Entry, Section};

/// The most times that one fault can come.
const MOST_TIMES: u64 = 10_000;

/// Something that goes wrong at a moment, or again and again, and perhaps ends each time.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// When it begins, or the first time that it may begin.
    pub at: Duration,
    /// It begins at a moment drawn evenly from `at` to this, which is not reached.
    pub before: Option<Duration>,
    /// How it comes again.
    pub repeat: Option<Repeat>,
    /// How long it lasts each time; it stays without.
    pub lasts: Option<Duration>,
    /// It hits its nodes one after the other, each so long after the one before, and ends for each
    /// when its time is over; all at once without.
    pub apart: Option<Duration>,
    /// Whether it is right that it hits nobody; else the run fails then.
    pub may_miss: bool,
    /// What it does to whom.
    pub kind: FaultKind,
}

/// How a fault comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// From one beginning to the next.
    pub every: Duration,
    /// How often.
    pub how: Repeats,
}

/// How often a fault comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// So many times, the first one included.
    Times(u32),
    /// As long as it begins before this.
    Until(Duration),
}

impl Repeat {
    /// How often it comes if it does for the first time then.
    fn times(self, first: Duration) -> u32 {
        match self.how {
            Repeats::Times(times) => times,
            Repeats::Until(until) => {
                let room = until.saturating_sub(first).as_nanos();
                let times = room.div_ceil(self.every.as_nanos().max(1));
                u32::try_from(times).unwrap_or(u32::MAX)
            }
        }
    }
}

impl Fault {
    /// A fault that begins once, at this moment, stays, and must hit somebody.
    #[must_use]
    pub const fn new(at: Duration, kind: FaultKind) -> Fault {
        Fault {
            at,
            before: None,
            repeat: None,
            lasts: None,
            apart: None,
            may_miss: false,
            kind,
        }
    }

    const fn timing(&self) -> Timing {
        Timing {
            at: self.at,
            before: self.before,
            repeat: self.repeat,
            lasts: self.lasts,
        }
    }

    /// All its beginnings if it begins for the first time then.
    pub fn beginnings(&self, first: Duration) -> impl Iterator<Item = Duration> + use<> {
        self.timing().beginnings(first)
    }

    /// How often it can come at most.
    #[must_use]
    pub fn times(&self) -> u32 {
        self.timing().times()
    }

    /// When it can begin for the last time at the latest.
    #[must_use]
    pub fn last_beginning(&self) -> Duration {
        self.timing().last_beginning()
    }
}

/// When and how often a fault begins, and how long it lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) at: Duration,
    pub(super) before: Option<Duration>,
    pub(super) repeat: Option<Repeat>,
    pub(super) lasts: Option<Duration>,
}

impl Timing {
    fn beginnings(&self, first: Duration) -> impl Iterator<Item = Duration> + use<> {
        let (times, every) = match self.repeat {
            Some(repeat) => (repeat.times(first), repeat.every),
            None => (1, Duration::ZERO),
        };
        (0..times).map(move |turn| first.saturating_add(every.saturating_mul(turn)))
    }

    fn times(&self) -> u32 {
        self.repeat.map_or(1, |repeat| repeat.times(self.at))
    }

    fn last_beginning(&self) -> Duration {
        let first = self.before.unwrap_or(self.at);
        match self.repeat {
            None => first,
            Some(repeat) => match (repeat.how, self.before) {
                // The first one is drawn, so each moment before the end may be a beginning.
                (Repeats::Until(until), Some(_)) => until.max(first),
                _ => self.beginnings(first).last().unwrap_or(first),
            },
        }
    }
}

/// Reads the times of a fault of a run that ends at `end`. Without `for` it lasts as long as
/// `lasts` says. It hits the last of its nodes so long after the first as `spread` says.
pub(super) fn timing(
    section: &Section,
    end: Option<Duration>,
    (lasts, spread): (Option<Duration>, Duration),
    problems: &mut Problems,
) -> Result<Timing, Reported> {
    let begins = section
        .require("at", problems, "say when it begins, as in `at = \"2m\"`")
        .and_then(|entry| beginning(&entry, end, problems));
    let repeat = repeat(section, end, problems);
    let length = section.get("for");
    let lasts = match &length {
        Some(entry) => positive(
            entry,
            "the fault ends as it begins",
            "say how long it lasts, or leave `for` out, and it stays",
            problems,
        )
        .map(Some),
        None => Ok(lasts),
    };
    let ((at, before), repeat, lasts) = (begins?, repeat?, lasts?);
    let timing = Timing {
        at,
        before,
        repeat,
        lasts,
    };
    within(section, timing, (end, spread), problems).map(|()| timing)
}

/// When the fault begins for the first time: a moment, or the two between which it is drawn.
fn beginning(
    entry: &Entry,
    end: Option<Duration>,
    problems: &mut Problems,
) -> Result<(Duration, Option<Duration>), Reported> {
    let toml::de::DeValue::Array(bounds) = entry.value.get_ref() else {
        let at = entry.duration(problems)?;
        return match end {
            Some(end) if at >= end => Err(entry.wrong(
                problems,
                format!(
                    "the fault begins {} the end",
                    if at > end { "after" } else { "at" }
                ),
                format!("the run ends after \"{}\"", format_duration(end)),
            )),
            _ => Ok((at, None)),
        };
    };
    let help = "name the two moments between which it is drawn, as in [\"2m\", \"8m\"]";
    let [from, before] = &bounds[..] else {
        return Err(entry.wrong(problems, "`at` has two moments or one", help));
    };
    let from = entry.with_value(from).moment(problems, end);
    let before = entry.with_value(before).moment(problems, end);
    let (from, before) = (from?, before?);
    if from >= before {
        let message = "the moments between which `at` is drawn are swapped, or one";
        return Err(entry.wrong(problems, message, "write the earlier first"));
    }
    Ok((from, Some(before)))
}

pub(super) fn positive(
    entry: &Entry,
    message: &str,
    help: &str,
    problems: &mut Problems,
) -> Result<Duration, Reported> {
    let duration = entry.duration(problems)?;
    if duration.is_zero() {
        return Err(entry.wrong(problems, message, help));
    }
    Ok(duration)
}

/// Whether and how a fault comes again.
fn repeat(
    section: &Section,
    end: Option<Duration>,
    problems: &mut Problems,
) -> Result<Option<Repeat>, Reported> {
    const HOW: &str = "say how often: `times = 5`, or `until = \"8m\"`";
    let (times, until) = (section.get("times"), section.get("until"));
    let Some(every) = section.get("every") else {
        return match times.or(until) {
            None => Ok(None),
            Some(_) if section.has_misspelt("every", problems) => Err(Reported),
            Some(entry) => Err(problems.report(
                entry.key_span,
                format!("`{}` without `every`", entry.key),
                "say how long it is from one beginning to the next, as in `every = \"1m\"`",
            )),
        };
    };
    let help = "say how long it is from one beginning to the next, as in \"1m\"";
    let message = "the fault comes again at the same moment";
    let period = positive(&every, message, help, problems);
    let how = match (times, until) {
        (Some(times), None) => times
            .whole(problems, 1..=MOST_TIMES, HOW)
            .map(|times| Repeats::Times(u32::try_from(times).expect("bounded by MOST_TIMES"))),
        (None, Some(until)) => until.moment(problems, end).map(Repeats::Until),
        (Some(_), Some(until)) => Err(problems.report(
            until.key_span,
            "`times` says how often already",
            "keep one of them",
        )),
        (None, None)
            if section.has_misspelt("times", problems)
                || section.has_misspelt("until", problems) =>
        {
            Err(Reported)
        }
        (None, None) => Err(problems.report(every.key_span, "`every` does not say how often", HOW)),
    };
    let (every, how) = (period?, how?);
    Ok(Some(Repeat { every, how }))
}

/// Refuses what would not lie within the run.
fn within(
    section: &Section,
    timing: Timing,
    (end, spread): (Option<Duration>, Duration),
    problems: &mut Problems,
) -> Result<(), Reported> {
    let place = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| section.get(key));
        found.map_or(section.span.clone(), |entry| entry.value.span())
    };
    if let Some(repeat) = timing.repeat {
        let least = match repeat.how {
            Repeats::Until(until) if until <= timing.before.unwrap_or(timing.at) => {
                return Err(problems.report(
                    place(&["until"]),
                    "the fault must be over before it begins",
                    "`until` is later than `at`: it begins again and again until then",
                ));
            }
            Repeats::Until(_) => u64::from(timing.times()),
            Repeats::Times(_) => 0,
        };
        if least > MOST_TIMES {
            return Err(problems.report(
                place(&["every"]),
                format!("the fault comes {least} times"),
                format!("it can come {MOST_TIMES} times at most: let it come less often"),
            ));
        }
    }
    let Some(end) = end else { return Ok(()) };
    let (last, lasts) = (timing.last_beginning(), timing.lasts);
    if last > end || (last == end && timing.before.is_none()) {
        return Err(problems.report(
            place(&["times", "until"]),
            format!(
                "the last of these begins at \"{}\", not before the end",
                format_duration(last)
            ),
            format!(
                "the run ends after \"{}\": let it come less often",
                format_duration(end)
            ),
        ));
    }
    let last = last.saturating_add(spread);
    let over = last.saturating_add(lasts.unwrap_or_default());
    if spread > Duration::ZERO && last >= end {
        return Err(problems.report(
            place(&["apart"]),
            format!(
                "the last node is hit at \"{}\", not before the end",
                format_duration(last)
            ),
            format!(
                "the run ends after \"{}\": let fewer be hit, or less far apart",
                format_duration(end)
            ),
        ));
    }
    if over > end {
        let room = format_duration(end.saturating_sub(last));
        let stays = match section.get("for") {
            Some(_) => format!("it may last \"{room}\" at most; without `for` it stays"),
            None => format!(
                "it lasts \"{}\"",
                format_duration(lasts.unwrap_or_default())
            ),
        };
        return Err(problems.report(
            place(&["for", "at"]),
            format!(
                "the fault ends at \"{}\", after the end",
                format_duration(over)
            ),
            format!(
                "the run ends after \"{}\", so {stays}",
                format_duration(end)
            ),
        ));
    }
    Ok(())
}
