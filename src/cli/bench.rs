//! `bench`: loads a ring on loopback, and says what it costs.
//!
//! The ring runs in this very process, on one thread, each node with sockets and connections of
//! its own; so the CPU time of a look-up is that of the client and of all nodes asked. Clients
//! are spread over the nodes, and each asks one thing after the other.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use cuerda::host::{Begin, Handle, Host, Identity, NoHooks, Security, Settings, Tcp};
use cuerda::node::Config;
use cuerda::ring::Id;
use hdrhistogram::Histogram;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::output::{self, Output};
use super::{Exit, Failure, in_runtime};

/// How often the nodes stabilize: often enough that the ring is soon ideal.
const STABILIZE_EVERY: Duration = Duration::from_secs(1);
/// How long the ring is left alone, to see what it costs then.
const IDLE: Duration = Duration::from_secs(5);
/// How long the ring may take to become ideal.
const PATIENCE: Duration = Duration::from_secs(120);
/// Times are recorded in microseconds, with three digits.
const DIGITS: u8 = 3;

/// Load a ring on loopback, and say what it costs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum What {
    /// Look up random keys
    Lookup(Load),
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct Load {
    /// How many nodes the ring has
    #[arg(long, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u8).range(1..=64))]
    nodes: u8,
    /// How many clients ask at a time
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    clients: u32,
    /// How many look-ups they do in all
    #[arg(long, value_name = "N", default_value_t = 100_000,
          value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    count: u32,
    /// What the keys depend on
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Leave TLS out, to see what it costs
    #[arg(long)]
    insecure: bool,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
struct Measured {
    nodes: u8,
    clients: u32,
    secure: bool,
    lookups: u64,
    failed: u64,
    lookups_per_s: f64,
    /// CPU time of the whole process, clients and all nodes, for one look-up.
    cpu_ms_per_lookup: f64,
    latency_ms: Latency,
    hops_mean: f64,
    stabilize_every_s: f64,
    /// CPU time of one node that nobody asks anything, as a share of a core.
    idle_cpu_per_node: f64,
    /// The most memory the process had, divided by the nodes.
    memory_per_node_bytes: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    max: f64,
}

/// Runs it.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let What::Lookup(load) = args.what;
    in_runtime(async move {
        let measured = measure(load, output).await?;
        if output.json {
            output::print_json(&measured)?;
        } else {
            output::print(&shown(&measured))?;
        }
        Ok(if measured.failed == 0 {
            Exit::Done
        } else {
            Exit::Failed
        })
    })
}

async fn measure(load: Load, output: Output) -> Result<Measured, Failure> {
    let tell = |words: &str| {
        if !output.json && !output.quiet {
            eprintln!("{words}");
        }
    };
    tell(&format!("starting {} nodes …", load.nodes));
    let handles = ring(load).await?;
    tell("measuring the idle ring …");
    let before = usage()?;
    sleep(IDLE).await;
    let idle = usage()?.seconds - before.seconds;
    tell("looking up …");
    let (before, began) = (usage()?, Instant::now());
    let clients = (0..load.clients).map(|client| {
        let handle = handles[client as usize % handles.len()].clone();
        // What can't be divided evenly falls to the first ones.
        let rest = u32::from(client < load.count % load.clients);
        let count = load.count / load.clients + rest;
        tokio::spawn(client_of(handle, load.seed, client, count))
    });
    let clients: Vec<_> = clients.collect();
    let mut sum = Asked::default();
    for client in clients {
        sum.add(client.await.map_err(broken)?);
    }
    let (after, took) = (usage()?, began.elapsed().as_secs_f64());
    let lookups = sum.micros.len() as f64;
    let quantile = |share| sum.micros.value_at_quantile(share) as f64 / 1000.0;
    Ok(Measured {
        nodes: load.nodes,
        clients: load.clients,
        secure: !load.insecure,
        lookups: sum.micros.len(),
        failed: sum.failed,
        lookups_per_s: lookups / took,
        cpu_ms_per_lookup: (after.seconds - before.seconds) * 1000.0 / lookups,
        latency_ms: Latency {
            p50: quantile(0.5),
            p99: quantile(0.99),
            max: sum.micros.max() as f64 / 1000.0,
        },
        hops_mean: sum.hops as f64 / lookups,
        stabilize_every_s: STABILIZE_EVERY.as_secs_f64(),
        idle_cpu_per_node: idle / IDLE.as_secs_f64() / f64::from(load.nodes),
        memory_per_node_bytes: after.peak_bytes / u64::from(load.nodes),
    })
}

/// What clients have been told.
#[derive(Debug)]
struct Asked {
    micros: Histogram<u64>,
    hops: u64,
    failed: u64,
}

