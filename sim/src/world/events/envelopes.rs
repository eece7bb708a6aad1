//! Messages under way.

use cuerda_core::ring::Peer;

use crate::world::Time;

/// A message under way to a node.
#[derive(Clone, Debug)]
pub(super) struct Envelope<M> {
    pub(super) from: Peer,
    pub(super) from_number: u32,
    pub(super) message: M,
    pub(super) sent: Time,
    /// For a reply: when its request was sent, if it answers at once.
    pub(super) asked: Option<Time>,
}

/// A slab: queue entries hold a place in it, so that they stay small.
#[derive(Clone, Debug)]
pub(super) struct Envelopes<M> {
    slots: Vec<Option<Envelope<M>>>,
    free: Vec<u32>,
}

impl<M> Default for Envelopes<M> {
    fn default() -> Envelopes<M> {
        Envelopes {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<M> Envelopes<M> {
    // A call would copy each message once more.
    #[inline(always)]
    pub(super) fn put(&mut self, envelope: Envelope<M>) -> u32 {
        if let Some(place) = self.free.pop() {
            self.slots[place as usize] = Some(envelope);
            return place;
        }
        self.slots.push(Some(envelope));
        u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 messages are under way")
    }

    pub(super) fn get(&self, place: u32) -> &Envelope<M> {
        self.slots[place as usize]
            .as_ref()
            .expect("a queue entry's envelope lies in its place")
    }

    pub(super) fn take(&mut self, place: u32) -> Envelope<M> {
        self.free.push(place);
        self.slots[place as usize]
            .take()
            .expect("a queue entry's envelope lies in its place")
    }
}
