//! `node run`: a node, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use cuerda::Hint as _;
use cuerda::host::events::{Lines, Reporter};
use cuerda::host::{Ended, LostLines};
use cuerda::http::Hosts;
use cuerda::http::control::Reload;
use cuerda::node::Input;
use serde_json::json;
use tokio::time::{error::Elapsed, timeout};

use crate::cli::client::flag;
use crate::cli::config::{self, Config, Flags, OnTerminate};
use crate::cli::events::{self, Writer};
use crate::cli::keeper::Keeper;
use crate::cli::output::{self, Output};
use crate::cli::service::{CLOSING, Places, Service};
use crate::cli::signals::{Asked, Signals};
use crate::cli::start::{Prepared, prepare};
use crate::cli::{Exit, Failure, admission, in_runtime, logging};

/// How long leaving may take beyond the time for handing over.
const LEAVING: Duration = Duration::from_secs(5);
/// How long the last peers may take to reach the disk.
const SAVING: Duration = Duration::from_millis(500);

// What is promised in the help besides the time for handing over, with a second for the machine.
const _: () = assert!(LEAVING.as_millis() + SAVING.as_millis() + CLOSING.as_millis() <= 7000);

/// Run a node until it is told to stop
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every setting can also stand in the file, or in the environment as CUERDA_ and its name; see
`cuerda config reference`. Flags win over the environment, which wins over the file. Paths are
seen from the working directory.

SIGTERM or Ctrl-C: hand records over, leave the ring and end with 0, in a few seconds as a rule and
within `hand_over_within` and 8 seconds; killed before, the node has crashed, and its disk has what
it had. A second one: end at once, with 1. SIGHUP: read keys and secrets again.")]
pub(crate) struct Args {
    /// A node to try things with: its key is thrown away, a taken port is replaced by a free
    /// one, and the file in /etc is not read
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
    let reload = admission::reload(&config);
    let Started {
        mut service,
        keeper,
        lines,
    } = tokio::select! {
        biased;
        () = signals.stop() => return Ok(Exit::Done),
        started = start(&config, Arc::clone(&reload), &lost) => started?,
    };
    let keeper = tokio::spawn(keeper.keep());
    output::print_if_possible(&shown(&service, output), &lost);
    let mut writer = Writer::start(lines)?;

    let ended = loop {
        tokio::select! {
            biased;
            asked = signals.next() => match asked {
                Asked::Stop => break None,
                Asked::Reload => read_again(&service, &reload).await,
            },
            ended = service.ended() => break Some(ended),
        }
    };
    service.stops();
    let polite = async {
        // First the peers: a node that has left knows nobody any more.
        if timeout(SAVING, keeper).await.is_err() {
            tracing::warn!("the last known peers were not saved in time");
        }
        let ended = match ended {
            Some(ended) => ended.map(Some),
            None => {
                let within = config.node.hand_over_within + LEAVING;
                let stop = stop(&mut service, config.on_terminate, within);
                let stopped = timeout(within, stop).await;
                stopped.map_or_else(
                    |Elapsed { .. }| {
                        tracing::warn!("stopped before the node had left the ring");
                        Ok(None)
                    },
                    |ended| ended.map(Some),
                )
            }
        };
        // Closing ends whoever tells events.
        tokio::join!(service.close(), writer.finish(CLOSING));
        ended
    };
    let ended = tokio::select! {
        biased;
        () = signals.stop() => Err(Failure::failed(
            "stopped at once by a second signal",
            "with one signal the node leaves the ring first",
        )),
        ended = polite => ended,
    };
    if config.events.is_some() {
        events::leave_a_full_stdout();
    }
    let ended = ended?;
    let how = match ended {
        Some(Ended::Left | Ended::LeftBehind(_)) => "left",
        Some(Ended::Stopped) => "stopped",
        Some(Ended::Twin(_)) => "twin",
        None => "killed",
    };
    tracing::info!(how, "the node has stopped");
    if output.json {
        let mut stopped = json!({ "event": "stopped", "how": how });
        if let Some(Ended::LeftBehind(records)) = ended {
            stopped["left_behind"] = records.into();
        }
        output::print_if_possible(&format!("{stopped}\n"), &lost);
    }
    if ended.is_none() {
        return Err(Failure::failed(
            "stopped before the node had left the ring",
            "its records are on its disk; raise `hand_over_within`, or look into the log for why",
        ));
    }
    if let Some(Ended::Twin(older)) = ended {
        return Err(Failure::failed(
            format!("the node at {older} has the same key, and had started before this one"),
            "if this one's data directory is a copy, remove `identity.pem` from it, and it gets a \
             key and a place of its own; if it is to replace the other, stop that one first",
        ));
    }
    if let Some(Ended::LeftBehind(records)) = ended {
        return Err(Failure::partly(
            format!("left, but others may lack {records} of its records"),
            "they are on its disk: start it again beside the others, and it brings them back",
        ));
    }
    Ok(Exit::Done)
}

