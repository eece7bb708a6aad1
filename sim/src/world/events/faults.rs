//! What the scenario does to the nodes and the network, and to whom.

use cuerda::node::Input;
use cuerda::ring::Id;

use super::wire::Cut;
use super::{Cause, Effect, Moment, Watcher, World, nanoseconds};
use crate::scenario::{Disk, FaultKind, Selector};

impl World {
    pub(super) fn begin_fault(&mut self, index: usize, watcher: &mut impl Watcher) {
        let fault = self.scenario.faults[index].clone();
        let now = self.wire.now;
        let cause = Cause::FaultBegan(index);
        let groups = match &fault.kind {
            FaultKind::Crash { nodes, .. }
            | FaultKind::Pause { nodes }
            | FaultKind::Slow { nodes, .. }
            | FaultKind::Loss { nodes, .. }
            | FaultKind::Skew { nodes, .. }
            | FaultKind::Leave { nodes } => vec![self.select(nodes)],
            FaultKind::OneWay { from, to } => vec![self.select(from), self.select(to)],
            FaultKind::Partition { split } => self.split(split),
            FaultKind::Join { count } => vec![(0..*count).map(|_| self.add_host()).collect()],
        };
        let until = fault
            .lasts
            .map(|lasts| now.saturating_add(nanoseconds(lasts)));
        let effect = Effect {
            index,
            kind: kind_name(&fault.kind),
            groups,
            until,
        };
        if let Some(until) = until {
            self.schedule_end(index, until);
        }
        watcher.fault_began(Moment { now, cause }, &effect);
        let first = effect.groups[0].clone();
        self.faults.push(effect.clone());
        match fault.kind {
            FaultKind::Crash { .. } => self.crash(&first, cause, watcher),
            FaultKind::Pause { .. } => {
                for number in first {
                    self.hosts[number as usize].paused += 1;
                }
            }
            FaultKind::Partition { .. } => {
                let parts = self.parts(&effect.groups);
                self.cut(index, Cut::Partition(parts), watcher);
            }
            FaultKind::OneWay { .. } => {
                let (from, to) = (self.set(&effect.groups[0]), self.set(&effect.groups[1]));
                self.cut(index, Cut::OneWay(from, to), watcher);
            }
            FaultKind::Slow { extra, .. } => {
                self.cut(
                    index,
                    Cut::Slow(self.set(&first), nanoseconds(extra)),
                    watcher,
                );
            }
            FaultKind::Loss { share, .. } => {
                self.cut(index, Cut::Loss(self.set(&first), share), watcher);
            }
            FaultKind::Skew { by_ms, .. } => self.skew(&first, by_ms),
            FaultKind::Leave { .. } => {
                for number in first {
                    self.leave(number, cause, watcher);
                }
            }
            FaultKind::Join { .. } => {
                for number in first {
                    self.enter(number, watcher);
                }
            }
        }
    }

    pub(super) fn end_fault(&mut self, index: usize, watcher: &mut impl Watcher) {
        let Some(at) = self.faults.iter().position(|effect| effect.index == index) else {
            return;
        };
        let effect = self.faults.remove(at);
        let cause = Cause::FaultEnded(index);
        let first = effect.groups[0].clone();
        match self.scenario.faults[index].kind.clone() {
            FaultKind::Crash { disk, .. } => {
                for number in first {
                    self.restart(number, disk, watcher);
                }
            }
            FaultKind::Leave { .. } => {
                for number in first {
                    self.restart(number, Disk::Kept, watcher);
                }
            }
            FaultKind::Pause { .. } => {
                for number in first {
                    self.wake(number);
                }
            }
            FaultKind::Partition { .. }
            | FaultKind::OneWay { .. }
            | FaultKind::Slow { .. }
            | FaultKind::Loss { .. } => self.mend(index, watcher),
            FaultKind::Skew { by_ms, .. } => self.skew(&first, by_ms.saturating_neg()),
            FaultKind::Join { .. } => {
                for number in first {
                    self.leave(number, cause, watcher);
                }
            }
        }
        watcher.fault_ended(
            Moment {
                now: self.wire.now,
                cause,
            },
            &effect,
        );
    }

