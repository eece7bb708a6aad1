//! Each checker fires, and does not where nothing is wrong: histories made up by hand.

mod deletions;
mod leavers;

use cuerda_core::protocol::Condition;
use cuerda_core::record::{Field, Record};

use super::*;
use crate::check::judged::successors;

const KEY: u64 = 100;

fn id(place: u64) -> Id {
    Id::from_high(place)
}

fn stamp(milliseconds: u64) -> Stamp {
    Stamp {
        milliseconds,
        counter: 0,
        node: id(1),
    }
}

fn record(time: u64) -> Record {
    Record::of("", Field::new(stamp(time), None, vec![b'0'], None))
}

/// Machines have ids of their numbers, times a thousand.
fn node(machine: u32) -> Id {
    id(u64::from(machine) * 1000)
}

fn issued(write: u64, key: u64) -> Issued {
    Issued {
        write,
        key: id(key),
        asker: 9,
        deletes: false,
        lives: None,
        condition: Condition::None,
        past: Stamp::ZERO,
        at: 0,
    }
}

const PROMISED: Promised = Promised {
    acks: 3,
    tombstones_for: Duration::from_secs(60),
};

const SECOND: Nanos = 1_000_000_000;

struct Story(RecordChecker);

impl Story {
    fn new() -> Story {
        let clocks = Clocks::new(0, Duration::ZERO);
        Story(RecordChecker::new(PROMISED, clocks))
    }

    fn batch(&mut self, now: Nanos, machine: u32, key: u64, record: Option<Record>) {
        let batch = Batch {
            number: 1,
            records: vec![(id(key), record)],
            notes: None,
            set_aside: false,
        };
        self.0.committed(now, machine, node(machine), &batch);
    }

    fn issue(&mut self, write: u64, key: u64) {
        self.0.write_issued(issued(write, key));
    }

    /// A write of [`KEY`] that these machines have, and say so. Its stamp is its number.
    fn write(&mut self, now: Nanos, write: u64, holders: &[u32]) {
        self.issue(write, KEY);
        for &machine in holders {
            self.batch(now, machine, KEY, Some(record(write)));
        }
        self.acknowledge(now, write, write, holders, 3);
    }

    fn acknowledge(&mut self, now: Nanos, write: u64, time: u64, holders: &[u32], wanted: u8) {
        let holders = holders.iter().map(|&machine| node(machine)).collect();
        let written = Written {
            stamp: stamp(time),
            holders,
            wanted,
            majority: true,
        };
        self.0.written(now, write, &written);
    }

    /// A machine is killed before it tells that it has this write of [`KEY`].
    fn kill(&mut self, killed: Nanos, machine: u32, write: u64) {
        self.0.unheard(&Unheard {
            number: machine,
            id: node(machine),
            key: id(KEY),
            stamp: stamp(write),
            killed,
        });
    }

    /// A write of [`KEY`] that the client is told these have, and the last one is killed before it
    /// tells that.
    fn write_unheard(&mut self, now: Nanos, write: u64, holders: [u32; 3]) {
        self.issue(write, KEY);
        for machine in &holders[..2] {
            self.batch(now, *machine, KEY, Some(record(write)));
        }
        self.kill(now, holders[2], write);
        self.acknowledge(now, write, write, &holders, 3);
    }

    fn lose(&mut self, now: Nanos, machines: &[u32]) {
        self.0.gone(now, machines, "lost its disk", Loss::Stroke);
    }

    fn found(&mut self) -> Vec<(&'static str, Option<&'static str>)> {
        self.0.drain().map(|it| (it.check, it.excuse)).collect()
    }
}

#[test]
fn fewer_deaths_than_copies_lose_nothing() {
    let mut story = Story::new();
    story.write(1, 7, &[1, 2, 3]);
    story.lose(2, &[1, 2]);
    story.0.end(3, |machine| machine == 3);
    assert_eq!((story.found(), story.0.lost().len()), (vec![], 0));
    assert_eq!(story.0.lost_bytes(), 2 * (record(7).size() as u64 + 20));
}

