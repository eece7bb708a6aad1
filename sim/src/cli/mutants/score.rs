//! Plays the variants on all cores and shows what noticed them.
//!
//! What is printed depends on the names, the seeds and the scenarios alone, not on the threads.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use cuerda_core::chord::Variant;
use cuerda_sim::explore::variants::{Drawn, Notice, explore};
use cuerda_sim::report::words::grouped;
use cuerda_sim::run::mutants::{Score, Sound, hunt, median, sound};
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

    let explored = args
        .explore
        .map(|last| explored(&variants, last, jobs, quiet));
    let explored = explored.as_ref();
    if args.json {
        print_json(&as_json(&scores, &seeds, pairs, sound_pairs, explored))?;
    } else {
        print(&shown(&scores, seeds.len(), pairs, sound_pairs, explored))?;
    }
    Ok(Exit::Held)
}

/// What drawn scenarios made of the variants.
struct Explored {
    /// How many were drawn, and how many of them the unchanged node passes.
    drawn: usize,
    passed: usize,
    /// For each variant, in their order.
    notices: Vec<Vec<Notice>>,
}

/// Draws the scenarios of the seeds up to this one, plays each with the unchanged node, and then
/// with the variants.
fn explored(variants: &[Variant], last: u64, jobs: NonZeroUsize, quiet: bool) -> Explored {
    let never = AtomicBool::new(false);
    let mut drawn = Vec::new();
    let bar = Bar::new(last, "unchanged, drawn", quiet);
    pool::in_order(
        last,
        jobs,
        &never,
        |number| Drawn::of(number + 1),
        |_, one| {
            bar.step();
            drawn.push(one);
        },
    );
    drop(bar);
    let mut notices = Vec::new();
    let bar = Bar::new(variants.len() as u64, "variants, drawn", quiet);
    let with = |number: u64| explore(&drawn, variants[number as usize]);
    pool::in_order(variants.len() as u64, jobs, &never, with, |_, found| {
        bar.step();
        notices.push(found);
    });
    Explored {
        drawn: drawn.len(),
        passed: drawn.iter().filter(|one| one.passes).count(),
        notices,
    }
}

/// The check that noticed it most often; the first of equals.
fn most_often(notices: &[Notice]) -> Option<&Notice> {
    let times = |one: &Notice| notices.iter().filter(|other| other.by == one.by).count();
    notices.iter().fold(None, |best, one| match best {
        Some(best) if times(best) >= times(one) => Some(best),
        _ => Some(one),
    })
}

fn seeds_of(notices: &[Notice]) -> Option<usize> {
    median(notices.iter().map(|notice| notice.seeds).collect())
}

