//! Reads `[[fault]]` sections.

use std::time::Duration;

use cuerda_text::words::listed;

use super::diagnostic::{Problems, Reported};
use super::machine_fault;
use super::quantity::parse_duration;
use super::schema::{FAULT_COMMON, FAULTS, keys_of_all};
use super::section::{Entry, Section};
use super::selector::{Crowd, at_most, names_down, parts, selector};
use super::timing::{Timing, positive, timing};
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
    crowd: Crowd<'_>,
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
    let what = section
        .require("kind", problems, &help)
        .and(kind)
        .and_then(|name| what(section, name, crowd, problems));
    // Who starts again does so after a moment, unless the file says when.
    let starts_again = matches!(kind, Ok(kind) if machine_fault::starts_again(kind));
    let lasts = starts_again.then_some(machine_fault::DOWN);
    let apart = section
        .get("apart")
        .map(|entry| {
            let message = "the nodes are hit one after the other at the same moment";
            let help = "say how long it is from one node to the next, or leave `apart` out";
            positive(&entry, message, help, problems)
        })
        .transpose();
    let spread = match (&what, apart, crowd.nodes) {
        (Ok(what), Ok(Some(apart)), Some(nodes)) => {
            let most = what.nodes().map_or(1, |named| at_most(named, nodes));
            // All nodes of a process are hit together.
            let most = most.min(nodes.div_ceil(crowd.virtual_nodes.into()));
            apart.saturating_mul(most.saturating_sub(1))
        }
        _ => Duration::ZERO,
    };
    let timing = timing(section, end, (lasts, spread), problems);
    let may_miss = section
        .get("may_miss")
        .map_or(Ok(false), |entry| entry.truth(problems));
    let Timing {
        at,
        before,
        repeat,
        lasts,
    } = timing?;
    Ok(Fault {
        at,
        before,
        repeat,
        lasts,
        apart: apart?,
        may_miss: may_miss?,
        kind: what?,
    })
}

/// Reads what a fault of the kind `name` does to whom.
fn what(
    section: &Section,
    name: &str,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    match name {
        "crash" => crash(section, crowd, problems),
        "restart" => machine_fault::restart(section, crowd, problems),
        "move" => machine_fault::relocation(section, crowd, problems),
        "snapshot" => machine_fault::snapshot(section, crowd, problems),
        "twin" => machine_fault::twin(section, crowd, problems),
        "clock" => machine_fault::clock(section, crowd, problems),
        "pause" => pause(section, crowd, problems),
        "partition" => partition(section, crowd, problems),
        "one_way" => one_way(section, crowd, problems),
        "slow" => slow(section, crowd, problems),
        "loss" => loss(section, crowd, problems),
        "reset" => reset(section, crowd, problems),
        "skew" => skew(section, crowd, problems),
        "disk" => disk(section, crowd, problems),
        "leave" => leave(section, crowd, problems),
        "join" => join(section, problems),
        _ => unreachable!("`schema::FAULTS` names each kind, and its names come in here"),
    }
}

