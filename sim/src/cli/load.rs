//! From a file on disk to a scenario, and from a scenario to a report: the only place where the
//! command line meets the parser and the worlds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cuerda_sim::report::{Report, judge, metrics, terminal, words};
use cuerda_sim::run::series::Interval;
use cuerda_sim::run::{self, Progress, worlds};
use cuerda_sim::scenario::{self, Effort, Scenario, World};
use cuerda_text::suggest;

use super::{Exit, Failure, program, whole};

/// Where the project keeps its scenarios, seen from its root.
pub(crate) const FOLDER: &str = "scenarios";

/// What flags may override in a scenario, apart from the seed.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Overrides {
    /// How many nodes there are at the start, instead of the file's `[ring] nodes`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) nodes: Option<u32>,
    /// The world to play it in, instead of the file's
    #[arg(long, value_name = "WORLD")]
    pub(crate) world: Option<WorldName>,
}

/// The worlds by the names that scenarios use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum WorldName {
    /// The discrete-event engine
    Events,
    /// The whole program on simulated sockets, at most 64 nodes
    Turmoil,
    /// The deployed program in Docker, in real time, at most 20 nodes
    Containers,
}

impl WorldName {
    pub(crate) fn of(world: World) -> WorldName {
        match world {
            World::Events => WorldName::Events,
            World::Turmoil => WorldName::Turmoil,
            World::Containers => WorldName::Containers,
        }
    }

    pub(crate) fn world(self) -> World {
        match self {
            WorldName::Events => World::Events,
            WorldName::Turmoil => World::Turmoil,
            WorldName::Containers => World::Containers,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.world().name()
    }
}

/// A scenario and how the user got to it.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) file: PathBuf,
    pub(crate) overrides: Overrides,
    pub(crate) scenario: Scenario,
    /// What the file says.
    pub(crate) text: Arc<str>,
}

impl Loaded {
    /// The command that runs it again exactly so.
    pub(crate) fn replay(&self, seed: u64) -> String {
        terminal::replay(
            &program::words(),
            &self.file.to_string_lossy(),
            seed,
            self.overrides.nodes,
            self.overrides.world.map(WorldName::name),
        )
    }

    /// Whether its world is at hand, before anything is played; if this program was built without
    /// it, the one with all worlds goes on instead. What it makes is taken away again if the user
    /// interrupts it.
    pub(crate) fn ready(&self) -> Result<(), Failure> {
        let world = self.scenario.world;
        if !worlds::is_built(world) {
            return Err(whole::instead(world));
        }
        worlds::ready(world).map_err(|trouble| Failure::Other(trouble.to_string()))?;
        if world != World::Containers {
            return Ok(());
        }
        let watched = ctrlc::set_handler(|| {
            if worlds::interrupt() {
                super::tell("stopping, and taking the containers away");
            } else {
                std::process::exit(i32::from(Exit::NotHeld as u8));
            }
        });
        match watched {
            // Asked for a second time, it is in place.
            Ok(()) | Err(ctrlc::Error::MultipleHandlers) => Ok(()),
            Err(error) => Err(Failure::Other(format!("can't watch for Ctrl-C: {error}"))),
        }
    }

    /// Plays it and judges it.
    pub(crate) fn play(&self, progress: &mut dyn FnMut(&Progress)) -> Report {
        let mut report = run::play(&self.scenario, progress);
        judge(&mut report, &self.scenario.expectations);
        report
    }

    /// The same, with how it went in each hundredth of its time.
    pub(crate) fn play_in_series(
        &self,
        progress: &mut dyn FnMut(&Progress),
    ) -> (Report, Vec<Interval>) {
        let (mut report, series) = run::play_in_series(&self.scenario, progress);
        judge(&mut report, &self.scenario.expectations);
        (report, series)
    }

    /// The same, telling every event: its number, when it was, and what, in one line.
    pub(crate) fn play_traced(&self, event: &mut dyn FnMut(u64, Duration, &str)) -> Report {
        let mut report = run::play_traced(&self.scenario, event);
        judge(&mut report, &self.scenario.expectations);
        report
    }
}

/// Reads and parses a file, with what flags override.
pub(crate) fn load(
    file: &Path,
    seed: Option<u64>,
    overrides: &Overrides,
) -> Result<Loaded, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?;
    let said = scenario::Overrides {
        world: overrides.world.map(WorldName::world),
        seed,
        nodes: overrides.nodes,
    };
    // Other files are named as seen from the scenario's folder.
    let beside = |other: &str| {
        let path = file.parent().unwrap_or(Path::new("")).join(other);
        std::fs::read_to_string(&path).map_err(|error| format!("can't be read: {error}"))
    };
    let shown = file.to_string_lossy();
    let scenario = Scenario::parse_with(&shown, &text, &metrics(), &said, &beside);
    let scenario = scenario.map_err(Failure::Scenario)?;
    let memory = memory().unwrap_or(u64::MAX);
    too_much(scenario.effort(), memory)
        .map_or(Ok(()), |why| Err(Failure::Other(format!("{shown}: {why}"))))?;
    Ok(Loaded {
        file: file.to_owned(),
        overrides: overrides.clone(),
        scenario,
        text: text.into(),
    })
}

/// No machine handles more events in a week, at some million a second.
const EVENTS_MAX: f64 = 1e12;

