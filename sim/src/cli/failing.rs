//! A run that fails: which scenario, which seed and which check, for the commands that ask why.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use cuerda_sim::explore::{Document, attempt};
use cuerda_sim::scenario::{Scenario, World};

use super::load::{self, Overrides};
use super::{Failure, pool};

/// Which run fails, and how many are played at once to find out about it.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// A scenario file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The seed with which it fails, instead of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The check that fails [default: the first that does]
    #[arg(long, value_name = "NAME")]
    check: Option<String>,
    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// The run, which has been seen to fail.
pub(crate) struct Failing {
    pub(crate) scenario: Scenario,
    pub(crate) document: Document,
    pub(crate) seed: u64,
    pub(crate) check: String,
}

impl Which {
    /// How many run at once.
    pub(crate) fn jobs(&self) -> NonZeroUsize {
        self.jobs.unwrap_or_else(pool::all_cores)
    }

    /// Plays the run once, in one of these worlds.
    ///
    /// # Errors
    /// If there is no such scenario, it is for another world, or the check does not fail with this
    /// seed: nothing could be told of a failure that is not there.
    pub(crate) fn find(&self, worlds: &[World]) -> Result<Failing, Failure> {
        let loaded = load::load(&self.file, self.seed, &Overrides::default())?;
        let scenario = loaded.scenario.clone();
        if !worlds.contains(&scenario.world) {
            let names: Vec<&str> = worlds.iter().map(|world| world.name()).collect();
            return Err(Failure::Other(format!(
                "this can be done in the world {} only, where a run can be played again and \
                 changed; this scenario is for `{}`",
                names.join(" or "),
                scenario.world.name()
            )));
        }
        loaded.ready()?;
        let document = Document::read(&loaded.text).map_err(Failure::Other)?;
        let seed = scenario.seed;
        let failures = attempt(&document, seed).map_or(Vec::new(), |trial| trial.failures);
        let mut failed = failures.into_iter().map(|failure| failure.check);
        let check = match &self.check {
            None => failed.next().ok_or_else(|| {
                Failure::Other(format!(
                    "with seed {seed} nothing fails; look for a seed with which something does by \
                     `sweep`"
                ))
            })?,
            Some(asked) if failed.any(|check| check == *asked) => asked.clone(),
            Some(asked) => {
                return Err(Failure::Other(format!(
                    "with seed {seed} the check `{asked}` does not fail; name another by `--check` \
                     or `--seed`"
                )));
            }
        };
        Ok(Failing {
            scenario,
            document,
            seed,
            check,
        })
    }
}
