//! Random runs: members join, fail and maintain the ring, one atomic step at a time, and each
//! state is judged; then churn stops and the rounds until the ring is ideal are counted.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use crate::circle::{below, pick, shuffled};
use crate::state::{Broken, Lists, Node, State, Status};
use crate::steps::{Next, Steps};

/// How many steps of churn and maintenance a random run has.
pub(crate) const STEPS: u32 = 300;

/// How a run goes.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) steps: Steps,
    pub(crate) lists: Lists,
    /// r.
    pub(crate) room: u8,
    /// How many places the circle has.
    pub(crate) size: u8,
    /// How many members it starts with.
    pub(crate) members: u8,
    /// Whether a joiner asks a member that brackets it, as it must.
    pub(crate) join_brackets: bool,
    /// Whether precondition (ii) is kept: no principal fails while only r+1 remain.
    pub(crate) keep_principals: bool,
    /// No failure takes the ring below this many members.
    pub(crate) keep_members: u8,
}

impl Setting {
    /// Nine identifiers and r+1 members, both preconditions on.
    pub(crate) fn new(steps: Steps, lists: Lists, room: u8) -> Setting {
        Setting {
            steps,
            lists,
            room,
            size: 9,
            members: room + 1,
            join_brackets: true,
            keep_principals: true,
            keep_members: 1,
        }
    }

    /// The ideal ring it starts with, at random places.
    pub(crate) fn start(&self, rng: &mut ChaCha8Rng) -> State {
        let mut places = shuffled(rng, (0..self.size).collect());
        places.truncate(self.members.into());
        places.sort_unstable();
        State::ideal(&places, self.room, self.size, self.lists)
    }
}

/// How attempts to fail ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    pub(crate) allowed: u32,
    /// Refused by (i): somebody would be left without a live successor.
    pub(crate) refused_by_lists: u32,
    /// Refused by (ii): too few principals would be left.
    pub(crate) refused_by_principals: u32,
}

impl Failures {
    pub(crate) fn extend(&mut self, other: Failures) {
        self.allowed += other.allowed;
        self.refused_by_lists += other.refused_by_lists;
        self.refused_by_principals += other.refused_by_principals;
    }

    /// Of the attempts, the share that (i) refused.
    pub(crate) fn share_refused_by_lists(&self) -> f64 {
        let all = self.allowed + self.refused_by_lists + self.refused_by_principals;
        f64::from(self.refused_by_lists) / f64::from(all)
    }
}

/// A ring under way.
pub(crate) struct Run {
    pub(crate) setting: Setting,
    pub(crate) state: State,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) failures: Failures,
    /// All that was ever broken.
    pub(crate) broken: Broken,
    /// What was broken first, in one state.
    pub(crate) first_broken: Broken,
}

impl Run {
    pub(crate) fn new(setting: Setting, seed: u64) -> Run {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let state = setting.start(&mut rng);
        Run::from(setting, state, rng)
    }

    pub(crate) fn from(setting: Setting, state: State, rng: ChaCha8Rng) -> Run {
        let mut run = Run {
            setting,
            state,
            rng,
            failures: Failures::default(),
            broken: Broken::default(),
            first_broken: Broken::default(),
        };
        run.judge();
        run
    }

    fn judge(&mut self) {
        let broken = self.state.broken();
        if self.broken.is_empty() {
            self.first_broken = broken;
        }
        self.broken.extend(broken);
    }

    fn set(&mut self, node: Node) {
        let place = usize::from(node.me);
        if self.state.nodes[place] != Some(node) {
            self.state.nodes[place] = Some(node);
            self.judge();
        }
    }

    /// The one slot for notices, as in Zave's model: a newer one takes it over, and what its
    /// owner was in the middle of with it.
    fn notify(&mut self, from: u8, to: Option<u8>) {
        if let Some(to) = to.filter(|&to| self.state.live(to)) {
            self.state.status[usize::from(to)] = Status::Rectifying(from);
        }
    }

    /// One step chosen at random: an attempt to join, one to fail, or, six times as often as
    /// either, maintenance. For so small a ring that is far more churn than it could bear if
    /// failures were not refused.
    pub(crate) fn step(&mut self) {
        match below(&mut self.rng, 8) {
            0 => {
                let others = self.state.others();
                if let Some(j) = pick(&mut self.rng, &others) {
                    self.join(j);
                }
            }
            1 => {
                let members = self.state.members();
                if let Some(f) = pick(&mut self.rng, &members) {
                    self.fail(f);
                }
            }
            _ => self.maintain_any(),
        }
    }

    /// One step of maintenance at a random member.
    pub(crate) fn maintain_any(&mut self) {
        let members = self.state.members();
        if let Some(n) = pick(&mut self.rng, &members) {
            self.maintain(n);
        }
    }

