//! Whether a scenario fits the `turmoil` world, where time goes slower with the cube of the
//! machines. Only counting: the world itself would take more.

use std::ops::Range;

use super::diagnostic::{Problems, Reported};
use super::{Churn, FaultKind, Scenario, TURMOIL_NODES};

impl Scenario {
    /// How many machines it can need: those at the start, those that faults bring, and as many as
    /// churn brings but for a chance of less than one in ten million.
    #[must_use]
    pub fn machines(&self) -> u32 {
        let joined = self.faults.iter().map(|fault| match fault.kind {
            FaultKind::Join { count } => count,
            _ => 0,
        });
        let joined = joined.fold(0, u32::saturating_add);
        let newcomers = |churn: &Churn| (churn.until - churn.from).as_secs_f64() * churn.join;
        let mean: f64 = self.churn.iter().map(newcomers).sum();
        let most = if mean > 0.0 {
            (mean + 6.0 * libm::sqrt(mean) + 6.0) as u32
        } else {
            0
        };
        self.nodes.saturating_add(joined).saturating_add(most)
    }
}

/// Refuses a scenario that needs too many machines. `place` is where the file says how many nodes
/// there are.
pub(super) fn fits(
    scenario: &Scenario,
    place: Range<usize>,
    problems: &mut Problems,
) -> Result<(), Reported> {
    let machines = scenario.machines();
    if machines <= TURMOIL_NODES {
        return Ok(());
    }
    let (nodes, newcomers) = (scenario.nodes, machines - scenario.nodes);
    let room = TURMOIL_NODES.saturating_sub(newcomers);
    let message = if newcomers == 0 {
        format!("{nodes} nodes do not fit the `turmoil` world")
    } else {
        format!("{nodes} nodes and up to {newcomers} that join do not fit the `turmoil` world")
    };
    let help = if room == 0 {
        format!(
            "it has room for {TURMOIL_NODES}: let fewer join, or play this with `--world events`"
        )
    } else if newcomers == 0 {
        format!(
            "it has room for {room}: play this with `--nodes {room}` or less, or with `--world \
             events`"
        )
    } else {
        format!(
            "it has room for {TURMOIL_NODES}, newcomers included: play this with `--nodes {room}` \
             or less, let fewer join, or play it with `--world events`"
        )
    };
    Err(problems.report(place, message, help))
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;

    fn machines(rest: &str) -> u32 {
        let text = format!("duration = \"10m\"\nring.nodes = 10\n{rest}");
        let read = parse(&text).unwrap_or_else(|wrong| panic!("{wrong}"));
        read.machines()
    }

    #[test]
    fn newcomers_are_counted() {
        let join = |count| format!("[[fault]]\nkind = \"join\"\nat = \"1m\"\ncount = {count}\n");
        assert_eq!(machines(""), 10);
        assert_eq!(machines(&join(5)), 15);
        assert_eq!(machines(&format!("{}{}", join(5), join(7))), 22);
        assert_eq!(
            machines("[[churn]]\nleave = \"1/s\"\ncrash = \"1/s\"\n"),
            10
        );
        // Nine in the mean; more than 33 come once in a hundred million runs.
        let churn = "[[churn]]\njoin = \"1/min\"\nfrom = \"1m\"\n";
        assert_eq!(machines(churn), 10 + 9 + 18 + 6);
        assert_eq!(
            machines(&format!("{churn}{}", join(5))),
            10 + 9 + 18 + 6 + 5
        );
    }

    #[test]
    fn only_the_turmoil_world_is_too_small() {
        let text = |world| format!("world = \"{world}\"\nduration = \"1m\"\nring.nodes = 65\n");
        assert!(parse(&text("events")).is_ok());
        assert!(parse(&text("turmoil")).is_err());
        assert!(parse(&text("turmoil").replace("65", "64")).is_ok());
    }
}
