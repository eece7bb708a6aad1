//! What is set aside, piece by piece, and what is deleted of it.

use super::*;
use crate::host::sqlite::{AsideKey, AsidePage};

/// More rows than one call goes through.
const MANY: usize = 5000;

fn node(number: u8) -> Id {
    Id::of_key(&[b'n', number])
}

/// Sets aside, as one that was last running then, so many records of these many fields.
fn set_aside(database: &mut Database, of: Id, alive: u64, keys: usize, fields: usize) {
    let mut store = database.store(of).unwrap();
    for number in 0..keys {
        let fields =
            (0..fields).map(|at| (at.to_string(), Field::new(Stamp::ZERO, None, "x", None)));
        store.put(Id::of_key(number.to_string().as_bytes()), fields.collect());
    }
    store.note(Notes {
        alive,
        ..store.notes()
    });
    let stored = store.seal().unwrap();
    store.set_aside();
    let aside = store.seal().unwrap();
    database.commit([(of, &stored), (of, &aside)]).unwrap();
}

/// All pages of something.
fn all<T>(mut page: impl FnMut(i64) -> AsidePage<T>) -> (Vec<T>, usize) {
    let (mut items, mut pages, mut after) = (Vec::new(), 0, Some(0));
    while let Some(from) = after {
        let next = page(from);
        assert!(next.next.is_none_or(|next| next > from), "it goes on");
        items.extend(next.items);
        (pages, after) = (pages + 1, next.next);
    }
    (items, pages)
}

fn keys(database: &Database, of: Id) -> Vec<AsideKey> {
    all(|after| database.aside_keys(of, after).unwrap()).0
}

#[test]
fn much_comes_in_pages_and_no_record_is_cut_that_fits_into_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open(&folder.path().join("records.db")).unwrap();
    let fields = 7;
    set_aside(&mut database, node(1), 1, MANY / fields, fields);
    let (listed, pages) = all(|after| database.aside_keys(node(1), after).unwrap());
    assert!(pages > 1, "{pages}");
    assert_eq!(listed.len(), MANY / fields);
    assert!(
        listed
            .iter()
            .all(|of| of.fields == fields as u64 && of.bytes == 2 * of.fields)
    );
    let (records, pages) = all(|after| database.aside_records(node(1), 1, after).unwrap());
    assert!(pages > 10, "{pages}");
    let read: Vec<Option<Id>> = records.iter().map(|of| of.key).collect();
    let known: Vec<Option<Id>> = listed.iter().map(|of| of.key).collect();
    assert_eq!(read, known);
    let whole = |of: &Option<Record>| of.as_ref().is_some_and(|record| record.len() == fields);
    assert!(records.iter().all(|of| whole(&of.record)));
}

#[test]
fn a_record_that_is_longer_than_a_page_comes_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open(&folder.path().join("records.db")).unwrap();
    set_aside(&mut database, node(1), 1, 1, MANY);
    let (records, pages) = all(|after| database.aside_records(node(1), 1, after).unwrap());
    assert!(pages > 1, "{pages}");
    let pieces = records.into_iter().map(|of| of.record.unwrap());
    let whole = pieces.reduce(|mut one, other| {
        let _ = one.merge(other);
        one
    });
    assert_eq!(whole.map(|record| record.len()), Some(MANY));
}

#[test]
fn only_what_was_meant_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open(&folder.path().join("records.db")).unwrap();
    for (of, alive) in [(1, 1), (2, 1), (1, 2)] {
        set_aside(&mut database, node(of), alive, 10, 2);
    }
    let first = database.aside_records(node(1), 1, 0).unwrap().items;
    assert_eq!(first.len(), 10);
    // Neither by another node's name nor by another time's.
    database.drop_aside(node(2), 1, &first[0].rows).unwrap();
    database.drop_aside(node(1), 2, &first[0].rows).unwrap();
    database.drop_aside(node(3), 1, &first[0].rows).unwrap();
    assert_eq!(keys(&database, node(1)).len(), 20);
    database.drop_aside(node(1), 1, &first[0].rows).unwrap();
    let rest = database.aside_records(node(1), 1, 0).unwrap().items;
    assert_eq!(rest, first[1..]);

    let dropped = all(|after| database.drop_aside_page(node(1), 1, after).unwrap()).0;
    assert_eq!(dropped.len(), 9);
    let left = keys(&database, node(1));
    assert!(left.len() == 10 && left.iter().all(|of| of.alive == 2));
    assert_eq!(keys(&database, node(2)).len(), 10);
    assert_eq!(keys(&database, node(3)), []);
}
