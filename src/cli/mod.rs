//! The command line: one file per command, all of the same shape (`Args`, `run` that takes
//! them, and `shown`, the result in words).
//!
//! Commands about a running node ask its control interface over HTTP; nothing here reaches into
//! a node by another way.

mod admission;
mod backup;
mod bench;
mod bootstrap;
mod client;
mod completions;
mod config;
mod delete;
mod demo;
mod events;
mod export;
mod fingers;
mod get;
mod health;
mod import;
mod keeper;
mod key;
mod keys;
mod leave;
mod logging;
mod lookup;
mod node;
mod output;
mod put;
mod reload;
mod ring;
mod service;
mod set_aside;
mod signals;
mod start;
mod status;
mod stored;
mod version;
mod wait;
mod who;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use cuerda::Hint;
use cuerda::http::Check;
pub(crate) use cuerda::http::{Code, Exit};

use config::Diagnostic;
use output::Output;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  bad usage or configuration
  3  no such key
  4  nobody reachable, or the node is no member of a ring
  5  partly done";

/// A Chord distributed hash table.
#[derive(Debug, Parser)]
#[command(name = "cuerda", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print one JSON document on stdout, for errors too
    #[arg(long, global = true)]
    json: bool,
    /// Print nothing but what was asked for; the exit code says the rest
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more; twice, still more
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    Node(node::Args),
    Put(put::Args),
    Get(get::Args),
    Delete(delete::Args),
    Status(status::Args),
    Ring(ring::Args),
    Lookup(lookup::Args),
    Who(who::Args),
    Fingers(fingers::Args),
    Keys(keys::Args),
    Export(export::Args),
    Import(import::Args),
    SetAside(set_aside::Args),
    Health(health::Args),
    Wait(wait::Args),
    Reload(reload::Args),
    Leave(leave::Args),
    Demo(demo::Args),
    Bench(bench::Args),
    Bootstrap(bootstrap::Args),
    Config(config::Args),
    Completions(completions::Args),
    Version(version::Args),
}

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    /// The name of a [`Code`], or what a node of a later release calls it.
    code: String,
    message: String,
    /// The next thing to try.
    hint: String,
    /// Mistakes in the configuration, to be shown in place of the message.
    diagnostic: Option<Box<Diagnostic>>,
    /// What a node that is not ready has checked.
    checks: Vec<Check>,
}

impl Failure {
    fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure {
            exit: code.exit(),
            code: code.name().to_owned(),
            message: message.into(),
            hint: hint.into(),
            diagnostic: None,
            checks: Vec::new(),
        }
    }

    /// A failure of this kind, from what an error says of itself.
    fn of(code: Code, error: &impl Hint) -> Failure {
        Failure::new(code, error.to_string(), error.hint().unwrap_or_default())
    }

    /// It was tried and did not work.
    fn failed(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::new(Code::Failed, message, hint)
    }

    /// It was done, but not all of it.
    fn partly(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure {
            exit: Exit::Partly,
            ..Failure::new(Code::Failed, message, hint)
        }
    }

    /// What was asked can't be done.
    fn usage(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::new(Code::Usage, message, hint)
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Failure {
        Failure {
            diagnostic: Some(Box::new(diagnostic.clone())),
            ..Failure::new(Code::Configuration, diagnostic.to_string(), "")
        }
    }
}

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
    let output = Output {
        json: cli.json,
        quiet: cli.quiet,
        verbose: cli.verbose,
    };
    let outcome = match cli.command {
        Command::Node(args) => node::run(args, output),
        Command::Put(args) => put::run(args, output),
        Command::Get(args) => get::run(args, output),
        Command::Delete(args) => delete::run(args, output),
        Command::Status(args) => status::run(args, output),
        Command::Ring(args) => ring::run(args, output),
        Command::Lookup(args) => lookup::run(args, output),
        Command::Who(args) => who::run(args, output),
        Command::Fingers(args) => fingers::run(args, output),
        Command::Keys(args) => keys::run(args, output),
        Command::Export(args) => export::run(args, output),
        Command::Import(args) => import::run(args, output),
        Command::SetAside(args) => set_aside::run(args, output),
        Command::Health(args) => health::run(args, output),
        Command::Wait(args) => wait::run(args, output),
        Command::Reload(args) => reload::run(args, output),
        Command::Leave(args) => leave::run(args, output),
        Command::Bootstrap(args) => bootstrap::run(args, output),
        Command::Demo(args) => demo::run(args, output),
        Command::Bench(args) => bench::run(args, output),
        Command::Config(args) => config::run(args, output),
        Command::Completions(args) => completions::run(args, output),
        Command::Version(args) => version::run(args, output),
    };
    let exit = outcome.unwrap_or_else(|failure| {
        output::print_failure(&failure, output);
        failure.exit
    });
    ExitCode::from(exit as u8)
}

/// Runs a node's tasks on this thread. What they leave behind is not waited for: a name that is
/// still being resolved must not hold up the end of the process.
fn in_runtime(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|error| Failure::failed(format!("can't start: {error}"), "are files left?"))?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_millis(100));
    outcome
}

/// Randomness for a host's jitter and back-off.
fn seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| {
        Failure::failed(
            format!("the system gives no randomness: {error}"),
            "try again",
        )
    })?;
    Ok(seed)
}

/// Help, or words about a command line that makes no sense.
fn not_understood(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == "--json");
    if json && error.use_stderr() {
        let message = error.kind().as_str().unwrap_or("bad usage");
        let failure = Failure::usage(message, error.to_string());
        let quiet = true;
        output::print_failure(
            &failure,
            Output {
                json,
                quiet,
                verbose: 0,
            },
        );
    }
    // With stderr gone, nobody is left to tell.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() {
        Exit::Usage
    } else {
        Exit::Done
    } as u8)
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
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::NotFound,
            Exit::Unreachable,
            Exit::Partly,
        ] {
            assert!(
                EXIT_CODES.contains(&format!("\n  {}  ", exit as u8)),
                "{exit:?}"
            );
        }
    }
}
