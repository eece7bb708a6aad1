//! The k-failure matrix: every set of up to k nodes dies with its disks, at several moments, and
//! what is lost is held against what must be.
//!
//! Each case is a scenario of a small ring in which all keys are written first. A death that sets
//! something off, and a departure, are counted in with the set.
//!
//! * Fewer than k nodes: nothing may be lost, ever.
//! * k nodes at one instant: lost are the keys that exactly these hold, and no others.
//! * k nodes, not all at one instant: at most these; what was brought elsewhere in between is
//!   saved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use cuerda_core::ring::Id;

use super::play;
use crate::report::metrics;
use crate::scenario::quantity::format_duration;
use crate::scenario::{Overrides, Scenario};
use crate::world::{World as _, events};

/// When the nodes die, or what sets it off happens.
const AT: Duration = Duration::from_secs(40);
/// How long a node is away that comes back.
const AWAY: Duration = Duration::from_secs(4);
/// How many keys there are.
const KEYS: u32 = 32;

/// What goes on when nodes die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Nothing.
    Idle,
    /// Writes are under way.
    Write,
    /// A member of the set died so long before.
    Repair(Duration),
    /// A newcomer began to join so long before. It may be of the set.
    Join(Duration),
    /// A member of the set began to leave so long before.
    Leave(Duration),
    /// The same while clients write to all keys.
    LeaveInWrites(Duration),
    /// A member of the set, which had left for a while, began to come back so long before, while
    /// clients write.
    Return(Duration),
    /// A newcomer began to join so long before, and is handed its arc over while clients write. It
    /// may be of the set.
    HandOver(Duration),
}

impl Moment {
    /// As the table calls it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Moment::Idle => "idle".to_owned(),
            Moment::Write => "during writes".to_owned(),
            Moment::Repair(after) => format!("{} after a death", format_duration(after)),
            Moment::Join(after) => format!("{} after a join", format_duration(after)),
            Moment::Leave(after) => format!("{} into a departure", format_duration(after)),
            Moment::LeaveInWrites(after) => {
                format!("{} into a departure under writes", format_duration(after))
            }
            Moment::Return(after) => {
                format!("{} after a return under writes", format_duration(after))
            }
            Moment::HandOver(after) => {
                format!("{} after a join under writes", format_duration(after))
            }
        }
    }

    /// Whether clients write to all keys meanwhile.
    const fn is_in_writes(self) -> bool {
        matches!(
            self,
            Moment::Write | Moment::LeaveInWrites(_) | Moment::Return(_) | Moment::HandOver(_)
        )
    }

    /// Those that a matrix has by default.
    #[must_use]
    pub fn all() -> Vec<Moment> {
        let after = Duration::from_millis;
        let mut all = vec![Moment::Idle, Moment::Write];
        all.extend([200, 1000, 3000].map(|ms| Moment::Repair(after(ms))));
        all.extend([100, 300, 1000].map(|ms| Moment::Join(after(ms))));
        all.extend([50, 200, 500].map(|ms| Moment::Leave(after(ms))));
        all.extend([100, 400].map(|ms| Moment::LeaveInWrites(after(ms))));
        all.extend([200, 1000].map(|ms| Moment::Return(after(ms))));
        all.extend([150, 500].map(|ms| Moment::HandOver(after(ms))));
        all
    }
}

/// One set at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// When.
    pub moment: Moment,
    /// Who dies, or leaves; in order.
    pub set: Vec<u32>,
    /// Who of them dies or leaves first, where that makes a difference.
    pub first: Option<u32>,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// The keys that exactly this set held.
    pub held: Vec<String>,
    /// The keys that were lost.
    pub lost: Vec<String>,
    /// Violations besides losses, in sentences.
    pub violations: Vec<String>,
    /// Why the outcome must not be; `None` if it may.
    pub wrong: Option<String>,
}

/// A small ring, and how many copies it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// How many nodes there are.
    pub nodes: u32,
    /// How many hold a key.
    pub replicas: u8,
    /// The seed of every random choice.
    pub seed: u64,
}

