//! Who waits for which request.

use std::collections::BTreeMap;

/// What waits for the reply to a request, or for the end of a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Waiter {
    /// The step of maintenance that is under way.
    Maintenance,
    /// The way into a ring, back into it, or out of it.
    Membership,
    /// The query in this place.
    Query(u16),
    /// Something about records.
    Records(RecordsWaiter),
}

/// What about records waits for a reply, or for the end of a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum RecordsWaiter {
    /// The client's operation in this place.
    Access(u16),
    /// The owner's write in this place.
    Write(u16),
    Acquire,
    HandOver,
    Repair,
    Misplaced,
    Again,
    Departure,
}

/// As many as nearly all nodes have open at a time, so that they need no memory of their own.
const FEW: usize = 3;

/// What waits under the open numbers of a node: one entry from when a request is sent, or a pause
/// begins, until its operation has what it waited for, or is given up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OpenRequests {
    /// A few of them; zero, which is nobody's, where there is none.
    numbers: [u32; FEW],
    /// What waits under each of those.
    waiters: [Waiter; FEW],
    /// What does not fit there, if there is anything.
    many: Option<Box<Many>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Many(BTreeMap<u32, Waiter>);

/// What stands in a free place: two nodes of which the same is known are equal, whatever they have
/// asked before.
const NOBODY: Waiter = Waiter::Maintenance;

impl Default for OpenRequests {
    fn default() -> OpenRequests {
        OpenRequests {
            numbers: [0; FEW],
            waiters: [NOBODY; FEW],
            many: None,
        }
    }
}

impl OpenRequests {
    /// Enters a number that is not in it, and is not zero.
    #[inline]
    pub(super) fn enter(&mut self, number: u32, waiter: Waiter) {
        if let Some(at) = self.place(0) {
            self.numbers[at] = number;
            self.waiters[at] = waiter;
        } else {
            let many = self.many.get_or_insert_default();
            many.0.insert(number, waiter);
        }
    }

    /// What waits under a number.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<Waiter> {
        match self.place(number) {
            Some(at) => (number != 0).then_some(self.waiters[at]),
            None => self.many.as_ref()?.0.get(&number).copied(),
        }
    }

    /// Nothing waits under this number any more.
    #[inline]
    pub(super) fn remove(&mut self, number: u32) {
        if let Some(at) = self.place(number) {
            self.free(at);
        } else if let Some(many) = &mut self.many {
            many.0.remove(&number);
            self.many.take_if(|many| many.0.is_empty());
        }
    }

    /// None of these waits any more.
    pub(super) fn forget(&mut self, such: impl Fn(Waiter) -> bool) {
        for at in 0..FEW {
            if self.numbers[at] != 0 && such(self.waiters[at]) {
                self.free(at);
            }
        }
        if let Some(many) = &mut self.many {
            many.0.retain(|_, waiter| !such(*waiter));
            self.many.take_if(|many| many.0.is_empty());
        }
    }

    /// Where a number is among the few.
    #[inline]
    fn place(&self, number: u32) -> Option<usize> {
        self.numbers.iter().position(|of| *of == number)
    }

    #[inline]
    const fn free(&mut self, at: usize) {
        self.numbers[at] = 0;
        self.waiters[at] = NOBODY;
    }

    /// All of them, by number.
    #[cfg(test)]
    pub(super) fn all(&self) -> BTreeMap<u32, Waiter> {
        let few = self.numbers.into_iter().zip(self.waiters);
        let mut all: BTreeMap<_, _> = few.filter(|(number, _)| *number != 0).collect();
        all.extend(self.many.iter().flat_map(|many| &many.0));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_takes_little_room() {
        // What worlds of a million nodes rest on.
        assert_eq!(size_of::<OpenRequests>(), 32);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Enter(Waiter),
        Remove(prop::sample::Index),
        Forget(Waiter),
    }

    fn any_waiter() -> impl Strategy<Value = Waiter> {
        prop_oneof![
            Just(Waiter::Maintenance),
            Just(Waiter::Membership),
            (0u16..3).prop_map(Waiter::Query),
            (0u16..3).prop_map(|at| Waiter::Records(RecordsWaiter::Access(at))),
        ]
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => any_waiter().prop_map(Step::Enter),
            2 => any::<prop::sample::Index>().prop_map(Step::Remove),
            1 => any_waiter().prop_map(Step::Forget),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec(any_step(), 0..60)) {
            let (mut table, mut model) = (OpenRequests::default(), BTreeMap::new());
            for (number, step) in (1..).zip(steps) {
                match step {
                    Step::Enter(waiter) => {
                        table.enter(number, waiter);
                        model.insert(number, waiter);
                    }
                    Step::Remove(index) if !model.is_empty() => {
                        let number = *index.get(&model.keys().copied().collect::<Vec<_>>());
                        table.remove(number);
                        model.remove(&number);
                    }
                    Step::Remove(_) => table.remove(number),
                    Step::Forget(which) => {
                        table.forget(|waiter| waiter == which);
                        model.retain(|_, waiter| *waiter != which);
                    }
                }
                prop_assert_eq!(&table.all(), &model);
                for number in 0..=number {
                    prop_assert_eq!(table.get(number), model.get(&number).copied());
                }
                if model.is_empty() {
                    prop_assert_eq!(&table, &OpenRequests::default());
                }
            }
        }
    }
}
