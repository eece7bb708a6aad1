//! Each check of histories fires on one that is broken on purpose, and on no other.

use cuerda_core::record::limits;

use super::*;

const KEY: u64 = 100;
const SECOND: Nanos = 1_000_000_000;
const REMEMBERED: Duration = Duration::from_secs(60);
const QUIET: Circumstances = Circumstances {
    excuse: None,
    settled: false,
    lost: false,
    owner: None,
};
const SETTLED: Circumstances = Circumstances {
    settled: true,
    ..QUIET
};

fn stamp(milliseconds: u64) -> Stamp {
    Stamp {
        milliseconds,
        counter: 0,
        node: Id::from_high(1),
    }
}

struct Story(Histories);

/// A write of [`KEY`] that begins at a second.
fn issued(write: u64, second: u64) -> Issued {
    Issued {
        write,
        key: Id::from_high(KEY),
        asker: 4,
        deletes: false,
        lives: None,
        condition: Condition::None,
        past: Stamp::ZERO,
        at: second * SECOND,
    }
}

const fn value(second: u64, write: u64) -> Option<(u64, Content)> {
    Some((second, Content::Value(write)))
}

impl Story {
    fn new() -> Story {
        Story(Histories::new(
            Clocks::new(0, Duration::ZERO),
            true,
            REMEMBERED,
        ))
    }

    /// A write that is done at once, and has the stamp of its second.
    fn write(&mut self, issued: Issued) {
        self.0.write_issued(issued);
        self.end(issued, issued.at / 1_000_000, 3);
    }

    fn put(&mut self, write: u64, second: u64) {
        self.write(issued(write, second));
    }

    fn delete(&mut self, write: u64, second: u64) {
        self.write(Issued {
            deletes: true,
            ..issued(write, second)
        });
    }

    fn put_for(&mut self, write: u64, second: u64, lives: u64) {
        self.write(Issued {
            lives: Some(Duration::from_secs(lives)),
            ..issued(write, second)
        });
    }

    /// A write ends with this stamp, and three nodes hold it of `wanted`.
    fn end(&mut self, issued: Issued, milliseconds: u64, wanted: u8) {
        let written = Written {
            stamp: stamp(milliseconds),
            holders: [1, 2, 3].map(Id::from_high).into(),
            wanted,
            majority: true,
        };
        let now = issued.at + SECOND / 10;
        self.0
            .written(now, issued.write, &written, (false, Some(1)));
    }

    /// A reading of a second finds what has the stamp of another.
    fn read(
        &mut self,
        second: u64,
        found: Option<(u64, Content)>,
        about: Circumstances,
    ) -> Verdict {
        let (read, now) = (1000 + second, second * SECOND);
        self.0.read_issued(now, read, 5, Id::from_high(KEY));
        let found = found.map(|(second, content)| ReadValue {
            stamp: stamp(1000 * second),
            content,
        });
        self.0.read_ended(now, read, found, about)
    }

    fn found(&mut self) -> Vec<(&'static str, Option<&'static str>)> {
        self.0.drain().map(|it| (it.check, it.excuse)).collect()
    }
}

#[test]
fn a_reading_finds_the_latest_or_what_came_meanwhile() {
    let mut story = Story::new();
    story.put(7, 7);
    story.0.write_issued(issued(6, 7));
    story.0.write_issued(issued(8, 7));
    for (at, found, verdict) in [
        (20, value(7, 7), Verdict::Right),
        (21, value(8, 8), Verdict::Right),
        (22, value(6, 6), Verdict::Stale),
        (23, None, Verdict::Missing),
        // That stamp is of another write.
        (24, value(7, 8), Verdict::Invented),
        (25, Some((7, Content::Deleted)), Verdict::Invented),
        // Nobody wrote that.
        (26, value(9, 9), Verdict::Invented),
        (27, Some((9, Content::Strange)), Verdict::Invented),
        // An older deletion is nothing to a reader, and a newer one is what he has to find.
        (28, Some((6, Content::Deleted)), Verdict::Missing),
        (29, Some((8, Content::Deleted)), Verdict::Right),
    ] {
        assert_eq!(story.read(at, found, QUIET), verdict, "{at}");
    }
    // What nobody wrote is never right; the rest may be late while the ring changes.
    assert_eq!(story.found(), [("register", None); 4]);
}

