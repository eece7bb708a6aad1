//! Wrong variants of the protocol, and what catches each of them.
//!
//! The checkers catch most, in about the share of random runs that a program independent of this
//! one found, or in more. Some they cannot see, however long one runs them; a test of the step
//! itself has to, and [`steps`] has one for each.

mod steps;
mod wrong;

use cuerda_sim::check::property::Property;

use crate::run::{Failures, Run, STEPS, Setting};
use crate::state::Lists;
use crate::steps::{SHIPPED, Steps};

/// How many runs each mutant gets for each r.
const RUNS: u64 = 400;

/// After so many rounds without churn a ring that is not ideal is taken never to become it; the
/// shipped steps take less than a third of them.
const ROUNDS: u32 = 60;

/// A wrong variant.
struct Mutant {
    name: &'static str,
    steps: Steps,
    start_with_r: bool,
    join_brackets: bool,
}

impl Mutant {
    const fn new(name: &'static str, steps: Steps) -> Mutant {
        Mutant {
            name,
            steps,
            start_with_r: false,
            join_brackets: true,
        }
    }
}

/// How many runs ended in what.
#[derive(Default)]
struct Tally {
    /// With this property among those that broke first.
    property: u64,
    /// With any property broken.
    broken: u64,
    /// Without becoming ideal.
    never_ideal: u64,
    failures: Failures,
}

fn tally(mutant: &Mutant, property: Option<Property>, room: u8) -> Tally {
    let mut setting = Setting::new(mutant.steps, Lists::StopAtOwner, room);
    setting.join_brackets = mutant.join_brackets;
    setting.members -= u8::from(mutant.start_with_r);
    let mut tally = Tally::default();
    for seed in 0..RUNS {
        let mut run = Run::new(setting, seed);
        for _ in 0..STEPS {
            run.step();
        }
        tally.property += u64::from(property.is_some_and(|p| run.first_broken.contains(p)));
        tally.broken += u64::from(!run.broken.is_empty());
        tally.failures.extend(run.failures);
        tally.never_ideal += u64::from(run.rounds_until_ideal(ROUNDS).is_none());
    }
    tally
}

/// Asserts that the share is at least half of what the independent program found, in percent.
fn assert_share(mutant: &Mutant, what: &str, room: u8, runs: u64, listed: u64) {
    let share = 100 * runs / RUNS;
    println!(
        "{}, r={room}: {what} in {share} %, listed {listed} %",
        mutant.name
    );
    assert!(2 * share >= listed, "{}, r={room}: {what}", mutant.name);
}

/// The mutant makes the checkers fire: in these shares of the runs for r=2 and r=3, in percent.
fn caught_by(property: Property, listed: [u64; 2], mutant: &Mutant) {
    for (room, listed) in [2, 3].into_iter().zip(listed) {
        let tally = tally(mutant, Some(property), room);
        assert_share(mutant, property.name(), room, tally.property, listed);
        assert!(tally.property > 0, "{}, r={room}", mutant.name);
    }
}

/// Nothing ever breaks, but without churn these shares of the runs never become ideal.
fn never_ideal(listed: [u64; 2], mutant: &Mutant) {
    for (room, listed) in [2, 3].into_iter().zip(listed) {
        let tally = tally(mutant, None, room);
        assert_share(mutant, "never ideal", room, tally.never_ideal, listed);
        assert_eq!(tally.broken, 0, "{}, r={room}", mutant.name);
    }
}

/// No checker sees the mutant.
fn not_caught(mutant: &Mutant) -> [Failures; 2] {
    [2, 3].map(|room| {
        let tally = tally(mutant, None, room);
        let seen = (tally.broken, tally.never_ideal);
        assert_eq!(seen, (0, 0), "{}, r={room}", mutant.name);
        tally.failures
    })
}

#[test]
fn the_shipped_steps_are_not_caught() {
    not_caught(&Mutant::new("none", SHIPPED));
}