fn seconds_of(notices: &[Notice]) -> Option<f64> {
    let whole = notices
        .iter()
        .map(|notice| (notice.after_s * 1000.0).round() as u64);
    median(whole.collect()).map(|ms| ms as f64 / 1000.0)
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

fn shown(
    scores: &[Score],
    seeds: usize,
    pairs: usize,
    sound_pairs: usize,
    explored: Option<&Explored>,
) -> String {
    let mut headings = vec!["variant", "noticed by", "in", "seeds", "of", "seconds"];
    if explored.is_some() {
        headings.extend(["drawn: noticed by", "seeds", "seconds"]);
    }
    let mut table = Columns::new(&headings, 0).numbers((3..6).chain(7..9));
    let time = |time: Option<f64>| time.map_or_else(String::new, |time| format!("{time:.1}"));
    let count = |many: Option<usize>| many.map_or_else(String::new, |many| many.to_string());
    for (place, score) in scores.iter().enumerate() {
        let hits = score.catches.iter().flatten().count();
        let mut row = vec![score.variant.name().to_owned()];
        match score.by() {
            None => row.extend(["not noticed", "", "", "", ""].map(str::to_owned)),
            Some(one) => {
                let only = if one.expected { "only " } else { "" };
                row.extend([
                    format!("{only}{}", one.by),
                    one.scenario.clone(),
                    count(score.seeds()),
                    format!("{hits}/{seeds}"),
                    time(score.seconds()),
                ]);
            }
        }
        if let Some(explored) = explored {
            let notices = &explored.notices[place];
            let by = most_often(notices).map_or("not noticed", |one| one.by.as_str());
            row.push(by.to_owned());
            row.extend([count(seeds_of(notices)), time(seconds_of(notices))]);
        }
        table.row(row);
    }
    let (checked, expected) = counts(scores);
    let mut text = format!(
        "{}\n{} of {} variants are noticed by a check, {expected} only by an expectation, {} by \
         nothing.\n{} of {} pairs of a scenario and a seed are passed by the unchanged node, and \
         only these count.\n",
        table.text(),
        checked,
        scores.len(),
        scores.len() - checked - expected,
        grouped(sound_pairs as u64),
        grouped(pairs as u64),
    );
    if let Some(explored) = explored {
        let such = explored
            .notices
            .iter()
            .filter(|one| !one.is_empty())
            .count();
        let _ = writeln!(
            text,
            "Drawn scenarios notice {such}, or {} together with those of the files; the unchanged \
             node passes {} of {}.",
            either(scores, explored),
            explored.passed,
            explored.drawn,
        );
    }
    text
}

/// How many variants are noticed by a check, in the files or in what was drawn.
fn either(scores: &[Score], explored: &Explored) -> usize {
    let all = scores.iter().zip(&explored.notices);
    let noticed = |(score, notices): &(&Score, &Vec<Notice>)| {
        !notices.is_empty() || score.by().is_some_and(|one| !one.expected)
    };
    all.filter(noticed).count()
}

fn as_json(
    scores: &[Score],
    seeds: &[u64],
    pairs: usize,
    sound_pairs: usize,
    explored: Option<&Explored>,
) -> serde_json::Value {
    let (checked, expected) = counts(scores);
    let drawn = |place: usize| {
        let notices = &explored?.notices[place];
        let one = most_often(notices);
        Some(json!({
            "caught": one.is_some(),
            "by": one.map(|one| &one.by),
            "seed": one.map(|one| one.seed),
            "seeds_to_detection": seeds_of(notices),
            "seconds_to_detection": seconds_of(notices),
        }))
    };
    let variants: Vec<serde_json::Value> = scores
        .iter()
        .enumerate()
        .map(|(place, score)| {
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
                "explored": drawn(place),
            })
        })
        .collect();
    json!({
        "seeds": seeds,
        "pairs": pairs,
        "sound_pairs": sound_pairs,
        "caught_by_a_check": checked,
        "caught_by_an_expectation_only": expected,
        "drawn": explored.map(|it| it.drawn),
        "sound_drawn": explored.map(|it| it.passed),
        "caught_by_a_check_or_drawn": explored.map(|it| either(scores, it)),
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
        let text = shown(&scores, 2, 40, 38, None);
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
        assert_eq!(row("past-ignored"), "past-ignored not noticed");
        assert!(text.contains("1 of 3 variants are noticed by a check, 1 only by an expectation"));
        assert!(text.contains("38 of 40 pairs"));
        let json = as_json(&scores, &[1, 2], 40, 38, None);
        assert_eq!(json["variants"][0]["explored"], serde_json::Value::Null);
        assert_eq!(json["caught_by_a_check"], 1);
        assert_eq!(json["caught_by_an_expectation_only"], 1);
        assert_eq!(json["variants"][2]["caught"], false);
    }

    #[test]
    fn what_drawn_scenarios_notice_stands_beside_it() {
        let score = |variant| Score {
            variant,
            catches: vec![None],
        };
        let scores = [score(Variant::PastIgnored), score(Variant::ListOneShort)];
        let notice = |by: &str, seeds, after_s| Notice {
            by: by.to_owned(),
            seed: 7,
            seeds,
            after_s,
        };
        let often = [
            notice("lost", 9, 900.0),
            notice("unnotified", 1, 10.0),
            notice("unnotified", 2, 20.5),
        ];
        let explored = Explored {
            drawn: 20,
            passed: 18,
            notices: vec![often.to_vec(), Vec::new()],
        };
        let text = shown(&scores, 1, 4, 4, Some(&explored));
        let rows: Vec<String> = text
            .lines()
            .skip(1)
            .take(2)
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            rows,
            [
                "past-ignored not noticed unnotified 2 20.5",
                "list-one-short not noticed not noticed"
            ]
        );
        assert!(
            text.contains("Drawn scenarios notice 1, or 1 together"),
            "{text}"
        );
        let json = as_json(&scores, &[1], 4, 4, Some(&explored));
        assert_eq!(json["variants"][0]["explored"]["seeds_to_detection"], 2);
        assert_eq!(json["variants"][1]["explored"]["caught"], false);
        assert_eq!(json["caught_by_a_check_or_drawn"], 1);
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
