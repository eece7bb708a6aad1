//! Whether Chord's nodes take the steps that the protocol prescribes.
//!
//! The ring's invariants say what must hold of all members together, and clients see little of a
//! step that was left out: the next round makes up for it. Here each node is watched by itself: what
//! it was handed, what it sent because of that, and whom it took for its neighbours before and after.
//! A rule names what must follow from what, and the paper or the file that says so:
//!
//! ```text
//!   act.rs         one input and all that came of it, as the rules read it
//!   steps.rs       stabilize and rectify (Zave 2017, section IV)
//!   membership.rs  joining, founding, finding back, leaving (Zave 2017, IV; Stoica et al. 2003, IV-E)
//!   lookups.rs     look-ups: whom they ask, when they end (Stoica et al. 2003, IV)
//!   reunion.rs     probes and what follows from them (Shafaat et al. 2009)
//!   records.rs     stamps and clocks; who may serve an arc, and when it is let go of
//!   copies.rs      what is on a disk: acknowledged, forgotten, set aside
//! ```
//!
//! It asks no node and knows no more than was said: where a node may have had a reason that nothing
//! shows, no rule applies. A node that the rules call wrong is wrong.

mod act;
mod copies;
mod lookups;
mod membership;
mod records;
mod reunion;
mod steps;
#[cfg(test)]
mod tests;

use std::time::Duration;

use cuerda_core::chord::{Message, Node};
use cuerda_core::protocol::{Event, Input};
use cuerda_core::ring::{Id, Neighbours, Peer};
use cuerda_core::store::Batch;

use super::rules::{Breach, Rules};
use crate::scenario::Scenario;
use crate::world::{
    DiskGone, EPOCH_MS, Effect, Gone, LookupEnd, Moment, NodeView, ReadEnd, Subject, Time, Watcher,
    WriteEnd, nanoseconds,
};
use act::{Act, Told};
use copies::Copies;
use lookups::Chains;
use membership::Life;
use records::Serving;
use reunion::Probes;
use steps::Steps;

/// Of a larger ring about so many nodes are followed, and newcomers in the same proportion: all run
/// the same code, and following one costs about as much as running it.
const FOLLOWED: u32 = 48;

/// Watches the steps of nodes.
#[derive(Clone, Debug)]
pub struct Conformance {
    settings: Settings,
    /// Of so many nodes it follows one.
    every: u32,
    /// By their numbers, as far as they are followed.
    nodes: Vec<Seen>,
    /// What is being handled.
    act: Act,
    breaches: Vec<Breach>,
}

/// What the rules need of the nodes' settings.
#[derive(Clone, Copy, Debug)]
struct Settings {
    room: usize,
    attempts: u8,
    /// The longest back-off of a probe, in stabilization periods.
    probe_periods_max: u64,
    found_after: Duration,
    hand_over_within: Time,
    tombstones_for_ms: u64,
    repair_every_ms: u64,
    acks: u8,
    remembered: usize,
}

/// What is known of a node.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// As it was after what it last handled; `None` before.
    neighbours: Option<Neighbours>,
    is_member: bool,
    steps: Steps,
    life: Life,
    chains: Chains,
    probes: Probes,
    serving: Serving,
    copies: Copies,
}

impl Seen {
    /// Its process has just been started: what it was doing is over.
    fn starts(&mut self, now: Time) {
        self.is_member = false;
        self.steps = Steps::default();
        self.chains = Chains::default();
        self.probes = Probes::default();
        self.serving.starts();
        self.copies.starts(now);
    }
}

/// What a rule is given.
struct Case<'a> {
    settings: Settings,
    now: Time,
    act: &'a Act,
    me: Peer,
    before: &'a Neighbours,
    after: &'a Neighbours,
    number: u32,
    breaches: &'a mut Vec<Breach>,
}