#[test]
fn a_loss_one_by_one_is_a_violation_and_tells_the_story() {
    let mut story = Story::new();
    story.write(1_000_000_000, 7, &[1, 2, 3]);
    story.lose(2_000_000_000, &[1, 2]);
    story.batch(3_000_000_000, 3, KEY, None);
    let found: Vec<Finding> = story.0.drain().collect();
    let key = id(KEY);
    let expected = format!(
        "write 7 of {key:.8}, acknowledged at 1.000 s and held by n1, n2, n3, is nowhere: n1 lost \
         its disk at 2.000 s; n2 lost its disk at 2.000 s; n3 dropped its copy at 3.000 s"
    );
    assert_eq!(found[0].detail, expected);
    assert_eq!((found.len(), found[0].excuse), (1, None));
    assert_eq!(story.0.lost(), [key]);
}

#[test]
fn a_loss_of_all_holders_at_once_is_excused_and_counted() {
    let mut story = Story::new();
    story.write(1, 7, &[1, 2, 3]);
    story.lose(2, &[1, 2, 3, 4]);
    assert_eq!(story.found(), [("lost", Some(AT_ONCE))]);
    assert_eq!(story.0.lost(), [id(KEY)]);
    // Only once.
    story.0.end(3, |_| false);
    assert_eq!(story.found(), []);
}

#[test]
fn two_that_are_taken_together_after_one_had_gone_excuse_nothing() {
    let mut story = Story::new();
    story.write(1, 7, &[1, 2, 3]);
    story.lose(2, &[1]);
    story.lose(3, &[2, 3]);
    assert_eq!(story.found(), [("lost", None)]);
}

#[test]
fn a_departure_without_handing_over_is_a_loss() {
    let mut story = Story::new();
    story.write(1, 7, &[1, 2, 3]);
    story.lose(2, &[1, 2]);
    story.0.gone(3, &[3], "left", Loss::Departure);
    assert_eq!(story.found(), [("lost", None)]);
}

#[test]
fn what_is_damaged_is_no_copy() {
    let mut story = Story::new();
    story.write(1, 7, &[1, 2, 3]);
    story.lose(2, &[1, 2]);
    story.0.spoilt(3, 3, id(KEY));
    assert_eq!(story.found(), [("lost", None)]);
}

#[test]
fn an_older_copy_does_not_do_and_a_newer_does() {
    let mut story = Story::new();
    story.batch(0, 4, KEY, Some(record(6)));
    story.write(1, 7, &[1, 2, 3]);
    story.batch(1, 5, KEY, Some(record(8)));
    story.lose(2, &[1, 2]);
    story.lose(3, &[3]);
    assert_eq!(story.found(), []);
    story.lose(4, &[5]);
    assert_eq!(story.found(), [("lost", None)]);
}

#[test]
fn what_was_done_in_part_or_is_over_is_not_demanded() {
    let mut story = Story::new();
    story.issue(7, KEY);
    story.batch(1, 1, KEY, Some(record(7)));
    story.acknowledge(1, 7, 7, &[1], 3);
    story.lose(2, &[1]);
    assert_eq!(story.found(), []);
}

/// A write with the stamp of its second, held by three machines that drop it so many seconds after.
fn found_of_dropped(
    write: Issued,
    after: u64,
    skew: Option<i64>,
) -> Vec<(&'static str, Option<&'static str>)> {
    let mut story = Story::new();
    story.0.write_issued(write);
    let now = write.at + SECOND;
    for machine in [1, 2, 3] {
        story.batch(now, machine, KEY, Some(record(now / 1_000_000)));
    }
    story.acknowledge(now, write.write, now / 1_000_000, &[1, 2, 3], 3);
    if let Some(by) = skew {
        story.0.set_clocks(now, &[7], by);
    }
    for machine in [1, 2, 3] {
        story.batch(write.at + after * SECOND, machine, KEY, None);
    }
    story.found()
}

