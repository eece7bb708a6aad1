//! Whether a scenario fits a world that can't hold or do everything. Only counting and naming: the
//! worlds themselves would find out too late.

use std::ops::Range;

use super::diagnostic::{Problems, Reported};
use super::{CONTAINERS_NODES, Churn, DiskFault, FaultKind, Scenario, TURMOIL_NODES, World};

impl Scenario {
    /// How many machines it can need: those at the start, those that faults bring, and as many as
    /// churn brings but for a chance of less than one in ten million.
    #[must_use]
    pub fn machines(&self) -> u32 {
        let joined = self.faults.iter().map(|fault| match fault.kind {
            FaultKind::Join { count } => count.saturating_mul(fault.times()),
            _ => 0,
        });
        let joined = joined.fold(0, u32::saturating_add);
        let joined = joined.saturating_mul(self.virtual_nodes.into());
        let newcomers = |churn: &Churn| (churn.until - churn.from).as_secs_f64() * churn.join;
        let mean: f64 = self.churn.iter().map(newcomers).sum();
        let mean = mean * f64::from(self.virtual_nodes);
        let most = if mean > 0.0 {
            (mean + 6.0 * libm::sqrt(mean) + 6.0) as u32
        } else {
            0
        };
        self.nodes.saturating_add(joined).saturating_add(most)
    }
}

/// The worlds that have room for few machines, and for how many.
const fn room(world: World) -> Option<(&'static str, u32)> {
    match world {
        World::Events => None,
        World::Turmoil => Some(("turmoil", TURMOIL_NODES)),
        World::Containers => Some(("containers", CONTAINERS_NODES)),
    }
}

/// Refuses a scenario that needs too many machines for its world. `place` is where the file says
/// how many nodes there are.
pub(super) fn fits(
    scenario: &Scenario,
    place: Range<usize>,
    problems: &mut Problems,
) -> Result<(), Reported> {
    let machines = scenario.machines();
    let Some((world, most)) = room(scenario.world).filter(|(_, most)| machines > *most) else {
        return Ok(());
    };
    let (nodes, newcomers) = (scenario.nodes, machines - scenario.nodes);
    let room = most.saturating_sub(newcomers);
    let message = if newcomers == 0 {
        format!("{nodes} nodes do not fit the `{world}` world")
    } else {
        format!("{nodes} nodes and up to {newcomers} that join do not fit the `{world}` world")
    };
    let help = if room == 0 {
        format!("it has room for {most}: let fewer join, or play this with `--world events`")
    } else if newcomers == 0 {
        format!(
            "it has room for {room}: play this with `--nodes {room}` or less, or with `--world \
             events`"
        )
    } else {
        format!(
            "it has room for {most}, newcomers included: play this with `--nodes {room}` or less, \
             let fewer join, or play it with `--world events`"
        )
    };
    Err(problems.report(place, message, help))
}

/// Refuses virtual nodes where there are none, or more than a node can see past to as many holders
/// as it needs. `place` is where the file asks for them.
pub(super) fn virtual_nodes(
    scenario: &Scenario,
    place: Range<usize>,
    problems: &mut Problems,
) -> Result<(), Reported> {
    let (world, each, node) = (scenario.world, scenario.virtual_nodes, &scenario.node);
    if each == 1 {
        return Ok(());
    }
    if world != World::Events {
        return Err(problems.report(
            place,
            format!("a process has one node in the `{}` world", world.name()),
            "leave `virtual_nodes` out, or play this with `--world events`",
        ));
    }
    // In the worst case all nodes of one process stand in a row.
    let needed = u32::from(node.replicas - 1) * u32::from(each);
    if u32::from(node.successors) < needed {
        return Err(problems.report(
            place,
            format!(
                "with so many virtual nodes and `replicas` the list of successors must be {needed} \
                 long"
            ),
            "raise `successors` in [node], or lower `virtual_nodes` or `replicas`",
        ));
    }
    Ok(())
}

/// Refuses broken links in a world that has none. `place` is where the file asks for them.
pub(super) fn links(
    scenario: &Scenario,
    place: Range<usize>,
    problems: &mut Problems,
) -> Result<(), Reported> {
    let world = scenario.world;
    if world == World::Events || scenario.network.broken_links == 0.0 {
        return Ok(());
    }
    Err(problems.report(
        place,
        format!("the `{}` world has no broken links", world.name()),
        "play this with `--world events`, or cut some off by a fault of kind `partition`",
    ))
}

