//! Whether two runs of one scenario are the same, and where they part if not.
//!
//! The two run in different processes: addresses, hash seeds and whatever else a process is
//! born with differ, and nothing of it may show. First digests of every simulated second are
//! compared, which takes little memory; only the second that differs is traced in full, in both.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cuerda_sim::report::words::{count, moment};
use cuerda_sim::report::{Report, metric_paths, value_at};
use cuerda_sim::run::Progress;
use cuerda_text::words::harmless_lines;
use serde_json::Value;

use super::Failure;
use super::load::Loaded;
use super::progress::Bar;

/// Stands before the report in what the second process prints.
pub(crate) const REPORT: &str = "report ";

/// So many events that both agree on are shown before the first that differs.
const CONTEXT: usize = 3;

/// What came of comparing two runs.
#[derive(Debug, PartialEq, serde::Serialize)]
pub(crate) struct Comparison {
    same: bool,
    /// How many events the first run had.
    events: u64,
    difference: Option<Difference>,
}

/// Where two runs part.
#[derive(Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Difference {
    /// They handled different events in a second; `first` is the first of them, if tracing that
    /// second in two more processes showed it.
    Events { second: u64, first: Option<Parting> },
    /// All events were the same, and still the reports differ.
    Report {
        metric: String,
        one: Value,
        other: Value,
    },
    /// The second process did not come to its end.
    Ended { how: String },
}

/// The first item in which two streams differ; `None` where one has ended.
#[derive(Debug, PartialEq, serde::Serialize)]
struct Parting {
    /// The last items that both had.
    before: Vec<String>,
    one: Option<String>,
    other: Option<String>,
}

/// Runs it here and in a second process, and compares.
pub(crate) fn run(loaded: &Loaded, bar: &Bar) -> Result<(Report, Comparison), Failure> {
    let mut second = spawn(loaded, &[])?;
    let mut digests = Digests::default();
    let mut events = 0;
    let report = loaded.play_traced(&mut |number, at, line| {
        digests.add(at, line);
        events += 1;
        // Formatting a bar costs more than an event; this is often enough for the eye.
        if events % 4096 == 0 {
            bar.show(&Progress {
                simulated: at,
                duration: loaded.scenario.duration,
                events: number,
                members: 0,
            });
        }
    });
    let printed: Vec<String> = lines(&mut second).collect();
    let status = second
        .wait()
        .map_err(|error| Failure::Other(format!("lost a process: {error}")))?;
    let difference = if status.success() {
        match part(&digests, &comparable(&report), &printed) {
            Some(Difference::Events { second, .. }) => {
                let first = trace(loaded, second)?;
                Some(Difference::Events { second, first })
            }
            other => other,
        }
    } else {
        Some(Difference::Ended {
            how: status.to_string(),
        })
    };
    Ok((report, Comparison::new(events, difference)))
}

/// The first difference between a run and what another one printed.
fn part(digests: &Digests, report: &str, printed: &[String]) -> Option<Difference> {
    let (others, other_report): (Vec<&String>, Vec<&String>) =
        printed.iter().partition(|line| !line.starts_with(REPORT));
    let own = digests.lines();
    if let Some(parting) = parting(own.lines(), others.iter().map(|line| line.as_str())) {
        // The earlier of the two: a second may be missing in one of them.
        let second_of = |line: &Option<String>| line.as_ref()?.split(' ').next()?.parse().ok();
        let second = [second_of(&parting.one), second_of(&parting.other)]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(0);
        return Some(Difference::Events {
            second,
            first: None,
        });
    }
    let other = other_report
        .first()
        .map_or("", |line| &line[REPORT.len()..]);
    if other == report {
        return None;
    }
    let one: Value = serde_json::from_str(report).unwrap_or_default();
    let other: Value = serde_json::from_str(other).unwrap_or_default();
    let metric = metric_paths()
        .into_iter()
        .find(|path| value_at(&one, path) != value_at(&other, path))
        .unwrap_or_else(|| "a list".to_owned());
    let at = |report| value_at(report, &metric).cloned().unwrap_or_default();
    Some(Difference::Report {
        one: at(&one),
        other: at(&other),
        metric,
    })
}

/// The first item in which two streams differ, with the last ones before it.
fn parting<'a, O, T>(
    one: impl IntoIterator<Item = O>,
    other: impl IntoIterator<Item = T>,
) -> Option<Parting>
where
    O: Into<std::borrow::Cow<'a, str>>,
    T: Into<std::borrow::Cow<'a, str>>,
{
    let mut one = one.into_iter().map(Into::into);
    let mut other = other.into_iter().map(Into::into);
    let mut before = VecDeque::new();
    loop {
        match (one.next(), other.next()) {
            (None, None) => return None,
            (Some(item), Some(same)) if item == same => {
                if before.len() == CONTEXT {
                    before.pop_front();
                }
                before.push_back(item.into_owned());
            }
            (one, other) => {
                return Some(Parting {
                    before: before.into(),
                    one: one.map(std::borrow::Cow::into_owned),
                    other: other.map(std::borrow::Cow::into_owned),
                });
            }
        }
    }
}

