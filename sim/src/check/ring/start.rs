//! A ring that starts complete.
//!
//! The same state as after one join for each member, made at once. Nothing here is used once
//! the ring runs.

use super::{Pointers, RingChecker};
use crate::check::coverage::Coverage;

impl RingChecker {
    /// A ring that starts with all these members at once, at a cost of O(n·r).
    ///
    /// # Panics
    /// If two of them have the same identifier.
    #[must_use]
    pub fn start<'a, P: Pointers + 'a>(
        room: usize,
        members: impl Iterator<Item = (u32, &'a P)>,
    ) -> RingChecker {
        let mut checker = RingChecker::new(room);
        let mut rows: Vec<(u32, &P)> = members.collect();
        rows.sort_unstable_by_key(|(_, pointers)| pointers.id());
        for (index, &(node, pointers)) in rows.iter().enumerate() {
            let place = checker.new_place(pointers.id());
            debug_assert_eq!(place as usize, index);
            checker.place_of_mut(node, place);
            let row = &mut checker.places[index];
            row.node = node;
            row.next = ((index + 1) % rows.len()) as u32;
            row.before = ((index + rows.len() - 1) % rows.len()) as u32;
        }
        let numbered = rows.iter().enumerate();
        checker.members = numbered.map(|(at, row)| (row.1.id(), at as u32)).collect();
        assert_eq!(
            checker.members.len(),
            rows.len(),
            "identifiers are distinct"
        );
        checker.known.clone_from(&checker.members);
        for (at, (_, pointers)) in rows.iter().enumerate() {
            let mut list = Vec::with_capacity(pointers.successors().len());
            let mut last = at;
            for id in pointers.successors() {
                // In a healthy ring an entry is the member after the one before.
                last = (last + 1) % rows.len();
                let found = if rows[last].1.id() == id {
                    Ok(last)
                } else {
                    rows.binary_search_by_key(&id, |row| row.1.id())
                };
                last = found.unwrap_or(last);
                let place = match found {
                    Ok(at) => at as u32,
                    Err(_) => match checker.known.get(&id) {
                        Some(&place) => place,
                        None => {
                            let place = checker.new_place(id);
                            checker.known.insert(id, place);
                            place
                        }
                    },
                };
                checker.places[place as usize].listed_by.push(at as u32);
                checker.places[at].live_entries += u32::from(found.is_ok());
                list.push((id, place));
            }
            checker.places[at].list = list;
            checker.places[at].predecessor = pointers.predecessor();
        }
        let order: Vec<u32> = checker.known.values().copied().collect();
        let places = &checker.places;
        let stretches = (0..rows.len() as u32).flat_map(|at| {
            let list = places[at as usize].list.iter().map(|entry| entry.1);
            std::iter::once(at).chain(list.clone()).zip(list)
        });
        checker.coverage = Coverage::new(&order, |place| (place as usize) < rows.len(), stretches);
        checker.most_places = 1024.max(2 * order.len());
        checker.unseen = true;
        for at in 0..rows.len() as u32 {
            checker.judge_list(at);
            checker.judge_ideal(at);
        }
        checker.settle();
        checker
    }
}
