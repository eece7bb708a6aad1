//! The laws of [`Store`], one by one.

use super::*;
use crate::record::DigestSource;
use crate::ring::KeyRange;

fn whole() -> KeyRange {
    KeyRange::new(Id::ZERO, Id::ZERO)
}

pub fn what_was_not_committed_is_lost_in_a_crash_and_nothing_else<L: Lab>() {
    let mut lab = L::new();
    lab.store().put(key(1), record("1"));
    let first = lab.store().seal().expect("staged");
    lab.store().put(key(2), record("2"));
    lab.store().put(key(1), record("3"));
    let _second = lab.store().seal().expect("staged");
    assert_eq!(lab.store().get(key(1)), Ok(Some(record("3"))));
    lab.write(&first);
    lab.crash();
    assert_eq!(lab.store().get(key(1)), Ok(Some(record("1"))));
    assert_eq!(lab.store().get(key(2)), Ok(None));
    assert_eq!(lab.store().len(), 1);
}

pub fn what_is_staged_is_read_at_once<L: Lab>() {
    let mut lab = L::new();
    lab.store().put(key(1), record("1"));
    assert_eq!(lab.store().get(key(1)), Ok(Some(record("1"))));
    commit(&mut lab);
    assert_eq!(lab.store().get(key(1)), Ok(Some(record("1"))));
    lab.store().remove(key(1));
    assert_eq!(lab.store().get(key(1)), Ok(None));
    assert!(lab.store().is_empty());
    commit(&mut lab);
    lab.crash();
    assert_eq!(lab.store().get(key(1)), Ok(None));
}

pub fn batches_are_counted_and_hold_what_changed<L: Lab>() {
    let mut lab = L::new();
    assert_eq!(lab.store().seal(), None);
    lab.store().put(key(1), record("1"));
    lab.store().put(key(1), record("2"));
    let first = lab.store().seal().expect("staged");
    assert_eq!(first.records, [(key(1), Some(record("2")))]);
    assert_eq!(lab.store().seal(), None);
    lab.store().remove(key(1));
    let second = lab.store().seal().expect("staged");
    assert_eq!(second.records, [(key(1), None)]);
    assert_eq!(second.number, first.number + 1);
    assert_eq!((second.notes, second.set_aside), (None, false));
}

pub fn a_batch_is_told_to_be_committed_later_than_the_next_is_sealed<L: Lab>() {
    let mut lab = L::new();
    let batches: Vec<Batch> = ["1", "2", "3"]
        .map(|value| {
            lab.store().put(key(1), record(value));
            lab.store().put(key(value.as_bytes()[0]), record(value));
            lab.store().seal().expect("staged")
        })
        .into();
    lab.write(&batches[0]);
    lab.store().committed(batches[0].number);
    assert_eq!(lab.store().get(key(1)), Ok(Some(record("3"))));
    assert_eq!(lab.store().get(key(b'1')), Ok(Some(record("1"))));
    lab.write(&batches[1]);
    lab.write(&batches[2]);
    lab.store().committed(batches[2].number);
    for (at, value) in [(1, "3"), (b'1', "1"), (b'2', "2"), (b'3', "3")] {
        assert_eq!(lab.store().get(key(at)), Ok(Some(record(value))));
    }
}

pub fn a_damaged_record_is_told_once_and_gone_from_the_index<L: Lab>() {
    let mut lab = L::new();
    lab.store().put(key(1), record("1"));
    lab.store().put(key(2), record("2"));
    commit(&mut lab);
    lab.damage(key(1));
    assert_eq!(lab.store().digest(whole()).records(), 2);
    assert_eq!(lab.store().get(key(1)), Err(Damaged(key(1))));
    assert_eq!(lab.store().get(key(1)), Ok(None));
    assert!(lab.store().is_damaged(key(1)));
    assert_eq!(lab.store().digest(whole()).records(), 1);
    assert_eq!(lab.store().get(key(2)), Ok(Some(record("2"))));
    // Nor does it come back.
    commit(&mut lab);
    lab.crash();
    assert_eq!(lab.store().get(key(1)), Ok(None));
}

pub fn a_start_does_not_see_damage_that_nobody_has_read<L: Lab>() {
    let mut lab = L::new();
    lab.store().put(key(1), record("1"));
    commit(&mut lab);
    let before = lab.store().digest(whole());
    lab.damage(key(1));
    lab.crash();
    assert_eq!(lab.store().digest(whole()), before);
    assert!(!lab.store().is_damaged(key(1)));
    assert_eq!(lab.store().get(key(1)), Err(Damaged(key(1))));
}