impl Matrix {
    /// Every set of up to as many nodes as hold a key, at this moment.
    #[must_use]
    pub fn cases(&self, moment: Moment) -> Vec<Case> {
        let nodes = match moment {
            // The newcomer is the last.
            Moment::Join(_) | Moment::HandOver(_) => self.nodes + 1,
            _ => self.nodes,
        };
        let mut cases = Vec::new();
        for size in 1..=usize::from(self.replicas) {
            for set in subsets(nodes, size) {
                let firsts: Vec<Option<u32>> = match moment {
                    Moment::Repair(_)
                    | Moment::Leave(_)
                    | Moment::LeaveInWrites(_)
                    | Moment::Return(_) => set.iter().copied().map(Some).collect(),
                    _ => vec![None],
                };
                cases.extend(firsts.into_iter().map(|first| Case {
                    moment,
                    set: set.clone(),
                    first,
                }));
            }
        }
        cases
    }

    /// The text of the scenario of a case.
    #[must_use]
    pub fn text(&self, case: &Case) -> String {
        let successors = u32::from(self.replicas).max((self.nodes - 1).min(6));
        let mut text = format!(
            "# The nodes {:?} die {}.\nduration = \"60s\"\nseed = {}\nchecks = [\"records\"]\n\
             [ring]\nnodes = {}\n\
             [node]\nsuccessors = {successors}\nreplicas = {}\nstabilize_every = \"1s\"\n\
             fix_fingers_every = \"5s\"\nrequest_timeout = \"200ms\"\n\
             [network]\nlatency = {{ uniform = [\"5ms\", \"15ms\"] }}\n\
             [[workload]]\nkind = \"put\"\nrate = \"20/s\"\nkeys = {KEYS}\nuntil = \"30s\"\n",
            case.set,
            case.moment.name(),
            self.seed,
            self.nodes,
            self.replicas,
        );
        let second = |after: Duration| format_duration(AT + after);
        let mut fault = |kind: &str, at: String, keys: String| {
            let _ = write!(
                text,
                "[[fault]]\nkind = \"{kind}\"\nat = \"{at}\"\n{keys}\n"
            );
        };
        let names = |nodes: &[u32]| {
            let names: Vec<String> = nodes.iter().map(|node| format!("\"n{node}\"")).collect();
            format!("nodes = [{}]", names.join(", "))
        };
        let lost = |nodes: &[u32]| format!("{}\ndisk = \"lost\"", names(nodes));
        let rest: Vec<u32> = case
            .set
            .iter()
            .copied()
            .filter(|&node| Some(node) != case.first)
            .collect();
        let first: Vec<u32> = case.first.into_iter().collect();
        let after = match case.moment {
            Moment::Idle | Moment::Write => Duration::ZERO,
            Moment::Repair(after) => {
                fault("crash", second(Duration::ZERO), lost(&first));
                after
            }
            Moment::Join(after) | Moment::HandOver(after) => {
                fault("join", second(Duration::ZERO), "count = 1".to_owned());
                after
            }
            Moment::Leave(after) | Moment::LeaveInWrites(after) => {
                fault("leave", second(Duration::ZERO), names(&first));
                after
            }
            Moment::Return(after) => {
                let away = format!("{}\nfor = \"{}\"", names(&first), format_duration(AWAY));
                fault("leave", format_duration(AT - AWAY), away);
                after
            }
        };
        if !rest.is_empty() {
            fault("crash", second(after), lost(&rest));
        }
        if case.moment.is_in_writes() {
            let _ = write!(
                text,
                "[[workload]]\nkind = \"put\"\nrate = \"100/s\"\nkeys = {KEYS}\n\
                 from = \"39s\"\nuntil = \"41s\"\n"
            );
        }
        text
    }

    /// The scenario of a case.
    ///
    /// # Panics
    /// If its text is none, which would be a mistake here; say so if you meet it.
    #[must_use]
    pub fn scenario(&self, case: &Case) -> Scenario {
        let text = self.text(case);
        let read = Scenario::parse("matrix.toml", &text, &metrics(), &Overrides::default());
        read.unwrap_or_else(|wrong| panic!("the matrix wrote a wrong scenario: {wrong}"))
    }

    /// Who holds each key at the beginning.
    #[must_use]
    pub fn holders(&self) -> BTreeMap<String, BTreeSet<u32>> {
        let none = Case {
            moment: Moment::Idle,
            set: vec![0],
            first: None,
        };
        let world = events::World::new(&Arc::new(self.scenario(&none)), self.seed);
        let mut circle: Vec<(Id, u32)> = world
            .each_member()
            .map(|node| (node.peer.id, node.number))
            .collect();
        circle.sort_unstable();
        let holders = (0..KEYS).map(|number| {
            let name = format!("k{number}");
            let key = Id::of_key(name.as_bytes());
            let first = circle.partition_point(|&(id, _)| id < key);
            let round = circle.iter().cycle().skip(first);
            let nodes = round.take(self.replicas.into()).map(|&(_, node)| node);
            (name, nodes.collect())
        });
        holders.collect()
    }

