//! The watcher that feeds the checkers, and writes down what they find. How it is told stands in
//! `watching.rs`.

mod watching;

use std::collections::BTreeMap;

use cuerda_core::ring::Id;

use super::Listener;
use super::aims::Aims;
use super::records::RecordWatch;
use super::series::Sums;
use super::tally::Tally;
use super::violations::Violations;
use crate::check::judged::{Check, Judged};
use crate::check::placement::Placement;
use crate::check::rules::Rules;
use crate::check::structure::{Changed, Disturbance, Structure};
use crate::report::words::count;
use crate::report::{Loss, Ring, Violation};
use crate::scenario::Scenario;
use crate::world::{Cause, LookupEnd, Moment, SECOND, Time, Watcher, World, nanoseconds};

/// The check that the network becomes as it should be when nothing disturbs it any more.
pub(super) const UNSETTLED: &str = "unsettled";
/// The check that somebody is left who could be a network. A run in which nobody is has shown
/// nothing, and no node has done anything wrong.
pub(crate) const NOBODY_LEFT: &str = "nobody-left";
/// The check that the world can go on.
pub(super) const WORLD: &str = "world";

/// Watches a run.
pub(super) struct Judge<'a, P: Judged> {
    pub(super) tally: Tally,
    structure: Option<StructureWatch<P>>,
    placement: Option<P::Placement>,
    rules: Option<P::Rules>,
    sides: Vec<u32>,
    pub(super) violations: Violations,
    /// Violations of the invariants, of look-ups, of records, and of other checks: faults that hit
    /// nobody, and those of other people.
    of_structure: u64,
    of_lookups: u64,
    of_records: u64,
    of_checks: u64,
    /// Numbers of the report that were asked for, and of which nothing can be said.
    pub(super) unchecked: Vec<&'static str>,
    /// When the network was settled after the end, in seconds; `None` if it was not, or was not
    /// looked at.
    pub(super) settled_after_s: Option<f64>,
    /// Whether the run is over.
    is_over: bool,
    /// Whether what the structure finds is a violation; else it only serves other checks.
    structure_is_checked: bool,
    /// Whether nodes run in real time, on machines that have other things to do too.
    is_real: bool,
    aims: Aims,
    /// How many nodes a process has.
    per_process: u32,
    origin: Time,
    pub(super) records: Option<RecordWatch>,
    /// Whether there is anybody among the following.
    others_listen: bool,
    checks: Vec<&'a mut dyn Check<P>>,
    watchers: Vec<&'a mut dyn Watcher<P>>,
    listener: Option<&'a mut Listener<'a>>,
    /// What the run need not go on after.
    enough: Option<Enough<'a>>,
}

/// The invariants, and what the report says of them.
struct StructureWatch<P: Judged> {
    structure: P::Structure,
    /// Since when the network has been ideal, if it is.
    ideal_since: Option<Time>,
    /// The last change of membership, and the last fault's end (or begin, if it stays).
    last_change: Time,
    last_fault: Option<Time>,
    /// Wrong look-ups in an ideal network, by the name of what excuses them.
    excused_lookups: BTreeMap<&'static str, u64>,
    period: Time,
}

/// What somebody wants to know of a run who wants to know no more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Enough<'a> {
    /// That this check was violated.
    pub(super) check: &'a str,
    /// But not before so much time of the scenario is over.
    pub(super) after: Time,
}

/// Who else watches and checks a run.
pub(super) struct Others<'a, P: Judged> {
    pub(super) enough: Option<Enough<'a>>,
    pub(super) checks: Vec<&'a mut dyn Check<P>>,
    pub(super) watchers: Vec<&'a mut dyn Watcher<P>>,
    pub(super) listener: Option<&'a mut Listener<'a>>,
}

impl<'a, P: Judged> Others<'a, P> {
    /// Nobody but a listener, if there is one.
    pub(super) const fn only(listener: Option<&'a mut Listener<'a>>) -> Others<'a, P> {
        Others {
            enough: None,
            checks: Vec::new(),
            watchers: Vec::new(),
            listener,
        }
    }
}

