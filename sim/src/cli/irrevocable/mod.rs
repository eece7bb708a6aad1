//! `irrevocable`: from when on a run is bound to fail, as a curve.

mod figure;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use cuerda_sim::explore::{Fate, Point, irrevocable_from};
use cuerda_sim::report::words::{moment, percent};
use cuerda_sim::scenario::World;
use serde_json::json;

use super::failing::Which;
use super::progress::Bar;
use super::{Exit, Failure, pool, print, print_json};

/// How wide the curve is in the terminal.
const WIDTH: usize = 50;

/// Show from when on a run is bound to fail
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct Args {
    #[command(flatten)]
    failing: Which,
    /// At how many moments other chance sets in
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    moments: u64,
    /// How many runs go on from each
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    forks: u64,
    /// Draw the curve into this file, too
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print one object with the points of the curve
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// Plays all forks.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    // No other world can go another way from a moment on.
    let found = args.failing.find(&[World::Events])?;
    let fate = Fate {
        document: found.document,
        seed: found.seed,
        check: found.check,
        moments: args.moments,
        forks: args.forks,
    };
    let bar = Bar::new(fate.runs(), &found.scenario.name, args.quiet || args.json);
    let mut failed = Vec::new();
    pool::in_order(
        fate.runs(),
        args.failing.jobs(),
        &AtomicBool::new(false),
        |number| fate.run(number).failure().is_some(),
        |_, fails| {
            bar.step();
            failed.push(fails);
        },
    );
    drop(bar);
    let curve = fate.curve(&failed);
    if let Some(path) = &args.svg {
        let svg = figure::draw(&found.scenario.title, &fate.check, &curve)?;
        std::fs::write(path, svg)
            .map_err(|error| Failure::Other(format!("can't write {}: {error}", path.display())))?;
    }
    if args.json {
        print_json(&as_json(&fate, &curve))?;
    } else {
        print(&shown(&fate.check, &curve))?;
    }
    // The run that all this is about has failed.
    Ok(Exit::NotHeld)
}

fn shown(check: &str, curve: &[Point]) -> String {
    let mut text = format!("how often `{check}` fails if chance goes another way from then on\n\n");
    for point in curve {
        let full = (point.share() * WIDTH as f64).round() as usize;
        let bar = format!("{}{}", "█".repeat(full), "·".repeat(WIDTH - full));
        let at = moment(point.at_s);
        text += &format!("{at:>12}  {bar}  {:>6}\n", percent(point.share()));
    }
    text += "\n";
    text += &match irrevocable_from(curve) {
        Some(at_s) => format!("bound to fail from {} on\n", moment(at_s)),
        None => "it could be averted until the end\n".to_owned(),
    };
    text
}

fn as_json(fate: &Fate, curve: &[Point]) -> serde_json::Value {
    let points = curve
        .iter()
        .map(|point| json!({ "at_s": point.at_s, "failed": point.failed, "forks": point.forks }));
    json!({
        "check": fate.check,
        "seed": fate.seed,
        "irrevocable_from_s": irrevocable_from(curve),
        "points": points.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_stands_in_the_terminal() {
        let point = |at_s, failed| Point {
            at_s,
            failed,
            forks: 4,
        };
        let curve = [
            point(0.0, 1),
            point(30.0, 2),
            point(60.0, 4),
            point(90.0, 4),
        ];
        let text = shown("lost", &curve);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("`lost`"), "{text}");
        let full = |line: &str| line.chars().filter(|letter| *letter == '█').count();
        let bars: Vec<usize> = lines[2..6].iter().map(|line| full(line)).collect();
        assert_eq!(bars, [13, 25, WIDTH, WIDTH]);
        assert!(lines[7].starts_with("bound to fail from "), "{text}");
        assert!(shown("lost", &curve[..1]).contains("averted until the end"));
    }
}
