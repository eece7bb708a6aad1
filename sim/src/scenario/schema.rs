//! Which keys stand where in a scenario file. Only names; what they mean is said where they are
//! read.

/// The keys before the first section, sections included.
pub(super) const TOP: &[&str] = &[
    "title",
    "world",
    "seed",
    "duration",
    "quiet",
    "checks",
    "known_to_fail",
    "ring",
    "node",
    "network",
    "workload",
    "churn",
    "reseed",
    "fault",
    "expect",
    "groups",
];
/// The sections that may stand several times.
pub(super) const REPEATED: &[&str] = &["workload", "churn", "reseed", "fault"];
/// The sections that stand at most once.
pub(super) const SINGLE: &[&str] = &["ring", "node", "network", "groups", "expect"];

pub(super) const RING: &[&str] = &["nodes", "virtual_nodes", "start"];
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
    "acks",
    "repair_every",
    "scrub_every",
    "keys_max",
    "tombstones_for",
    "hand_over_within",
];
pub(super) const NETWORK: &[&str] = &["latency", "loss", "duplicate", "broken_links", "tick"];
/// The keys of every kind of workload.
pub(super) const WORKLOAD_COMMON: &[&str] = &["kind", "rate", "from", "until"];
/// The kinds of workloads, each with the keys that it has besides.
pub(super) const WORKLOADS: &[(&str, &[&str])] = &[
    ("lookup", &["keys", "zipf"]),
    (
        "put",
        &[
            "keys",
            "zipf",
            "value",
            "deletes",
            "conditional",
            "conditional_keys",
            "ttl",
            "clients",
            "forgetful",
            "client_clocks",
        ],
    ),
    (
        "get",
        &[
            "keys",
            "zipf",
            "reads_of_deleted",
            "clients",
            "forgetful",
            "client_clocks",
        ],
    ),
    (
        "mixed",
        &[
            "keys",
            "zipf",
            "value",
            "deletes",
            "conditional",
            "conditional_keys",
            "ttl",
            "reads",
            "reads_of_deleted",
            "clients",
            "forgetful",
            "client_clocks",
        ],
    ),
];
pub(super) const CHURN: &[&str] = &[
    "join", "leave", "crash", "session", "absence", "ends", "keep", "from", "until",
];
pub(super) const RESEED: &[&str] = &["at", "seed"];

/// The keys of every kind of fault.
pub(super) const FAULT_COMMON: &[&str] =
    &["at", "every", "times", "until", "kind", "for", "may_miss"];
/// The kinds of faults, each with the keys that it has besides.
pub(super) const FAULTS: &[(&str, &[&str])] = &[
    ("crash", &["nodes", "disk", "apart"]),
    ("restart", &["nodes", "disk", "apart"]),
    ("move", &["nodes", "apart"]),
    ("snapshot", &["nodes", "age"]),
    ("twin", &["nodes"]),
    ("pause", &["nodes", "apart"]),
    ("partition", &["split"]),
    ("one_way", &["from", "to"]),
    ("slow", &["nodes", "from", "to", "extra"]),
    ("loss", &["nodes", "from", "to", "share"]),
    ("reset", &["nodes", "after"]),
    ("skew", &["nodes", "by"]),
    ("clock", &["nodes", "jump", "drift"]),
    ("disk", &["nodes", "what", "count", "extra"]),
    ("leave", &["nodes", "apart"]),
    ("join", &["count"]),
];

/// Where a key may stand, as that section is written; for telling where a misplaced one belongs.
pub(super) fn homes(key: &str) -> Vec<&'static str> {
    let sections: [(&str, &[&str]); 4] = [
        ("[ring]", RING),
        ("[node]", NODE),
        ("[network]", NETWORK),
        ("[[churn]]", CHURN),
    ];
    let mut homes: Vec<&str> = sections
        .into_iter()
        .filter(|(_, keys)| keys.contains(&key))
        .map(|(section, _)| section)
        .collect();
    let in_workload = WORKLOADS.iter().any(|(_, keys)| keys.contains(&key));
    if in_workload || WORKLOAD_COMMON.contains(&key) {
        homes.push("[[workload]]");
    }
    let in_fault = FAULTS.iter().any(|(_, keys)| keys.contains(&key));
    if in_fault || FAULT_COMMON.contains(&key) {
        homes.push("[[fault]]");
    }
    homes
}

/// The keys of sections of any kind.
pub(super) fn keys_of_all(
    common: &[&'static str],
    kinds: &[(&'static str, &'static [&'static str])],
) -> Vec<&'static str> {
    let mut keys = common.to_vec();
    for key in kinds.iter().flat_map(|(_, keys)| *keys) {
        if !keys.contains(key) {
            keys.push(key);
        }
    }
    keys
}
