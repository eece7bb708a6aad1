//! The project's own scenarios, as tests see them: which files there are, what each test is
//! called and how much of a scenario it plays.
//!
//! It reads and plans; it plays nothing.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// What is played every time, in nodes times simulated seconds: ten seconds of work or so (the
/// ten million of `paper/churn-40` take eight on a slow core).
pub(crate) const EVERY_TIME: u64 = 15_000_000;

/// What is played whole when asked for (`--ignored`): a minute or so.
pub(crate) const WHEN_ASKED: u64 = 100_000_000;

/// Building a ring costs about as much as so many seconds in it.
pub(crate) const SET_UP: u64 = 20;

/// A scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Seen from the project's root, with `/` on every platform, as in
    /// `scenarios/paper/churn-05.toml`.
    pub(crate) shown: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

impl File {
    /// Its name within the library, as in `paper/churn-05`.
    pub(crate) fn name(&self) -> &str {
        let name = self.shown.strip_prefix("scenarios/");
        let name = name.expect("the library is the folder scenarios/");
        name.strip_suffix(".toml")
            .expect("only .toml files are taken")
    }
}

/// How much of a scenario a test plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Portion {
    /// All of it, every time.
    Whole,
    /// All of it, when asked for.
    WhenAsked,
    /// With so many nodes instead of its own, every time. What it expects of a ring of its own
    /// size alone is not judged; all else is, by the checkers too.
    Smaller(u32),
}

/// A scenario that a test plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Its name within the library.
    pub(crate) name: String,
    pub(crate) portion: Portion,
    /// The metrics of which it expects something that is not judged.
    pub(crate) unjudged: Vec<String>,
}

/// What is not played, not whole or not judged, and why; lines to be said before all else.
pub(crate) fn left_out(plans: &[Planned]) -> String {
    let all = plans.len();
    let ignored = plans
        .iter()
        .filter(|plan| plan.portion == Portion::WhenAsked)
        .count();
    let smaller: Vec<&Planned> = plans
        .iter()
        .filter(|plan| matches!(plan.portion, Portion::Smaller(_)))
        .collect();
    let mut said = String::new();
    if ignored > 0 {
        said += &format!(
            "SKIPPED {ignored} of {all} scenarios, for they take up to a minute each; \
             `cargo test --test scenarios -- --ignored` plays them\n"
        );
    }
    if !smaller.is_empty() {
        said += &format!(
            "PLAYED SMALLER, with so many nodes as their names say: {} of {all} scenarios, for they \
             take longer still; `cargo sim run FILE` plays one whole\n",
            smaller.len()
        );
    }
    for plan in smaller.iter().filter(|plan| !plan.unjudged.is_empty()) {
        said += &format!(
            "NOT JUDGED in {}, for it holds at the scenario's own size alone: {}\n",
            plan.name,
            plan.unjudged.join(", ")
        );
    }
    said
}

/// What is played of a scenario of this size. The cost of a run goes with the nodes and with the
/// time, so their product decides, and a new scenario needs no entry anywhere.
pub(crate) fn portion(nodes: u32, seconds: u64) -> Portion {
    let seconds = seconds.saturating_add(SET_UP);
    let size = u64::from(nodes).saturating_mul(seconds);
    if size <= EVERY_TIME {
        Portion::Whole
    } else if size <= WHEN_ASKED {
        Portion::WhenAsked
    } else {
        let nodes = u32::try_from(EVERY_TIME / seconds).unwrap_or(nodes);
        Portion::Smaller(nodes.max(1))
    }
}

/// So many names of a list are kept before the rest is counted, as on a terminal.
const NAMES: usize = 8;

/// Sums up lists of more than so many texts, as of the nodes that a fault hit, so that a snapshot
/// can be read. Whoever else is in the list still shows, in the report's digest.
pub(crate) fn summarize_lists(value: &mut Value) {
    match value {
        Value::Array(items) => {
            let names: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            match names {
                Some(names) if names.len() > NAMES => {
                    let (first, count) = (names[..NAMES].join(" "), names.len());
                    *value = Value::from(format!("{first} … ({count} in all)"));
                }
                _ => items.iter_mut().for_each(summarize_lists),
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(summarize_lists),
        _ => {}
    }
}

/// The project's root.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .parent()
        .expect("the package lies in the project's root")
        .to_owned()
}

/// All files below a folder of the project, in order of their paths. Links are not followed.
pub(crate) fn files(folder: &str) -> Vec<File> {
    let mut found = Vec::new();
    let path = root().join(folder);
    let entries = std::fs::read_dir(&path)
        .unwrap_or_else(|error| panic!("can't list {}: {error}", path.display()));
    for entry in entries {
        let entry = entry.expect("a folder's entries can be read");
        let name = entry.file_name().into_string().expect("names are UTF-8");
        let shown = format!("{folder}/{name}");
        if entry.file_type().expect("a file has a type").is_dir() {
            found.extend(files(&shown));
        } else {
            found.push(File {
                shown,
                path: entry.path(),
            });
        }
    }
    found.sort_by(|one, other| one.shown.cmp(&other.shown));
    found
}

/// The scenarios.
pub(crate) fn scenarios() -> Vec<File> {
    let mut files = files("scenarios");
    files.retain(|file| file.shown.ends_with(".toml"));
    files
}
