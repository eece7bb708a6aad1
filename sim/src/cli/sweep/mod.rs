//! `sweep`: plays one scenario under many seeds, on all cores, and on many machines if asked to.
//!
//! What is printed depends on the seeds alone: not on the number of threads, nor on which of
//! them was first.

mod distribution;
pub(super) mod outcome;
pub(super) mod plan;
pub(super) mod summary;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cuerda_sim::scenario::World;

use self::outcome::{Outcome, one};
use self::plan::Plan;
use self::summary::Summary;
use super::junit::{self, Case};
use super::load::{self, Loaded, Overrides};
use super::parts::Parts;
use super::progress::Bar;
use super::record::Record;
use super::seeds::{Seeds, Shard};
use super::until::{self, FirstSignal, Until};
use super::{Exit, Failure, pool, print};

/// Play a scenario under many seeds, on all cores
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct Args {
    /// A scenario file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The seeds: A..B without B, or A..=B with it
    #[arg(long, value_name = "A..B")]
    seeds: Seeds,
    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    overrides: Overrides,
    /// Print one object with the failing seeds and each metric's distribution
    #[arg(long)]
    pub(crate) json: bool,
    /// Begin no more seeds once one has failed
    #[arg(long)]
    fail_fast: bool,
    /// Stop after this much real time, as in 10m, and tell what is done
    #[arg(long, value_name = "TIME", value_parser = until::duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    parts: Parts,
    /// Write the outcome as JUnit XML, a test case for each seed
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// What has come of a sweep so far, for whoever is to tell it.
struct State {
    summary: Summary,
    record: Option<Record>,
    /// The first trouble with printing or writing.
    trouble: Result<(), Failure>,
}

impl State {
    /// Takes an outcome in, and down.
    fn add(&mut self, outcome: &Outcome) {
        self.summary.add(outcome);
        if let (Some(record), Ok(())) = (&mut self.record, &self.trouble) {
            self.trouble = record.add(outcome);
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plays all seeds, or until it is stopped the first so many.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let loaded = load::load(&args.file, Some(args.seeds.first), &args.overrides)?;
    let shard = args.parts.shard()?;
    let plan = Plan::new(&loaded, args.seeds);
    let mut summary = Summary::new(plan.clone(), shard.number(args.seeds));
    let (record, before) = args.parts.begin(&plan, shard)?;
    before.iter().for_each(|outcome| summary.add(outcome));
    let state = Arc::new(Mutex::new(State {
        summary,
        record,
        trouble: Ok(()),
    }));
    let last_words = {
        let (state, json) = (Arc::clone(&state), args.json);
        let (junit, name) = (args.junit.clone(), loaded.scenario.name.clone());
        move || {
            let state = lock(&state);
            // The process ends with what it could tell.
            let _ = state.summary.tell(json);
            let _ = write_junit(junit.as_deref(), &name, &state.summary);
        }
    };
    let until = Until::watch(FirstSignal::Finishes, args.timeout, last_words)?;
    loaded.ready()?;
    play(&args, &loaded, shard, &state, &until);
    until.done();
    let mut state = lock(&state);
    std::mem::replace(&mut state.trouble, Ok(()))?;
    state.summary.tell(args.json)?;
    write_junit(args.junit.as_deref(), &loaded.scenario.name, &state.summary)?;
    let exit = state.summary.exit();
    if exit != Exit::Incomplete
        && let Some(record) = state.record.take()
    {
        record.finish()?;
    }
    // It was stopped by what it found, so all that matters is told; but its part is not whole.
    if args.fail_fast && !state.summary.failing().is_empty() && exit == Exit::Incomplete {
        return Ok(Exit::NotHeld);
    }
    Ok(args.parts.exit(exit))
}

/// Plays the seeds of this process that have not been played.
fn play(args: &Args, loaded: &Loaded, shard: Shard, state: &Mutex<State>, until: &Until) {
    let known: BTreeSet<u64> = lock(state).summary.finished().collect();
    let number = shard.number(args.seeds);
    let jobs = match loaded.scenario.world {
        // They would compete for the cores that their containers need.
        World::Containers => NonZeroUsize::MIN,
        _ => args.jobs.unwrap_or_else(pool::all_cores),
    };
    let quiet = args.quiet || args.json;
    let bar = Bar::new(number, &loaded.scenario.name, quiet);
    pool::in_order(
        number,
        jobs,
        until.stop(),
        |place| {
            let seed = shard.seed(args.seeds, place);
            (!known.contains(&seed)).then(|| one(loaded, seed))
        },
        |_, outcome| {
            bar.step();
            let Some(outcome) = outcome else { return };
            let mut state = lock(state);
            state.add(&outcome);
            let Some(reason) = &outcome.failed else {
                return;
            };
            if args.fail_fast {
                until.stop().store(true, Ordering::Relaxed);
            }
            if !args.json && state.trouble.is_ok() {
                let line = state.summary.line(outcome.seed, reason);
                state.trouble = bar.aside(|| print(&line));
            }
        },
    );
}

fn write_junit(
    path: Option<&std::path::Path>,
    name: &str,
    summary: &Summary,
) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let cases = summary.finished().map(|seed| Case {
        name: format!("{name} seed {seed}"),
        failed: summary.failing().get(&seed).cloned(),
        more: summary.replay(seed),
        took: None,
    });
    junit::write(path, name, cases)
}
