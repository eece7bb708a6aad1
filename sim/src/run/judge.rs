//! The watcher that feeds the checkers, and writes down what they find.

use std::collections::BTreeMap;

use cuerda_core::chord::{Event, Node};
use cuerda_core::ring::{Id, Neighbours};
use cuerda_core::store::Batch;

use super::Listener;
use super::records::RecordWatch;
use super::tally::{Tally, name};
use crate::check::excuse::{Excuses, PARTITION, SUSPICION, Verdict};
use crate::check::lookups::LookupOracle;
use crate::check::property::Property;
use crate::check::ring::{Change, RingChecker};
use crate::report::{Loss, Ring, Violation};
use crate::scenario::{self, Scenario};
use crate::world::{
    Cause, DiskGone, Effect, Gone, LookupEnd, Moment, ReadEnd, SECOND, Time, Watcher, World,
    WriteEnd, WriteIssue, nanoseconds,
};

/// As many violations are described; all are counted.
const DESCRIBED: usize = 20;

/// Watches a run.
pub(super) struct Judge<'a, 'b> {
    pub(super) tally: Tally,
    ring: Option<RingWatch>,
    oracle: Option<LookupOracle>,
    sides: Vec<u32>,
    violations: Vec<Violation>,
    /// Violations of the ring's properties, and of look-ups.
    of_ring: u64,
    of_lookups: u64,
    of_records: u64,
    /// Whether what the ring checker finds is a violation; else it only serves the oracle.
    ring_is_checked: bool,
    /// Whether nodes run in real time, on machines that have other things to do too.
    is_real: bool,
    origin: Time,
    pub(super) records: Option<RecordWatch>,
    listener: Option<&'a mut Listener<'b>>,
}

/// The ring checker and what it has seen.
struct RingWatch {
    checker: RingChecker,
    excuses: Excuses,
    /// Since when the ring has been ideal, if it is.
    ideal_since: Option<Time>,
    /// The last change of membership, and the last fault's end (or begin, if it stays).
    last_change: Time,
    last_fault: Option<Time>,
    /// The ring as a whole, once in doubt, is not looked at again before this time unless what
    /// is found would be a violation.
    next_look: Time,
    /// Wrong look-ups in an ideal ring, by the name of what excuses them.
    excused_lookups: BTreeMap<&'static str, u64>,
    stabilize_every: Time,
}

impl<'a, 'b> Judge<'a, 'b> {
    pub(super) fn new(
        scenario: &Scenario,
        world: &impl World,
        listener: Option<&'a mut Listener<'b>>,
    ) -> Judge<'a, 'b> {
        let checks = scenario.checks;
        let members = || {
            world
                .each_member()
                .map(|(number, node)| (number, node.neighbours()))
        };
        let mut judge = Judge {
            tally: Tally::new(world),
            ring: (checks.ring || checks.lookups || checks.records).then(|| {
                let room = usize::from(scenario.node.successors);
                let checker = RingChecker::start(room, members());
                RingWatch::new(checker, scenario, world.origin())
            }),
            oracle: checks.lookups.then(|| LookupOracle::start(members())),
            sides: Vec::new(),
            violations: Vec::new(),
            of_ring: 0,
            of_lookups: 0,
            of_records: 0,
            ring_is_checked: checks.ring,
            is_real: scenario.world == scenario::World::Containers,
            records: RecordWatch::new(scenario),
            origin: world.origin(),
            listener,
        };
        judge.look(
            Moment {
                now: world.origin(),
                cause: Cause::Start,
            },
            false,
        );
        judge
    }

    /// Reads off what the ring checker has found.
    fn look(&mut self, at: Moment, by_failure: bool) {
        let Some(ring) = &mut self.ring else { return };
        let mut found = Vec::new();
        ring.look(at.now, by_failure, &mut found);
        for Broken {
            property,
            node,
            at: now,
            overdue,
        } in found
        {
            if self.ring_is_checked {
                self.of_ring += 1;
                let at = Moment {
                    now,
                    cause: at.cause,
                };
                let late = overdue.map_or(String::new(), |excuse| {
                    format!(" (excused by {excuse} until now, and still broken)")
                });
                let detail = format!("{}{late}", sentence(property));
                self.describe(at, property.to_string(), detail, node);
            }
        }
    }

    /// Takes in what was found about records.
    fn look_at_records(&mut self, at: Moment) {
        let Some(records) = &mut self.records else {
            return;
        };
        for (check, detail) in records.drain(at.now) {
            self.of_records += 1;
            self.describe(at, check, detail, None);
        }
    }

