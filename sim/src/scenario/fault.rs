//! Reads `[[fault]]` sections.

use std::time::Duration;

use cuerda_text::words::listed;

use super::diagnostic::{Problems, Reported};
use super::quantity::{format_duration, parse_duration};
use super::schema::{FAULT_COMMON, FAULTS, keys_of_all};
use super::section::{Entry, Section};
use super::selector::{Crowd, parts, selector};
use super::{Disk, DiskFault, Fault, FaultKind, MOST_NODES, Selector};

/// Whether a section is a fault that makes new nodes join. What can't be read is taken for one,
/// so that no error follows from another.
pub(super) fn brings_newcomers(section: &Section) -> bool {
    section
        .get("kind")
        .and_then(|kind| kind.value.get_ref().as_str())
        .is_none_or(|kind| kind == "join" || FAULTS.iter().all(|(known, _)| *known != kind))
}

/// Reads one fault of a run that ends at `end`.
pub(super) fn fault(
    section: &Section,
    end: Option<Duration>,
    crowd: Crowd,
    problems: &mut Problems,
) -> Result<Fault, Reported> {
    let words: Vec<_> = FAULTS.iter().map(|(kind, _)| (*kind, *kind)).collect();
    let kind = section
        .get("kind")
        .map_or(Err(Reported), |entry| entry.word(problems, &words));
    match kind {
        Ok(kind) => section.only_of_kind("fault", kind, FAULT_COMMON, FAULTS, problems),
        Err(Reported) => section.only(&keys_of_all(FAULT_COMMON, FAULTS), problems),
    }
    let help = format!(
        "say what goes wrong: {}",
        listed(words.iter().map(|(word, _)| *word), "or")
    );
    let kind = section
        .require("kind", problems, &help)
        .and(kind)
        .and_then(|name| what(section, name, crowd, problems));
    let at = section
        .require("at", problems, "say when it begins, as in `at = \"2m\"`")
        .and_then(|entry| beginning(&entry, end, problems));
    let lasts = section
        .get("for")
        .map(|entry| length(&entry, at.ok(), end, problems))
        .transpose();
    Ok(Fault {
        at: at?,
        lasts: lasts?,
        kind: kind?,
    })
}

fn beginning(
    entry: &Entry,
    end: Option<Duration>,
    problems: &mut Problems,
) -> Result<Duration, Reported> {
    let at = entry.duration(problems)?;
    match end {
        Some(end) if at >= end => Err(entry.wrong(
            problems,
            format!(
                "the fault begins {} the end",
                if at > end { "after" } else { "at" }
            ),
            format!("the run ends after \"{}\"", format_duration(end)),
        )),
        _ => Ok(at),
    }
}

fn length(
    entry: &Entry,
    at: Option<Duration>,
    end: Option<Duration>,
    problems: &mut Problems,
) -> Result<Duration, Reported> {
    let lasts = entry.duration(problems)?;
    if lasts.is_zero() {
        let help = "say how long it lasts, or leave `for` out, and it stays";
        return Err(entry.wrong(problems, "the fault ends as it begins", help));
    }
    match (at, end) {
        (Some(at), Some(end)) if at + lasts > end => Err(entry.wrong(
            problems,
            format!(
                "the fault ends at \"{}\", after the end",
                format_duration(at + lasts)
            ),
            format!(
                "the run ends after \"{}\", so it may last \"{}\" at most; without `for` it stays",
                format_duration(end),
                format_duration(end.saturating_sub(at))
            ),
        )),
        _ => Ok(lasts),
    }
}

