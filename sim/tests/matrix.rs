//! The k-failure matrix, both halves: fewer deaths than copies lose nothing, and as many lose
//! exactly what they held. Every time a few sets at each moment; all of them when asked for
//! (`cargo test --release --test matrix -- --ignored`).

use cuerda_sim::run::matrix::{Case, Matrix, Moment};

const MATRIX: Matrix = Matrix {
    nodes: 8,
    replicas: 3,
    seed: 1,
};

/// Plays every `step`th case of each moment.
fn play(step: usize) {
    let holders = MATRIX.holders();
    let mut wrong = Vec::new();
    let (mut lost, mut held) = (0, 0);
    for moment in Moment::all() {
        let cases: Vec<Case> = MATRIX.cases(moment).into_iter().step_by(step).collect();
        for case in cases {
            let outcome = MATRIX.play(case, &holders);
            if outcome.case.moment == Moment::Idle {
                lost += outcome.lost.len();
                held += outcome.held.len();
            }
            if let Some(why) = outcome.wrong {
                let text = MATRIX.text(&outcome.case);
                wrong.push(format!("{why}\n{text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(lost, held);
    // Somebody dies with all holders of a key, or the second half is not tested.
    assert!(lost > 0);
}

#[test]
fn a_few_sets_at_every_moment() {
    play(17);
}

#[test]
#[ignore = "plays two thousand scenarios"]
fn every_set_at_every_moment() {
    play(1);
}
