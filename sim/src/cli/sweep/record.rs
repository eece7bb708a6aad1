//! A sweep on disk: a file of JSON lines, the first of which says what is played, each other one
//! what became of a seed. Parts of a sweep that were played elsewhere come together by such files,
//! and a sweep that was stopped goes on from one.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use cuerda_core::ring::Id;
use cuerda_sim::report::metric_paths;
use serde::{Deserialize, Serialize};

use super::super::Failure;
use super::super::load::Loaded;
use super::outcome::Outcome;
use super::seeds::Seeds;

/// What is played. Two files belong together if this is the same in both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) scenario: String,
    /// The file as it was given, and what the command line overrode.
    pub(crate) file: String,
    pub(crate) nodes: u32,
    pub(crate) override_nodes: Option<u32>,
    pub(crate) override_world: Option<String>,
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// A hash of the scenario's text.
    pub(crate) text: String,
    /// Of this program: another one may play otherwise.
    pub(crate) version: String,
    /// What the numbers of each line are.
    metrics: Vec<String>,
}

impl Plan {
    pub(crate) fn new(loaded: &Loaded, seeds: Seeds) -> Plan {
        Plan {
            scenario: loaded.scenario.name.clone(),
            file: loaded.file.to_string_lossy().into_owned(),
            nodes: loaded.scenario.nodes,
            override_nodes: loaded.overrides.nodes,
            override_world: loaded.overrides.world.map(|world| world.name().to_owned()),
            first: seeds.first,
            last: seeds.last,
            text: Id::of_key(loaded.text.as_bytes()).to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            metrics: metric_paths(),
        }
    }

    pub(crate) const fn seeds(&self) -> Seeds {
        Seeds {
            first: self.first,
            last: self.last,
        }
    }
}

/// A record being written: under a name of its own until it is whole.
#[derive(Debug)]
pub(crate) struct Record {
    path: PathBuf,
    part: PathBuf,
    file: File,
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn trouble(path: &Path, what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Other(format!("can't {what} {}: {error}", path.display()))
}

impl Record {
    /// Begins a record. With `resume` what is in an earlier one is taken over, and returned.
    ///
    /// # Errors
    /// If the file can't be read or written, is of another sweep, or is there and not to be gone
    /// on with.
    pub(crate) fn begin(
        path: &Path,
        plan: &Plan,
        resume: bool,
    ) -> Result<(Record, Vec<Outcome>), Failure> {
        let part = part_of(path);
        let mut before = Vec::new();
        for earlier in [path, &part] {
            if !earlier.exists() {
                continue;
            }
            if !resume {
                return Err(Failure::Other(format!(
                    "{} is there already; go on with it by --resume, or remove it",
                    earlier.display()
                )));
            }
            let (known, outcomes) = read(earlier)?;
            if known != *plan {
                return Err(Failure::Other(format!(
                    "{} is of another sweep: {}; remove it, or write to another file",
                    earlier.display(),
                    difference(&known, plan)
                )));
            }
            before.extend(outcomes);
        }
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&part)
            .map_err(|error| trouble(&part, "write", &error))?;
        // What was half written when the process ended is written anew.
        let mut text = line(plan)?;
        for outcome in &before {
            text += &line(outcome)?;
        }
        file.write_all(text.as_bytes())
            .map_err(|error| trouble(&part, "write", &error))?;
        let path = path.to_owned();
        Ok((Record { path, part, file }, before))
    }

    /// Adds a seed's outcome.
    pub(crate) fn add(&mut self, outcome: &Outcome) -> Result<(), Failure> {
        self.file
            .write_all(line(outcome)?.as_bytes())
            .map_err(|error| trouble(&self.part, "write", &error))
    }

    /// It is whole: it gets its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        self.file
            .sync_all()
            .and_then(|()| std::fs::rename(&self.part, &self.path))
            .map_err(|error| trouble(&self.path, "write", &error))
    }
}

fn line(value: &impl Serialize) -> Result<String, Failure> {
    let line = serde_json::to_string(value)
        .map_err(|error| Failure::Other(format!("can't write an outcome as JSON: {error}")))?;
    Ok(line + "\n")
}

