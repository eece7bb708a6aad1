//! `merge`: puts the parts of a sweep or an exploration together that several processes did.
//!
//! It reads what they recorded. What was done twice came to the same, and counts once. Of a sweep
//! nothing is played any more; what fails in an exploration is made small here, once for all.

use std::path::PathBuf;

use super::explore::merge as exploration;
use super::record::{self, difference};
use super::sweep::plan::Plan;
use super::sweep::summary::Summary;
use super::{Exit, Failure, print};

/// Put the records of the parts of a sweep or an exploration together
#[derive(Debug, clap::Args)]
#[command(after_help = super::EXIT_CODES)]
pub(crate) struct Args {
    /// Records, as `sweep --record` and `explore --record` write them, or folders of such
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Print what `sweep --json` or `explore --json` prints
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    wanted: exploration::Wanted,
}

/// Reads all records and tells what they come to, as one process would.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let files = record::listed(&args.paths)?;
    let first = record::head(&files[0])?;
    if exploration::is_one(&first) {
        return exploration::run(&files, &args.wanted, args.json);
    }
    if let Some(option) = args.wanted.given() {
        return Err(Failure::Other(format!(
            "{} is the record of a sweep, and {option} is about explorations; leave it out",
            files[0].display()
        )));
    }
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
