//! A report in which nothing is missing, from which the names of the metrics are derived.
//!
//! It is written out field by field, without `..`, so that a new field of the report does not
//! compile until it stands here too. Nobody reads its numbers.

use std::collections::BTreeMap;

use super::{
    Cost, Events, Histories, LatencySummary, Lookups, Program, Reads, Report, Ring, Summary,
    Traffic, Verdict, Writes,
};

/// Every optional part present, every list empty.
pub(super) fn sample() -> Report {
    let counts = Summary {
        mean: 3.84,
        p1: 1,
        p10: 2,
        p50: 4,
        p90: 5,
        p99: 7,
        max: 9,
    };
    let times = LatencySummary {
        mean: 421.5,
        p50: 398.2,
        p90: 702.0,
        p99: 1203.0,
        max: 2411.0,
    };
    Report {
        scenario: "churn".to_owned(),
        world: "events".to_owned(),
        seed: 1,
        nodes: 1000,
        verdict: Verdict::Pass,
        digest: "8c6f1d2ab0945e37".to_owned(),
        simulated_s: 600.0,
        lookups: Lookups {
            issued: 1000,
            ok: 998,
            wrong: Some(0),
            failed: 2,
            unfinished: 0,
            failed_share: Some(0.002),
            wrong_share: Some(0.0),
            missed_share: Some(0.002),
            hops: Some(counts),
            hops_to_predecessor: Some(counts),
            timeouts: Some(counts),
            latency_ms: Some(times),
        },
        writes: Some(Writes {
            issued: 600,
            acked: 590,
            partial: 4,
            failed: 6,
            unfinished: 0,
            refused: 1,
            lost: Some(0),
            lost_excused: Some(0),
            short_acks: Some(0),
            below_past: Some(0),
            granted_twice: Some(0),
            conflicts: 2,
            missing_copies: Some(0),
            latency_ms: Some(times),
        }),
        reads: Some(Reads {
            issued: 5400,
            ok: 5390,
            stale: 2,
            missing: 1,
            missing_certain: 0,
            resurrected: 0,
            expired: 0,
            early: 0,
            failed: 7,
            unfinished: 0,
            uncertain: 5,
            stale_share: Some(0.0006),
            failed_share: Some(0.0013),
            checked_at_end: 100,
            unreadable: 0,
            latency_ms: Some(times),
        }),
        histories: Some(Histories {
            checked: 500,
            not_linearizable: 3,
            unknown: 0,
            counterexample: None,
        }),
        ring: Ring {
            members: 1001,
            rings: Some(1),
            ideal: Some(true),
            ideal_after_s: Some(34.25),
            ideal_after_periods: Some(1.14),
            settled_after_s: Some(0.0),
            violations: 0,
            excused: 0,
            excuses: std::collections::BTreeMap::new(),
        },
        traffic: Traffic {
            messages: 1_234_567,
            lost: 1234,
            bytes_per_node_per_s: 812.4,
            repair_bytes: Some(123_456),
            lost_bytes: Some(98_765),
            repair_ratio: Some(1.25),
        },
        events: Events {
            joined: 30,
            left: 29,
            crashed: 0,
            presumed_dead: 12,
            presumed_dead_wrongly: 0,
            stranded: 0,
            ignored: 3,
        },
        losses: Vec::new(),
        notes: Vec::new(),
        faults: Vec::new(),
        unchecked: Vec::new(),
        violated: BTreeMap::new(),
        violations: Vec::new(),
        unmet: Vec::new(),
        program: Program {
            version: "1.2.3",
            commit: Some("0123456789ab"),
            options: vec!["cli"],
        },
        cost: Cost {
            events: 3_456_789,
            cpu_s: 2.14,
            wall_s: 2.31,
            peak_rss_bytes: 48 << 20,
        },
    }
}