#[test]
fn a_deletion_that_nobody_was_told_is_done_may_have_taken_everything() {
    let mut story = Story::new();
    let deletes = |write, second| Issued {
        deletes: true,
        ..issued(write, second)
    };
    // Done in part, and then another one is written.
    story.put(1, 1);
    story.0.write_issued(deletes(2, 2));
    story.end(deletes(2, 2), 2000, 4);
    assert_eq!(
        story.read(61, None, SETTLED),
        Verdict::Missing,
        "it would be remembered"
    );
    assert_eq!(story.read(62, None, SETTLED), Verdict::Right);
    story.put(63, 63);
    assert_eq!(story.read(64, None, SETTLED), Verdict::Missing);
    // Nobody knows what became of it.
    story.0.write_issued(deletes(66, 66));
    assert_eq!(story.read(125, None, SETTLED), Verdict::Missing);
    assert_eq!(story.read(126, None, SETTLED), Verdict::Right);
    story.0.write_failed(127 * SECOND, 66);
    assert_eq!(story.read(128, None, SETTLED), Verdict::Right);
    story.put(130, 130);
    assert_eq!(story.read(300, None, SETTLED), Verdict::Missing);
}

#[test]
fn in_a_settled_ring_a_stale_reading_is_a_violation() {
    let mut story = Story::new();
    story.put(7, 7);
    story.0.write_issued(issued(6, 7));
    for (at, found) in [(20, value(6, 6)), (21, None)] {
        story.read(at, found, SETTLED);
        assert_eq!(story.found(), [("register", None)], "{at}");
    }
    // Where it is lost, that has been said.
    let lost = Circumstances {
        lost: true,
        ..SETTLED
    };
    assert_eq!(story.read(22, None, lost), Verdict::Missing);
    assert_eq!(story.found(), []);
}

#[test]
fn a_write_that_is_acknowledged_during_a_reading_need_not_be_found() {
    let mut story = Story::new();
    story.put(7, 7);
    story.0.read_issued(8 * SECOND, 20, 5, Id::from_high(KEY));
    story.put(9, 9);
    let found = ReadValue {
        stamp: stamp(7000),
        content: Content::Value(7),
    };
    let verdict = story.0.read_ended(10 * SECOND, 20, Some(found), SETTLED);
    assert_eq!(verdict, Verdict::Right);
    // That of another key is no value of this one.
    story.0.write_issued(Issued {
        key: Id::from_high(KEY + 1),
        ..issued(11, 11)
    });
    assert_eq!(story.read(12, value(11, 11), SETTLED), Verdict::Invented);
}

#[test]
fn what_was_deleted_is_never_read_again_unless_somebody_writes() {
    let mut story = Story::new();
    story.put(1, 1);
    story.delete(2, 2);
    assert_eq!(story.read(3, None, QUIET), Verdict::Right);
    assert_eq!(
        story.read(4, Some((2, Content::Deleted)), QUIET),
        Verdict::Right
    );
    assert_eq!(story.found(), []);
    // However long ago that was.
    let years = 100_000_000;
    for at in [5, years] {
        assert_eq!(story.read(at, value(1, 1), QUIET), Verdict::Resurrected);
        assert_eq!(story.found(), [(RESURRECTED, None)]);
    }
    let disturbed = Circumstances {
        excuse: Some("partition"),
        ..QUIET
    };
    assert_eq!(story.read(6, value(1, 1), disturbed), Verdict::Resurrected);
    assert_eq!(story.found(), [(RESURRECTED, Some("partition"))]);
    assert_eq!(story.0.count(RESURRECTED), 3);
    story.put(7, 7);
    assert_eq!(story.read(8, value(7, 7), QUIET), Verdict::Right);
    assert_eq!(story.read(9, value(1, 1), QUIET), Verdict::Stale);
    assert_eq!(story.found(), []);
}

