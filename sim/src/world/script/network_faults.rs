//! The faults of the network that are in force.

use crate::world::{Random, Time};

/// A fault of the network that is in force.
#[derive(Clone, Debug)]
pub(in crate::world) enum NetworkFault {
    /// The part each node is in.
    Partition(Vec<u32>),
    /// Whether each node is among the senders, and among the receivers.
    OneWay(Vec<bool>, Vec<bool>),
    /// Nodes whose messages take longer, and by how much.
    Slow(Vec<bool>, Time),
    /// Nodes whose messages are lost, and which share.
    Loss(Vec<bool>, f64),
    /// Whether each node is among the senders, and among the receivers, of messages that take
    /// longer, and by how much.
    SlowLink(Vec<bool>, Vec<bool>, Time),
    /// The same of messages that are lost, and which share.
    LossLink(Vec<bool>, Vec<bool>, f64),
    /// Nodes whose connections are reset, and after how many bytes.
    #[cfg_attr(
        not(feature = "turmoil"),
        expect(dead_code, reason = "the other worlds have no connections to reset")
    )]
    Reset(Vec<bool>, u64),
}

/// All of them, by the occurrence. They add up.
#[derive(Clone, Debug, Default)]
pub(in crate::world) struct NetworkFaults(Vec<(usize, NetworkFault)>);

fn holds(set: &[bool], number: usize) -> bool {
    set.get(number).copied().unwrap_or(false)
}

