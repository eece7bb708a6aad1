//! `completions`: what a shell needs to complete this command line.

use clap::CommandFactory as _;
use clap_complete::Shell;
use serde_json::json;

use super::output::{self, Output};
use super::{Cli, Exit, Failure};

/// Print what a shell needs to complete commands and flags
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Writes the script to stdout.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let script = shown(args.shell);
    if output.json {
        let shell = args.shell.to_string();
        output::print_json(&json!({ "shell": shell, "script": script }))?;
    } else {
        output::print(&script)?;
    }
    Ok(Exit::Done)
}

fn shown(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cuerda", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
