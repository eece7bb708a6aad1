//! `demo`: a ring of several nodes in this process, to look around in.
//!
//! The nodes are real ones: each has its own key, its own port and its own control interface,
//! and talks to the others over TLS on loopback. Only the process is shared.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cuerda::host::events::Reporter;
use cuerda::host::{Admission, Begin, Handle, Identity, Settings, raise_descriptor_limit};
use cuerda::http::Hosts;
use cuerda::node::Config;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::client::{self, USUAL};
use super::output::{self, Output};
use super::service::{Places, Service};
use super::signals::Signals;
use super::{Code, Exit, Failure, in_runtime, seed};

/// How long the ring may take to become what it should be.
const FORMING: Duration = Duration::from_secs(30);
/// How often one looks whether it is.
const LOOKS_EVERY: Duration = Duration::from_millis(200);
/// Any free port of this machine.
const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Run a ring of several nodes in one process, to look around in
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The nodes listen on free ports of 127.0.0.1 and keep nothing on disk. The first answers commands
where these ask without --control, if that port is free. They stabilize every second, so that what
is broken is mended while one watches. Ctrl-C ends them all.")]
pub(crate) struct Args {
    /// How many nodes
    #[arg(
        long,
        value_name = "N",
        default_value_t = 8,
        value_parser = clap::value_parser!(u8).range(1..=64)
    )]
    nodes: u8,
}

/// Runs it.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    // As far as it goes: with too few the nodes say so.
    let _ = raise_descriptor_limit(cuerda::http::limits::CONNECTIONS);
    in_runtime(demo(args, output))
}

async fn demo(args: Args, output: Output) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let forming = async {
        let usual = USUAL.parse().expect("it is an address and a port");
        let mut services = vec![start(None, usual).await?];
        for _ in 1..args.nodes {
            services.push(start(Some(services[0].address), ANYWHERE).await?);
        }
        let ideal = timeout(FORMING, ideal(&services[0].handle, services.len())).await;
        Ok::<_, Failure>((services, ideal.is_ok()))
    };
    let (services, ideal) = tokio::select! {
        biased;
        () = signals.stop() => return Ok(Exit::Done),
        formed = forming => formed?,
    };
    let nodes: Vec<Node> = services.iter().map(Node::of).collect();
    if output.json {
        output::print_json(&json!({ "ideal": ideal, "nodes": nodes }))?;
    } else {
        output::print(&shown(&nodes, ideal, client::flag))?;
    }
    // A node that is told to leave ends alone; the others go on.
    let mut running = JoinSet::new();
    for mut service in services {
        running.spawn(async move {
            let ended = service.ended().await;
            service.close().await;
            ended.map(|_| ())
        });
    }
    loop {
        tokio::select! {
            biased;
            () = signals.stop() => return Ok(Exit::Done),
            ended = running.join_next() => match ended {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(failure))) => return Err(failure),
                Some(Err(error)) => {
                    let hint = "this is a bug; please report it";
                    return Err(Failure::failed(format!("a node broke: {error}"), hint));
                }
                None => return Ok(Exit::Done),
            },
        }
    }
}

/// A node that founds a ring, or joins the one at this address. It answers commands here, or at a
/// free port if that one is taken.
async fn start(first: Option<SocketAddr>, control: SocketAddr) -> Result<Service, Failure> {
    let identity = Identity::generate().map_err(|error| Failure::of(Code::Failed, &error))?;
    let config = Config {
        cluster: "demo".to_owned(),
        // With longer lists so small a ring would need no fingers, and look-ups no hops.
        successors: 3,
        stabilize_every: Duration::from_secs(1),
        fix_fingers_every: Duration::from_secs(2),
        ..Config::default()
    };
    let begin = match first {
        None => Begin::Found,
        Some(first) => Begin::Join(vec![first.to_string()]),
    };
    let settings = Settings {
        seed: seed()?,
        ..Settings::new(Arc::new(config), identity, ANYWHERE, begin)
    };
    let places = Places {
        control,
        control_hosts: Hosts::default(),
        listen_may_move: false,
        control_may_move: true,
    };
    let reload = Arc::new(|| Ok(Admission::open()));
    Service::start(settings, places, reload, Reporter::off()).await
}

/// Done when a walk finds so many members, and all their tables as they should be.
async fn ideal(handle: &Handle, members: usize) {
    loop {
        let walk = handle.walk(members + 1).await;
        if walk.is_ok_and(|walk| walk.closed && walk.ideal && walk.members.len() == members) {
            return;
        }
        sleep(LOOKS_EVERY).await;
    }
}

/// A node of the demonstration.
#[derive(Debug, serde::Serialize)]
struct Node {
    id: String,
    address: SocketAddr,
    control: SocketAddr,
}

impl Node {
    fn of(service: &Service) -> Node {
        Node {
            id: service.ids[0].to_string(),
            address: service.address,
            control: service.control,
        }
    }
}

/// `flag` is what must be added to a command so that it asks a node.
fn shown(nodes: &[Node], ideal: bool, flag: impl Fn(SocketAddr) -> String) -> String {
    let row = |node: &Node| {
        [
            node.id[..8].to_owned(),
            node.address.to_string(),
            node.control.to_string(),
        ]
    };
    let mut sorted: Vec<&Node> = nodes.iter().collect();
    sorted.sort_by(|one, other| one.id.cmp(&other.id));
    let rows = sorted.into_iter().map(row).collect();
    let table = output::table(["id", "address", "control"], rows);
    let verdict = if ideal {
        "the ring is ideal"
    } else {
        "the ring is still forming"
    };
    let first = flag(nodes[0].control);
    let last = flag(nodes[nodes.len() - 1].control);
    format!(
        "{table}
{}; {verdict}. In another terminal try
  cuerda status{first}
  cuerda ring{first}
  cuerda lookup song --trace{first}
  cuerda who song{first}
  cuerda leave{last}
Ctrl-C ends them all.
",
        output::count(nodes.len(), "node", "nodes")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_stand_in_the_order_of_the_circle_above_what_to_try() {
        let node = |id: &str, port| Node {
            id: id.repeat(5),
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            control: SocketAddr::from(([127, 0, 0, 1], port + 1)),
        };
        let nodes = [node("b000000b", 5000), node("a000000a", 6000)];
        let first = nodes[0].control;
        let flag = |control: SocketAddr| match control == first {
            true => String::new(),
            false => format!(" --control {control}"),
        };
        insta::assert_snapshot!(shown(&nodes, true, flag));
    }

    #[tokio::test]
    async fn the_port_that_commands_ask_is_taken_if_it_is_free() {
        // A port that the system gives to nobody: tests beside this one take any that it gives.
        let free = |port: &u16| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        let port = (20_000..30_000)
            .find(free)
            .expect("loopback has free ports");
        let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let first = start(None, usual).await.expect("there is room");
        assert_eq!(first.control, usual);
        let other = start(None, usual).await.expect("there are other ports");
        assert_ne!(other.control, usual);
        first.close().await;
        other.close().await;
    }
}