/// Makes the node stop, politely.
async fn stop(
    service: &mut Service,
    on_terminate: OnTerminate,
    within: Duration,
) -> Result<Ended, Failure> {
    let handle = service.handle.with_timeout(within);
    let told = match on_terminate {
        OnTerminate::Leave => {
            tracing::info!("leaving the ring");
            handle.leave().await.map(|_| ())
        }
        OnTerminate::Pause => {
            tracing::info!("stopping without leaving the ring");
            handle.stop().await
        }
    };
    if let Err(error) = told {
        tracing::warn!("{}", error.with_hint());
    }
    service.ended().await
}

/// Where this node listens, for whoever started it.
fn shown(service: &Service, output: Output) -> String {
    let Service {
        address,
        control,
        ids,
        ..
    } = service;
    if output.json {
        let ready = json!({
            "event": "listening", "address": address, "control": control, "ids": ids,
        });
        return format!("{ready}\n");
    }
    if output.quiet {
        return String::new();
    }
    let ids: Vec<String> = ids.iter().map(|id| format!("{id:.8}")).collect();
    let target = flag(*control);
    format!(
        "node {} listens on {address} and answers commands on {control}\n\
         try `cuerda status{target}`; Ctrl-C makes it leave\n",
        ids.join(", ")
    )
}

/// A node that runs, and what belongs to it.
struct Started {
    service: Service,
    keeper: Keeper,
    /// What it tells, if it is to.
    lines: Option<Lines>,
}

async fn start(config: &Config, reload: Reload, lost: &LostLines) -> Result<Started, Failure> {
    let Prepared {
        settings,
        directory,
        peers,
    } = prepare(config, lost).await?;
    let (virtual_nodes, incarnation) = (settings.virtual_nodes, settings.incarnation);
    let places = Places {
        control: config.control,
        control_hosts: Hosts::new(&config.control_hosts),
        listen_may_move: config.listen_may_move,
        control_may_move: config.control_may_move,
    };
    let (reporter, lines) = match config.events {
        None => (Reporter::off(), None),
        Some(detail) => {
            let (reporter, lines) =
                Reporter::counting(detail, &settings.identity.public_key(), lost.clone());
            (reporter, Some(lines))
        }
    };
    let service = Service::start(settings, places, reload, reporter).await?;
    for node in 0..virtual_nodes {
        // Should there be no room, they are still among those to join.
        let _ = service.handle.order(node, Input::Remember(peers.clone()));
    }
    tracing::info!(
        address = %service.address,
        control = %service.control,
        id = %service.ids[0],
        incarnation,
        "the node listens"
    );
    let keeper = Keeper {
        handle: service.handle.clone(),
        directory,
        stopping: service.stopping(),
    };
    Ok(Started {
        service,
        keeper,
        lines,
    })
}

async fn read_again(service: &Service, reload: &Reload) {
    let admission = match reload() {
        Ok(admission) => admission,
        Err(error) => {
            tracing::error!("keys and secrets stay as they were: {error}");
            return;
        }
    };
    match service.handle.admit(admission).await {
        Ok(closed) => tracing::info!(closed, "keys and secrets were read again"),
        Err(error) => {
            let error = error.with_hint();
            tracing::error!("keys and secrets stay as they were: {error}");
        }
    }
}