    /// `j` joins at a random member of those it may ask. Says whether it did.
    pub(crate) fn join(&mut self, j: u8) -> bool {
        let state = &self.state;
        let joined = |m: u8| {
            let member = state.get(m).expect("members are live");
            let successor = member.succ.first().and_then(|&s| state.get(s));
            (self.setting.steps.join)(j, member, successor)
        };
        let brackets = |m: u8| {
            let node = state.get(m).expect("members are live");
            let head = node.succ.first().copied().unwrap_or(m);
            crate::circle::between(m, j, head) == self.setting.join_brackets
        };
        let members: Vec<u8> = state
            .members()
            .into_iter()
            .filter(|&m| brackets(m))
            .collect();
        let Some(node) = pick(&mut self.rng, &members).and_then(joined) else {
            return false;
        };
        self.state.status[usize::from(j)] = Status::None;
        self.set(node);
        true
    }

    /// `f` fails, if the preconditions allow it. Says whether it did.
    pub(crate) fn fail(&mut self, f: u8) -> bool {
        let state = &self.state;
        let members = state.members();
        let keeps_a_live_one = |m: u8| {
            let node = state.get(m).expect("members are live");
            node.succ.iter().any(|&s| s != f && state.live(s))
        };
        let principals = state.principals();
        let needed = principals & (1 << f) != 0
            && principals.count_ones() <= u32::from(self.setting.room) + 1;
        if !members.iter().all(|&m| m == f || keeps_a_live_one(m)) {
            self.failures.refused_by_lists += 1;
            false
        } else if self.setting.keep_principals && needed
            || members.len() <= self.setting.keep_members.into()
        {
            self.failures.refused_by_principals += 1;
            false
        } else {
            self.failures.allowed += 1;
            self.state.nodes[usize::from(f)] = None;
            self.judge();
            true
        }
    }

    /// The step of maintenance that is next at a member.
    pub(crate) fn maintain(&mut self, n: u8) {
        match self.state.status[usize::from(n)] {
            Status::None => match self.setting.steps.reconcile {
                Some(reconcile) if below(&mut self.rng, 2) == 0 => self.reconcile(n, reconcile),
                _ => self.stabilize_from_successor(n),
            },
            Status::Stabilizing(candidate) => self.stabilize_from_predecessor(n, candidate),
            Status::Rectifying(notifier) => self.rectify(n, notifier),
        }
    }

    fn node(&self, n: u8) -> Node {
        *self.state.get(n).expect("the acting node is live")
    }

    fn stabilize_from_successor(&mut self, n: u8) {
        let mut node = self.node(n);
        let Some(&head) = node.succ.first() else {
            return;
        };
        let next = match self.state.get(head) {
            None => match (self.setting.steps.successor_silent)(&mut node) {
                Some(next) => Next::Notify(next),
                None => Next::Nothing,
            },
            Some(successor) => (self.setting.steps.successor_answered)(&mut node, successor),
        };
        self.set(node);
        match next {
            Next::Ask(candidate) => {
                self.state.status[usize::from(n)] = Status::Stabilizing(candidate);
            }
            Next::Notify(to) => self.notify(n, Some(to)),
            Next::Nothing => {}
        }
    }

    fn stabilize_from_predecessor(&mut self, n: u8, candidate: u8) {
        let mut node = self.node(n);
        let notified = match self.state.get(candidate) {
            None => (self.setting.steps.candidate_silent)(&mut node),
            Some(candidate) => (self.setting.steps.candidate_answered)(&mut node, candidate),
        };
        self.state.status[usize::from(n)] = Status::None;
        self.set(node);
        self.notify(n, notified);
    }

    fn rectify(&mut self, n: u8, notifier: u8) {
        let mut node = self.node(n);
        let live = self.state.live(node.prdc);
        (self.setting.steps.rectify)(&mut node, notifier, live);
        self.state.status[usize::from(n)] = Status::None;
        self.set(node);
    }

    fn reconcile(&mut self, n: u8, reconcile: fn(&mut Node, &Node)) {
        let mut node = self.node(n);
        if let Some(successor) = node.succ.first().and_then(|&s| self.state.get(s)) {
            reconcile(&mut node, successor);
            self.set(node);
        }
    }

    /// Lets the members maintain the ring without churn until it is ideal; `None` if it is not
    /// after `most` rounds.
    pub(crate) fn rounds_until_ideal(&mut self, most: u32) -> Option<u32> {
        for round in 0..=most {
            if self.state.is_ideal(self.setting.lists) {
                return Some(round);
            }
            for n in shuffled(&mut self.rng, self.state.members()) {
                self.take_turn(n);
            }
        }
        None
    }

    /// A member's share in a round: it rectifies if it was notified, stabilizes from its
    /// successor and, if a candidate was named, from that. A single step each would not do: the
    /// one slot is taken over by whoever notifies, and who is notified in every round would
    /// never come to stabilize.
    fn take_turn(&mut self, n: u8) {
        if let Status::Rectifying(notifier) = self.state.status[usize::from(n)] {
            self.rectify(n, notifier);
        }
        if let Some(reconcile) = self.setting.steps.reconcile {
            self.reconcile(n, reconcile);
        }
        if self.state.status[usize::from(n)] == Status::None {
            self.stabilize_from_successor(n);
        }
        if let Status::Stabilizing(candidate) = self.state.status[usize::from(n)] {
            self.stabilize_from_predecessor(n, candidate);
        }
    }
}
