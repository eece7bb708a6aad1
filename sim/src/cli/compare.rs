//! `compare`: one scenario in several worlds, side by side.

use std::path::PathBuf;

use cuerda_sim::report::{Report, Verdict, comparison};

use super::load::{self, Loaded, Overrides, WorldName};
use super::progress::Bar;
use super::{Exit, Failure, print, print_json};

/// Play one scenario in several worlds and show how they differ
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For each fault: how connections and questions of nodes to others ended meanwhile. Ends with 0 if
the scenario passes in every world.")]
pub(crate) struct Args {
    /// The scenario
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The worlds
    #[arg(
        long,
        value_name = "WORLD,…",
        value_delimiter = ',',
        default_value = "events,turmoil,containers"
    )]
    worlds: Vec<WorldName>,
    /// The seed of every random choice, instead of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many nodes there are at the start, instead of the file's `[ring] nodes`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    nodes: Option<u32>,
    /// Print the reports as one array
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// Plays it in one world after the other; all must fit before the first begins.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let scenarios: Vec<Loaded> = args
        .worlds
        .iter()
        .map(|&world| {
            let overrides = Overrides {
                nodes: args.nodes,
                world: Some(world),
            };
            load::load(&args.file, args.seed, &overrides)
        })
        .collect::<Result<_, Failure>>()?;
    for loaded in &scenarios {
        loaded.ready()?;
    }
    let reports: Vec<Report> = scenarios
        .iter()
        .map(|loaded| {
            let scenario = &loaded.scenario;
            let name = format!(
                "{} ({})",
                scenario.name,
                WorldName::of(scenario.world).name()
            );
            let bar = Bar::of_run(scenario.duration, &name, args.quiet || args.json);
            loaded.play(&mut |progress| bar.show(progress))
        })
        .collect();
    if args.json {
        print_json(&reports)?;
    } else {
        print(&shown(&scenarios, &reports))?;
    }
    let passed = |report: &Report| report.verdict == Verdict::Pass;
    Ok(if reports.iter().all(passed) {
        Exit::Held
    } else {
        Exit::NotHeld
    })
}

fn shown(scenarios: &[Loaded], reports: &[Report]) -> String {
    let mut text = String::new();
    if let Some(first) = scenarios.first() {
        let scenario = &first.scenario;
        text += &format!(
            "{}: {}\nseed {}, {} nodes\n\n",
            scenario.name, scenario.title, scenario.seed, scenario.nodes
        );
    }
    text += &comparison::render(reports);
    for (loaded, report) in scenarios.iter().zip(reports) {
        if report.verdict == Verdict::Fail {
            text += &format!(
                "\nin the world {}:\n  {}\n",
                report.world,
                loaded.replay(report.seed)
            );
            for violation in &report.violations {
                text += &format!("  {}: {}\n", violation.check, violation.detail);
            }
            for unmet in &report.unmet {
                text += &format!(
                    "  {} is {}, must be {}\n",
                    unmet.metric, unmet.value, unmet.bound
                );
            }
        }
    }
    text
}
