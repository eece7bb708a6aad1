//! The look-ups that clients wait for. Only their books: who asked what, and when.

use cuerda_core::protocol::{LookupError, OwnerFound};
use cuerda_core::ring::Id;

use crate::world::{LookupEnd, Time};

/// A look-up that has not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenLookup {
    pub(super) asker: u32,
    pub(super) key: Id,
    pub(super) issued: Time,
}

impl OpenLookup {
    pub(super) const fn ended(
        self,
        lookup: u64,
        result: Result<(u32, OwnerFound), LookupError>,
        timeouts: u32,
    ) -> LookupEnd {
        let OpenLookup { asker, key, issued } = self;
        LookupEnd {
            lookup,
            asker,
            key,
            issued,
            result,
            timeouts,
        }
    }
}

/// The look-ups under way, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenLookups {
    slots: Vec<Option<OpenLookup>>,
    free: Vec<u32>,
}

impl OpenLookups {
    pub(super) fn open(&mut self, lookup: OpenLookup) -> u64 {
        if let Some(place) = self.free.pop() {
            self.slots[place as usize] = Some(lookup);
            return place.into();
        }
        self.slots.push(Some(lookup));
        self.slots.len() as u64 - 1
    }

    pub(super) fn close(&mut self, lookup: u64) -> Option<OpenLookup> {
        let open = self.slots.get_mut(usize::try_from(lookup).ok()?)?.take()?;
        self.free.push(u32::try_from(lookup).ok()?);
        Some(open)
    }

    pub(super) fn abandon(&mut self, asker: u32) -> Vec<u64> {
        let slots = self.slots.iter().enumerate();
        let of_asker = |open: &Option<OpenLookup>| open.is_some_and(|open| open.asker == asker);
        let open: Vec<u64> = slots
            .filter(|(_, open)| of_asker(open))
            .map(|(place, _)| place as u64)
            .collect();
        for &lookup in &open {
            self.close(lookup);
        }
        open
    }
}
