//! `sweep`: plays one scenario under many seeds, on all cores.
//!
//! What is printed depends on the seeds alone: not on the number of threads, nor on which of
//! them was first.

mod distribution;

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cuerda_sim::report::words::{grouped, harmless, moment};
use cuerda_sim::report::{Report, Verdict};
use cuerda_sim::run::worlds;
use cuerda_sim::scenario::World;
use serde_json::json;

use self::distribution::Distributions;
use super::load::{self, Loaded, Overrides};
use super::progress::Bar;
use super::{Exit, Failure, pool, print, print_json};

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
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// Neighbouring seeds; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seeds {
    pub(super) first: u64,
    last: u64,
}

impl Seeds {
    fn number(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// All of them, in order.
    #[cfg(feature = "mutants")]
    pub(super) fn all(self) -> impl Iterator<Item = u64> {
        self.first..=self.last
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seeds, String> {
        let seed = |text: &str| {
            let error = |_| format!("`{text}` is no seed; write two whole numbers, as in 1..101");
            text.trim().parse::<u64>().map_err(error)
        };
        let (first, last) = text
            .split_once("..")
            .ok_or("write the first seed, two dots and the seed after the last, as in 1..101")?;
        let first = seed(first)?;
        let last = match last.strip_prefix('=') {
            Some(last) => Some(seed(last)?),
            None => seed(last)?.checked_sub(1),
        };
        match last {
            Some(last) if first <= last => Ok(Seeds { first, last }),
            _ => Err(format!(
                "there are no seeds in {text}; the second must be above the first"
            )),
        }
    }
}

/// What is kept of a run.
struct Outcome {
    seed: u64,
    /// Of a run that came to its end.
    values: Option<Vec<Option<f64>>>,
    /// Why it failed, in a few words.
    failed: Option<String>,
}

/// Plays all seeds, or on Ctrl-C the first so many.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let loaded = load::load(&args.file, Some(args.seeds.first), &args.overrides)?;
    let stop = stop_on_interrupt()?;
    loaded.ready()?;
    let jobs = match loaded.scenario.world {
        // They would compete for the cores that their containers need.
        World::Containers => NonZeroUsize::MIN,
        _ => args.jobs.unwrap_or_else(pool::all_cores),
    };
    let bar = Bar::new(
        args.seeds.number(),
        &loaded.scenario.name,
        args.quiet || args.json,
    );
    let mut distributions = Distributions::default();
    let mut failing = Vec::new();
    let mut printed = Ok(());
    let finished = pool::in_order(
        args.seeds.number(),
        jobs,
        &stop,
        |number| one(&loaded, args.seeds.first + number),
        |_, outcome| {
            bar.step();
            if let Some(values) = &outcome.values {
                distributions.add(values);
            }
            if let Some(reason) = outcome.failed {
                let replay = loaded.replay(outcome.seed);
                if !args.json && printed.is_ok() {
                    let line = format!("seed {}: {reason}  →  {replay}\n", outcome.seed);
                    printed = bar.aside(|| print(&line));
                }
                failing.push(json!({ "seed": outcome.seed, "reason": reason, "replay": replay }));
            }
        },
    );
    drop(bar);
    printed?;
    let failed = failing.len() as u64;
    if args.json {
        print_json(&json!({
            "scenario": loaded.scenario.name,
            "nodes": loaded.scenario.nodes,
            "seeds": { "first": args.seeds.first, "last": args.seeds.last, "finished": finished },
            "passed": finished - failed,
            "failed": failed,
            "failing": failing,
            "metrics": distributions.to_json(),
        }))?;
    } else {
        let blank = if failing.is_empty() { "" } else { "\n" };
        let summary = summary(args.seeds, finished, failed);
        print(&format!("{blank}{}\n{summary}", distributions.table()))?;
    }
    Ok(if finished < args.seeds.number() {
        Exit::Incomplete
    } else if failed > 0 {
        Exit::NotHeld
    } else {
        Exit::Held
    })
}

fn summary(seeds: Seeds, finished: u64, failed: u64) -> String {
    let passed = finished - failed;
    let verdict = if finished < seeds.number() {
        format!(
            "INCOMPLETE  {} of {} seeds",
            grouped(finished),
            grouped(seeds.number())
        )
    } else if failed > 0 {
        format!("FAIL  {} seeds", grouped(finished))
    } else {
        format!("PASS  {} seeds", grouped(finished))
    };
    format!(
        "{verdict} from {}: {} passed, {} failed\n",
        seeds.first,
        grouped(passed),
        grouped(failed)
    )
}

fn one(loaded: &Loaded, seed: u64) -> Outcome {
    let mut loaded = loaded.clone();
    loaded.scenario.seed = seed;
    // A panic is what a sweep looks for: it fails this seed, and the others go on.
    match catch_unwind(AssertUnwindSafe(|| loaded.play(&mut |_| ()))) {
        Ok(report) => Outcome {
            seed,
            values: Some(distribution::values(&report)),
            failed: reason(&report),
        },
        Err(panic) => Outcome {
            seed,
            values: None,
            failed: Some(format!("panicked: {}", message(panic.as_ref()))),
        },
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    harmless(text.unwrap_or("without a message"))
}

/// The first of what failed a run.
fn reason(report: &Report) -> Option<String> {
    if report.verdict == Verdict::Pass {
        return None;
    }
    let first = if let Some(violation) = report.violations.first() {
        let place = violation
            .node
            .as_ref()
            .map_or_else(String::new, |node| format!(" at {node}"));
        format!("{}, {}{place}", violation.check, moment(violation.at_s))
    } else if let Some(unmet) = report.unmet.first() {
        format!(
            "{} is {}, must be {}",
            unmet.metric, unmet.value, unmet.bound
        )
    } else {
        format!("{} violations", grouped(report.ring.violations))
    };
    let violations = report.ring.violations.max(report.violations.len() as u64);
    let more = (violations + report.unmet.len() as u64).saturating_sub(1);
    let more = if more > 0 && !report.violations.is_empty() | !report.unmet.is_empty() {
        format!(" and {} more", grouped(more))
    } else {
        String::new()
    };
    Some(harmless(&first) + &more)
}

/// The first Ctrl-C lets running seeds finish, the second ends the process at once.
fn stop_on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        // Whoever has containers to take away does that first.
        if set.swap(true, Ordering::Relaxed) && !worlds::interrupt() {
            std::process::exit(i32::from(Exit::Incomplete as u8));
        }
        super::tell("stopping once the running seeds are done; again to stop now");
    })
    .map_err(|error| Failure::Other(format!("can't watch for Ctrl-C: {error}")))?;
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_half_open_or_closed() {
        let seeds = |text: &str| text.parse::<Seeds>();
        assert_eq!(
            seeds("1..101"),
            Ok(Seeds {
                first: 1,
                last: 100
            })
        );
        assert_eq!(seeds("7..=7").unwrap().number(), 1);
        assert_eq!(
            seeds("0..=18446744073709551615").unwrap().number(),
            u64::MAX
        );
        for wrong in [
            "", "5", "5..5", "9..3", "0..0", "a..b", "1...3", "-1..4", "1..", "..4",
        ] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_summary_says_what_is_missing() {
        let seeds = Seeds {
            first: 5,
            last: 1004,
        };
        assert_eq!(
            [
                summary(seeds, 1000, 0),
                summary(seeds, 1000, 2),
                summary(seeds, 17, 1)
            ],
            [
                "PASS  1,000 seeds from 5: 1,000 passed, 0 failed\n",
                "FAIL  1,000 seeds from 5: 998 passed, 2 failed\n",
                "INCOMPLETE  17 of 1,000 seeds from 5: 16 passed, 1 failed\n",
            ]
        );
    }

    #[test]
    fn a_panics_message_is_told() {
        let caught = |panic: fn()| catch_unwind(panic).map_err(|panic| message(panic.as_ref()));
        assert_eq!(caught(|| panic!("seven")), Err("seven".to_owned()));
        assert_eq!(caught(|| panic!("{}", 7)), Err("7".to_owned()));
    }
}
