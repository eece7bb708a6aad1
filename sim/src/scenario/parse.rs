//! Reads a scenario file: the top level and the short sections. Sections with rules of their
//! own are in modules of their own.
//!
//! Reading goes on after a problem, so that one look shows them all; what depends on a value
//! that could not be read is not judged.

use std::path::Path;
use std::time::Duration;

use cuerda_core::chord::Config;
use cuerda_text::suggest::nearest;
use cuerda_text::words::listed;
use toml::de::DeValue;

use super::Diagnostic;
use super::diagnostic::{Problems, Reported};
use super::frame::Frame;
use super::ring::{self, Ring};
use super::section::{Entry, Section};
use super::selector::{Crowd, Groups};
use super::{Checks, Metric, Scenario, World};
use super::{expect, fault, node, reseed, room, schema, selector, syntax, traffic, workload};

/// What the command line says instead of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--world`: the world to play in.
    pub world: Option<World>,
    /// `--seed`: the seed of every random choice.
    pub seed: Option<u64>,
    /// `--nodes`: how many nodes there are at t = 0. Selectors are checked against it, and rates
    /// per node go with it.
    pub nodes: Option<u32>,
}

impl Scenario {
    /// Reads the text of a scenario file. `file` is the path to show in errors, and names the
    /// scenario; `metrics` is all that a report has to be bounded.
    ///
    /// # Errors
    /// All that is wrong with the file, if anything is.
    pub fn parse(
        file: &str,
        text: &str,
        metrics: &[Metric],
        overrides: &Overrides,
    ) -> Result<Scenario, Diagnostic> {
        let none = |_: &str| Err("no other file can be read here".to_owned());
        Scenario::parse_with(file, text, metrics, overrides, &none)
    }

    /// The same, where the scenario may name other files: `read` gives the text of one by its path
    /// as the scenario has it, or says why it can't.
    ///
    /// # Errors
    /// All that is wrong with the file, if anything is.
    pub fn parse_with(
        file: &str,
        text: &str,
        metrics: &[Metric],
        overrides: &Overrides,
        read: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Scenario, Diagnostic> {
        let mut problems = Problems::new(file, text);
        let scenario = syntax::document(text, &mut problems).and_then(|document| {
            let top = Section::top(document.get_ref());
            let around = Around {
                metrics,
                overrides,
                read,
            };
            scenario(name(file), &top, around, &mut problems)
        });
        problems.finish(scenario)
    }
}

/// What is known beside the file.
#[derive(Clone, Copy)]
struct Around<'a> {
    metrics: &'a [Metric],
    overrides: &'a Overrides,
    read: &'a dyn Fn(&str) -> Result<String, String>,
}

