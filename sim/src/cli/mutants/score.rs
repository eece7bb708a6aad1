//! Plays the variants on all cores and shows what noticed them.
//!
//! What is printed depends on the names, the seeds and the scenarios alone.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use cuerda_core::chord::Variant;
use cuerda_sim::report::words::grouped;
use cuerda_sim::run::mutants::{Score, Sound, hunt, sound};
use cuerda_sim::scenario::{Checks, Scenario, World};
use cuerda_text::suggest;
use cuerda_text::table::Columns;
use serde_json::json;

use super::super::load::{self, Overrides};
use super::super::progress::Bar;
use super::super::{Exit, Failure, pool, print, print_json};
use super::Args;

/// What one scenario may cost, in nodes times simulated seconds: more would make an hour of it.
const MOST: u64 = 1_500_000;
/// The same for a quick look, which plays nothing that takes longer than a blink.
const MOST_IF_QUICK: u64 = 8_000;
/// How many events the scenarios of a quick look have together: about a second's work.
const EVENTS_IF_QUICK: u64 = 600_000;

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let variants = named(&args.names)?;
    let most = if args.quick { MOST_IF_QUICK } else { MOST };
    let scenarios = scenarios(&args.scenarios, most)?;
    let seeds: Vec<u64> = match args.quick {
        true => vec![args.seeds.first],
        false => args.seeds.all().collect(),
    };
    let jobs = args.jobs.unwrap_or_else(pool::all_cores);
    let quiet = args.quiet || args.json;
    let never = AtomicBool::new(false);

    // What the unchanged node passes, the cheapest first.
    let pairs = scenarios.len() * seeds.len();
    let bar = Bar::new(pairs as u64, "unchanged", quiet);
    let mut passed: Vec<Vec<Sound>> = vec![Vec::new(); seeds.len()];
    let place = |number: u64| {
        let number = number as usize;
        (number / scenarios.len(), number % scenarios.len())
    };
    let unchanged = |number: u64| {
        let (seed, scenario) = place(number);
        sound(&scenarios, scenario, seeds[seed])
    };
    pool::in_order(pairs as u64, jobs, &never, unchanged, |number, found| {
        bar.step();
        passed[place(number).0].extend(found);
    });
    drop(bar);
    for passed in &mut passed {
        passed.sort_by_key(|it| (it.events, it.scenario));
        if args.quick {
            let mut events = 0;
            passed.retain(|it| {
                events += it.events;
                events <= EVENTS_IF_QUICK
            });
        }
    }
    let sound_pairs: usize = passed.iter().map(Vec::len).sum();
    if sound_pairs == 0 {
        let why = "the unchanged node passes none of these scenarios, so nothing can be told";
        return Err(Failure::Other(why.to_owned()));
    }

    let hunts = variants.len() * seeds.len();
    let bar = Bar::new(hunts as u64, "variants", quiet);
    let mut scores: Vec<Score> = variants
        .iter()
        .map(|&variant| Score {
            variant,
            catches: Vec::new(),
        })
        .collect();
    let hunted = |number: u64| {
        let (variant, seed) = (number as usize / seeds.len(), number as usize % seeds.len());
        hunt(&scenarios, &passed[seed], seeds[seed], variants[variant])
    };
    pool::in_order(hunts as u64, jobs, &never, hunted, |number, caught| {
        bar.step();
        scores[number as usize / seeds.len()].catches.push(caught);
    });
    drop(bar);

    if args.json {
        print_json(&as_json(&scores, &seeds, pairs, sound_pairs))?;
    } else {
        print(&shown(&scores, seeds.len(), pairs, sound_pairs))?;
    }
    Ok(Exit::Held)
}

fn named(names: &[String]) -> Result<Vec<Variant>, Failure> {
    if names.is_empty() {
        return Ok(Variant::ALL.to_vec());
    }
    let all: Vec<&str> = Variant::ALL.iter().map(|variant| variant.name()).collect();
    let found = names.iter().map(|name| {
        Variant::of_name(name).ok_or_else(|| {
            let near = suggest::nearest_by(name, &all, |known| String::from(**known));
            let near = near.map_or_else(
                || format!("; there are: {}", all.join(", ")),
                |near| format!("; did you mean {near}?"),
            );
            Failure::Other(format!("there is no variant {name}{near}"))
        })
    });
    found.collect()
}

/// The scenarios of these folders and files that are for the `events` world, check something, and
/// cost no more than this.
fn scenarios(paths: &[PathBuf], most: u64) -> Result<Vec<Scenario>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => files.extend(load::scenario_files(path).map_err(|error| {
                Failure::Other(format!("can't list the folder {}: {error}", path.display()))
            })?),
            false => files.push(path.clone()),
        }
    }
    let nothing = Checks {
        ring: false,
        lookups: false,
        records: false,
        protocol: false,
    };
    let mut found = Vec::new();
    for file in files {
        let scenario = load::load(&file, None, &Overrides::default())?.scenario;
        let cost = u64::from(scenario.nodes) * scenario.duration.as_secs();
        if scenario.world == World::Events && scenario.checks != nothing && cost <= most {
            found.push(scenario);
        }
    }
    if found.is_empty() {
        let why = "there are no scenarios for the `events` world here that check anything";
        return Err(Failure::Other(why.to_owned()));
    }
    Ok(found)
}

