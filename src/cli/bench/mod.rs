//! `bench`: loads a ring on loopback, and says what it costs.
//!
//! The ring runs in this very process, on one thread, each node with sockets and connections of
//! its own; so the CPU time of an operation is that of the client and of all nodes asked. Clients
//! are spread over the nodes, and each asks one thing after the other.
//!
//! ```text
//!   lookup.rs   what look-ups cost, and an idle ring
//!   records.rs  what writing and reading cost
//!   ring.rs     the ring, how long things took, what the process used
//!   folder.rs   where nodes keep what they sync to a disk
//! ```

mod folder;
mod lookup;
mod records;
mod ring;

use clap::Subcommand;

use super::output::Output;
use super::{Exit, Failure, in_runtime};

/// Load a ring on loopback, and say what it costs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Look up random keys
    Lookup(lookup::Load),
    /// Put values
    Put(records::Load),
    /// Put values, then get them
    Get(records::Load),
}

/// Runs it.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    in_runtime(async move {
        match args.what {
            What::Lookup(load) => lookup::run(load, output).await,
            What::Put(load) => records::run(records::Kind::Put, load, output).await,
            What::Get(load) => records::run(records::Kind::Get, load, output).await,
        }
    })
}
