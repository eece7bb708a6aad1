//! Reads the faults of what operators do to machines: starting them again, as they were or
//! otherwise, and setting their clocks.

use std::time::Duration;

use super::diagnostic::{Problems, Reported};
use super::fault::{disk_after, nodes, signed_milliseconds};
use super::section::{Entry, Section};
use super::selector::{Crowd, selector};
use super::timing::positive;
use super::{FaultKind, Selector};

/// How long those are down that start again, unless the file says it.
pub(super) const DOWN: Duration = Duration::from_secs(1);

/// The greatest speed of a clock that is not right, in millionths: half as fast again.
const DRIFT: i64 = 500_000;

/// Whether a fault of this kind is over by itself, in that the nodes start again.
pub(super) fn starts_again(kind: &str) -> bool {
    ["restart", "move", "snapshot"].contains(&kind)
}

/// The nodes to be started again, which may be down.
fn startable(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<Selector, Reported> {
    let help = "say which nodes, as in `nodes = \"20%\"` or `nodes = \"down\"`";
    let entry = section.require("nodes", problems, help)?;
    selector(&entry, crowd, problems)
}

pub(super) fn restart(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let nodes = startable(section, crowd, problems);
    let disk = disk_after(section, problems);
    Ok(FaultKind::Restart {
        nodes: nodes?,
        disk: disk?,
    })
}

pub(super) fn relocation(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let nodes = startable(section, crowd, problems)?;
    Ok(FaultKind::Move { nodes })
}

pub(super) fn snapshot(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let nodes = nodes(section, "nodes", crowd, problems);
    let help = "say how old the copy of the disk is, as in `age = \"30s\"`";
    let age = section.require("age", problems, help).and_then(|entry| {
        let age = positive(&entry, "the copy is as new as the disk", help, problems)?;
        match first_moment(section) {
            Some(at) if age > at => Err(entry.wrong(
                problems,
                "the copy is older than the run",
                "the disk is copied so long before `at`, not before the run begins",
            )),
            _ => Ok(age),
        }
    });
    Ok(FaultKind::Snapshot {
        nodes: nodes?,
        age: age?,
    })
}

/// When a fault may begin at the earliest, if that can be read; what is wrong with it is told where
/// it is read for itself.
fn first_moment(section: &Section) -> Option<Duration> {
    let at = section.get("at")?;
    let text = match at.value.get_ref() {
        toml::de::DeValue::Array(bounds) => bounds.iter().next()?.get_ref().as_str()?,
        value => value.as_str()?,
    };
    super::quantity::parse_duration(text).ok()
}

pub(super) fn twin(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let nodes = nodes(section, "nodes", crowd, problems)?;
    Ok(FaultKind::Twin { nodes })
}

pub(super) fn clock(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let nodes = nodes(section, "nodes", crowd, problems);
    let (jump, drift) = (section.get("jump"), section.get("drift"));
    if jump.is_none() && drift.is_none() {
        let misspelt = ["jump", "drift"].map(|key| section.has_misspelt(key, problems));
        if misspelt.contains(&true) {
            return Err(Reported);
        }
        return Err(problems.report(
            section.span.clone(),
            "nothing happens to these clocks",
            "say by how much they are set, as in `jump = \"3h\"`, or how fast they go wrong, as in \
             `drift = \"200ppm\"`",
        ));
    }
    let jump_ms = jump.map_or(Ok(0), |entry| signed_milliseconds(&entry, problems));
    let drift_ppm = drift.map_or(Ok(0), |entry| millionths(&entry, problems));
    Ok(FaultKind::Clock {
        nodes: nodes?,
        jump_ms: jump_ms?,
        drift_ppm: drift_ppm?,
    })
}

/// A number of millionths that may have a minus sign.
fn millionths(entry: &Entry, problems: &mut Problems) -> Result<i64, Reported> {
    const HELP: &str = "write how many millionths of the time it gains, as in \"200ppm\", or \
                        \"-200ppm\" for one that is slow";
    let text = entry.text(problems, HELP)?;
    let number = text.trim().strip_suffix("ppm").map(str::trim);
    match number.and_then(|number| number.parse::<i64>().ok()) {
        Some(ppm) if (-DRIFT..=DRIFT).contains(&ppm) => Ok(ppm),
        Some(_) => Err(entry.wrong(
            problems,
            format!("no clock is off by \"{text}\""),
            format!("it gains or loses up to {DRIFT} millionths, which is half of the time"),
        )),
        None => Err(entry.wrong(problems, format!("\"{text}\" is no speed of a clock"), HELP)),
    }
}
