//! `matrix`: kills every set of up to k nodes at several moments, and shows what is lost.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use cuerda_sim::report::terminal::plain_table;
use cuerda_sim::report::words::{count, grouped};
use cuerda_sim::run::matrix::{Case, Matrix, Moment, Outcome};
use serde_json::json;

use super::progress::Bar;
use super::{Exit, Failure, pool, print, print_json};

/// Kill every set of up to k nodes at several moments, and show what is lost
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct Args {
    /// How many nodes there are
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=16))]
    nodes: u32,
    /// How many nodes hold a key
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=6))]
    replicas: u8,
    /// The seed of every random choice
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Only the moments whose names contain this
    #[arg(long, value_name = "TEXT")]
    moment: Option<String>,
    /// Print the scenario of every case that is wrong
    #[arg(long)]
    scenarios: bool,
    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print one object with every case in which something is lost or wrong
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// Plays all cases.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    if u32::from(args.replicas) > args.nodes {
        let why = format!(
            "{} nodes can't hold {} copies; lower `--replicas` or raise `--nodes`",
            args.nodes, args.replicas
        );
        return Err(Failure::Other(why));
    }
    let matrix = Matrix {
        nodes: args.nodes,
        replicas: args.replicas,
        seed: args.seed,
    };
    let wanted = |moment: &Moment| {
        let part = args.moment.as_deref().unwrap_or_default();
        moment.name().contains(part)
    };
    let moments: Vec<Moment> = Moment::all().into_iter().filter(wanted).collect();
    let cases: Vec<Case> = moments
        .iter()
        .flat_map(|&moment| matrix.cases(moment))
        .collect();
    if cases.is_empty() {
        let names: Vec<String> = Moment::all().into_iter().map(Moment::name).collect();
        let why = format!("there is no such moment; there are: {}", names.join(", "));
        return Err(Failure::Other(why));
    }
    let holders = matrix.holders();
    let bar = Bar::new(cases.len() as u64, "matrix", args.quiet || args.json);
    let mut outcomes: Vec<Outcome> = Vec::new();
    pool::in_order(
        cases.len() as u64,
        args.jobs.unwrap_or_else(pool::all_cores),
        &AtomicBool::new(false),
        |number| matrix.play(cases[number as usize].clone(), &holders),
        |_, outcome| {
            bar.step();
            outcomes.push(outcome);
        },
    );
    drop(bar);
    let wrong = outcomes
        .iter()
        .filter(|outcome| outcome.wrong.is_some())
        .count();
    if args.json {
        print_json(&as_json(&matrix, &outcomes, wrong))?;
    } else {
        print(&shown(&matrix, &moments, &outcomes))?;
        if args.scenarios {
            for outcome in outcomes.iter().filter(|outcome| outcome.wrong.is_some()) {
                print(&format!("\n{}", matrix.text(&outcome.case)))?;
            }
        }
    }
    Ok(if wrong == 0 {
        Exit::Held
    } else {
        Exit::NotHeld
    })
}

fn as_json(matrix: &Matrix, outcomes: &[Outcome], wrong: usize) -> serde_json::Value {
    let told = outcomes
        .iter()
        .filter(|outcome| outcome.wrong.is_some() || !outcome.lost.is_empty());
    let told: Vec<serde_json::Value> = told
        .map(|outcome| {
            json!({
                "moment": outcome.case.moment.name(),
                "set": outcome.case.set,
                "first": outcome.case.first,
                "held": outcome.held,
                "lost": outcome.lost,
                "wrong": outcome.wrong,
            })
        })
        .collect();
    json!({
        "nodes": matrix.nodes,
        "replicas": matrix.replicas,
        "seed": matrix.seed,
        "cases": outcomes.len(),
        "wrong": wrong,
        "told": told,
    })
}

fn shown(matrix: &Matrix, moments: &[Moment], outcomes: &[Outcome]) -> String {
    let k = usize::from(matrix.replicas);
    let rows: Vec<Vec<String>> = moments
        .iter()
        .map(|&moment| row(moment, k, outcomes))
        .collect();
    let (few, all) = (format!("sets below {k}"), format!("sets of {k}"));
    let headings = [
        "",
        &few,
        "keys lost",
        &all,
        "keys they held",
        "keys lost",
        "wrong",
    ];
    let mut text = plain_table(&headings, &rows);
    let all_at_once = |outcome: &&Outcome| {
        outcome.case.moment == Moment::Idle
            && outcome.case.set.len() == k
            && !outcome.lost.is_empty()
    };
    let lines: Vec<String> = outcomes.iter().filter(all_at_once).map(line).collect();
    if !lines.is_empty() {
        text.push_str(&format!(
            "\nLost with all {k} holders at once:\n{}\n",
            lines.join("\n")
        ));
    }
    let wrong: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| {
            let why = outcome.wrong.as_ref()?;
            let first = outcome
                .case
                .first
                .map_or_else(String::new, |first| format!(", n{first} first"));
            Some(format!(
                "  {} {}{first}: {why}",
                outcome.case.moment.name(),
                named(&outcome.case.set)
            ))
        })
        .collect();
    if wrong.is_empty() {
        let cases = count(outcomes.len() as u64, "case", "cases");
        text.push_str(&format!(
            "\n{cases}: what is lost is what must be, and nothing else.\n"
        ));
    } else {
        text.push_str(&format!("\nWrong:\n{}\n", wrong.join("\n")));
    }
    text
}

fn line(outcome: &Outcome) -> String {
    format!("  {}: {}", named(&outcome.case.set), outcome.lost.join(" "))
}

fn named(set: &[u32]) -> String {
    let names: Vec<String> = set.iter().map(|node| format!("n{node}")).collect();
    names.join(" ")
}

fn row(moment: Moment, k: usize, outcomes: &[Outcome]) -> Vec<String> {
    let of_moment = || {
        outcomes
            .iter()
            .filter(move |outcome| outcome.case.moment == moment)
    };
    let few = || of_moment().filter(move |outcome| outcome.case.set.len() < k);
    let all = || of_moment().filter(move |outcome| outcome.case.set.len() == k);
    let sum = |numbers: &mut dyn Iterator<Item = usize>| grouped(numbers.sum::<usize>() as u64);
    vec![
        moment.name(),
        grouped(few().count() as u64),
        sum(&mut few().map(|outcome| outcome.lost.len())),
        grouped(all().count() as u64),
        sum(&mut all().map(|outcome| outcome.held.len())),
        sum(&mut all().map(|outcome| outcome.lost.len())),
        sum(&mut of_moment().map(|outcome| usize::from(outcome.wrong.is_some()))),
    ]
}
