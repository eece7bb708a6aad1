//! `merge`: puts the parts of a sweep together that were played by several processes.
//!
//! Plays nothing: it reads what they recorded. A seed that was played twice came to the same.

use std::path::PathBuf;

use super::record::{self, difference};
use super::sweep::plan::Plan;
use super::sweep::summary::Summary;
use super::{Exit, Failure, print};

/// Put the records of a sweep's parts together
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct Args {
    /// Records, as `sweep --record` writes them, or folders of such
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Print one object with the failing seeds and each metric's distribution
    #[arg(long)]
    pub(crate) json: bool,
}

/// Reads all records and tells what they come to, as the sweep in one process would.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let files = record::listed(&args.paths)?;
    let mut whole: Option<(Plan, Summary)> = None;
    for file in &files {
        let (plan, outcomes) = record::read::<Plan>(file)?;
        let (known, summary) = whole.get_or_insert_with(|| {
            let summary = Summary::new(plan.clone(), plan.seeds().number());
            (plan.clone(), summary)
        });
        if *known != plan {
            return Err(Failure::Other(format!(
                "{} is of another sweep than {}: {}",
                file.display(),
                files[0].display(),
                difference(&plan, known)
            )));
        }
        for outcome in &outcomes {
            summary.add(outcome);
        }
    }
    let Some((_, summary)) = whole else {
        return Err(Failure::Other("there are no records to merge".to_owned()));
    };
    if !args.json {
        let lines = summary.failing().iter();
        let lines: String = lines.map(|(&seed, why)| summary.line(seed, why)).collect();
        print(&lines)?;
    }
    summary.tell(args.json)?;
    Ok(summary.exit())
}