    /// Starts a node again that is down. Identity and, with its disk, the peers it remembered
    /// are kept; what it knew of the ring never is.
    fn restart(&mut self, number: u32, disk: Disk, watcher: &mut impl Watcher) {
        let host = &self.hosts[number as usize];
        let remembered = host.node.remembered().collect();
        if host.up && host.node.is_member() {
            return;
        }
        if host.up {
            // Still on its way out, or in: its process is replaced.
            let cause = Cause::Order {
                node: number,
                kind: "restart",
            };
            self.take_down(
                number,
                Moment {
                    now: self.wire.now,
                    cause,
                },
                watcher,
            );
        }
        self.enter(number, watcher);
        if disk == Disk::Kept {
            self.order(number, Input::Remember(remembered), "remember", watcher);
        }
    }

    /// A paused node that no other fault pauses handles what has come meanwhile.
    fn wake(&mut self, number: u32) {
        let now = self.wire.now;
        let host = &mut self.hosts[number as usize];
        host.paused -= 1;
        if host.paused == 0 {
            for mut entry in std::mem::take(&mut host.backlog) {
                entry.time = now;
                self.wire.queue.push(entry);
            }
        }
    }

    fn skew(&mut self, numbers: &[u32], by_ms: i64) {
        for &number in numbers {
            let skew = &mut self.hosts[number as usize].skew_ms;
            *skew = skew.saturating_add(by_ms);
        }
    }

    fn cut(&mut self, index: usize, cut: Cut, watcher: &mut impl Watcher) {
        let splits = matches!(cut, Cut::Partition(_));
        self.wire.cuts.push((index, cut));
        if splits {
            self.tell_sides(Cause::FaultBegan(index), watcher);
        }
    }

    fn mend(&mut self, index: usize, watcher: &mut impl Watcher) {
        let splits = |(_, cut): &(usize, Cut)| matches!(cut, Cut::Partition(_));
        let split = self.wire.cuts.iter().any(splits);
        self.wire.cuts.retain(|(other, _)| *other != index);
        if split {
            self.tell_sides(Cause::FaultEnded(index), watcher);
        }
    }

    /// Tells who is together with whom under all partitions in force.
    fn tell_sides(&mut self, cause: Cause, watcher: &mut impl Watcher) {
        let at = Moment {
            now: self.wire.now,
            cause,
        };
        let mut sides: Option<Vec<u32>> = None;
        for (_, cut) in &self.wire.cuts {
            if let Cut::Partition(parts) = cut {
                sides = Some(match sides {
                    None => parts.clone(),
                    Some(sides) => crossed(&sides, parts),
                });
            }
        }
        watcher.sides(at, sides.as_deref());
    }

    /// A newcomer is on the side of the contact it joins through, or on that of those nobody
    /// named if it finds none.
    pub(super) fn stand_with(
        &mut self,
        number: u32,
        contact: Option<u32>,
        watcher: &mut impl Watcher,
    ) {
        let mut split = false;
        for (_, cut) in &mut self.wire.cuts {
            if let Cut::Partition(parts) = cut {
                split = true;
                if let Some(contact) = contact {
                    parts[number as usize] = parts[contact as usize];
                }
            }
        }
        if split {
            let cause = Cause::Order {
                node: number,
                kind: "join",
            };
            self.tell_sides(cause, watcher);
        }
    }

    /// A new machine, which no partition has named, stands with the rest.
    pub(super) fn stand_with_the_rest(&mut self) {
        for (index, cut) in &mut self.wire.cuts {
            if let Cut::Partition(parts) = cut {
                let effect = self.faults.iter().find(|effect| effect.index == *index);
                let groups = effect.map_or(1, |effect| effect.groups.len());
                parts.push(groups as u32 - 1);
            }
        }
    }

    /// Whether no partition lies between two nodes.
    pub(super) fn reaches(&self, one: u32, other: u32) -> bool {
        self.wire.cuts.iter().all(|(_, cut)| match cut {
            Cut::Partition(parts) => parts.get(one as usize) == parts.get(other as usize),
            _ => true,
        })
    }

