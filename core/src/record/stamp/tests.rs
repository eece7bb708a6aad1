//! The clock's promises, under wall clocks that jump, restarts and stamps from far ahead.

use super::*;
use crate::record::limits::{MARK_STEP, SKEW_MAX, TAKEN_MAX};
use crate::record::tests::any_id;
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000_000;

fn at(milliseconds: u64, counter: u32) -> Stamp {
    Stamp {
        milliseconds,
        counter,
        node: Id::of_key(b"another"),
    }
}

fn clock() -> StampClock {
    StampClock::new(Id::of_key(b"this one"))
}

/// Times around now, at the seams of the bound, and absurd ones.
fn any_time() -> impl Strategy<Value = u64> {
    prop_oneof![
        6 => NOW - 3 * SKEW_MAX..NOW + 3 * SKEW_MAX,
        2 => NOW..NOW + 3,
        1 => prop_oneof![Just(NOW + SKEW_MAX), Just(NOW + SKEW_MAX + 1)],
        1 => prop_oneof![Just(NOW + TAKEN_MAX), Just(NOW + TAKEN_MAX + 1)],
        1 => prop_oneof![Just(0), Just(1), Just(u64::MAX - 1), Just(u64::MAX), any::<u64>()],
    ]
}

fn any_stamp() -> impl Strategy<Value = Stamp> {
    let counter = prop_oneof![0..3_u32, u32::MAX - 2..=u32::MAX];
    (any_time(), counter, any_id()).prop_map(|(milliseconds, counter, node)| Stamp {
        milliseconds,
        counter,
        node,
    })
}

#[derive(Clone, Debug)]
enum Step {
    Wall(u64),
    Issue,
    IssueAbove(Stamp),
    Seen(Stamp),
    Heard(Stamp),
    /// The store commits what it was handed and lets the writes leave.
    Commit,
    /// The process dies and starts again.
    Crash,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any_time().prop_map(Step::Wall),
        6 => Just(Step::Issue),
        3 => any_stamp().prop_map(Step::IssueAbove),
        1 => any_stamp().prop_map(Step::Seen),
        2 => any_stamp().prop_map(Step::Heard),
        4 => Just(Step::Commit),
        2 => Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]
    #[test]
    fn what_leaves_only_ever_rises(steps in prop::collection::vec(any_step(), 1..60)) {
        let mut clock = clock();
        let mut wall = NOW;
        // On disk; what left this node; the most of what this life issued or saw.
        let (mut disk, mut left, mut most) = (0, Stamp::ZERO, Stamp::ZERO);
        let mut waiting: Vec<Stamp> = Vec::new();
        for step in steps {
            let before = clock.clone();
            let (issued, past) = match step {
                Step::Wall(time) => {
                    wall = time;
                    continue;
                }
                Step::Issue => (clock.issue(wall), Stamp::ZERO),
                Step::IssueAbove(past) => (clock.issue_above(wall, past), past),
                Step::Seen(stamp) => {
                    clock.seen(stamp);
                    most = most.max(stamp);
                    continue;
                }
                Step::Heard(stamp) => {
                    let ahead = stamp.milliseconds.saturating_sub(wall);
                    match clock.heard(stamp, wall) {
                        Ok(()) => {
                            prop_assert!(ahead <= TAKEN_MAX);
                            most = most.max(stamp);
                        }
                        Err(error) => {
                            prop_assert!(ahead > TAKEN_MAX);
                            prop_assert_eq!(error, TooFarAhead { stamp, by: ahead });
                            prop_assert_eq!(&clock, &before);
                        }
                    }
                    continue;
                }
                Step::Commit => {
                    if let Some(mark) = clock.must_commit() {
                        disk = disk.max(mark);
                        clock.committed(mark);
                    }
                    prop_assert_eq!(clock.must_commit(), None);
                    for stamp in waiting.drain(..) {
                        prop_assert!(stamp > left, "{stamp} after {left}");
                        prop_assert!(stamp.milliseconds < disk);
                        left = stamp;
                    }
                    continue;
                }
                Step::Crash => {
                    clock = StampClock::restored(clock.node, disk);
                    waiting.clear();
                    most = left;
                    continue;
                }
            };
            let bar = most.max(past);
            match issued {
                Ok(stamp) => {
                    prop_assert!(stamp > bar && stamp > left);
                    prop_assert!(stamp.milliseconds.saturating_sub(wall) <= SKEW_MAX);
                    prop_assert_eq!(stamp, clock.latest());
                    prop_assert_eq!(stamp.node, clock.node);
                    most = stamp;
                    waiting.push(stamp);
                    // A write that needs no new mark may leave at once.
                    if clock.must_commit().is_none() {
                        prop_assert!(stamp.milliseconds < disk);
                    }
                }
                Err(error) => {
                    prop_assert_eq!(&clock, &before);
                    // The bound, or the carry into the next millisecond, or the end of time.
                    let bar = before.latest().max(past);
                    prop_assert_eq!(error.stamp, bar);
                    prop_assert!(
                        bar.milliseconds.saturating_add(1).saturating_sub(wall) > SKEW_MAX
                            || bar.milliseconds >= u64::MAX - 1
                            || wall == u64::MAX
                    );
                }
            }
        }
    }

    #[test]
    fn text_and_wire_come_back(stamp in any_stamp()) {
        let wire = postcard::to_stdvec(&stamp).unwrap();
        prop_assert!(wire.len() <= 35);
        prop_assert_eq!(postcard::from_bytes::<Stamp>(&wire).unwrap(), stamp);
    }
}

