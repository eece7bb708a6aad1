//! Reading what nobody reads, so that a rotten copy is found before it is needed.
//!
//! Holders compare copies by an index of what was written, which knows nothing of the disk. So a
//! copy may rot for as long as nobody reads it, and be missed only when those who had it sound have
//! lost theirs. A node therefore reads all that it holds once in `scrub_every`, whoever serves it, in
//! the order of the keys. What it finds damaged is treated as if a client had found it: it is gone
//! from the index, and comes back from who has it, at once if this node serves the key, else when
//! its owner compares next, in a repair period at most.
//!
//! # How much at a time
//!
//! Each repair period is owed its share of `scrub_every` in keys. It is read in slices of at most
//! [`limits::SCRUBBED_KEYS`] and [`limits::SCRUBBED_BYTES`], the first when the repair timer is due
//! and each further one [`SLICES`] times sooner, so that what others ask is answered between two. So
//! the rate is bounded: who holds more than fits takes longer than `scrub_every`. A node with few
//! records has less than a key to read in most periods, and does nothing in them.
//!
//! # Across restarts
//!
//! How far it has come is noted for the next start, with the other notes of a repair period, so it
//! goes on where it was, or a period's share before. And what is owed is rounded up once in each life:
//! a node that runs for a tenth of `scrub_every` at a time reads a tenth of what it holds in each, were
//! that less than a key. So also one that never runs for long reads everything.
//!
//! It decides nothing about what it finds, and compares nothing with other nodes.

use std::time::Duration;

use super::{Context, Records};
use crate::chord::variant::Variant;
use crate::chord::{Node, Timer, jittered, limits, merging};
use crate::protocol::Network;
use crate::record::DigestSource as _;
use crate::ring::{Id, KeyRange};
use crate::store::Store as _;

/// How many slices fit into a repair period, after the first.
const SLICES: u32 = 16;

/// How far a node has come with reading all that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Scrub {
    /// The key that was read last: the next one after it on the circle is the next to be read.
    last: Id,
    /// What is to be read now, as keys times the milliseconds of `scrub_every`; `None` until it has
    /// had something to read since the start.
    owed: Option<u64>,
    /// Whether the timer for a further slice is under way.
    armed: bool,
    /// Keys read since the start.
    read: u64,
}

impl Scrub {
    /// That of a node which came so far before it was started.
    pub(super) const fn after(last: Id) -> Scrub {
        Scrub {
            last,
            owed: None,
            armed: false,
            read: 0,
        }
    }

    /// A period of a round through so many keys has passed.
    fn passes(&mut self, period: Duration, round: u64, keys: usize) {
        let keys = keys as u64;
        if keys == 0 {
            return;
        }
        let share = keys.saturating_mul(milliseconds(period));
        // What comes to a part of a key is a key, once in each life: else who is always started
        // again before a whole one is owed would never read any.
        let owed = self.owed.unwrap_or(round - 1).saturating_add(share);
        // Who can't keep up need not read anything twice at once.
        self.owed = Some(owed.min(keys.saturating_mul(round)));
    }

    /// So many keys of this slice were read, the last one this.
    const fn has_read(&mut self, last: Id, keys: u64, round: u64) {
        self.last = last;
        self.read += keys;
        if let Some(owed) = self.owed {
            self.owed = Some(owed.saturating_sub(keys * round));
        }
    }

    /// How many keys are to be read in this slice.
    fn slice(&self, round: u64) -> usize {
        let keys = self.owed.unwrap_or(0) / round;
        usize::try_from(keys).map_or(limits::SCRUBBED_KEYS, |keys| {
            keys.min(limits::SCRUBBED_KEYS)
        })
    }
}

impl Records {
    /// Records that were read since the node was started, to see whether they have rotted.
    pub(in crate::chord) const fn scrubbed(&self) -> u64 {
        self.scrub.read
    }

