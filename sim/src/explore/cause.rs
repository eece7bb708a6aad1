//! What a document has in it that can go wrong, in words: enough to tell failures of one kind from
//! those of another, and to see which documents have all that it takes.

use std::collections::BTreeSet;

use crate::scenario::{Disk, DiskFault, FaultKind, Scenario, Selector, WorkloadKind};

/// Something lasts longer than deletions are remembered, so that whoever was away through it can't
/// know of all of them.
const OUTLASTED: &str = "longer than deletions are remembered";

/// The ingredients of a scenario, such as `leave of all but one` or `restart of one`.
pub(super) fn ingredients(scenario: &Scenario) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for fault in &scenario.faults {
        let lasts = fault.lasts.is_some();
        let mut what = match &fault.kind {
            FaultKind::Crash {
                nodes,
                disk: Disk::Lost,
            } => whom("disk lost", nodes, scenario),
            FaultKind::Restart {
                nodes,
                disk: Disk::Lost,
            } => whom("disk lost", nodes, scenario),
            FaultKind::Crash { nodes, .. } if lasts => whom("restart", nodes, scenario),
            FaultKind::Restart { nodes, .. } => whom("restart", nodes, scenario),
            FaultKind::Move { nodes } => whom("move", nodes, scenario),
            FaultKind::Snapshot { nodes, .. } => whom("old disk", nodes, scenario),
            FaultKind::Twin { nodes } => whom("twin", nodes, scenario),
            FaultKind::Crash { nodes, .. } => whom("crash", nodes, scenario),
            FaultKind::Leave { nodes } if lasts => whom("leave and return", nodes, scenario),
            FaultKind::Leave { nodes } => whom("leave", nodes, scenario),
            FaultKind::Pause { nodes } => whom("pause", nodes, scenario),
            FaultKind::Slow { nodes, .. } => whom("slow", nodes, scenario),
            FaultKind::Loss { nodes, .. } => whom("loss", nodes, scenario),
            FaultKind::Join { .. } if lasts => "join and leave".to_owned(),
            FaultKind::Join { .. } => "join".to_owned(),
            FaultKind::SlowLink { .. } => "slow links".to_owned(),
            FaultKind::LossLink { .. } => "lossy links".to_owned(),
            FaultKind::Clock {
                jump_ms, drift_ppm, ..
            } if jump_ms.saturating_add(*drift_ppm) < 0 => "clock behind".to_owned(),
            FaultKind::Clock { .. } => "clock ahead".to_owned(),
            FaultKind::Skew { by_ms, .. } if *by_ms < 0 => "clock behind".to_owned(),
            FaultKind::Skew { .. } => "clock ahead".to_owned(),
            FaultKind::Disk {
                what: DiskFault::Flip(_),
                ..
            } => "rot".to_owned(),
            FaultKind::Disk {
                what: DiskFault::Slow(_),
                ..
            } => "slow disk".to_owned(),
            FaultKind::Disk { .. } => "failing disk".to_owned(),
            FaultKind::Partition { .. } => "partition".to_owned(),
            FaultKind::OneWay { .. } => "one-way cut".to_owned(),
            FaultKind::Reset { .. } => "reset".to_owned(),
        };
        if fault.apart.is_some() {
            what.push_str(" in turn");
        }
        found.insert(what);
    }
    if scenario.virtual_nodes > 1 {
        found.insert("virtual nodes".to_owned());
    }
    if !scenario.churn.is_empty() {
        found.insert("churn".to_owned());
    }
    let remembered = scenario.node.tombstones_for;
    let mut lengths = scenario.faults.iter().filter_map(|fault| fault.lasts);
    if lengths.any(|lasts| lasts > remembered) {
        found.insert(OUTLASTED.to_owned());
    }
    for workload in &scenario.workloads {
        if let WorkloadKind::Records(access) = workload.kind {
            if access.deletes > 0.0 {
                found.insert("deletions".to_owned());
            }
            if access.lives.is_some() {
                found.insert("short lives".to_owned());
            }
        }
    }
    found
}

/// Ingredients in a line.
pub(super) fn in_words(ingredients: &BTreeSet<String>) -> String {
    if ingredients.is_empty() {
        return "nothing".to_owned();
    }
    let words: Vec<&str> = ingredients.iter().map(String::as_str).collect();
    words.join(" + ")
}

fn whom(what: &str, nodes: &Selector, scenario: &Scenario) -> String {
    let (n, k) = (scenario.nodes, u32::from(scenario.node.replicas));
    let r = u32::from(scenario.node.successors);
    let many = crowd(nodes, n);
    let crowd = match many {
        _ if many >= n => "all",
        _ if many == n - 1 => "all but one",
        _ if many >= r => "a whole successor list",
        _ if many >= k => "all holders",
        1 => "one",
        _ => "some",
    };
    format!("{what} of {crowd}")
}

/// About how many nodes a selector names.
pub(super) fn crowd(nodes: &Selector, all: u32) -> u32 {
    let share = |share: f64| libm::round(share * f64::from(all)) as u32;
    match nodes {
        Selector::Count(count) | Selector::Successors(_, count) => *count,
        Selector::Share(part) => share(*part),
        Selector::Arc(from, to) if from <= to => share(to - from),
        Selector::Arc(from, to) => share(1.0 + to - from),
        Selector::Rest => all,
        Selector::List(list) => list.iter().map(|one| crowd(one, all)).sum(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::Document;

    #[test]
    fn ingredients_tell_how_many_are_hit() {
        let text = "duration = \"5m\"\nring.nodes = 9\n\
                    node = { successors = 5, tombstones_for = \"20s\" }\n\
                    workload = [{ kind = \"put\", rate = \"1/s\", keys = 1, deletes = 0.5 }]\n";
        let of = |fault: &str| {
            let text = format!("{text}fault = [{{ at = \"1m\", {fault} }}]\n");
            let scenario = Document::read(&text).unwrap().scenario("a.toml");
            let scenario = scenario.unwrap_or_else(|wrong| panic!("{wrong}"));
            in_words(&ingredients(&scenario))
        };
        let leave = |nodes: &str| of(&format!("kind = \"leave\", nodes = {nodes}"));
        assert_eq!(leave("1"), "deletions + leave of one");
        assert_eq!(leave("2"), "deletions + leave of some");
        assert_eq!(
            leave("[\"n1\", \"n2\", 1]"),
            "deletions + leave of all holders"
        );
        assert_eq!(leave("6"), "deletions + leave of a whole successor list");
        assert_eq!(leave("8"), "deletions + leave of all but one");
        assert_eq!(leave("\"100%\""), "deletions + leave of all");
        let restart = "kind = \"crash\", nodes = \"n1\", for = \"5s\"";
        assert_eq!(of(restart), "deletions + restart of one");
        let rolling = "kind = \"restart\", nodes = \"100%\", apart = \"5s\"";
        assert_eq!(of(rolling), "deletions + restart of all in turn");
        let long = "kind = \"pause\", nodes = \"n1\", for = \"30s\"";
        assert_eq!(of(long), format!("deletions + {OUTLASTED} + pause of one"));
    }
}