/// Traces one simulated second in two new processes.
fn trace(loaded: &Loaded, second: u64) -> Result<Option<Parting>, Failure> {
    let (from, to) = (second.to_string(), second.saturating_add(1).to_string());
    let window = ["--trace-from", &from, "--trace-to", &to];
    let (mut one, mut other) = (spawn(loaded, &window)?, spawn(loaded, &window)?);
    let parting = parting(lines(&mut one), lines(&mut other));
    for child in [&mut one, &mut other] {
        // Whatever they would still print no longer matters.
        let _ = child.kill();
        let _ = child.wait();
    }
    Ok(parting)
}

fn spawn(loaded: &Loaded, more: &[&str]) -> Result<Child, Failure> {
    let failure = |error| Failure::Other(format!("can't start a second process: {error}"));
    let mut command = Command::new(std::env::current_exe().map_err(failure)?);
    command
        .arg("trace")
        .args(["--seed", &loaded.scenario.seed.to_string()]);
    if let Some(nodes) = loaded.overrides.nodes {
        command.args(["--nodes", &nodes.to_string()]);
    }
    if let Some(world) = loaded.overrides.world {
        command.args(["--world", world.name()]);
    }
    command.args(more).arg("--").arg(&loaded.file);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failure)
}

/// What a process prints, line by line; ends when it does.
fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let printed = child
        .stdout
        .take()
        .expect("its output was asked for and not taken yet");
    BufReader::new(printed).lines().map_while(Result::ok)
}

/// A report without its cost, the only part that may differ. Compared as text: numbers would
/// lose their last digit on the way back.
pub(crate) fn comparable(report: &Report) -> String {
    let mut report = serde_json::to_value(report).expect("a report is plain data");
    if let Some(fields) = report.as_object_mut() {
        fields.shift_remove("cost");
    }
    report.to_string()
}

/// An event as a line.
pub(crate) fn event(number: u64, at: Duration, line: &str) -> String {
    format!("event {number} at {:.9} s: {line}", at.as_secs_f64())
}

/// A digest of the events of each simulated second in which there were any.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    seconds: Vec<(u64, u64, DefaultHasher)>,
}

impl Digests {
    /// One more event; events come in the order of time.
    pub(crate) fn add(&mut self, at: Duration, line: &str) {
        let second = at.as_secs();
        if self.seconds.last().is_none_or(|(last, ..)| *last != second) {
            // Without keys of its own: the same in every process of this program.
            self.seconds.push((second, 0, DefaultHasher::new()));
        }
        if let Some((_, events, digest)) = self.seconds.last_mut() {
            *events += 1;
            (at, line).hash(digest);
        }
    }

    /// The second, its number of events and their digest, on a line each.
    pub(crate) fn lines(&self) -> String {
        let line = |(second, events, digest): &(u64, u64, DefaultHasher)| {
            format!("{second} {events} {:016x}\n", digest.finish())
        };
        self.seconds.iter().map(line).collect()
    }
}

impl Comparison {
    fn new(events: u64, difference: Option<Difference>) -> Comparison {
        Comparison {
            same: difference.is_none(),
            events,
            difference,
        }
    }

    /// Whether the runs were the same.
    pub(crate) fn same(&self) -> bool {
        self.same
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = count(self.events, "event", "events");
        let Some(difference) = &self.difference else {
            return writeln!(f, "\nA second process agreed in all of {events}.");
        };
        writeln!(f, "\nA second run of the same seed DIFFERED.")?;
        match difference {
            Difference::Ended { how } => writeln!(f, "  The second process ended with {how}."),
            Difference::Report { metric, one, other } => {
                writeln!(f, "  All of {events} were the same, but {metric} differs:")?;
                writeln!(f, "    one    {}", harmless_lines(&one.to_string()))?;
                writeln!(f, "    other  {}", harmless_lines(&other.to_string()))
            }
            Difference::Events {
                second,
                first: None,
            } => writeln!(
                f,
                "  First in the second that begins at {}. Two more processes agreed on that \
                 second, so\n  the cause shows only sometimes.",
                moment(*second as f64)
            ),
            Difference::Events {
                second,
                first: Some(first),
            } => {
                let begins = moment(*second as f64);
                writeln!(f, "  First in the second that begins at {begins}:")?;
                for line in &first.before {
                    writeln!(f, "    both   {}", harmless_lines(line))?;
                }
                let shown = |line: &Option<String>| {
                    line.as_ref()
                        .map_or("nothing more in this second".to_owned(), |line| {
                            harmless_lines(line)
                        })
                };
                writeln!(f, "    one    {}", shown(&first.one))?;
                writeln!(f, "    other  {}", shown(&first.other))
            }
        }
    }
}

#[cfg(test)]
mod tests;
