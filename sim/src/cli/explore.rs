//! `explore`: draws scenarios from seeds, plays them on all cores, and makes of each kind of
//! failure a file of a few lines.
//!
//! What is printed depends on the seeds alone, not on the number of threads. With `--for` it
//! depends on how many runs there was time for, too. Costs are told on stderr.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cuerda_core::marks::Mark;
use cuerda_sim::explore::{
    BATCH, Campaign, Effort, Feature, Group, Subject, Task, Trial, topics, written,
};
use cuerda_sim::report::words::{count, duration, grouped, harmless, seconds};
use cuerda_sim::run::worlds;
use cuerda_text::suggest::nearest;
use cuerda_text::table::Columns;
use cuerda_text::words::listed;
use serde_json::json;

use super::load::WorldName;
use super::progress::Bar;
use super::seeds::Seeds;
use super::shrink::OnCores;
use super::until::{self, FirstSignal, Until};
use super::{Exit, Failure, pool, print, print_json, whole};

/// How many runs are spent to find out what a failure takes.
const REDUCING: Effort = Effort { seeds: 2, runs: 24 };

/// With how many seeds each step is tried when a failure is made small.
const SEEDS: u64 = 3;

/// Draw scenarios from seeds, and make of what fails a file of a few lines
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct Args {
    /// The seeds: A..B without B, or A..=B with it [default: 1..257]
    #[arg(long, value_name = "A..B", conflicts_with = "time")]
    seeds: Option<Seeds>,
    /// Go on for so long instead, such as 10m, from seed 1 on
    #[arg(long = "for", value_name = "TIME", value_parser = until::duration)]
    time: Option<Duration>,
    /// The world to play in
    #[arg(long, value_name = "WORLD", default_value = "events")]
    world: WorldName,
    /// Draw only scenarios with at least one of these, separated by commas
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',', value_parser = topic)]
    about: Vec<String>,
    /// Write a scenario file for each kind of failure into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How many runs to spend at most on making each failure small; 0 for none
    #[arg(long, value_name = "N", default_value_t = 250)]
    effort: u64,
    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print a line of JSON for each run and each kind of failure, and one for all
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

fn topic(text: &str) -> Result<String, String> {
    let topics = topics();
    if topics.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(match nearest(text, topics.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", listed(topics, "and")),
    })
}

/// Explores, or on Ctrl-C as far as it came.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let world = args.world.world();
    if args.world == WorldName::Containers {
        let why = "an exploration needs runs that are the same each time, and those in the \
                   `containers` world are not; leave `--world` out";
        return Err(Failure::Other(why.to_owned()));
    }
    if !worlds::is_built(world) {
        return Err(whole::instead(world));
    }
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
    }
    // What has been found so far, for whoever does not wait until the running ones are done.
    let so_far = Arc::new(Mutex::new(String::new()));
    let until = Until::watch(FirstSignal::Finishes, None, {
        let so_far = Arc::clone(&so_far);
        move || {
            let text = so_far.lock().unwrap_or_else(PoisonError::into_inner);
            // The process ends with what it could tell.
            let _ = print(&text);
        }
    })?;
    let stop = until.stop();
    let seeds = match (args.seeds, args.time) {
        (Some(seeds), _) => seeds,
        (None, Some(_)) => Seeds {
            first: 1,
            last: u64::MAX,
        },
        (None, None) => Seeds {
            first: 1,
            last: 256,
        },
    };
    let subject = Subject {
        world,
        about: args.about.clone(),
    };
    let mut campaign = Campaign::new(subject, seeds.first);
    let remember = |campaign: &Campaign| -> Result<(), Failure> {
        *so_far.lock().unwrap_or_else(PoisonError::into_inner) = match args.json {
            true => format!("{}\n", totals(campaign)),
            false => shown(campaign, &files(campaign, None)?),
        };
        Ok(())
    };
    remember(&campaign)?;
    let jobs = args.jobs.unwrap_or_else(pool::all_cores);
    let steps = if args.time.is_some() {
        0
    } else {
        seeds.number()
    };
    let bar = Bar::new(steps, "explore", args.quiet || args.json);
    let begun = now();
    let is_over = || args.time.is_some_and(|time| begun.elapsed() >= time);
    let mut left = seeds.number();
    while left > 0 && !is_over() && !stop.load(Ordering::Relaxed) {
        let tasks = campaign.tasks(BATCH.min(left));
        left -= tasks.len() as u64;
        let mut printed = Ok(());
        batch(&tasks, jobs, stop, |task, trial| {
            bar.step();
            let record = campaign.take(task, trial);
            if args.json && printed.is_ok() {
                printed = print_json(&record);
            }
        });
        printed?;
        campaign.explain(REDUCING, &mut OnCores(jobs));
        remember(&campaign)?;
    }
    drop(bar);
    if args.effort > 0 {
        let effort = Effort {
            seeds: SEEDS,
            runs: args.effort,
        };
        let many = campaign.groups().len() as u64;
        let bar = Bar::new(many, "making small", args.quiet || args.json);
        campaign.shrink(effort, &mut OnCores(jobs), || bar.step());
    }
    let files = files(&campaign, args.out.as_deref())?;
    until.done();
    if args.json {
        tell_json(&campaign, &files)?;
    } else {
        print(&shown(&campaign, &files))?;
    }
    super::tell(&format!(
        "{} of processor time for the runs, {} in all",
        seconds(campaign.cpu_s()),
        seconds(begun.elapsed().as_secs_f64())
    ));
    Ok(if left > 0 && args.time.is_none() {
        Exit::Incomplete
    } else if campaign.groups().is_empty() && campaign.totals().failed == 0 {
        Exit::Held
    } else {
        Exit::NotHeld
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "`--for` is measured in real time"
)]
fn now() -> Instant {
    Instant::now()
}

