//! `run`: plays scenarios and shows their reports.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cuerda_sim::report::words::count;
use cuerda_sim::report::{Report, Verdict, terminal};
use cuerda_sim::run::series::comma_separated;
use cuerda_sim::scenario::World;
use cuerda_text::terminal::colours;
use serde_json::json;

use super::history;
use super::junit::{self, Case};
use super::load::{self, Loaded, Overrides};
use super::progress::Bar;
use super::sweep::outcome::reason;
use super::until::{self, FirstSignal, Until};
use super::{Exit, Failure, print, print_json, twice};

/// Play scenarios and judge them
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct Args {
    /// Scenario files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The seed of every random choice, instead of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    overrides: Overrides,
    /// Print each report as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Begin no more scenarios once one has failed
    #[arg(long)]
    fail_fast: bool,
    /// Stop after this much real time, as in 10m, and tell what is done
    #[arg(long, value_name = "TIME", value_parser = until::duration)]
    timeout: Option<Duration>,
    /// Write the outcome as JUnit XML, a test case for each scenario
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print the N events around each of the first violations that concern its nodes
    #[arg(long, value_name = "N", conflicts_with = "json")]
    history: Option<NonZeroUsize>,
    /// Write members, violations, failures and bytes of each hundredth of the run, as CSV
    #[arg(long, value_name = "FILE", conflicts_with = "twice")]
    series: Option<PathBuf>,
    /// Run in two processes and show the first event at which they differ
    #[arg(long)]
    twice: bool,
    /// Show no progress, and of runs that pass nothing but the verdict
    #[arg(long, short)]
    quiet: bool,
}

/// Plays the files one after another. All are parsed first, so that a mistake in the last one
/// shows before the first has run.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let scenarios: Vec<Loaded> = args
        .files
        .iter()
        .map(|file| load::load(file, args.seed, &args.overrides))
        .collect::<Result<_, Failure>>()?;
    let played = Arc::new(Mutex::new(Played {
        wanted: scenarios.len(),
        cases: Vec::new(),
    }));
    let last_words = {
        let (played, junit, json) = (Arc::clone(&played), args.junit.clone(), args.json);
        move || {
            let played = lock(&played);
            // The process ends with what it could tell.
            let _ = played.tell_interrupted(json);
            let _ = played.write_junit(junit.as_deref());
        }
    };
    let until = Until::watch(FirstSignal::EndsAtOnce, args.timeout, last_words)?;
    for loaded in &scenarios {
        let again = [
            ("--twice", args.twice),
            ("--history", args.history.is_some()),
        ];
        for (flag, _) in again.iter().filter(|(_, is_given)| *is_given) {
            if loaded.scenario.world == World::Containers {
                return Err(Failure::Other(format!(
                    "no two runs in the `containers` world are the same; leave `{flag}` out"
                )));
            }
        }
        loaded.ready()?;
    }
    if args.series.is_some() && scenarios.len() > 1 {
        return Err(Failure::Other(
            "--series writes one file; give one scenario".to_owned(),
        ));
    }
    let mut worst = Exit::Held;
    for (place, loaded) in scenarios.iter().enumerate() {
        if place > 0 && !args.json && !args.quiet {
            print("\n")?;
        }
        let (exit, case) = one(&args, loaded)?;
        worst = worst.max(exit);
        lock(&played).cases.push(case);
        if args.fail_fast && worst > Exit::Held {
            break;
        }
    }
    until.done();
    lock(&played).write_junit(args.junit.as_deref())?;
    Ok(worst)
}

/// What has been played so far.
struct Played {
    wanted: usize,
    cases: Vec<Case>,
}

fn lock(played: &Mutex<Played>) -> MutexGuard<'_, Played> {
    played.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Played {
    /// Tells how far the command has come when it is stopped.
    fn tell_interrupted(&self, json: bool) -> Result<(), Failure> {
        let failed = self
            .cases
            .iter()
            .filter(|case| case.failed.is_some())
            .count();
        let (played, passed) = (self.cases.len(), self.cases.len() - failed);
        if json {
            return print_json(&json!({
                "interrupted": true, "wanted": self.wanted, "played": played,
                "passed": passed, "failed": failed,
            }));
        }
        print(&format!(
            "INCOMPLETE  {played} of {}: {passed} passed, {failed} failed\n",
            count(self.wanted as u64, "scenario", "scenarios")
        ))
    }

    fn write_junit(&self, path: Option<&Path>) -> Result<(), Failure> {
        path.map_or(Ok(()), |path| {
            junit::write(path, "run", self.cases.iter().cloned())
        })
    }
}

fn one(args: &Args, loaded: &Loaded) -> Result<(Exit, Case), Failure> {
    let scenario = &loaded.scenario;
    let quiet = args.quiet || args.json;
    let bar = Bar::of_run(scenario.duration, &scenario.name, quiet);
    let (report, comparison) = if args.twice {
        let (report, comparison) = twice::run(loaded, &bar)?;
        (report, Some(comparison))
    } else if let Some(path) = &args.series {
        let (report, series) = loaded.play_in_series(&mut |progress| bar.show(progress));
        std::fs::write(path, comma_separated(&series))
            .map_err(|error| Failure::Other(format!("can't write {}: {error}", path.display())))?;
        (report, None)
    } else {
        (loaded.play(&mut |progress| bar.show(progress)), None)
    };
    drop(bar);
    if args.json {
        print_json(&Line {
            report: &report,
            twice: comparison.as_ref(),
        })?;
    } else {
        print(&shown(args, loaded, &report))?;
        if let Some(number) = args.history {
            print(&history::around(loaded, &report, number))?;
        }
        if let Some(comparison) = comparison
            .as_ref()
            .filter(|found| !(args.quiet && found.same()))
        {
            print(&comparison.to_string())?;
        }
    }
    let verdict = match report.verdict {
        Verdict::Pass => Exit::Held,
        Verdict::Fail => Exit::NotHeld,
    };
    let (exit, failed) = match comparison {
        Some(comparison) if !comparison.same() => {
            (Exit::Differed, Some("a second run differed".to_owned()))
        }
        _ => (verdict, reason(&report)),
    };
    let case = Case {
        name: scenario.name.clone(),
        failed,
        more: loaded.replay(scenario.seed),
        took: Some(Duration::from_secs_f64(report.cost.wall_s)),
    };
    Ok((exit, case))
}

fn shown(args: &Args, loaded: &Loaded, report: &Report) -> String {
    let scenario = &loaded.scenario;
    if args.quiet && report.verdict == Verdict::Pass {
        return format!("PASS  {}\n", scenario.name);
    }
    let run = terminal::Run {
        title: &scenario.title,
        expectations: scenario.expectations.len(),
        replay: &loaded.replay(scenario.seed),
        colours: colours(&std::io::stdout()),
    };
    terminal::render(report, &run)
}

/// A report as a line of JSON, with what `--twice` adds.
#[derive(serde::Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    twice: Option<&'a twice::Comparison>,
}
