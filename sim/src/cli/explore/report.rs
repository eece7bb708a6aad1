//! What an exploration has come to, on a terminal, as JSON and as files; whoever explored, and
//! whoever puts together what others did.

use std::path::Path;
use std::time::Duration;

use cuerda_core::marks::Mark;
use cuerda_sim::explore::{Feature, Findings, Group, written};
use cuerda_sim::report::words::{count, duration, grouped, harmless};
use cuerda_text::table::Columns;
use serde_json::json;

use super::super::{Exit, Failure, print, print_json};

/// Tells all but the lines of single runs, and writes the files if there is a folder for them.
pub(super) fn tell(findings: &Findings, folder: Option<&Path>, json: bool) -> Result<(), Failure> {
    let files = files(findings, folder)?;
    if json {
        tell_json(findings, &files)
    } else {
        print(&shown(findings, &files))
    }
}

/// How the command ends, if nothing is missing.
pub(super) fn exit(findings: &Findings) -> Exit {
    if findings.groups().is_empty() && findings.totals().failed == 0 {
        Exit::Held
    } else {
        Exit::NotHeld
    }
}

pub(super) fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Other(format!("can't write {}: {error}", path.display()))
}

/// A kind of failure and its file.
struct File {
    name: String,
    text: String,
    lines: usize,
}

/// The files of all kinds of failures; they are written if there is a folder for them.
fn files(findings: &Findings, folder: Option<&Path>) -> Result<Vec<File>, Failure> {
    let mut files: Vec<File> = Vec::new();
    for group in findings.groups() {
        let title = format!("{}: {}", group.check, group.cause());
        let comment = vec![harmless(&group.shrunk.failure.detail)];
        let text = written(&group.shrunk, &title, comment).text();
        let lines = text.lines().filter(|line| !line.starts_with('#')).count();
        let same = files
            .iter()
            .filter(|file| file.name.starts_with(&slug(&title)));
        let name = match same.count() {
            0 => format!("{}.toml", slug(&title)),
            more => format!("{}-{}.toml", slug(&title), more + 1),
        };
        if let Some(folder) = folder {
            let path = folder.join(&name);
            std::fs::write(&path, &text).map_err(|error| unwritten(&path, &error))?;
        }
        files.push(File { name, text, lines });
    }
    Ok(files)
}

/// A name for a file.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for letter in title.chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter.to_ascii_lowercase());
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(70);
    slug.trim_end_matches('-').to_owned()
}

/// How many of the features of one kind were reached.
fn reached(findings: &Findings, is: impl Fn(&Feature) -> bool) -> usize {
    findings
        .reached()
        .keys()
        .filter(|feature| is(feature))
        .count()
}

/// The rare branches that no run took.
fn never(findings: &Findings) -> Vec<&'static str> {
    let missing = |mark: &Mark| !findings.reached().contains_key(&Feature::Branch(*mark));
    let missing = Mark::ALL.into_iter().filter(missing);
    missing.map(Mark::name).collect()
}

fn shown(findings: &Findings, files: &[File]) -> String {
    let totals = findings.totals();
    let never = never(findings);
    let mut text = format!(
        "{}, {} of simulated time, {}\n",
        count(totals.runs, "run", "runs"),
        duration(Duration::from_secs(totals.simulated_s as u64)),
        count(totals.events, "event", "events"),
    );
    text += &format!(
        "reached {} of {} rare branches, {} inputs by standing and fault, {} shapes of the ring\n",
        Mark::ALL.len() - never.len(),
        Mark::ALL.len(),
        grouped(reached(findings, |it| matches!(it, Feature::Handled { .. })) as u64),
        grouped(reached(findings, |it| matches!(it, Feature::Shape(_))) as u64),
    );
    if !never.is_empty() {
        text += &format!("never reached: {}\n", never.join(", "));
    }
    if !findings.groups().is_empty() {
        let headings = ["check", "runs", "first", "lines", "what it takes"];
        let mut table = Columns::new(&headings, 0).numbers([1, 2, 3]).within(100);
        for (group, file) in findings.groups().iter().zip(files) {
            table.row([
                group.check.clone(),
                grouped(group.runs),
                grouped(group.after_runs),
                file.lines.to_string(),
                group.cause(),
            ]);
        }
        text += &format!("\n{}\n", table.text());
    }
    let passed = totals.runs - totals.failed;
    let verdict = if totals.failed > 0 { "FAIL" } else { "PASS" };
    text += &format!(
        "\n{verdict}  {}: {} passed, {} failed, by {}\n",
        count(totals.runs, "run", "runs"),
        grouped(passed),
        grouped(totals.failed),
        count(
            findings.groups().len() as u64,
            "check and cause",
            "checks and causes"
        ),
    );
    text
}

fn tell_json(findings: &Findings, files: &[File]) -> Result<(), Failure> {
    for (group, file) in findings.groups().iter().zip(files) {
        print_json(&as_json(group, file))?;
    }
    print_json(&totals(findings))
}

/// What all runs came to.
pub(super) fn totals(findings: &Findings) -> serde_json::Value {
    let reached: Vec<String> = findings
        .reached()
        .iter()
        .map(|(feature, runs)| match feature {
            Feature::Branch(mark) => format!("{} {runs}", mark.name()),
            Feature::Handled {
                what,
                standing,
                fault,
            } => format!("{what} {standing} {fault} {runs}"),
            Feature::Shape(shape) => format!("{shape:?} {runs}"),
        })
        .collect();
    json!({
        "totals": findings.totals(),
        "never_reached": never(findings),
        "reached": reached,
    })
}

fn as_json(group: &Group, file: &File) -> serde_json::Value {
    json!({
        "check": group.check,
        "cause": group.cause(),
        "runs": group.runs,
        "seed": group.seed,
        "first_run": group.after_runs,
        "detail": group.shrunk.failure.detail,
        "file": file.name,
        "lines": file.lines,
        "scenario": file.text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain() {
        let name = slug("ring.members: join and leave + leave of all but one");
        assert_eq!(name, "ring-members-join-and-leave-leave-of-all-but-one");
        assert!(slug(&"long ".repeat(40)).len() <= 70);
    }
}
