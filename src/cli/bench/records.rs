//! What writing and reading records cost, and how many nodes have what was written.
//!
//! `put` writes to each of a number of keys in turn; `get` reads keys that were put before the
//! clock starts. Values are random, so that nothing on the way can make them smaller.

use std::collections::BTreeMap;
use std::sync::Arc;

use cuerda::Hint as _;
use cuerda::host::{CallError, Handle};
use cuerda::node::Write;
use cuerda::record::Stamp;
use cuerda::record::limits::VALUE_BYTES;
use cuerda::ring::Id;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use serde::Serialize;
use tokio::time::Instant;

use super::folder::Folder;
use super::ring::{Latency, Ring, Times, broken, tell, usage};
use crate::cli::output::{self, Output};
use crate::cli::{Exit, Failure};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Put,
    Get,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Load {
    #[command(flatten)]
    ring: Ring,
    /// How many operations they do in all
    #[arg(long, value_name = "N", default_value_t = 50_000,
          value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    count: u32,
    /// How many different keys there are
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    keys: u32,
    /// How large each value is, up to 48KiB
    #[arg(long, value_name = "BYTES", default_value = "1KiB", value_parser = bytes)]
    value: usize,
    /// How many nodes are to hold each record
    #[arg(long, value_name = "K", default_value_t = 3,
          value_parser = clap::value_parser!(u8).range(1..=64))]
    replicas: u8,
    /// Keep records in memory, which is what happens without --durable
    #[arg(long, conflicts_with = "durable")]
    memory: bool,
    /// Keep records on disk, in a temporary folder: what is acknowledged has been synced
    #[arg(long)]
    durable: bool,
}

/// A size such as `1KiB`, `48KiB` or `512`.
fn bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = match text.strip_suffix("KiB") {
        Some(number) => (number, 1024),
        None => (text.strip_suffix('B').unwrap_or(text), 1),
    };
    let bytes = number.trim().parse::<usize>().ok();
    let bytes = bytes.and_then(|number| number.checked_mul(unit));
    let bytes = bytes.ok_or("write it as in 512, 512B or 1KiB")?;
    if bytes > VALUE_BYTES {
        return Err(format!("a value has {VALUE_BYTES} bytes at most"));
    }
    Ok(bytes)
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
struct Measured {
    operation: Kind,
    nodes: u8,
    clients: u32,
    secure: bool,
    durable: bool,
    replicas: u8,
    value_bytes: usize,
    keys: u32,
    /// Operations that succeeded.
    operations: u64,
    /// Of them, writes on fewer nodes than wanted, or readings that the owner did not answer.
    partly: u64,
    failed: u64,
    /// The first reason for a failure.
    first_failure: Option<String>,
    operations_per_s: f64,
    /// CPU time of the whole process, clients and all nodes, for one operation.
    cpu_ms_per_operation: f64,
    latency_ms: Latency,
    /// How many writes are on how many nodes; for `get`, the writes that it reads.
    stored_on: BTreeMap<usize, u64>,
    memory_per_node_bytes: u64,
}

pub(super) async fn run(kind: Kind, load: Load, output: Output) -> Result<Exit, Failure> {
    if load.replicas > load.ring.nodes {
        return Err(Failure::usage(
            format!(
                "{} nodes can't hold {} copies",
                load.ring.nodes, load.replicas
            ),
            "raise --nodes or lower --replicas",
        ));
    }
    let measured = measure(kind, load, output).await?;
    if output.json {
        output::print_json(&measured)?;
    } else {
        output::print(&shown(&measured, load.ring))?;
    }
    Ok(match measured {
        Measured { failed: 1.., .. } => Exit::Failed,
        Measured { partly: 1.., .. } => Exit::Partly,
        _ => Exit::Done,
    })
}

