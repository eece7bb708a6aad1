//! `completions`: what a shell needs to complete this command line.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::output::{self, Output};
use super::{Cli, Exit, Failure};

/// Print what a shell needs to complete commands and flags
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Writes the script to stdout.
pub(crate) fn run(args: Args, _output: Output) -> Result<Exit, Failure> {
    output::print(&shown(args.shell))?;
    Ok(Exit::Done)
}

fn shown(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cuerda", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
