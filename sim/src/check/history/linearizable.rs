//! Whether the history of a key is that of one register: whether its operations can be put in an
//! order, each at some instant between its call and its return, in which every reading finds the
//! last write before it.
//!
//! This is the search of Wing and Gong (*Testing and Verifying Concurrent Objects*, 1993) in the
//! form that Lowe calls just-in-time linearization (*Testing for Linearizability*, 2017): calls
//! and returns are gone through in the order of time, with all the states in which the register
//! may be. An operation is put into the order when it returns at the latest, and others that are
//! under way before it only if that makes a difference. A history is that of a register if each of
//! its keys' is (Herlihy and Wing, 1990), so keys are judged one by one.
//!
//! The register has compare-and-set and deletions; no two writes write the same value. An operation
//! that has no end may take effect at any later time, or never. A search that takes too many steps
//! is given up, and says so: nothing is claimed then.

use std::collections::BTreeSet;

use super::Nanos;

/// What stands in the register: the number of a write, or nothing.
pub type Value = Option<u64>;

/// An operation on a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// When it began.
    pub called: Nanos,
    /// When it ended; `None` if it has no end, or nobody knows whether it was done.
    pub returned: Option<Nanos>,
    /// What it does.
    pub action: Action,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Finds this.
    Read(Value),
    /// Leaves this, whatever was there: a write, or a deletion.
    Write(Value),
    /// Finds the first, and leaves the second in its place.
    Swap(Value, Value),
    /// Leaves nothing if this stands there, and else does nothing: its time is over.
    Expire(u64),
}

impl Action {
    /// What the register holds after it; `None` if it can't be done with what is there.
    #[must_use]
    pub fn apply(self, value: Value) -> Option<Value> {
        match self {
            Action::Read(found) => (found == value).then_some(value),
            Action::Write(new) => Some(new),
            Action::Swap(found, new) => (found == value).then_some(new),
            Action::Expire(of) => Some(value.filter(|value| *value != of)),
        }
    }

    /// What it shows to have been there, if it shows anything.
    pub(super) const fn observed(self) -> Option<Value> {
        match self {
            Action::Read(found) | Action::Swap(found, _) => Some(found),
            Action::Write(_) | Action::Expire(_) => None,
        }
    }

    /// What may be there after it that was not before.
    pub(super) const fn left(self) -> Option<Value> {
        match self {
            Action::Read(_) => None,
            Action::Write(new) | Action::Swap(_, new) => Some(new),
            Action::Expire(_) => Some(None),
        }
    }
}

/// What is to be said of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// There is such an order.
    Linearizable,
    /// There is none, and would be one without the operation in this place and all that were
    /// called after its return.
    Not(usize),
    /// The search was given up.
    Unknown,
}

/// A state in which the register may be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    value: Value,
    /// The places of those operations that have been put into the order and have not returned; in
    /// order.
    done: Vec<u32>,
}

impl State {
    fn has_done(&self, place: u32) -> bool {
        self.done.binary_search(&place).is_ok()
    }

    fn add(&mut self, place: u32) {
        if let Err(at) = self.done.binary_search(&place) {
            self.done.insert(at, place);
        }
    }

    /// The same without an operation that has returned.
    fn without(&self, place: u32) -> State {
        let mut state = self.clone();
        state.done.retain(|&other| other != place);
        state
    }
}

/// Judges the history of one key, whose operations may stand in any order; nothing is there at
/// first. Each step of the search is taken off the budget.
#[must_use]
pub fn judge(operations: &[Operation], budget: &mut u64) -> Judgement {
    let mut search = Search {
        operations,
        under_way: Vec::new(),
        budget,
    };
    let mut states = vec![State {
        value: None,
        done: Vec::new(),
    }];
    for (returns, place) in steps(operations) {
        if !returns {
            search.under_way.push(place);
            let found = operations[place as usize].action;
            let find = states
                .iter_mut()
                .filter(|it| found == Action::Read(it.value));
            find.for_each(|state| state.add(place));
            continue;
        }
        match search.returned(&states, place) {
            None => return Judgement::Unknown,
            Some(after) if after.is_empty() => return Judgement::Not(place as usize),
            Some(after) => states = after,
        }
        search.under_way.retain(|other| *other != place);
    }
    Judgement::Linearizable
}

