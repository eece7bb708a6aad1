//! `bootstrap run`: a bootstrap node, until it is told to stop.

use std::net::SocketAddr;

use cuerda::host::{Bootstrap, LostLines, StartError, Tcp};
use serde_json::json;

use crate::cli::config::{self, Config, Flags};
use crate::cli::output::{self, Output};
use crate::cli::signals::Signals;
use crate::cli::start::{Prepared, prepare};
use crate::cli::{Exit, Failure, in_runtime, logging};

/// Run a bootstrap node until it is told to stop
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nodes name it with --join, as they would a member. It takes no part in the ring, which goes on
without it; newcomers need it, or a member's address. The settings are those of a node; those
about the ring itself, `join`, `control` and `events` have no effect here.

SIGTERM or Ctrl-C ends it at once, with 0: nobody has to be told.")]
pub(crate) struct Args {
    /// One to try things with: its key is thrown away, a taken port is replaced by a free one,
    /// and the file in /etc is not read
    #[arg(long)]
    dev: bool,
    #[command(flatten)]
    flags: Box<Flags>,
}

/// Runs it.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let config = config::load(&args.flags, args.dev)?;
    let log = logging::start(&config, output)?;
    in_runtime(serve(config, output, log.lost_lines()))
}

async fn serve(config: Config, output: Output, lost: LostLines) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    // The data directory is this process's as long as the value lives.
    let (bootstrap, _directory) = tokio::select! {
        biased;
        () = signals.stop() => return Ok(Exit::Done),
        started = start(&config, &lost) => started?,
    };
    let address = bootstrap.address();
    tracing::info!(%address, "the bootstrap node listens");
    output::print_if_possible(&shown(address, output), &lost);
    tokio::select! {
        biased;
        () = signals.stop() => {}
        () = bootstrap.run() => {}
    }
    tracing::info!("the bootstrap node has stopped");
    if output.json {
        let stopped = json!({ "event": "stopped", "how": "stopped" });
        output::print_if_possible(&format!("{stopped}\n"), &lost);
    }
    Ok(Exit::Done)
}

async fn start(
    config: &Config,
    lost: &LostLines,
) -> Result<(Bootstrap<Tcp>, Option<cuerda::host::DataDirectory>), Failure> {
    let Prepared {
        mut settings,
        directory,
        ..
    } = prepare(config, lost).await?;
    let mut bound = Bootstrap::bind(Tcp, settings.clone()).await;
    if config.listen_may_move && matches!(bound, Err(StartError::Listen(..))) {
        settings.listen.set_port(0);
        bound = Bootstrap::bind(Tcp, settings).await;
    }
    Ok((bound.map_err(Failure::from)?, directory))
}

/// Where it listens, for whoever started it.
fn shown(address: SocketAddr, output: Output) -> String {
    if output.json {
        return format!("{}\n", json!({ "event": "listening", "address": address }));
    }
    if output.quiet {
        return String::new();
    }
    format!(
        "the bootstrap node listens on {address}\nnodes join by `cuerda node run --join {address}`\n"
    )
}
