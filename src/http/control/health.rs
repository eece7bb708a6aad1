//! Whether a node can do its work, judged from what it tells about itself. A pure function.

use serde::{Deserialize, Serialize};

use crate::host::{NodeStatus, Status};
use crate::http::{Check, Code, Problem};
use cuerda_core::chord::{Copies, Membership};

/// How a node is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wellbeing {
    /// All checks hold.
    Healthy,
    /// It does its work, but a check that it can do without does not hold.
    Degraded,
    /// It can't do its work.
    Unhealthy,
}

/// How a node is, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// In a word.
    pub status: Wellbeing,
    /// What was checked.
    pub checks: Vec<Check>,
}

impl Health {
    /// Judges a node; `stopping` once its process has begun to stop.
    #[must_use]
    pub fn of(status: &Status, stopping: bool) -> Health {
        let checks = vec![
            running(stopping),
            member(status),
            successors(status),
            full_list(status),
            certain(status),
            clock(status),
            copies(status),
        ];
        let mut failing = checks.iter().filter(|check| !check.ok).peekable();
        let status = if failing.peek().is_none() {
            Wellbeing::Healthy
        } else if failing.any(|check| check.required) {
            Wellbeing::Unhealthy
        } else {
            Wellbeing::Degraded
        };
        Health { status, checks }
    }

    /// The same as a problem, for a node that is not ready.
    #[must_use]
    pub fn problem(self) -> Problem {
        let failed: Vec<&str> = self
            .checks
            .iter()
            .filter(|check| check.required && !check.ok)
            .map(|check| check.detail.as_str())
            .collect();
        let detail = failed.join("; ");
        Problem {
            checks: self.checks,
            ..Problem::new(
                Code::NotReady,
                detail,
                "`cuerda status` says what it waits for",
            )
        }
    }
}

/// Whether a node can do its work while a check does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Required,
    Wanted,
}

fn holds(name: &str, need: Need, detail: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        ok: true,
        required: need == Need::Required,
        detail: detail.into(),
    }
}

fn fails(name: &str, need: Need, detail: impl Into<String>) -> Check {
    Check {
        ok: false,
        ..holds(name, need, detail)
    }
}

fn running(stopping: bool) -> Check {
    if stopping {
        fails(
            "running",
            Need::Required,
            "the process has been told to stop",
        )
    } else {
        holds("running", Need::Required, "the process runs")
    }
}

fn member(status: &Status) -> Check {
    let outside = status
        .nodes
        .iter()
        .filter(|node| node.standing != Membership::Member);
    let outside = outside.count();
    if outside == 0 {
        return holds("member", Need::Required, "the node belongs to a ring");
    }
    let waits = match &status.waiting_for {
        Some(reason) => format!(": {reason}"),
        None => String::new(),
    };
    let all = status.nodes.len();
    let detail = match all {
        1 => format!("the node does not belong to a ring{waits}"),
        _ => format!("{outside} of {all} nodes do not belong to a ring{waits}"),
    };
    fails("member", Need::Required, detail)
}

/// Whether all that there may be is known: not so when the whole ring had stopped and too few are
/// back.
fn certain(status: &Status) -> Check {
    match status.waits_for() {
        Some(reason) if status.is_member() => fails("certain", Need::Wanted, reason),
        _ => holds(
            "certain",
            Need::Wanted,
            "what is not found is not there".to_owned(),
        ),
    }
}

/// Whether this machine's clock is near those of others.
fn clock(status: &Status) -> Check {
    match status.clock_wrong() {
        Some(wrong) => fails("clock", Need::Wanted, wrong),
        None => holds(
            "clock",
            Need::Wanted,
            "no other node's clock says otherwise",
        ),
    }
}

/// Whether as many nodes as should hold the records that it serves do.
fn copies(status: &Status) -> Check {
    let copies = status.copies();
    // Who belongs to no ring serves nothing, which another check says.
    if copies.are_complete() || !status.is_member() {
        let detail = "all that it serves is on as many nodes as should hold it";
        return holds("copies", Need::Wanted, detail);
    }
    fails("copies", Need::Wanted, copies_in_words(copies))
}

/// What is not as it should be with the copies, in words.
pub(super) fn copies_in_words(copies: Copies) -> String {
    let mut words = match (copies.lacking, copies.settled) {
        (0, _) => "it does not yet serve what it should".to_owned(),
        (1, _) => "1 key that it serves lacks copies".to_owned(),
        (keys, _) => format!("{keys} keys that it serves lack copies"),
    };
    words += match copies.under_way {
        true => "; they are under way",
        false => "; are there as many nodes as `replicas` says?",
    };
    words
}

fn successors(status: &Status) -> Check {
    let lost = status
        .nodes
        .iter()
        .any(|node| node.successors.is_empty() && !is_alone(node));
    if lost {
        let detail = "it knows no successor, so it has lost the ring";
        return fails("successors", Need::Required, detail);
    }
    let detail = if status.nodes.iter().all(is_alone) {
        "it is the whole ring"
    } else {
        "it knows its successors"
    };
    holds("successors", Need::Required, detail)
}

