//! Whether a scenario leaves intact what the ring's promises need. What nobody promised to survive
//! is no finding: with k copies, no more than k-1 may be destroyed before they can be made anew,
//! somebody must stay to take over, and what rots must be read before the run ends.

use std::time::Duration;

use super::cause::crowd;
use crate::scenario::{Disk, DiskFault, Fault, FaultKind, Scenario, Selector, WorkloadKind};

/// Whether all that the checks look for is promised.
pub(super) fn is_promised(scenario: &Scenario) -> bool {
    let records = || copies_stay(scenario) && rot_is_found(scenario);
    somebody_stays(scenario) && (!judges_records(scenario) || records())
}

/// Whether anything is stored and looked after.
fn judges_records(scenario: &Scenario) -> bool {
    let stores = |kind| matches!(kind, WorkloadKind::Records(_));
    scenario.checks.records && scenario.workloads.iter().any(|it| stores(it.kind))
}

/// Who leaves or crashes for good are not all, even if they leave at different times.
fn somebody_stays(scenario: &Scenario) -> bool {
    let goes = |fault: &Fault| match &fault.kind {
        FaultKind::Leave { nodes } => most(nodes, scenario.nodes),
        // Who sleeps for good is gone as well.
        FaultKind::Crash { nodes, .. } | FaultKind::Pause { nodes } if fault.lasts.is_none() => {
            most(nodes, scenario.nodes)
        }
        _ => 0,
    };
    // Each takes its whole process with it, and somebody else each time.
    let each = u32::from(scenario.virtual_nodes);
    let goes = |fault: &Fault| {
        goes(fault)
            .saturating_mul(fault.times())
            .saturating_mul(each)
    };
    let gone = scenario
        .faults
        .iter()
        .map(goes)
        .fold(0, u32::saturating_add);
    let churn = scenario.churn.iter().map(|churn| {
        let window = (churn.until - churn.from).as_secs_f64();
        (churn.leave + churn.crash - churn.join / 2.0) * window * 1.5 * f64::from(each)
    });
    let churn: f64 = churn.map(|gone| gone.max(0.0)).sum();
    f64::from(gone) + churn < f64::from(scenario.nodes)
}

/// How many nodes a selector can name at most: as their places are drawn, all may stand on an arc.
fn most(nodes: &Selector, all: u32) -> u32 {
    match nodes {
        Selector::Arc(..) => all,
        Selector::List(list) => list
            .iter()
            .map(|one| most(one, all))
            .fold(0, u32::saturating_add),
        other => crowd(other, all),
    }
}

/// Fewer copies are destroyed than a write has, counting those together that are destroyed before
/// what is left can be copied again.
fn copies_stay(scenario: &Scenario) -> bool {
    if scenario.churn.iter().any(|churn| churn.crash > 0.0) {
        return false;
    }
    let copies = u32::from(scenario.node.acks().min(scenario.node.replicas));
    // Where fewer are left, there are fewer copies.
    let left_at = |at: Duration| {
        let leaves = scenario.faults.iter().filter(|fault| fault.at <= at);
        let leaves = leaves.map(|fault| match &fault.kind {
            FaultKind::Leave { nodes } => crowd(nodes, scenario.nodes) * fault.times(),
            _ => 0,
        });
        scenario.nodes.saturating_sub(leaves.sum())
    };
    let node = &scenario.node;
    let anew = (node.stabilize_every * 20).max(node.repair_every() * 5);
    let anew = anew.max(Duration::from_secs(60));
    let destroyed: Vec<(Duration, u32)> = scenario
        .faults
        .iter()
        .flat_map(|fault| {
            let many = destroys(fault, scenario.nodes);
            fault.beginnings(fault.at).map(move |at| (at, many))
        })
        .filter(|(_, many)| *many > 0)
        .collect();
    destroyed.iter().all(|(from, _)| {
        let together = destroyed
            .iter()
            .filter(|(at, _)| at >= from && *at < *from + anew);
        together.map(|(_, many)| many).sum::<u32>() < copies.min(left_at(*from))
    })
}

/// All that is held is read once after the last bit has flipped, and fetched again from others.
fn rot_is_found(scenario: &Scenario) -> bool {
    let rots = |fault: &&Fault| {
        let FaultKind::Disk { what, .. } = &fault.kind else {
            return false;
        };
        matches!(what, DiskFault::Flip(_))
    };
    let round = scenario.node.scrub_every * 2;
    let mut flips = scenario
        .faults
        .iter()
        .filter(rots)
        .flat_map(|fault| fault.beginnings(fault.at));
    flips.all(|at| at + round <= scenario.duration)
}

