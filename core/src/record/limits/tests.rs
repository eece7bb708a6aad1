//! Each limit is met exactly, names itself, and never stands in the way of deleting.

use super::*;
use crate::record::tests::stamp;

fn value(bytes: usize) -> Field {
    Field::new(stamp(9), None, vec![7; bytes], None)
}

fn filled(fields: usize, bytes: usize) -> Record {
    (0..fields)
        .map(|number| (format!("{number:04}"), value(bytes)))
        .collect()
}

#[test]
fn names_and_values() {
    let record = Record::default();
    assert_eq!(
        check(&record, &"n".repeat(NAME_BYTES), &value(VALUE_BYTES)),
        Ok(())
    );
    let long = check(&record, &"n".repeat(NAME_BYTES + 1), &value(0)).unwrap_err();
    assert_eq!(long, LimitError::NameBytes(256));
    assert!(long.to_string().contains("256 bytes and 255 are the most"));
    let large = check(&record, "n", &value(VALUE_BYTES + 1)).unwrap_err();
    assert_eq!(large, LimitError::ValueBytes(49_153));
    assert!(large.to_string().contains("49152 are the most"));
}

#[test]
fn the_number_of_fields() {
    assert_eq!(check(&filled(FIELDS - 1, 1), "new", &value(1)), Ok(()));
    let full = filled(FIELDS, 1);
    assert_eq!(
        check(&full, "new", &value(1)),
        Err(LimitError::Fields(1025))
    );
    let nothing = Field::tombstone(stamp(10), None);
    assert_eq!(check(&full, "new", &nothing), Err(LimitError::Fields(1025)));
    assert_eq!(
        check(&full, "0001", &value(1)),
        Ok(()),
        "it is there already"
    );
    assert_eq!(check(&full, "0001", &nothing), Ok(()));
}

#[test]
fn the_size_of_the_record() {
    let mut record = Record::of("a", value(VALUE_BYTES));
    let room = RECORD_BYTES - record.size_with("b", &value(10_000)) + 10_000;
    assert_eq!(check(&record, "b", &value(room)), Ok(()));
    let error = check(&record, "b", &value(room + 1)).unwrap_err();
    assert_eq!(error, LimitError::RecordBytes(RECORD_BYTES + 1));
    assert!(
        error
            .to_string()
            .contains("61441 bytes and 61440 are the most")
    );
    // Merging may exceed it; then what makes it smaller is allowed, and deleting always.
    let _ = record.merge(Record::of("b", value(VALUE_BYTES)));
    assert!(record.size() > RECORD_BYTES);
    assert_eq!(check(&record, "b", &value(VALUE_BYTES - 1)), Ok(()));
    assert!(check(&record, "c", &value(0)).is_err());
    assert_eq!(
        check(&record, "b", &Field::tombstone(stamp(10), None)),
        Ok(())
    );
}

#[test]
fn the_size_with_a_field_is_the_size_once_it_is_there() {
    for fields in [0, 1, 127, 128] {
        for name in ["0000", "new"] {
            let mut record = filled(fields, 3);
            let field = Field::new(stamp(10), Some(stamp(9)), "longer than that", Some(4));
            let expected = record.size_with(name, &field);
            let _ = record.put(name, field);
            assert_eq!(record.size(), expected);
        }
    }
}