#[test]
fn starting_with_r_members_lacks_principals() {
    let mutant = Mutant {
        start_with_r: true,
        ..Mutant::new("start with r members", SHIPPED)
    };
    caught_by(Property::SufficientPrincipals, [100, 100], &mutant);
}

#[test]
fn joining_at_any_member_skips_principals() {
    let steps = Steps {
        join: wrong::join_anywhere,
        ..SHIPPED
    };
    let mutant = Mutant {
        join_brackets: false,
        ..Mutant::new("join at a member that does not bracket", steps)
    };
    caught_by(Property::SufficientPrincipals, [100, 100], &mutant);
}

#[test]
fn wrong_padding_repeats_somebody_or_skips_somebody() {
    let with = |successor_silent| Steps {
        successor_silent,
        ..SHIPPED
    };
    let own = Mutant::new("pad with own id", with(wrong::pad_with_own_id));
    caught_by(Property::NoDuplicates, [94, 93], &own);
    let last = Mutant::new("pad with the last again", with(wrong::pad_with_last_again));
    caught_by(Property::NoDuplicates, [94, 93], &last);
    let far = Mutant::new("pad one id too far", with(wrong::pad_one_too_far));
    caught_by(Property::SufficientPrincipals, [52, 67], &far);
}

#[test]
fn a_joiner_that_takes_the_head_only_may_have_no_live_successor() {
    let steps = Steps {
        join: wrong::join_with_head_only,
        ..SHIPPED
    };
    let mutant = Mutant::new("joiner takes the head only", steps);
    // Listed as never seen with r=3. Here it is, for churn is denser beside maintenance.
    caught_by(Property::OneLiveSuccessor, [6, 0], &mutant);
}

#[test]
fn without_notices_the_ring_never_becomes_ideal() {
    let steps = Steps {
        successor_answered: wrong::answered_without_notice,
        ..SHIPPED
    };
    never_ideal(
        [99, 99],
        &Mutant::new("no notify to a live successor", steps),
    );
    let steps = Steps {
        candidate_silent: wrong::no_notice,
        ..SHIPPED
    };
    never_ideal(
        [12, 12],
        &Mutant::new("no notify after a dead candidate", steps),
    );
}

#[test]
fn wrong_predecessors_keep_the_ring_from_becoming_ideal() {
    let with = |rectify| Steps { rectify, ..SHIPPED };
    let dead = with(wrong::rectify_only_if_dead);
    never_ideal(
        [99, 99],
        &Mutant::new("adopt only if the old is dead", dead),
    );
    let never = with(wrong::rectify_never_checks);
    never_ideal(
        [66, 62],
        &Mutant::new("old predecessor never checked", never),
    );
}

#[test]
fn lists_that_nobody_copies_never_become_ideal() {
    let steps = Steps {
        successor_answered: wrong::answered_without_copy,
        candidate_answered: wrong::candidate_before_own_tail,
        ..SHIPPED
    };
    never_ideal(
        [95, 99],
        &Mutant::new("list never copied, head only", steps),
    );
}

#[test]
fn some_are_caught_by_no_checker() {
    for (mutant, _) in steps::unseen() {
        not_caught(&mutant);
    }
}

#[test]
fn unasked_adoption_shows_in_how_often_failures_are_refused() {
    let steps = Steps {
        successor_answered: wrong::adopt_unasked,
        ..SHIPPED
    };
    let shipped = not_caught(&Mutant::new("none", SHIPPED));
    let unasked = not_caught(&Mutant::new("candidate adopted unasked", steps));
    for (room, (ours, theirs)) in [2, 3].into_iter().zip(shipped.iter().zip(&unasked)) {
        let [ours, theirs] = [ours, theirs].map(Failures::share_refused_by_lists);
        println!("r={room}: (i) refuses {theirs:.3} of the failures, {ours:.3} with ours");
        // Listed: 16.4 % against 6.7 %, and 2.6 % against 0.8 %.
        assert!(theirs > 1.5 * ours);
    }
}
