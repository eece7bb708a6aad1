//! `trace`: what happens in a run, as digests of each simulated second or as every event of some of
//! them. It is the second process of `run --twice`, too.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use cuerda_sim::scenario::World;

use super::load::{self, Overrides};
use super::twice::{self, Digests};
use super::{Exit, Failure, print};

/// Print every event of some seconds of a run, or a digest of each second
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A scenario file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The seed of every random choice, instead of the file's
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    overrides: Overrides,
    /// Print the events from this simulated second on, and no digests
    #[arg(long, value_name = "SECOND", requires = "trace_to")]
    trace_from: Option<u64>,
    /// … and before this one
    #[arg(long, value_name = "SECOND", requires = "trace_from")]
    trace_to: Option<u64>,
}

/// Plays the scenario to its end and prints what was asked for.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let loaded = load::load(&args.file, args.seed, &args.overrides)?;
    // Its containers could be taken away by nobody.
    if loaded.scenario.world == World::Containers {
        let why = "what happens in the `containers` world can't be traced";
        return Err(Failure::Other(why.to_owned()));
    }
    loaded.ready()?;
    let Some((from, to)) = args.trace_from.zip(args.trace_to) else {
        let mut digests = Digests::default();
        let report = loaded.play_traced(&mut |_, at, line| digests.add(at, line));
        let report = twice::comparable(&report);
        print(&format!("{}{}{report}\n", digests.lines(), twice::REPORT))?;
        return Ok(Exit::Held);
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut outcome = Ok(());
    loaded.play_traced(&mut |number, at, line| {
        if (from..to).contains(&at.as_secs()) && outcome.is_ok() {
            outcome = writeln!(out, "{}", twice::event(number, at, line));
        }
    });
    // The reader leaves as soon as it has seen a difference.
    let _ = outcome.and_then(|()| out.flush());
    Ok(Exit::Held)
}
