//! Comparing: that both end up alike, and that nothing is sent in vain.

use super::*;
use crate::chord::Recorder;
use crate::chord::ask::script::{body, drive_in, told};
use crate::chord::record_message::RecordRequest;
use crate::chord::{Request, Wire};
use crate::record::{DigestSource, Field, Stamp};
use crate::ring::test_peers::peer;
use crate::store::{MemoryStore, Store};
use proptest::prelude::*;

fn whole() -> KeyRange {
    KeyRange::new(peer(7).id, peer(7).id)
}

/// Some keys with one field each; of equal stamps the values are equal.
fn store(records: &[(u8, u8)]) -> MemoryStore {
    let mut store = MemoryStore::default();
    for &(place, stamp) in records {
        let stamp = Stamp {
            milliseconds: stamp.into(),
            counter: 0,
            node: Id::ZERO,
        };
        let field = Field::new(stamp, None, vec![stamp.milliseconds as u8; 40], None);
        let key = peer(place).id;
        let mut record = store.get(key).expect("sound").unwrap_or_default();
        let _ = record.put("", field);
        store.put(key, record);
    }
    store
}

/// What a correct node replies from its store.
fn answer(store: &mut MemoryStore, request: &RecordRequest) -> RecordReply {
    match request {
        RecordRequest::Compare { question, .. } => RecordReply::Compared {
            answer: question.answer(store),
            epoch: 3,
        },
        RecordRequest::Fetch { keys, .. } => RecordReply::Records {
            records: keys
                .iter()
                .map(|&key| (key, store.get(key).expect("sound").unwrap_or_default()))
                .collect(),
            more: None,
        },
        RecordRequest::Merge(records) => {
            for (key, record) in records {
                let mut mine = store.get(*key).expect("sound").unwrap_or_default();
                let _ = mine.merge(record.clone());
                store.put(*key, mine);
            }
            RecordReply::Merged
        }
        other => panic!("not asked in a comparison: {other:?}"),
    }
}

fn compare(
    way: Way,
    mine: MemoryStore,
    theirs: &mut MemoryStore,
) -> (Recorder, Compared, Vec<Request>) {
    let mut net = Recorder {
        store: mine,
        ..Recorder::default()
    };
    let mut op = Compare::new(peer(7), whole(), way, 1);
    let (compared, asked) = drive_in(&mut net, |ask| op.poll(ask), &mut |_, request| {
        told(answer(theirs, body(request)))
    });
    (
        net,
        compared,
        asked.into_iter().map(|(_, request)| request).collect(),
    )
}

fn entries(store: &MemoryStore) -> Vec<record::Entry> {
    store.entries(whole()).collect()
}

proptest! {
    #[test]
    fn afterwards_both_hold_the_same_and_nothing_equal_was_sent(
        mine in prop::collection::vec((any::<u8>(), 1..5_u8), 0..60),
        theirs in prop::collection::vec((any::<u8>(), 1..5_u8), 0..60),
    ) {
        let (mine, mut theirs) = (store(&mine), store(&theirs));
        let (before, others) = (entries(&mine), entries(&theirs));
        let (net, compared, asked) = compare(Way::Both, mine, &mut theirs);
        prop_assert!(!compared.failed && (asked.is_empty() || compared.epoch == 3));
        prop_assert_eq!(entries(&net.store), entries(&theirs));
        for request in &asked {
            let keys: Vec<Id> = match body(request) {
                RecordRequest::Fetch { keys, .. } => keys.clone(),
                RecordRequest::Merge(records) => records.iter().map(|(key, _)| *key).collect(),
                _ => Vec::new(),
            };
            for key in keys {
                let of = |all: &[record::Entry]| all.iter().find(|entry| entry.key == key).copied();
                prop_assert_ne!(of(&before), of(&others), "both had it");
            }
        }
        for key in compared.changed {
            prop_assert!(others.iter().any(|entry| entry.key == key));
        }
    }

    #[test]
    fn fetching_alone_changes_nothing_there(
        mine in prop::collection::vec((any::<u8>(), 1..5_u8), 0..40),
        theirs in prop::collection::vec((any::<u8>(), 1..5_u8), 0..40),
    ) {
        let (mine, mut theirs) = (store(&mine), store(&theirs));
        let before = entries(&theirs);
        let (net, _, _) = compare(Way::Here, mine, &mut theirs);
        prop_assert_eq!(entries(&theirs), before.clone());
        let has = |entry: &record::Entry| {
            net.store.entries(whole()).any(|mine| mine.key == entry.key)
        };
        prop_assert!(before.iter().all(has));
    }
}

#[test]
fn silence_and_nonsense_end_it() {
    let mut net = Recorder {
        store: store(&[(1, 1), (2, 2)]),
        ..Recorder::default()
    };
    let mut op = Compare::new(peer(7), whole(), Way::Both, 2);
    let (compared, asked) = drive_in(&mut net, |ask| op.poll(ask), &mut |_, _| None);
    assert!(compared.failed && !compared.answered);
    assert_eq!(asked.len(), 2);
    let mut op = Compare::new(peer(7), whole(), Way::Both, 2);
    let merged = |_, _: &Request| told(RecordReply::Merged);
    let (compared, _) = drive_in(&mut net, |ask| op.poll(ask), &mut { merged });
    assert!(compared.failed);
}

#[test]
fn given_up_while_several_questions_are_open_it_waits_for_none_of_them() {
    let all = |stamp: u8| -> Vec<(u8, u8)> { (0..60).map(|place| (place * 4, stamp)).collect() };
    let mut theirs = store(&all(2));
    let mut net = Recorder {
        store: store(&all(1)),
        ..Recorder::default()
    };
    let mut op = Compare::new(peer(7), whole(), Way::Both, 1);
    let mut asked_before = false;
    let mut once = |_, request: &Request| match std::mem::replace(&mut asked_before, true) {
        false => told(answer(&mut theirs, body(request))),
        true => told(RecordReply::Merged),
    };
    // That nothing is waited for in the end is looked at where it is driven.
    let (compared, asked) = drive_in(&mut net, |ask| op.poll(ask), &mut once);
    assert!(compared.failed && compared.answered);
    assert!(asked.len() > 2, "one at a time: {asked:?}");
}

#[test]
fn a_record_too_large_for_a_message_goes_in_pieces() {
    let mut large = MemoryStore::default();
    let fields = (0..5_u8).map(|epoch| {
        let stamp = Stamp {
            milliseconds: 1,
            counter: epoch.into(),
            node: Id::ZERO,
        };
        let value = vec![epoch; 20_000];
        (format!("{epoch}"), Field::new(stamp, None, value, None))
    });
    large.put(peer(1).id, fields.collect());
    let mut theirs = MemoryStore::default();
    let (_, compared, asked) = compare(Way::Both, large.clone(), &mut theirs);
    assert!(!compared.failed);
    assert_eq!(entries(&theirs), entries(&large));
    let most = limits::MERGED_BYTES + 1024;
    for request in asked {
        let id = crate::chord::RequestId::of_node(1, 1);
        let message = crate::chord::Message::Request { id, request };
        assert!(message.wire_size() <= most);
    }
}
