//! Which broken properties are excused, by what name, and when an excuse ends.
//!
//! The ring's properties rest on assumptions: that nobody is cut off, that a silent node is a
//! dead one, that no crash takes away the last live successor of somebody or one of the last r+1
//! principals. Scenarios break these on purpose. While such a **disturbance** lasts, and from its
//! end until the ring is ideal again, what cannot hold is excused by the disturbance's name and
//! counted apart; but at most for [`PERIODS`] stabilization periods after the last one ended.
//! What was excused and is still broken when the excuses end becomes a violation then.
//!
//! Two properties are never excused: no assumption is needed for a node to keep its own list in
//! order and free of repeats, whatever others tell it.
//!
//! A ring of at most r+1 members is a disturbance of its own kind: it excuses only that there
//! are too few principals. It outlasts the smallness, because a member that just joined is no
//! principal before the others have heard of it.
//!
//! This keeps books and reads no clock; who runs the world tells it what began, ended, broke and
//! mended, at times that do not go back. It doesn't know which fault of a scenario is which
//! disturbance.

use std::collections::BTreeMap;

use super::property::Property;
use super::ring::Change;

/// A partition of the network.
pub const PARTITION: &str = "partition";
/// Anything that makes a live node look dead: pauses, slowness, loss, cuts in one direction.
pub const SUSPICION: &str = "imperfect-detection";
/// Failures beyond the assumptions.
pub const FAILURES: &str = "failures";
/// At most r+1 members.
pub const SMALL_RING: &str = "small-ring";

/// How many stabilization periods after the last disturbance excuses end at the latest.
pub const PERIODS: u64 = 20;

/// Nanoseconds of simulated time.
pub type Nanos = u64;

/// What a change of a property means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It broke without an excuse.
    Violated,
    /// It broke, excused by this name.
    Excused(&'static str),
    /// It holds again.
    Mended,
}

/// Something excused was still broken when the excuses ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// What is broken.
    pub property: Property,
    /// At which node; `None` where it is nobody's alone.
    pub node: Option<u32>,
    /// When the excuse ended.
    pub at: Nanos,
    /// What had excused it.
    pub excuse: &'static str,
}

/// A kind of disturbance: what lasts, and until when it excuses once nothing does.
#[derive(Clone, Debug, Default)]
struct Disturbance {
    /// What lasts, in the order in which it began; a name as often as it began.
    lasting: Vec<&'static str>,
    /// The last that ended, and when its aftermath ends at the latest.
    aftermath: Option<(&'static str, Nanos)>,
    /// The last whose aftermath is over, and since when it is.
    over: Option<(&'static str, Nanos)>,
}

impl Disturbance {
    fn excuse(&self) -> Option<&'static str> {
        let lasting = self.lasting.first().copied();
        lasting.or(self.aftermath.map(|(name, _)| name))
    }

    fn ended(&mut self, name: &'static str, until: Nanos) {
        if let Some(at) = self.lasting.iter().position(|&lasting| lasting == name) {
            self.lasting.remove(at);
            self.aftermath = Some((name, until));
        }
    }

    /// Its aftermath is over.
    fn end(&mut self, at: Nanos) {
        if let Some((name, _)) = self.aftermath.take() {
            self.over = Some((name, at));
        }
    }

    /// What excused until after `since`, and does no more `now`.
    fn lately(&self, since: Nanos, now: Nanos) -> Option<&'static str> {
        // Nobody may have looked since the time was up.
        let late = self.aftermath.filter(|&(_, until)| until <= now);
        let (name, at) = late.or(self.over)?;
        (at > since).then_some(name)
    }

    /// When it ends unless something happens before.
    fn deadline(&self) -> Option<Nanos> {
        let (_, until) = self.aftermath?;
        self.lasting.is_empty().then_some(until)
    }
}

