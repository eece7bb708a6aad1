//! `wait`: waits until all records have their copies; or does nothing until it is told to stop, for a
//! container that only has to be there.
//!
//! Such a container is one that is entered to give commands, and a router: its kernel forwards. An engine
//! that says which address is the gateway of a network gives that address to no container, so a
//! router takes it by itself.

mod copies;
#[cfg(target_os = "linux")]
mod take;

use std::time::Duration;

use super::client::Target;
use super::config::duration;
use super::output::Output;
use super::signals::Signals;
use super::{Exit, Failure, in_runtime};

/// Wait until all records of the ring have their copies
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --copies every member of the ring is asked: it ends with 0 when the ring is ideal and as many
nodes as should hold a record do, of all records. Then any one node may be stopped. It ends with 5
if that is not so in time. It can't tell what no node has noticed yet, as that one was killed just
now. Without --copies it does nothing until it is told to stop.")]
pub(crate) struct Args {
    /// Wait until as many nodes as should hold a record do, of all records
    #[arg(long)]
    copies: bool,
    /// How long to wait for that at most
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10m",
        value_parser = duration,
        requires = "copies"
    )]
    within: Duration,
    #[command(flatten)]
    target: Target,
    /// Take this address too, on the interface that has another of its network; needs the
    /// capability `NET_ADMIN`
    #[cfg(target_os = "linux")]
    #[arg(
        long,
        value_name = "ADDRESS/LENGTH",
        hide = true,
        conflicts_with = "copies"
    )]
    take: Vec<take::Place>,
}

/// Waits.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    if args.copies {
        return copies::run(&args.target, args.within, output);
    }
    #[cfg(target_os = "linux")]
    for place in &args.take {
        take::take(*place)?;
    }
    in_runtime(async {
        Signals::listen()?.stop().await;
        Ok(Exit::Done)
    })
}