impl Default for Asked {
    fn default() -> Asked {
        Asked {
            micros: Histogram::new(DIGITS).expect("three digits are a precision it takes"),
            hops: 0,
            failed: 0,
        }
    }
}

impl Asked {
    fn add(&mut self, other: Asked) {
        let added = self.micros.add(other.micros);
        added.expect("a histogram that grows takes what another one holds");
        self.hops += other.hops;
        self.failed += other.failed;
    }
}

async fn client_of(handle: Handle, seed: u64, client: u32, count: u32) -> Asked {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(client.into());
    let mut asked = Asked::default();
    for _ in 0..count {
        let mut key = [0; 20];
        random.fill_bytes(&mut key);
        let began = Instant::now();
        match handle.lookup(Id::from_bytes(key)).await {
            Ok(answer) => {
                let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                let recorded = asked.micros.record(micros);
                recorded.expect("a histogram that grows takes every time");
                asked.hops += u64::from(answer.hops);
            }
            Err(_) => asked.failed += 1,
        }
    }
    asked
}

/// Starts the nodes, and waits until they form an ideal ring.
async fn ring(load: Load) -> Result<Vec<Handle>, Failure> {
    let (mut handles, mut first) = (Vec::new(), None);
    for number in 0..load.nodes {
        let begin = match &first {
            None => Begin::Found,
            Some(address) => Begin::Join(vec![format!("{address}")]),
        };
        let (host, handle) = Host::bind(Tcp, NoHooks, settings(number, begin, load)).await?;
        first.get_or_insert(host.address());
        tokio::spawn(host.run());
        handles.push(handle);
    }
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Ok(walk) = handles[0].walk(handles.len() + 1).await
            && walk.ideal
            && walk.members.len() == handles.len()
        {
            return Ok(handles);
        }
        sleep(STABILIZE_EVERY / 4).await;
    }
    Err(Failure::failed(
        format!("the ring was not complete within {PATIENCE:?}"),
        "is the machine very busy? Try with fewer --nodes",
    ))
}

fn settings(number: u8, begin: Begin, load: Load) -> Settings {
    let config = Config {
        stabilize_every: STABILIZE_EVERY,
        fix_fingers_every: STABILIZE_EVERY,
        ..Config::default()
    };
    // The same places on the circle in every run.
    let identity = Identity::from_seed([number; 32]);
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let settings = Settings::new(Arc::new(config), identity, listen, begin);
    Settings {
        security: if load.insecure {
            Security::None
        } else {
            settings.security
        },
        seed: [number; 32],
        ..settings
    }
}

/// What this process has used so far.
#[derive(Clone, Copy, Debug)]
struct Usage {
    /// CPU time, user and system.
    seconds: f64,
    peak_bytes: u64,
}

fn usage() -> Result<Usage, Failure> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).map_err(|error| {
        Failure::failed(
            format!("the system does not say what CPU time was used: {error}"),
            "measure from outside, as with `perf stat`",
        )
    })?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Usage {
        seconds: micros as f64 / 1e6,
        // Linux counts in KiB.
        peak_bytes: usage.max_rss().unsigned_abs() * 1024,
    })
}

fn broken(error: tokio::task::JoinError) -> Failure {
    Failure::failed(
        format!("a client's task broke: {error}"),
        "this is a bug; please report it",
    )
}

fn shown(measured: &Measured) -> String {
    let Measured {
        nodes,
        clients,
        lookups,
        failed,
        latency_ms,
        ..
    } = measured;
    let tls = if measured.secure {
        "TLS"
    } else {
        "without TLS"
    };
    let rows = [
        ["look-ups".to_owned(), format!("{lookups}, {failed} failed")],
        [
            "rate".to_owned(),
            format!("{:.0}/s", measured.lookups_per_s),
        ],
        [
            "CPU".to_owned(),
            format!("{:.3} ms a look-up", measured.cpu_ms_per_lookup),
        ],
        [
            "latency".to_owned(),
            format!(
                "p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms",
                latency_ms.p50, latency_ms.p99, latency_ms.max
            ),
        ],
        ["hops".to_owned(), format!("{:.2}", measured.hops_mean)],
        [
            "idle".to_owned(),
            format!(
                "{:.3} % of a core a node, stabilizing every {:?}",
                measured.idle_cpu_per_node * 100.0,
                STABILIZE_EVERY
            ),
        ],
        [
            "memory".to_owned(),
            format!(
                "{:.1} MiB a node",
                measured.memory_per_node_bytes as f64 / 1_048_576.0
            ),
        ],
    ];
    let head = [
        format!("{nodes} nodes, {clients} clients"),
        format!("one thread, loopback, {tls}"),
    ];
    output::table([&head[0], &head[1]], rows.to_vec())
}