impl Case<'_> {
    /// Milliseconds since 1970 by a clock that is right.
    fn wall_clock(&self) -> u64 {
        EPOCH_MS + self.now / 1_000_000
    }

    fn breach(&mut self, rule: &'static str, detail: String) {
        self.breaches.push(Breach {
            rule,
            node: self.number,
            detail,
        });
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A node in a sentence: the beginning of its identifier.
fn short(peer: Id) -> String {
    format!("{peer:.8}")
}

impl Conformance {
    fn seen(&mut self, number: u32) -> &mut Seen {
        let at = (number / self.every) as usize;
        if self.nodes.len() <= at {
            self.nodes.resize_with(at + 1, Seen::default);
        }
        &mut self.nodes[at]
    }

    fn follows(&self, number: u32) -> bool {
        number.is_multiple_of(self.every)
    }

    /// Whether this is about the node that handles something now.
    fn is_acting(&self, number: u32) -> bool {
        self.act.number == Some(number)
    }

    fn judge(&mut self, now: Time, node: NodeView<'_, Neighbours>) {
        let number = node.number;
        self.seen(number);
        let Conformance {
            settings,
            every,
            nodes,
            act,
            breaches,
        } = self;
        let seen = &mut nodes[(number / *every) as usize];
        let before = seen.neighbours.take();
        let mut case = Case {
            settings: *settings,
            now,
            act,
            me: node.peer,
            before: before.as_ref().unwrap_or(node.view),
            after: node.view,
            number,
            breaches,
        };
        seen.life.judge(&mut case);
        seen.is_member = (seen.is_member || act.joined) && !act.is_gone();
        let is_member = seen.is_member;
        let home = seen.chains.judge(&mut case);
        seen.probes.judge(&mut case, is_member, home, &seen.steps);
        let queries = seen.chains.open() + seen.probes.open();
        seen.steps.judge(&mut case, is_member, queries);
        let has_records = !seen.copies.is_empty();
        seen.serving
            .judge(&mut case, seen.life.asked_to_leave(), has_records);
        seen.copies.judge(&mut case);
        // A node that tells of no change has none.
        let changed = act.changed || act.joined || act.left || act.stranded;
        seen.neighbours = before
            .filter(|_| !changed)
            .or_else(|| Some(node.view.clone()));
        act.clear();
    }
}

impl Rules<Node> for Conformance {
    fn start<'a>(
        scenario: &Scenario,
        _: Time,
        members: impl Iterator<Item = NodeView<'a, Neighbours>>,
    ) -> Conformance {
        let node = &scenario.node;
        let most = node.probe_every_max.unwrap_or(node.stabilize_every * 2);
        let period = node.stabilize_every.as_nanos().max(1);
        let periods = most.as_nanos().div_ceil(period).max(1);
        let mut conformance = Conformance {
            every: (scenario.nodes / FOLLOWED).max(1),
            settings: Settings {
                room: node.successors.into(),
                attempts: node.attempts,
                probe_periods_max: u64::try_from(periods).unwrap_or(u64::MAX),
                found_after: node.found_after,
                hand_over_within: nanoseconds(node.hand_over_within),
                tombstones_for_ms: milliseconds(node.tombstones_for),
                repair_every_ms: milliseconds(node.repair_every()),
                acks: node.acks(),
                remembered: node.remembered.into(),
            },
            nodes: Vec::new(),
            act: Act::default(),
            breaches: Vec::new(),
        };
        let every = conformance.every;
        for node in members.filter(|node| node.number % every == 0) {
            let seen = conformance.seen(node.number);
            seen.neighbours = Some(node.view.clone());
            seen.is_member = true;
            seen.serving.begins_with_its_own();
        }
        conformance
    }

    fn breaches(&mut self) -> Vec<Breach> {
        std::mem::take(&mut self.breaches)
    }
}

impl Watcher<Node> for Conformance {
    #[inline]
    fn follows_steps(&self, number: u32) -> bool {
        number.is_multiple_of(self.every)
    }

    fn handles(&mut self, at: Moment, number: u32, input: &Input<Node>) {
        self.act.begin(number, input);
        if matches!(input, Input::Found | Input::Join(_)) {
            self.seen(number).starts(at.now);
        }
    }

