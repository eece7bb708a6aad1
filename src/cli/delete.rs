//! `delete`: deletes what is stored under a key.

use cuerda::http::control::{StampText, Stored};

use super::client::Target;
use super::key::{self, FieldName, Key};
use super::output::Output;
use super::stored::Wait;
use super::{Exit, Failure};

/// Delete what is stored under a key
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 3 if nothing is there. Other fields of the key's record stay. The nodes remember a deletion for a while, so that a copy that
comes back from a long absence does not undo it.")]
pub(crate) struct Args {
    #[command(flatten)]
    key: Key,
    #[command(flatten)]
    field: FieldName,
    /// Only if what is there has this stamp
    #[arg(long, value_name = "STAMP", value_parser = key::stamp)]
    if_stamp: Option<StampText>,
    #[command(flatten)]
    wait: Wait,
    #[command(flatten)]
    target: Target,
}

/// Asks the node, which asks the key's owner.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let condition = args.if_stamp.map(|stamp| format!("if-stamp={stamp}"));
    let parameters: Vec<String> = args
        .field
        .parameter()
        .into_iter()
        .chain(condition)
        .collect();
    let path = args.key.path("records", &parameters);
    let answer = args.target.delete::<Stored>(&path)?;
    args.wait.tell(&answer, output)
}
