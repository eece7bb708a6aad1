//! The rules for one field: who wins, what expires, what is a conflict.

use super::*;
use crate::record::tests::{any_field, stamp};
use proptest::prelude::*;

fn merged(a: &Field, b: &Field) -> Field {
    let mut merged = a.clone();
    merged.merge(b.clone());
    merged
}

fn expired(field: &Field, now: u64) -> Field {
    let mut field = field.clone();
    field.expire(now);
    field
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn merging_is_a_join(a in any_field(), b in any_field(), c in any_field()) {
        prop_assert_eq!(merged(&a, &a), a.clone());
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
    }

    #[test]
    fn it_does_not_matter_whether_copies_expire_before_or_after(
        a in any_field(), b in any_field(), now in 0..8_u64
    ) {
        let after = expired(&merged(&a, &b), now);
        prop_assert_eq!(merged(&expired(&a, now), &expired(&b, now)), after.clone());
        // Nor that only one of them has had the time, once both have.
        prop_assert_eq!(expired(&merged(&expired(&a, now), &b), now), after);
        // And to whoever reads nothing has changed.
        let one = merged(&expired(&a, now), &b);
        let both = merged(&a, &b);
        prop_assert_eq!(one.read(now), both.read(now));
    }

    #[test]
    fn the_newer_wins_whatever_it_is(a in any_field(), b in any_field()) {
        if a.stamp() < b.stamp() {
            prop_assert_eq!(merged(&a, &b), b);
        }
    }

    #[test]
    fn conflicts_are_mutual(a in any_field(), b in any_field()) {
        prop_assert_eq!(a.is_concurrent_with(&b), b.is_concurrent_with(&a));
        prop_assert!(!a.is_concurrent_with(&a));
        prop_assert!(!a.is_concurrent_with(&expired(&a, 5)));
    }

    #[test]
    fn the_wire_brings_it_back(a in any_field()) {
        let wire = postcard::to_stdvec(&a).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Field>(&wire).unwrap(), a);
    }
}

#[test]
fn of_equal_stamps_a_tombstone_wins_then_the_greater_digest() {
    let value = |bytes: &'static [u8]| Field::new(stamp(5), None, bytes, None);
    let gone = Field::tombstone(stamp(5), None);
    assert_eq!(merged(&value(b"a"), &gone), gone);
    // SHA-1 begins with 86f7 for `a` and with e9d7 for `b`; with 84a5 for `c`.
    assert_eq!(merged(&value(b"a"), &value(b"b")), value(b"b"));
    assert_eq!(merged(&value(b"a"), &value(b"c")), value(b"a"));
    assert!(
        value(b"a").is_concurrent_with(&value(b"b")),
        "one stamp, issued twice"
    );
    assert!(value(b"a").is_concurrent_with(&gone));
}

#[test]
fn a_value_past_its_expiry_is_absent_and_then_a_tombstone() {
    let mut field = Field::new(stamp(5), None, "x", Some(1000));
    assert_eq!(field.read(999), Some(&Value::from("x")));
    assert_eq!(field.read(1000), None);
    assert_eq!(field.dead_since(), None);
    assert!(!field.expire(999));
    assert!(field.expire(1000) && !field.expire(1000));
    assert!(field.is_tombstone());
    assert_eq!(field.stamp(), stamp(5));
    assert_eq!(field.dead_since(), Some(1000), "not since it was written");
    let deleted = Field::tombstone(stamp(5), None);
    assert_eq!(deleted.dead_since(), Some(stamp(5).milliseconds));
}

#[test]
fn writes_that_did_not_know_each_other_conflict() {
    let write = |own, replaces: Option<u8>| Field::new(stamp(own), replaces.map(stamp), "x", None);
    let conflict = |a: &Field, b: &Field| a.is_concurrent_with(b);
    assert!(
        !conflict(&write(1, None), &write(2, Some(1))),
        "it was replaced"
    );
    assert!(
        conflict(&write(2, Some(1)), &write(3, Some(1))),
        "both replaced one"
    );
    assert!(
        conflict(&write(1, None), &write(2, None)),
        "both were the first"
    );
    assert!(
        !conflict(&write(1, None), &write(3, Some(2))),
        "one was missed between"
    );
}

#[test]
fn its_sizes_are_as_documented() {
    let now = 1_800_000_000_000;
    let at = |counter| Stamp {
        milliseconds: now,
        counter,
        node: crate::ring::Id::MAX,
    };
    let size = |field: &Field| postcard::to_stdvec(field).unwrap().len();
    assert_eq!(size(&Field::new(at(0), None, "", None)), 31);
    assert_eq!(size(&Field::new(at(1), Some(at(0)), "", None)), 58);
    assert_eq!(size(&Field::new(at(1), Some(at(0)), "", Some(now))), 64);
    assert_eq!(size(&Field::new(at(1), None, vec![0; 1000], None)), 1032);
    assert_eq!(size(&Field::tombstone(at(0), None)), 30);
    assert_eq!(size(&Field::tombstone(at(1), Some(at(0)))), 57);
}
