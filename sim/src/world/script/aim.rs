//! Whom a fault hits, how many that are, and what they are to the network.

use cuerda_core::store::Store as _;

use super::coming::{add, add_twin};
use super::network_faults::NetworkFault;
use super::select::{select, split, whole_processes};
use super::{Machines, processes};
use crate::scenario::{DiskFault, FaultKind};
use crate::world::{Effect, nanoseconds};

/// Whom a fault hits, in groups: with each node all others of its process.
pub(super) fn choose<W: Machines>(
    world: &mut W,
    occurrence: usize,
    kind: &FaultKind,
) -> Vec<Vec<u32>> {
    let mut groups = named(world, occurrence, kind);
    match kind {
        // The first can't hit both ends of one way, and these have their own.
        FaultKind::OneWay { .. } | FaultKind::SlowLink { .. } | FaultKind::LossLink { .. } => {
            for group in &mut groups {
                whole_processes(world, std::slice::from_mut(group), true);
            }
        }
        FaultKind::Twin { .. } | FaultKind::Join { .. } => {}
        FaultKind::Restart { .. } | FaultKind::Move { .. } | FaultKind::Snapshot { .. } => {
            whole_processes(world, &mut groups, false);
        }
        _ => whole_processes(world, &mut groups, true),
    }
    groups
}

/// Whom the scenario names.
fn named<W: Machines>(world: &mut W, occurrence: usize, kind: &FaultKind) -> Vec<Vec<u32>> {
    match kind {
        FaultKind::Crash { nodes, .. }
        | FaultKind::Restart { nodes, .. }
        | FaultKind::Move { nodes }
        | FaultKind::Clock { nodes, .. }
        | FaultKind::Pause { nodes }
        | FaultKind::Slow { nodes, .. }
        | FaultKind::Loss { nodes, .. }
        | FaultKind::Reset { nodes, .. }
        | FaultKind::Skew { nodes, .. }
        | FaultKind::Disk { nodes, .. }
        | FaultKind::Leave { nodes } => vec![select(world, nodes)],
        FaultKind::Snapshot { .. } => vec![processes::copied(world, occurrence)],
        FaultKind::Twin { nodes } => {
            let mut nodes = [select(world, nodes)];
            whole_processes(world, &mut nodes, false);
            let [nodes] = nodes;
            let twins = nodes.iter().map(|&of| add_twin(world, of)).collect();
            vec![nodes, twins]
        }
        FaultKind::OneWay { from, to }
        | FaultKind::SlowLink { from, to, .. }
        | FaultKind::LossLink { from, to, .. } => vec![select(world, from), select(world, to)],
        FaultKind::Partition { split: parts } => split(world, parts),
        FaultKind::Join { count } => {
            let nodes = count.saturating_mul(world.script().per_process());
            vec![(0..nodes).map(|_| add(world)).collect()]
        }
    }
}

/// How many nodes a fault hits that has chosen these.
pub(super) fn hit<W: Machines>(world: &mut W, kind: &FaultKind, groups: &[Vec<u32>]) -> u32 {
    let hit = match kind {
        FaultKind::Partition { .. } => {
            // Whoever is named in no part is in the last one, so that may have nobody named.
            let parts = parts(world, groups);
            let up: Vec<u32> = (0..world.machines()).filter(|&n| world.is_up(n)).collect();
            let part = |number: &u32| parts[*number as usize];
            let is_cut = up.iter().any(|number| part(number) != part(&up[0]));
            if is_cut { up.len() } else { 0 }
        }
        FaultKind::OneWay { .. } | FaultKind::SlowLink { .. } | FaultKind::LossLink { .. } => {
            let passes = |from: &u32| groups[1].iter().any(|to| to != from);
            groups[0].iter().filter(|from| passes(from)).count()
        }
        FaultKind::Disk {
            what: DiskFault::Flip(_),
            ..
        } => {
            let holds = |number: &&u32| world.with_store(**number, |store| store.len()) > Some(0);
            groups[0].iter().filter(holds).count()
        }
        _ => groups[0].len(),
    };
    u32::try_from(hit).expect("node numbers fit 32 bits")
}

/// Whether a fault can still hit nodes that were chosen for it a while ago.
pub(super) fn can_be_hit<W: Machines>(world: &W, kind: &FaultKind, chosen: &[u32]) -> bool {
    let starts = matches!(kind, FaultKind::Restart { .. } | FaultKind::Move { .. });
    starts || chosen.iter().any(|&number| world.is_up(number))
}

/// Nodes in the order in which they are hit one after the other; those of a process together.
pub(super) fn one_after_another<W: Machines>(world: &W, chosen: &[u32]) -> Vec<Vec<u32>> {
    let together = |one: &u32, other: &u32| world.script().siblings(*one).contains(other);
    chosen.chunk_by(together).map(<[u32]>::to_vec).collect()
}

/// What a fault is to the network; `None` if nothing.
pub(super) fn of_network<W: Machines>(
    world: &W,
    kind: &FaultKind,
    effect: &Effect,
) -> Option<NetworkFault> {
    let group = |place: usize| set(world, &effect.groups[place]);
    Some(match kind {
        FaultKind::Partition { .. } => NetworkFault::Partition(parts(world, &effect.groups)),
        FaultKind::OneWay { .. } => NetworkFault::OneWay(group(0), group(1)),
        FaultKind::SlowLink { extra, .. } => {
            NetworkFault::SlowLink(group(0), group(1), nanoseconds(*extra))
        }
        FaultKind::LossLink { share, .. } => NetworkFault::LossLink(group(0), group(1), *share),
        FaultKind::Slow { extra, .. } => NetworkFault::Slow(group(0), nanoseconds(*extra)),
        FaultKind::Loss { share, .. } => NetworkFault::Loss(group(0), *share),
        FaultKind::Reset { after, .. } => NetworkFault::Reset(group(0), *after),
        _ => return None,
    })
}

/// The part each node is in; who is in none is in the last one.
fn parts<W: Machines>(world: &W, groups: &[Vec<u32>]) -> Vec<u32> {
    let last = groups.len() as u32 - 1;
    let mut parts = vec![last; world.machines() as usize];
    for (part, group) in (0..).zip(groups) {
        for &number in group {
            parts[number as usize] = part;
        }
    }
    parts
}

fn set<W: Machines>(world: &W, numbers: &[u32]) -> Vec<bool> {
    let mut set = vec![false; world.machines() as usize];
    for &number in numbers {
        set[number as usize] = true;
    }
    set
}
