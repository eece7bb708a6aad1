//! Taking over what a member newly says: only that in which it differs from before costs
//! anything.
//!
//! It keeps the pairs of neighbouring entries in the coverage, who lists whom, and how many
//! entries live. What follows from them is judged elsewhere.

use cuerda_core::ring::Id;

use super::{NOBODY, Pointers, RingChecker};

impl RingChecker {
    /// Takes over what a member now says of its neighbours, all but the verdict on them.
    pub(super) fn replace(&mut self, place: u32, pointers: &impl Pointers) {
        self.places[place as usize].predecessor = pointers.predecessor();
        let mut list = std::mem::take(&mut self.spare);
        list.clear();
        let mut last = place;
        for (index, id) in pointers.successors().enumerate() {
            let old = &self.places[place as usize].list;
            let (early, late) = old.split_at(index.min(old.len()));
            let known = late.iter().chain(early).find(|entry| entry.0 == id);
            let at = match known {
                Some(&(_, at)) => at,
                None => self.place_after(last, id),
            };
            last = at;
            list.push((id, at));
        }
        self.replace_list(place, list);
        self.judge_list(place);
    }

    /// Gives a member another list: the pairs and entries in which it differs go and come.
    pub(super) fn replace_list(&mut self, place: u32, new: Vec<(Id, u32)>) {
        let old = std::mem::take(&mut self.places[place as usize].list);
        let pair = |list: &[(Id, u32)], index: usize| {
            let from = index.checked_sub(1).map_or(place, |before| list[before].1);
            (from, list[index].1)
        };
        differences(
            old.len(),
            new.len(),
            |o, n| pair(&old, o) == pair(&new, n),
            |side| {
                let ((from, to), by) = match side {
                    Side::Old(index) => (pair(&old, index), -1),
                    Side::New(index) => (pair(&new, index), 1),
                };
                self.coverage.stretch(from, to, by);
            },
        );
        differences(
            old.len(),
            new.len(),
            |o, n| old[o].1 == new[n].1,
            |side| match side {
                Side::Old(index) => {
                    let entry = &mut self.places[old[index].1 as usize];
                    let at = entry.listed_by.iter().position(|&by| by == place);
                    entry
                        .listed_by
                        .swap_remove(at.expect("who lists a place is written there"));
                    let lives = entry.node != NOBODY;
                    self.places[place as usize].live_entries -= u32::from(lives);
                }
                Side::New(index) => {
                    let entry = &mut self.places[new[index].1 as usize];
                    entry.listed_by.push(place);
                    let lives = entry.node != NOBODY;
                    self.places[place as usize].live_entries += u32::from(lives);
                }
            },
        );
        self.places[place as usize].list = new;
        self.spare = old;
        self.unseen = true;
    }

    /// Tells those that list a place that its node now lives, or no longer does.
    pub(super) fn live_or_die(&mut self, place: u32, by: i32) {
        let listed_by = std::mem::take(&mut self.places[place as usize].listed_by);
        for &lister in &listed_by {
            let row = &mut self.places[lister as usize];
            row.live_entries = row.live_entries.wrapping_add_signed(by);
            self.judge_live(lister);
        }
        self.places[place as usize].listed_by = listed_by;
        // What a member without live entries is told apart by: see `judge_live`.
        if self.members.len() <= self.room + 2 {
            for lister in self.lost.clone() {
                self.judge_live(lister);
            }
        }
        self.unseen = true;
    }
}

/// One element of two sequences that the other lacks.
enum Side {
    Old(usize),
    New(usize),
}

/// Tells in what two sequences differ, each taken as a bag. Lists mostly shift by a place, so
/// that an element is nearly always found at the first or second try.
fn differences(
    old: usize,
    new: usize,
    equal: impl Fn(usize, usize) -> bool,
    mut tell: impl FnMut(Side),
) {
    let (mut few, mut many);
    let used = if old <= 64 {
        few = [false; 64];
        &mut few[..old]
    } else {
        many = vec![false; old];
        &mut many[..]
    };
    let mut hint = 0;
    for index in 0..new {
        let mut tries = (hint..old).chain(0..hint);
        match tries.find(|&o| !used[o] && equal(o, index)) {
            Some(found) => {
                used[found] = true;
                hint = found + 1;
            }
            None => tell(Side::New(index)),
        }
    }
    for (index, _) in used.iter().enumerate().filter(|(_, used)| !**used) {
        tell(Side::Old(index));
    }
}
