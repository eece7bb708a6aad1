//! `run`: plays scenarios and shows their reports.

use std::path::PathBuf;

use cuerda_sim::report::{Report, Verdict, terminal};
use cuerda_sim::scenario::World;
use cuerda_text::terminal::colours;

use super::load::{self, Loaded, Overrides};
use super::progress::Bar;
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
    for loaded in &scenarios {
        if args.twice && loaded.scenario.world == World::Containers {
            return Err(Failure::Other(
                "no two runs in the `containers` world are the same; leave `--twice` out"
                    .to_owned(),
            ));
        }
        loaded.ready()?;
    }
    let mut worst = Exit::Held;
    for (place, loaded) in scenarios.iter().enumerate() {
        if place > 0 && !args.json && !args.quiet {
            print("\n")?;
        }
        worst = worst.max(one(&args, loaded)?);
    }
    Ok(worst)
}

fn one(args: &Args, loaded: &Loaded) -> Result<Exit, Failure> {
    let scenario = &loaded.scenario;
    let quiet = args.quiet || args.json;
    let bar = Bar::of_run(scenario.duration, &scenario.name, quiet);
    let (report, comparison) = if args.twice {
        let (report, comparison) = twice::run(loaded, &bar)?;
        (report, Some(comparison))
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
    match comparison {
        Some(comparison) if !comparison.same() => Ok(Exit::Differed),
        _ => Ok(verdict),
    }
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