    /// The part each node is in; who is in none is in the last one.
    fn parts(&self, groups: &[Vec<u32>]) -> Vec<u32> {
        let last = groups.len() as u32 - 1;
        let mut parts = vec![last; self.hosts.len()];
        for (part, group) in (0..).zip(groups) {
            for &number in group {
                parts[number as usize] = part;
            }
        }
        parts
    }

    fn set(&self, numbers: &[u32]) -> Vec<bool> {
        let mut set = vec![false; self.hosts.len()];
        for &number in numbers {
            set[number as usize] = true;
        }
        set
    }

    /// The nodes that a selector names among the members now, in the order of their numbers.
    fn select(&mut self, selector: &Selector) -> Vec<u32> {
        let mut taken = vec![false; self.hosts.len()];
        self.take(selector, &mut taken)
    }

    /// Several groups, none sharing a node with an earlier one.
    fn split(&mut self, selectors: &[Selector]) -> Vec<Vec<u32>> {
        let mut taken = vec![false; self.hosts.len()];
        selectors
            .iter()
            .map(|selector| self.take(selector, &mut taken))
            .collect()
    }

    fn take(&mut self, selector: &Selector, taken: &mut [bool]) -> Vec<u32> {
        let free: Vec<u32> = {
            let mut free = self.members.all().to_vec();
            free.retain(|&number| !taken[number as usize]);
            free.sort_unstable();
            free
        };
        let mut chosen = match selector {
            Selector::Node(number) => free.into_iter().filter(|other| other == number).collect(),
            Selector::Count(count) => self.draw(free, *count as usize),
            Selector::Share(share) => {
                let count = libm::round(self.members.len() as f64 * share) as usize;
                self.draw(free, count)
            }
            Selector::Owner(key) => self.holders(key, 1, taken),
            Selector::Successors(key, count) => self.holders(key, *count as usize, taken),
            Selector::Arc(from, to) => {
                let on =
                    |number: &u32| on_arc(self.hosts[*number as usize].node.me().id, *from, *to);
                free.into_iter().filter(on).collect()
            }
            Selector::Rest => free,
            Selector::List(selectors) => {
                let mut all = Vec::new();
                for selector in selectors {
                    all.extend(self.take(selector, taken));
                }
                all
            }
        };
        chosen.sort_unstable();
        for &number in &chosen {
            taken[number as usize] = true;
        }
        chosen
    }

    /// So many of these at random, none twice.
    fn draw(&mut self, mut from: Vec<u32>, count: usize) -> Vec<u32> {
        let count = count.min(from.len());
        for place in 0..count {
            let other = place + self.chooser.below((from.len() - place) as u64) as usize;
            from.swap(place, other);
        }
        from.truncate(count);
        from
    }

    /// The first members at or after a key that are not taken.
    fn holders(&self, key: &str, count: usize, taken: &[bool]) -> Vec<u32> {
        let round = self.members.from(Id::of_key(key.as_bytes())).take(count);
        round
            .map(|(_, number)| number)
            .filter(|&number| !taken[number as usize])
            .collect()
    }
}

/// Whether a point lies between two fractions of the circle, half-open; the arc may wrap.
fn on_arc(point: Id, from: f64, to: f64) -> bool {
    let fraction = point.high() as f64 / (u64::MAX as f64 + 1.0);
    if from <= to {
        from <= fraction && fraction < to
    } else {
        from <= fraction || fraction < to
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

const fn kind_name(kind: &FaultKind) -> &'static str {
    match kind {
        FaultKind::Crash { .. } => "crash",
        FaultKind::Pause { .. } => "pause",
        FaultKind::Partition { .. } => "partition",
        FaultKind::OneWay { .. } => "one_way",
        FaultKind::Slow { .. } => "slow",
        FaultKind::Loss { .. } => "loss",
        FaultKind::Skew { .. } => "skew",
        FaultKind::Leave { .. } => "leave",
        FaultKind::Join { .. } => "join",
    }
}