async fn measure(kind: Kind, load: Load, output: Output) -> Result<Measured, Failure> {
    let ring = load.ring;
    tell(output, &format!("starting {} nodes …", ring.nodes));
    let folder = match load.durable {
        true => Some(Folder::make()?),
        false => None,
    };
    let handles = ring.start(load.replicas, folder.as_ref()).await?;
    let mut value = vec![0; load.value];
    ChaCha8Rng::seed_from_u64(ring.seed).fill_bytes(&mut value);
    let value: Arc<[u8]> = value.into();
    let mut written = Sum::default();
    if kind == Kind::Get {
        tell(output, &format!("putting {} keys …", load.keys));
        written = all(Kind::Put, load.keys, load, &handles, &value).await?;
        if let Some(why) = written.first_failure {
            return Err(Failure::failed(
                format!("what is to be read could not be written: {why}"),
                "try with fewer --clients, or in a ring of fewer --nodes",
            ));
        }
    }
    tell(output, "measuring …");
    let (before, began) = (usage()?, Instant::now());
    let mut sum = all(kind, load.count, load, &handles, &value).await?;
    let (after, took) = (usage()?, began.elapsed().as_secs_f64());
    let operations = sum.times.count() as f64;
    sum.stored_on.append(&mut written.stored_on);
    Ok(Measured {
        operation: kind,
        nodes: ring.nodes,
        clients: ring.clients,
        secure: !ring.insecure,
        durable: load.durable,
        replicas: load.replicas,
        value_bytes: load.value,
        keys: load.keys,
        operations: sum.times.count(),
        partly: sum.partly,
        failed: sum.failed,
        first_failure: sum.first_failure,
        operations_per_s: operations / took,
        cpu_ms_per_operation: (after.seconds - before.seconds) * 1000.0 / operations.max(1.0),
        latency_ms: sum.times.latency(),
        stored_on: sum.stored_on,
        memory_per_node_bytes: after.peak_bytes / u64::from(ring.nodes),
    })
}

/// What clients have been told.
#[derive(Debug, Default)]
struct Sum {
    times: Times,
    partly: u64,
    failed: u64,
    first_failure: Option<String>,
    stored_on: BTreeMap<usize, u64>,
}

impl Sum {
    fn add(&mut self, other: Sum) {
        self.times.add(other.times);
        self.partly += other.partly;
        self.failed += other.failed;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        for (holders, count) in other.stored_on {
            *self.stored_on.entry(holders).or_default() += count;
        }
    }
}

/// So many operations, divided among the clients.
async fn all(
    kind: Kind,
    count: u32,
    load: Load,
    handles: &[Handle],
    value: &Arc<[u8]>,
) -> Result<Sum, Failure> {
    let mut from = 0;
    let clients = (0..load.ring.clients).map(|client| {
        let share = load.ring.share(count, client);
        let mine = from..from + share;
        from += share;
        let handle = handles[client as usize % handles.len()].clone();
        tokio::spawn(client_of(handle, kind, mine, load, Arc::clone(value)))
    });
    let clients: Vec<_> = clients.collect();
    let mut sum = Sum::default();
    for client in clients {
        sum.add(client.await.map_err(broken)?);
    }
    Ok(sum)
}

async fn client_of(
    handle: Handle,
    kind: Kind,
    mine: std::ops::Range<u32>,
    load: Load,
    value: Arc<[u8]>,
) -> Sum {
    let mut sum = Sum::default();
    for number in mine {
        // One key after the other, so that no two clients write to the same one at a time.
        let name = format!("{} {}", load.ring.seed, number % load.keys);
        let key = Id::of_key(name.as_bytes());
        let began = Instant::now();
        let done = match kind {
            Kind::Put => put(&handle, key, &value, &mut sum).await,
            Kind::Get => get(&handle, key, &value, &mut sum).await,
        };
        match done {
            Ok(()) => sum.times.record(began.elapsed()),
            Err(why) => {
                sum.failed += 1;
                sum.first_failure.get_or_insert(why);
            }
        }
    }
    sum
}

