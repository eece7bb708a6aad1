//! `paper`: plays the scenarios that reproduce published tables, and shows both side by side.

mod figure;
mod published;
mod tables;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use cuerda_sim::report::{Report, Summary, Verdict};
use cuerda_text::words::harmless_lines;
use serde_json::json;

use self::figure::Point;
use super::load::{self, Loaded, Overrides};
use super::progress::Bar;
use super::{Exit, Failure, pool, print, print_json};

/// Print the papers' tables beside ours, from the scenarios that reproduce them
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct Args {
    /// The folder of those scenarios
    #[arg(value_name = "DIR", default_value = "scenarios/paper")]
    folder: PathBuf,
    /// The seed of every random choice, instead of the files'
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Draw the path-length figure into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print one object with all tables
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// Plays what the folder holds of the tables; a row without a scenario says so.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    if let Some(svg) = &args.svg {
        // Better now than after minutes of simulation.
        writable(svg)?;
    }
    let scenarios = load_all(&args)?;
    let jobs = args.jobs.unwrap_or_else(pool::all_cores);
    let bar = Bar::new(scenarios.len() as u64, "paper", args.quiet || args.json);
    let mut reports: BTreeMap<&str, Report> = BTreeMap::new();
    let mut failing: Vec<&Loaded> = Vec::new();
    pool::in_order(
        scenarios.len() as u64,
        jobs,
        &AtomicBool::new(false),
        |number| play(&scenarios[number as usize]),
        |number, report| {
            bar.step();
            let loaded = &scenarios[number as usize];
            if report.verdict == Verdict::Fail {
                failing.push(loaded);
            }
            reports.insert(&loaded.scenario.name, report);
        },
    );
    drop(bar);
    let tables = tables::tables(&|name| reports.get(name));
    let failed: Vec<String> = failing
        .iter()
        .map(|loaded| loaded.replay(loaded.scenario.seed))
        .collect();
    if args.json {
        print_json(&json!({ "tables": tables, "failing": failed }))?;
    } else {
        for table in &tables {
            print(&format!("{}\n", table.shown()))?;
        }
        for replay in &failed {
            print(&format!("FAIL  {}\n", harmless_lines(replay)))?;
        }
    }
    if let Some(svg) = &args.svg {
        let drawn = figure::draw(&points(&reports))?;
        std::fs::write(svg, drawn)
            .map_err(|error| Failure::Other(format!("can't write {}: {error}", svg.display())))?;
        if !args.json {
            print(&format!(
                "figure: {}\n",
                harmless_lines(&svg.to_string_lossy())
            ))?;
        }
    }
    Ok(if failed.is_empty() {
        Exit::Held
    } else {
        Exit::NotHeld
    })
}

/// Plays a scenario, in as many rings as its row wants: the report of the first, with the path
/// length as the mean over all.
fn play(loaded: &Loaded) -> Report {
    let mut report = loaded.play(&mut |_| ());
    let rings = tables::rings(&loaded.scenario.name);
    let mut all = Vec::from_iter(report.lookups.hops_to_predecessor);
    for ring in 1..rings {
        let mut other = loaded.clone();
        other.scenario.seed = loaded.scenario.seed.wrapping_add(ring);
        all.extend(other.play(&mut |_| ()).lookups.hops_to_predecessor);
    }
    report.lookups.hops_to_predecessor = mean_of(&all);
    report
}

/// The mean of the means, and of the percentiles, rounded.
fn mean_of(all: &[Summary]) -> Option<Summary> {
    let first = *all.first()?;
    let count = all.len() as f64;
    let mean = |of: &dyn Fn(&Summary) -> f64| all.iter().map(of).sum::<f64>() / count;
    let rounded = |of: &dyn Fn(&Summary) -> u64| libm::round(mean(&|s| of(s) as f64)) as u64;
    Some(Summary {
        mean: mean(&|summary| summary.mean),
        p1: rounded(&|summary| summary.p1),
        p99: rounded(&|summary| summary.p99),
        ..first
    })
}

/// The scenarios that a table wants and the folder has.
fn load_all(args: &Args) -> Result<Vec<Loaded>, Failure> {
    let present = |name: &String| {
        let file = args.folder.join(format!("{name}.toml"));
        file.is_file().then_some(file)
    };
    let files: Vec<PathBuf> = tables::wanted().iter().filter_map(present).collect();
    if files.is_empty() {
        return Err(Failure::Other(format!(
            "{} has none of the scenarios that the tables need, such as {}.toml; run this in the \
             project's root, or name the folder",
            args.folder.display(),
            tables::path_length_name(10)
        )));
    }
    let load = |file: &PathBuf| {
        let loaded = load::load(file, args.seed, &Overrides::default())?;
        loaded.ready()?;
        Ok(loaded)
    };
    files.iter().map(load).collect()
}

fn points(reports: &BTreeMap<&str, Report>) -> Vec<Point> {
    let point = |row: &published::PathLength| {
        let report = reports.get(tables::path_length_name(row.k).as_str())?;
        let hops = report.lookups.hops_to_predecessor?;
        Some(Point {
            k: row.k,
            mean: hops.mean,
            p1: hops.p1,
            p99: hops.p99,
        })
    };
    published::PATH_LENGTHS.iter().filter_map(point).collect()
}

fn writable(file: &Path) -> Result<(), Failure> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if file.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(Failure::Other(format!(
            "can't write {}: no such folder",
            file.display()
        )));
    }
    Ok(())
}
