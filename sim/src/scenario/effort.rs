//! How much a run takes, before it is begun: enough to know that one can't come to its end. It is
//! right to within a factor of about three, and knows nothing of the machine.

use std::time::Duration;

use super::{Scenario, WorkloadKind, World};

/// A node of a ring of any size, with its tables and timers. `docs/measurements.md` has the peaks.
const NODE_BYTES: f64 = 4500.0;
/// The whole program in the `turmoil` world, with its sockets and its database.
const PROGRAM_BYTES: f64 = 2e6;
/// A copy of a record, and what the checks remember of it, without the value.
const COPY_BYTES: f64 = 400.0;
/// What a node does in a period of stabilization: timers that are void count too.
const IN_A_PERIOD: f64 = 12.0;
/// What it does to refresh one finger.
const FOR_A_FINGER: f64 = 4.0;
/// What a hop of a look-up is, there and back, and what writing or reading is for each holder.
const FOR_A_HOP: f64 = 3.0;
const FOR_A_HOLDER: f64 = 6.0;

/// What a run takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// How many events there are to handle.
    pub events: f64,
    /// How much memory that needs, in bytes.
    pub bytes: f64,
}

impl Scenario {
    /// What it takes to play it, about.
    #[must_use]
    pub fn effort(&self) -> Effort {
        let machines = f64::from(self.machines());
        let rate = |every: Duration| 1.0 / every.as_secs_f64().max(1e-9);
        let ways = libm::log2(machines.max(2.0));
        let beyond = (ways - libm::log2(f64::from(self.node.successors))).max(1.0);
        let each = IN_A_PERIOD * rate(self.node.stabilize_every)
            + FOR_A_FINGER * beyond * rate(self.node.fix_fingers_every);
        let hops = FOR_A_HOP * (ways / 2.0 + 1.0);
        let holders = f64::from(self.node.replicas);
        let (mut events, mut bytes) = (machines * each * self.duration.as_secs_f64(), 0.0);
        for workload in &self.workloads {
            let length = (workload.until - workload.from).as_secs_f64();
            let asked = workload.rate * length;
            events += asked * hops;
            if let WorkloadKind::Records(access) = workload.kind {
                events += asked * FOR_A_HOLDER * holders;
                let written = (asked * (1.0 - access.reads)).min(f64::from(access.keys));
                bytes += written * holders * (COPY_BYTES + f64::from(access.value.1));
            }
        }
        let of_one = match self.world {
            World::Events => NODE_BYTES,
            World::Turmoil | World::Containers => PROGRAM_BYTES,
        };
        bytes += machines * of_one;
        Effort { events, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Overrides;

    fn effort(text: &str) -> Effort {
        // What is expected of the report takes nothing.
        let (text, _) = text.split_once("\n[expect]").unwrap_or((text, ""));
        let scenario = Scenario::parse("a.toml", text, &[], &Overrides::default());
        let scenario = scenario.unwrap_or_else(|wrong| panic!("{wrong}"));
        scenario.effort()
    }

    #[test]
    fn it_is_about_what_runs_take() {
        let within = |is: f64, measured: f64| {
            let factor = (is / measured).max(measured / is);
            assert!(factor < 3.0, "{is:e} for {measured:e}");
        };
        for (text, events) in [
            (include_str!("../../../scenarios/churn.toml"), 1.13e6),
            (include_str!("../../../scenarios/churn-writes.toml"), 1.03e6),
            (include_str!("../../../scenarios/speed/10k.toml"), 1.92e6),
        ] {
            within(effort(text).events, events);
        }
        let million = "duration = \"10s\"\nring.nodes = 1000000\n";
        within(effort(million).bytes, 4.3 * 1024.0_f64.powi(3));
    }

    #[test]
    fn records_and_operations_count() {
        let base = "duration = \"1h\"\nring.nodes = 10\n";
        let stores = |rest: &str| {
            effort(&format!(
                "{base}[[workload]]\nkind = \"put\"\nrate = \"1000/s\"\n{rest}"
            ))
        };
        let few = stores("keys = 10\n");
        let many = stores("keys = 1000000\nvalue = \"10KiB\"\n");
        assert!(few.events > 20.0 * effort(base).events);
        assert!(many.bytes > 1e10 && few.bytes < 1e6, "{many:?} {few:?}");
    }
}