/// How many disks a fault takes or spoils for good.
fn destroys(fault: &Fault, nodes: u32) -> u32 {
    match &fault.kind {
        FaultKind::Crash {
            nodes: whom,
            disk: Disk::Lost,
        }
        | FaultKind::Restart {
            nodes: whom,
            disk: Disk::Lost,
        } => crowd(whom, nodes),
        // What was written since the copy was made is gone from that disk.
        FaultKind::Snapshot { nodes: whom, .. } => crowd(whom, nodes),
        FaultKind::Crash { nodes: whom, .. } | FaultKind::Pause { nodes: whom }
            if fault.lasts.is_none() =>
        {
            crowd(whom, nodes)
        }
        FaultKind::Disk {
            nodes: whom,
            what: DiskFault::Flip(_),
        } => crowd(whom, nodes),
        // It does not start again without an end.
        FaultKind::Disk {
            nodes: whom,
            what: DiskFault::Fails | DiskFault::Torn,
        } if fault.lasts.is_none() => crowd(whom, nodes),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Document;
    use super::*;

    fn promised(rest: &str) -> bool {
        let text = format!(
            "duration = \"20m\"\nring.nodes = 9\nnode.stabilize_every = \"2s\"\n\
             workload = [{{ kind = \"put\", rate = \"1/s\", keys = 1 }}]\n{rest}"
        );
        let scenario = Document::read(&text).unwrap().scenario("a.toml");
        is_promised(&scenario.unwrap_or_else(|wrong| panic!("{wrong}")))
    }

    #[test]
    fn one_copy_must_stay_or_nothing_is_promised() {
        let crash = |at: &str, nodes: u8| {
            format!("  {{ at = \"{at}\", kind = \"crash\", nodes = {nodes} }},\n")
        };
        let faults = |all: &[String]| format!("fault = [\n{}]\n", all.concat());
        assert!(promised(""));
        assert!(promised(&faults(&[crash("1m", 2)])));
        assert!(!promised(&faults(&[crash("1m", 3)])));
        assert!(!promised(&faults(&[crash("1m", 2), crash("90s", 1)])));
        assert!(promised(&faults(&[crash("1m", 2), crash("5m", 2)])));
        let old = |nodes: u8| {
            format!("  {{ at = \"1m\", kind = \"snapshot\", nodes = {nodes}, age = \"9s\" }},\n")
        };
        let asleep = |nodes: u8, long: &str| {
            format!("  {{ at = \"1m\", kind = \"pause\", nodes = {nodes}{long} }},\n")
        };
        assert!(promised(&faults(&[asleep(2, "")])));
        assert!(!promised(&faults(&[asleep(3, "")])), "they sleep for good");
        assert!(promised(&faults(&[asleep(3, ", for = \"9s\"")])));
        let leave = "  { at = \"10s\", kind = \"leave\", nodes = 7 },\n".to_owned();
        assert!(promised(&faults(&[leave.clone(), crash("1m", 1)])));
        assert!(!promised(&faults(&[leave, crash("1m", 2)])), "none is left");
        assert!(promised(&faults(&[old(2)])));
        assert!(!promised(&faults(&[old(3)])));
        let again = "  { at = \"1m\", kind = \"crash\", nodes = 1, every = \"9s\", times = 3 },\n";
        assert!(!promised(&faults(&[again.to_owned()])));
        let without = format!("checks = [\"ring\"]\n{}", faults(&[crash("1m", 3)]));
        assert!(promised(&without), "records are left out of account");
    }

    #[test]
    fn what_rots_must_be_read_in_time() {
        let rot = "fault = [{ at = \"1m\", kind = \"disk\", nodes = 1, what = \"flip\" }]\n";
        assert!(!promised(rot), "a day is longer than the run");
        assert!(promised(&format!("node.scrub_every = \"9m\"\n{rot}")));
        assert!(!promised(&format!("node.scrub_every = \"10m\"\n{rot}")));
    }

    #[test]
    fn somebody_must_stay() {
        let leave =
            |nodes: u8| format!("fault = [{{ at = \"1m\", kind = \"leave\", nodes = {nodes} }}]\n");
        assert!(promised(&leave(8)));
        assert!(!promised(&leave(9)));
        let stretch =
            |rest: &str| format!("fault = [{{ at = \"1m\", kind = \"leave\", nodes = {rest} }}]\n");
        assert!(
            !promised(&stretch("\"arc(0.1..0.3)\"")),
            "all may stand there"
        );
        assert!(!promised(&stretch("[\"n1\", \"arc(0.1..0.3)\"]")));
        assert!(promised(&stretch("\"successors(key:k0, 8)\"")));
        assert!(promised("churn = [{ leave = \"1/5m\" }]\n"));
        assert!(!promised("churn = [{ leave = \"1/s\" }]\n"));
        assert!(!promised("churn = [{ crash = \"1/10m\" }]\n"));
    }
}
