//! How far this machine's clock is from those of others.
//!
//! Each message about records says what its sender's wall clock shows. Of the last three machines
//! heard from this remembers how far they are off, and when more than half of them agree that this
//! one's clock is far from theirs, it is this one that is wrong. What was heard long ago by this
//! machine's clock says nothing about it now: it may have been set since. It sets no clock, and asks nobody:
//! a node that finds itself wrong issues no stamps, and judges those of others by the time that they
//! agree on.

use std::net::IpAddr;

use super::limits;
use crate::ring::Address;

/// As many machines are remembered. More than half of three are two: one wrong neighbour convinces
/// nobody who has others.
const MACHINES: usize = 3;

/// What a machine's clock showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Heard {
    /// A digest of where it listens.
    place: u32,
    /// How many milliseconds it was ahead of this machine's.
    lead: i64,
    /// What this machine's showed.
    mine: u64,
}

/// How far the clocks of those that this node last heard from are ahead of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Offsets {
    /// The last heard first; virtual nodes of a process count once. `None` before anybody was heard,
    /// as in most nodes of a large world.
    heard: Option<Box<[Option<Heard>; MACHINES]>>,
}

impl Offsets {
    /// Those of a node that has heard nobody, and trusts its clock.
    pub const NONE: Offsets = Offsets { heard: None };

    /// A message came from there, and said that its sender's clock shows `theirs` while this
    /// machine's shows `mine`, both in milliseconds since 1970. The time on the way is not known, and
    /// counts as lead of this machine's.
    pub fn heard(&mut self, from: Address, theirs: u64, mine: u64) {
        let lead = i64::try_from(i128::from(theirs) - i128::from(mine));
        let lead = lead.unwrap_or(if theirs > mine { i64::MAX } else { i64::MIN });
        let place = digest(from);
        let heard = self.heard.get_or_insert_with(|| Box::new([None; MACHINES]));
        let known = |known: &Option<Heard>| known.is_none_or(|known| known.place == place);
        let at = heard.iter().position(known).unwrap_or(MACHINES - 1);
        heard[..=at].rotate_right(1);
        heard[0] = Some(Heard { place, lead, mine });
    }

    /// By how many milliseconds this machine's clock is wrong, if it is farther than
    /// [`limits::TAKEN_MAX`] from the clocks of more than half of those heard from, and on the same
    /// side of them: positive if it is ahead. The nearest of them says how far. `mine` is what it
    /// shows now, in milliseconds since 1970.
    #[must_use]
    pub fn wrong_by(&self, mine: u64) -> Option<i64> {
        let leads = || self.fresh(mine).map(|heard| heard.lead);
        let majority = leads().count() / 2 + 1;
        let far = |lead: &i64| lead.unsigned_abs() > limits::TAKEN_MAX;
        let nearest = |such: fn(&i64) -> bool| {
            let side = || leads().filter(far).filter(such);
            let agreed = side().count() >= majority;
            side()
                .min_by_key(|lead| lead.unsigned_abs())
                .filter(|_| agreed)
        };
        let lead = nearest(|lead| *lead > 0).or_else(|| nearest(|lead| *lead < 0));
        lead.map(i64::saturating_neg)
    }

    /// Whether anybody was heard, and nothing speaks against this machine's clock.
    #[must_use]
    pub fn agree(&self, mine: u64) -> bool {
        self.fresh(mine).next().is_some() && self.wrong_by(mine).is_none()
    }

    /// What was heard not long ago.
    fn fresh(&self, mine: u64) -> impl Iterator<Item = &Heard> {
        let heard = self.heard.as_deref().into_iter().flatten().flatten();
        heard.filter(move |heard| heard.mine.abs_diff(mine) <= limits::TAKEN_MAX)
    }

    /// The time by which stamps of others are judged: what this machine's clock shows, or what others
    /// agree on where that is far from it. In milliseconds since 1970.
    #[must_use]
    pub fn right(&self, mine: u64) -> u64 {
        match self.wrong_by(mine) {
            None => mine,
            Some(by) => mine.saturating_add_signed(by.saturating_neg()),
        }
    }
}

/// Enough of an address to tell a few machines apart.
fn digest(of: Address) -> u32 {
    let ip = match of.ip() {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    };
    let folded = (ip >> 64) as u64 ^ ip as u64 ^ u64::from(of.port()) << 48;
    // Fibonacci hashing: the upper half depends on all bits.
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

#[cfg(test)]
mod tests;
