//! Puts the islands of an exploration together that several processes have explored, and makes small
//! what fails in all of them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use cuerda_sim::explore::Findings;
use cuerda_sim::report::words::seconds;

use super::super::record::{self, difference};
use super::super::seeds::Seeds;
use super::super::shrink::OnCores;
use super::super::{Exit, Failure, pool, print_json, tell};
use super::plan::{Island, Plan};
use super::{EFFORT, make_small, playable, report};

/// What only the records of explorations can be asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Wanted {
    /// Of an exploration: write a scenario file for each kind of failure into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Of an exploration: how many runs to spend at most on making each failure small [default:
    /// 250]
    #[arg(long, value_name = "N")]
    effort: Option<u64>,
    /// Of an exploration: how many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

impl Wanted {
    /// The first of these that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--out", self.out.is_some()),
            ("--effort", self.effort.is_some()),
            ("--jobs", self.jobs.is_some()),
        ];
        given.into_iter().find_map(|(name, is)| is.then_some(name))
    }
}

/// Whether this is a record of an exploration.
pub(crate) fn is_one(head: &serde_json::Value) -> bool {
    head.get("explored").is_some()
}

/// Reads all records and tells what they come to, as the exploration in one process would.
pub(crate) fn run(files: &[PathBuf], wanted: &Wanted, json: bool) -> Result<Exit, Failure> {
    let (plan, islands) = read(files)?;
    playable(plan.world()?)?;
    if let Some(folder) = &wanted.out {
        std::fs::create_dir_all(folder).map_err(|error| report::unwritten(folder, &error))?;
    }
    let numbers = plan.islands();
    let missing = (numbers.first..=numbers.last).filter(|number| !islands.contains_key(number));
    let missing: Vec<Seeds> = missing.map(|number| plan.island(number)).collect();
    let mut findings = Findings::default();
    for (_, island) in islands {
        if json {
            island.runs.iter().try_for_each(print_json)?;
        }
        findings.fuse(island.findings);
    }
    let jobs = wanted.jobs.unwrap_or_else(pool::all_cores);
    let effort = wanted.effort.unwrap_or(EFFORT);
    let mut player = OnCores(jobs, None);
    make_small(&mut findings, effort, &mut player, wanted.quiet || json);
    report::tell(&findings, wanted.out.as_deref(), json)?;
    tell(&format!(
        "{} of processor time for the runs",
        seconds(findings.cpu_s())
    ));
    for Seeds { first, last } in &missing {
        tell(&format!("no record has the seeds {first}..={last}"));
    }
    match missing.is_empty() {
        true => Ok(report::exit(&findings)),
        false => Ok(Exit::Incomplete),
    }
}

/// All islands, in their order. One that was explored twice came to the same, and counts once.
fn read(files: &[PathBuf]) -> Result<(Plan, BTreeMap<u64, Island>), Failure> {
    let mut whole: Option<(&Path, Plan)> = None;
    let mut islands = BTreeMap::new();
    for file in files {
        let (plan, lines) = record::read::<Plan>(file)?;
        match &whole {
            Some((first, known)) if *known != plan => {
                return Err(Failure::Other(format!(
                    "{} is of another exploration than {}: {}",
                    file.display(),
                    first.display(),
                    difference(&plan, known)
                )));
            }
            Some(_) => {}
            None => whole = Some((file, plan)),
        }
        for island in lines {
            islands.entry(island.number).or_insert(island);
        }
    }
    match whole {
        Some((_, plan)) => Ok((plan, islands)),
        None => Err(Failure::Other("there are no records to merge".to_owned())),
    }
}
