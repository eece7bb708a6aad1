//! The places on the circle that somebody has mentioned, and who is next to whom.
//!
//! Places are numbered, and a number stays a place's own as long as anybody stands there or
//! lists it. Nothing here judges.

use cuerda_core::ring::Id;

use super::{NOBODY, RingChecker};

/// An identifier that somebody has mentioned: a member, a former one, or one never seen.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) id: Id,
    /// The member that stands here; [`NOBODY`] if none does.
    pub(super) node: u32,
    /// The member's predecessor.
    pub(super) predecessor: Id,
    /// The member's successors, and where they stand.
    pub(super) list: Vec<(Id, u32)>,
    /// The members that list this place, once for each time they do.
    pub(super) listed_by: Vec<u32>,
    /// How many entries of the list live.
    pub(super) live_entries: u32,
    /// Whether the member is a ring of its own that begins: see [`Member`](super::Member).
    pub(super) begins: bool,
    /// Whether the member's neighbours differ from what they are in an ideal ring.
    pub(super) deviates: bool,
    /// The next member clockwise, and the one before; kept for members only.
    pub(super) next: u32,
    pub(super) before: u32,
}

impl RingChecker {
    pub(super) fn place(&self, node: u32) -> Option<u32> {
        let place = self.place_of.get(node as usize).copied();
        place.filter(|&place| place != NOBODY)
    }

    pub(super) fn place_of_mut(&mut self, node: u32, place: u32) {
        let nodes = self.place_of.len().max(node as usize + 1);
        self.place_of.resize(nodes, NOBODY);
        self.place_of[node as usize] = place;
    }

    /// The place of an identifier, a new one if nobody has mentioned it.
    pub(super) fn place_at(&mut self, id: Id) -> u32 {
        if let Some(&place) = self.known.get(&id) {
            return place;
        }
        let before = self.known.range(..id).next_back().map(|(_, &place)| place);
        let place = self.new_place(id);
        self.known.insert(id, place);
        self.coverage.insert(place, before);
        place
    }

    /// The same, for one that is probably the next member after another place.
    pub(super) fn place_after(&mut self, last: u32, id: Id) -> u32 {
        let next = self.places[last as usize].next;
        match self.places.get(next as usize) {
            Some(row) if row.id == id && row.node != NOBODY => next,
            _ => self.place_at(id),
        }
    }

    pub(super) fn new_place(&mut self, id: Id) -> u32 {
        let place = Place {
            id,
            node: NOBODY,
            predecessor: id,
            list: Vec::new(),
            listed_by: Vec::new(),
            live_entries: 0,
            begins: false,
            deviates: false,
            next: NOBODY,
            before: NOBODY,
        };
        if let Some(number) = self.free.pop() {
            self.places[number as usize] = place;
            return number;
        }
        self.places.push(place);
        self.places.len() as u32 - 1
    }

    /// Forgets the places of the departed that nobody lists any more, once there are many: in a
    /// long run with churn they would pile up.
    pub(super) fn forget_unlisted(&mut self) {
        if self.known.len() <= self.most_places {
            return;
        }
        let places = &self.places;
        let used = |place: u32| {
            let row = &places[place as usize];
            row.node != NOBODY || !row.listed_by.is_empty()
        };
        self.coverage.retain(used);
        self.known.retain(|_, &mut place| {
            if !used(place) {
                self.free.push(place);
            }
            used(place)
        });
        self.most_places = 1024.max(2 * self.known.len());
    }

    pub(super) fn link(&mut self, before: u32, next: u32) {
        self.places[before as usize].next = next;
        self.places[next as usize].before = before;
    }
}