/// The excuses in force, and what they have excused.
#[derive(Clone, Debug)]
pub struct Excuses {
    /// How long an aftermath lasts at most.
    patience: Nanos,
    /// The most members of a small ring.
    small: usize,
    disturbance: Disturbance,
    small_ring: Disturbance,
    /// Whether the ring is ideal, as last heard.
    ideal: bool,
    /// What is excused and still broken, and by what name.
    owed: BTreeMap<(Property, Option<u32>), &'static str>,
    /// What has become overdue and is not told yet.
    overdue: Vec<Overdue>,
    /// How often each name has excused each property.
    counts: BTreeMap<(&'static str, Property), u64>,
}

impl Excuses {
    /// Books for a ring whose nodes have room for `room` successors and stabilize once in
    /// `stabilize_every`. At first nothing is excused.
    #[must_use]
    pub fn new(room: usize, stabilize_every: Nanos) -> Excuses {
        Excuses {
            patience: stabilize_every.saturating_mul(PERIODS),
            small: room + 1,
            disturbance: Disturbance::default(),
            small_ring: Disturbance::default(),
            ideal: false,
            owed: BTreeMap::new(),
            overdue: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    /// A disturbance begins. The same name may begin several times; each ends for itself.
    pub fn begun(&mut self, now: Nanos, name: &'static str) {
        self.pass(now);
        self.disturbance.lasting.push(name);
    }

    /// One that began ends; its aftermath lasts until the ring is ideal. Nothing happens if
    /// none of the name lasts.
    pub fn ended(&mut self, now: Nanos, name: &'static str) {
        self.pass(now);
        self.disturbance
            .ended(name, now.saturating_add(self.patience));
        self.end_if_ideal(now);
    }

    /// A disturbance of one instant, as a crash is. Whatever was heard of the ring before, it is
    /// not ideal until it is heard again.
    pub fn struck(&mut self, now: Nanos, name: &'static str) {
        self.begun(now, name);
        self.ideal = false;
        self.ended(now, name);
    }

    /// A node crashed, and this is what changed by that alone: if somebody has no live successor
    /// any more, or too few principals are left, the crash was beyond the assumptions. To be
    /// told before those changes themselves.
    pub fn crashed(&mut self, now: Nanos, changes: &[Change]) {
        let beyond = |change: &Change| {
            let invariant = [Property::OneLiveSuccessor, Property::SufficientPrincipals];
            change.broke && invariant.contains(&change.property)
        };
        if changes.iter().any(beyond) {
            self.struck(now, FAILURES);
        }
    }

    /// Whether the ring is ideal now. May be told as often as one likes, also when it is not news.
    pub fn ideal(&mut self, now: Nanos, ideal: bool) {
        self.pass(now);
        self.ideal = ideal;
        self.end_if_ideal(now);
    }

    /// How many members there are now. To be told before what broke by that.
    pub fn members(&mut self, now: Nanos, members: usize) {
        self.pass(now);
        let was_small = !self.small_ring.lasting.is_empty();
        if members <= self.small && !was_small {
            self.small_ring.lasting.push(SMALL_RING);
        } else if members > self.small && was_small {
            // The newcomer is not everywhere known: not ideal until heard again.
            self.ideal = false;
            self.small_ring
                .ended(SMALL_RING, now.saturating_add(self.patience));
        }
    }

    /// By what name a property may be broken now, if any.
    #[must_use]
    pub fn excuse(&self, now: Nanos, property: Property) -> Option<&'static str> {
        let in_force = |disturbance: &Disturbance| {
            let over = disturbance.deadline().is_some_and(|until| until <= now);
            disturbance.excuse().filter(|_| !over)
        };
        match property {
            Property::NoDuplicates | Property::OrderedSuccessorLists => None,
            Property::SufficientPrincipals => {
                in_force(&self.small_ring).or(in_force(&self.disturbance))
            }
            _ => in_force(&self.disturbance),
        }
    }

    /// By what name a property might have been broken at any moment after `since`, up to now: what
    /// began while a disturbance lasted may go wrong by it although it ended since.
    #[must_use]
    pub fn excuse_since(
        &self,
        since: Nanos,
        now: Nanos,
        property: Property,
    ) -> Option<&'static str> {
        let lately = || match property {
            Property::NoDuplicates | Property::OrderedSuccessorLists => None,
            Property::SufficientPrincipals => self
                .small_ring
                .lately(since, now)
                .or(self.disturbance.lately(since, now)),
            _ => self.disturbance.lately(since, now),
        };
        self.excuse(now, property).or_else(lately)
    }

    /// A property broke or mended: what it means. To be told once for each transition.
    pub fn changed(&mut self, now: Nanos, change: Change) -> Verdict {
        self.pass(now);
        let key = (change.property, change.node);
        if !change.broke {
            self.owed.remove(&key);
            return Verdict::Mended;
        }
        match self.excuse(now, change.property) {
            None => Verdict::Violated,
            Some(name) => {
                *self.counts.entry((name, change.property)).or_default() += 1;
                self.owed.insert(key, name);
                Verdict::Excused(name)
            }
        }
    }

    /// What was excused, and still broken when the excuses ended: a violation for each, told
    /// once. To be asked after each event, and at the end of the run.
    pub fn overdue(&mut self, now: Nanos) -> Vec<Overdue> {
        self.pass(now);
        std::mem::take(&mut self.overdue)
    }