#[test]
fn milliseconds_come_first_then_the_counter_then_the_node() {
    let mut stamps = [at(2, 0), at(1, 9), at(1, 1), at(0, 77)];
    stamps.sort();
    assert_eq!(stamps, [at(0, 77), at(1, 1), at(1, 9), at(2, 0)]);
    let lowest = Stamp {
        node: Id::ZERO,
        ..at(1, 1)
    };
    assert!(lowest < at(1, 1) && lowest > at(1, 0));
}

#[test]
fn it_follows_the_wall_clock_and_counts_when_that_stands_still() {
    let mut clock = clock();
    let mut issue = |wall| {
        let stamp = clock.issue(wall).unwrap();
        (stamp.milliseconds, stamp.counter)
    };
    assert_eq!(issue(NOW), (NOW, 0));
    assert_eq!(issue(NOW), (NOW, 1));
    assert_eq!(issue(NOW - 5000), (NOW, 2), "set back");
    assert_eq!(issue(NOW + 1), (NOW + 1, 0));
}

#[test]
fn a_full_counter_borrows_from_the_future() {
    let mut clock = clock();
    clock.seen(at(NOW, u32::MAX));
    let stamp = clock.issue(NOW).unwrap();
    assert_eq!((stamp.milliseconds, stamp.counter), (NOW + 1, 0));
}

#[test]
fn a_write_after_one_was_seen_is_above_it_though_the_clock_is_minutes_behind() {
    let mut clock = clock();
    let seen = at(NOW, 3);
    clock.heard(seen, NOW - 10 * 60_000).unwrap();
    assert!(clock.issue(NOW - 10 * 60_000).unwrap() > seen);
}

#[test]
fn a_stamp_too_far_ahead_stops_the_writes_that_come_after_it_and_no_others() {
    let mut clock = clock();
    let absurd = at(NOW + 2 * SKEW_MAX, 0);
    let error = TooFarAhead {
        stamp: absurd,
        by: 2 * SKEW_MAX,
    };
    assert_eq!(clock.issue_above(NOW, absurd), Err(error));
    assert_eq!(clock.heard(absurd, NOW), Err(error));
    assert_eq!(clock.issue(NOW).unwrap().milliseconds, NOW);
    let text = error.to_string();
    assert!(text.contains("7200000 ms ahead"), "{text}");
    // Whoever insists on having seen it has to wait.
    clock.seen(absurd);
    assert_eq!(clock.issue(NOW), Err(error));
    assert!(clock.issue(NOW + SKEW_MAX).unwrap() > absurd);
}

fn near_by() -> Address {
    crate::ring::test_peers::peer(9).address
}

#[test]
fn what_a_wrong_clock_had_shown_is_given_up_when_others_agree_with_the_right_one() {
    const HOURS: u64 = 3 * SKEW_MAX;
    let mut clock = clock();
    let wrong = clock.issue(NOW + HOURS).unwrap();
    clock.committed(clock.must_commit().unwrap());
    assert!(
        clock.issue(NOW).is_err(),
        "alone it can't tell which is wrong"
    );
    clock.compare(near_by(), NOW, NOW);
    let right = clock.issue(NOW).unwrap();
    assert_eq!((right.milliseconds, right.counter), (NOW, 0));
    assert_eq!(
        clock.must_commit(),
        Some(NOW + MARK_STEP),
        "the mark comes down"
    );
    // As far as it may be followed again, no stamp of that time is issued twice.
    let later = clock.issue(NOW + HOURS - SKEW_MAX).unwrap();
    assert!(later > wrong && later.milliseconds == wrong.milliseconds);
    // After a restart meanwhile the same, from the mark.
    let mut again = StampClock::restored(clock.node, NOW + HOURS);
    again.compare(near_by(), NOW, NOW);
    assert_eq!(again.issue(NOW).unwrap().milliseconds, NOW);
}