    /// A repair period has passed: reads what is owed for it, or the first slice of that.
    pub(super) fn scrub<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        if ctx.config.is_variant(Variant::NeverScrubbed) {
            return;
        }
        let keys = ctx.net.store().len();
        let round = round(ctx);
        self.scrub.passes(ctx.config.repair_every(), round, keys);
        if keys == 0 {
            return;
        }
        self.scrub_slice(ctx);
        let last = Some(self.scrub.last);
        // Not with each slice, since what is noted is a commit.
        if self.scrub.read > 0 && ctx.net.store().notes().scrubbed != last {
            ctx.note(|notes| notes.scrubbed = last);
        }
    }

    /// The timer for a further slice is due.
    pub(super) fn scrub_due<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        self.scrub.armed = false;
        self.scrub_slice(ctx);
    }

    fn scrub_slice<N: Network<Node>>(&mut self, ctx: &mut Context<'_, N>) {
        let round = round(ctx);
        let from = self.scrub.last;
        let next = ctx.net.store().entries(KeyRange::new(from, from));
        let slice = self.scrub.slice(round);
        let keys: Vec<Id> = next.take(slice).map(|entry| entry.key).collect();
        if keys.len() < slice {
            // There is less than there was: after this all is read.
            self.scrub.owed = Some(keys.len() as u64 * round);
        }
        let mut room = limits::SCRUBBED_BYTES;
        for key in keys {
            self.scrub.has_read(key, 1, round);
            match merging::stored(ctx.net, key) {
                Some(record) => room = room.saturating_sub(record.size()),
                // The index had it.
                None => self.found_damaged(key, ctx),
            }
            if room == 0 {
                break;
            }
        }
        if self.scrub.slice(round) > 0 && !self.scrub.armed {
            self.scrub.armed = true;
            let soon = jittered(ctx.config.repair_every() / SLICES);
            ctx.net.set_timer(Timer::Scrub, soon);
        }
    }

    /// A record of this node's turned out to be damaged, and nothing is there any more. Whoever it
    /// was that wanted to read it: it is fetched again at once if this node serves it. If not, its
    /// owner brings it back when it compares next, and until then this node does not hold all that
    /// it said it does.
    pub(super) fn found_damaged<N: Network<Node>>(&mut self, key: Id, ctx: &mut Context<'_, N>) {
        for assignment in &mut self.assignments {
            assignment.whole &= !assignment.arc.contains(key);
        }
        let unrepaired = ctx.config.is_variant(Variant::DamagedUnrepaired);
        if self.serves(ctx.me().id, key).is_some() && !unrepaired {
            self.repair_soon(Some(key));
        }
        self.note_held(ctx);
    }
}

/// In how many milliseconds everything is to be read once, at least one.
fn round<N>(ctx: &Context<'_, N>) -> u64 {
    milliseconds(ctx.config.scrub_every).max(1)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: u64 = 24 * 60 * 60 * 1000;
    const PERIOD: Duration = Duration::from_secs(4);

    /// Lets a life of so many periods pass, and counts the keys that are read in it.
    fn live(scrub: &mut Scrub, periods: u64, round: u64, keys: usize) -> u64 {
        let before = scrub.read;
        for _ in 0..periods {
            scrub.passes(PERIOD, round, keys);
            for _ in 0..=SLICES {
                let slice = scrub.slice(round) as u64;
                scrub.has_read(Id::ZERO, slice, round);
            }
        }
        scrub.read - before
    }

    #[test]
    fn a_day_reads_everything_once_and_no_more() {
        let periods = DAY / 4000;
        for keys in [1, 10, 21_600, 300_000] {
            let mut scrub = Scrub::after(Id::ZERO);
            for _ in 0..3 {
                assert_eq!(live(&mut scrub, periods, DAY, keys), keys as u64);
            }
        }
    }

    #[test]
    fn who_holds_nothing_owes_nothing() {
        let mut scrub = Scrub::after(Id::ZERO);
        assert_eq!(live(&mut scrub, 1000, DAY, 0), 0);
        assert_eq!(live(&mut scrub, 1, DAY, 5), 1, "the first after a start");
        assert_eq!(live(&mut scrub, 10, DAY, 5), 0);
    }

    #[test]
    fn what_cannot_be_read_in_time_is_not_read_ever_faster() {
        let mut scrub = Scrub::after(Id::ZERO);
        let most = (1 + u64::from(SLICES)) * limits::SCRUBBED_KEYS as u64;
        live(&mut scrub, 1, 1000, 1_000_000);
        for _ in 0..100 {
            assert_eq!(live(&mut scrub, 1, 1000, 1_000_000), most);
        }
        // There is less all at once.
        assert!(live(&mut scrub, 1, 1000, 10) <= 10);
    }

    proptest! {
        /// However short its lives: together they read no less than their share of a round.
        #[test]
        fn no_share_is_lost_by_restarts(
            lives in prop::collection::vec(1_u64..3000, 1..20),
            keys in 1_usize..5000,
            round in 60_000..DAY,
        ) {
            let rate = keys as u64 * 4000 / round;
            prop_assume!(rate < limits::SCRUBBED_KEYS as u64);
            let periods: u64 = lives.iter().sum();
            let mut read = 0;
            for life in lives {
                read += live(&mut Scrub::after(Id::ZERO), life, round, keys);
            }
            prop_assert!(read * round >= periods * keys as u64 * 4000);
        }
    }
}
