//! What a sweep plays, as its records say it: parts of it that were played elsewhere belong
//! together if they say the same.

use std::collections::BTreeMap;

use cuerda_core::ring::Id;
use cuerda_sim::report::metric_paths;
use serde::{Deserialize, Serialize};

use super::super::load::Loaded;
use super::super::record;
use super::super::seeds::Seeds;
use super::outcome::Outcome;

/// What is played.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) scenario: String,
    /// The file as it was given, and what the command line overrode.
    pub(crate) file: String,
    pub(crate) nodes: u32,
    pub(crate) override_nodes: Option<u32>,
    pub(crate) override_world: Option<String>,
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// A hash of the scenario's text.
    pub(crate) text: String,
    /// Of this program: another one may play otherwise.
    pub(crate) version: String,
    /// What the numbers of each line are.
    metrics: Vec<String>,
}

impl Plan {
    pub(crate) fn new(loaded: &Loaded, seeds: Seeds) -> Plan {
        Plan {
            scenario: loaded.scenario.name.clone(),
            file: loaded.file.to_string_lossy().into_owned(),
            nodes: loaded.scenario.nodes,
            override_nodes: loaded.overrides.nodes,
            override_world: loaded.overrides.world.map(|world| world.name().to_owned()),
            first: seeds.first,
            last: seeds.last,
            text: Id::of_key(loaded.text.as_bytes()).to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            metrics: metric_paths(),
        }
    }

    pub(crate) const fn seeds(&self) -> Seeds {
        Seeds {
            first: self.first,
            last: self.last,
        }
    }
}

impl record::Plan for Plan {
    type Line = Outcome;
    const WHAT: &'static str = "a sweep";
    const COMMAND: &'static str = "sweep";

    fn given(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("the scenario", self.scenario.clone()),
            ("the file", self.file.clone()),
            ("the number of nodes", self.nodes.to_string()),
            ("--nodes", format!("{:?}", self.override_nodes)),
            ("--world", format!("{:?}", self.override_world)),
            ("the seeds", format!("{}..={}", self.first, self.last)),
            ("what the file says", self.text.clone()),
            ("the program's version", self.version.clone()),
        ])
    }
}
