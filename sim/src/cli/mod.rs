//! The command line: one file per command, all of the same shape (`Args`, and `run` that takes
//! them).
//!
//! Results go to stdout and all else to stderr. Nothing here decides whether a run passed; that
//! is the report's.

mod check;
mod compare;
mod explore;
mod failing;
mod history;
mod irrevocable;
mod junit;
mod list;
mod load;
mod matrix;
mod merge;
mod mutants;
mod paper;
mod parts;
mod pool;
mod program;
mod progress;
mod record;
mod run;
mod seeds;
mod shrink;
mod sweep;
mod trace;
mod twice;
mod until;
mod whole;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use cuerda_sim::scenario::{Diagnostic, Style};
use cuerda_text::terminal::{self, tell};
use cuerda_text::words::harmless_lines;

const EXIT_CODES: &str = "\
Exit codes:
  0  every check and expectation held
  1  a check or an expectation did not hold
  2  bad usage, or a scenario with a mistake
  3  a second run of the same seed differed
  4  a sweep is incomplete";

/// A deterministic harness for Chord networks: it plays scenarios and judges them.
#[derive(Debug, Parser)]
#[command(name = "cuerda-sim", version, term_width = 80, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Check(check::Args),
    List(list::Args),
    Sweep(sweep::Args),
    Merge(merge::Args),
    Compare(compare::Args),
    Explore(explore::Args),
    Shrink(shrink::Args),
    Irrevocable(irrevocable::Args),
    Matrix(matrix::Args),
    Mutants(mutants::Args),
    Paper(paper::Args),
    Trace(trace::Args),
}

/// How a command ended, if it did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Exit {
    /// Every check and expectation held.
    Held = 0,
    /// One did not.
    NotHeld = 1,
    /// A scenario has a mistake, and others were looked at all the same.
    Mistake = 2,
    /// A second run differed.
    Differed = 3,
    /// A sweep is incomplete.
    Incomplete = 4,
}

/// Why a command could not do its work; always exit code 2.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// A mistake in a scenario, with the file, the line and what would be right.
    #[error("{0}")]
    Scenario(Diagnostic),
    /// Anything else, in a sentence.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// Tells whoever sits before the terminal.
    fn show(&self) {
        match self {
            // It says itself that it is an error.
            Failure::Scenario(diagnostic) => tell(&diagnostic.render(Style::Coloured)),
            Failure::Other(message) => tell(&format!("error: {}", harmless_lines(message))),
        }
    }
}

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    let (json, outcome) = match cli.command {
        Command::Run(args) => (args.json, run::run(args)),
        Command::Check(args) => (args.json, check::run(args)),
        Command::List(args) => (args.json, list::run(args)),
        Command::Sweep(args) => (args.json, sweep::run(args)),
        Command::Merge(args) => (args.json, merge::run(args)),
        Command::Compare(args) => (args.json, compare::run(args)),
        Command::Explore(args) => (args.json, explore::run(args)),
        Command::Shrink(args) => (args.json, shrink::run(args)),
        Command::Irrevocable(args) => (args.json, irrevocable::run(args)),
        Command::Matrix(args) => (args.json, matrix::run(args)),
        Command::Mutants(args) => (args.json, mutants::run(args)),
        Command::Paper(args) => (args.json, paper::run(args)),
        Command::Trace(args) => (false, trace::run(args)),
    };
    let exit = outcome.unwrap_or_else(|failure| {
        if json {
            let error = failure.to_string();
            // Whoever reads JSON gets an answer in JSON, also when there is none.
            let answer = serde_json::json!({ "error": error, "exit_code": Exit::Mistake as u8 });
            let _ = print(&format!("{answer}\n"));
        }
        failure.show();
        Exit::Mistake
    });
    ExitCode::from(exit as u8)
}

/// Writes to stdout. A reader that went away (`| head`) is no failure: the verdict is in the
/// exit code.
fn print(text: &str) -> Result<(), Failure> {
    terminal::print(text.as_bytes())
        .map_err(|error| Failure::Other(format!("can't write the result: {error}")))
}

/// The same with a line of JSON.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(value)
        .map_err(|error| Failure::Other(format!("can't write the result as JSON: {error}")))?;
    print(&format!("{line}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn exit_codes_are_as_documented() {
        for exit in [
            Exit::Held,
            Exit::NotHeld,
            Exit::Mistake,
            Exit::Differed,
            Exit::Incomplete,
        ] {
            assert!(
                EXIT_CODES.contains(&format!("\n  {}  ", exit as u8)),
                "{exit:?}"
            );
        }
    }
}
