//! What look-ups cost, and what an idle ring does.

use std::time::Duration;

use cuerda::host::Handle;
use cuerda::node::Config;
use cuerda::ring::Id;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::ring::{Latency, Ring, STABILIZE_EVERY, Times, broken, tell, usage};
use crate::cli::output::{self, Output};
use crate::cli::{Exit, Failure};

/// How long the ring is left alone, to see what it costs then.
const IDLE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Load {
    #[command(flatten)]
    ring: Ring,
    /// How many look-ups they do in all
    #[arg(long, value_name = "N", default_value_t = 100_000,
          value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    count: u32,
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

pub(super) async fn run(load: Load, output: Output) -> Result<Exit, Failure> {
    let measured = measure(load, output).await?;
    if output.json {
        output::print_json(&measured)?;
    } else {
        output::print(&shown(&measured, load.ring))?;
    }
    Ok(if measured.failed == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

async fn measure(load: Load, output: Output) -> Result<Measured, Failure> {
    let ring = load.ring;
    tell(output, &format!("starting {} nodes …", ring.nodes));
    let handles = ring.start(Config::default().replicas, None).await?;
    tell(output, "measuring the idle ring …");
    let before = usage()?;
    sleep(IDLE).await;
    let idle = usage()?.seconds - before.seconds;
    tell(output, "looking up …");
    let (before, began) = (usage()?, Instant::now());
    let clients = (0..ring.clients).map(|client| {
        let handle = handles[client as usize % handles.len()].clone();
        let count = ring.share(load.count, client);
        tokio::spawn(client_of(handle, ring.seed, client, count))
    });
    let clients: Vec<_> = clients.collect();
    let mut sum = Asked::default();
    for client in clients {
        sum.add(client.await.map_err(broken)?);
    }
    let (after, took) = (usage()?, began.elapsed().as_secs_f64());
    let lookups = sum.times.count() as f64;
    Ok(Measured {
        nodes: ring.nodes,
        clients: ring.clients,
        secure: !ring.insecure,
        lookups: sum.times.count(),
        failed: sum.failed,
        lookups_per_s: lookups / took,
        cpu_ms_per_lookup: (after.seconds - before.seconds) * 1000.0 / lookups,
        latency_ms: sum.times.latency(),
        hops_mean: sum.hops as f64 / lookups,
        stabilize_every_s: STABILIZE_EVERY.as_secs_f64(),
        idle_cpu_per_node: idle / IDLE.as_secs_f64() / f64::from(ring.nodes),
        memory_per_node_bytes: after.peak_bytes / u64::from(ring.nodes),
    })
}

/// What clients have been told.
#[derive(Debug, Default)]
struct Asked {
    times: Times,
    hops: u64,
    failed: u64,
}

impl Asked {
    fn add(&mut self, other: Asked) {
        self.times.add(other.times);
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
                asked.times.record(began.elapsed());
                asked.hops += u64::from(answer.hops);
            }
            Err(_) => asked.failed += 1,
        }
    }
    asked
}

fn shown(measured: &Measured, ring: Ring) -> String {
    let Measured {
        lookups, failed, ..
    } = measured;
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
        ["latency".to_owned(), measured.latency_ms.shown()],
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
    let [ring, place] = ring.shown();
    output::table([&ring, &place], rows.to_vec())
}
