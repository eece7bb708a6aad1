//! What is counted during a run, judged or not.

use std::collections::BTreeMap;
use std::time::Duration;

use cuerda_core::protocol::Event;

use crate::report::statistics::{Counts, Latencies};
use crate::report::{Events, FaultFired, Lookups, Traffic};
use crate::world::{Effect, FailureObservations, Gone, LookupEnd, SECOND, Subject, Time, World};

/// The counts of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    origin: Time,
    issued: u64,
    ok: u64,
    pub(super) wrong: u64,
    pub(super) failed: u64,
    hops: Counts,
    hops_to_predecessor: Counts,
    timeouts: Counts,
    latency: Latencies,
    members: u64,
    /// Members times seconds, up to `counted`.
    member_seconds: f64,
    counted: Time,
    pub(super) events: Events,
    pub(super) faults: Vec<FaultFired>,
    /// Which occurrence each is.
    fired: Vec<usize>,
}

/// How a report names a node.
pub(super) fn name(number: u32) -> String {
    format!("n{number}")
}

impl Tally {
    pub(super) fn new(world: &impl World) -> Tally {
        let (origin, members) = (world.origin(), world.members() as u64);
        Tally {
            origin,
            members,
            counted: origin,
            ..Tally::default()
        }
    }

    pub(super) fn seconds(&self, time: Time) -> f64 {
        (time - self.origin) as f64 / SECOND as f64
    }

    /// The number of members changes now.
    pub(super) fn members_change(&mut self, now: Time, by: i64) {
        self.member_seconds += self.members as f64 * (now - self.counted) as f64 / SECOND as f64;
        self.counted = now;
        self.members = self.members.saturating_add_signed(by);
    }

    pub(super) const fn members(&self) -> u64 {
        self.members
    }

    pub(super) const fn lookup_issued(&mut self) {
        self.issued += 1;
    }

    /// A look-up ended; `right` is the oracle's word on it.
    pub(super) fn lookup_ended(&mut self, now: Time, end: &LookupEnd, right: bool) {
        match end.result {
            Err(_) => self.failed += 1,
            Ok(_) if !right => self.wrong += 1,
            Ok((_, found)) => {
                self.ok += 1;
                self.hops.add(found.hops.into());
                self.hops_to_predecessor
                    .add(found.hops_to_predecessor.into());
                self.timeouts.add(end.timeouts.into());
                self.latency.add(Duration::from_nanos(now - end.issued));
            }
        }
    }

    pub(super) const fn gone(&mut self, how: Gone) {
        match how {
            Gone::Left => self.events.left += 1,
            Gone::Crashed => self.events.crashed += 1,
            Gone::Stranded => self.events.stranded += 1,
        }
    }

    pub(super) const fn on_event<T>(&mut self, event: &Event<T>, about: Option<Subject>) {
        match event {
            Event::PresumedDead(_) => {
                self.events.presumed_dead += 1;
                if matches!(about, Some(Subject { up: true, .. })) {
                    self.events.presumed_dead_wrongly += 1;
                }
            }
            Event::Ignored(..) | Event::Refused(..) => self.events.ignored += 1,
            _ => {}
        }
    }

    pub(super) fn fault_began(&mut self, now: Time, effect: &Effect) {
        let names = |group: &Vec<u32>| group.iter().map(|&number| name(number)).collect();
        self.fired.push(effect.occurrence);
        self.faults.push(FaultFired {
            at_s: self.seconds(now),
            until_s: effect.until.map(|until| self.seconds(until)),
            kind: effect.kind.to_owned(),
            nodes: effect.groups.iter().map(names).collect(),
            hit: effect.hit,
            seen: FailureObservations::default(),
        });
    }

    /// By the occurrence: what nodes saw of others meanwhile.
    pub(super) fn faults_seen(&mut self, seen: &BTreeMap<usize, FailureObservations>) {
        for (occurrence, fault) in self.fired.iter().zip(&mut self.faults) {
            fault.seen = seen.get(occurrence).copied().unwrap_or_default();
        }
    }

    pub(super) fn lookups(&self, checked: bool) -> Lookups {
        let finished = self.ok + self.wrong + self.failed;
        let share = |part: u64| (finished > 0).then(|| part as f64 / finished as f64);
        Lookups {
            issued: self.issued,
            ok: self.ok,
            wrong: checked.then_some(self.wrong),
            failed: self.failed,
            unfinished: self.issued.saturating_sub(finished),
            failed_share: share(self.failed),
            wrong_share: share(self.wrong).filter(|_| checked),
            missed_share: share(self.failed + self.wrong).filter(|_| checked),
            hops: self.hops.summary(),
            hops_to_predecessor: self.hops_to_predecessor.summary(),
            timeouts: self.timeouts.summary(),
            latency_ms: self.latency.summary(),
        }
    }

    pub(super) fn traffic(&mut self, now: Time, world: &impl World) -> Traffic {
        self.members_change(now, 0);
        let per_member = world.bytes() as f64 / self.member_seconds;
        Traffic {
            messages: world.delivered(),
            lost: world.lost(),
            repair_bytes: None,
            lost_bytes: None,
            repair_ratio: None,
            bytes_per_node_per_s: if per_member.is_finite() {
                per_member
            } else {
                0.0
            },
        }
    }
}