/// Calls and returns in the order of time; of those at one instant the calls come first, since the
/// operations overlap. What nobody can notice is left out.
fn steps(operations: &[Operation]) -> Vec<(bool, u32)> {
    let observed: BTreeSet<Value> = operations
        .iter()
        .filter_map(|operation| operation.action.observed())
        .collect();
    let matters = |operation: &Operation| {
        let noticed = operation
            .action
            .left()
            .is_some_and(|left| observed.contains(&left));
        operation.returned.is_some() || noticed
    };
    let mut steps = Vec::with_capacity(2 * operations.len());
    for (place, operation) in (0..).zip(operations) {
        if matters(operation) {
            steps.push((operation.called, false, place));
            steps.extend(operation.returned.map(|at| (at, true, place)));
        }
    }
    steps.sort_unstable();
    steps
        .into_iter()
        .map(|(_, returns, place)| (returns, place))
        .collect()
}

struct Search<'a> {
    operations: &'a [Operation],
    /// Those called and not returned, by their places, in the order of their calls.
    under_way: Vec<u32>,
    budget: &'a mut u64,
}

impl Search<'_> {
    fn action(&self, place: u32) -> Action {
        self.operations[place as usize].action
    }

    fn has_end(&self, place: u32) -> bool {
        self.operations[place as usize].returned.is_some()
    }

    /// Readings under way that find what is there are done: it costs nothing, and they may not get
    /// another chance.
    fn read(&self, state: &mut State) {
        for &place in &self.under_way {
            if self.action(place) == Action::Read(state.value) {
                state.add(place);
            }
        }
    }

    /// The state after one more operation that changes something; `None` if it can't be done.
    fn after(&self, state: &State, place: u32) -> Option<State> {
        let value = self.action(place).apply(state.value)?;
        let mut next = State {
            value,
            done: state.done.clone(),
        };
        next.add(place);
        self.read(&mut next);
        Some(next)
    }

    /// What operations under way, but for this place's, find, and have not found yet.
    fn needed(&self, state: &State, place: u32) -> Vec<Value> {
        let waiting = self
            .under_way
            .iter()
            .filter(|&&one| one != place && !state.has_done(one));
        waiting
            .filter_map(|&one| self.action(one).observed())
            .collect()
    }

    /// The states in which the register may be once this operation has returned; `None` if the
    /// budget is used up.
    fn returned(&mut self, states: &[State], place: u32) -> Option<Vec<State>> {
        let mut after = Vec::new();
        let mut seen = BTreeSet::new();
        let mut todo = states.to_vec();
        let cost = 1 + self.under_way.len() as u64 / 8;
        while let Some(state) = todo.pop() {
            *self.budget = self.budget.checked_sub(cost)?;
            if state.has_done(place) {
                self.keep(&mut after, state.without(place))?;
                continue;
            }
            let can_return = self.after(&state, place).is_some();
            // What has no end can wait as long as nobody under way needs it.
            let needed = self.needed(&state, place);
            let waits =
                |left: Option<Value>| can_return && !needed.iter().any(|it| left == Some(*it));
            for &other in &self.under_way {
                let (action, has_end) = (self.action(other), self.has_end(other));
                let reads = matches!(action, Action::Read(_));
                if reads || state.has_done(other) || !has_end && waits(action.left()) {
                    continue;
                }
                let next = self.after(&state, other);
                // Nor is it used up where it changes nothing.
                let next = next.filter(|next| has_end || next.value != state.value);
                todo.extend(next.filter(|next| seen.insert(next.clone())));
            }
        }
        Some(after)
    }

    /// Adds a state unless another is at least as good: the same, but for fewer operations without
    /// end that have been used up. `None` if the budget is.
    fn keep(&mut self, states: &mut Vec<State>, state: State) -> Option<()> {
        *self.budget = self.budget.checked_sub(1 + states.len() as u64 / 8)?;
        let better = |one: &State, other: &State| {
            one.value == other.value
                && one.done.iter().all(|&place| other.has_done(place))
                && other
                    .done
                    .iter()
                    .all(|&place| !self.has_end(place) || one.has_done(place))
        };
        if !states.iter().any(|other| better(other, &state)) {
            states.retain(|other| !better(&state, other));
            states.push(state);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;