/// The file's name without folder and ending.
fn name(file: &str) -> String {
    let stem = Path::new(file).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn scenario(
    name: String,
    top: &Section,
    around: Around<'_>,
    problems: &mut Problems,
) -> Result<Scenario, Reported> {
    let Around {
        metrics,
        overrides,
        read,
    } = around;
    refuse_unknown(top, problems);
    let title = top
        .get("title")
        .map(|entry| entry.text(problems, "it is one line for people, in quotes"))
        .transpose();
    let world = top
        .get("world")
        .map(|entry| world(&entry, overrides, problems))
        .transpose();
    let seed = top
        .get("seed")
        .map(|entry| {
            entry.whole(
                problems,
                0..=u64::MAX,
                "any whole number will do, such as 1",
            )
        })
        .transpose();
    let duration = top
        .require(
            "duration",
            problems,
            "say how long the run is, as in `duration = \"10m\"`",
        )
        .and_then(|entry| run_time(&entry, problems));
    let quiet = top
        .get("quiet")
        .map(|entry| entry.duration(problems))
        .transpose();
    let checks = top
        .get("checks")
        .map_or(Ok(ALL_CHECKS), |entry| checks(&entry, problems));
    let known_to_fail = top
        .get("known_to_fail")
        .map_or(Ok(Vec::new()), |entry| known_to_fail(&entry, problems));
    let ring = ring::ring(top, overrides, problems);
    let node = single(top, "node", "[node]", problems).and_then(|section| match section {
        Some(section) => node::config(&section, problems),
        None => Ok(Config::default()),
    });
    let network = single(top, "network", "[network]", problems).and_then(|section| {
        let patience = node.as_ref().ok().map(|config| config.request_timeout_max);
        traffic::network(section.as_ref(), patience, read, problems)
    });

    let frame = Frame {
        end: duration.ok(),
        nodes: ring.ok().map(|ring| ring.nodes),
    };
    let workloads = repeated(top, "workload", "[[workload]]", problems).and_then(|sections| {
        each(&sections, |section| {
            workload::workload(section, frame, problems)
        })
    });
    let churn = repeated(top, "churn", "[[churn]]", problems).and_then(|sections| {
        each(&sections, |section| {
            traffic::churn(section, frame, problems)
        })
    });
    let reseeds = repeated(top, "reseed", "[[reseed]]", problems).and_then(|sections| {
        each(&sections, |section| {
            reseed::reseed(section, frame, problems)
        })
    });
    let groups = single(top, "groups", "[groups]", problems).and_then(|section| {
        section.map_or(Ok(Groups::new()), |section| {
            selector::groups(&section, frame.nodes, problems)
        })
    });
    let faults = repeated(top, "fault", "[[fault]]", problems).and_then(|sections| {
        // What could not be read may say that nodes join.
        let steady = churn
            .as_ref()
            .is_ok_and(|churn| churn.iter().all(|churn| churn.join == 0.0));
        let crowd = Crowd {
            nodes: frame.nodes,
            virtual_nodes: ring.map_or(1, |ring| ring.virtual_nodes),
            newcomers: !steady || sections.iter().any(fault::brings_newcomers),
            groups: groups.as_ref().map_err(|reported| *reported)?,
        };
        each(&sections, |section| {
            fault::fault(section, frame.end, crowd, problems)
        })
    });
    let expectations =
        single(top, "expect", "[expect]", problems).and_then(|section| match section {
            Some(section) => expect::expectations(&section, metrics, problems),
            None => Ok(Vec::new()),
        });

    let Ring {
        nodes,
        virtual_nodes,
        start,
    } = ring?;
    let scenario = Scenario {
        title: title?.map_or_else(|| name.clone(), str::to_owned),
        name,
        world: world?.or(overrides.world).unwrap_or(World::Events),
        seed: overrides.seed.or(seed?).unwrap_or(1),
        duration: duration?,
        quiet: quiet?,
        checks: checks?,
        known_to_fail: known_to_fail?,
        nodes,
        virtual_nodes,
        start,
        node: node?,
        network: network?,
        workloads: workloads?,
        churn: churn?,
        reseeds: reseeds?,
        faults: faults?,
        expectations: expectations?,
    };
    room::fits(&scenario, place_of(top, "ring", "nodes"), problems)?;
    room::virtual_nodes(&scenario, place_of(top, "ring", "virtual_nodes"), problems)?;
    room::links(
        &scenario,
        place_of(top, "network", "broken_links"),
        problems,
    )?;
    if let Some(reseed) = top.get("reseed") {
        room::can_be_reseeded(scenario.world, reseed.key_span, problems)?;
    }
    let sections = repeated(top, "fault", "[[fault]]", problems)?;
    for (fault, section) in scenario.faults.iter().zip(&sections) {
        let place = section.get("kind").map_or(0..0, |kind| kind.value.span());
        room::can_be_made(scenario.world, &fault.kind, place, problems)?;
    }
    Ok(scenario)
}

/// Where the file says something in a section that stands once.
fn place_of(top: &Section, section: &str, key: &str) -> std::ops::Range<usize> {
    let section = top.get(section).map(|entry| entry.value.get_ref());
    let value = match section {
        Some(DeValue::Table(section)) => section.get(key),
        _ => None,
    };
    value.map_or(0..0, toml::Spanned::span)
}

/// The section that stands at most once under `key`.
pub(super) fn single<'a>(
    top: &Section<'a>,
    key: &str,
    name: &'static str,
    problems: &mut Problems,
) -> Result<Option<Section<'a>>, Reported> {
    top.get(key)
        .map(|entry| Section::single(name, entry, problems))
        .transpose()
}

/// The sections that may stand several times under `key`.
fn repeated<'a>(
    top: &Section<'a>,
    key: &str,
    name: &'static str,
    problems: &mut Problems,
) -> Result<Vec<Section<'a>>, Reported> {
    top.get(key).map_or(Ok(Vec::new()), |entry| {
        Section::repeated(name, entry, problems)
    })
}

