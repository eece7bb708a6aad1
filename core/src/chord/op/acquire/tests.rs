//! Acquiring: who is asked, how often, and when it ends.

use super::*;
use crate::chord::Recorder;
use crate::chord::ask::script::{body, drive_in, told};
use crate::record::DigestAnswer;
use crate::ring::test_peers::{peer, peers};

fn acquire(
    others: &[u8],
    claimed: &mut dyn FnMut() -> Option<Claimed>,
    compared: &mut dyn FnMut(Peer) -> Option<u64>,
) -> (u64, Vec<(Peer, &'static str)>) {
    let arc = KeyRange::new(peer(1).id, peer(2).id);
    let mut op = Acquire::new(arc, peers(others), 2);
    let mut net = Recorder::default();
    let (epoch, asked) = drive_in(&mut net, |ask| op.poll(ask), &mut |to, request| match body(
        request,
    ) {
        RecordRequest::Claim(of) => {
            assert_eq!(*of, arc);
            let by = claimed()?;
            told(RecordReply::Claimed { by, epoch: 1 })
        }
        RecordRequest::Compare { question, .. } => {
            assert_eq!(question.arc, arc);
            let epoch = compared(to)?;
            let answer = DigestAnswer::Same;
            told(RecordReply::Compared { answer, epoch })
        }
        other => panic!("not asked: {other:?}"),
    });
    let word = |(to, request)| match body(&request) {
        RecordRequest::Claim(_) => (to, "claim"),
        _ => (to, "fetch"),
    };
    (epoch, asked.into_iter().map(word).collect())
}

#[test]
fn when_nobody_serves_it_all_are_fetched_from_and_the_highest_number_is_heard() {
    let (epoch, asked) = acquire(&[3, 4, 5], &mut || Some(Claimed::Elsewhere), &mut |to| {
        Some(if to == peer(4) { 9 } else { 2 })
    });
    assert_eq!(epoch, 9);
    let fetched = [(peer(3), "fetch"), (peer(4), "fetch"), (peer(5), "fetch")];
    assert_eq!(asked[0], (peer(3), "claim"));
    assert_eq!(asked[1..], fetched);
}

#[test]
fn it_waits_for_a_successor_that_serves_the_arc() {
    let mut claims = 0;
    let (_, asked) = acquire(
        &[3, 4],
        &mut || {
            claims += 1;
            Some(if claims < 20 {
                Claimed::Here
            } else {
                Claimed::Elsewhere
            })
        },
        &mut |_| Some(0),
    );
    let claimed = asked.iter().filter(|(_, word)| *word == "claim").count();
    assert_eq!(claimed, 20);
}

#[test]
fn it_does_not_wait_for_ever_when_all_wait() {
    let (_, asked) = acquire(&[3], &mut || Some(Claimed::Unknown), &mut |_| Some(0));
    let rounds = usize::from(limits::CLAIM_ROUNDS);
    assert_eq!(asked.len(), rounds + 1 + 1);
}

#[test]
fn each_successor_is_waited_for_anew() {
    let arc = KeyRange::new(peer(1).id, peer(2).id);
    let mut op = Acquire {
        rounds: limits::CLAIM_ROUNDS,
        ..Acquire::new(arc, peers(&[3, 4]), 1)
    };
    assert!(op.consider(peers(&[3])));
    assert_eq!(op.rounds, limits::CLAIM_ROUNDS);
    assert!(op.consider(peers(&[5, 3])));
    assert_eq!(op.rounds, 0);
}

#[test]
fn the_dead_are_asked_as_often_as_it_takes_to_know_and_no_more() {
    let (_, asked) = acquire(&[3, 4], &mut || Some(Claimed::Elsewhere), &mut |to| {
        (to == peer(3)).then_some(0)
    });
    let dead = asked.iter().filter(|(to, _)| *to == peer(4)).count();
    assert_eq!(dead, 2);
}

#[test]
fn alone_it_need_not_ask() {
    let (epoch, asked) = acquire(&[], &mut || None, &mut |_| None);
    assert_eq!((epoch, asked), (0, vec![]));
}

#[test]
fn one_that_breaks_off_is_fetched_from_again() {
    let arc = KeyRange::new(peer(1).id, peer(2).id);
    let mut op = Acquire::new(arc, peers(&[3]), 1);
    let mut net = Recorder::default();
    let mut compares = 0;
    let key = peer(2).id;
    let (_, asked) = drive_in(&mut net, |ask| op.poll(ask), &mut |_, request| {
        match body(request) {
            RecordRequest::Claim(_) => told(RecordReply::Claimed {
                by: Claimed::Elsewhere,
                epoch: 0,
            }),
            RecordRequest::Compare { .. } => {
                compares += 1;
                let digest = crate::record::Record::default().digest();
                let entry = crate::record::Entry { key, digest };
                let answer = DigestAnswer::Keys(vec![entry]);
                told(RecordReply::Compared { answer, epoch: 0 })
            }
            // Silent when it matters, the first time.
            _ if compares < 2 => None,
            _ => told(RecordReply::Records {
                records: vec![(key, crate::record::Record::default())],
                more: None,
            }),
        }
    });
    assert_eq!(compares, 2, "{asked:?}");
}
