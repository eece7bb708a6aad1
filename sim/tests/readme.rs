//! The README's examples: what it shows is what comes out, and what it tells people to write
//! works.

use std::path::Path;
use std::process::Command;

use cuerda_sim::report::{Verdict, judge, metric_paths};
use cuerda_sim::run::play;
use cuerda_sim::scenario::{Overrides, Scenario};

const README: &str = include_str!("../../README.md");

/// The first block of this language that follows a text.
fn block(after: &str, language: &str) -> &'static str {
    let start = README.find(after).expect("the README has this text");
    let fence = format!("```{language}\n");
    let block = &README[start..];
    let begin = block.find(&fence).expect("a block follows") + fence.len();
    let length = block[begin..].find("\n```").expect("the block ends");
    &block[begin..begin + length]
}

/// Runs the harness as its reader would, in the project's root.
fn harness(arguments: &[String]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in it");
    let output = Command::new(env!("CARGO_BIN_EXE_cuerda-sim"))
        .args(arguments)
        .current_dir(root)
        .env("NO_COLOR", "1")
        .output()
        .expect("the harness runs");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn its_first_command_prints_what_it_shows() {
    let command = block("## Two commands", "sh");
    let words = shlex::split(command).expect("a shell reads it");
    let arguments = words
        .strip_prefix(&["cargo", "sim"].map(str::to_owned))
        .expect("it runs a scenario");
    let no_cost = |text: &str| {
        let lines = text
            .trim_end()
            .lines()
            .filter(|line| !line.starts_with("  cost"));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        no_cost(&harness(arguments)),
        no_cost(block("plays a scenario:", "text"))
    );
}

#[test]
fn its_second_command_runs_the_tests() {
    assert_eq!(block("The second passes the tests", "sh"), "cargo test");
}

#[test]
fn its_own_scenario_passes() {
    let text = block("## A scenario of your own", "toml");
    let scenario = Scenario::parse("own.toml", text, &metric_paths(), &Overrides::default())
        .expect("it parses");
    let mut report = play(&scenario, &mut |_| ());
    judge(&mut report, &scenario.expectations);
    assert_eq!(report.verdict, Verdict::Pass, "{report:#?}");
    assert_eq!(report.events.crashed, 3);
}

#[test]
fn the_answer_to_a_slip_is_the_one_shown() {
    let text =
        block("## A scenario of your own", "toml").replace("stabilize_every", "stabilise_every");
    let error = Scenario::parse("my.toml", &text, &metric_paths(), &Overrides::default())
        .expect_err("a misspelt key");
    let shown = block("A slip gets an answer", "text");
    let (command, answer) = shown.split_once('\n').expect("a command and its answer");
    assert_eq!(command, "$ cargo sim check my.toml");
    assert_eq!(error.render(false), answer);
}

#[test]
fn the_files_it_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in it");
    for link in README.split("](").skip(1) {
        let target = link.split(')').next().expect("a link ends");
        assert!(root.join(target).is_file(), "{target}");
    }
    for part in README.split("scenarios/").skip(1) {
        let name = part
            .split(|c: char| !(c.is_alphanumeric() || "-./_".contains(c)))
            .next();
        let name = name.unwrap_or_default();
        if name.ends_with(".toml") {
            assert!(root.join("scenarios").join(name).is_file(), "{name}");
        }
    }
}