/// Refuses a fault that can't be made in the scenario's world. `place` is where the file says what
/// kind it is.
pub(super) fn can_be_made(
    world: World,
    kind: &FaultKind,
    place: Range<usize>,
    problems: &mut Problems,
) -> Result<(), Reported> {
    let why = match (world, kind) {
        (World::Events, _) => return Ok(()),
        (World::Turmoil, kind) => return can_be_made_in_turmoil(kind, place, problems),
        (World::Containers, FaultKind::Skew { .. } | FaultKind::Clock { .. }) => {
            "containers share the clock of their host"
        }
        (World::Containers, FaultKind::Disk { what, .. }) => match what {
            DiskFault::Fails | DiskFault::Torn | DiskFault::Flip(_) | DiskFault::Slow(_) => {
                "the disk under a container is the host's"
            }
        },
        (World::Containers, FaultKind::Reset { .. }) => {
            "connections can't be cut there after so many bytes"
        }
        (World::Containers, FaultKind::Snapshot { .. } | FaultKind::Twin { .. }) => {
            "disks are not copied there"
        }
        (World::Containers, FaultKind::Move { .. }) => "machines keep their addresses there",
        (World::Containers, _) => return Ok(()),
    };
    let elsewhere = match can_turmoil(kind) {
        Ok(()) => "play this with `--world turmoil` or `--world events`",
        Err(_) => "play this with `--world events`",
    };
    Err(problems.report(
        place,
        format!("the `containers` world can't make this fault: {why}"),
        elsewhere,
    ))
}

fn can_be_made_in_turmoil(
    kind: &FaultKind,
    place: Range<usize>,
    problems: &mut Problems,
) -> Result<(), Reported> {
    can_turmoil(kind).map_err(|why| {
        problems.report(
            place,
            format!("the `turmoil` world can't make this fault: {why}"),
            "play this with `--world events`",
        )
    })
}

/// Whether the `turmoil` world can make a fault; if not, why.
const fn can_turmoil(kind: &FaultKind) -> Result<(), &'static str> {
    match kind {
        FaultKind::Move { .. } => Err("machines keep their addresses there"),
        FaultKind::Twin { .. } => Err("each machine has a key of its own there"),
        _ => Ok(()),
    }
}

/// Refuses another seed in the middle of a run where it would not be the same run before.
pub(super) fn can_be_reseeded(
    world: World,
    place: Range<usize>,
    problems: &mut Problems,
) -> Result<(), Reported> {
    if world == World::Events {
        return Ok(());
    }
    Err(problems.report(
        place,
        format!(
            "the `{}` world can't be reseeded in the middle of a run",
            world.name()
        ),
        "play this with `--world events`, or give the whole run another seed by `--seed`",
    ))
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
    fn what_a_container_can_not_suffer_is_refused() {
        let text = |world, fault| {
            format!(
                "world = \"{world}\"\nduration = \"1m\"\nring.nodes = 5\n\
                 [[fault]]\nat = \"1s\"\n{fault}\n"
            )
        };
        let skew = "kind = \"skew\"\nnodes = 1\nby = \"5s\"";
        assert!(parse(&text("turmoil", skew)).is_ok());
        let refused = parse(&text("containers", skew)).expect_err("there is one clock");
        assert_eq!(refused.problems()[0].line(), Some(6));
        let crash = "kind = \"crash\"\nnodes = 1";
        assert!(parse(&text("containers", crash)).is_ok());
    }

    #[test]
    fn only_small_worlds_are_too_small() {
        let text = |world| format!("world = \"{world}\"\nduration = \"1m\"\nring.nodes = 65\n");
        assert!(parse(&text("events")).is_ok());
        assert!(parse(&text("turmoil")).is_err());
        assert!(parse(&text("turmoil").replace("65", "64")).is_ok());
        assert!(parse(&text("containers").replace("65", "21")).is_err());
        assert!(parse(&text("containers").replace("65", "20")).is_ok());
    }
}