/// Reads every section, also those behind one that is wrong.
fn each<T>(
    sections: &[Section],
    read: impl FnMut(&Section) -> Result<T, Reported>,
) -> Result<Vec<T>, Reported> {
    let read: Vec<_> = sections.iter().map(read).collect();
    read.into_iter().collect()
}

fn refuse_unknown(top: &Section, problems: &mut Problems) {
    let header = |key: &str| match schema::REPEATED.contains(&key) {
        true => format!("[[{key}]]"),
        false => format!("[{key}]"),
    };
    for entry in top
        .entries()
        .filter(|entry| !schema::TOP.contains(&entry.key))
    {
        let is_section = match entry.value.get_ref() {
            DeValue::Table(_) => true,
            DeValue::Array(items) => items.iter().any(|item| item.get_ref().is_table()),
            _ => false,
        };
        if !is_section {
            top.unknown(&entry, schema::TOP, problems);
            continue;
        }
        let sections = || schema::SINGLE.iter().chain(schema::REPEATED).copied();
        let help = match nearest(entry.key, sections()) {
            Some(meant) => format!("did you mean `{}`?", header(meant)),
            None => {
                let headers: Vec<String> = sections().map(header).collect();
                let headers = headers.iter().map(String::as_str);
                format!("the sections are {}", listed(headers, "and"))
            }
        };
        problems.report(
            entry.key_span,
            format!("unknown section `{}`", entry.key),
            help,
        );
    }
}

fn world(entry: &Entry, overrides: &Overrides, problems: &mut Problems) -> Result<World, Reported> {
    let worlds = [
        ("events", World::Events),
        ("turmoil", World::Turmoil),
        ("containers", World::Containers),
    ];
    let named = entry.word(problems, &worlds)?;
    Ok(overrides.world.unwrap_or(named))
}

fn run_time(entry: &Entry, problems: &mut Problems) -> Result<Duration, Reported> {
    let duration = entry.duration(problems)?;
    if duration.is_zero() {
        let help = "say how long the run is, as in \"10m\"";
        return Err(entry.wrong(problems, "the run ends as it begins", help));
    }
    Ok(duration)
}

/// What is checked unless the file says otherwise.
const ALL_CHECKS: Checks = Checks {
    ring: true,
    lookups: true,
    records: true,
    protocol: true,
};

fn checks(entry: &Entry, problems: &mut Problems) -> Result<Checks, Reported> {
    let help = "name the checks, as in [\"ring\", \"lookups\"]; [] checks nothing";
    let mut checks = Checks {
        ring: false,
        lookups: false,
        records: false,
        protocol: false,
    };
    let mut all = Ok(());
    for item in entry.list(problems, help)?.iter() {
        let entry = Entry {
            key: "check",
            ..entry.with_value(item)
        };
        let words = [("ring", 0), ("lookups", 1), ("records", 2), ("protocol", 3)];
        match entry.word(problems, &words) {
            Ok(0) => checks.ring = true,
            Ok(1) => checks.lookups = true,
            Ok(2) => checks.records = true,
            Ok(_) => checks.protocol = true,
            Err(reported) => all = Err(reported),
        }
    }
    all.map(|()| checks)
}

/// The names of checks by which a scenario fails until something is mended: one, or a list.
fn known_to_fail(entry: &Entry, problems: &mut Problems) -> Result<Vec<String>, Reported> {
    const HELP: &str = "name the check by which it fails, as in \"lost\"";
    let name = |entry: &Entry, problems: &mut Problems| {
        let name = entry.text(problems, HELP)?;
        match name.trim().is_empty() {
            true => Err(entry.wrong(problems, "a check without a name", HELP)),
            false => Ok(name.to_owned()),
        }
    };
    if !matches!(entry.value.get_ref(), DeValue::Array(_)) {
        return name(entry, problems).map(|name| vec![name]);
    }
    let items = entry.list(problems, HELP)?;
    let read = items.iter().map(|item| {
        let entry = Entry {
            key: "known_to_fail",
            ..entry.with_value(item)
        };
        name(&entry, problems)
    });
    let read: Vec<_> = read.collect();
    read.into_iter().collect()
}