    /// Since when the ring has been ideal with the members it has, and nothing disturbs it.
    fn settled_since(&self, now: Time) -> Option<Time> {
        let ring = self.ring.as_ref()?;
        let disturbed = ring.excuses.excuse(now, Property::OrderedRing).is_some();
        let since = ring.ideal_since.filter(|_| !disturbed)?;
        Some(since.max(ring.last_change))
    }

    /// Whether the ring is settled enough for what is kept in it to be in order.
    pub(super) fn is_quiet(&self, now: Time) -> bool {
        let patience = self.records.as_ref().map_or(0, |records| records.patience);
        self.settled_since(now)
            .is_some_and(|since| since + patience <= now)
    }

    /// The end of the run, for what is stored: which members there are, in the order of the
    /// circle.
    pub(super) fn stored_at_end(&mut self, now: Time, circle: &[(Id, u32)]) {
        let quiet = self.is_quiet(now);
        let at = Moment {
            now,
            cause: Cause::End,
        };
        if let Some(records) = &mut self.records {
            records.end(now, circle, quiet);
        }
        self.look_at_records(at);
    }

    /// What was lost.
    pub(super) fn losses(&mut self) -> Vec<Loss> {
        let records = self.records.as_mut();
        let losses = records.map_or(Vec::new(), |records| std::mem::take(&mut records.losses));
        let told = |(at, key, detail, excuse): (Time, String, String, Option<&str>)| Loss {
            at_s: self.tally.seconds(at),
            key,
            detail,
            excuse: excuse.map(str::to_owned),
        };
        losses.into_iter().map(told).collect()
    }

    /// All that was violated since the ring was told of, and how often.
    pub(super) fn more_violations(&mut self, now: Time) -> (Vec<Violation>, u64) {
        self.look_at_records(Moment {
            now,
            cause: Cause::End,
        });
        (std::mem::take(&mut self.violations), self.of_records)
    }

    fn describe(&mut self, at: Moment, check: String, detail: String, node: Option<u32>) {
        if self.violations.len() < DESCRIBED {
            self.violations.push(Violation {
                at_s: self.tally.seconds(at.now),
                check,
                detail,
                node: node.map(name),
                cause: at.cause.to_string(),
            });
        }
    }

    /// The world could not go on.
    pub(super) fn broken(&self, now: Time, why: &str) -> Violation {
        Violation {
            at_s: self.tally.seconds(now),
            check: "world".to_owned(),
            detail: why.to_owned(),
            node: None,
            cause: Cause::End.to_string(),
        }
    }

    /// The ring's part of the report, the violations described, and how many there were.
    pub(super) fn ring(&mut self, now: Time) -> (Ring, Vec<Violation>, u64) {
        self.look(
            Moment {
                now,
                cause: Cause::End,
            },
            false,
        );
        let mut report = Ring {
            violations: self.of_ring,
            ..Ring::default()
        };
        if let Some(ring) = &mut self.ring {
            report.members = ring.checker.members() as u64;
            report.rings = Some(ring.checker.rings() as u64);
            report.ideal = Some(ring.ideal_since.is_some());
            report.ideal_after_s = ring.ideal_after().map(|time| time as f64 / SECOND as f64);
            report.ideal_after_periods = ring
                .ideal_after()
                .map(|time| time as f64 / ring.stabilize_every as f64);
            report.excuses = ring.excused();
            report.excused = report.excuses.values().sum();
        } else {
            report.members = self.tally.members();
        }
        (
            report,
            std::mem::take(&mut self.violations),
            self.of_ring + self.of_lookups,
        )
    }
}

/// A property found broken without an excuse.
struct Broken {
    property: Property,
    node: Option<u32>,
    at: Time,
    /// The excuse that ended, if it was one's end that made it a violation.
    overdue: Option<&'static str>,
}

impl RingWatch {
    fn new(checker: RingChecker, scenario: &Scenario, now: Time) -> RingWatch {
        let stabilize_every = nanoseconds(scenario.node.stabilize_every);
        let room = usize::from(scenario.node.successors);
        let mut excuses = Excuses::new(room, stabilize_every);
        if scenario.network.loss > 0.0 {
            // Lost replies make the living look dead, from the first to the last moment.
            excuses.begun(now, SUSPICION);
        }
        RingWatch {
            checker,
            excuses,
            ideal_since: None,
            last_change: now,
            last_fault: None,
            next_look: now,
            excused_lookups: BTreeMap::new(),
            stabilize_every,
        }
    }

