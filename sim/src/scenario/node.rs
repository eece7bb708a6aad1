//! Reads the `[node]` section: the settings of every node.

use std::time::Duration;

use cuerda_core::chord::{Config, limits};

use super::diagnostic::{Problems, Reported};
use super::schema;
use super::section::Section;

/// Reads the settings; what the section does not name has its default. `replicas` has at most
/// as many as there are successors by default.
pub(super) fn config(section: &Section, problems: &mut Problems) -> Result<Config, Reported> {
    section.only(schema::NODE, problems);
    let default = Config::default();

    let cluster = section
        .get("cluster")
        .map(|entry| entry.text(problems, "it names the cluster, as in \"cuerda\""))
        .transpose();
    let successors = small(
        section,
        "successors",
        1..=limits::SUCCESSORS,
        default.successors,
        problems,
    );
    let spare = default.replicas.min(successors.unwrap_or(default.replicas));
    let replicas = small(section, "replicas", 1..=limits::SUCCESSORS, spare, problems);
    let attempts = small(
        section,
        "attempts",
        1..=limits::ATTEMPTS,
        default.attempts,
        problems,
    );
    let remembered = small(
        section,
        "remembered",
        0..=limits::REMEMBERED,
        default.remembered,
        problems,
    );
    let mut period = |key, default| duration(section, key, default, problems);
    let stabilize_every = period("stabilize_every", default.stabilize_every);
    let fix_fingers_every = period("fix_fingers_every", default.fix_fingers_every);
    let request_timeout = period("request_timeout", default.request_timeout);
    let request_timeout_max = period("request_timeout_max", default.request_timeout_max);
    let found_after = period("found_after", default.found_after);
    let tombstones_for = period("tombstones_for", default.tombstones_for);
    let scrub_every = period("scrub_every", default.scrub_every);
    let hand_over_within = period("hand_over_within", default.hand_over_within);
    let repair_every = section
        .get("repair_every")
        .map(|entry| entry.duration(problems))
        .transpose();
    let acks = section
        .get("acks")
        .map(|entry| {
            let help = "leave it out for as many as there are `replicas`";
            let bounds = 1..=u64::from(limits::SUCCESSORS);
            entry.whole(problems, bounds, help)
        })
        .transpose();
    let keys_max = section
        .get("keys_max")
        .map_or(Ok(u64::from(default.keys_max)), |entry| {
            let help = format!("leave it out for the default, {}", default.keys_max);
            entry.whole(problems, 1..=u64::from(u32::MAX), &help)
        });
    let probe_every_max = section
        .get("probe_every_max")
        .map(|entry| entry.duration(problems))
        .transpose();

    let config = Config {
        acks: acks?.map(|acks| u8::try_from(acks).expect("bounded by a byte")),
        repair_every: repair_every?,
        scrub_every: scrub_every?,
        keys_max: u32::try_from(keys_max?).expect("bounded by 32 bits"),
        tombstones_for: tombstones_for?,
        hand_over_within: hand_over_within?,
        cluster: cluster?.map_or(default.cluster, str::to_owned),
        successors: successors?,
        replicas: replicas?,
        stabilize_every: stabilize_every?,
        fix_fingers_every: fix_fingers_every?,
        request_timeout: request_timeout?,
        request_timeout_max: request_timeout_max?,
        attempts: attempts?,
        remembered: remembered?,
        probe_every_max: probe_every_max?,
        found_after: found_after?,
        #[cfg(feature = "mutants")]
        variant: None,
    };
    fits_together(section, config, problems)
}

/// Checks what no setting shows alone. The error stands at the key it names or, if the file
/// leaves that one out, at the one whose value does not go with its default.
fn fits_together(
    section: &Section,
    config: Config,
    problems: &mut Problems,
) -> Result<Config, Reported> {
    let Err(error) = config.validate() else {
        return Ok(config);
    };
    let (other, message, help) = match error.key {
        "replicas" => (
            "successors",
            error.to_string(),
            "records are kept on successors: raise `successors` or lower `replicas`",
        ),
        "acks" => (
            "replicas",
            format!("`acks` is more than the {} `replicas`", config.replicas),
            "no more nodes can confirm a write than are to hold it",
        ),
        "request_timeout_max" => (
            "request_timeout",
            error.to_string(),
            "measured round trips lengthen the time-out up to `request_timeout_max`: raise it, \
             or lower `request_timeout`",
        ),
        key => (key, error.to_string(), "leave it out for the default"),
    };
    let place = section.get(error.key).or_else(|| section.get(other));
    let span = place.map_or(section.span.clone(), |entry| entry.value.span());
    Err(problems.report(span, message, help))
}

/// A whole number that fits in a byte.
fn small(
    section: &Section,
    key: &str,
    bounds: std::ops::RangeInclusive<u8>,
    default: u8,
    problems: &mut Problems,
) -> Result<u8, Reported> {
    let Some(entry) = section.get(key) else {
        return Ok(default);
    };
    let help = format!("leave it out for the default, {default}");
    let bounds = u64::from(*bounds.start())..=u64::from(*bounds.end());
    let number = entry.whole(problems, bounds, &help)?;
    Ok(u8::try_from(number).expect("bounded by a byte"))
}

fn duration(
    section: &Section,
    key: &str,
    default: Duration,
    problems: &mut Problems,
) -> Result<Duration, Reported> {
    section
        .get(key)
        .map_or(Ok(default), |entry| entry.duration(problems))
}
