//! Disks that are slow or about to break.
//!
//! Nothing leaves a node before what it promises is on the disk. A disk that nothing is wrong with
//! has each batch at once, and nothing waits. Here a batch takes its time, and what depends on it
//! waits behind it; so does what depends on nothing that is staged now but may depend on what was
//! before. What depends on no store at all never waits.

use std::collections::VecDeque;

use cuerda_core::protocol::{Event, Protocol};
use cuerda_core::store::Batch;

use super::envelopes::Envelope;
use super::queue::Entry;
use super::wire::kind;
use super::{Moment, World};
use crate::world::script::{self, Broken};
use crate::world::{Cause, Simulated, Time, Watcher};

/// A disk with which something is wrong, or was.
#[derive(Clone, Debug)]
pub(super) struct Disk<P: Protocol> {
    /// How long a commit takes.
    pub(super) slow: Time,
    pub(super) broken: Option<Broken>,
    pub(super) waiting: VecDeque<Held<P>>,
}

/// A batch under way to the disk, and what waits for it.
#[derive(Clone, Debug)]
pub(super) struct Held<P: Protocol> {
    due: Time,
    /// Its number; `None` if nothing was staged.
    batch: Option<u64>,
    envelopes: Vec<(u32, Envelope<P::Message>)>,
    events: Vec<Event<P::Told>>,
}

impl<P: Protocol> Default for Disk<P> {
    fn default() -> Disk<P> {
        Disk {
            slow: 0,
            broken: None,
            waiting: VecDeque::new(),
        }
    }
}

impl<P: Protocol> Disk<P> {
    /// Whether what is staged now has to wait.
    pub(super) fn holds(&self) -> bool {
        self.slow > 0 || self.broken.is_some() || !self.waiting.is_empty()
    }
}

impl<P: Simulated> World<P> {
    /// Keeps back what a node has sent and told while it handled an input, until its disk is
    /// ready. What does not depend on the store goes at once.
    pub(super) fn hold(
        &mut self,
        number: u32,
        batch: Option<&Batch>,
        at: Moment,
        watcher: &mut impl Watcher<P>,
    ) {
        let envelopes = std::mem::take(&mut self.kept);
        let (events, free): (Vec<_>, Vec<_>) = std::mem::take(&mut self.emitted)
            .into_iter()
            .partition(Event::depends_on_store);
        for event in free {
            script::pass_on(self, number, event, at, watcher);
        }
        let now = self.air.now;
        let host = &mut self.hosts[number as usize];
        let Some(disk) = &mut host.disk else { return };
        let last = disk.waiting.back().map(|held| held.due);
        if let (Some(batch), Some(Broken::Torn)) = (batch, disk.broken) {
            let before = batch.number - 1;
            return self.tear(number, before, at, watcher);
        }
        let due = match (batch, last) {
            (Some(_), last) => last
                .map_or(now, |last| last.max(now))
                .saturating_add(disk.slow),
            (None, Some(last)) => last,
            (None, None) => now,
        };
        disk.waiting.push_back(Held {
            due,
            batch: batch.map(|batch| batch.number),
            envelopes,
            events,
        });
        if last.is_none() && due == now {
            return self.release(number, at, watcher);
        }
        let entry = Entry::new(due, number, kind::COMMIT, host.epoch, 0);
        self.air.queue.push(entry);
    }

    /// The time of the first batch that waits has come.
    pub(super) fn commit(&mut self, number: u32, watcher: &mut impl Watcher<P>) {
        let cause = Cause::Timer {
            node: number,
            kind: "Commit",
        };
        let now = self.air.now;
        self.release(number, Moment { now, cause }, watcher);
    }

    fn release(&mut self, number: u32, at: Moment, watcher: &mut impl Watcher<P>) {
        let host = &mut self.hosts[number as usize];
        let Some(disk) = &mut host.disk else { return };
        let Some(held) = disk.waiting.pop_front() else {
            return;
        };
        if let Some(batch) = held.batch {
            if disk.broken == Some(Broken::Fails) {
                disk.broken = None;
                return script::broke(self, number, at, watcher);
            }
            self.commit_up_to(number, batch, at, watcher);
        }
        for (to, mut envelope) in held.envelopes {
            envelope.sent = self.air.now;
            self.air.send(to, None, envelope);
        }
        for event in held.events {
            script::pass_on(self, number, event, at, watcher);
        }
    }

    /// All batches up to this number are on the disk.
    fn commit_up_to(&mut self, number: u32, last: u64, at: Moment, watcher: &mut impl Watcher<P>) {
        loop {
            let store = self.hosts[number as usize].store.as_ref();
            let next = store.and_then(|store| store.next_batch());
            let Some(batch) = next.filter(|batch| batch.number <= last).cloned() else {
                return;
            };
            self.committed(number, &batch, at, watcher);
        }
    }

    /// The power goes while the batch after this one is on its way.
    pub(super) fn tear(
        &mut self,
        number: u32,
        before: u64,
        at: Moment,
        watcher: &mut impl Watcher<P>,
    ) {
        self.commit_up_to(number, before, at, watcher);
        if let Some(disk) = &mut self.hosts[number as usize].disk {
            disk.broken = None;
        }
        script::broke(self, number, at, watcher);
    }

    /// The last batch on its way to a disk.
    pub(super) fn last_under_way(&self, number: u32) -> Option<u64> {
        let disk = self.hosts[number as usize].disk.as_ref()?;
        disk.waiting.iter().rev().find_map(|held| held.batch)
    }
}
