//! The seven sequences (P. Zave, *Using Lightweight Modeling to Understand Chord*, CCR 42(2),
//! 2012, and her Alloy model of 2010; the last after her description): each breaks one claim.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::properties::{Claim, broken, is_ideal, rings};
use super::{Fixes, Outcome, Ring, Rule};

/// Zave's two obvious fixes, both in force.
const FIXED: Fixes = Fixes {
    join_tests_liveness: true,
    stabilize_tests_liveness: true,
};

struct Row {
    fixes: Fixes,
    /// The letters of [`Rule`], each with the acting node.
    sequence: String,
    breaks: Claim,
    /// The event that breaks it, counted from zero: before, it held throughout.
    at: usize,
    /// What else is broken at the end. Of the seven claims all others hold.
    also: &'static [Claim],
    /// Events, by their place, that change nothing where they stand.
    idle: &'static [usize],
    /// The cycles of best successors at the end.
    rings: Vec<Vec<u8>>,
    /// (appendage or other node, its best successor) at the end, where the row names them.
    best: &'static [(u8, Option<u8>)],
    heals: bool,
}

fn parse(sequence: &str) -> Vec<(Rule, u8)> {
    let event = |event: &str| {
        let (rule, node) = event.split_at(1);
        let rule = match rule {
            "J" => Rule::Join,
            "S" => Rule::Stabilize,
            "N" => Rule::Notified,
            "R" => Rule::Reconcile,
            "U" => Rule::Update,
            "L" => Rule::Flush,
            "F" => Rule::Fail,
            _ => panic!("{rule} is no rule"),
        };
        (rule, node.parse().expect("the acting node is a number"))
    };
    sequence.split_whitespace().map(event).collect()
}

impl Row {
    /// Plays the sequence, asserts what is broken when, and returns the ring after it.
    fn play(&self) -> Ring {
        let mut ring = Ring::new(self.fixes);
        for (place, (rule, n)) in parse(&self.sequence).into_iter().enumerate() {
            let expected = if self.idle.contains(&place) {
                Outcome::NotEnabled
            } else {
                Outcome::Done
            };
            assert_eq!(ring.apply(rule, n), expected, "event {place}, {rule:?} {n}");
            assert_eq!(
                broken(&ring).contains(&self.breaks),
                place >= self.at,
                "{:?} after event {place}, {rule:?} {n}",
                self.breaks
            );
        }
        let mut expected = BTreeSet::from([self.breaks]);
        expected.extend(self.also);
        assert_eq!(broken(&ring), expected);
        assert_eq!(rings(&ring), self.rings);
        for &(n, best) in self.best {
            assert_eq!(ring.best(n), best, "the best successor of {n}");
        }
        ring
    }

    fn test(&self) -> Ring {
        let ring = self.play();
        for seed in 0..20 {
            let mut later = ring.clone();
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            for _ in 0..400 {
                later.round(&mut rng);
            }
            assert_eq!(is_ideal(&later), self.heals, "seed {seed}: {later:?}");
            assert_eq!(broken(&later).contains(&self.breaks), !self.heals);
        }
        ring
    }
}

#[test]
fn row_1_breaks_ordered_merges() {
    let row = Row {
        fixes: FIXED,
        sequence: "J3 S3 N0 S0 N3 J1 J2 S1 N3 S2 N3 S0 N2".into(),
        breaks: Claim::OrderedMerges,
        at: 11,
        also: &[],
        idle: &[],
        rings: vec![vec![0, 2, 3]],
        best: &[(1, Some(3))],
        heals: true,
    };
    row.test();
}

#[test]
fn row_2_breaks_ordered_appendages() {
    let row = Row {
        fixes: FIXED,
        sequence: "J1 J2 J3 S2 N0 S0 N2 S3 N0 S1 N3 R2 R3 F0 U2 U3 L3 S3 N2".into(),
        breaks: Claim::OrderedAppendages,
        at: 13,
        also: &[],
        // L3: node 3 has been notified by 1, which is live, so it has nobody to let go.
        idle: &[16],
        rings: vec![vec![2]],
        best: &[(1, Some(3)), (3, Some(2)), (2, Some(2))],
        heals: true,
    };
    row.test();
}

#[test]
fn row_3_breaks_valid_successor_lists() {
    let row = Row {
        fixes: FIXED,
        sequence: "J2 S2 N0 S0 N2 J1 R1 J3 S3 N0 S2 N3 R0 S1 N2 S0 N1".into(),
        breaks: Claim::ValidSuccessorList,
        at: 15,
        also: &[],
        idle: &[],
        rings: vec![vec![0, 1, 2, 3]],
        best: &[],
        heals: true,
    };
    let mut ring = row.test();
    let list = |ring: &Ring, n: u8| ring.nodes[&n].list().collect::<Vec<u8>>();
    assert_eq!((list(&ring, 1), list(&ring, 0)), (vec![2, 0], vec![1, 3]));

    // What comes of it: node 1 falls back on 0 and skips 3.
    assert_eq!(ring.apply(Rule::Fail, 2), Outcome::Done);
    assert_eq!(ring.apply(Rule::Update, 1), Outcome::Done);
    assert_eq!((ring.nodes[&1].succ, ring.live(3)), (0, true));
}

