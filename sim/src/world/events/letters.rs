//! Messages under way.

use cuerda_core::chord::Message;
use cuerda_core::ring::Peer;

use crate::world::Time;

/// A message under way to a node.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) from: Peer,
    pub(super) from_number: u32,
    pub(super) message: Message,
    pub(super) sent: Time,
    /// For a reply: when its request was sent, if it answers at once.
    pub(super) asked: Option<Time>,
}

/// A slab: queue entries hold a place in it, so that they stay small.
#[derive(Clone, Debug, Default)]
pub(super) struct Letters {
    slots: Vec<Option<Letter>>,
    free: Vec<u32>,
}

impl Letters {
    pub(super) fn put(&mut self, letter: Letter) -> u32 {
        if let Some(place) = self.free.pop() {
            self.slots[place as usize] = Some(letter);
            return place;
        }
        self.slots.push(Some(letter));
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 messages are under way")
    }

    pub(super) fn get(&self, place: u32) -> &Letter {
        self.slots[place as usize]
            .as_ref()
            .expect("a queue entry's letter lies in its place")
    }

    pub(super) fn take(&mut self, place: u32) -> Letter {
        self.free.push(place);
        self.slots[place as usize]
            .take()
            .expect("a queue entry's letter lies in its place")
    }
}
