//! `reload`: makes a node read its files of keys and secrets again.

use cuerda::http::control::Reloaded;

use super::client::Target;
use super::output::{self, Output, count};
use super::{Exit, Failure};

/// Make the node read its files of keys and secrets again, as SIGHUP does
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
}

/// Tells the node.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let answer = args.target.post::<Reloaded>("/v1/reload")?;
    if output.json {
        output::print_json(&answer.document)?;
    } else if !output.quiet {
        output::print(&shown(answer.value))?;
    }
    Ok(Exit::Done)
}

fn shown(reloaded: Reloaded) -> String {
    format!(
        "keys and secrets were read again; {} closed that they do not admit\n",
        count(reloaded.closed, "connection", "connections")
    )
}
