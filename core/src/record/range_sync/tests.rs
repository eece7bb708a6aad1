//! A sync finds exactly what differs, in few rounds and few bytes, whatever the other says.

use super::super::tests::any_id;
use super::*;
use proptest::prelude::*;

type Keys = BTreeMap<Id, Digest>;

fn digest(number: u64) -> Digest {
    Digest::from_bytes(Id::from_high(number).to_bytes())
}

fn number(value: u64) -> Id {
    let mut bytes = [0; 20];
    bytes[12..].copy_from_slice(&value.to_be_bytes());
    Id::from_bytes(bytes)
}

/// What one learns by looking at both.
fn differences(here: &Keys, there: &Keys, arc: KeyRange) -> Vec<Difference> {
    let mut keys: Vec<Id> = here.keys().chain(there.keys()).copied().collect();
    keys.sort();
    keys.dedup();
    let found = keys.into_iter().map(|key| Difference {
        key,
        here: here.get(&key).copied(),
        there: there.get(&key).copied(),
    });
    found
        .filter(|difference| arc.contains(difference.key) && difference.here != difference.there)
        .collect()
}

struct Course {
    found: Vec<Difference>,
    rounds: usize,
    bytes: usize,
    open_most: usize,
}

/// Runs a sync, with so many questions in a round and so many differences taken at a time.
fn run(here: &Keys, there: &Keys, arc: KeyRange, questions: usize, taken: usize) -> Course {
    let mut sync = RangeSync::new(arc);
    let mut course = Course {
        found: Vec::new(),
        rounds: 0,
        bytes: 0,
        open_most: 0,
    };
    let size = |part: &[u8]| part.len();
    while !sync.is_done() {
        let asked = sync.questions(here, questions);
        course.rounds += usize::from(!asked.is_empty());
        for question in asked {
            let answer = question.answer(there);
            course.bytes += size(&postcard::to_stdvec(&question).unwrap());
            course.bytes += size(&postcard::to_stdvec(&answer).unwrap());
            sync.answered(here, question.arc, answer).unwrap();
        }
        course.open_most = course.open_most.max(sync.open.len() + sync.listed.len());
        loop {
            let found = sync.differences(here, taken);
            assert!(found.len() <= taken);
            if found.is_empty() {
                break;
            }
            course.found.extend(found);
        }
    }
    course
}

