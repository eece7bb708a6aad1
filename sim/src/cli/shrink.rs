//! `shrink`: makes of a scenario that fails the smallest one that still fails the same check.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use cuerda_sim::explore::{
    self, Attempt, Document, Effort, Failure as Failed, Player, Shrunk, attempt, shrink, written,
};
use cuerda_sim::report::words::{count, harmless};
use cuerda_sim::scenario::World;
use serde_json::json;

use super::load::{self, Overrides};
use super::{Exit, Failure, pool, print, print_json, tell};

/// Make of a scenario that fails the smallest one that still fails the same check
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct Args {
    /// A scenario file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The seed with which it fails, instead of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The check that must still fail [default: the first that does]
    #[arg(long, value_name = "NAME")]
    check: Option<String>,
    /// Where to write the smaller scenario, instead of to stdout
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With how many seeds each step is tried
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    tries: u64,
    /// How many runs there are at most
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    effort: u64,
    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print one object with the scenario and how it fails
    #[arg(long)]
    pub(crate) json: bool,
}

/// Plays attempts on so many cores.
pub(crate) struct OnCores(pub(crate) NonZeroUsize);

impl Player for OnCores {
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
}

/// Shrinks.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let loaded = load::load(&args.file, args.seed, &Overrides::default())?;
    loaded.ready()?;
    if loaded.scenario.world == World::Containers {
        let why = "no two runs in the `containers` world are the same; play it in another";
        return Err(Failure::Other(why.to_owned()));
    }
    let text = std::fs::read_to_string(&args.file);
    let text = text.map_err(|error| Failure::Other(format!("can't read it again: {error}")))?;
    let document = Document::read(&text).map_err(Failure::Other)?;
    let seed = loaded.scenario.seed;
    let check = match args.check {
        Some(check) => check,
        None => first_check(&document, seed)?,
    };
    let effort = Effort {
        seeds: args.tries,
        runs: args.effort,
    };
    let mut player = OnCores(args.jobs.unwrap_or_else(pool::all_cores));
    let Some(shrunk) = shrink(&document, seed, &check, effort, &mut player) else {
        let why = format!(
            "with seed {seed} the check `{check}` does not fail; name another by `--check` or `--seed`"
        );
        return Err(Failure::Other(why));
    };
    let file = written(
        &shrunk,
        &loaded.scenario.title,
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

pub(crate) fn first_check(document: &Document, seed: u64) -> Result<String, Failure> {
    let trial = attempt(document, seed);
    let failures = trial.map_or(Vec::new(), |trial| trial.failures);
    match failures.into_iter().next() {
        Some(explore::Failure { check, .. }) => Ok(check),
        None => Err(Failure::Other(format!(
            "with seed {seed} nothing fails; look for one that does by `sweep`"
        ))),
    }
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
