//! What precondition (ii) is for: the same runs without it, principals failing as they please.
//!
//! Zave's operations to the letter then soon hold lists that repeat somebody, because a small
//! ring goes round within one list. Ours can't: a list ends where it would reach its own node
//! or go backwards. That hides the symptom and leaves the disease. In a few runs in a thousand
//! a list skips live members on the way round a small ring, the ring goes round twice or falls
//! apart in two, and rarely it stays so: in 240,000 runs of all the settings below, with ours,
//! 27 never healed. Nothing but enough principals prevents that. Enough *members* do not:
//! neither r+1 nor, with churn as dense as here, 2r+2, though there it happened once in 80,000.

use cuerda_sim::check::direct;
use cuerda_sim::check::property::Property;

use crate::letter::LETTER;
use crate::run::{Run, STEPS, Setting};
use crate::state::Lists;
use crate::steps::SHIPPED;

const RUNS: u64 = 1_500;

/// More rounds than any ring of these sizes needs that heals at all.
const ROUNDS: u32 = 200;

/// How many identifiers there are, and what membership doesn't fall below for a given r.
#[derive(Clone, Copy, Debug)]
enum Membership {
    /// Nine, and down to whatever (i) allows.
    Free,
    /// Twelve, and r+1.
    ROne,
    /// Sixteen, and 2r+2.
    TwiceROne,
}

const ALL: [Membership; 3] = [Membership::Free, Membership::ROne, Membership::TwiceROne];

/// Which of the two protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    Letter,
}

impl Whose {
    fn name(self) -> &'static str {
        match self {
            Whose::Ours => "ours",
            Whose::Letter => "the letter",
        }
    }
}

fn setting(whose: Whose, membership: Membership, room: u8) -> Setting {
    let (steps, lists) = match whose {
        Whose::Ours => (SHIPPED, Lists::StopAtOwner),
        Whose::Letter => (LETTER, Lists::GoRound),
    };
    let (size, keep_members) = match membership {
        Membership::Free => (9, 1),
        Membership::ROne => (12, room + 1),
        Membership::TwiceROne => (16, 2 * (room + 1)),
    };
    Setting {
        size,
        members: keep_members.max(room + 1),
        keep_members,
        keep_principals: false,
        ..Setting::new(steps, lists, room)
    }
}

fn churn(setting: Setting, seed: u64) -> Run {
    let mut run = Run::new(setting, seed);
    for _ in 0..STEPS {
        run.step();
    }
    run
}

/// In how many runs which property broke, and how many never healed.
struct Tally {
    broken: [u64; Property::ALL.len()],
    never_ideal: u64,
}

impl Tally {
    fn of(whose: Whose, membership: Membership, room: u8) -> Tally {
        let mut tally = Tally {
            broken: [0; Property::ALL.len()],
            never_ideal: 0,
        };
        for seed in 0..RUNS {
            let mut run = churn(setting(whose, membership, room), seed);
            for property in Property::ALL {
                tally.broken[property as usize] += u64::from(run.broken.contains(property));
            }
            tally.never_ideal += u64::from(run.rounds_until_ideal(ROUNDS).is_none());
        }
        print!("{}, r={room}, {membership:?}: of {RUNS} runs", whose.name());
        for property in Property::ALL {
            print!(" {property} {}", tally.broken[property as usize]);
        }
        println!("; never ideal {}", tally.never_ideal);
        tally
    }

    fn count(&self, property: Property) -> u64 {
        self.broken[property as usize]
    }
}

/// The control: nothing but (ii) is missing in the tests below.
#[test]
fn with_both_preconditions_the_letter_breaks_nothing_either() {
    for room in [2, 3] {
        for seed in 0..RUNS {
            let mut run = churn(Setting::new(LETTER, Lists::GoRound, room), seed);
            assert!(run.broken.is_empty(), "r={room}, run {seed}");
            assert!(run.rounds_until_ideal(ROUNDS).is_some());
        }
    }
}

#[test]
fn to_the_letter_lists_repeat_somebody_and_rings_fall_apart() {
    let mut never_ideal = 0;
    for room in [2, 3] {
        let tally = Tally::of(Whose::Letter, Membership::Free, room);
        // Listed: 1,473 and 1,457 of 1,500.
        assert!(tally.count(Property::NoDuplicates) > 1_400);
        // Listed: 8 and 164. There each run seems to count for what broke first.
        assert!(tally.count(Property::OrderedSuccessorLists) > 164);
        // Listed: 15 and 8, or 14, of 600.
        assert!((20..150).contains(&tally.count(Property::OrderedRing)));
        assert!((15..150).contains(&tally.count(Property::AtMostOneRing)));
        never_ideal += tally.never_ideal;

        let tally = Tally::of(Whose::Letter, Membership::ROne, room);
        assert!((20..200).contains(&tally.count(Property::OrderedRing)));
        never_ideal += tally.never_ideal;
    }
    // Listed: three runs in 2,400.
    assert!((1..30).contains(&never_ideal));
}

#[test]
fn ours_keep_their_lists_but_lack_principals_and_a_few_rings_fall_apart() {
    for membership in ALL {
        let mut ring_level = 0;
        for room in [2, 3] {
            let tally = Tally::of(Whose::Ours, membership, room);
            for never in [
                Property::NoDuplicates,
                Property::OrderedSuccessorLists,
                // (i) is still in force.
                Property::OneLiveSuccessor,
                Property::AtLeastOneRing,
                Property::ConnectedAppendages,
            ] {
                assert_eq!(tally.count(never), 0, "{never}, r={room}, {membership:?}");
            }
            // The one that says what is wrong breaks wherever any other does, and long before.
            assert!(tally.count(Property::SufficientPrincipals) > RUNS / 2);
            assert!(tally.count(Property::AtMostOneRing) < RUNS / 100);
            assert!(tally.count(Property::OrderedRing) < RUNS / 100);
            // Too few runs to show the rare ones that never heal; those are below.
            assert_eq!(tally.never_ideal, 0, "r={room}, {membership:?}");
            ring_level += tally.count(Property::OrderedRing);
        }
        assert!(ring_level > 0, "{membership:?}");
    }
}

/// Runs of ours that never heal, found among 40,000 of each setting.
#[test]
fn what_ours_never_heal_from_is_a_ring_that_goes_round_twice_or_two_rings() {
    for (membership, room, seed, rings) in [
        (Membership::Free, 3, 4_341, 1),
        (Membership::ROne, 2, 17_350, 1),
        (Membership::ROne, 2, 33_585, 2),
        (Membership::ROne, 3, 4_910, 2),
        (Membership::TwiceROne, 3, 27_455, 1),
    ] {
        let mut run = churn(setting(Whose::Ours, membership, room), seed);
        assert_eq!(run.rounds_until_ideal(ROUNDS), None, "seed {seed}");
        let broken = run.state.broken();
        assert!(broken.contains(Property::OrderedRing), "seed {seed}");
        assert!(broken.contains(Property::SufficientPrincipals));
        assert_eq!(broken.contains(Property::AtMostOneRing), rings > 1);
        let members = run.state.to_members();
        assert_eq!(direct::rings(&members, room.into()).len(), rings);
        // Maintenance sees nothing wrong: everybody's neighbours agree with him.
        let before = run.state.nodes;
        assert_eq!(run.rounds_until_ideal(1), None);
        assert_eq!(run.state.nodes, before, "seed {seed}");
    }
}
