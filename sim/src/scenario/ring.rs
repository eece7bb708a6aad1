//! Reads `[ring]`: how many nodes there are at t = 0, how many a process has, and how their ring
//! comes about.

use super::diagnostic::{Problems, Reported};
use super::parse::{Overrides, single};
use super::section::Section;
use super::{MOST_NODES, Start, schema};

/// The most nodes of a process.
const MOST_VIRTUAL: u64 = 64;
const VIRTUAL: &str = "say how many nodes each process has, as in `virtual_nodes = 4`";

/// The ring at t = 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    pub(super) nodes: u32,
    pub(super) virtual_nodes: u8,
    pub(super) start: Start,
}

/// How many nodes there are, and how their ring comes about.
pub(super) fn ring(
    top: &Section,
    overrides: &Overrides,
    problems: &mut Problems,
) -> Result<Ring, Reported> {
    const HELP: &str = "say how many nodes the ring starts with, as in `nodes = 1000`";
    let section = single(top, "ring", "[ring]", problems)?;
    if let Some(section) = &section {
        section.only(schema::RING, problems);
    }
    let says = section
        .as_ref()
        .is_some_and(|section| section.get("nodes").is_some());
    let nodes = match &section {
        _ if !says && overrides.nodes.is_some() => Ok(1),
        Some(section) => section
            .require("nodes", problems, HELP)
            .and_then(|entry| entry.whole(problems, 1..=u64::from(MOST_NODES), HELP)),
        None if top.has_misspelt("ring", problems) => Err(Reported),
        None => {
            let help = "write `[ring]` and below it `nodes = 1000`, or how many there are";
            Err(problems.report(0..0, "the section `[ring]` is missing", help))
        }
    };
    let start = section.as_ref().map_or(Ok(Start::Ideal), |section| {
        section.get("start").map_or(Ok(Start::Ideal), |entry| {
            entry.word(problems, &[("ideal", Start::Ideal), ("join", Start::Join)])
        })
    });
    let nodes = match overrides.nodes {
        Some(nodes) if !(1..=MOST_NODES).contains(&nodes) => Err(problems.report(
            section
                .as_ref()
                .map_or(0..0, |section| section.span.clone()),
            format!("`--nodes` must be between 1 and {MOST_NODES}, not {nodes}"),
            "it stands on the command line and overrides what the file says here",
        )),
        Some(overriding) => nodes.map(|_| overriding),
        None => nodes.map(|nodes| u32::try_from(nodes).expect("bounded by MOST_NODES")),
    };
    let virtual_nodes = section.as_ref().map_or(Ok(1), |section| {
        section.get("virtual_nodes").map_or(Ok(1), |entry| {
            let each = entry.whole(problems, 1..=MOST_VIRTUAL, VIRTUAL)?;
            let each = u8::try_from(each).expect("bounded by MOST_VIRTUAL");
            match &nodes {
                Ok(nodes) if nodes % u32::from(each) != 0 => Err(entry.wrong(
                    problems,
                    format!("{nodes} nodes can't be {each} of each process"),
                    "let `nodes` be a multiple of it: all nodes count, whichever process has them",
                )),
                _ => Ok(each),
            }
        })
    });
    Ok(Ring {
        nodes: nodes?,
        virtual_nodes: virtual_nodes?,
        start: start?,
    })
}