/// Plays the runs of a batch on some cores, and takes them in in their order.
fn batch(
    tasks: &[Task],
    jobs: NonZeroUsize,
    stop: &AtomicBool,
    mut take: impl FnMut(&Task, &Trial),
) {
    let play = |place: u64| tasks[place as usize].play();
    pool::in_order(tasks.len() as u64, jobs, stop, play, |place, trial| {
        if let Some(trial) = trial {
            take(&tasks[place as usize], &trial);
        }
    });
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Other(format!("can't write {}: {error}", path.display()))
}

/// A kind of failure and its file.
struct File {
    name: String,
    text: String,
    lines: usize,
}

/// The files of all kinds of failures; they are written if there is a folder for them.
fn files(campaign: &Campaign, folder: Option<&Path>) -> Result<Vec<File>, Failure> {
    let mut files: Vec<File> = Vec::new();
    for group in campaign.groups() {
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
fn reached(campaign: &Campaign, is: impl Fn(&Feature) -> bool) -> usize {
    campaign
        .reached()
        .keys()
        .filter(|feature| is(feature))
        .count()
}

/// The rare branches that no run took.
fn never(campaign: &Campaign) -> Vec<&'static str> {
    let missing = |mark: &Mark| !campaign.reached().contains_key(&Feature::Branch(*mark));
    let missing = Mark::ALL.into_iter().filter(missing);
    missing.map(Mark::name).collect()
}

fn shown(campaign: &Campaign, files: &[File]) -> String {
    let totals = campaign.totals();
    let never = never(campaign);
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
        grouped(reached(campaign, |it| matches!(it, Feature::Handled { .. })) as u64),
        grouped(reached(campaign, |it| matches!(it, Feature::Shape(_))) as u64),
    );
    if !never.is_empty() {
        text += &format!("never reached: {}\n", never.join(", "));
    }
    if !campaign.groups().is_empty() {
        let headings = ["check", "runs", "first", "lines", "what it takes"];
        let mut table = Columns::new(&headings, 0).numbers([1, 2, 3]).within(100);
        for (group, file) in campaign.groups().iter().zip(files) {
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
            campaign.groups().len() as u64,
            "check and cause",
            "checks and causes"
        ),
    );
    text
}

fn tell_json(campaign: &Campaign, files: &[File]) -> Result<(), Failure> {
    for (group, file) in campaign.groups().iter().zip(files) {
        print_json(&as_json(group, file))?;
    }
    print_json(&totals(campaign))
}

/// What all runs came to.
fn totals(campaign: &Campaign) -> serde_json::Value {
    let reached: Vec<String> = campaign
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
        "totals": campaign.totals(),
        "never_reached": never(campaign),
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

    #[test]
    fn what_it_is_about_is_known_or_guessed() {
        assert_eq!(topic("leave"), Ok("leave".to_owned()));
        assert_eq!(topic("leav"), Err("did you mean `leave`?".to_owned()));
        assert!(topic("weather").is_err_and(|error| error.starts_with("there are ")));
    }
}
