//! What comes from outside all the time: look-ups, and nodes that come and go.

use cuerda::node::{Found, Input, LookupError};
use cuerda::ring::Id;

use super::{
    Cause, Gone, LookupEnd, Moment, Random, SECOND, Time, Watcher, World, kind, nanoseconds,
};
use crate::world::events::queue::Entry;

/// Something the scenario does at its times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Control {
    /// The next request of this workload.
    Workload(usize),
    /// The next one of this churn process.
    Churn(usize, Going),
    /// This fault begins.
    FaultBegins(usize),
    /// This fault ends.
    FaultEnds(usize),
}

/// How a node comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Going {
    Join,
    Leave,
    Crash,
}

/// Through how many members a node tries to join.
const CONTACTS: usize = 3;
/// How often a random choice is repeated to find one that will do.
const TRIES: usize = 16;

impl World {
    /// Puts the scenario's own doings into the queue.
    pub(super) fn plan(&mut self) {
        let scenario = std::sync::Arc::clone(&self.scenario);
        for (index, workload) in scenario.workloads.iter().enumerate() {
            let gap = interval(&mut self.workload, workload.rate);
            self.schedule(Control::Workload(index), nanoseconds(workload.from), gap);
        }
        for (index, churn) in scenario.churn.iter().enumerate() {
            for (going, rate) in [
                (Going::Join, churn.join),
                (Going::Leave, churn.leave),
                (Going::Crash, churn.crash),
            ] {
                let gap = interval(&mut self.churn, rate);
                self.schedule(Control::Churn(index, going), nanoseconds(churn.from), gap);
            }
        }
        for (index, fault) in scenario.faults.iter().enumerate() {
            self.schedule(Control::FaultBegins(index), nanoseconds(fault.at), Some(0));
        }
    }

    fn schedule(&mut self, control: Control, from: Time, gap: Option<Time>) {
        let place = self.controls.len();
        self.controls.push(control);
        self.repeat(place, self.origin.saturating_add(from), gap);
    }

    /// Puts a control into the queue again, `gap` after `from`; `None` means never.
    fn repeat(&mut self, place: usize, from: Time, gap: Option<Time>) {
        if let Some(gap) = gap {
            let place = u32::try_from(place).expect("a scenario has few parts");
            let time = from.saturating_add(gap);
            self.wire
                .queue
                .push(Entry::new(time, u32::MAX, kind::CONTROL, 0, place));
        }
    }

    /// Puts the end of a fault into the queue.
    pub(super) fn schedule_end(&mut self, index: usize, time: Time) {
        self.schedule(Control::FaultEnds(index), time - self.origin, Some(0));
    }

    pub(super) fn control(&mut self, place: usize, watcher: &mut impl Watcher) {
        let now = self.wire.now;
        match self.controls[place] {
            Control::Workload(index) => {
                let workload = self.scenario.workloads[index];
                if now < self.origin + nanoseconds(workload.until) {
                    self.client_looks_up(watcher);
                    let gap = interval(&mut self.workload, workload.rate);
                    self.repeat(place, now, gap);
                }
            }
            Control::Churn(index, going) => {
                let churn = self.scenario.churn[index];
                if now < self.origin + nanoseconds(churn.until) {
                    let rate = self.go(going, &churn, watcher);
                    let gap = interval(&mut self.churn, rate);
                    self.repeat(place, now, gap);
                }
            }
            Control::FaultBegins(index) => self.begin_fault(index, watcher),
            Control::FaultEnds(index) => self.end_fault(index, watcher),
        }
    }

    fn client_looks_up(&mut self, watcher: &mut impl Watcher) {
        let mut key = [0; 20];
        self.workload.fill(&mut key);
        let key = Id::from_bytes(key);
        // One number, whoever sleeps: a pause does not shift the look-ups.
        let members = self.members.all();
        let first = self.workload.below(members.len() as u64) as usize;
        let round = members[first..].iter().chain(&members[..first]).copied();
        let awake = round
            .into_iter()
            .find(|&number| self.hosts[number as usize].paused == 0);
        let Some(asker) = awake else { return };
        let lookup = self.lookups.open(OpenLookup {
            asker,
            key,
            issued: self.wire.now,
        });
        let cause = Cause::Order {
            node: asker,
            kind: "lookup",
        };
        watcher.lookup_issued(
            Moment {
                now: self.wire.now,
                cause,
            },
            lookup,
            asker,
            key,
        );
        self.order(
            asker,
            Input::Lookup { token: lookup, key },
            "lookup",
            watcher,
        );
    }