async fn put(handle: &Handle, key: Id, value: &Arc<[u8]>, sum: &mut Sum) -> Result<(), String> {
    let write = Write::put("", value.to_vec());
    let written = handle.write(key, write).await.map_err(words)?;
    *sum.stored_on.entry(written.holders.len()).or_default() += 1;
    sum.partly += u64::from(!written.is_complete());
    Ok(())
}

async fn get(handle: &Handle, key: Id, value: &Arc<[u8]>, sum: &mut Sum) -> Result<(), String> {
    let fetched = handle.read(key, Stamp::ZERO).await.map_err(words)?;
    let record = fetched.record.ok_or("a key that was put is not there")?;
    let found = record.field("").and_then(|field| field.value());
    if found.is_none_or(|found| found.as_bytes() != &value[..]) {
        return Err("what was got is not what was put".to_owned());
    }
    sum.partly += u64::from(!fetched.authoritative);
    Ok(())
}

fn words(error: CallError) -> String {
    error.with_hint()
}

fn shown(measured: &Measured, ring: Ring) -> String {
    let Measured {
        operations, failed, ..
    } = measured;
    let (done, one, partly) = match measured.operation {
        Kind::Put => ("puts", "put", "on fewer nodes than wanted"),
        Kind::Get => ("gets", "get", "not answered by the owner"),
    };
    let stored = measured.stored_on.iter().rev();
    let stored: Vec<String> = stored
        .map(|(holders, count)| format!("{count} on {holders} of {}", measured.replicas))
        .collect();
    let kept = if measured.durable {
        "on disk, synced"
    } else {
        "in memory"
    };
    let mut rows = vec![
        [
            done.to_owned(),
            format!(
                "{operations}, {} {partly}, {failed} failed",
                measured.partly
            ),
        ],
        [
            "stored".to_owned(),
            format!("{}; {kept}", stored.join(", ")),
        ],
        [
            "rate".to_owned(),
            format!("{:.0}/s", measured.operations_per_s),
        ],
        [
            "CPU".to_owned(),
            format!("{:.3} ms a {one}", measured.cpu_ms_per_operation),
        ],
        ["latency".to_owned(), measured.latency_ms.shown()],
        [
            "memory".to_owned(),
            format!(
                "{:.1} MiB a node",
                measured.memory_per_node_bytes as f64 / 1_048_576.0
            ),
        ],
    ];
    if let Some(why) = &measured.first_failure {
        rows.push(["failure".to_owned(), why.clone()]);
    }
    let [ring, place] = ring.shown();
    let values = format!("{place}, values of {} bytes", measured.value_bytes);
    output::table([&ring, &values], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_bounded() {
        assert_eq!(bytes("1KiB"), Ok(1024));
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("512B"), Ok(512));
        assert_eq!(bytes("48KiB"), Ok(VALUE_BYTES));
        for wrong in ["", "49KiB", "1MiB", "-1", "99999999999999999999KiB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_stored_on_how_many_is_told() {
        let ring = Ring {
            nodes: 16,
            clients: 64,
            seed: 1,
            insecure: false,
        };
        let measured = Measured {
            operation: Kind::Put,
            nodes: 16,
            clients: 64,
            secure: true,
            durable: false,
            replicas: 3,
            value_bytes: 1024,
            keys: 10_000,
            operations: 49_999,
            partly: 2,
            failed: 1,
            first_failure: Some("nobody answered".to_owned()),
            operations_per_s: 5000.2,
            cpu_ms_per_operation: 0.2,
            latency_ms: Latency {
                p50: 12.0,
                p99: 20.5,
                max: 31.0,
            },
            stored_on: [(3, 49_997), (2, 2)].into_iter().collect(),
            memory_per_node_bytes: 3 << 20,
        };
        insta::assert_snapshot!(shown(&measured, ring));
    }
}
