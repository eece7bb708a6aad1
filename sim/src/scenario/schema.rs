//! Which keys stand where in a scenario file. Only names; what they mean is said where they are
//! read.

/// The keys before the first section, sections included.
pub(super) const TOP: &[&str] = &[
    "title", "world", "seed", "duration", "checks", "ring", "node", "network", "workload", "churn",
    "fault", "expect",
];
/// The sections that may stand several times.
pub(super) const REPEATED: &[&str] = &["workload", "churn", "fault"];
/// The sections that stand at most once.
pub(super) const SINGLE: &[&str] = &["ring", "node", "network", "expect"];

pub(super) const RING: &[&str] = &["nodes", "start"];
pub(super) const NODE: &[&str] = &[
    "cluster",
    "successors",
    "replicas",
    "stabilize_every",
    "fix_fingers_every",
    "request_timeout",
    "request_timeout_max",
    "attempts",
    "remembered",
    "probe_every_max",
    "found_after",
];
pub(super) const NETWORK: &[&str] = &["latency", "loss", "duplicate", "tick"];
pub(super) const WORKLOAD: &[&str] = &["kind", "rate", "from", "until"];
pub(super) const CHURN: &[&str] = &["join", "leave", "crash", "from", "until"];

/// The keys of every kind of fault.
pub(super) const FAULT_COMMON: &[&str] = &["at", "kind", "for"];
/// The kinds of faults, each with the keys that it has besides.
pub(super) const FAULTS: &[(&str, &[&str])] = &[
    ("crash", &["nodes", "disk"]),
    ("pause", &["nodes"]),
    ("partition", &["split"]),
    ("one_way", &["from", "to"]),
    ("slow", &["nodes", "extra"]),
    ("loss", &["nodes", "share"]),
    ("reset", &["nodes", "after"]),
    ("skew", &["nodes", "by"]),
    ("leave", &["nodes"]),
    ("join", &["count"]),
];

/// Where a key may stand, as that section is written; for telling where a misplaced one belongs.
pub(super) fn homes(key: &str) -> Vec<&'static str> {
    let sections: [(&str, &[&str]); 5] = [
        ("[ring]", RING),
        ("[node]", NODE),
        ("[network]", NETWORK),
        ("[[workload]]", WORKLOAD),
        ("[[churn]]", CHURN),
    ];
    let mut homes: Vec<&str> = sections
        .into_iter()
        .filter(|(_, keys)| keys.contains(&key))
        .map(|(section, _)| section)
        .collect();
    let in_fault = FAULTS.iter().any(|(_, keys)| keys.contains(&key));
    if in_fault || FAULT_COMMON.contains(&key) {
        homes.push("[[fault]]");
    }
    homes
}