    fn go(
        &mut self,
        going: Going,
        churn: &crate::scenario::Churn,
        watcher: &mut impl Watcher,
    ) -> f64 {
        match going {
            Going::Join => {
                let number = self.add_host();
                self.enter(number, watcher);
                churn.join
            }
            Going::Leave => {
                if let Some(number) = self.members.pick(&mut self.churn) {
                    self.leave(number, Cause::Churn("leave"), watcher);
                }
                churn.leave
            }
            Going::Crash => {
                if let Some(number) = self.members.pick(&mut self.churn) {
                    self.crash(&[number], Cause::Churn("crash"), watcher);
                }
                churn.crash
            }
        }
    }

    /// Starts a node and lets it join through a few random members that it can reach.
    pub(super) fn enter(&mut self, number: u32, watcher: &mut impl Watcher) {
        self.boot(number);
        let mut contacts = Vec::new();
        // Who was there before has a side already.
        if self.hosts[number as usize].node.incarnation() == 1 {
            let contact = self.members.pick(&mut self.contacts);
            self.stand_with(number, contact, watcher);
            contacts.extend(contact);
        }
        for _ in 0..TRIES {
            let Some(contact) = self.members.pick(&mut self.contacts) else {
                break;
            };
            if self.reaches(number, contact) && !contacts.contains(&contact) {
                contacts.push(contact);
            }
            if contacts.len() == CONTACTS {
                break;
            }
        }
        // Nobody left: those that a deployment would have in its configuration.
        if contacts.is_empty() {
            let first = self.hosts.len().min(CONTACTS + 1) as u32;
            contacts.extend((0..first).filter(|&other| other != number));
        }
        // The only one there is can't wait for others: it is told to found, as at the start.
        if contacts.is_empty() {
            return self.order(number, Input::Found, "found", watcher);
        }
        let peers = contacts
            .iter()
            .map(|&contact| self.hosts[contact as usize].node.me());
        let peers = peers.collect();
        self.order(number, Input::Join(peers), "join", watcher);
    }

    /// Makes a member leave gracefully. It owns nothing from now on.
    pub(super) fn leave(&mut self, number: u32, cause: Cause, watcher: &mut impl Watcher) {
        let host = &self.hosts[number as usize];
        if !host.up {
            return;
        }
        if self.members.remove(host.node.me().id, number) {
            watcher.gone(
                Moment {
                    now: self.wire.now,
                    cause,
                },
                number,
                Gone::Left,
            );
        }
        self.order(number, Input::Leave, "leave", watcher);
    }

    /// Stops nodes at one instant.
    pub(super) fn crash(&mut self, numbers: &[u32], cause: Cause, watcher: &mut impl Watcher) {
        let at = Moment {
            now: self.wire.now,
            cause,
        };
        let mut gone = Vec::new();
        for &number in numbers {
            let host = &self.hosts[number as usize];
            if !host.up {
                continue;
            }
            if self.members.remove(host.node.me().id, number) {
                gone.push(number);
            }
            self.take_down(number, at, watcher);
        }
        watcher.gone_together(at, &gone, Gone::Crashed);
    }
}

/// The time until the next event of a Poisson process; `None` if there never is one.
fn interval(random: &mut Random, rate: f64) -> Option<Time> {
    (rate > 0.0).then(|| random.exponential(SECOND as f64 / rate) as Time)
}

/// A look-up that has not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenLookup {
    asker: u32,
    key: Id,
    issued: Time,
}

impl OpenLookup {
    pub(super) const fn ended(
        self,
        lookup: u64,
        result: Result<(u32, Found), LookupError>,
        timeouts: u32,
    ) -> LookupEnd {
        let OpenLookup { asker, key, issued } = self;
        LookupEnd {
            lookup,
            asker,
            key,
            issued,
            result,
            timeouts,
        }
    }
}

/// The look-ups under way, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenLookups {
    slots: Vec<Option<OpenLookup>>,
    free: Vec<u32>,
}

impl OpenLookups {
    fn open(&mut self, lookup: OpenLookup) -> u64 {
        if let Some(place) = self.free.pop() {
            self.slots[place as usize] = Some(lookup);
            return place.into();
        }
        self.slots.push(Some(lookup));
        self.slots.len() as u64 - 1
    }

    pub(super) fn close(&mut self, lookup: u64) -> Option<OpenLookup> {
        let open = self.slots.get_mut(usize::try_from(lookup).ok()?)?.take()?;
        self.free.push(u32::try_from(lookup).ok()?);
        Some(open)
    }

    pub(super) fn abandon(&mut self, asker: u32) -> Vec<u64> {
        let slots = self.slots.iter().enumerate();
        let of_asker = |open: &Option<OpenLookup>| open.is_some_and(|open| open.asker == asker);
        let open: Vec<u64> = slots
            .filter(|(_, open)| of_asker(open))
            .map(|(place, _)| place as u64)
            .collect();
        for &lookup in &open {
            self.close(lookup);
        }
        open
    }
}
