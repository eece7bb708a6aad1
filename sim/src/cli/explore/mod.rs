//! `explore`: draws scenarios from seeds, plays them on all cores, and makes of each kind of
//! failure a file of a few lines.
//!
//! What is printed depends on the seeds alone, not on the number of threads, nor on how many
//! processes shared them. With `--for` it depends on how many runs there was time for, too. Costs
//! are told on stderr.
//!
//! ```text
//!   mod.rs      explores, island by island
//!   plan.rs     what is explored, and what is recorded of an island
//!   merge.rs    puts the records of several processes together
//!   report.rs   what all comes to
//! ```

pub(super) mod merge;
mod plan;
mod report;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cuerda_sim::explore::{
    BATCH, Campaign, Effort, Findings, ISLAND, Record, Task, Trial, only_events, topics,
};
use cuerda_sim::report::words::seconds;
use cuerda_sim::run::worlds;
use cuerda_sim::scenario::World;
use cuerda_text::suggest::nearest;
use cuerda_text::words::listed;

use self::plan::{Island, Plan};
use super::load::WorldName;
use super::parts::Parts;
use super::progress::Bar;
use super::seeds::Seeds;
use super::shrink::OnCores;
use super::until::{self, FirstSignal, Until};
use super::{Exit, Failure, pool, print_json, whole};

/// How many runs are spent to find out what a failure takes.
const REDUCING: Effort = Effort { seeds: 2, runs: 24 };

/// With how many seeds each step is tried when a failure is made small.
const SEEDS: u64 = 3;

/// How many runs are spent on that, unless told otherwise.
const EFFORT: u64 = 250;

/// Draw scenarios from seeds, and make of what fails a file of a few lines
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct Args {
    /// The seeds: A..B without B, or A..=B with it [default: 1..257]
    #[arg(long, value_name = "A..B", conflicts_with = "time")]
    seeds: Option<Seeds>,
    /// Go on for so long instead, such as 10m, from seed 1 on
    #[arg(long = "for", value_name = "TIME", value_parser = until::duration, conflicts_with = "record")]
    time: Option<Duration>,
    /// How many neighbouring seeds are explored together; the next ones begin anew
    #[arg(long, value_name = "N", default_value_t = ISLAND, value_parser = clap::value_parser!(u64).range(1..))]
    island: u64,
    /// The world to play in
    #[arg(long, value_name = "WORLD", default_value = "events")]
    world: WorldName,
    /// Draw only scenarios with at least one of these, separated by commas
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',', value_parser = topic)]
    about: Vec<String>,
    /// Write a scenario file for each kind of failure into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "shard")]
    out: Option<PathBuf>,
    /// How many runs to spend at most on making each failure small; 0 for none
    #[arg(long, value_name = "N", default_value_t = EFFORT, conflicts_with = "shard")]
    effort: u64,
    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    parts: Parts,
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

/// The world can be explored, and this program has it.
fn playable(world: World) -> Result<(), Failure> {
    if world == World::Containers {
        let why = "an exploration needs runs that are the same each time, and those in the \
                   `containers` world are not; leave `--world` out";
        return Err(Failure::Other(why.to_owned()));
    }
    if worlds::is_built(world) {
        Ok(())
    } else {
        Err(whole::instead(world))
    }
}

/// The world can do all that scenarios are to be about.
fn possible(world: World, about: &[String]) -> Result<(), Failure> {
    match only_events(about).next() {
        Some(what) if world != World::Events => Err(Failure::Other(format!(
            "`{what}` is for the `events` world: in the `{}` world machines keep their addresses and \
             keys; leave `--world` out, or `{what}`",
            world.name()
        ))),
        _ => Ok(()),
    }
}

/// What has been found so far, for whoever does not wait until the running ones are done.
type SoFar = Arc<Mutex<Findings>>;

fn lock(so_far: &SoFar) -> MutexGuard<'_, Findings> {
    so_far.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An exploration under way.
struct Explorer<'a> {
    args: &'a Args,
    jobs: NonZeroUsize,
    stop: &'a AtomicBool,
    begun: Instant,
    bar: Bar,
    /// What the islands that are done have come to.
    findings: Findings,
    so_far: SoFar,
}

