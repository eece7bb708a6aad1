//! `mutants`: how many wrong variants of the node the scenarios notice, and drawn ones.
//!
//! This file says what can be asked for and how to get it; a build without the feature `mutants`
//! has no variants and says how to build one that has.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::load::FOLDER;
use super::seeds::Seeds;
use super::{Exit, Failure};

#[cfg(feature = "mutants")]
mod score;

/// Say which wrong variants of the node the scenarios notice
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct Args {
    /// Only these variants [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The seeds: A..B without B, or A..=B with it
    #[arg(long, value_name = "A..B", default_value = "1..6")]
    seeds: Seeds,
    /// The folder, or single files, of the scenarios
    #[arg(long, value_name = "PATH", default_value = FOLDER)]
    scenarios: Vec<PathBuf>,
    /// One seed, and as many of the smallest scenarios as take about a second together
    #[arg(long, conflicts_with = "seeds")]
    quick: bool,
    /// Also play the drawn scenarios of the seeds 1 to N, as `explore` draws them
    #[arg(long, value_name = "N", conflicts_with = "quick")]
    explore: Option<u64>,
    /// How many run at once [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print one object with every variant
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
}

/// Plays all scenarios with the unchanged node, and then with each variant.
#[cfg(feature = "mutants")]
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    score::run(args)
}

/// Says how to build it.
#[cfg(not(feature = "mutants"))]
pub(crate) fn run(_: Args) -> Result<Exit, Failure> {
    Err(Failure::Other(
        "this program was built without wrong variants of the node, which no release has; in \
         Cuerda's source, use `cargo run --release -p cuerda-sim --no-default-features \
         --features cli,mutants -- mutants`"
            .to_owned(),
    ))
}