impl<'a, P: Judged> Judge<'a, P> {
    pub(super) fn new<W: World<Protocol = P>>(
        scenario: &Scenario,
        world: &W,
        others: Others<'a, P>,
    ) -> Judge<'a, P> {
        let checks = scenario.checks;
        let structured = P::Structure::CHECKS && (checks.ring || checks.lookups || checks.records);
        let placed = P::Placement::CHECKS && checks.lookups;
        let ruled = P::Rules::CHECKS && checks.protocol;
        let mut judge = Judge {
            tally: Tally::new(world),
            structure: structured.then(|| StructureWatch {
                structure: P::Structure::start(scenario, world.origin(), world.each_member()),
                ideal_since: None,
                last_change: world.origin(),
                last_fault: None,
                excused_lookups: BTreeMap::new(),
                period: nanoseconds(scenario.node.stabilize_every),
            }),
            placement: placed.then(|| P::Placement::start(world.each_member())),
            rules: ruled.then(|| P::Rules::start(scenario, world.origin(), world.each_member())),
            sides: Vec::new(),
            violations: Violations::default(),
            of_structure: 0,
            of_lookups: 0,
            of_records: 0,
            of_checks: 0,
            unchecked: Vec::new(),
            settled_after_s: None,
            is_over: false,
            structure_is_checked: checks.ring,
            is_real: W::REAL_TIME,
            records: RecordWatch::new(scenario, world.epoch_ms()),
            aims: Aims::new(scenario),
            per_process: u32::from(scenario.virtual_nodes).max(1),
            origin: world.origin(),
            others_listen: others.listener.is_some()
                || !others.watchers.is_empty()
                || !others.checks.is_empty(),
            checks: others.checks,
            watchers: others.watchers,
            listener: others.listener,
            enough: others.enough,
        };
        let at = Moment {
            now: world.origin(),
            cause: Cause::Start,
        };
        judge.look(at, Changed::ByNodes);
        judge
    }

    /// What has come to pass so far, summed up.
    pub(super) fn sums(&self, bytes: u64) -> Sums {
        let records = self.records.as_ref();
        Sums {
            violations: self.violations.counts().values().sum(),
            failures: self.tally.failed + records.map_or(0, RecordWatch::failed),
            bytes,
        }
    }

    /// Whether all is known of the run that somebody wants to know.
    pub(super) fn is_enough(&self, now: Time) -> bool {
        self.enough.is_some_and(|enough| {
            now.saturating_sub(self.origin) >= enough.after
                && self.violations.counts().contains_key(enough.check)
        })
    }

    /// Whether look-ups are judged.
    pub(super) const fn judges_lookups(&self) -> bool {
        self.placement.is_some()
    }

    /// Reads off what has become of the invariants.
    fn look(&mut self, at: Moment, how: Changed) {
        let Some(watch) = &mut self.structure else {
            return;
        };
        let found = watch.structure.look(at.now, how);
        // Where nobody is, nothing is right.
        let is_ideal = watch.structure.members() > 0 && watch.structure.is_ideal();
        watch.ideal_since = if is_ideal {
            watch.ideal_since.or(Some(at.now))
        } else {
            None
        };
        for broken in found {
            if self.structure_is_checked {
                self.of_structure += 1;
                let at = Moment {
                    now: broken.at,
                    cause: at.cause,
                };
                self.describe(at, broken.check, broken.detail, broken.node);
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

    /// Tells the others what is about to be handled.
    #[cold]
    fn let_others_hear(&mut self, number: u64, now: Time, line: &dyn Fn() -> String) {
        if let Some(listener) = &mut self.listener {
            let since = std::time::Duration::from_nanos(now - self.origin);
            listener(number, since, &line());
        }
        for watcher in &mut self.watchers {
            watcher.handling(number, now, line);
        }
        for check in &mut self.checks {
            check.handling(number, now, line);
        }
    }

    /// Lets others watch, and takes in what their checks have found.
    fn others(&mut self, at: Moment, tell: impl Fn(&mut dyn Watcher<P>)) {
        if let Some(rules) = &mut self.rules {
            tell(rules);
        }
        for watcher in &mut self.watchers {
            tell(*watcher);
        }
        let mut found = Vec::new();
        for check in &mut self.checks {
            tell(&mut **check);
            let name = check.name();
            found.extend(check.findings().into_iter().map(|finding| (name, finding)));
        }
        for (name, finding) in found {
            self.of_checks += 1;
            self.describe(at, name.to_owned(), finding.detail, finding.node);
        }
    }

    /// The run is over for the checks of others.
    fn end_others(&mut self, at: Moment) {
        for check in &mut self.checks {
            check.end(at);
        }
        self.others(at, |_| ());
    }

    /// What disturbs the network now, by its name.
    fn excuse(&self, now: Time) -> Option<&'static str> {
        self.structure.as_ref()?.structure.excuse(now)
    }

    /// Since when the network has been ideal with the members it has, and nothing disturbs it.
    fn settled_since(&self, now: Time) -> Option<Time> {
        let watch = self.structure.as_ref()?;
        let disturbed = watch.structure.excuse(now).is_some();
        let since = watch.ideal_since.filter(|_| !disturbed)?;
        Some(since.max(watch.last_change))
    }

    /// Whether the network is settled enough for what is kept in it to be in order.
    pub(super) fn is_quiet(&self, now: Time) -> bool {
        let patience = self.records.as_ref().map_or(0, |records| records.patience);
        self.settled_since(now)
            .is_some_and(|since| since + patience <= now)
    }

    /// Whether it is a violation if the network is not as it should be.
    pub(super) const fn checks_structure(&self) -> bool {
        self.structure_is_checked && self.structure.is_some()
    }

    /// Whether what is stored is looked at after the end.
    pub(super) fn checks_records(&self) -> bool {
        let records = self.records.as_ref();
        records.is_some_and(RecordWatch::is_checked)
    }

    /// Whether the copies at the end have been held against where they should be.
    pub(super) fn knows_copies(&self) -> bool {
        let records = self.records.as_ref();
        records.is_some_and(RecordWatch::knows_copies)
    }

    /// How long the network must have been settled for what is stored to be in order.
    pub(super) fn patience(&self) -> Option<Time> {
        self.records.as_ref().map(|records| records.patience)
    }

    /// Whether the network is ideal with the members it has.
    pub(super) fn is_ideal(&self) -> bool {
        let watch = self.structure.as_ref();
        watch.is_some_and(|watch| watch.ideal_since.is_some())
    }

    /// The run is over, and all that disturbs the network ends; that it loses messages too, if it
    /// did. What comes now is neither counted nor measured.
    pub(super) fn calm(&mut self, at: Moment, was_lossy: bool) {
        self.is_over = true;
        if let Some(records) = &mut self.records {
            records.run_is_over();
        }
        if let Some(watch) = self.structure.as_mut().filter(|_| was_lossy) {
            watch.structure.calmed(at.now, Disturbance::Suspicion);
            self.look(at, Changed::ByNodes);
        }
    }

    /// The network is settled, after a quiet phase that began then.
    pub(super) fn settled(&mut self, began: Time) {
        let since = self.structure.as_ref().and_then(|watch| watch.ideal_since);
        let took = since.map(|since| since.saturating_sub(began));
        self.settled_after_s = took.map(|took| took as f64 / SECOND as f64);
    }

    /// The network has not settled, though nothing has disturbed it for so long.
    pub(super) fn never_settled(&mut self, now: Time, waited: Time, outside: usize) {
        let Some(watch) = &self.structure else { return };
        let (members, parts) = (watch.structure.members(), watch.structure.parts());
        let detail = format!(
            "nothing has disturbed anybody for {} s, and the network is not as it should be: {} in \
             {}; {} outside",
            waited / SECOND,
            count(members as u64, "member", "members"),
            count(parts as u64, "network", "networks"),
            count(outside as u64, "node runs", "nodes run"),
        );
        self.not_settled(now, UNSETTLED, detail);
    }

    /// Nobody is left who could be as it should be.
    pub(super) fn nobody_left(&mut self, now: Time, waited: Time) {
        let detail = format!(
            "nothing has disturbed anybody for {} s, and nobody runs, or only one who was never a \
             member as far as its disk knows and reaches nobody",
            waited / SECOND
        );
        self.not_settled(now, NOBODY_LEFT, detail);
    }

    fn not_settled(&mut self, now: Time, check: &str, detail: String) {
        self.of_checks += 1;
        let at = Moment {
            now,
            cause: Cause::End,
        };
        self.describe(at, check.to_owned(), detail, None);
    }

    /// The end of the run, for what is stored: which members there are, sorted by their ids.
    pub(super) fn stored_at_end(&mut self, now: Time, members: &[(Id, u32)]) {
        let judged = P::Placement::CHECKS && self.is_quiet(now);
        let each = self.per_process;
        let holders = |key: Id, count: usize| {
            if each == 1 {
                return P::Placement::holders(members, key, count);
            }
            // Of the nodes of a process, the first that should hold it is the one that does.
            let mut holders = P::Placement::holders(members, key, members.len());
            let mut processes = std::collections::BTreeSet::new();
            holders.retain(|&number| processes.insert(number / each));
            holders.truncate(count);
            holders
        };
        let at = Moment {
            now,
            cause: Cause::End,
        };
        if let Some(records) = &mut self.records {
            records.end(now, members, judged.then_some(holders));
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
        let at = Moment {
            now,
            cause: Cause::End,
        };
        self.look_at_records(at);
        self.end_others(at);
        let violated = self.of_records + self.of_checks;
        (self.violations.take_described(), violated)
    }

    fn describe(&mut self, at: Moment, check: String, detail: String, node: Option<u32>) {
        let at_s = self.tally.seconds(at.now);
        self.violations.add(at_s, at, check, detail, node);
    }

    /// The world could not go on.
    pub(super) fn broken(&mut self, now: Time, why: &str) -> Violation {
        self.violations.count(WORLD);
        Violation {
            at_s: self.tally.seconds(now),
            check: WORLD.to_owned(),
            detail: why.to_owned(),
            node: None,
            cause: Cause::End.to_string(),
        }
    }

    /// The part of the report about the network as a whole, the violations described, and how many
    /// there were.
    pub(super) fn ring(&mut self, now: Time) -> (Ring, Vec<Violation>, u64) {
        let at = Moment {
            now,
            cause: Cause::End,
        };
        self.look(at, Changed::ByNodes);
        let mut report = Ring {
            violations: self.of_structure,
            ..Ring::default()
        };
        if let Some(watch) = &self.structure {
            report.members = watch.structure.members() as u64;
            report.rings = Some(watch.structure.parts() as u64);
            report.ideal = Some(watch.ideal_since.is_some());
            report.ideal_after_s = watch.ideal_after().map(|time| time as f64 / SECOND as f64);
            report.ideal_after_periods = watch
                .ideal_after()
                .map(|time| time as f64 / watch.period as f64);
            report.excuses = watch.excused();
        } else {
            report.members = self.tally.members();
        }
        if let Some(records) = &self.records {
            report.excuses.extend(records.excused());
        }
        report.excused = report.excuses.values().sum();
        (
            report,
            self.violations.take_described(),
            self.of_structure + self.of_lookups,
        )
    }
}

impl<P: Judged> StructureWatch<P> {
    fn ideal_after(&self) -> Option<Time> {
        let last = self.last_fault.unwrap_or(self.last_change);
        self.ideal_since.map(|since| since.saturating_sub(last))
    }

    fn excused(&self) -> BTreeMap<String, u64> {
        let mut excused = self.structure.excused();
        let lookups = self.excused_lookups.iter();
        excused.extend(lookups.map(|(name, &count)| (format!("{name}: lookups"), count)));
        excused
    }
}

impl<P: Judged> Judge<'_, P> {
    /// A look-up named somebody: whether that is right, and whether being wrong is excused.
    fn judge_lookup(&mut self, at: Moment, end: &LookupEnd) {
        let right = match (&mut self.placement, end.result) {
            (Some(placement), Ok((named, _))) => {
                placement.finished(end.lookup, named).unwrap_or(false)
            }
            (Some(placement), Err(_)) => {
                placement.gave_up(end.lookup);
                true
            }
            (None, _) => true,
        };
        self.tally.lookup_ended(at.now, end, right);
        if let (false, Ok((named, _)), Some(watch)) = (right, end.result, &mut self.structure)
            && watch.ideal_since.is_some_and(|since| since <= end.issued)
        {
            // An asker whose questions or replies get lost can't tell the dead from the unlucky. Who
            // missed a reply may have asked for it before the disturbance ended.
            let excuse = match end.timeouts {
                0 => watch.structure.excuse(at.now),
                _ => watch.structure.excuse_since(end.issued, at.now),
            };
            if let Some(excuse) = excuse {
                *watch.excused_lookups.entry(excuse).or_default() += 1;
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
}
