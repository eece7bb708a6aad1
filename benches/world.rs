//! Delivered messages per CPU-second of whole rings, with the checkers off and on.
//!
//! ```sh
//! cargo bench --bench world
//! ```
//!
//! The set-up is that of `scenarios/speed/`; only a shorter stretch of it is played, again and
//! again. What is measured is the CPU time that the report tells, so that neither the making
//! of the ring nor other work of the machine counts.

use std::time::Duration;

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use cuerda_sim::report::metrics;
use cuerda_sim::run::play;
use cuerda_sim::scenario::{Checks, Overrides, Scenario};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Each ring, and the simulated time that is played of it: enough for some 100,000 messages.
const RINGS: [(&str, &str, Duration); 3] = [
    (
        "1,000",
        include_str!("../scenarios/speed/1k.toml"),
        Duration::from_secs(20),
    ),
    (
        "10,000",
        include_str!("../scenarios/speed/10k.toml"),
        Duration::from_secs(5),
    ),
    (
        "100,000",
        include_str!("../scenarios/speed/100k.toml"),
        Duration::from_secs(2),
    ),
];

fn delivered(criterion: &mut Criterion) {
    for (checkers, name) in [(false, "checkers off"), (true, "checkers on")] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        for (nodes, text, duration) in RINGS {
            let mut scenario =
                Scenario::parse("speed.toml", text, &metrics(), &Overrides::default())
                    .expect("scenarios that are shipped are right");
            scenario.duration = duration;
            for workload in &mut scenario.workloads {
                workload.until = duration;
            }
            scenario.checks = Checks {
                records: false,
                ring: checkers,
                lookups: checkers,
                protocol: false,
            };
            let messages = play(&scenario, &mut |_| ()).traffic.messages;
            group.throughput(Throughput::Elements(messages));
            group.bench_function(BenchmarkId::from_parameter(nodes), |bencher| {
                bencher.iter_custom(|iterations| {
                    let cpu = |_| play(&scenario, &mut |_| ()).cost.cpu_s;
                    Duration::from_secs_f64((0..iterations).map(cpu).sum())
                });
            });
        }
    }
}

criterion_group!(benches, delivered);
criterion_main!(benches);
