//! The ring that is measured, and the measures that all loads have in common.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cuerda::host::{Begin, Handle, Host, Identity, NoHooks, Security, Settings, Storage, Tcp};
use cuerda::node::Config;
use hdrhistogram::Histogram;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::folder::Folder;
use crate::cli::Failure;
use crate::cli::output::{self, Output};

/// How often the nodes stabilize: often enough that the ring is soon ideal.
pub(super) const STABILIZE_EVERY: Duration = Duration::from_secs(1);
/// How long the ring may take to become ideal.
const PATIENCE: Duration = Duration::from_secs(120);
/// Times are recorded in microseconds, with three digits.
const DIGITS: u8 = 3;

/// Which ring, and who asks it.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Ring {
    /// How many nodes the ring has
    #[arg(long, value_name = "N", default_value_t = 16,
          value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) nodes: u8,
    /// How many clients ask at a time
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) clients: u32,
    /// What the keys depend on
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Leave TLS out, to see what it costs
    #[arg(long)]
    pub(super) insecure: bool,
}

impl Ring {
    /// Starts the nodes, and waits until they form an ideal ring.
    /// With a folder they keep their records there, else in memory.
    pub(super) async fn start(
        self,
        replicas: u8,
        folder: Option<&Folder>,
    ) -> Result<Vec<Handle>, Failure> {
        let (mut handles, mut first) = (Vec::new(), None);
        for number in 0..self.nodes {
            let begin = match &first {
                None => Begin::Found,
                Some(address) => Begin::Join(vec![format!("{address}")]),
            };
            let mut settings = self.settings(number, begin, replicas);
            if let Some(folder) = folder {
                settings.storage = Storage::File(folder.file(number));
            }
            let (host, handle) = Host::bind(Tcp, NoHooks, settings).await?;
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

    fn settings(self, number: u8, begin: Begin, replicas: u8) -> Settings {
        let config = Config {
            stabilize_every: STABILIZE_EVERY,
            fix_fingers_every: STABILIZE_EVERY,
            replicas,
            successors: Config::default().successors.max(replicas),
            ..Config::default()
        };
        // The same places on the circle in every run.
        let identity = Identity::from_seed([number; 32]);
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let settings = Settings::new(Arc::new(config), identity, listen, begin);
        Settings {
            security: if self.insecure {
                Security::None
            } else {
                settings.security
            },
            seed: [number; 32],
            ..settings
        }
    }

    /// How many of `count` operations fall to a client: what can't be divided evenly falls to
    /// the first ones.
    pub(super) fn share(self, count: u32, client: u32) -> u32 {
        count / self.clients + u32::from(client < count % self.clients)
    }

    /// The ring in words.
    pub(super) fn shown(self) -> [String; 2] {
        let tls = if self.insecure { "without TLS" } else { "TLS" };
        [
            format!("{} nodes, {} clients", self.nodes, self.clients),
            format!("one thread, loopback, {tls}"),
        ]
    }
}

/// What is going on, for who waits at a terminal.
pub(super) fn tell(form: Output, words: &str) {
    if !form.json && !form.quiet {
        output::tell(words);
    }
}

/// How long operations took, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Latency {
    pub(super) fn shown(self) -> String {
        let Latency { p50, p99, max } = self;
        format!("p50 {p50:.3} ms, p99 {p99:.3} ms, max {max:.3} ms")
    }
}

/// How long each operation took.
#[derive(Debug)]
pub(super) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Times {
        Times(Histogram::new(DIGITS).expect("three digits are a precision it takes"))
    }
}

impl Times {
    pub(super) fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let recorded = self.0.record(micros);
        recorded.expect("a histogram that grows takes every time");
    }

    pub(super) fn add(&mut self, other: Times) {
        let added = self.0.add(other.0);
        added.expect("a histogram that grows takes what another one holds");
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(super) fn latency(&self) -> Latency {
        let quantile = |share| self.0.value_at_quantile(share) as f64 / 1000.0;
        Latency {
            p50: quantile(0.5),
            p99: quantile(0.99),
            max: self.0.max() as f64 / 1000.0,
        }
    }
}

/// What this process has used so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// CPU time, user and system.
    pub(super) seconds: f64,
    /// The most memory it has had.
    pub(super) peak_bytes: u64,
}

pub(super) fn usage() -> Result<Usage, Failure> {
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
        peak_bytes: high_water_mark()
            .unwrap_or_else(|| usage.max_rss().unsigned_abs())
            .saturating_mul(1024),
    })
}

/// The most memory that this process has had, in KiB. What `getrusage` tells may be that of whoever
/// started it: Linux keeps it when a process becomes another program.
fn high_water_mark() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mark = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    mark.trim().strip_suffix(" kB")?.parse().ok()
}

pub(super) fn broken(error: tokio::task::JoinError) -> Failure {
    Failure::failed(
        format!("a client's task broke: {error}"),
        "this is a bug; please report it",
    )
}
