//! What is explored, and what is recorded of it: islands of neighbouring seeds, each explored by
//! itself. Islands count from the first seed, and the last one may be smaller.

use std::collections::BTreeMap;

use cuerda_sim::explore::{Findings, Record, Subject};
use cuerda_sim::scenario::World;
use serde::{Deserialize, Serialize};

use super::super::Failure;
use super::super::record;
use super::super::seeds::Seeds;

/// What is explored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// In which world.
    explored: String,
    about: Vec<String>,
    first: u64,
    last: u64,
    /// How many seeds an island has.
    island: u64,
    /// Of this program: another one may draw and play otherwise.
    version: String,
}

/// What came of an island.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Island {
    /// Which it is, from 0.
    pub(crate) number: u64,
    pub(crate) runs: Vec<Record>,
    pub(crate) findings: Findings,
}

impl Plan {
    pub(crate) fn new(world: World, about: &[String], seeds: Seeds, island: u64) -> Plan {
        Plan {
            explored: world.name().to_owned(),
            about: about.to_vec(),
            first: seeds.first,
            last: seeds.last,
            island,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// What is drawn.
    ///
    /// # Errors
    /// If a record names a world that there is not.
    pub(crate) fn subject(&self) -> Result<Subject, Failure> {
        Ok(Subject {
            world: self.world()?,
            about: self.about.clone(),
        })
    }

    /// Where it is played.
    ///
    /// # Errors
    /// If a record names a world that there is not.
    pub(crate) fn world(&self) -> Result<World, Failure> {
        let all = [World::Events, World::Turmoil, World::Containers];
        let found = all.into_iter().find(|world| world.name() == self.explored);
        let why = || {
            format!(
                "a record is of the world `{}`, which there is not",
                self.explored
            )
        };
        found.ok_or_else(|| Failure::Other(why()))
    }

    /// The numbers of the islands.
    pub(crate) const fn islands(&self) -> Seeds {
        Seeds {
            first: 0,
            last: (self.last - self.first) / self.island,
        }
    }

    /// The seeds of an island.
    pub(crate) const fn island(&self, number: u64) -> Seeds {
        let first = self.first + number * self.island;
        let last = first.saturating_add(self.island - 1);
        Seeds {
            first,
            last: if last < self.last { last } else { self.last },
        }
    }
}

impl record::Plan for Plan {
    type Line = Island;
    const WHAT: &'static str = "an exploration";
    const COMMAND: &'static str = "explore";

    fn given(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("the world", self.explored.clone()),
            ("--about", self.about.join(",")),
            ("the seeds", format!("{}..={}", self.first, self.last)),
            ("the size of an island", self.island.to_string()),
            ("the program's version", self.version.clone()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn islands_are_all_seeds_and_the_last_may_be_smaller() {
        for (first, last, sizes) in [
            (1, 256, &[256][..]),
            (7, 7, &[1]),
            (3, 515, &[256, 256, 1]),
            (u64::MAX - 256, u64::MAX, &[256, 1]),
        ] {
            let plan = Plan::new(World::Events, &[], Seeds { first, last }, 256);
            let islands = plan.islands();
            let all: Vec<Seeds> = (islands.first..=islands.last)
                .map(|number| plan.island(number))
                .collect();
            let found: Vec<u64> = all.iter().map(|island| island.number()).collect();
            assert_eq!(found, sizes);
            assert_eq!(all[0].first, first);
            assert!(all.windows(2).all(|two| two[0].last + 1 == two[1].first));
            assert_eq!(all[all.len() - 1].last, last);
        }
    }
}
