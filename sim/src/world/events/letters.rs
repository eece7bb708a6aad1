//! Messages under way.

use cuerda_core::ring::Peer;

use crate::world::Time;

/// A message under way to a node.
#[derive(Clone, Debug)]
pub(super) struct Letter<M> {
    pub(super) from: Peer,
    pub(super) from_number: u32,
    pub(super) message: M,
    pub(super) sent: Time,
    /// For a reply: when its request was sent, if it answers at once.
    pub(super) asked: Option<Time>,
}

/// A slab: queue entries hold a place in it, so that they stay small.
#[derive(Clone, Debug)]
pub(super) struct Letters<M> {
    slots: Vec<Option<Letter<M>>>,
    free: Vec<u32>,
}

impl<M> Default for Letters<M> {
    fn default() -> Letters<M> {
        Letters {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<M> Letters<M> {
    // A call would copy each message once more.
    #[inline(always)]
    pub(super) fn put(&mut self, letter: Letter<M>) -> u32 {
        if let Some(place) = self.free.pop() {
            self.slots[place as usize] = Some(letter);
            return place;
        }
        self.slots.push(Some(letter));
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 messages are under way")
    }

    pub(super) fn get(&self, place: u32) -> &Letter<M> {
        self.slots[place as usize]
            .as_ref()
            .expect("a queue entry's letter lies in its place")
    }

    pub(super) fn take(&mut self, place: u32) -> Letter<M> {
        self.free.push(place);
        self.slots[place as usize]
            .take()
            .expect("a queue entry's letter lies in its place")
    }
}
