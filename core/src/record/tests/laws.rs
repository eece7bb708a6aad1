//! What holds for any two or three versions of a record.

use super::super::limits::RECORD_BYTES;
use super::super::{Beaten, Conflict, Merged, Value};
use super::*;

fn merged(a: &Record, b: &Record) -> Record {
    let mut merged = a.clone();
    let _ = merged.merge(b.clone());
    merged
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]
    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        a in any_record(), b in any_record(), c in any_record()
    ) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        let both = merged(&a, &b);
        for part in [&a, &b, &both] {
            prop_assert_eq!(merged(&both, part), both.clone());
        }
    }

    #[test]
    fn a_merge_tells_what_it_did(a in any_record(), b in any_record()) {
        let mut now = a.clone();
        let told = now.merge(b.clone());
        for (name, field) in now.fields() {
            let was = a.field(name);
            let offered = b.field(name);
            prop_assert_eq!(told.changed.iter().any(|n| n == name), was != Some(field));
            let beaten: Vec<_> = told.beaten.iter().filter(|b| b.name == name).collect();
            prop_assert_eq!(beaten.len() == 1, offered.is_some_and(|o| o != field));
            prop_assert!(beaten.iter().all(|b| b.by == field.stamp()));
            let conflict = was.zip(offered).is_some_and(|(w, o)| w.is_concurrent_with(o));
            prop_assert_eq!(told.conflicts.iter().any(|c| c.name == name), conflict);
        }
        // And nothing about fields that there are not.
        let names = told.changed.iter().chain(told.beaten.iter().map(|b| &b.name));
        for name in names.chain(told.conflicts.iter().map(|c| &c.name)) {
            prop_assert!(now.field(name).is_some());
        }
        prop_assert_eq!(now.merge(b).changed, Vec::<String>::new());
    }

    #[test]
    fn expiring_commutes_with_merging(a in any_record(), b in any_record(), now in 0..8_u64) {
        let swept = |record: &Record| {
            let mut record = record.clone();
            record.expire(now);
            record
        };
        prop_assert_eq!(merged(&swept(&a), &swept(&b)), swept(&merged(&a, &b)));
        prop_assert!(swept(&a).readable(now).eq(a.readable(now)));
    }

    #[test]
    fn digests_are_equal_for_equal_records_only(a in any_record(), b in any_record()) {
        prop_assert_eq!(a == b, a.digest() == b.digest());
    }

    #[test]
    fn the_wire_brings_it_back(a in any_record()) {
        let wire = postcard::to_stdvec(&a).unwrap();
        prop_assert_eq!(wire.len(), a.size());
        prop_assert_eq!(postcard::from_bytes::<Record>(&wire).unwrap(), a);
    }

    #[test]
    fn pieces_are_small_and_make_the_whole(
        lengths in prop::collection::vec(0..300_usize, 0..40), bytes in 0..1000_usize
    ) {
        let whole: Record = lengths
            .iter()
            .enumerate()
            .map(|(number, &length)| {
                (number.to_string(), Field::new(stamp(1), None, vec![0; length], None))
            })
            .collect();
        let mut again = Record::default();
        let pieces = whole.clone().pieces(bytes);
        for (index, piece) in pieces.iter().enumerate() {
            prop_assert!(!piece.is_empty() && (piece.size() <= bytes || piece.len() == 1));
            // None could have taken in the next one's first field.
            if let Some((name, field)) = pieces.get(index + 1).and_then(|next| next.fields().next()) {
                prop_assert!(piece.size_with(name, field) + 1 > bytes);
            }
            prop_assert_eq!(again.merge(piece.clone()).beaten, []);
        }
        prop_assert_eq!(again, whole);
    }
}

#[test]
fn a_holder_learns_what_beat_a_write() {
    let write = |own, replaces: Option<u8>| Field::new(stamp(own), replaces.map(stamp), "x", None);
    let mut record = Record::of("f", write(5, Some(1)));
    let told = record.put("f", write(3, Some(1)));
    let expected = Merged {
        changed: vec![],
        beaten: vec![Beaten {
            name: "f".to_owned(),
            by: stamp(5),
        }],
        conflicts: vec![Conflict {
            name: "f".to_owned(),
            kept: stamp(5),
            lost: stamp(3),
        }],
    };
    assert_eq!(told, expected);
    // What is here already has not lost, though it changes nothing.
    assert_eq!(record.put("f", write(5, Some(1))), Merged::default());
    assert_eq!(record.put("f", write(6, Some(5))).changed, ["f"]);
    assert_eq!(record.latest(), Some(stamp(6)));
}

#[test]
fn a_tombstone_goes_only_when_it_may() {
    let fields = [
        ("dead", Field::tombstone(stamp(100), None)),
        ("live", Field::new(stamp(100), None, "x", None)),
        ("late", Field::new(stamp(100), None, "x", Some(150))),
        ("ahead", Field::tombstone(stamp(250), None)),
    ];
    let record: Record = fields
        .map(|(name, field)| (name.to_owned(), field))
        .into_iter()
        .collect();
    let collect = |now, lifetime, expire: bool, confirmed: bool| {
        let mut record = record.clone();
        if expire {
            record.expire(now);
        }
        let gone = record.collect(now, lifetime, |_, _| confirmed);
        assert_eq!(gone.len() + record.len(), 4);
        assert!(gone.iter().all(|name| record.field(name).is_none()));
        gone
    };
    assert_eq!(collect(199, 100, true, true), [""; 0]);
    assert_eq!(collect(200, 100, true, true), ["dead"]);
    assert_eq!(
        collect(200, 100, true, false),
        [""; 0],
        "somebody may not have it"
    );
    assert_eq!(collect(249, 100, true, true), ["dead"]);
    assert_eq!(
        collect(250, 100, true, true),
        ["dead", "late"],
        "counted from its expiry"
    );
    assert_eq!(
        collect(250, 100, false, true),
        ["dead"],
        "what has not been expired stays"
    );
    assert_eq!(
        collect(249, 0, true, true),
        ["dead", "late"],
        "one from the future is not over"
    );
}

#[test]
fn a_confirmation_of_another_tombstone_does_not_count() {
    let mut record = Record::of("f", Field::tombstone(stamp(9), None));
    assert_eq!(record.collect(255, 1, |_, of| of == stamp(8)), [""; 0]);
    assert_eq!(
        record.collect(255, 1, |name, of| name == "f" && of == stamp(9)),
        ["f"]
    );
    assert!(record.is_empty());
}

#[test]
fn merging_knows_no_limits() {
    let one = Record::of("a", Field::new(stamp(1), None, vec![0; RECORD_BYTES], None));
    let other = Record::of("b", Field::new(stamp(1), None, vec![1; RECORD_BYTES], None));
    assert_eq!(merged(&one, &other).len(), 2);
}

#[test]
fn of_several_fields_of_one_name_the_winner_is_taken() {
    let field = |own| Field::new(stamp(own), None, Value::default(), None);
    let record = Record::from_iter([2, 3, 1].map(|own| ("f".to_owned(), field(own))));
    assert_eq!(record.field("f"), Some(&field(3)));
}