#[test]
fn a_deletion_that_was_done_in_part_may_be_undone() {
    let mut story = Story::new();
    story.put(1, 1);
    let deletion = Issued {
        deletes: true,
        ..issued(2, 2)
    };
    story.0.write_issued(deletion);
    story.end(deletion, 2000, 4);
    assert_eq!(story.read(3, value(1, 1), SETTLED), Verdict::Right);
    assert_eq!(story.found(), []);
}

#[test]
fn a_value_is_read_as_long_as_it_lives_and_no_longer() {
    let mut story = Story::new();
    story.put_for(1, 10, 60);
    let expired = Some((10, Content::Expired(Some(1))));
    // The answer takes its time.
    for (at, found, verdict) in [
        (11, value(10, 1), Verdict::Right),
        (11, expired, Verdict::Early),
        (68, Some((10, Content::Expired(None))), Verdict::Early),
        (68, None, Verdict::Missing),
        (69, expired, Verdict::Early),
        (70, expired, Verdict::Right),
        (70, None, Verdict::Right),
        (71, value(10, 1), Verdict::Right),
        (72, value(10, 1), Verdict::Expired),
    ] {
        let case = format!("{at}: {found:?}");
        assert_eq!(story.read(at, found, QUIET), verdict, "{case}");
    }
    assert_eq!(
        story.found(),
        [(EARLY, None), (EARLY, None), (EARLY, None), (EXPIRED, None)]
    );
}

#[test]
fn a_value_lives_by_its_owners_clock_whatever_others_show() {
    let by = |owner| Circumstances {
        owner: Some(owner),
        ..QUIET
    };
    let mut story = Story::new();
    story.0.set_clocks(0, &[2], 30_000);
    story.0.set_clocks(0, &[3], -30_000);
    // Machine 1 owned the key, whose clock is right.
    story.put_for(1, 10, 60);
    let expired = Some((10, Content::Expired(Some(1))));
    for (at, owner, found, verdict) in [
        (69, 1, expired, Verdict::Early),
        (70, 1, expired, Verdict::Right),
        (71, 1, value(10, 1), Verdict::Expired),
        // Of another owner it may end sooner or later, by what their clocks differ.
        (39, 2, expired, Verdict::Early),
        (40, 2, expired, Verdict::Right),
        (41, 2, value(10, 1), Verdict::Expired),
        (99, 3, expired, Verdict::Early),
        (100, 3, value(10, 1), Verdict::Right),
        (101, 3, value(10, 1), Verdict::Expired),
    ] {
        let case = format!("{at} by {owner}: {found:?}");
        assert_eq!(story.read(at, found, by(owner)), verdict, "{case}");
    }
    // Nobody knows what it lives by whose clock was set meanwhile.
    story.0.set_clocks(200 * SECOND, &[1], 1);
    assert_eq!(story.read(201, expired, by(1)), Verdict::Right);
}

#[test]
fn what_has_no_end_has_not_expired() {
    let mut story = Story::new();
    story.put(1, 10);
    let expired = Some((10, Content::Expired(Some(1))));
    assert_eq!(story.read(11, expired, QUIET), Verdict::Early);
}

#[test]
fn lives_are_judged_as_far_as_clocks_agree() {
    // Some clock is half a minute ahead from the beginning on: stamps follow it.
    let mut story = Story::new();
    story.0.set_clocks(0, &[3], 30_000);
    let put = Issued {
        lives: Some(Duration::from_secs(60)),
        ..issued(1, 10)
    };
    story.0.write_issued(put);
    story.end(put, 40_000, 3);
    let expired = Some((40, Content::Expired(Some(1))));
    assert_eq!(story.read(39, expired, QUIET), Verdict::Early);
    assert_eq!(story.read(60, expired, QUIET), Verdict::Right);
    // It lives on by the clocks that are right.
    assert_eq!(story.read(90, value(40, 1), QUIET), Verdict::Right);
    assert_eq!(story.read(110, value(40, 1), QUIET), Verdict::Expired);

    // A clock that jumps ahead while it lives may end it.
    let mut story = Story::new();
    story.put_for(1, 10, 60);
    story.0.set_clocks(20 * SECOND, &[3], 30_000);
    let expired = Some((10, Content::Expired(Some(1))));
    assert_eq!(story.read(38, expired, QUIET), Verdict::Early);
    assert_eq!(story.read(41, expired, QUIET), Verdict::Right);
    // One that is behind may read it longer.
    story.0.set_clocks(42 * SECOND, &[4], -30_000);
    assert_eq!(story.read(75, value(10, 1), QUIET), Verdict::Right);
}