    /// Plays a case and judges it.
    #[must_use]
    pub fn play(&self, case: Case, holders: &BTreeMap<String, BTreeSet<u32>>) -> Outcome {
        let report = play(&self.scenario(&case), &mut |_| ());
        let set: BTreeSet<u32> = case.set.iter().copied().collect();
        let held = holders.iter().filter(|(_, nodes)| **nodes == set);
        let held: Vec<String> = held.map(|(name, _)| name.clone()).collect();
        let lost: BTreeSet<String> = report.losses.iter().map(|loss| loss.key.clone()).collect();
        let lost: Vec<String> = lost.into_iter().collect();
        let violations: Vec<String> = report
            .violations
            .iter()
            .filter(|violation| violation.check != "lost")
            .map(|violation| format!("{}: {}", violation.check, violation.detail))
            .collect();
        let written = report.writes.as_ref().map_or(0, |writes| writes.acked);
        let wrong = if written < u64::from(KEYS) {
            Some(format!("only {written} writes were acknowledged"))
        } else if let Some(violation) = violations.first() {
            Some(violation.clone())
        } else {
            self.judge(&case, &held, &lost)
        };
        Outcome {
            case,
            held,
            lost,
            violations,
            wrong,
        }
    }

    /// Why this must not be lost, or more must be.
    fn judge(&self, case: &Case, held: &[String], lost: &[String]) -> Option<String> {
        if case.set.len() < usize::from(self.replicas) {
            let some = !lost.is_empty();
            return some.then(|| format!("{} are lost, and a copy was left", lost.join(", ")));
        }
        let at_once = matches!(case.moment, Moment::Idle | Moment::Write);
        if at_once && held != lost {
            let (held, lost) = (held.join(", "), lost.join(", "));
            return Some(format!("these held [{held}], and lost are [{lost}]"));
        }
        // A newcomer holds what others held before it.
        let newcomer = case.set.contains(&self.nodes);
        let spare: Vec<&str> = lost
            .iter()
            .filter(|key| !newcomer && !held.contains(key))
            .map(String::as_str)
            .collect();
        let some = !spare.is_empty();
        some.then(|| format!("{} are lost, which others held too", spare.join(", ")))
    }
}

/// All sets of so many numbers below `end`, in order.
fn subsets(end: u32, size: usize) -> Vec<Vec<u32>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for last in 0..end {
        for mut set in subsets(last, size - 1) {
            set.push(last);
            all.push(set);
        }
    }
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATRIX: Matrix = Matrix {
        nodes: 8,
        replicas: 3,
        seed: 1,
    };

    #[test]
    fn every_set_is_there_once() {
        assert_eq!(subsets(3, 2), [[0, 1], [0, 2], [1, 2]]);
        assert_eq!(MATRIX.cases(Moment::Idle).len(), 8 + 28 + 56);
        let leave = Moment::Leave(Duration::from_secs(1));
        assert_eq!(MATRIX.cases(leave).len(), 8 + 2 * 28 + 3 * 56);
    }

    #[test]
    fn every_case_is_a_scenario() {
        for moment in Moment::all() {
            for case in MATRIX.cases(moment) {
                let _ = MATRIX.scenario(&case);
            }
        }
    }

    #[test]
    fn what_must_not_be_lost_is_complained_about() {
        let case = |moment, set: &[u32]| Case {
            moment,
            set: set.to_vec(),
            first: None,
        };
        let keys = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect::<Vec<_>>();
        let (idle, repair) = (Moment::Idle, Moment::Repair(Duration::from_secs(1)));
        let judge = |moment, set: &[u32], held: &[&str], lost: &[&str]| {
            let wrong = MATRIX.judge(&case(moment, set), &keys(held), &keys(lost));
            wrong.is_some()
        };
        assert!(judge(idle, &[1, 2], &[], &["k1"]));
        assert!(!judge(idle, &[1, 2], &[], &[]));
        assert!(!judge(idle, &[1, 2, 3], &["k1"], &["k1"]));
        assert!(judge(idle, &[1, 2, 3], &["k1"], &[]));
        assert!(judge(idle, &[1, 2, 3], &["k1"], &["k1", "k2"]));
        assert!(!judge(repair, &[1, 2, 3], &["k1"], &[]));
        assert!(judge(repair, &[1, 2, 3], &["k1"], &["k2"]));
    }
}