fn full_list(status: &Status) -> Check {
    let short = status.nodes.iter().find(|node| !is_full(node));
    match short {
        None => holds("successor_list", Need::Wanted, "the successor list is full"),
        Some(node) => {
            let detail = format!(
                "the successor list has {} of {} entries; it fills while the ring stabilizes",
                node.successors.len(),
                node.successors_wanted
            );
            fails("successor_list", Need::Wanted, detail)
        }
    }
}

fn is_alone(node: &NodeStatus) -> bool {
    node.standing == Membership::Member && node.predecessor.id == node.id
}

/// A ring that is smaller than the list ends the list with the predecessor.
fn is_full(node: &NodeStatus) -> bool {
    node.successors.len() >= usize::from(node.successors_wanted)
        || node.successors.last() == Some(&node.predecessor)
        || is_alone(node)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::host::LinesLost;
    use cuerda_core::ring::test_peers::{peer, peers};

    /// A member of the ring 10, 20, 30.
    pub(crate) fn status() -> Status {
        Status {
            release: "0.0.0".to_owned(),
            protocol: 1,
            cluster: "cuerda".to_owned(),
            public_key: "00".repeat(32),
            address: "10.0.0.10:4000".to_owned(),
            incarnation: 3,
            uptime_s: 12.5,
            secure: true,
            connections: 2,
            waiting_for: None,
            out_of_reach: None,
            lines_lost: LinesLost::default(),
            disk_bytes: Some(40_960),
            stabilized_s: Some(0.5),
            nodes: vec![NodeStatus {
                id: peer(10).id,
                standing: Membership::Member,
                predecessor: peer(30),
                successors: peers(&[20, 30]),
                successors_wanted: 8,
                fingers: 2,
                remembered: Vec::new(),
                in_doubt: 0.0,
                clock_wrong_ms: None,
                records: 5,
                scrubbed: 3,
                copies: Copies {
                    settled: true,
                    ..Copies::default()
                },
                to_hand_over: None,
            }],
        }
    }

    fn failing(status: &Status, stopping: bool) -> (Wellbeing, Vec<String>) {
        let health = Health::of(status, stopping);
        let failing = health.checks.into_iter().filter(|check| !check.ok);
        (health.status, failing.map(|check| check.name).collect())
    }

    fn with(change: impl FnOnce(&mut NodeStatus)) -> Status {
        let mut status = status();
        change(&mut status.nodes[0]);
        status
    }

    #[test]
    fn a_small_ring_and_a_ring_of_one_are_healthy() {
        assert_eq!(failing(&status(), false), (Wellbeing::Healthy, vec![]));
        let alone = with(|node| {
            node.predecessor = peer(10);
            node.successors.clear();
        });
        assert_eq!(failing(&alone, false), (Wellbeing::Healthy, vec![]));
    }

    #[test]
    fn each_check_fails_for_its_reason() {
        let of = |status: &Status| failing(status, false);
        let named = |name: &str| vec![name.to_owned()];
        let stranded = with(|node| node.standing = Membership::Stranded);
        assert_eq!(of(&stranded), (Wellbeing::Unhealthy, named("member")));
        let short = with(|node| node.successors = peers(&[20]));
        assert_eq!(of(&short), (Wellbeing::Degraded, named("successor_list")));
        let lacking = with(|node| node.copies.lacking = 3);
        assert_eq!(of(&lacking), (Wellbeing::Degraded, named("copies")));
        let wrong = with(|node| node.clock_wrong_ms = Some(3 * 3_600_000));
        assert_eq!(of(&wrong), (Wellbeing::Degraded, named("clock")));
        let said = Health::of(&wrong, false).checks;
        assert!(
            said.iter()
                .any(|check| check.detail.contains("180 minutes ahead of")),
            "{said:?}"
        );
        let moving = with(|node| node.copies.settled = false);
        assert_eq!(of(&moving), (Wellbeing::Degraded, named("copies")));
        let lost = with(|node| node.successors.clear());
        let both = vec!["successors".to_owned(), "successor_list".to_owned()];
        assert_eq!(of(&lost), (Wellbeing::Unhealthy, both));
        assert_eq!(
            failing(&status(), true),
            (Wellbeing::Unhealthy, named("running"))
        );
    }

    #[test]
    fn one_node_outside_makes_the_process_unready() {
        let mut two = status();
        two.nodes.push(two.nodes[0].clone());
        two.nodes[1].standing = Membership::Joining;
        two.waiting_for = Some("waiting for a member to answer".to_owned());
        let problem = Health::of(&two, false).problem();
        insta::assert_snapshot!(serde_json::to_string_pretty(&problem).unwrap());
    }
}
