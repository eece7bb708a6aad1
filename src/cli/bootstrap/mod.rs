//! `bootstrap`: what is done with a bootstrap node.

mod run;

use super::output::Output;
use super::{Exit, Failure};

/// Run a bootstrap node, which knows whom newcomers can join
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Run(run::Args),
}

/// Does what the subcommand says.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    match args.command {
        Command::Run(args) => run::run(args, output),
    }
}
