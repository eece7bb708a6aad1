//! Every file in `scenarios/` is a test of its own name: it must pass, and its report is a
//! snapshot, so that a change of behaviour shows in review.
//!
//! A file that says `known_to_fail` shows what is not mended yet: it must fail, by the checks that
//! it names and no other.
//!
//! All of a report but `cost` is a pure function of the scenario, the seed and the code, so the
//! snapshots hold on every machine. What is too big for every time is ignored by default
//! (`cargo test --test scenarios -- --ignored` plays it) or played with fewer nodes, as
//! `library::portion` says; the test's name tells. New snapshots: `INSTA_UPDATE=always cargo
//! test --test scenarios -- --include-ignored`.

mod library;

use std::io::Write as _;
use std::path::Path;

use cuerda_sim::report::{Report, Verdict, holds_at_any_size, judge, metrics, terminal, words};
use cuerda_sim::run;
use cuerda_sim::scenario::{Overrides, Scenario};
use library::{File, Planned, Portion, left_out, portion, scenarios, summarize_lists};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let arguments = Arguments::from_args();
    // Those in real time are tests in containers.rs.
    let simulated = |file: &File| !file.name().starts_with("containers/");
    let files = scenarios().into_iter().filter(simulated);
    let all: Vec<(File, Planned)> = files
        .map(|file| {
            let planned = planned(&file);
            (file, planned)
        })
        .collect();
    if !(arguments.list || arguments.ignored || arguments.include_ignored) {
        let plans: Vec<Planned> = all.iter().map(|(_, planned)| planned.clone()).collect();
        // With stderr gone, nobody is left to tell.
        let _ = std::io::stderr().write_all(left_out(&plans).as_bytes());
    }
    let trials = all
        .into_iter()
        .map(|(file, planned)| trial(file, planned.portion));
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn planned(file: &File) -> Planned {
    let name = file.name().to_owned();
    // A file with a mistake is a test too: one that fails, with the mistake shown.
    let Ok(scenario) = read(file, None) else {
        return Planned {
            name,
            portion: Portion::Whole,
            unjudged: Vec::new(),
        };
    };
    let portion = portion(scenario.nodes, scenario.duration.as_secs());
    let of_its_size = scenario
        .expectations
        .into_iter()
        .filter(|expectation| {
            matches!(portion, Portion::Smaller(_)) && !holds_at_any_size(expectation)
        })
        .map(|expectation| expectation.metric);
    Planned {
        name,
        portion,
        unjudged: of_its_size.collect(),
    }
}

fn trial(file: File, portion: Portion) -> Trial {
    let name = match portion {
        Portion::Whole | Portion::WhenAsked => format!("scenario::{}", file.name()),
        Portion::Smaller(nodes) => {
            let nodes = words::grouped(u64::from(nodes));
            format!("scenario::{} ({nodes} nodes)", file.name())
        }
    };
    Trial::test(name, move || test(&file, portion)).with_ignored_flag(portion == Portion::WhenAsked)
}

fn test(file: &File, portion: Portion) -> Result<(), Failed> {
    let nodes = match portion {
        Portion::Whole | Portion::WhenAsked => None,
        Portion::Smaller(nodes) => Some(nodes),
    };
    let mut scenario = read(file, nodes)?;
    if nodes.is_some() {
        scenario.expectations.retain(holds_at_any_size);
    }
    let mut report = run::play(&scenario, &mut |_| ());
    judge(&mut report, &scenario.expectations);
    if !scenario.known_to_fail.is_empty() {
        return fails_as_known(&report, &scenario.known_to_fail);
    }
    if report.verdict == Verdict::Fail {
        let program = ["cargo", "sim"].map(str::to_owned);
        let replay = terminal::replay(&program, &file.shown, scenario.seed, nodes, None);
        let run = terminal::Run {
            title: &scenario.title,
            expectations: scenario.expectations.len(),
            replay: &replay,
            colours: false,
        };
        return Err(terminal::render(&report, &run).into());
    }
    hold_against_snapshot(file, &report);
    Ok(())
}

/// A scenario that shows what is not mended yet: it fails by the checks that it names, each of
/// them, and by nothing else. It has no snapshot, because what it shows is to go away.
fn fails_as_known(report: &Report, known: &[String]) -> Result<(), Failed> {
    let broken: Vec<&String> = report.violated.keys().collect();
    let unmet: Vec<&str> = report.unmet.iter().map(|it| it.metric.as_str()).collect();
    let mut known: Vec<&String> = known.iter().collect();
    known.sort_unstable();
    if broken == known && unmet.is_empty() {
        return Ok(());
    }
    let help = match report.verdict {
        Verdict::Pass => "it passes: take `known_to_fail` out, and its report is a snapshot",
        Verdict::Fail => "say in `known_to_fail` by which checks it fails, and expect nothing else",
    };
    Err(
        format!("known to fail by {known:?}, it fails by {broken:?}, unmet {unmet:?}; {help}")
            .into(),
    )
}

fn read(file: &File, nodes: Option<u32>) -> Result<Scenario, Failed> {
    let text = std::fs::read_to_string(&file.path)?;
    let overrides = Overrides {
        nodes,
        ..Overrides::default()
    };
    Scenario::parse(&file.shown, &text, &metrics(), &overrides)
        .map_err(|diagnostic| diagnostic.to_string().into())
}

/// The snapshot of `scenarios/paper/churn-05.toml` is `snapshots/scenarios/paper/churn-05.snap`.
fn hold_against_snapshot(file: &File, report: &Report) {
    let mut json = serde_json::to_value(report).expect("a report is plain data");
    let fields = json.as_object_mut().expect("a report is an object");
    fields.shift_remove("cost").expect("a report says its cost");
    let program = fields.shift_remove("program");
    program.expect("a report says what played it");
    summarize_lists(&mut json);
    let text = serde_json::to_string_pretty(&json).expect("what was JSON is JSON");
    let place = Path::new("snapshots/scenarios").join(file.name());
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(place.parent().expect("it lies in a folder"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_input_file(&file.path);
    let name = place.file_name().expect("it has a name").to_string_lossy();
    settings.bind(|| insta::assert_snapshot!(name.as_ref(), text));
}