/// Why a run can't come to its end on a machine with so many bytes of memory.
fn too_much(effort: Effort, memory: u64) -> Option<String> {
    let Effort { events, bytes } = effort;
    let size = |bytes: f64| words::bytes(bytes as u64);
    if bytes > memory as f64 {
        return Some(format!(
            "this takes about {} of memory, and this machine has {}; let there be fewer nodes, as \
             with --nodes, or fewer and smaller records",
            size(bytes),
            size(memory as f64)
        ));
    }
    (events > EVENTS_MAX).then(|| {
        let days = events / 1e6 / 86_400.0;
        format!(
            "this is about {events:.0e} events, which take {days:.0} days at a million a second; let \
             it be shorter, with fewer nodes, lower rates or longer periods"
        )
    })
}

/// How much memory the machine has, where the system says so.
fn memory() -> Option<u64> {
    let said = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = said
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = total.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The scenario files in a folder and those below, in order of their paths.
pub(crate) fn scenario_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Links are not followed, so this ends.
        if entry.file_type()?.is_dir() {
            files.extend(scenario_files(&entry.path())?);
        } else if entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "toml")
        {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    let shown = file.display();
    if file.is_dir() {
        return match scenario_files(file) {
            Ok(files) if !files.is_empty() => Failure::Other(format!(
                "{shown} is a folder; it holds\n{}",
                indented(&files)
            )),
            _ => Failure::Other(format!("{shown} is a folder, without scenarios in it")),
        };
    }
    if error.kind() != std::io::ErrorKind::NotFound {
        return Failure::Other(format!("can't read {shown}: {error}"));
    }
    Failure::Other(missing(file))
}

/// What is said of a file that is not there: what it may have been meant to be, and what there is
/// where it was looked for.
fn missing(file: &Path) -> String {
    let none = format!("there is no file {}", file.display());
    let projects = Path::new(FOLDER);
    if file.starts_with(projects) && !projects.is_dir() {
        return format!(
            "{none}, and no folder {FOLDER}/ here to choose one from; run this in the project's root"
        );
    }
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let ours = scenario_files(projects).unwrap_or_default();
    let beside = beside(folder);
    let meant = nearest(file, &beside).or_else(|| nearest(file, &ours));
    let meant = meant.map_or_else(String::new, |known| {
        format!("; did you mean {}?", known.display())
    });
    // A bare name may be meant for one of the project's, a path only if it leads there.
    let is_bare = folder == Path::new(".");
    let (place, listed) = if !ours.is_empty() && (is_bare || file.starts_with(projects)) {
        (format!("{FOLDER}/"), ours)
    } else if is_bare {
        ("this folder".to_owned(), beside)
    } else if folder.is_dir() {
        (folder.display().to_string(), beside)
    } else {
        return format!("{none}, nor a folder {}{meant}", folder.display());
    };
    if listed.is_empty() {
        format!("{none}{meant}; {place} holds no scenarios")
    } else {
        format!("{none}{meant}\n{place} holds\n{}", indented(&listed))
    }
}

/// The scenario files in a folder, and not in those below: it may be anybody's, and large.
fn beside(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    // As they would be typed.
    let typed = |entry: std::fs::DirEntry| match folder == Path::new(".") {
        true => PathBuf::from(entry.file_name()),
        false => entry.path(),
    };
    let mut files: Vec<PathBuf> = entries
        .map(typed)
        .filter(|file| file.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    files
}

fn indented(files: &[PathBuf]) -> String {
    let lines: Vec<String> = files
        .iter()
        .map(|file| format!("  {}", file.display()))
        .collect();
    lines.join("\n")
}

/// The known file whose name resembles most what was asked for, if any does at all.
fn nearest<'a>(asked: &Path, known: &'a [PathBuf]) -> Option<&'a PathBuf> {
    let stem = |file: &Path| {
        let stem = file.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    suggest::nearest_by(&stem(asked), known, |file| stem(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_file_finds_the_nearest() {
        let known = [
            "scenarios/churn.toml",
            "scenarios/partition.toml",
            "scenarios/pause.toml",
        ]
        .map(PathBuf::from);
        let near =
            |asked: &str| nearest(Path::new(asked), &known).map(|file| file.display().to_string());
        assert_eq!(near("chrun.toml").as_deref(), Some("scenarios/churn.toml"));
        assert_eq!(near("churn").as_deref(), Some("scenarios/churn.toml"));
        assert_eq!(
            near("x/PARTITON.toml").as_deref(),
            Some("scenarios/partition.toml")
        );
        assert_eq!(near("benchmark.toml"), None);
        assert_eq!(near(""), None);
    }

    #[test]
    fn what_can_not_come_to_its_end_is_refused_with_an_estimate() {
        let effort = |events, bytes| Effort { events, bytes };
        let gib = |many: f64| many * 1024.0_f64.powi(3);
        let memory = gib(8.0) as u64;
        assert_eq!(too_much(effort(1e9, gib(7.0)), memory), None);
        insta::assert_snapshot!(
            too_much(effort(1e9, gib(9.0)), memory).unwrap(),
            @"this takes about 9.0 GiB of memory, and this machine has 8.0 GiB; let there be fewer nodes, as with --nodes, or fewer and smaller records"
        );
        insta::assert_snapshot!(
            too_much(effort(3e12, gib(1.0)), memory).unwrap(),
            @"this is about 3e12 events, which take 35 days at a million a second; let it be shorter, with fewer nodes, lower rates or longer periods"
        );
    }
}
