//! The original protocol (Stoica et al. 2001, as modelled by Zave in 2010), with r = 2.
//!
//! For tests only. Nodes are numbers in clockwise order; each event is atomic.

mod properties;
mod rows;

use std::collections::{BTreeMap, VecDeque};

use rand_chacha::ChaCha8Rng;

use super::circle::{below, between, shuffled};

/// One node's state.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    succ: u8,
    succ2: Option<u8>,
    prdc: Option<u8>,
    /// Who has notified it, the oldest first.
    notices: VecDeque<u8>,
}

impl Node {
    fn new(succ: u8) -> Node {
        Node {
            succ,
            succ2: None,
            prdc: None,
            notices: VecDeque::new(),
        }
    }

    /// Its successor list.
    fn list(&self) -> impl Iterator<Item = u8> {
        [Some(self.succ), self.succ2].into_iter().flatten()
    }
}

/// The letters of the rows in the document: what a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// J: it joins.
    Join,
    /// S: it stabilizes.
    Stabilize,
    /// N: it handles its oldest notice.
    Notified,
    /// R: it reconciles its second successor.
    Reconcile,
    /// U: it updates its dead successor.
    Update,
    /// L: it lets go of its dead predecessor ("flush").
    Flush,
    /// F: it fails.
    Fail,
}

/// Which of Zave's two obvious fixes are in force.
#[derive(Clone, Copy, Debug)]
struct Fixes {
    /// A joiner takes only a live successor.
    join_tests_liveness: bool,
    /// Stabilization adopts only a live candidate.
    stabilize_tests_liveness: bool,
}

/// What came of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    /// The rule does not apply to this node now.
    NotEnabled,
    /// The papers' own assumption, that every other node keeps a live entry, forbids it.
    Refused,
}

/// The live nodes; whoever is not among them is dead.
#[derive(Clone, Debug)]
struct Ring {
    nodes: BTreeMap<u8, Node>,
    fixes: Fixes,
}

impl Ring {
    /// n0 alone, its own successor.
    fn new(fixes: Fixes) -> Ring {
        Ring {
            nodes: BTreeMap::from([(0, Node::new(0))]),
            fixes,
        }
    }

    fn live(&self, n: u8) -> bool {
        self.nodes.contains_key(&n)
    }

    /// The first live entry of a node's list.
    fn best(&self, n: u8) -> Option<u8> {
        self.nodes[&n].list().find(|&s| self.live(s))
    }

    /// One event at node `n`.
    fn apply(&mut self, rule: Rule, n: u8) -> Outcome {
        let enabled = match rule {
            Rule::Join => !self.live(n) && self.join(n),
            _ if !self.live(n) => false,
            Rule::Stabilize => self.stabilize(n),
            Rule::Notified => self.notified(n),
            Rule::Reconcile => self.reconcile(n),
            Rule::Update => self.update(n),
            Rule::Flush => self.flush(n),
            Rule::Fail => {
                let others = || self.nodes.iter().filter(|&(&m, _)| m != n);
                let keep = |node: &Node| node.list().any(|s| s != n && self.live(s));
                if others().all(|(_, node)| keep(node)) {
                    self.nodes.remove(&n);
                    true
                } else {
                    return Outcome::Refused;
                }
            }
        };
        if enabled {
            Outcome::Done
        } else {
            Outcome::NotEnabled
        }
    }

    fn node(&mut self, n: u8) -> &mut Node {
        self.nodes.get_mut(&n).expect("the acting node is live")
    }

    fn join(&mut self, n: u8) -> bool {
        let tested = self.fixes.join_tests_liveness;
        let brackets = |m: u8, succ: u8| between(m, n, succ) && (!tested || self.live(succ));
        let mut successors = self.nodes.iter().map(|(&m, node)| (m, node.succ));
        let Some((_, succ)) = successors.find(|&(m, succ)| brackets(m, succ)) else {
            return false;
        };
        self.nodes.insert(n, Node::new(succ));
        true
    }

    fn stabilize(&mut self, n: u8) -> bool {
        let succ = self.nodes[&n].succ;
        let Some(answer) = self.nodes.get(&succ) else {
            return false;
        };
        let tested = self.fixes.stabilize_tests_liveness;
        let adopted = answer
            .prdc
            .filter(|&x| between(n, x, succ) && (!tested || self.live(x)));
        let succ = adopted.unwrap_or(succ);
        self.node(n).succ = succ;
        if let Some(notified) = self.nodes.get_mut(&succ) {
            notified.notices.push_back(n);
        }
        true
    }

    fn notified(&mut self, n: u8) -> bool {
        let node = self.node(n);
        let Some(p) = node.notices.pop_front() else {
            return false;
        };
        if node.prdc.is_none_or(|prdc| between(prdc, p, n)) {
            node.prdc = Some(p);
        }
        true
    }

    fn reconcile(&mut self, n: u8) -> bool {
        let succ = self.nodes[&n].succ;
        let Some(x) = self.nodes.get(&succ).map(|node| node.succ) else {
            return false;
        };
        if x != succ || succ == n {
            self.node(n).succ2 = Some(x);
        }
        true
    }

    fn update(&mut self, n: u8) -> bool {
        let dead = !self.live(self.nodes[&n].succ);
        let node = self.node(n);
        match node.succ2 {
            Some(succ2) if dead => {
                node.succ = succ2;
                node.succ2 = None;
                true
            }
            _ => false,
        }
    }

    fn flush(&mut self, n: u8) -> bool {
        let dead = self.nodes[&n].prdc.is_some_and(|prdc| !self.live(prdc));
        if dead {
            self.node(n).prdc = None;
        }
        dead
    }

    /// One round of maintenance: every node does each of S, R, U and L once, all in a random
    /// order, and whoever was notified takes note at a random later time of the round.
    fn round(&mut self, rng: &mut ChaCha8Rng) {
        const RULES: [Rule; 4] = [Rule::Stabilize, Rule::Reconcile, Rule::Update, Rule::Flush];
        let nodes: Vec<u8> = self.nodes.keys().copied().collect();
        let turns = (0..4 * nodes.len()).map(|turn| turn as u8).collect();
        for turn in shuffled(rng, turns) {
            let turn = usize::from(turn);
            self.apply(RULES[turn % 4], nodes[turn / 4]);
            self.apply(Rule::Notified, nodes[below(rng, nodes.len())]);
        }
        for n in nodes {
            while self.apply(Rule::Notified, n) == Outcome::Done {}
        }
    }
}
