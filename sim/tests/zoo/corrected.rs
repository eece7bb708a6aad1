//! The corrected protocol, by the functions that are shipped, under random joins and failures
//! within Zave's preconditions.

use crate::run::{Failures, Run, STEPS, Setting};
use crate::state::{Lists, State, Status};
use crate::steps::{SHIPPED, neighbours};
use cuerda_sim::check::direct;

const RUNS: u64 = 5_000;

/// The most rounds after the last change until the ring is ideal: three for each place. A wrong
/// neighbour is corrected by one place a round, and both neighbours and lists have to be.
pub(crate) const ROUNDS: u32 = 27;

/// Whether every node is one that ours could be: nothing was lost on the way to the shipped
/// form and back.
fn is_shippable(state: &State) -> bool {
    state.nodes.iter().flatten().all(|node| {
        let list = neighbours(node).successors().len();
        list == node.succ.len()
    })
}

/// Any number of steps, the state after each being judged.
fn holds_throughout(room: u8) {
    let setting = Setting::new(SHIPPED, Lists::StopAtOwner, room);
    let mut failures = Failures::default();
    let (mut joins, mut busy, mut slowest) = (0, 0, 0);
    for seed in 0..RUNS {
        let mut run = Run::new(setting, seed);
        for step in 0..STEPS {
            let before = run.state.members().len();
            run.step();
            joins += u64::from(run.state.members().len() > before);
            busy += u64::from(run.state.status.iter().any(|&s| s != Status::None));
            let broken = run.broken;
            assert!(
                broken.is_empty(),
                "r={room}, run {seed}, step {step}: {broken:?}"
            );
        }
        assert!(is_shippable(&run.state));
        if seed % 50 == 0 {
            // The formulas themselves agree with the compact judgement.
            let broken = direct::broken(&run.state.to_members(), room.into());
            assert!(broken.is_empty(), "r={room}, run {seed}: {broken:?}");
        }
        let rounds = run.rounds_until_ideal(ROUNDS);
        let rounds = rounds.unwrap_or_else(|| panic!("r={room}, run {seed}: never ideal"));
        slowest = slowest.max(rounds);
        assert!(run.broken.is_empty(), "r={room}, run {seed}, without churn");
        let members = run.state.to_members();
        assert!(direct::is_ideal(&members, room.into()));
        failures.extend(run.failures);
    }
    println!(
        "r={room}: {RUNS} runs, {joins} joins, {failures:?}, (i) refuses {:.3} of them; \
         ideal within {slowest} rounds",
        failures.share_refused_by_lists()
    );
    // There was something to withstand, and both preconditions were put to use.
    assert!(joins > 10 * RUNS && busy > 100 * RUNS);
    assert!(u64::from(failures.allowed) > 10 * RUNS);
    assert!(u64::from(failures.refused_by_lists) > RUNS / 2);
    assert!(u64::from(failures.refused_by_principals) > RUNS);
}

#[test]
fn five_thousand_random_runs_with_two_successors_break_nothing() {
    holds_throughout(2);
}

#[test]
fn five_thousand_random_runs_with_three_successors_break_nothing() {
    holds_throughout(3);
}
