//! `shrink`: makes of a scenario that fails the smallest one that still fails the same check.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use cuerda_sim::explore::{Attempt, Effort, Failure as Failed, Player, Shrunk, shrink, written};
use cuerda_sim::report::words::{count, harmless};
use cuerda_sim::scenario::World;
use serde_json::json;

use super::failing::{Failing, Which};
use super::{Exit, Failure, pool, print, print_json, tell};

/// Make of a scenario that fails the smallest one that still fails the same check
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct Args {
    #[command(flatten)]
    failing: Which,
    /// Where to write the smaller scenario, instead of to stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With how many seeds each step is tried
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    tries: u64,
    /// How many runs there are at most
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    effort: u64,
    /// Print one object with the scenario and how it fails
    #[arg(long)]
    pub(crate) json: bool,
}

/// Plays attempts on so many cores, until somebody stops it.
pub(crate) struct OnCores<'a>(pub(crate) NonZeroUsize, pub(crate) Option<&'a AtomicBool>);

impl Player for OnCores<'_> {
    fn first(&mut self, attempts: &[Attempt]) -> Option<(usize, Failed)> {
        // Those before the first that fails are begun earlier, and all that are begun are finished.
        let stop = AtomicBool::new(false);
        let mut first = None;
        pool::in_order(
            attempts.len() as u64,
            self.0,
            &stop,
            |place| attempts[place as usize].failure(),
            |place, failure| {
                if let (None, Some(failure)) = (&first, failure) {
                    first = Some((place as usize, failure));
                    stop.store(true, Ordering::Relaxed);
                }
            },
        );
        first
    }

    fn is_stopped(&self) -> bool {
        self.1.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

/// Shrinks.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    // No two runs in containers are the same.
    let Failing {
        scenario,
        document,
        seed,
        check,
    } = args.failing.find(&[World::Events, World::Turmoil])?;
    let effort = Effort {
        seeds: args.tries,
        runs: args.effort,
    };
    let mut player = OnCores(args.failing.jobs(), None);
    let Some(shrunk) = shrink(&document, seed, &check, effort, &mut player) else {
        let why = format!(
            "with seed {seed} the check `{check}` does not fail; name another by `--check` or `--seed`"
        );
        return Err(Failure::Other(why));
    };
    let file = written(
        &shrunk,
        &scenario.title,
        vec![harmless(&shrunk.failure.detail)],
    );
    let text = file.text();
    if let Some(path) = &args.output {
        std::fs::write(path, &text)
            .map_err(|error| Failure::Other(format!("can't write {}: {error}", path.display())))?;
    }
    if args.json {
        print_json(&as_json(&shrunk, &text))?;
    } else {
        if args.output.is_none() {
            print(&text)?;
        }
        let lines = text.lines().filter(|line| !line.starts_with('#')).count() as u64;
        tell(&format!(
            "{}, fails `{check}` with seed {}, after {}",
            count(lines, "line", "lines"),
            shrunk.seed,
            count(shrunk.runs, "run", "runs")
        ));
    }
    Ok(Exit::NotHeld)
}

fn as_json(shrunk: &Shrunk, text: &str) -> serde_json::Value {
    json!({
        "check": shrunk.failure.check,
        "detail": shrunk.failure.detail,
        "seed": shrunk.seed,
        "runs": shrunk.runs,
        "scenario": text,
    })
}