impl NetworkFaults {
    pub(in crate::world) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::world) fn begin(&mut self, occurrence: usize, fault: NetworkFault) {
        self.0.push((occurrence, fault));
    }

    pub(in crate::world) fn end(&mut self, occurrence: usize) {
        self.0.retain(|(other, _)| *other != occurrence);
    }

    pub(super) fn has_partition(&self) -> bool {
        let splits =
            |(_, fault): &(usize, NetworkFault)| matches!(fault, NetworkFault::Partition(_));
        self.0.iter().any(splits)
    }

    /// The partitions, each with its occurrence and the part that each node is in.
    pub(super) fn partitions(&mut self) -> impl Iterator<Item = (usize, &mut Vec<u32>)> {
        self.0
            .iter_mut()
            .filter_map(|(occurrence, fault)| match fault {
                NetworkFault::Partition(parts) => Some((*occurrence, parts)),
                _ => None,
            })
    }

    /// What the faults in force do to a message: `None` if it does not get through, else the
    /// time they add.
    pub(in crate::world) fn pass(&self, from: u32, to: u32, chance: &mut Random) -> Option<Time> {
        let (from, to) = (from as usize, to as usize);
        let mut extra = 0;
        for (_, fault) in &self.0 {
            match fault {
                NetworkFault::Partition(parts) => {
                    if parts.get(from) != parts.get(to) {
                        return None;
                    }
                }
                NetworkFault::OneWay(senders, receivers) => {
                    if holds(senders, from) && holds(receivers, to) {
                        return None;
                    }
                }
                NetworkFault::Slow(nodes, time) => {
                    for slow in [holds(nodes, from), holds(nodes, to)] {
                        extra = u64::saturating_add(extra, *time * u64::from(slow));
                    }
                }
                NetworkFault::Loss(nodes, share) => {
                    if (holds(nodes, from) || holds(nodes, to)) && chance.happens(*share) {
                        return None;
                    }
                }
                NetworkFault::SlowLink(senders, receivers, time) => {
                    if holds(senders, from) && holds(receivers, to) {
                        extra = u64::saturating_add(extra, *time);
                    }
                }
                NetworkFault::LossLink(senders, receivers, share) => {
                    let concerned = holds(senders, from) && holds(receivers, to);
                    if concerned && chance.happens(*share) {
                        return None;
                    }
                }
                // Messages travel without connections here.
                NetworkFault::Reset(..) => {}
            }
        }
        Some(extra)
    }

    /// Whether nothing at all gets from one node to another.
    pub(in crate::world) fn block(&self, from: u32, to: u32) -> bool {
        let (from, to) = (from as usize, to as usize);
        self.0.iter().any(|(_, fault)| match fault {
            NetworkFault::Partition(parts) => parts.get(from) != parts.get(to),
            NetworkFault::OneWay(senders, receivers) => {
                holds(senders, from) && holds(receivers, to)
            }
            _ => false,
        })
    }

    /// The time that slow nodes add to what goes from one node to another.
    pub(in crate::world) fn delay(&self, from: u32, to: u32) -> Time {
        let slow = self.0.iter().map(|(_, fault)| match fault {
            NetworkFault::Slow(nodes, time) => [from, to]
                .map(|end| *time * u64::from(holds(nodes, end as usize)))
                .iter()
                .fold(0, |sum, &one| u64::saturating_add(sum, one)),
            NetworkFault::SlowLink(senders, receivers, time)
                if holds(senders, from as usize) && holds(receivers, to as usize) =>
            {
                *time
            }
            _ => 0,
        });
        slow.fold(0, u64::saturating_add)
    }

    /// Whether a message from one node to another is lost by chance.
    #[cfg(feature = "turmoil")]
    pub(in crate::world) fn lose(&self, from: u32, to: u32, chance: &mut Random) -> bool {
        self.0.iter().any(|(_, fault)| match fault {
            NetworkFault::Loss(nodes, share) => {
                let concerned = holds(nodes, from as usize) || holds(nodes, to as usize);
                concerned && chance.happens(*share)
            }
            NetworkFault::LossLink(senders, receivers, share) => {
                let concerned = holds(senders, from as usize) && holds(receivers, to as usize);
                concerned && chance.happens(*share)
            }
            _ => false,
        })
    }

    /// The share of what goes from one node to another that is lost by chance.
    #[cfg(feature = "containers")]
    pub(in crate::world) fn share_lost(&self, from: u32, to: u32) -> f64 {
        let passes = self.0.iter().map(|(_, fault)| match fault {
            NetworkFault::Loss(nodes, share)
                if holds(nodes, from as usize) || holds(nodes, to as usize) =>
            {
                1.0 - share
            }
            NetworkFault::LossLink(senders, receivers, share)
                if holds(senders, from as usize) && holds(receivers, to as usize) =>
            {
                1.0 - share
            }
            _ => 1.0,
        });
        1.0 - passes.product::<f64>()
    }

    /// After how many bytes a connection between two nodes is reset, if it is.
    #[cfg(feature = "turmoil")]
    pub(in crate::world) fn reset(&self, one: u32, other: u32) -> Option<u64> {
        let resets = self.0.iter().filter_map(|(_, fault)| match fault {
            NetworkFault::Reset(nodes, after) => {
                let concerned = holds(nodes, one as usize) || holds(nodes, other as usize);
                concerned.then_some(*after)
            }
            _ => None,
        });
        resets.min()
    }

    /// Whether no partition lies between two nodes.
    pub(super) fn are_together(&self, one: u32, other: u32) -> bool {
        self.0.iter().all(|(_, fault)| match fault {
            NetworkFault::Partition(parts) => parts.get(one as usize) == parts.get(other as usize),
            _ => true,
        })
    }

    /// Who is together with whom under all partitions in force, as a number for each node;
    /// `None` when all are.
    pub(super) fn sides(&self) -> Option<Vec<u32>> {
        let mut sides: Option<Vec<u32>> = None;
        for (_, fault) in &self.0 {
            if let NetworkFault::Partition(parts) = fault {
                sides = Some(match sides {
                    None => parts.clone(),
                    Some(sides) => crossed(&sides, parts),
                });
            }
        }
        sides
    }
}

/// Numbers for the pairs of parts that occur, in the order in which they first do.
fn crossed(one: &[u32], other: &[u32]) -> Vec<u32> {
    let mut pairs = Vec::new();
    let number = |pair: (u32, u32)| {
        let at = pairs
            .iter()
            .position(|&known| known == pair)
            .unwrap_or_else(|| {
                pairs.push(pair);
                pairs.len() - 1
            });
        at as u32
    };
    one.iter()
        .copied()
        .zip(other.iter().copied())
        .map(number)
        .collect()
}