#[test]
fn row_4_breaks_connected_appendages() {
    let row = Row {
        fixes: Fixes {
            join_tests_liveness: false,
            ..FIXED
        },
        sequence: "J2 S2 N0 S0 N2 R0 F2 J1 U0".into(),
        breaks: Claim::ConnectedAppendages,
        at: 7,
        also: &[],
        idle: &[],
        rings: vec![vec![0]],
        best: &[(1, None), (0, Some(0))],
        heals: false,
    };
    let ring = row.test();
    assert_eq!((ring.nodes[&1].succ, ring.live(2)), (2, false));
}

#[test]
fn row_5_breaks_at_least_one_ring() {
    let row = Row {
        fixes: Fixes {
            stabilize_tests_liveness: false,
            ..FIXED
        },
        sequence: "J2 S2 N0 S0 N2 J1 S1 N2 F1 S0 N1 L2".into(),
        breaks: Claim::AtLeastOneRing,
        at: 9,
        // Without a ring everybody is an appendage of nothing.
        also: &[Claim::ConnectedAppendages],
        // N1: node 1 is dead.
        idle: &[10],
        rings: vec![],
        best: &[(0, None), (2, Some(0))],
        heals: false,
    };
    let ring = row.test();
    assert_eq!((ring.nodes[&0].succ, ring.live(1)), (1, false));
}

/// Rows 6 and 7 for any number of survivors: even nodes form a ring and reconcile, odd ones join
/// between them and all fail again before anybody has reconciled, so that each survivor goes on
/// with the second successor of long ago.
fn thinned(survivors: usize) -> String {
    let size = 2 * survivors;
    let evens = || (0..size).step_by(2);
    let odds = || (1..size).step_by(2);
    let enter =
        |n: usize, before: usize, after: usize| format!("J{n} S{n} N{after} S{before} N{n}");
    let mut events: Vec<String> = Vec::new();
    events.extend(evens().skip(1).map(|n| enter(n, n - 2, 0)));
    events.extend(evens().map(|n| format!("R{n}")));
    events.extend(odds().map(|n| enter(n, n - 1, (n + 1) % size)));
    events.extend(odds().map(|n| format!("F{n}")));
    events.extend(evens().map(|n| format!("U{n}")));
    events.join(" ")
}

#[test]
fn the_rows_for_any_size_are_the_ones_written_down() {
    assert_eq!(
        thinned(2),
        "J2 S2 N0 S0 N2 R0 R2 J1 S1 N2 S0 N1 J3 S3 N0 S2 N3 F1 F3 U0 U2"
    );
    assert_eq!(
        thinned(3),
        "J2 S2 N0 S0 N2 J4 S4 N0 S2 N4 R0 R2 R4 J1 S1 N2 S0 N1 J3 S3 N4 S2 N3 \
         J5 S5 N0 S4 N5 F1 F3 F5 U0 U2 U4"
    );
}

/// From `start` on every second survivor, all round.
fn every_other(start: u8, survivors: u8) -> Vec<u8> {
    let mut ring = vec![start];
    loop {
        let next = (ring[ring.len() - 1] + 4) % (2 * survivors);
        if next == start {
            return ring;
        }
        ring.push(next);
    }
}

#[test]
fn row_6_breaks_at_most_one_ring_in_even_sizes() {
    for survivors in [2, 4, 6, 8] {
        let row = Row {
            fixes: FIXED,
            sequence: thinned(survivors.into()),
            breaks: Claim::AtMostOneRing,
            // The last failure; after it come only the updates.
            at: parse(&thinned(survivors.into())).len() - usize::from(survivors) - 1,
            // Two rings of more than one node each also jump over each other.
            also: if survivors == 2 {
                &[]
            } else {
                &[Claim::OrderedRing]
            },
            idle: &[],
            rings: vec![every_other(0, survivors), every_other(2, survivors)],
            best: &[],
            heals: false,
        };
        row.test();
    }
}

#[test]
fn row_7_breaks_ordered_ring_in_odd_sizes() {
    for survivors in [3, 5, 7, 9] {
        let row = Row {
            fixes: FIXED,
            sequence: thinned(survivors.into()),
            breaks: Claim::OrderedRing,
            at: parse(&thinned(survivors.into())).len() - usize::from(survivors) - 1,
            also: &[],
            idle: &[],
            rings: vec![every_other(0, survivors)],
            best: &[],
            heals: false,
        };
        row.test();
    }
}

#[test]
fn failures_that_leave_somebody_without_a_live_entry_are_refused() {
    let mut ring = Ring::new(FIXED);
    for (rule, n) in parse("J2 S2 N0 S0 N2") {
        assert_eq!(ring.apply(rule, n), Outcome::Done);
    }
    let before = ring.nodes.clone();
    assert_eq!(ring.apply(Rule::Fail, 2), Outcome::Refused);
    assert_eq!(ring.nodes, before);
}