fn any_keys(most: usize) -> impl Strategy<Value = Keys> {
    prop::collection::btree_map(any_id(), (0..3_u64).prop_map(digest), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn it_finds_exactly_what_differs(
        both in any_keys(150), only_here in any_keys(40), only_there in any_keys(40),
        start in any_id(), end in any_id(), circle in any::<bool>(),
        questions in 1..20_usize, taken in 1..50_usize,
    ) {
        let arc = KeyRange::new(start, if circle { start } else { end });
        let join = |more: &Keys| -> Keys { both.clone().into_iter().chain(more.clone()).collect() };
        let (here, there) = (join(&only_here), join(&only_there));
        let expected = differences(&here, &there, arc);
        let mut course = run(&here, &there, arc, questions, taken);
        course.found.sort();
        prop_assert_eq!(&course.found, &expected);
        prop_assert!(course.open_most <= 600 * questions);
        let wide = run(&here, &there, arc, usize::MAX, usize::MAX);
        prop_assert_eq!(wide.found.len(), expected.len());
        prop_assert!(wide.rounds <= ROUNDS, "{} rounds", wide.rounds);
    }

    #[test]
    fn entries_are_those_on_the_arc_in_the_order_of_the_walk(
        keys in any_keys(40), start in any_id(), end in any_id()
    ) {
        for arc in [KeyRange::new(start, end), KeyRange::new(start, start)] {
            let entries: Vec<Entry> = keys.entries(arc).collect();
            let expected = keys.keys().filter(|key| arc.contains(**key)).count();
            prop_assert_eq!(entries.len(), expected);
            prop_assert!(entries.iter().all(|entry| arc.contains(entry.key)));
            let ordered = |pair: &[Entry]| place(arc, pair[0].key) < place(arc, pair[1].key);
            prop_assert!(entries.windows(2).all(ordered));
        }
    }

    #[test]
    fn what_changes_meanwhile_is_found_by_the_next_one(
        here in any_keys(120), there in any_keys(120), late in any_keys(60), at in 0..6_usize
    ) {
        let arc = KeyRange::new(Id::ZERO, Id::ZERO);
        let mut mine = here.clone();
        let mut sync = RangeSync::new(arc);
        let mut found = Vec::new();
        for round in 0.. {
            if sync.is_done() { break }
            prop_assert!(round < 2000);
            if round == at {
                mine.extend(late.clone());
            }
            for question in sync.questions(&mine, 4) {
                sync.answered(&mine, question.arc, question.answer(&there)).unwrap();
            }
            found.extend(sync.differences(&mine, 64));
        }
        // What did not change was found nevertheless.
        let unchanged = |difference: &Difference| !late.contains_key(&difference.key);
        for difference in differences(&here, &there, arc).into_iter().filter(unchanged) {
            prop_assert!(found.contains(&difference), "{difference:?}");
        }
        let again = run(&mine, &there, arc, 4, 64);
        prop_assert_eq!(again.found.len(), differences(&mine, &there, arc).len());
    }
}

#[test]
fn one_record_among_twenty_thousand_costs_two_kilobytes() {
    let here: Keys = (0..20_000_u64)
        .map(|n| (Id::of_key(&n.to_be_bytes()), digest(n)))
        .collect();
    let mut there = here.clone();
    let key = Id::of_key(&7_u64.to_be_bytes());
    there.insert(key, digest(8));
    let all = KeyRange::new(Id::ZERO, Id::ZERO);
    let course = run(&here, &there, all, 64, 64);
    let expected = Difference {
        key,
        here: Some(digest(7)),
        there: Some(digest(8)),
    };
    assert_eq!(course.found, [expected]);
    assert!(course.rounds <= 4, "{} rounds", course.rounds);
    assert!(course.bytes < 2048, "{} bytes", course.bytes);
    let same = run(&here, &here, all, 64, 64);
    assert_eq!((same.rounds, same.found.len()), (1, 0));
    assert!(same.bytes < 70, "{} bytes", same.bytes);
}

#[test]
fn all_that_a_newcomer_lacks_costs_little_besides_its_names() {
    let there: Keys = (0..4_000_u64)
        .map(|n| (Id::of_key(&n.to_be_bytes()), digest(n)))
        .collect();
    let course = run(
        &Keys::new(),
        &there,
        KeyRange::new(Id::MAX, Id::MAX),
        64,
        64,
    );
    assert_eq!(course.found.len(), 4_000);
    // 40 bytes for each key and digest, and less than as much again to get there.
    assert!(course.bytes < 80 * 4_000, "{} bytes", course.bytes);
}

#[test]
fn keys_that_crowd_at_one_place_take_the_most_rounds() {
    let crowd = |from: u64| {
        (from..from + 100)
            .map(|n| (number(n), digest(n)))
            .collect::<Keys>()
    };
    let course = run(
        &crowd(0),
        &crowd(1),
        KeyRange::new(Id::MAX, Id::MAX),
        usize::MAX,
        8,
    );
    assert_eq!(course.found.len(), 2);
    assert!(
        (38..=ROUNDS).contains(&course.rounds),
        "{} rounds",
        course.rounds
    );
}

#[test]
fn an_unanswered_question_is_asked_again() {
    let keys = Keys::from([(number(1), digest(1))]);
    let arc = KeyRange::new(Id::ZERO, number(9));
    let mut sync = RangeSync::new(arc);
    let first = sync.questions(&keys, 1);
    assert_eq!(first.len(), 1);
    assert_eq!(sync.questions(&keys, 1), first);
    sync.answered(&keys, arc, DigestAnswer::Same).unwrap();
    assert_eq!(
        sync.answered(&keys, arc, DigestAnswer::Same),
        Err(BadDigestAnswer::NotAsked)
    );
    assert!(sync.is_done());
}

#[test]
fn answers_that_no_correct_node_gives_change_nothing() {
    let mine = Keys::new();
    let entry = |at: u64| Entry {
        key: number(at),
        digest: digest(at),
    };
    let arc = KeyRange::new(number(10), number(26));
    let mut sync = RangeSync::new(arc);
    let before = sync.clone();
    let mut refused = |answer| {
        let refused = sync.answered(&mine, arc, answer);
        assert_eq!(sync, before);
        refused.unwrap_err()
    };
    let short = DigestAnswer::Parts(Box::new([RangeDigest::default(); PARTS]));
    assert_eq!(refused(short), BadDigestAnswer::CutTooShort);
    let lists = [
        vec![entry(10)],
        vec![entry(27)],
        vec![entry(12), entry(11)],
        vec![entry(11), entry(11)],
    ];
    for list in lists {
        assert_eq!(refused(DigestAnswer::Keys(list)), BadDigestAnswer::BadList);
    }
    let all: Vec<Entry> = (11..=26).map(entry).collect();
    assert_eq!(sync.answered(&mine, arc, DigestAnswer::Keys(all)), Ok(()));
    assert_eq!(sync.differences(&mine, 99).len(), 16);
    let circle = KeyRange::new(Id::ZERO, Id::ZERO);
    let many = (1..=17).map(entry).collect();
    let bad = RangeSync::new(circle).answered(&mine, circle, DigestAnswer::Keys(many));
    assert_eq!(bad, Err(BadDigestAnswer::BadList));
}

#[test]
fn a_node_that_always_says_otherwise_fills_no_memory() {
    let mine = Keys::new();
    let lie = RangeDigest::default().with(Entry {
        key: Id::ZERO,
        digest: digest(1),
    });
    let mut sync = RangeSync::new(KeyRange::new(Id::ZERO, Id::ZERO));
    for _ in 0..2_000 {
        for question in sync.questions(&mine, 4) {
            let parts = DigestAnswer::Parts(Box::new([lie; PARTS]));
            if sync.answered(&mine, question.arc, parts).is_err() {
                sync.answered(&mine, question.arc, DigestAnswer::Same)
                    .unwrap();
            }
        }
        assert!(sync.open.len() <= 4 * 600);
    }
    assert!(!sync.is_done(), "it lies on, and nobody minds");
}