    fn look(&mut self, now: Time, by_failure: bool, found: &mut Vec<Broken>) {
        self.excuses.members(now, self.checker.members());
        // A look at the whole ring costs a walk over it. Whatever is not excused is found at
        // once; while it is, once in a period will do.
        let excused = self.excuses.excuse(now, Property::OrderedRing).is_some();
        if self.checker.in_doubt() && (!excused || now >= self.next_look) {
            self.checker.broken_in_full();
            self.next_look = now + self.stabilize_every;
        }
        if self.checker.has_changes() {
            let changes: Vec<Change> = self.checker.drain_changes().collect();
            if by_failure {
                self.excuses.crashed(now, &changes);
            }
            for change in changes {
                if self.excuses.changed(now, change) == Verdict::Violated {
                    let Change { property, node, .. } = change;
                    found.push(Broken {
                        property,
                        node,
                        at: now,
                        overdue: None,
                    });
                }
            }
        }
        let ideal = self.checker.ideal();
        self.excuses.ideal(now, ideal);
        self.ideal_since = if ideal {
            self.ideal_since.or(Some(now))
        } else {
            None
        };
        for late in self.excuses.overdue(now) {
            let overdue = Some(late.excuse);
            found.push(Broken {
                property: late.property,
                node: late.node,
                at: late.at,
                overdue,
            });
        }
    }

    fn ideal_after(&self) -> Option<Time> {
        let last = self.last_fault.unwrap_or(self.last_change);
        self.ideal_since.map(|since| since.saturating_sub(last))
    }

    fn excused(&self) -> BTreeMap<String, u64> {
        let of_ring = self.excuses.counts().iter();
        let of_ring =
            of_ring.map(|((name, property), &count)| (format!("{name}: {property}"), count));
        let lookups = self.excused_lookups.iter();
        let lookups = lookups.map(|(name, &count)| (format!("{name}: lookups"), count));
        of_ring.chain(lookups).collect()
    }

    fn joined(&mut self, number: u32, neighbours: &Neighbours, now: Time) {
        self.last_change = now;
        self.checker.joined(number, neighbours);
    }
}

impl Watcher for Judge<'_, '_> {
    fn joined(&mut self, at: Moment, number: u32, node: &Node) {
        self.tally.members_change(at.now, 1);
        self.tally.events.joined += 1;
        let side = self.sides.get(number as usize).copied().unwrap_or(0);
        if let Some(oracle) = &mut self.oracle {
            oracle.joined(number, side, node.neighbours());
        }
        if let Some(ring) = &mut self.ring {
            ring.joined(number, node.neighbours(), at.now);
            self.look(at, false);
        }
    }

    fn changed(&mut self, at: Moment, number: u32, node: &Node) {
        if let Some(oracle) = &mut self.oracle {
            oracle.changed(number, node.neighbours());
        }
        if let Some(ring) = &mut self.ring {
            ring.checker.changed(number, node.neighbours());
            self.look(at, false);
        }
    }

    fn gone(&mut self, at: Moment, number: u32, how: Gone) {
        self.gone_together(at, &[number], how);
    }

    fn gone_together(&mut self, at: Moment, numbers: &[u32], how: Gone) {
        for &number in numbers {
            self.tally.members_change(at.now, -1);
            self.tally.gone(how);
            if let Some(oracle) = &mut self.oracle {
                oracle.gone(number);
            }
            if let Some(ring) = &mut self.ring {
                ring.last_change = at.now;
                ring.checker.gone(number);
            }
        }
        self.look(at, true);
    }

    fn lookup_issued(&mut self, at: Moment, lookup: u64, asker: u32, key: Id) {
        self.tally.lookup_issued();
        if let Some(oracle) = &mut self.oracle {
            oracle.issued(lookup, asker, key, at.now);
        }
    }

    fn lookup_ended(&mut self, at: Moment, end: &LookupEnd) {
        let right = match (&mut self.oracle, end.result) {
            (Some(oracle), Ok((named, _))) => oracle
                .finished(end.lookup, named)
                .is_some_and(|finished| finished.right),
            (Some(oracle), Err(_)) => {
                oracle.gave_up(end.lookup);
                true
            }
            (None, _) => true,
        };
        self.tally.lookup_ended(at.now, end, right);
        if let (false, Ok((named, _)), Some(ring)) = (right, end.result, &mut self.ring)
            && ring.ideal_since.is_some_and(|since| since <= end.issued)
        {
            // An asker whose replies get lost can't tell the dead from the unlucky.
            if let Some(excuse) = ring.excuses.excuse(at.now, Property::OrderedRing) {
                *ring.excused_lookups.entry(excuse).or_default() += 1;
                return;
            }
            self.of_lookups += 1;
            let detail = format!(
                "n{} was told that n{named} owns {:.8}, which it never did meanwhile, in an ideal \
                 ring",
                end.asker, end.key
            );
            self.describe(at, "lookups".to_owned(), detail, Some(end.asker));
        }
    }

    fn lookup_abandoned(&mut self, _: Moment, lookup: u64) {
        if let Some(oracle) = &mut self.oracle {
            oracle.gave_up(lookup);
        }
    }

