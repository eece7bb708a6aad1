//! Playing what pages show of the harness: scenarios, and commands with what they print.

use std::path::Path;
use std::process::Command;

use cuerda_sim::report::{Verdict, judge, metrics};
use cuerda_sim::run::play;
use cuerda_sim::scenario::{Overrides, Scenario};

use super::markdown::{Block, Kind, Page, Step, page, pages, root, simple_commands};

/// Runs the harness as a reader would, in this folder; its exit code and what it said.
pub(crate) fn harness(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cuerda-sim"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("the harness runs");
    let text = [&*output.stdout, &*output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// Without the lines that say what a run cost, which no two have in common, and what played it.
fn without_cost(text: &str) -> String {
    let lines = text.trim_end().lines();
    let lines = lines.filter(|line| {
        !["  cost", "  program"]
            .iter()
            .any(|begins| line.starts_with(begins))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Plays a command of a page whose output is shown. Its file may be a scenario of the page.
fn compare(page: &Page, step: &Step, shown: &str) {
    let place = format!("{}:{}", page.shown, step.line);
    let [command] = &simple_commands(&step.command)[..] else {
        panic!("{place}: one command has one output");
    };
    let arguments: Vec<&str> = command[2..].iter().map(String::as_str).collect();
    let file = arguments.iter().find(|word| word.ends_with(".toml"));
    let is_own = file.is_some_and(|file| !root().join(file).exists());
    let said = if is_own {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(place.replace('/', "-"));
        std::fs::create_dir_all(&folder).expect("the folder is the tests'");
        let name = file.expect("a file is there that is the page's own");
        let text = with_the_slip(own_scenario(page, step.line), shown);
        std::fs::write(folder.join(name), text).expect("the folder is the tests'");
        harness(&folder, &arguments).1
    } else {
        harness(&root(), &arguments).1
    };
    assert_eq!(without_cost(&said), without_cost(shown), "{place}");
}

/// The scenario that stands above a line of a page.
fn own_scenario(page: &Page, line: usize) -> &str {
    let above = |block: &&Block| block.line < line && block.kind() == Ok(Kind::Scenario);
    let block = page.blocks.iter().rfind(above);
    &block
        .expect("a page that names a file of its own shows it")
        .text
}

/// A scenario with the mistake that an answer is about.
fn with_the_slip(scenario: &str, answer: &str) -> String {
    let after = |words: &str| {
        let (_, rest) = answer.split_once(words)?;
        rest.split('`').next()
    };
    match (after("unknown key `"), after("did you mean `")) {
        (Some(slip), Some(meant)) => scenario.replace(meant, slip) + "\n",
        _ => scenario.to_owned() + "\n",
    }
}

#[test]
fn what_the_harness_prints_is_what_pages_show() {
    let mut compared = 0;
    for page in pages() {
        for (_, steps) in page.steps() {
            for step in steps {
                if let Some(shown) = step
                    .prints
                    .as_ref()
                    .filter(|_| step.command.starts_with("cargo sim "))
                {
                    compare(&page, &step, shown);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared >= 2, "a report and the answer to a slip are shown");
}

#[test]
fn the_readme_begins_with_two_commands_and_their_output() {
    let page = page("README.md");
    let steps = page.steps();
    let commands: Vec<&str> = steps
        .iter()
        .map(|(_, steps)| steps[0].command.as_str())
        .collect();
    assert_eq!(
        commands[..2],
        ["cargo sim run scenarios/churn.toml", "cargo test"]
    );
    assert!(steps[0].1[0].prints.is_some(), "a report is shown");
    let lines = page.text.lines().count();
    assert!(lines < 200, "a tour, not a manual: {lines} lines");
}

#[test]
fn scenarios_that_pages_show_pass() {
    let mut shown = 0;
    for page in pages() {
        for block in &page.blocks {
            if block.kind() != Ok(Kind::Scenario) {
                continue;
            }
            let place = format!("{}:{}", page.shown, block.line);
            let parsed = Scenario::parse(&place, &block.text, &metrics(), &Overrides::default());
            let scenario = parsed.unwrap_or_else(|wrong| panic!("{wrong}"));
            let mut report = play(&scenario, &mut |_| ());
            judge(&mut report, &scenario.expectations);
            assert_eq!(report.verdict, Verdict::Pass, "{place}: {report:#?}");
            let hit = |fault: &cuerda_sim::report::FaultFired| !fault.nodes.concat().is_empty();
            assert!(
                report.faults.iter().all(hit),
                "{place}: a fault hits nobody"
            );
            shown += 1;
        }
    }
    assert!(shown > 0, "the README shows one");
}