/// How many were noticed by a check, and how many only by an expectation.
fn counts(scores: &[Score]) -> (usize, usize) {
    let by = |expected: bool| {
        let such = scores
            .iter()
            .filter(|score| score.by().is_some_and(|one| one.expected == expected));
        such.count()
    };
    (by(false), by(true))
}

fn shown(scores: &[Score], seeds: usize, pairs: usize, sound_pairs: usize) -> String {
    let headings = ["variant", "noticed by", "in", "seeds", "of", "seconds"];
    let mut table = Columns::new(&headings, 0).numbers(3..6);
    for score in scores {
        let hits = score.catches.iter().flatten().count();
        let mut row = vec![score.variant.name().to_owned()];
        match score.by() {
            None => row.extend(["not caught", "", "", "", ""].map(str::to_owned)),
            Some(one) => {
                let only = if one.expected { "only " } else { "" };
                row.extend([
                    format!("{only}{}", one.by),
                    one.scenario.clone(),
                    score
                        .seeds()
                        .map_or_else(String::new, |many| many.to_string()),
                    format!("{hits}/{seeds}"),
                    score
                        .seconds()
                        .map_or_else(String::new, |time| format!("{time:.1}")),
                ]);
            }
        }
        table.row(row);
    }
    let (checked, expected) = counts(scores);
    format!(
        "{}\n{} of {} variants are noticed by a check, {expected} only by an expectation, {} by \
         nothing.\n{} of {} pairs of a scenario and a seed are passed by the unchanged node, and \
         only these count.\n",
        table.text(),
        checked,
        scores.len(),
        scores.len() - checked - expected,
        grouped(sound_pairs as u64),
        grouped(pairs as u64),
    )
}

fn as_json(scores: &[Score], seeds: &[u64], pairs: usize, sound_pairs: usize) -> serde_json::Value {
    let (checked, expected) = counts(scores);
    let variants: Vec<serde_json::Value> = scores
        .iter()
        .map(|score| {
            let by = score.by();
            json!({
                "variant": score.variant.name(),
                "does": score.variant.sentence(),
                "source": score.variant.source(),
                "caught": by.is_some(),
                "by": by.map(|one| &one.by),
                "expectation_only": by.map(|one| one.expected),
                "scenario": by.map(|one| &one.scenario),
                "seeds_to_detection": score.seeds(),
                "seconds_to_detection": score.seconds(),
                "seeds_that_caught": score.catches.iter().flatten().count(),
            })
        })
        .collect();
    json!({
        "seeds": seeds,
        "pairs": pairs,
        "sound_pairs": sound_pairs,
        "caught_by_a_check": checked,
        "caught_by_an_expectation_only": expected,
        "variants": variants,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cuerda_sim::run::mutants::Catch;

    #[test]
    fn the_table_says_what_noticed_a_variant_and_what_did_not() {
        let caught = |by: &str, expected, after_s| {
            Some(Catch {
                by: by.to_owned(),
                expected,
                scenario: "churn".to_owned(),
                after_s,
            })
        };
        let scores = [
            Score {
                variant: Variant::CandidateUnasked,
                catches: vec![caught("unasked-successor", false, 12.25), None],
            },
            Score {
                variant: Variant::ListOneShort,
                catches: vec![caught("lookups.hops.mean", true, 600.0); 2],
            },
            Score {
                variant: Variant::PastIgnored,
                catches: vec![None, None],
            },
        ];
        let text = shown(&scores, 2, 40, 38);
        let row = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            let words = line.expect("each has a row").split_whitespace();
            words.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            row("candidate-unasked"),
            "candidate-unasked unasked-successor churn 1 1/2 12.2"
        );
        assert_eq!(
            row("list-one-short"),
            "list-one-short only lookups.hops.mean churn 1 2/2 600.0"
        );
        assert_eq!(row("past-ignored"), "past-ignored not caught");
        assert!(text.contains("1 of 3 variants are noticed by a check, 1 only by an expectation"));
        assert!(text.contains("38 of 40 pairs"));
        let json = as_json(&scores, &[1, 2], 40, 38);
        assert_eq!(json["caught_by_a_check"], 1);
        assert_eq!(json["caught_by_an_expectation_only"], 1);
        assert_eq!(json["variants"][2]["caught"], false);
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_the_nearest() {
        let error = named(&["candidate-unaskd".to_owned()]).expect_err("there is none");
        assert_eq!(
            error.to_string(),
            "there is no variant candidate-unaskd; did you mean candidate-unasked?"
        );
        assert_eq!(named(&[]).expect("all").len(), Variant::ALL.len());
    }
}
