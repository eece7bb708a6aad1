//! `status`: where a node stands, who is beside it, what it waits for and what to try next.

use cuerda::host::{LinesLost, NodeStatus, OutOfReach, Status};
use cuerda::node::{Copies, Membership};
use cuerda::ring::Peer;

use super::client::Target;
use super::output::{self, Output, count, harmless};
use super::{Exit, Failure};

/// Tell where the node stands and what it waits for
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
}

/// Asks the node.
pub(crate) fn run(args: Args, output: Output) -> Result<Exit, Failure> {
    let answer = args.target.get::<Status>("/v1/status")?;
    if output.json {
        output::print_json(&answer.document)?;
    } else {
        output::print(&shown(&answer.value))?;
    }
    Ok(Exit::Done)
}

fn shown(status: &Status) -> String {
    let mut lines = Vec::new();
    for node in &status.nodes {
        lines.push(format!(
            "node {:.8} at {} {}",
            node.id,
            harmless(&status.address),
            standing(node, &harmless(&status.cluster))
        ));
        if node.standing == Membership::Member && !node.successors.is_empty() {
            lines.push(format!("  predecessor  {}", node.predecessor));
            lines.push(format!(
                "  successors   {}  ({} of {})",
                peers(&node.successors),
                node.successors.len(),
                node.successors_wanted
            ));
            lines.push(format!("  fingers      {} different", node.fingers));
        }
        if node.records > 0 {
            lines.push(format!(
                "  records      {}{}{}",
                node.records,
                copies(node.copies),
                to_hand_over(node.to_hand_over)
            ));
        }
        if !node.remembered.is_empty() {
            lines.push(format!(
                "  presumed dead, still probed: {}",
                peers(&node.remembered)
            ));
        }
    }
    if let Some(reason) = status.waits_for() {
        lines.push(harmless(&reason));
    }
    let out_of_reach = status.out_of_reach.iter().flat_map(OutOfReach::words);
    lines.extend(out_of_reach.map(|words| format!("OUT OF REACH: {}", harmless(&words))));
    if let Some(wrong) = status.clock_wrong() {
        lines.push(format!("WRONG CLOCK: {wrong}"));
    }
    if !status.lines_lost.is_none() {
        let LinesLost { log, stdout } = status.lines_lost;
        lines.push(format!(
            "LOST: {log} lines of its log and {stdout} of stdout could not be written"
        ));
    }
    let secured = if status.secure {
        "secured by TLS"
    } else {
        "NOT SECURED: anybody can claim any place"
    };
    lines.push(format!(
        "{} to others, {secured}; up for {}, start number {}",
        count(status.connections, "connection", "connections"),
        output::uptime(status.uptime_s),
        status.incarnation
    ));
    lines.push(format!("next: {}", next(status)));
    lines.join("\n") + "\n"
}

/// What is to be said of the copies of what a node serves, behind the number of its records.
fn copies(copies: Copies) -> String {
    let mut words = match copies.lacking {
        0 => String::new(),
        1 => ", of which 1 lacks copies".to_owned(),
        keys => format!(", of which {keys} lack copies"),
    };
    if copies.under_way {
        words += "; comparing with other holders";
    }
    words
}

/// What a node that was told to leave waits for.
fn to_hand_over(records: Option<u64>) -> String {
    records.map_or_else(String::new, |records| {
        format!("; it leaves once others have {records} of them")
    })
}

fn standing(node: &NodeStatus, cluster: &str) -> String {
    match node.standing {
        Membership::Outside => "belongs to no ring".to_owned(),
        Membership::Joining => format!("is joining the ring `{cluster}`"),
        Membership::Member if node.successors.is_empty() => {
            format!("is the whole ring `{cluster}`")
        }
        Membership::Member => format!("is a member of the ring `{cluster}`"),
        Membership::Stranded => "has lost the ring and is on the way back".to_owned(),
        Membership::Leaving => "is leaving the ring".to_owned(),
    }
}

/// The first few of them.
fn peers(peers: &[Peer]) -> String {
    const SHOWN: usize = 3;
    let mut words: Vec<String> = peers.iter().take(SHOWN).map(Peer::to_string).collect();
    if peers.len() > SHOWN {
        words.push(format!("{} more", peers.len() - SHOWN));
    }
    words.join(", ")
}

fn next(status: &Status) -> String {
    let address = harmless(&status.address);
    let alone = |node: &NodeStatus| node.successors.is_empty();
    if !status.is_member() {
        "`cuerda health` once it waits for nothing; the log says what it tries".to_owned()
    } else if status.nodes.iter().all(alone) {
        format!("others join by `cuerda node run --join {address}`")
    } else {
        "`cuerda ring` walks round the ring; `cuerda lookup KEY --trace` finds an owner".to_owned()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use cuerda::host::Unreached;
    use cuerda::ring::Id;

    pub(crate) fn peer(place: u8) -> Peer {
        Peer {
            id: Id::from_high(u64::from(place) << 56),
            address: std::net::SocketAddr::from(([10, 0, 0, place], 4000)).into(),
        }
    }

    pub(crate) fn status(standing: Membership, successors: &[u8]) -> Status {
        Status {
            release: "0.0.0".to_owned(),
            protocol: 1,
            cluster: "cuerda".to_owned(),
            public_key: "00".repeat(32),
            address: "10.0.0.10:4000".to_owned(),
            incarnation: 3,
            uptime_s: 125.0,
            secure: true,
            connections: 2,
            waiting_for: None,
            out_of_reach: None,
            lines_lost: LinesLost::default(),
            disk_bytes: Some(40_960),
            stabilized_s: Some(0.5),
            nodes: vec![NodeStatus {
                id: peer(10).id,
                standing,
                predecessor: peer(90),
                successors: successors.iter().map(|&place| peer(place)).collect(),
                successors_wanted: 8,
                fingers: 4,
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

    #[test]
    fn it_begins_with_the_standing_and_ends_with_a_next_step() {
        let mut joining = status(Membership::Joining, &[]);
        joining.waiting_for = Some("waiting for a member to answer".to_owned());
        let mut bare = status(Membership::Member, &[20, 30, 40, 50, 90]);
        bare.secure = false;
        bare.nodes[0].remembered = vec![peer(60)];
        bare.nodes[0].copies.lacking = 3;
        bare.nodes[0].copies.under_way = true;
        bare.nodes[0].clock_wrong_ms = Some(-3 * 60 * 60 * 1000);
        let mut leaving = status(Membership::Leaving, &[20]);
        leaving.nodes[0].to_hand_over = Some(4);
        bare.out_of_reach = Some(OutOfReach {
            others: vec![Unreached {
                peer: peer(90),
                why: "connection refused".to_owned(),
            }],
            at: Some(peer(10).address),
            told_by: Some(peer(20).address),
        });
        let all = [
            shown(&joining),
            shown(&leaving),
            shown(&status(Membership::Member, &[])),
            shown(&bare),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }
}
