//! Who goes, who stays, and who was only started again.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;

const fn start(at_ms: u64) -> Start {
    Start { at_ms, instance: 0 }
}

/// The process that started then, where no other is.
fn heard(at_ms: u64) -> Heard {
    let port = u16::try_from(at_ms).unwrap();
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    Heard {
        start: start(at_ms),
        address: address.into(),
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn who_was_heard_before_is_asked_and_the_younger_one_refused() {
    // Whichever of the two comes first, the one that was there before is asked.
    for (before, then) in [(1, 2), (2, 1)] {
        let mut twins = Twins::default();
        let known = [heard(before), heard(then)];
        assert_eq!(twins.heard(7, start(before), &known[..1], seconds(0)), None);
        let look = Some(Step::Look(heard(before).address));
        assert_eq!(twins.heard(7, start(then), &known, seconds(1)), look);
        // Not twice at a time.
        assert_eq!(twins.heard(7, start(then), &known, seconds(1)), None);
        let found = twins.looked(7, Some(start(before)), &known, seconds(2));
        let refused = Refused {
            older: heard(1),
            younger: heard(2),
            is_told: true,
        };
        let expected = Found {
            refused: Some(refused),
            is_older: before == 1,
        };
        assert_eq!(found, Some(expected));
    }
}

#[test]
fn whose_former_self_does_not_answer_is_no_twin() {
    let known = [heard(1), heard(2)];
    // Nobody is where it was, or it is there itself.
    for found in [None, Some(start(2))] {
        let mut twins = Twins::default();
        assert!(twins.heard(7, start(2), &known, seconds(0)).is_some());
        assert_eq!(twins.looked(7, found, &known, seconds(1)), None);
        assert_eq!(twins.older(), None);
        // What nobody asked for says nothing.
        assert_eq!(twins.looked(7, Some(start(1)), &known, seconds(1)), None);
    }
}

#[test]
fn who_did_not_answer_and_is_heard_again_is_asked_again() {
    let (mut twins, known) = (Twins::default(), [heard(1), heard(2)]);
    assert_eq!(twins.not_gone(7, start(1)), None);
    twins.heard(7, start(2), &known, seconds(0));
    assert_eq!(twins.not_gone(7, start(1)), None, "it is being asked");
    twins.looked(7, None, &known, seconds(1));
    assert_eq!(twins.not_gone(7, start(2)), None);
    assert_eq!(twins.not_gone(7, start(1)), Some(start(2)));
    let look = Some(Step::Look(heard(1).address));
    assert_eq!(twins.heard(7, start(2), &known, seconds(2)), look);
    assert_eq!(twins.not_gone(7, start(1)), None);
    let found = twins.looked(7, Some(start(1)), &known, seconds(3)).unwrap();
    assert_eq!(found.refused.unwrap().younger, heard(2));
    assert_eq!(twins.not_gone(7, start(1)), None);
}

#[test]
fn an_answer_counts_for_a_while_and_then_it_is_asked_again() {
    let (mut twins, known) = (Twins::default(), [heard(1), heard(2)]);
    twins.heard(7, start(2), &known, seconds(0));
    twins.looked(7, Some(start(1)), &known, seconds(0));
    let again = twins.heard(7, start(2), &known, seconds(4));
    assert!(matches!(again, Some(Step::Refuse(refused)) if !refused.is_told));
    let later = twins.heard(7, start(2), &known, limits::TWIN_ANSWERED);
    assert_eq!(later, Some(Step::Look(heard(1).address)));
    // A third one is asked for itself.
    let known = [heard(1), heard(2), heard(3)];
    twins.looked(7, Some(start(1)), &known, seconds(6));
    let third = twins.heard(7, start(3), &known, seconds(6));
    assert!(matches!(third, Some(Step::Refuse(refused)) if refused.younger == heard(3)));
}

#[test]
fn a_pair_is_told_once_a_minute() {
    let (mut twins, known) = (Twins::default(), [heard(1), heard(2)]);
    let mut told = Vec::new();
    for second in 0..=120 {
        let now = seconds(second);
        twins.heard(7, start(2), &known, now);
        if let Some(found) = twins.looked(7, Some(start(1)), &known, now)
            && found.refused.is_some_and(|refused| refused.is_told)
        {
            told.push(second);
        }
    }
    assert_eq!(told, [0, 60, 120]);
}

#[test]
fn of_those_who_meet_the_younger_stops_and_nobody_for_itself() {
    let now = seconds(0);
    let mut older = Twins::default();
    assert_eq!(older.met(7, start(1), heard(1), now), Met::Nothing);
    let younger = Met::Younger { is_told: true };
    assert_eq!(older.met(7, start(1), heard(2), now), younger);
    let again = Met::Younger { is_told: false };
    assert_eq!(older.met(7, start(1), heard(2), now), again);
    assert_eq!(older.older(), None);
    let mut younger = Twins::default();
    assert_eq!(younger.met(7, start(2), heard(1), now), Met::Older);
    assert_eq!(younger.older(), Some(heard(1).address));
    assert_eq!(younger.met(7, start(2), heard(1), now), Met::Nothing);
}

#[test]
fn who_is_told_of_a_twin_looks_once_in_a_while() {
    let mut twins = Twins::<u8>::default();
    assert!(twins.is_to_look(seconds(9)) && !twins.is_to_look(seconds(9)));
    assert!(twins.is_to_look(seconds(9) + limits::TWIN_LOOKS));
}

#[test]
fn many_keys_displace_those_that_nobody_is_asked_for_and_no_others() {
    let (mut twins, known) = (Twins::default(), [heard(1), heard(2)]);
    let all = u64::try_from(limits::TWINS).unwrap();
    for key in 0..all {
        assert!(twins.heard(key, start(2), &known, seconds(key)).is_some());
    }
    assert_eq!(twins.heard(200, start(2), &known, seconds(200)), None);
    twins.looked(7, None, &known, seconds(201));
    assert!(twins.heard(200, start(2), &known, seconds(202)).is_some());
    assert!(!twins.pairs.contains_key(&7));
    assert_eq!(twins.pairs.len(), limits::TWINS);
}

proptest! {
    /// Whatever comes in whatever order: nobody is refused but for an older one that has answered
    /// lately, the tables stay bounded, and of two that meet exactly one goes.
    #[test]
    fn nobody_is_refused_but_for_an_older_one_that_has_answered(
        events in prop::collection::vec((0..80_u8, 1..5_u64, 1..5_u64, any::<bool>()), 0..300),
    ) {
        let mut twins = Twins::default();
        let mut asked: BTreeMap<u8, Address> = BTreeMap::new();
        let mut answered: BTreeMap<(u8, Start), Duration> = BTreeMap::new();
        for (second, (key, one, other, answers)) in (0..).zip(events) {
            let (now, known) = (seconds(second), [heard(one), heard(other)]);
            let refused = match twins.heard(key, start(one), &known, now) {
                Some(Step::Look(address)) => {
                    prop_assert_eq!(address, heard(other).address);
                    prop_assert!(asked.insert(key, address).is_none());
                    None
                }
                Some(Step::Refuse(refused)) => Some(refused),
                None => None,
            };
            let found = asked.get(&key).filter(|_| answers).map(|address| {
                [1, 2, 3, 4].map(heard).into_iter().find(|who| who.address == *address)
            });
            let found = found.flatten().and_then(|who| {
                asked.remove(&key);
                answered.insert((key, who.start), now);
                twins.looked(key, Some(who.start), &known, now)
            });
            let refused = refused.or(found.and_then(|found| found.refused));
            if let Some(refused) = refused {
                prop_assert!(refused.older.start < refused.younger.start);
                let there = [refused.older.start, refused.younger.start];
                let lately = |start: &Start| {
                    answered.get(&(key, *start)).is_some_and(|at| now < *at + limits::TWIN_ANSWERED)
                };
                prop_assert!(there.iter().any(lately));
            }
            prop_assert!(twins.pairs.len() <= limits::TWINS);
            if one != other {
                let mut both = [Twins::default(), Twins::default()];
                let met = [
                    both[0].met(key, start(one), heard(other), now),
                    both[1].met(key, start(other), heard(one), now),
                ];
                prop_assert_eq!(met.iter().filter(|met| **met == Met::Older).count(), 1);
            }
        }
    }
}