#[test]
fn what_is_over_is_not_demanded_and_what_is_not_is_to_its_end() {
    let lives = Issued {
        lives: Some(Duration::from_secs(60)),
        at: 10 * SECOND,
        ..issued(8, KEY)
    };
    let deletes = Issued {
        deletes: true,
        lives: None,
        ..lives
    };
    for write in [lives, deletes] {
        // The mark of a clock on disk may run a second ahead, which deletions go by.
        assert_eq!(found_of_dropped(write, 58, None), [("lost", None)]);
        assert_eq!(found_of_dropped(write, 61, None), []);
        // Some clock says that it is over.
        assert_eq!(found_of_dropped(write, 58, Some(10_000)), []);
        assert_eq!(found_of_dropped(write, 48, Some(10_000)), [("lost", None)]);
    }
    // One that is behind keeps nobody from forgetting a deletion; a value may end by the others'.
    assert_eq!(
        found_of_dropped(deletes, 58, Some(-10_000)),
        [("lost", None)]
    );
    assert_eq!(found_of_dropped(lives, 58, Some(-10_000)), []);
}

#[test]
fn those_that_are_down_at_the_end_hold_nothing() {
    let mut story = Story::new();
    story.write(1, 7, &[1, 2, 3]);
    story.0.end(2, |_| false);
    assert_eq!(story.found(), [("lost", None)]);
}

#[test]
fn a_promise_must_be_true() {
    let mut story = Story::new();
    story.issue(7, KEY);
    story.batch(1, 1, KEY, Some(record(7)));
    story.batch(1, 2, KEY, Some(record(6)));
    // The second has an older one, and the third nothing.
    story.acknowledge(2, 7, 7, &[1, 2, 3], 3);
    let short = (SHORT_ACKS, None);
    assert_eq!(
        story.found(),
        [short, ("promises", None), ("promises", None)]
    );
    // It may have been lost since.
    story.issue(8, KEY);
    for machine in [1, 2, 3] {
        story.batch(3, machine, KEY, Some(record(8)));
    }
    story.lose(4, &[1]);
    story.acknowledge(5, 8, 8, &[1, 2, 3], 3);
    assert_eq!(story.found(), []);
    // One machine is one copy.
    story.issue(9, KEY);
    for machine in [2, 3] {
        story.batch(6, machine, KEY, Some(record(9)));
    }
    story.acknowledge(7, 9, 9, &[2, 3, 3], 3);
    assert_eq!(story.found(), [short, ("promises", None)]);
}

#[test]
fn an_acknowledgement_stands_for_as_many_copies_as_the_settings_ask_for() {
    let mut story = Story::new();
    story.issue(7, KEY);
    for machine in [1, 2] {
        story.batch(1, machine, KEY, Some(record(7)));
    }
    // Done in part, as it says itself.
    story.acknowledge(2, 7, 7, &[1, 2], 3);
    assert_eq!((story.found(), story.0.short_acks()), (vec![], 0));
    // The node wanted one less than it should.
    story.issue(8, KEY);
    for machine in [1, 2] {
        story.batch(3, machine, KEY, Some(record(8)));
    }
    story.acknowledge(4, 8, 8, &[1, 2], 2);
    assert_eq!(
        (story.found(), story.0.short_acks()),
        (vec![(SHORT_ACKS, None)], 1)
    );
}

#[test]
fn holders_that_are_struck_before_the_acknowledgement_arrives() {
    let mut story = Story::new();
    story.issue(7, KEY);
    for machine in [1, 2, 3] {
        story.batch(1, machine, KEY, Some(record(7)));
    }
    story.lose(2, &[1, 2, 3]);
    story.acknowledge(3, 7, 7, &[1, 2, 3], 3);
    assert_eq!(story.found(), [("lost", Some(AT_ONCE))]);
}

#[test]
fn copies_are_where_they_should_be_and_equal() {
    let mut story = Story::new();
    story.write(1, 7, &[1, 2, 3]);
    let circle: Vec<(Id, u32)> = [1, 2, 3, 4].map(|machine| (node(machine), machine)).into();
    let missing = |story: &Story| -> Vec<(u32, bool)> {
        let missing = story.0.missing_copies(2, |key| successors(&circle, key, 3));
        missing.iter().map(|it| (it.machine, it.differs)).collect()
    };
    assert_eq!(missing(&story), []);
    story.batch(2, 2, KEY, Some(record(8)));
    assert_eq!(missing(&story), [(1, true), (3, true)]);
    story.batch(2, 1, KEY, Some(record(8)));
    story.batch(2, 3, KEY, None);
    assert_eq!(missing(&story), [(3, false)]);
    // Elsewhere it does not count.
    story.batch(2, 4, KEY, Some(record(8)));
    assert_eq!(missing(&story), [(3, false)]);
}

