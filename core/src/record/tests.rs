//! Records among several nodes: the laws of merging, and a model of all writes beside it.

mod laws;
mod model;

use super::{Field, Record, Stamp};
use crate::ring::Id;
use proptest::prelude::*;

/// The stamp of this time, all of one node.
pub(super) fn stamp(milliseconds: u8) -> Stamp {
    Stamp {
        milliseconds: milliseconds.into(),
        counter: 0,
        node: Id::of_key(b"n"),
    }
}

/// Points anywhere, and often close together at the top of the circle.
pub(super) fn any_id() -> impl Strategy<Value = Id> {
    prop_oneof![
        any::<[u8; 20]>().prop_map(Id::from_bytes),
        (0..300_u64).prop_map(|near| {
            let mut distance = [0; 20];
            distance[12..].copy_from_slice(&near.to_be_bytes());
            Id::from_bytes([0xff; 20]).plus(Id::from_bytes(distance))
        }),
    ]
}

/// Few enough kinds that equal stamps with different contents are frequent.
pub(super) fn any_field() -> impl Strategy<Value = Field> {
    let value = prop_oneof![
        Just(None),
        prop::sample::select(vec!["a", "b", "c"]).prop_map(Some)
    ];
    let replaces = prop::option::of(0..4_u8);
    let expires = prop::option::of(1..7_u64);
    (1..4_u8, replaces, value, expires, any::<bool>()).prop_map(
        |(own, replaces, value, expires, swept)| {
            let replaces = replaces.map(stamp);
            let Some(value) = value else {
                return Field::tombstone(stamp(own), replaces);
            };
            let mut field = Field::new(stamp(own), replaces, value, expires);
            if swept {
                field.expire(u64::MAX);
            }
            field
        },
    )
}

/// Records of up to three fields.
pub(super) fn any_record() -> impl Strategy<Value = Record> {
    prop::collection::vec(("[pqr]", any_field()), 0..4)
        .prop_map(|fields| fields.into_iter().collect())
}