#[test]
fn what_was_issued_near_is_kept_when_what_was_heard_is_given_up() {
    // It has heard stamps from ahead, and then its clock is set back by nearly an hour, as are those
    // of others: what it heard is too far ahead by now, and what it issued is not.
    let back = NOW - SKEW_MAX + MARK_STEP;
    let heard = at(NOW + TAKEN_MAX, 0);
    let mut clock = clock();
    let issued = clock.issue(NOW).unwrap();
    let mark = clock.must_commit().unwrap();
    clock.committed(mark);
    let mut again = StampClock::restored(clock.node, mark);
    for clock in [&mut clock, &mut again] {
        clock.heard(heard, NOW).unwrap();
        clock.compare(near_by(), back, back);
        let next = clock.issue(back + MARK_STEP).unwrap();
        assert!(issued < next && next < heard, "{next}");
    }
    // What may have been issued is at the bound: it waits until the mark is near, and no longer.
    let mut again = StampClock::restored(clock.node, mark);
    again.heard(heard, NOW).unwrap();
    again.compare(near_by(), NOW - SKEW_MAX, NOW - SKEW_MAX);
    assert!(again.issue(NOW - SKEW_MAX).is_err());
    assert!(again.issue(NOW - SKEW_MAX + MARK_STEP).unwrap() > issued);
}

#[test]
fn a_clock_that_is_lost_now_gives_nothing_up() {
    let mut clock = clock();
    clock.issue(NOW).unwrap();
    clock.compare(near_by(), NOW, 5);
    assert_eq!(clock.wrong_by(5), Some(5 - NOW as i64));
    assert_eq!(clock.right(6), NOW + 1);
    assert!(clock.issue(6).is_err());
}

#[test]
fn what_is_too_far_ahead_is_followed_for_its_own_key_and_each_time_by_another() {
    let mut clock = clock();
    let far = at(NOW + 3 * SKEW_MAX, 7);
    let first = clock.follow(far, NOW).unwrap();
    let second = clock.follow(far, NOW).unwrap();
    let other = clock.follow(at(NOW + 2 * SKEW_MAX, 0), NOW).unwrap();
    assert!(far < first && first < second);
    assert_eq!(second.milliseconds, far.milliseconds, "no farther ahead");
    assert!(other.counter > second.counter);
    assert_eq!(
        clock.issue(NOW).unwrap().milliseconds,
        NOW,
        "others are not touched"
    );
    assert!(clock.follow(at(NOW, u32::MAX), NOW).is_err());
}

#[test]
fn what_is_taken_in_stops_nobody_whose_clock_is_behind_by_as_much() {
    let mut clock = clock();
    let far = at(NOW + TAKEN_MAX, u32::MAX);
    clock.heard(far, NOW).unwrap();
    let passed_on = clock.issue(NOW).unwrap();
    let mut behind = super::StampClock::new(Id::ZERO);
    let late = NOW - (SKEW_MAX - TAKEN_MAX) + 1;
    assert!(behind.issue_above(late, passed_on).is_ok());
    let farther = at(NOW + TAKEN_MAX + 1, 0);
    assert!(clock.heard(farther, NOW).is_err());
}

#[test]
fn the_mark_is_raised_rarely_and_holds_after_a_restart() {
    let mut clock = clock();
    let mut commits = 0;
    let mut last = Stamp::ZERO;
    for write in 0..10_000 {
        last = clock.issue(NOW + write).unwrap();
        if let Some(mark) = clock.must_commit() {
            clock.committed(mark);
            commits += 1;
        }
    }
    assert_eq!(commits, 10_000 / MARK_STEP);
    let mut again = StampClock::restored(clock.node, clock.mark);
    assert_eq!(again.must_commit(), None, "nothing has been issued yet");
    let first = again.issue(0).unwrap_err();
    assert!(first.stamp >= last, "the wall clock was lost: {first}");
    let first = again.issue(NOW).unwrap();
    assert!(first > last && first.milliseconds <= last.milliseconds + MARK_STEP);
    assert!(again.must_commit().is_some());
}

#[test]
fn nothing_is_issued_where_no_mark_can_be_above() {
    assert!(clock().issue(u64::MAX).is_err());
    let mut clock = clock();
    let stamp = clock.issue(u64::MAX - 1).unwrap();
    assert!(clock.must_commit().unwrap() > stamp.milliseconds);
}

#[test]
fn its_sizes_are_as_documented() {
    assert_eq!(size_of::<Stamp>(), 32);
    assert_eq!(postcard::to_stdvec(&at(NOW, 0)).unwrap().len(), 27);
    assert_eq!(
        postcard::to_stdvec(&at(u64::MAX, u32::MAX)).unwrap().len(),
        35
    );
    let shown = format!("1800000000000.3@{}", Id::of_key(b"another"));
    assert_eq!(at(NOW, 3).to_string(), shown);
}