/// Reads a record. A last line without an end was being written when its process ended, and does
/// not count.
///
/// # Errors
/// If it can't be read, or is none.
pub(crate) fn read(path: &Path) -> Result<(Plan, Vec<Outcome>), Failure> {
    let file = File::open(path).map_err(|error| trouble(path, "read", &error))?;
    let mut reader = BufReader::new(file);
    let mut text = String::new();
    let mut next = || {
        text.clear();
        let read = reader.read_line(&mut text);
        read.map_err(|error| trouble(path, "read", &error))
            .map(|_| text.ends_with('\n').then(|| text.clone()))
    };
    let none = |what: &dyn std::fmt::Display| {
        Failure::Other(format!(
            "{} is no record of a sweep, as `sweep --record` writes it: {what}",
            path.display()
        ))
    };
    let first = next()?.ok_or_else(|| none(&"it is empty"))?;
    let plan: Plan = serde_json::from_str(&first).map_err(|error| none(&error))?;
    let mut outcomes = Vec::new();
    while let Some(line) = next()? {
        let outcome: Outcome = serde_json::from_str(&line).map_err(|error| none(&error))?;
        outcomes.push(outcome);
    }
    Ok((plan, outcomes))
}

/// In what two plans differ, for people.
pub(crate) fn difference(one: &Plan, other: &Plan) -> String {
    let fields = |plan: &Plan| -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("the scenario", plan.scenario.clone()),
            ("the file", plan.file.clone()),
            ("the number of nodes", plan.nodes.to_string()),
            ("--nodes", format!("{:?}", plan.override_nodes)),
            ("--world", format!("{:?}", plan.override_world)),
            ("the seeds", format!("{}..={}", plan.first, plan.last)),
            ("what the file says", plan.text.clone()),
            ("the program's version", plan.version.clone()),
        ])
    };
    let (mine, others) = (fields(one), fields(other));
    let found = mine.iter().find(|(name, value)| others[**name] != **value);
    match found {
        Some((name, value)) => format!("{name} is {value} there, and {} here", others[name]),
        None => "it has other numbers".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            scenario: "churn".to_owned(),
            file: "churn.toml".to_owned(),
            nodes: 9,
            override_nodes: None,
            override_world: None,
            first: 1,
            last: 4,
            text: "0".to_owned(),
            version: "1".to_owned(),
            metrics: vec!["seed".to_owned()],
        }
    }

    fn outcome(seed: u64) -> Outcome {
        Outcome {
            seed,
            // No binary fraction.
            values: Some(vec![Some(0.1 + seed as f64 / 3.0), None]),
            failed: None,
        }
    }

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("cuerda-record-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_gone_on_with() {
        let folder = folder("whole");
        let path = folder.join("a.jsonl");
        let (mut record, before) = Record::begin(&path, &plan(), false).unwrap();
        assert_eq!(before, []);
        record.add(&outcome(2)).unwrap();
        drop(record);
        assert!(!path.exists(), "it is not whole");
        assert!(Record::begin(&path, &plan(), false).is_err());
        // The process ended in the middle of a line.
        let part = part_of(&path);
        let mut torn = OpenOptions::new().append(true).open(&part).unwrap();
        torn.write_all(b"{\"seed\":3,\"val").unwrap();
        let (mut record, before) = Record::begin(&path, &plan(), true).unwrap();
        assert_eq!(before, [outcome(2)]);
        record.add(&outcome(3)).unwrap();
        record.finish().unwrap();
        assert_eq!(read(&path).unwrap(), (plan(), vec![outcome(2), outcome(3)]));
        assert!(!part.exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn another_sweeps_record_is_refused_and_says_what_differs() {
        let folder = folder("other");
        let path = folder.join("a.jsonl");
        Record::begin(&path, &plan(), false)
            .unwrap()
            .0
            .finish()
            .unwrap();
        let other = Plan { last: 9, ..plan() };
        let refused = Record::begin(&path, &other, true).unwrap_err().to_string();
        assert!(
            refused.contains("the seeds is 1..=4 there, and 1..=9 here"),
            "{refused}"
        );
        std::fs::write(&path, "nothing of that kind\n").unwrap();
        assert!(
            read(&path)
                .unwrap_err()
                .to_string()
                .contains("no record of a sweep")
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
