//! What an owner knows of its holders' copies holds no longer than it can: not past what was merged
//! meanwhile, nor past its own absence.

use super::promises::{key, owner};
use super::world::*;
use crate::chord::{RecordReply, RecordRequest, Timer};
use crate::record::{DigestAnswer, Entry, Field, Record, Stamp};
use crate::ring::{Id, KeyRange};

/// Both holders compare and have the same.
fn compares(bench: &mut Bench) {
    bench.timer(Timer::Repair);
    for holder in [60, 70] {
        let asked = bench.asked_about_records();
        let compare = |(_, _, body): &&(u8, u32, RecordRequest)| {
            matches!(body, RecordRequest::Compare { .. })
        };
        let (_, number, _) = asked.iter().find(compare).expect("it compares");
        let (answer, epoch) = (DigestAnswer::Same, 0);
        bench.told(holder, *number, RecordReply::Compared { answer, epoch });
    }
    bench.sent();
}

fn entries(bench: &mut Bench) -> Vec<Entry> {
    use crate::record::DigestSource as _;
    let arc = KeyRange::new(key(40), key(50));
    bench.net.store.entries(arc).collect()
}

/// How many of its keys the owner lets somebody drop who has the same.
fn safe(bench: &mut Bench) -> usize {
    let (entries, leaving) = (entries(bench), false);
    match bench.records(90, RecordRequest::Confirm { entries, leaving }) {
        Some(RecordReply::Confirmed { safe, .. }) => safe.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_merged_while_a_write_was_under_way_is_not_taken_for_held() {
    let mut bench = owner();
    let asked = bench.write(0, "before");
    for (to, number, _) in &asked {
        bench.told(*to, *number, RecordReply::Stored);
    }
    bench.sent();
    compares(&mut bench);
    let asked = bench.write(1, "a");
    // Another field comes in, from somebody who gives back what it should not have.
    let stamp = Stamp {
        milliseconds: bench.net.clock + 2,
        counter: 0,
        node: Id::ZERO,
    };
    let other = Record::of("other", Field::new(stamp, None, "b", None));
    let merged = bench.records(80, RecordRequest::Merge(vec![(key(45), other)]));
    assert_eq!(merged, Some(RecordReply::Merged));
    for (to, number, body) in &asked {
        if matches!(body, RecordRequest::Store { .. }) {
            bench.told(*to, *number, RecordReply::Stored);
        }
    }
    bench.sent();
    assert_eq!(safe(&mut bench), 0, "the holders lack it");
}

#[test]
fn whoever_was_suspended_does_not_trust_what_it_knew_before() {
    let mut bench = owner();
    let asked = bench.write(1, "a");
    for (to, number, _) in &asked {
        bench.told(*to, *number, RecordReply::Stored);
    }
    bench.sent();
    compares(&mut bench);
    assert_eq!(safe(&mut bench), 1);
    // It wakes up, and this is the first that it hears: its timers are not due yet.
    let periods = bench.node.config().repair_every() * 10;
    bench.net.clock += periods.as_millis() as u64;
    assert_eq!(safe(&mut bench), 0);
}
