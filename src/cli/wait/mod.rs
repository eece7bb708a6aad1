//! `wait`: does nothing until it is told to stop, for a container that only has to be there.
//!
//! Such is one that is entered to give commands, and a router: its kernel forwards. An engine
//! that says which address is the gateway of a network gives that address to no container, so a
//! router takes it by itself.

#[cfg(target_os = "linux")]
mod take;

use super::output::Output;
use super::signals::Signals;
use super::{Exit, Failure, in_runtime};

/// Do nothing until told to stop
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Take this address too, on the interface that has another of its network; needs the
    /// capability `NET_ADMIN`
    #[cfg(target_os = "linux")]
    #[arg(long, value_name = "ADDRESS/LENGTH")]
    take: Vec<take::Place>,
}

/// Waits.
pub(crate) fn run(args: Args, _output: Output) -> Result<Exit, Failure> {
    #[cfg(target_os = "linux")]
    for place in &args.take {
        take::take(*place)?;
    }
    #[cfg(not(target_os = "linux"))]
    let Args {} = args;
    in_runtime(async {
        Signals::listen()?.stop().await;
        Ok(Exit::Done)
    })
}