#[test]
fn what_must_be_readable_is_named_and_complained_about() {
    let mut story = Story::new();
    story.write(1, 7, &[1, 2, 3]);
    assert_eq!(story.0.readable(2), [id(KEY)]);
    story.0.unreadable(id(KEY), "found nothing");
    assert_eq!(story.found(), [("unreadable", None)]);
}

#[test]
fn a_conflict_counts_once() {
    let mut story = Story::new();
    let conflict = Conflict {
        name: String::new(),
        kept: stamp(2),
        lost: stamp(1),
    };
    for _ in 0..3 {
        story.0.conflict(id(KEY), &conflict);
    }
    assert_eq!(story.0.conflicts(), 1);
}

#[test]
fn who_was_killed_before_it_told_is_believed_excused_and_counted() {
    let mut story = Story::new();
    story.write_unheard(1, 7, [1, 2, 3]);
    assert_eq!(story.found(), [("promises", Some(KILLED))]);
    // Its disk has it: the others may lose theirs.
    story.lose(2, &[1, 2]);
    assert_eq!(story.found(), []);
    story.lose(3, &[3]);
    assert_eq!(story.found(), [("lost", None)]);
}

#[test]
fn who_lives_and_has_not_told_is_not_excused() {
    let mut story = Story::new();
    story.issue(7, KEY);
    story.batch(1, 1, KEY, Some(record(7)));
    story.batch(1, 2, KEY, Some(record(6)));
    story.kill(1, 3, 7);
    story.acknowledge(1, 7, 7, &[1, 2, 3], 3);
    assert_eq!(
        story.found(),
        [
            (SHORT_ACKS, None),
            ("promises", None),
            ("promises", Some(KILLED))
        ]
    );
}

#[test]
fn who_was_killed_is_excused_for_that_write_alone() {
    let mut story = Story::new();
    story.write_unheard(1, 7, [1, 2, 3]);
    story.found();
    story.issue(8, KEY);
    for machine in [1, 2] {
        story.batch(2, machine, KEY, Some(record(8)));
    }
    story.acknowledge(2, 8, 8, &[1, 2, 3], 3);
    assert_eq!(story.found(), [(SHORT_ACKS, None), ("promises", None)]);
    story.lose(3, &[1, 2]);
    assert_eq!(story.found(), [("lost", None)]);
}

#[test]
fn who_was_killed_and_lost_its_disk_has_nothing() {
    for (gone, killed, still_there) in [(1, 1, false), (2, 1, false), (1, 2, true)] {
        let mut story = Story::new();
        story.issue(7, KEY);
        for machine in [1, 2] {
            story.batch(1, machine, KEY, Some(record(7)));
        }
        story.lose(gone, &[3]);
        story.kill(killed, 3, 7);
        story.acknowledge(2, 7, 7, &[1, 2, 3], 3);
        assert_eq!(story.found(), [("promises", Some(KILLED))]);
        story.lose(3, &[1, 2]);
        let lost: &[_] = if still_there { &[] } else { &[("lost", None)] };
        assert_eq!(story.found(), lost, "gone at {gone}, killed at {killed}");
    }
}

#[test]
fn what_is_heard_of_a_copy_replaces_what_was_believed() {
    for (record_then, is_lost) in [
        (None, true),
        (Some(record(6)), true),
        (Some(record(7)), false),
    ] {
        let mut story = Story::new();
        story.write_unheard(1, 7, [1, 2, 3]);
        story.found();
        story.batch(2, 3, KEY, record_then);
        story.lose(3, &[1, 2]);
        let lost: &[_] = if is_lost { &[("lost", None)] } else { &[] };
        assert_eq!(story.found(), lost);
    }
}