    fn sent(&mut self, _: Moment, _: u32, to: Peer, message: &Message) {
        self.act.say(to, message);
    }

    fn handled(&mut self, at: Moment, node: NodeView<'_, Neighbours>) {
        if self.is_acting(node.number) {
            self.judge(at.now, node);
        }
    }

    fn joined(&mut self, _: Moment, node: NodeView<'_, Neighbours>) {
        if self.is_acting(node.number) {
            self.act.joined = true;
        } else if self.follows(node.number) {
            self.seen(node.number).is_member = true;
        }
    }

    fn changed(&mut self, _: Moment, node: NodeView<'_, Neighbours>) {
        self.act.changed |= self.is_acting(node.number);
    }

    fn gone(&mut self, _: Moment, number: u32, how: Gone) {
        match how {
            Gone::Left if self.is_acting(number) => self.act.left = true,
            Gone::Stranded if self.is_acting(number) => self.act.stranded = true,
            _ if !self.follows(number) => {}
            _ => {
                let seen = self.seen(number);
                seen.is_member = false;
                seen.steps = Steps::default();
                seen.chains = Chains::default();
                seen.serving.stopped();
                seen.copies.stopped();
            }
        }
    }

    fn lookup_ended(&mut self, _: Moment, end: &LookupEnd) {
        if self.is_acting(end.asker)
            && let Ok((_, found)) = end.result
        {
            self.act.told.push(Told::Owner(end.key, found.owner.id));
        }
    }

    fn write_ended(&mut self, _: Moment, end: &WriteEnd) {
        if let Ok(written) = &end.result {
            let (stamp, past) = (written.stamp, end.issue.past);
            if self.is_acting(end.issue.asker) && stamp <= past {
                self.breaches
                    .push(records::below_past(end.issue.asker, stamp, past));
            }
            if written.wanted < self.settings.acks {
                let (asker, wanted) = (end.issue.asker, written.wanted);
                let breach = records::too_few(asker, wanted, self.settings.acks);
                self.breaches.push(breach);
            }
        }
    }

    fn read_ended(&mut self, _: Moment, end: &ReadEnd) {
        let alone = matches!(&end.result, Ok(reading) if reading.authoritative);
        if self.is_acting(end.asker) && alone {
            self.act.told.push(Told::ReadFor(end.key));
        }
    }

    fn committed(&mut self, _: Moment, number: u32, _: Id, batch: &Batch) {
        if self.follows(number) {
            self.seen(number).copies.committed(batch);
        }
    }

    fn disks_gone(&mut self, _: Moment, numbers: &[u32], how: DiskGone) {
        self.act.ended |= how == DiskGone::Left && numbers.iter().any(|it| self.is_acting(*it));
        if how == DiskGone::Lost {
            let every = self.every;
            for &number in numbers.iter().filter(|number| **number % every == 0) {
                let seen = self.seen(number);
                seen.serving.disk_lost();
                seen.copies.disk_lost();
            }
        }
    }

    fn fault_began(&mut self, _: Moment, effect: &Effect) {
        let every = self.every;
        let hit = effect.groups.iter().flatten();
        for &number in hit.filter(|number| **number % every == 0) {
            match effect.kind {
                "skew" | "clock" => {
                    let seen = self.seen(number);
                    seen.serving.clock_is_off();
                    seen.copies.clock_is_off();
                }
                "disk" => self.seen(number).serving.disk_is_slow(),
                _ => {}
            }
        }
    }

    fn on_event(
        &mut self,
        _: Moment,
        number: u32,
        event: &Event<std::convert::Infallible>,
        _: Option<Subject>,
    ) {
        if self.is_acting(number) {
            match event {
                Event::PresumedDead(peer) => self.act.told.push(Told::Dead(peer.id)),
                Event::SetAside => self.act.told.push(Told::SetAside),
                Event::Damaged(key) => self.act.told.push(Told::Damaged(*key)),
                Event::Ignored(..) => self.act.ignored = true,
                _ => {}
            }
        }
    }
}