    /// The time at which an excuse ends if the ring does not become ideal before.
    #[must_use]
    pub fn deadline(&self) -> Option<Nanos> {
        let deadlines = [self.disturbance.deadline(), self.small_ring.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// How often each name has excused each property.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<(&'static str, Property), u64> {
        &self.counts
    }

    /// Ends what has lasted long enough, the earlier first.
    fn pass(&mut self, now: Nanos) {
        while let Some(until) = self.deadline().filter(|&until| until <= now) {
            for disturbance in [&mut self.disturbance, &mut self.small_ring] {
                if disturbance.deadline() == Some(until) {
                    disturbance.end(until);
                }
            }
            self.call_in(until);
        }
    }

    fn end_if_ideal(&mut self, now: Nanos) {
        if !self.ideal {
            return;
        }
        for disturbance in [&mut self.disturbance, &mut self.small_ring] {
            disturbance.end(now);
        }
        self.call_in(now);
    }

    /// What is owed, and has no excuse any more, is overdue. What another excuse covers stays
    /// owed under that name.
    fn call_in(&mut self, at: Nanos) {
        let owed = std::mem::take(&mut self.owed);
        for ((property, node), excuse) in owed {
            if let Some(name) = self.excuse(at, property) {
                self.owed.insert((property, node), name);
            } else {
                self.overdue.push(Overdue {
                    property,
                    node,
                    at,
                    excuse,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Property::{AtMostOneRing, NoDuplicates, OneLiveSuccessor, SufficientPrincipals};

    const ROUND: Nanos = 1_000;

    /// Three successors each, so that a ring of up to four is small.
    fn books() -> Excuses {
        let mut books = Excuses::new(3, ROUND);
        books.members(0, 10);
        books.ideal(0, true);
        books
    }

    fn broke(property: Property, node: impl Into<Option<u32>>) -> Change {
        let node = node.into();
        Change {
            property,
            node,
            broke: true,
        }
    }

    fn mended(property: Property, node: impl Into<Option<u32>>) -> Change {
        Change {
            broke: false,
            ..broke(property, node)
        }
    }

    #[test]
    fn without_a_disturbance_whatever_breaks_is_a_violation() {
        let mut books = books();
        for property in Property::ALL {
            assert_eq!(books.changed(1, broke(property, None)), Verdict::Violated);
            assert_eq!(books.changed(2, mended(property, None)), Verdict::Mended);
        }
        assert_eq!((books.overdue(9), books.counts().len()), (vec![], 0));
    }

    #[test]
    fn a_disturbance_excuses_while_it_lasts_and_until_the_ring_is_ideal() {
        let mut books = books();
        books.begun(10, PARTITION);
        books.ideal(11, false);
        assert_eq!(books.excuse(11, AtMostOneRing), Some(PARTITION));
        // Ideal though it lasts: by itself that ends nothing.
        books.ideal(12, true);
        assert_eq!(books.excuse(500 * ROUND, AtMostOneRing), Some(PARTITION));
        books.ideal(500 * ROUND, false);
        books.ended(501 * ROUND, PARTITION);
        assert_eq!(books.excuse(502 * ROUND, AtMostOneRing), Some(PARTITION));
        books.ideal(502 * ROUND, true);
        assert_eq!(books.excuse(502 * ROUND, AtMostOneRing), None);
        assert_eq!(books.deadline(), None);
    }

    #[test]
    fn what_began_while_a_disturbance_lasted_is_excused_and_nothing_that_began_later() {
        let mut books = books();
        let since = |books: &Excuses, since, now| books.excuse_since(since, now, AtMostOneRing);
        assert_eq!(since(&books, 0, 5), None);
        books.begun(10, SUSPICION);
        assert_eq!(since(&books, 5, 12), Some(SUSPICION));
        books.ended(20, SUSPICION);
        assert_eq!(since(&books, 5, 25), Some(SUSPICION));
        assert_eq!(since(&books, 19, 25), Some(SUSPICION));
        assert_eq!(since(&books, 20, 25), None);
        assert_eq!(books.excuse(25, AtMostOneRing), None);
        // Its time is up though nobody has looked since; and a list is never excused.
        books.ideal(30, false);
        books.struck(30, FAILURES);
        let until = 30 + PERIODS * ROUND;
        assert_eq!(since(&books, until - 1, until + 9), Some(FAILURES));
        assert_eq!(since(&books, until, until + 9), None);
        assert_eq!(books.excuse_since(5, 40, NoDuplicates), None);
    }

    #[test]
    fn a_disturbance_that_left_the_ring_ideal_excuses_nothing_afterwards() {
        let mut books = books();
        books.begun(10, SUSPICION);
        books.ended(20, SUSPICION);
        assert_eq!(books.excuse(20, AtMostOneRing), None);
    }

    #[test]
    fn twenty_periods_after_the_last_end_all_excuses_are_over() {
        let mut books = books();
        books.begun(0, PARTITION);
        books.begun(0, SUSPICION);
        books.begun(0, SUSPICION);
        books.ideal(1, false);
        books.ended(ROUND, SUSPICION);
        books.ended(5 * ROUND, PARTITION);
        assert_eq!(
            (books.deadline(), books.excuse(99 * ROUND, OneLiveSuccessor)),
            (None, Some(SUSPICION))
        );
        let excused = books.changed(6 * ROUND, broke(OneLiveSuccessor, 3));
        assert_eq!(excused, Verdict::Excused(SUSPICION));
        books.changed(6 * ROUND, broke(OneLiveSuccessor, 4));
        books.ended(7 * ROUND, SUSPICION);
        books.changed(26 * ROUND, mended(OneLiveSuccessor, 4));
        assert_eq!(books.deadline(), Some(27 * ROUND));
        assert_eq!(books.overdue(27 * ROUND - 1), []);
        assert_eq!(
            books.excuse(27 * ROUND - 1, OneLiveSuccessor),
            Some(SUSPICION)
        );
        assert_eq!(books.excuse(27 * ROUND, OneLiveSuccessor), None);
        let at = 27 * ROUND;
        let late = Overdue {
            property: OneLiveSuccessor,
            node: Some(3),
            at,
            excuse: SUSPICION,
        };
        assert_eq!(books.overdue(30 * ROUND), [late]);
        assert_eq!(books.overdue(31 * ROUND), []);
        assert_eq!(
            books.changed(30 * ROUND, broke(AtMostOneRing, None)),
            Verdict::Violated
        );
        assert_eq!(
            books.counts(),
            &BTreeMap::from([((SUSPICION, OneLiveSuccessor), 2)])
        );
    }

    #[test]
    fn a_node_keeps_its_own_list_in_order_whatever_happens() {
        let mut books = books();
        books.begun(0, PARTITION);
        for property in [NoDuplicates, Property::OrderedSuccessorLists] {
            assert_eq!(books.changed(1, broke(property, 1)), Verdict::Violated);
        }
    }

    #[test]
    fn only_a_crash_that_breaks_the_invariant_excuses() {
        let mut books = books();
        books.crashed(
            5,
            &[mended(OneLiveSuccessor, 1), broke(AtMostOneRing, None)],
        );
        assert_eq!(
            books.changed(5, broke(AtMostOneRing, None)),
            Verdict::Violated
        );
        let crash = broke(OneLiveSuccessor, 2);
        books.crashed(6, &[crash]);
        assert_eq!(books.changed(6, crash), Verdict::Excused(FAILURES));
        assert_eq!(
            books.changed(9, broke(Property::OrderedRing, None)),
            Verdict::Excused(FAILURES)
        );
        books.ideal(9, false);
        assert_eq!(
            books.changed(9, mended(OneLiveSuccessor, 2)),
            Verdict::Mended
        );
        books.changed(9, mended(Property::OrderedRing, None));
        books.ideal(10, true);
        assert_eq!(books.overdue(10), []);
        assert_eq!(books.changed(10, crash), Verdict::Violated);
    }

    #[test]
    fn a_small_ring_excuses_too_few_principals_and_nothing_else() {
        let mut books = books();
        books.ideal(1, false);
        books.members(1, 4);
        assert_eq!(books.excuse(1, SufficientPrincipals), Some(SMALL_RING));
        assert_eq!(books.excuse(1, AtMostOneRing), None);
        // It grows, and the fifth is not known to all when it is a member.
        books.members(2, 5);
        let excused = books.changed(2, broke(SufficientPrincipals, None));
        assert_eq!(excused, Verdict::Excused(SMALL_RING));
        books.changed(3, mended(SufficientPrincipals, None));
        books.ideal(3, true);
        assert_eq!(books.excuse(3, SufficientPrincipals), None);
        assert_eq!(books.overdue(4), []);
    }

    #[test]
    fn what_a_second_excuse_covers_is_called_in_when_that_ends_too() {
        let mut books = books();
        books.ideal(1, false);
        books.members(1, 4);
        books.begun(1, PARTITION);
        books.members(2, 5);
        books.changed(2, broke(SufficientPrincipals, None));
        assert_eq!(books.overdue(30 * ROUND), []);
        books.ended(30 * ROUND, PARTITION);
        assert_eq!(books.overdue(49 * ROUND), []);
        let at = 50 * ROUND;
        let property = SufficientPrincipals;
        assert_eq!(
            books.overdue(at),
            [Overdue {
                property,
                node: None,
                at,
                excuse: PARTITION
            }]
        );
    }
}