#[test]
fn a_write_whose_end_nobody_heard_of_may_begin_to_live_at_any_time() {
    let mut story = Story::new();
    story.0.write_issued(Issued {
        lives: Some(Duration::from_secs(5)),
        ..issued(1, 1)
    });
    assert_eq!(story.read(60, value(50, 1), QUIET), Verdict::Right);
}

#[test]
fn a_condition_is_granted_once() {
    let mut story = Story::new();
    story.put(1, 1);
    for write in [2, 3] {
        story.write(Issued {
            condition: Condition::Stamp(stamp(1000)),
            ..issued(write, write)
        });
    }
    assert_eq!(story.found(), [(GRANTED_TWICE, None)]);
    assert_eq!(story.0.count(GRANTED_TWICE), 1);
}

#[test]
fn a_stamp_comes_after_what_its_client_had_seen() {
    let mut story = Story::new();
    let write = Issued {
        past: stamp(9000),
        ..issued(1, 1)
    };
    story.0.write_issued(write);
    story.end(write, 9000, 3);
    assert_eq!(story.found(), [(BELOW_PAST, None)]);
}

#[test]
fn what_was_far_ahead_when_it_was_asked_for_may_have_been_followed() {
    let hour = limits::SKEW_MAX;
    for (ahead, found) in [(hour + 50, vec![]), (hour, vec![(BELOW_PAST, None)])] {
        let mut story = Story::new();
        let first = issued(1, 1);
        story.0.write_issued(first);
        // When it ends, time has come near either.
        story.end(first, 1000 + ahead, 3);
        story.put(2, 2);
        assert_eq!(story.found(), found, "{ahead}");
    }
}

/// What was judged of a history: not linearizable, and unknown.
fn judged(story: &Story) -> (u64, u64) {
    let judged = story.0.judge().expect("it was recorded");
    assert_eq!(judged.checked, 1);
    (judged.not_linearizable, judged.unknown)
}

#[test]
fn what_one_reading_found_of_a_write_in_part_no_later_one_takes_back() {
    let mut story = Story::new();
    story.put(1, 1);
    let part = issued(2, 2);
    story.0.write_issued(part);
    story.end(part, 2000, 4);
    story.read(3, value(1, 1), QUIET);
    story.read(4, value(2, 2), QUIET);
    assert_eq!(judged(&story), (0, 0));
    story.read(5, value(1, 1), QUIET);
    // No check fires: it is told by number.
    assert_eq!((story.found(), judged(&story)), (vec![], (1, 0)));
    let shown = story.0.judge().and_then(|judged| judged.counterexample);
    let shown = shown.expect("one is not linearizable");
    let numbers: Vec<Option<u64>> = shown.operations.iter().map(|it| it.number).collect();
    assert_eq!(numbers, [1, 2, 1004, 1005].map(Some));
}

#[test]
fn a_value_that_ends_in_time_is_what_a_register_with_ends_has() {
    for (at, wrong) in [(69, 1), (71, 0)] {
        let mut story = Story::new();
        story.put_for(1, 10, 60);
        story.read(at, None, QUIET);
        assert_eq!(judged(&story), (wrong, 0), "{at}");
    }
    // By a clock that is off it may end at once.
    let mut story = Story::new();
    story.put_for(1, 10, 60);
    story.0.set_clocks(11 * SECOND, &[3], 100_000);
    story.read(12, None, QUIET);
    assert_eq!(judged(&story), (0, 0));
}

#[test]
fn two_conditions_granted_are_no_register() {
    let mut story = Story::new();
    for write in [1, 2] {
        story.write(Issued {
            condition: Condition::Absent,
            ..issued(write, write)
        });
    }
    assert_eq!(judged(&story), (1, 0));
}
