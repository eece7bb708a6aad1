//! What the world tells the judge, handed on to whom it concerns. Decides nothing itself.

use cuerda_core::protocol::{Event, Input};
use cuerda_core::ring::{Id, Peer};
use cuerda_core::store::Batch;

use super::Judge;
use crate::check::judged::Judged;
use crate::check::placement::Placement;
use crate::check::rules::Rules;
use crate::check::structure::{Changed, Disturbance, Structure};
use crate::run::aims::MISSED;
use crate::world::{
    DiskGone, Effect, Gone, LookupEnd, Moment, NodeView, ReadEnd, Subject, Time, Unheard, Watcher,
    WriteEnd, WriteIssue,
};

impl<P: Judged> Watcher<P> for Judge<'_, P> {
    fn joined(&mut self, at: Moment, node: NodeView<'_, P::View>) {
        self.tally.members_change(at.now, 1);
        self.tally.events.joined += 1;
        let side = self.sides.get(node.number as usize).copied().unwrap_or(0);
        if let Some(placement) = &mut self.placement {
            placement.joined(node, side);
        }
        if let Some(watch) = &mut self.structure {
            watch.last_change = at.now;
            watch.structure.joined(node);
            self.look(at, Changed::ByNodes);
        }
        self.others(at, |other| other.joined(at, node));
    }

    fn changed(&mut self, at: Moment, node: NodeView<'_, P::View>) {
        if let Some(placement) = &mut self.placement {
            placement.changed(node);
        }
        if let Some(watch) = &mut self.structure {
            watch.structure.changed(node);
            self.look(at, Changed::ByNodes);
        }
        self.others(at, |other| other.changed(at, node));
    }

    fn gone(&mut self, at: Moment, number: u32, how: Gone) {
        self.gone_together(at, &[number], how);
    }

    fn gone_together(&mut self, at: Moment, numbers: &[u32], how: Gone) {
        for &number in numbers {
            self.tally.members_change(at.now, -1);
            self.tally.gone(how);
            if let Some(placement) = &mut self.placement {
                placement.gone(number);
            }
            if let Some(watch) = &mut self.structure {
                watch.last_change = at.now;
                watch.structure.gone(number);
            }
        }
        self.look(at, Changed::ByFailure);
        self.others(at, |other| other.gone_together(at, numbers, how));
    }

    fn lookup_issued(&mut self, at: Moment, lookup: u64, asker: u32, key: Id) {
        self.tally.lookup_issued();
        if let Some(placement) = &mut self.placement {
            placement.issued(lookup, asker, key, at.now);
        }
        self.others(at, |other| other.lookup_issued(at, lookup, asker, key));
    }

    fn lookup_ended(&mut self, at: Moment, end: &LookupEnd) {
        self.judge_lookup(at, end);
        self.others(at, |other| other.lookup_ended(at, end));
    }

    fn lookup_abandoned(&mut self, at: Moment, lookup: u64) {
        if let Some(placement) = &mut self.placement {
            placement.gave_up(lookup);
        }
        self.others(at, |other| other.lookup_abandoned(at, lookup));
    }

    fn write_issued(&mut self, at: Moment, issue: &WriteIssue) {
        if let Some(records) = &mut self.records {
            records.write_issued(at.now, issue);
        }
        self.others(at, |other| other.write_issued(at, issue));
    }

    fn write_ended(&mut self, at: Moment, end: &WriteEnd) {
        if let Some(records) = &mut self.records {
            records.write_ended(at.now, end);
            self.look_at_records(at);
        }
        self.others(at, |other| other.write_ended(at, end));
    }

    fn write_abandoned(&mut self, at: Moment, write: u64) {
        if let Some(records) = &mut self.records {
            records.write_abandoned(at.now, write);
        }
        self.others(at, |other| other.write_abandoned(at, write));
    }

    fn read_issued(&mut self, at: Moment, read: u64, asker: u32, key: Id) {
        if let Some(records) = &mut self.records {
            records.read_issued(at.now, read, asker, key);
        }
        self.others(at, |other| other.read_issued(at, read, asker, key));
    }

    fn read_ended(&mut self, at: Moment, end: &ReadEnd) {
        let (settled, excuse) = (self.settled_since(at.now), self.excuse(at.now));
        if let Some(records) = &mut self.records {
            records.read_ended(at.now, end, settled, excuse);
            self.look_at_records(at);
        }
        self.others(at, |other| other.read_ended(at, end));
    }

    fn read_abandoned(&mut self, at: Moment, read: u64) {
        if let Some(records) = &mut self.records {
            records.read_abandoned(read);
        }
        self.others(at, |other| other.read_abandoned(at, read));
    }

    fn committed(&mut self, at: Moment, number: u32, id: Id, batch: &Batch) {
        if let Some(records) = &mut self.records {
            records.checker.committed(at.now, number, id, batch);
            self.look_at_records(at);
        }
        self.others(at, |other| other.committed(at, number, id, batch));
    }

    fn unheard(&mut self, at: Moment, copy: &Unheard) {
        if let Some(records) = &mut self.records {
            records.checker.unheard(copy);
        }
        self.others(at, |other| other.unheard(at, copy));
    }

    fn spoilt(&mut self, at: Moment, number: u32, key: Id) {
        if let Some(records) = &mut self.records {
            records.checker.spoilt(at.now, number, key);
            self.look_at_records(at);
        }
        self.others(at, |other| other.spoilt(at, number, key));
    }

    fn disks_gone(&mut self, at: Moment, numbers: &[u32], how: DiskGone) {
        if let Some(records) = &mut self.records {
            records.disks_gone(at.now, numbers, how);
            self.look_at_records(at);
        }
        self.others(at, |other| other.disks_gone(at, numbers, how));
    }

    fn strays(&mut self, at: Moment, count: usize) {
        if let Some(watch) = &mut self.structure {
            watch.structure.strays(count);
            self.look(at, Changed::ByNodes);
        }
        self.others(at, |other| other.strays(at, count));
    }

    fn disks_replaced(&mut self, at: Moment, disks: &[(u32, Id, Batch)]) {
        if let Some(records) = &mut self.records {
            records.checker.replaced(at.now, disks);
            self.look_at_records(at);
        }
        self.others(at, |other| other.disks_replaced(at, disks));
    }

    fn fault_began(&mut self, at: Moment, effect: &Effect) {
        self.tally.fault_began(at.now, effect);
        if let Some(records) = &mut self.records {
            records.fault_turned(at.now, effect, true);
        }
        if let Some(detail) = self.aims.missed(effect) {
            self.of_checks += 1;
            self.describe(at, MISSED.to_owned(), detail, None);
        }
        if let Some(watch) = &mut self.structure {
            if let Some(by) = Disturbance::of(effect.kind) {
                watch.structure.disturbed(at.now, by);
            }
            if effect.until.is_none() {
                watch.last_fault = Some(at.now);
            }
        }
        self.others(at, |other| other.fault_began(at, effect));
    }

    fn fault_ended(&mut self, at: Moment, effect: &Effect) {
        if let Some(records) = &mut self.records {
            records.fault_turned(at.now, effect, false);
        }
        if let Some(watch) = &mut self.structure {
            if let Some(by) = Disturbance::of(effect.kind) {
                watch.structure.calmed(at.now, by);
            }
            watch.last_fault = Some(at.now);
        }
        self.others(at, |other| other.fault_ended(at, effect));
    }

    fn sides(&mut self, at: Moment, sides: Option<&[u32]>) {
        self.sides = sides.unwrap_or_default().to_vec();
        if let Some(placement) = &mut self.placement {
            match sides {
                Some(sides) => placement.split(sides),
                None => placement.healed(),
            }
        }
        self.others(at, |other| other.sides(at, sides));
    }

    fn on_event(
        &mut self,
        at: Moment,
        number: u32,
        event: &Event<P::Told>,
        about: Option<Subject>,
    ) {
        self.tally.on_event(event, about);
        // Real machines stand still now and then, and nobody can tell that from death.
        if let (true, Event::PresumedDead(_), Some(Subject { up: true, .. }), Some(watch)) =
            (self.is_real, event, about, &mut self.structure)
        {
            watch.structure.suspected(at.now);
        }
        if let (Some(records), Event::Conflict(key, conflict)) = (&mut self.records, event) {
            records.checker.conflict(*key, conflict);
        }
        if let (Some(records), Event::LeftBehind { records: left }) = (&mut self.records, event) {
            records.checker.left_behind(number, *left);
        }
        self.others(at, |other| other.on_event(at, number, event, about));
    }

    #[inline]
    fn handed(&mut self, at: Moment, number: u32, standing: &dyn Fn() -> &'static str) {
        if self.others_listen {
            self.others(at, |other| other.handed(at, number, standing));
        }
    }

    fn follows_steps(&self, number: u32) -> bool {
        let rules = self.rules.as_ref();
        rules.is_some_and(|rules| rules.follows_steps(number))
            || self
                .watchers
                .iter()
                .any(|other| other.follows_steps(number))
            || self.checks.iter().any(|other| other.follows_steps(number))
    }

    fn handles(&mut self, at: Moment, number: u32, input: &Input<P>) {
        self.others(at, |other| other.handles(at, number, input));
    }

    fn sent(&mut self, at: Moment, number: u32, to: Peer, message: &P::Message) {
        self.others(at, |other| other.sent(at, number, to, message));
    }

    fn handled(&mut self, at: Moment, node: NodeView<'_, P::View>) {
        self.others(at, |other| other.handled(at, node));
        for breach in self.rules.as_mut().map_or(Vec::new(), Rules::breaches) {
            self.of_checks += 1;
            self.describe(at, breach.rule.to_owned(), breach.detail, Some(breach.node));
        }
    }

    /// The most frequent call of all, and mostly nobody listens.
    #[inline]
    fn handling(&mut self, number: u64, now: Time, line: &dyn Fn() -> String) {
        if self.others_listen {
            self.let_others_hear(number, now, line);
        }
    }
}