/// Reads what a fault of the kind `name` does to whom.
fn what(
    section: &Section,
    name: &str,
    crowd: Crowd,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let nodes = |key: &str, problems: &mut Problems| -> Result<Selector, Reported> {
        let help = format!("say which nodes, as in `{key} = \"20%\"`");
        let entry = section.require(key, problems, &help)?;
        selector(&entry, crowd, problems)
    };
    let require = |key: &str, problems: &mut Problems, help: &str| -> Result<Entry, Reported> {
        section.require(key, problems, help)
    };
    Ok(match name {
        "crash" => {
            let nodes = nodes("nodes", problems);
            let disk = section
                .get("disk")
                .map(|entry| entry.word(problems, &[("kept", Disk::Kept), ("lost", Disk::Lost)]))
                .transpose();
            FaultKind::Crash {
                nodes: nodes?,
                disk: disk?.unwrap_or(Disk::Kept),
            }
        }
        "pause" => FaultKind::Pause {
            nodes: nodes("nodes", problems)?,
        },
        "partition" => {
            let help = "name the parts, as in `split = [\"arc(0..0.5)\", \"rest\"]`";
            let entry = require("split", problems, help)?;
            FaultKind::Partition {
                split: parts(&entry, crowd, problems)?,
            }
        }
        "one_way" => {
            let from = nodes("from", problems);
            let to = nodes("to", problems);
            FaultKind::OneWay {
                from: from?,
                to: to?,
            }
        }
        "slow" => {
            let nodes = nodes("nodes", problems);
            let help = "say what each message takes longer, as in `extra = \"200ms\"`";
            let extra = require("extra", problems, help).and_then(|entry| entry.duration(problems));
            FaultKind::Slow {
                nodes: nodes?,
                extra: extra?,
            }
        }
        "loss" => {
            let nodes = nodes("nodes", problems);
            let help = "say which share of messages is lost, as in `share = 0.1`";
            let share = require("share", problems, help).and_then(|entry| entry.share(problems));
            FaultKind::Loss {
                nodes: nodes?,
                share: share?,
            }
        }
        "reset" => {
            let nodes = nodes("nodes", problems);
            let help = "say after how many bytes, as in `after = 100`; 0, the default: at once";
            let after = section
                .get("after")
                .map(|entry| entry.whole(problems, 0..=u64::from(u32::MAX), help))
                .transpose();
            FaultKind::Reset {
                nodes: nodes?,
                after: after?.unwrap_or(0),
            }
        }
        "skew" => {
            let nodes = nodes("nodes", problems);
            let help = "say by how much, as in `by = \"5s\"` or `by = \"-5s\"`";
            let by = require("by", problems, help).and_then(|entry| skew(&entry, problems));
            FaultKind::Skew {
                nodes: nodes?,
                by_ms: by?,
            }
        }
        "disk" => {
            let nodes = nodes("nodes", problems);
            let what = disk_fault(section, problems);
            FaultKind::Disk {
                nodes: nodes?,
                what: what?,
            }
        }
        "leave" => FaultKind::Leave {
            nodes: nodes("nodes", problems)?,
        },
        "join" => {
            let help = "say how many join, as in `count = 100`";
            let entry = require("count", problems, help)?;
            let count = entry.whole(problems, 1..=u64::from(MOST_NODES), help)?;
            FaultKind::Join {
                count: u32::try_from(count).expect("bounded by MOST_NODES"),
            }
        }
        _ => unreachable!("`schema::FAULTS` names each kind, and its names come in here"),
    })
}

/// How a disk goes wrong.
fn disk_fault(section: &Section, problems: &mut Problems) -> Result<DiskFault, Reported> {
    let words = ["fails", "torn", "flip", "slow"].map(|word| (word, word));
    let help = "say how: `what = \"fails\"`, \"torn\", \"flip\" or \"slow\"";
    let what = section.require("what", problems, help)?;
    let what = what.word(problems, &words)?;
    for (key, owner) in [("count", "flip"), ("extra", "slow")] {
        if what != owner
            && let Some(entry) = section.get(key)
        {
            return Err(problems.report(
                entry.key_span,
                format!("`{key}` means nothing for `what = \"{what}\"`"),
                format!("it belongs to `what = \"{owner}\"`"),
            ));
        }
    }
    Ok(match what {
        "fails" => DiskFault::Fails,
        "torn" => DiskFault::Torn,
        "flip" => {
            let help = "say in how many records of each node, as in `count = 10`; default 1";
            let count = section.get("count").map_or(Ok(1), |entry| {
                entry.whole(problems, 1..=u64::from(u32::MAX), help)
            });
            if let Some(entry) = section.get("for") {
                return Err(problems.report(
                    entry.key_span,
                    "a flipped bit stays flipped",
                    "leave `for` out",
                ));
            }
            DiskFault::Flip(u32::try_from(count?).expect("bounded by 32 bits"))
        }
        _ => {
            let help = "say how long a commit takes, as in `extra = \"20ms\"`";
            let extra = section.require("extra", problems, help)?;
            DiskFault::Slow(extra.duration(problems)?)
        }
    })
}

/// A duration in whole milliseconds that may have a minus sign.
fn skew(entry: &Entry, problems: &mut Problems) -> Result<i64, Reported> {
    const HELP: &str = "write a duration, as in \"5s\", or \"-5s\" for clocks that are slow";
    let text = entry.text(problems, HELP)?;
    let (sign, amount) = match text.trim_start().strip_prefix('-') {
        Some(amount) => (-1, amount),
        None => (1, text),
    };
    let amount =
        parse_duration(amount).map_err(|error| entry.wrong(problems, error.message, error.help))?;
    if !amount.subsec_nanos().is_multiple_of(1_000_000) {
        let help = "wall clocks count milliseconds; name a whole number of them";
        return Err(entry.wrong(problems, format!("\"{text}\" is too fine"), help));
    }
    let milliseconds = i64::try_from(amount.as_millis()).expect("a duration is ten years at most");
    Ok(sign * milliseconds)
}
