//! Values in numbered places.

/// Values, each in a place whose number stays the same until it is taken out. Whoever waits for
/// something is found by it at once, however many others wait too. Numbers are short because worlds
/// of a million nodes keep some for each: a table is not to have more than 2^16 places.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slots<T> {
    places: Vec<Place<T>>,
    /// The free place that is filled next.
    free: Option<u16>,
    held: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place<T> {
    Held(T),
    /// The free place that is filled after this one.
    Free(Option<u16>),
}

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots {
            places: Vec::new(),
            free: None,
            held: 0,
        }
    }
}

impl<T> Slots<T> {
    /// Puts a value into a free place, and says which.
    pub(super) fn put(&mut self, value: T) -> u16 {
        self.held += 1;
        let Some(at) = self.free else {
            self.places.push(Place::Held(value));
            let at = u16::try_from(self.places.len() - 1);
            return at.expect("tables have fewer places than there are numbers for them");
        };
        let place = &mut self.places[usize::from(at)];
        if let Place::Free(next) = std::mem::replace(place, Place::Held(value)) {
            self.free = next;
        }
        at
    }

    /// What lies in a place.
    pub(super) fn get(&self, at: u16) -> Option<&T> {
        match self.places.get(usize::from(at)) {
            Some(Place::Held(value)) => Some(value),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, at: u16) -> Option<&mut T> {
        match self.places.get_mut(usize::from(at)) {
            Some(Place::Held(value)) => Some(value),
            _ => None,
        }
    }

    /// Takes out what lies in a place.
    pub(super) fn take(&mut self, at: u16) -> Option<T> {
        let place = self.places.get_mut(usize::from(at))?;
        if matches!(place, Place::Free(_)) {
            return None;
        }
        let taken = std::mem::replace(place, Place::Free(self.free));
        self.free = Some(at);
        self.held -= 1;
        if self.held == 0 {
            // Nothing tells it from one that has never held anything.
            self.places.clear();
            self.free = None;
        }
        match taken {
            Place::Held(value) => Some(value),
            Place::Free(_) => None,
        }
    }

    /// All of them, by their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, &T)> {
        (0..)
            .zip(&self.places)
            .filter_map(|(at, place)| match place {
                Place::Held(value) => Some((at, value)),
                Place::Free(_) => None,
            })
    }

    /// The same without the places, to be changed.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().filter_map(|place| match place {
            Place::Held(value) => Some(value),
            Place::Free(_) => None,
        })
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.held as usize
    }

    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.held == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Like a map, whose keys are chosen by itself, and small.
        #[test]
        fn a_place_keeps_its_number_until_it_is_emptied(
            steps in prop::collection::vec(any::<Option<prop::sample::Index>>(), 0..200),
        ) {
            let (mut slots, mut model) = (Slots::default(), BTreeMap::new());
            let mut most = 0;
            for (value, step) in steps.into_iter().enumerate() {
                match step.filter(|_| !model.is_empty()) {
                    None => {
                        let at = slots.put(value);
                        prop_assert_eq!(model.insert(at, value), None);
                    }
                    Some(index) => {
                        let at = *index.get(&model.keys().copied().collect::<Vec<_>>());
                        prop_assert_eq!(slots.get_mut(at).copied(), model.get(&at).copied());
                        prop_assert_eq!(slots.take(at), model.remove(&at));
                        prop_assert_eq!(slots.get(at), None);
                        prop_assert_eq!(slots.take(at), None);
                    }
                }
                most = most.max(model.len());
                let held: BTreeMap<u16, usize> = slots.iter().map(|(at, value)| (at, *value)).collect();
                prop_assert_eq!(&held, &model);
                prop_assert_eq!((slots.len(), slots.is_empty()), (model.len(), model.is_empty()));
                prop_assert!(held.keys().all(|&at| usize::from(at) < most));
                if model.is_empty() {
                    prop_assert_eq!(&slots, &Slots::default());
                }
            }
        }
    }
}