#[test]
fn a_copy_that_is_believed_is_where_it_should_be_unless_there_is_a_newer_one() {
    let mut story = Story::new();
    story.write_unheard(1, 7, [1, 2, 3]);
    let circle: Vec<(Id, u32)> = [1, 2, 3].map(|machine| (node(machine), machine)).into();
    let missing = |story: &Story| -> Vec<(u32, bool)> {
        let missing = story.0.missing_copies(2, |key| successors(&circle, key, 3));
        missing.iter().map(|it| (it.machine, it.differs)).collect()
    };
    assert_eq!(missing(&story), []);
    for machine in [1, 2] {
        story.batch(2, machine, KEY, Some(record(8)));
    }
    assert_eq!(missing(&story), [(3, false)]);
    // And the others lack what is believed to be newer.
    story.kill(2, 3, 9);
    assert_eq!(missing(&story), [(1, true), (2, true)]);
}

#[test]
fn two_nodes_of_one_process_are_one_holder() {
    let mut story = Story(Story::new().0.in_processes_of(4));
    // n3 and n4 are of different processes, n4 and n5 of one.
    story.write(1, 1, &[3, 4, 9]);
    assert_eq!(story.0.drain().count(), 0);
    story.write(2, 2, &[3, 4, 5]);
    let found: Vec<Finding> = story.0.drain().collect();
    assert_eq!((found.len(), found[0].check), (1, "promises"));
    assert!(
        found[0].detail.contains("n5 is of one process with n4"),
        "{found:?}"
    );
}

#[test]
fn a_stroke_takes_processes() {
    let mut story = Story(Story::new().0.in_processes_of(4));
    story.write(1, 1, &[3, 4, 9]);
    // All holders at once; and the nodes of one process count once.
    story.lose(2, &[3, 4, 5, 6, 9]);
    let found: Vec<Finding> = story.0.drain().collect();
    assert_eq!((found[0].check, found[0].excuse), (LOST, Some(AT_ONCE)));
}

/// A write of [`KEY`] that n1, n2 and n3 are to have, while n4 runs with the key of n2. Which of the
/// machines have it.
fn found_with_a_twin(holders: &[u32]) -> Vec<(&'static str, Option<&'static str>)> {
    let mut story = Story::new();
    let copy = Batch {
        number: 0,
        records: vec![(id(7), Some(record(1)))],
        notes: None,
        set_aside: true,
    };
    story.0.replaced(1, &[(4, node(2), copy)]);
    story.issue(7, KEY);
    for &machine in holders {
        let batch = Batch {
            number: 1,
            records: vec![(id(KEY), Some(record(7)))],
            notes: None,
            set_aside: false,
        };
        let of = if machine == 4 { 2 } else { machine };
        story.0.committed(2, machine, node(of), &batch);
    }
    story.acknowledge(3, 7, 7, &[1, 2, 3], 3);
    story.found()
}

#[test]
fn two_processes_with_one_key_are_one_holder() {
    // Whichever of the two has it, and both are no more than one.
    assert_eq!(found_with_a_twin(&[1, 2, 3]), []);
    assert_eq!(found_with_a_twin(&[1, 4, 3]), []);
    let short = [(SHORT_ACKS, None), ("promises", None)];
    assert_eq!(found_with_a_twin(&[1, 2, 4]), short);
    assert_eq!(found_with_a_twin(&[1, 3]), short);
}

#[test]
fn a_twin_that_had_nothing_was_not_struck_when_it_got_a_copy() {
    // Else it would count among those that were lost at one stroke later.
    let mut story = Story::new();
    let copy = |machine: u32, set_aside| {
        let batch = Batch {
            number: 0,
            records: vec![],
            notes: None,
            set_aside,
        };
        (machine, node(machine - 3), batch)
    };
    story
        .0
        .replaced(1, &[copy(4, true), copy(5, true), copy(6, true)]);
    story.issue(7, KEY);
    // It was acknowledged, and nobody has it.
    story.acknowledge(3, 7, 7, &[1, 2, 3], 3);
    let lost = story.found();
    assert!(lost.contains(&("lost", None)), "{lost:?}");
}