/// Explores, or on Ctrl-C as far as it came.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let world = args.world.world();
    possible(world, &args.about)?;
    playable(world)?;
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|error| report::unwritten(folder, &error))?;
    }
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
    let plan = Plan::new(world, &args.about, seeds, args.island);
    let shard = args.parts.shard()?;
    let (mut record, before) = args.parts.begin(&plan, shard)?;
    let known = before.into_iter().map(|island| (island.number, island));
    let mut known: BTreeMap<u64, Island> = known.collect();
    let so_far = SoFar::default();
    let until = Until::watch(FirstSignal::Finishes, None, {
        let (so_far, json) = (Arc::clone(&so_far), args.json);
        move || {
            let findings = lock(&so_far).clone();
            // The process ends with what it could tell.
            let _ = match json {
                true => print_json(&report::totals(&findings)),
                false => report::tell(&findings, None, false),
            };
        }
    })?;
    let mine = (0..shard.number(plan.islands())).map(|place| shard.seed(plan.islands(), place));
    let steps = match args.time {
        Some(_) => 0,
        None => {
            let most = shard.number(plan.islands()).saturating_mul(args.island);
            most.min(seeds.number())
        }
    };
    let mut explorer = Explorer {
        args: &args,
        jobs: args.jobs.unwrap_or_else(pool::all_cores),
        stop: until.stop(),
        begun: now(),
        bar: Bar::new(steps, "explore", args.quiet || args.json),
        findings: Findings::default(),
        so_far,
    };
    let mut is_whole = true;
    for number in mine {
        is_whole = match known.remove(&number) {
            Some(island) => {
                explorer.tell(&island.runs)?;
                explorer.fuse(island.findings);
                true
            }
            None => {
                let (island, is_whole) = explorer.explore(&plan, number)?;
                if let (true, Some(record)) = (is_whole, &mut record) {
                    record.add(&island)?;
                }
                explorer.fuse(island.findings);
                is_whole
            }
        };
        if !is_whole {
            break;
        }
    }
    let Explorer {
        jobs,
        begun,
        bar,
        mut findings,
        ..
    } = explorer;
    drop(bar);
    // Of a part, whoever puts all parts together does it, once for each kind of failure.
    if args.parts.is_all() {
        let quiet = args.quiet || args.json;
        let mut player = OnCores(jobs, Some(until.stop()));
        make_small(&mut findings, args.effort, &mut player, quiet);
    }
    until.done();
    report::tell(&findings, args.out.as_deref(), args.json)?;
    super::tell(&format!(
        "{} of processor time for the runs, {} in all",
        seconds(findings.cpu_s()),
        seconds(begun.elapsed().as_secs_f64())
    ));
    if !is_whole && args.time.is_none() {
        return Ok(Exit::Incomplete);
    }
    if let Some(record) = record {
        record.finish()?;
    }
    Ok(args.parts.exit(report::exit(&findings)))
}

impl Explorer<'_> {
    /// Explores an island; of one that is not whole the beginning, if the time is up or somebody
    /// stops it.
    fn explore(&mut self, plan: &Plan, number: u64) -> Result<(Island, bool), Failure> {
        let seeds = plan.island(number);
        let mut campaign = Campaign::new(plan.subject()?, seeds.first);
        let mut runs: Vec<Record> = Vec::new();
        let mut left = seeds.number();
        while left > 0 && !self.is_over() {
            let tasks = campaign.tasks(BATCH.min(left));
            let before = runs.len();
            let done = batch(&tasks, self.jobs, self.stop, |task, trial| {
                self.bar.step();
                runs.push(campaign.take(task, trial));
            });
            left -= done;
            self.tell(&runs[before..])?;
            campaign.explain(REDUCING, &mut OnCores(self.jobs, None));
            let mut so_far = self.findings.clone();
            so_far.fuse(campaign.findings().clone());
            *lock(&self.so_far) = so_far;
        }
        let findings = campaign.findings().clone();
        let island = Island {
            number,
            runs,
            findings,
        };
        Ok((island, left == 0))
    }

    /// Whether nothing more is to be begun.
    fn is_over(&self) -> bool {
        let time = self.args.time;
        self.stop.load(Ordering::Relaxed) || time.is_some_and(|time| self.begun.elapsed() >= time)
    }

    /// Tells of single runs.
    fn tell(&self, runs: &[Record]) -> Result<(), Failure> {
        match self.args.json {
            true => runs.iter().try_for_each(print_json),
            false => Ok(()),
        }
    }

    /// Takes in what an island has come to.
    fn fuse(&mut self, island: Findings) {
        self.findings.fuse(island);
        *lock(&self.so_far) = self.findings.clone();
    }
}

/// Makes each failure small, or as small as it is when somebody stops it.
fn make_small(findings: &mut Findings, effort: u64, player: &mut OnCores<'_>, quiet: bool) {
    if effort == 0 {
        return;
    }
    let effort = Effort {
        seeds: SEEDS,
        runs: effort,
    };
    let many = findings.groups().len() as u64;
    let bar = Bar::new(many, "making small", quiet);
    findings.shrink(effort, player, || bar.step());
}

#[expect(
    clippy::disallowed_methods,
    reason = "`--for` is measured in real time"
)]
fn now() -> Instant {
    Instant::now()
}

/// Plays the runs of a batch on some cores, and takes them in in their order. Returns how many it
/// has played: not all, if somebody stops it.
fn batch(
    tasks: &[Task],
    jobs: NonZeroUsize,
    stop: &AtomicBool,
    mut take: impl FnMut(&Task, &Trial),
) -> u64 {
    let play = |place: u64| tasks[place as usize].play();
    pool::in_order(tasks.len() as u64, jobs, stop, play, |place, trial| {
        take(&tasks[place as usize], &trial);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_is_about_is_known_or_guessed() {
        assert_eq!(topic("leave"), Ok("leave".to_owned()));
        assert_eq!(topic("leav"), Err("did you mean `leave`?".to_owned()));
        assert!(topic("weather").is_err_and(|error| error.starts_with("there are ")));
    }

    #[test]
    fn a_world_is_asked_for_nothing_that_it_can_not_do() {
        let about = ["leave", "move"].map(str::to_owned);
        assert!(possible(World::Events, &about).is_ok());
        assert!(possible(World::Turmoil, &about[..1]).is_ok());
        let refused = possible(World::Turmoil, &about).map_err(|why| why.to_string());
        assert!(refused.is_err_and(|why| why.starts_with("`move` is for the `events` world")));
    }
}
