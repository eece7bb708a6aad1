//! What a node makes of clocks: it says what its own shows to whom asks, and stamps nothing while
//! others have shown it that its clock is far from theirs.
//!
//! A node believes more than half of the three machines that it heard from last. What it has heard in
//! replies it may not have taken in, as it waits for them no more: so a reply counts here where it
//! shows a wrong time, and not where it shows the right one. Whom this list calls told of the right
//! time has been told of it, and who may have been misled is so by this list.
//!
//! What time it is by which clock is known from the scenario. Stamp clocks are looked at elsewhere.

use cuerda_core::record::{Stamp, limits::TAKEN_MAX};
use cuerda_core::ring::Address;

use super::Case;
use super::act::{Ask, Given, OfRecords, Said};
use crate::world::{EPOCH_MS, Time};

/// As many machines are remembered.
const MACHINES: usize = 3;

/// What is known of a node's clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Clocks {
    /// Until when it is far ahead of the right time, 0 if it never was, and how far in milliseconds.
    wrong_until: Time,
    by: u64,
    /// What others have shown it since it was set, in messages about records: when, and by how many
    /// milliseconds that was ahead of the right time. The last one first.
    shown: Vec<(Address, Time, i64)>,
    /// Since when more than half of them have shown it the right time.
    told: Option<Time>,
}

/// Whether a clock is so far from the right time that others may take it for wrong.
const fn is_far(lead: i64) -> bool {
    lead.unsigned_abs() > TAKEN_MAX / 2
}

impl Clocks {
    /// Its clock is set so many milliseconds ahead, farther than any stamp may be.
    pub(super) fn is_wrong(&mut self, now: Time, by: u64, until: Option<Time>) {
        let before = if now < self.wrong_until { self.by } else { 0 };
        self.by = before + by;
        self.wrong_until = self.wrong_until.max(until.unwrap_or(Time::MAX));
        self.starts();
    }

    /// Its process starts anew, and has heard nobody.
    pub(super) fn starts(&mut self) {
        self.shown.clear();
        self.told = None;
    }

    /// By how many milliseconds the time by which a node with a right clock judges may be ahead, as far
    /// as others have misled it.
    pub(super) fn misled_by(&self) -> u64 {
        let leads = || self.shown.iter().map(|(.., lead)| *lead);
        let ahead = || leads().filter(|lead| *lead > 0 && is_far(*lead));
        let believed = ahead().count() > self.shown.len() / 2;
        let most = ahead().max().filter(|_| believed);
        most.map_or(0, i64::unsigned_abs)
    }

    pub(super) fn judge(&mut self, case: &mut Case<'_>, is_member: bool) {
        says_the_time(case);
        // A node takes in what a message shows before it does what the message is for: who is misled by
        // this one is told no more.
        let before = self.told;
        self.hears(case, is_member);
        if case.now < self.wrong_until {
            self.stamps(case, before.filter(|_| self.told.is_some()));
        }
    }

    /// `told` is since when others have shown it the right time, and do so still.
    fn stamps(&self, case: &mut Case<'_>, told: Option<Time>) {
        // What it heard before its clock was set counts no more, and what it was asked before it heard
        // from others has its stamp already.
        let told = told.map(|since| since / 1_000_000);
        let issued = |stamp: Stamp| stamp.milliseconds.checked_sub(EPOCH_MS + self.by);
        let stamped = case.act.asked().find_map(|(_, _, ask)| match ask {
            Ask::Records(_, OfRecords::Write { stamp, .. }) => Some(*stamp),
            Ask::Records(_, OfRecords::Store { stamp, .. }) => *stamp,
            _ => None,
        });
        let own = stamped.filter(|stamp| stamp.node == case.me.id);
        if let (Some(stamp), Some(since)) = (own, told)
            && issued(stamp).is_some_and(|at| at > since)
        {
            let detail = format!("stamps a write {stamp}, though others have shown it the time");
            case.breach("wrong-clock-stamps", detail);
        }
    }

    /// Takes in what a message shows of its sender's clock.
    fn hears(&mut self, case: &Case<'_>, is_member: bool) {
        // What was heard long ago says nothing of a clock any more.
        let old = case.now.saturating_sub(TAKEN_MAX * 1_000_000);
        self.shown.retain(|(_, heard, _)| *heard >= old);
        if let (Given::Heard(from, said), Some(shows)) = (&case.act.input, case.act.shows) {
            let lead = i128::from(shows) - i128::from(case.wall_clock());
            let lead = lead.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
            let is_certain = is_member && !matches!(said, Said::Answer(..));
            if is_certain || is_far(lead) {
                self.shown.retain(|(other, ..)| *other != from.address);
                self.shown.insert(0, (from.address, case.now, lead));
                self.shown.truncate(MACHINES);
            }
        }
        let right = self.shown.iter().filter(|(.., lead)| !is_far(*lead));
        let is_told = right.count() > self.shown.len() / 2;
        self.told = self.told.or(Some(case.now)).filter(|_| is_told);
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
