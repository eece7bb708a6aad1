//! Commands that are only named: the program understands each of them.

use std::process::Command;

use super::markdown::{Kind, Page, pages, simple_commands};

/// Runs the program with these words and nothing else.
pub(crate) fn cuerda(words: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cuerda"));
    command.args(words).env_clear().env("COLUMNS", "100");
    command
        .output()
        .expect("the program was built for this test")
}

/// What it prints on stdout.
pub(crate) fn printed(words: &[&str]) -> String {
    String::from_utf8(cuerda(words).stdout).expect("it prints UTF-8")
}

/// What of a command goes to `cuerda`: behind its name, its place in a container or the image's.
fn arguments(command: &[String]) -> Option<&[String]> {
    match command.first().map(String::as_str) {
        Some("cuerda") => Some(&command[1..]),
        Some("docker" | "docker-compose" | "kubectl") => {
            let is_run = command.iter().any(|word| word == "run");
            let is_before = |word: &String| word == "/cuerda" || (is_run && word == "cuerda:dev");
            let place = command.iter().position(is_before)?;
            Some(&command[place + 1..])
        }
        Some("cuerda:dev") => Some(&command[1..]),
        _ => None,
    }
}

/// All commands of a page, in blocks and in sentences.
fn commands(page: &Page) -> Vec<(usize, Vec<String>)> {
    let steps = page.steps().into_iter().flat_map(|(_, steps)| steps);
    let mut lines: Vec<(usize, String)> = steps.map(|step| (step.line, step.command)).collect();
    let words = page.words.iter();
    lines.extend(words.filter(|(_, text)| text.contains("cuerda")).cloned());
    let simple = |(line, text): (usize, String)| {
        let commands = simple_commands(&text);
        commands.into_iter().map(move |command| (line, command))
    };
    lines.into_iter().flat_map(simple).collect()
}

#[test]
fn every_command_of_the_program_is_one_that_it_understands() {
    let mut understood = 0;
    for page in pages() {
        for (line, command) in commands(&page) {
            let Some(arguments) = arguments(&command) else {
                continue;
            };
            // Asked for help, it reads all that stands before, and does nothing.
            let mut words: Vec<&str> = arguments.iter().map(String::as_str).collect();
            words.push("--help");
            let output = cuerda(&words);
            let said = String::from_utf8_lossy(&output.stderr);
            let place = format!("{}:{line}", page.shown);
            assert!(output.status.success(), "{place}: {command:?}: {said}");
            understood += 1;
        }
    }
    assert!(understood > 50, "these are not all: {understood}");
}

#[test]
fn settings_that_pages_show_are_accepted() {
    let mut shown = 0;
    let folder = tempfile::tempdir().expect("a directory for tests");
    let file = folder.path().join("node.toml");
    for page in pages() {
        for block in &page.blocks {
            if block.kind() != Ok(Kind::Settings) {
                continue;
            }
            std::fs::write(&file, &block.text).expect("the file is ours");
            let name = file.to_str().expect("it is UTF-8");
            let output = cuerda(&["config", "check", name]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {said}", page.shown);
            shown += 1;
        }
    }
    assert!(shown > 0, "docs/settings.md shows a file");
}