pub fn a_damaged_record_can_be_written_again<L: Lab>() {
    let mut lab = L::new();
    lab.store().put(key(1), record("1"));
    commit(&mut lab);
    lab.damage(key(1));
    lab.crash();
    assert_eq!(lab.store().get(key(1)), Err(Damaged(key(1))));
    lab.store().put(key(1), record("1"));
    assert!(
        lab.store().is_damaged(key(1)),
        "a part may be all that was put"
    );
    lab.store().mended(key(1));
    assert!(!lab.store().is_damaged(key(1)));
    commit(&mut lab);
    lab.crash();
    assert_eq!(lab.store().get(key(1)), Ok(Some(record("1"))));
}

pub fn a_fresh_copy_hides_the_damage<L: Lab>() {
    let mut lab = L::new();
    lab.store().put(key(1), record("1"));
    commit(&mut lab);
    lab.damage(key(1));
    lab.store().put(key(1), record("2"));
    assert_eq!(lab.store().get(key(1)), Ok(Some(record("2"))));
    commit(&mut lab);
    assert_eq!(lab.store().get(key(1)), Ok(Some(record("2"))));
}

pub fn records_set_aside_are_gone_and_kept<L: Lab>() {
    let mut lab = L::new();
    lab.store().put(key(1), record("1"));
    lab.store().put(key(2), record("2"));
    commit(&mut lab);
    lab.store().set_aside();
    assert!(lab.store().is_empty());
    assert_eq!(lab.store().get(key(1)), Ok(None));
    lab.store().put(key(1), record("3"));
    let batch = lab.store().seal().expect("staged");
    assert_eq!(lab.store().get(key(1)), Ok(Some(record("3"))));
    assert_eq!(lab.store().get(key(2)), Ok(None));
    // A crash before it is on the disk brings them back.
    lab.crash();
    assert_eq!(lab.store().get(key(2)), Ok(Some(record("2"))));
    assert!(lab.aside().is_empty());
    lab.store().set_aside();
    lab.store().put(key(1), record("3"));
    let again = lab.store().seal().expect("staged");
    assert_eq!(again.set_aside, batch.set_aside);
    lab.write(&again);
    lab.store().committed(again.number);
    lab.crash();
    assert_eq!(lab.store().get(key(1)), Ok(Some(record("3"))));
    assert_eq!(lab.store().get(key(2)), Ok(None));
    let mut kept = vec![(key(1), record("1")), (key(2), record("2"))];
    kept.sort_by_key(|(key, _)| *key);
    assert_eq!(lab.aside(), kept);
}

pub fn notes_are_found_again<L: Lab>() {
    let notes = |mark, alive| Notes {
        mark,
        alive,
        forgotten: alive / 2,
        held: (mark == 5).then(|| Id::of_key(b"start")),
        scrubbed: (mark == 5).then(|| Id::of_key(b"read")),
    };
    let mut lab = L::new();
    assert_eq!(lab.store().notes(), Notes::default());
    lab.store().note(Notes::default());
    assert_eq!(lab.store().seal(), None, "nothing has changed");
    lab.store().note(notes(5, u64::MAX));
    assert_eq!(lab.store().notes(), notes(5, u64::MAX));
    commit(&mut lab);
    lab.store().note(notes(6, 7));
    let _lost = lab.store().seal();
    assert_eq!(lab.store().notes(), notes(6, 7));
    lab.crash();
    assert_eq!(lab.store().notes(), notes(5, u64::MAX));
}

pub fn every_field_comes_back_as_it_was<L: Lab>() {
    let stamp = |milliseconds| Stamp {
        milliseconds,
        counter: u32::MAX,
        node: Id::of_key(b"writer"),
    };
    let mut expired = Field::new(stamp(4), Some(stamp(3)), "old", Some(9));
    assert!(expired.expire(9));
    let fields = [
        ("", Field::new(stamp(u64::MAX - 1), None, "", None)),
        (
            "a\0'\"é",
            Field::new(
                stamp(1),
                Some(Stamp::ZERO),
                vec![0, 255, 39],
                Some(u64::MAX),
            ),
        ),
        ("deleted", Field::tombstone(stamp(2), Some(stamp(1)))),
        ("expired", expired),
        (
            "large",
            Field::new(stamp(5), None, vec![7; 48 * 1024], None),
        ),
    ];
    let record: Record = fields
        .map(|(name, field)| (name.to_owned(), field))
        .into_iter()
        .collect();
    let mut lab = L::new();
    lab.store().put(key(1), record.clone());
    commit(&mut lab);
    assert_eq!(lab.store().get(key(1)), Ok(Some(record.clone())));
    lab.crash();
    assert_eq!(lab.store().get(key(1)), Ok(Some(record)));
}

pub fn a_record_without_fields_is_none<L: Lab>() {
    let mut lab = L::new();
    lab.store().put(key(1), record("1"));
    commit(&mut lab);
    lab.store().put(key(1), Record::default());
    assert_eq!(lab.store().get(key(1)), Ok(None));
    commit(&mut lab);
    lab.crash();
    assert_eq!(lab.store().get(key(1)), Ok(None));
    assert!(lab.store().is_empty());
}
