//! Work on disk that several processes share, or that one goes on with: a file of JSON lines, the
//! first of which says what is done, each other one what came of a part of it.
//!
//! What is done and what comes of it is for others to say; a sweep and an exploration do.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufReader, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Failure;

/// How the names of records end.
const ENDING: &str = "jsonl";

/// What is done. Two files belong together if this is the same in both.
pub(crate) trait Plan: PartialEq + Serialize + DeserializeOwned {
    /// What comes of a part.
    type Line: Serialize + DeserializeOwned;
    /// What it is called, as in `a sweep`.
    const WHAT: &'static str;
    /// The command that records it.
    const COMMAND: &'static str;

    /// What a person may have given otherwise, each with its name.
    fn given(&self) -> BTreeMap<&'static str, String>;
}

/// A record being written: under a name of its own until it is whole.
#[derive(Debug)]
pub(crate) struct Record {
    path: PathBuf,
    part: PathBuf,
    /// Locked, so that no two processes write it at once: a job engine that takes a task for dead
    /// begins another one beside it.
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
    /// If the file can't be read or written, another process is writing it, it is of something
    /// else, or it is there and not to be gone on with.
    pub(crate) fn begin<P: Plan>(
        path: &Path,
        plan: &P,
        resume: bool,
    ) -> Result<(Record, Vec<P::Line>), Failure> {
        let part = part_of(path);
        let there = [path, &part].into_iter().find(|earlier| earlier.exists());
        if let (Some(earlier), false) = (there, resume) {
            return Err(Failure::Other(format!(
                "{} is there already; go on with it by --resume, or remove it",
                earlier.display()
            )));
        }
        let mut before = earlier(path, plan)?;
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&part)
            .map_err(|error| trouble(&part, "write", &error))?;
        // On a file system without locks its user has to see to it.
        let locked = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        // Once locked, it is another one's if that has given it its name meanwhile.
        if locked || !part.exists() {
            return Err(Failure::Other(format!(
                "another process is writing {}; wait for it, or record elsewhere",
                part.display()
            )));
        }
        before.extend(earlier(&part, plan)?);
        // What was half written when the process ended is written anew.
        let mut text = line(plan)?;
        for known in &before {
            text += &line(known)?;
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()));
        written.map_err(|error| trouble(&part, "write", &error))?;
        let path = path.to_owned();
        Ok((Record { path, part, file }, before))
    }

    /// Adds what came of a part.
    pub(crate) fn add(&mut self, what: &impl Serialize) -> Result<(), Failure> {
        self.file
            .write_all(line(what)?.as_bytes())
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

/// What an earlier record holds; nothing if there is none.
fn earlier<P: Plan>(path: &Path, plan: &P) -> Result<Vec<P::Line>, Failure> {
    if path.metadata().map_or(true, |found| found.len() == 0) {
        return Ok(Vec::new());
    }
    let (known, lines) = read::<P>(path)?;
    if known != *plan {
        return Err(Failure::Other(format!(
            "{} is of another {}: {}; remove it, or write to another file",
            path.display(),
            P::COMMAND,
            difference(&known, plan)
        )));
    }
    Ok(lines)
}

fn line(value: &impl Serialize) -> Result<String, Failure> {
    let line = serde_json::to_string(value)
        .map_err(|error| Failure::Other(format!("can't write a record as JSON: {error}")))?;
    Ok(line + "\n")
}

/// A line with its end; one without was being written when its process ended, and does not count.
fn next(reader: &mut impl std::io::BufRead) -> std::io::Result<Option<String>> {
    let mut text = String::new();
    reader.read_line(&mut text)?;
    Ok(text.ends_with('\n').then_some(text))
}

/// What a record is of, whatever that is.
///
/// # Errors
/// If it can't be read, or is no record.
pub(crate) fn head(path: &Path) -> Result<serde_json::Value, Failure> {
    let file = File::open(path).map_err(|error| trouble(path, "read", &error))?;
    let first = next(&mut BufReader::new(file)).map_err(|error| trouble(path, "read", &error))?;
    let head = first.and_then(|first| serde_json::from_str(&first).ok());
    head.ok_or_else(|| {
        Failure::Other(format!(
            "{} is no record; `sweep` and `explore` write some with --record",
            path.display()
        ))
    })
}

/// Reads a record.
///
/// # Errors
/// If it can't be read, or is none of this kind.
pub(crate) fn read<P: Plan>(path: &Path) -> Result<(P, Vec<P::Line>), Failure> {
    let file = File::open(path).map_err(|error| trouble(path, "read", &error))?;
    let mut reader = BufReader::new(file);
    let mut next = || next(&mut reader).map_err(|error| trouble(path, "read", &error));
    let none = |what: &dyn std::fmt::Display| {
        Failure::Other(format!(
            "{} is no record of {}, as `{} --record` writes it: {what}",
            path.display(),
            P::WHAT,
            P::COMMAND
        ))
    };
    let first = next()?.ok_or_else(|| none(&"it is empty"))?;
    let plan: P = serde_json::from_str(&first).map_err(|error| none(&error))?;
    let mut lines = Vec::new();
    while let Some(line) = next()? {
        lines.push(serde_json::from_str(&line).map_err(|error| none(&error))?);
    }
    Ok((plan, lines))
}

/// In what two plans differ, for people.
pub(crate) fn difference<P: Plan>(one: &P, other: &P) -> String {
    let (mine, others) = (one.given(), other.given());
    let found = mine.iter().find(|(name, value)| others[**name] != **value);
    match found {
        Some((name, value)) => format!("{name} is {value} there, and {} here", others[name]),
        None => "it has other numbers".to_owned(),
    }
}

/// The record at this path. In a folder it is called after the shard, so that all tasks of a job
/// engine can be given the same arguments.
pub(crate) fn at(path: &Path, shard: &str) -> PathBuf {
    match path.is_dir() {
        true => path.join(shard).with_extension(ENDING),
        false => path.to_owned(),
    }
}

/// These records; of a folder, all that it holds, in order of their names.
///
/// # Errors
/// If a folder can't be read, or holds none.
pub(crate) fn listed(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|error| trouble(path, "read", &error))?;
        let found = entries.filter_map(Result::ok).map(|entry| entry.path());
        let is_record = |path: &PathBuf| path.extension().is_some_and(|ending| ending == ENDING);
        let mut found: Vec<PathBuf> = found.filter(is_record).collect();
        if found.is_empty() {
            return Err(Failure::Other(format!(
                "{} holds no records; they are called `….{ENDING}` once they are whole",
                path.display()
            )));
        }
        found.sort();
        all.append(&mut found);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Sums {
        first: u64,
        last: u64,
    }

    impl Plan for Sums {
        type Line = (u64, f64);
        const WHAT: &'static str = "a sum";
        const COMMAND: &'static str = "sum";

        fn given(&self) -> BTreeMap<&'static str, String> {
            BTreeMap::from([("the seeds", format!("{}..={}", self.first, self.last))])
        }
    }

    const PLAN: Sums = Sums { first: 1, last: 4 };

    /// No binary fraction.
    fn outcome(seed: u64) -> (u64, f64) {
        (seed, 0.1 + seed as f64 / 3.0)
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
        let (mut record, before) = Record::begin(&path, &PLAN, false).unwrap();
        assert_eq!(before, []);
        record.add(&outcome(2)).unwrap();
        drop(record);
        assert!(!path.exists(), "it is not whole");
        assert!(Record::begin(&path, &PLAN, false).is_err());
        // The process ended in the middle of a line.
        let part = part_of(&path);
        let mut torn = OpenOptions::new().append(true).open(&part).unwrap();
        torn.write_all(b"[3,0.").unwrap();
        let (mut record, before) = Record::begin(&path, &PLAN, true).unwrap();
        assert_eq!(before, [outcome(2)]);
        record.add(&outcome(3)).unwrap();
        record.finish().unwrap();
        let (plan, lines) = read::<Sums>(&path).unwrap();
        assert_eq!((plan, lines), (PLAN, vec![outcome(2), outcome(3)]));
        assert!(!part.exists());
        // Whoever goes on with what is whole has nothing to do.
        let (record, before) = Record::begin(&path, &PLAN, true).unwrap();
        assert_eq!(before.len(), 2);
        record.finish().unwrap();
        assert_eq!(read::<Sums>(&path).unwrap().1.len(), 2);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn another_plans_record_is_refused_and_says_what_differs() {
        let folder = folder("other");
        let path = folder.join("a.jsonl");
        Record::begin(&path, &PLAN, false)
            .unwrap()
            .0
            .finish()
            .unwrap();
        let refused = Record::begin(&path, &Sums { last: 9, ..PLAN }, true).unwrap_err();
        let refused = refused.to_string();
        assert!(
            refused.contains("the seeds is 1..=4 there, and 1..=9 here"),
            "{refused}"
        );
        std::fs::write(&path, "nothing of that kind\n").unwrap();
        let refused = read::<Sums>(&path).unwrap_err().to_string();
        assert!(refused.contains("no record of a sum"), "{refused}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn two_at_once_do_not_write_the_same_record() {
        let folder = folder("twice");
        let path = folder.join("a.jsonl");
        let (mut first, _) = Record::begin(&path, &PLAN, true).unwrap();
        first.add(&outcome(1)).unwrap();
        let refused = Record::begin(&path, &PLAN, true).unwrap_err().to_string();
        assert!(refused.contains("another process"), "{refused}");
        first.finish().unwrap();
        assert_eq!(read::<Sums>(&path).unwrap().1, [outcome(1)]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn in_a_folder_records_are_called_after_their_shards_and_found_again() {
        let folder = folder("named");
        assert!(listed(std::slice::from_ref(&folder)).is_err());
        let other = folder.join("b.jsonl");
        assert_eq!(at(&other, "2-of-3"), other);
        for shard in ["2-of-3", "0-of-3"] {
            let record = Record::begin(&at(&folder, shard), &PLAN, false).unwrap().0;
            record.finish().unwrap();
        }
        drop(Record::begin(&at(&folder, "1-of-3"), &PLAN, false).unwrap());
        let found = listed(&[other.clone(), folder.clone()]).unwrap();
        let whole = ["0-of-3", "2-of-3"].map(|shard| folder.join(format!("{shard}.jsonl")));
        assert_eq!(found, [&[other], &whole[..]].concat());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