/// The nodes that `key` names.
pub(super) fn nodes(
    section: &Section,
    key: &str,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<Selector, Reported> {
    let help = format!("say which nodes, as in `{key} = \"20%\"`");
    let entry = section.require(key, problems, &help)?;
    let named = selector(&entry, crowd, problems)?;
    if names_down(&named) {
        let help = "only what starts nodes can name those that are down: `kind = \"restart\"` or \
                    `kind = \"move\"`";
        return Err(entry.wrong(problems, "this can't happen to who does not run", help));
    }
    Ok(named)
}

fn crash(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let nodes = nodes(section, "nodes", crowd, problems);
    let disk = disk_after(section, problems);
    Ok(FaultKind::Crash {
        nodes: nodes?,
        disk: disk?,
    })
}

/// Whether nodes find their disks again when they start.
pub(super) fn disk_after(section: &Section, problems: &mut Problems) -> Result<Disk, Reported> {
    section.get("disk").map_or(Ok(Disk::Kept), |entry| {
        entry.word(problems, &[("kept", Disk::Kept), ("lost", Disk::Lost)])
    })
}

fn pause(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let nodes = nodes(section, "nodes", crowd, problems)?;
    Ok(FaultKind::Pause { nodes })
}

fn partition(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let help = "name the parts, as in `split = [\"arc(0..0.5)\", \"rest\"]`";
    let entry = section.require("split", problems, help)?;
    let split = parts(&entry, crowd, problems)?;
    Ok(FaultKind::Partition { split })
}

fn one_way(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let from = nodes(section, "from", crowd, problems);
    let to = nodes(section, "to", crowd, problems);
    Ok(FaultKind::OneWay {
        from: from?,
        to: to?,
    })
}

fn slow(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let ends = ends(section, crowd, problems);
    let help = "say what each message takes longer, as in `extra = \"200ms\"`";
    let extra = section.require("extra", problems, help);
    let extra = extra.and_then(|entry| entry.duration(problems));
    let (ends, extra) = (ends?, extra?);
    Ok(match ends {
        Ends::Nodes(nodes) => FaultKind::Slow { nodes, extra },
        Ends::Links(from, to) => FaultKind::SlowLink { from, to, extra },
    })
}

fn loss(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let ends = ends(section, crowd, problems);
    let help = "say which share of messages is lost, as in `share = 0.1`";
    let share = section.require("share", problems, help);
    let share = share.and_then(|entry| entry.share(problems));
    let (ends, share) = (ends?, share?);
    Ok(match ends {
        Ends::Nodes(nodes) => FaultKind::Loss { nodes, share },
        Ends::Links(from, to) => FaultKind::LossLink { from, to, share },
    })
}

/// Which messages a fault of the network is about.
enum Ends {
    /// All to and from these.
    Nodes(Selector),
    /// Those from the first to the second.
    Links(Selector, Selector),
}

fn ends(section: &Section, crowd: Crowd<'_>, problems: &mut Problems) -> Result<Ends, Reported> {
    let link = ["from", "to"].into_iter().find_map(|key| section.get(key));
    match (section.get("nodes"), link) {
        (Some(_), Some(link)) => Err(problems.report(
            link.key_span,
            "`nodes` says already whose messages these are",
            "keep `nodes` for all to and from them, or `from` and `to` for one direction",
        )),
        (None, Some(_)) => {
            let from = nodes(section, "from", crowd, problems);
            let to = nodes(section, "to", crowd, problems);
            Ok(Ends::Links(from?, to?))
        }
        _ => nodes(section, "nodes", crowd, problems).map(Ends::Nodes),
    }
}

fn reset(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let nodes = nodes(section, "nodes", crowd, problems);
    let help = "say after how many bytes, as in `after = 100`; 0, the default: at once";
    let after = section
        .get("after")
        .map(|entry| entry.whole(problems, 0..=u64::from(u32::MAX), help))
        .transpose();
    Ok(FaultKind::Reset {
        nodes: nodes?,
        after: after?.unwrap_or(0),
    })
}

fn skew(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let nodes = nodes(section, "nodes", crowd, problems);
    let help = "say by how much, as in `by = \"5s\"` or `by = \"-5s\"`";
    let by = section.require("by", problems, help);
    let by = by.and_then(|entry| signed_milliseconds(&entry, problems));
    Ok(FaultKind::Skew {
        nodes: nodes?,
        by_ms: by?,
    })
}

fn disk(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let nodes = nodes(section, "nodes", crowd, problems);
    let what = disk_fault(section, problems);
    Ok(FaultKind::Disk {
        nodes: nodes?,
        what: what?,
    })
}

fn leave(
    section: &Section,
    crowd: Crowd<'_>,
    problems: &mut Problems,
) -> Result<FaultKind, Reported> {
    let nodes = nodes(section, "nodes", crowd, problems)?;
    Ok(FaultKind::Leave { nodes })
}

fn join(section: &Section, problems: &mut Problems) -> Result<FaultKind, Reported> {
    let help = "say how many join, as in `count = 100`";
    let entry = section.require("count", problems, help)?;
    let count = entry.whole(problems, 1..=u64::from(MOST_NODES), help)?;
    Ok(FaultKind::Join {
        count: u32::try_from(count).expect("bounded by MOST_NODES"),
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
    match what {
        "fails" => Ok(DiskFault::Fails),
        "torn" => Ok(DiskFault::Torn),
        "flip" => flip(section, problems),
        _ => slow_disk(section, problems),
    }
}

/// Bits that change in stored records.
fn flip(section: &Section, problems: &mut Problems) -> Result<DiskFault, Reported> {
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
    let count = u32::try_from(count?).expect("bounded by 32 bits");
    Ok(DiskFault::Flip(count))
}

/// Commits that take their time.
fn slow_disk(section: &Section, problems: &mut Problems) -> Result<DiskFault, Reported> {
    let help = "say how long a commit takes, as in `extra = \"20ms\"`";
    let extra = section.require("extra", problems, help)?;
    extra.duration(problems).map(DiskFault::Slow)
}

/// A duration in whole milliseconds that may have a minus sign.
pub(super) fn signed_milliseconds(entry: &Entry, problems: &mut Problems) -> Result<i64, Reported> {
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