    fn write_issued(&mut self, at: Moment, issue: &WriteIssue) {
        if let Some(records) = &mut self.records {
            records.write_issued(at.now, issue);
        }
    }

    fn write_ended(&mut self, at: Moment, end: &WriteEnd) {
        if let Some(records) = &mut self.records {
            records.write_ended(at.now, end);
            self.look_at_records(at);
        }
    }

    fn write_abandoned(&mut self, _: Moment, write: u64) {
        if let Some(records) = &mut self.records {
            records.checker.write_failed(write);
        }
    }

    fn read_issued(&mut self, _: Moment, read: u64, _: u32, key: Id) {
        if let Some(records) = &mut self.records {
            records.read_issued(read, key);
        }
    }

    fn read_ended(&mut self, at: Moment, end: &ReadEnd) {
        let settled = self.settled_since(at.now);
        if let Some(records) = &mut self.records {
            records.read_ended(at.now, end, settled);
            self.look_at_records(at);
        }
    }

    fn read_abandoned(&mut self, _: Moment, read: u64) {
        if let Some(records) = &mut self.records {
            records.read_abandoned(read);
        }
    }

    fn committed(&mut self, at: Moment, number: u32, id: Id, batch: &Batch) {
        if let Some(records) = &mut self.records {
            records.checker.committed(at.now, number, id, batch);
            self.look_at_records(at);
        }
    }

    fn spoilt(&mut self, at: Moment, number: u32, key: Id) {
        if let Some(records) = &mut self.records {
            records.checker.spoilt(at.now, number, key);
            self.look_at_records(at);
        }
    }

    fn disks_gone(&mut self, at: Moment, numbers: &[u32], how: DiskGone) {
        if let Some(records) = &mut self.records {
            records.disks_gone(at.now, numbers, how);
            self.look_at_records(at);
        }
    }

    fn fault_began(&mut self, at: Moment, effect: &Effect) {
        self.tally.fault_began(at.now, effect);
        if let Some(ring) = &mut self.ring {
            if let Some(name) = disturbance(effect.kind) {
                ring.excuses.begun(at.now, name);
            }
            if effect.until.is_none() {
                ring.last_fault = Some(at.now);
            }
        }
    }

    fn fault_ended(&mut self, at: Moment, effect: &Effect) {
        if let Some(ring) = &mut self.ring {
            if let Some(name) = disturbance(effect.kind) {
                ring.excuses.ended(at.now, name);
            }
            ring.last_fault = Some(at.now);
        }
    }

    fn sides(&mut self, _: Moment, sides: Option<&[u32]>) {
        self.sides = sides.unwrap_or_default().to_vec();
        if let Some(oracle) = &mut self.oracle {
            match sides {
                Some(sides) => {
                    oracle.split(|number| sides.get(number as usize).copied().unwrap_or(0));
                }
                None => oracle.healed(),
            }
        }
    }

    fn told(&mut self, at: Moment, _: u32, event: &Event, about: Option<(u32, bool)>) {
        self.tally.told(event, about);
        // Real machines stand still now and then, and nobody can tell that from death.
        if let (true, Event::PresumedDead(_), Some((_, true)), Some(ring)) =
            (self.is_real, event, about, &mut self.ring)
        {
            ring.excuses.struck(at.now, SUSPICION);
        }
        if let (Some(records), Event::Conflict(key, conflict)) = (&mut self.records, event) {
            records.checker.conflict(*key, conflict);
        }
    }

    fn handling(&mut self, number: u64, now: Time, line: &dyn Fn() -> String) {
        if let Some(listener) = &mut self.listener {
            listener(
                number,
                std::time::Duration::from_nanos(now - self.origin),
                &line(),
            );
        }
    }
}

/// What a kind of fault is to the ring's properties; crashes and departures are judged by what
/// they take away.
fn disturbance(kind: &str) -> Option<&'static str> {
    match kind {
        "partition" => Some(PARTITION),
        "pause" | "slow" | "loss" | "one_way" | "reset" => Some(SUSPICION),
        _ => None,
    }
}

/// What it means that a property is broken.
const fn sentence(property: Property) -> &'static str {
    match property {
        Property::AtLeastOneRing => "no member comes back to itself by way of best successors",
        Property::AtMostOneRing => "there are several rings that don't know of each other",
        Property::OrderedRing => "the ring goes round more than once, or passes members over",
        Property::ConnectedAppendages => "a member's way does not lead into the ring",
        Property::NoDuplicates => "a successor list names a node twice, or its own node",
        Property::OrderedSuccessorLists => "a successor list is out of order",
        Property::OneLiveSuccessor => "all the successors it lists are dead",
        Property::SufficientPrincipals => {
            "fewer than r+1 members are in everybody's lists where they belong"
        }
    }
}
