//! Who waits for which request.

use std::collections::BTreeMap;

use super::records;
use crate::ring::Id;

/// What waits for the reply to a request, or for the end of a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Waiter {
    /// The step of maintenance that is under way.
    Maintenance,
    /// The way into a ring, back into it, or out of it.
    Membership,
    /// The query in this place.
    Query(u32),
    /// Something about records.
    Records(records::Waiter),
}

/// What is known of a number that somebody waits under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Open {
    /// Who was asked; `None` for a pause, which only its timer ends.
    pub(super) to: Option<Id>,
    pub(super) waiter: Waiter,
}

/// As many as most nodes have open at a time, so that they need no memory of their own.
const FEW: usize = 2;

/// The open requests and pauses of a node: one entry from when a request is sent, or a pause
/// begins, until its operation has what it waited for, or is given up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct OpenRequests {
    few: [Option<(u32, Open)>; FEW],
    /// What does not fit there.
    many: BTreeMap<u32, Open>,
}

impl OpenRequests {
    /// Enters a number that is not in it.
    #[inline]
    pub(super) fn enter(&mut self, number: u32, open: Open) {
        for place in &mut self.few {
            if place.is_none() {
                *place = Some((number, open));
                return;
            }
        }
        self.many.insert(number, open);
    }

    /// What is known of a number.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<Open> {
        let here = self.few.iter().flatten().find(|(of, _)| *of == number);
        match here {
            Some((_, open)) => Some(*open),
            None if self.many.is_empty() => None,
            None => self.many.get(&number).copied(),
        }
    }

    /// Nobody waits under this number any more.
    #[inline]
    pub(super) fn remove(&mut self, number: u32) {
        for place in &mut self.few {
            if place.is_some_and(|(of, _)| of == number) {
                *place = None;
                return;
            }
        }
        self.many.remove(&number);
    }

    /// None of these waits any more.
    pub(super) fn forget(&mut self, such: impl Fn(Waiter) -> bool) {
        for place in &mut self.few {
            if place.is_some_and(|(_, open)| such(open.waiter)) {
                *place = None;
            }
        }
        self.many.retain(|_, open| !such(open.waiter));
    }

    /// All of them, by number.
    #[cfg(test)]
    pub(super) fn all(&self) -> BTreeMap<u32, Open> {
        let mut all = self.many.clone();
        all.extend(self.few.iter().flatten().copied());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::test_peers::peer;
    use proptest::prelude::*;

    #[test]
    fn it_takes_little_room() {
        // What worlds of a million nodes rest on.
        assert!(
            size_of::<OpenRequests>() <= 96,
            "{}",
            size_of::<OpenRequests>()
        );
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Enter(u8, Option<u8>),
        Remove(prop::sample::Index),
        Forget(u8),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0u8..4, any::<Option<u8>>()).prop_map(|(waiter, to)| Step::Enter(waiter, to)),
            2 => any::<prop::sample::Index>().prop_map(Step::Remove),
            1 => (0u8..4).prop_map(Step::Forget),
        ]
    }

    fn waiter(of: u8) -> Waiter {
        match of {
            0 => Waiter::Maintenance,
            1 => Waiter::Membership,
            2 => Waiter::Query(7),
            _ => Waiter::Records(records::Waiter::Access(7)),
        }
    }

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec(any_step(), 0..60)) {
            let (mut table, mut model) = (OpenRequests::default(), BTreeMap::new());
            for (number, step) in (1..).zip(steps) {
                match step {
                    Step::Enter(of, to) => {
                        let open = Open { to: to.map(|to| peer(to).id), waiter: waiter(of) };
                        table.enter(number, open);
                        model.insert(number, open);
                    }
                    Step::Remove(index) if !model.is_empty() => {
                        let number = *index.get(&model.keys().copied().collect::<Vec<_>>());
                        table.remove(number);
                        model.remove(&number);
                    }
                    Step::Remove(_) => table.remove(number),
                    Step::Forget(of) => {
                        table.forget(|other| other == waiter(of));
                        model.retain(|_, open: &mut Open| open.waiter != waiter(of));
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
