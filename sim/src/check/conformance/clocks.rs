//! What a node makes of clocks: it says what its own shows to whom asks, and stamps nothing while
//! others have shown it that its clock is far from theirs.
//!
//! What time it is by which clock is known from the scenario. Stamp clocks are looked at elsewhere.

use std::collections::BTreeSet;

use cuerda_core::record::{Stamp, limits::TAKEN_MAX};
use cuerda_core::ring::Address;

use super::Case;
use super::act::{Ask, Given, OfRecords, Said};
use crate::world::{EPOCH_MS, Time};

/// What is known of a node's clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Clocks {
    /// Until when it is far ahead of the right time, 0 if it never was, and how far in milliseconds.
    wrong_until: Time,
    by: u64,
    /// Who has shown it the right time since it was set, in messages about records. Nobody, as long as
    /// one has shown it another.
    right: BTreeSet<Address>,
    /// Since when.
    since: Time,
}

impl Clocks {
    /// Its clock is set so many milliseconds ahead, farther than any stamp may be.
    pub(super) fn is_wrong(&mut self, now: Time, by: u64, until: Option<Time>) {
        let before = if now < self.wrong_until { self.by } else { 0 };
        self.by = before + by;
        self.wrong_until = self.wrong_until.max(until.unwrap_or(Time::MAX));
        self.right.clear();
    }

    /// Its process starts anew, and has heard nobody.
    pub(super) fn starts(&mut self) {
        self.right.clear();
    }

    pub(super) fn judge(&mut self, case: &mut Case<'_>, is_member: bool) {
        says_the_time(case);
        if case.now >= self.wrong_until {
            return;
        }
        // What it heard before its clock was set counts no more, and what it was asked before it heard
        // from others has its stamp already.
        let shown = (!self.right.is_empty()).then_some(self.since / 1_000_000);
        let issued = |stamp: Stamp| stamp.milliseconds.checked_sub(EPOCH_MS + self.by);
        let stamped = case.act.asked().find_map(|(_, _, ask)| match ask {
            Ask::Records(_, OfRecords::Write { stamp, .. }) => Some(*stamp),
            Ask::Records(_, OfRecords::Store { stamp, .. }) => *stamp,
            _ => None,
        });
        let own = stamped.filter(|stamp| stamp.node == case.me.id);
        if let (Some(stamp), Some(since)) = (own, shown)
            && issued(stamp).is_some_and(|at| at > since)
        {
            let detail = format!("stamps a write {stamp}, though others have shown it the time");
            case.breach("wrong-clock-stamps", detail);
        }
        if is_member {
            self.hears(case);
        }
    }

    /// Takes in what a message shows of its sender's clock. That it is right it need not take from a
    /// reply, which it may wait for no more.
    fn hears(&mut self, case: &Case<'_>) {
        let (Given::Heard(from, said), Some(shows)) = (&case.act.input, case.act.shows) else {
            return;
        };
        if shows.abs_diff(case.wall_clock()) > TAKEN_MAX / 2 {
            self.right.clear();
        } else if !matches!(said, Said::Answer(..)) {
            if self.right.is_empty() {
                self.since = case.now;
            }
            self.right.insert(from.address);
        }
    }
}

/// What its clock shows it says to whom asked, once, and to nobody else.
fn says_the_time(case: &mut Case<'_>) {
    let asker = match &case.act.input {
        Given::Heard(from, Said::AskClock(_)) => Some(from.id),
        _ => None,
    };
    let mut said = case.act.sent.iter().filter_map(|(to, said)| match said {
        Said::Clock(_) => Some(to.id),
        _ => None,
    });
    let first = said.next();
    if first.is_some_and(|to| Some(to) != asker) || said.next().is_some() {
        let detail = "says what its clock shows, and was not asked".to_owned();
        case.breach("clock-unasked", detail);
    }
}
