//! Replicating: who is asked, and what counts as held.

use super::*;
use crate::chord::ask::script::{drive, told};
use crate::ring::test_peers::{peer, peers};
use proptest::prelude::*;

fn replicate(others: &[u8], copies: usize, next_owner: Option<u8>) -> Replicate {
    let stamp = Stamp {
        milliseconds: 5,
        counter: 0,
        node: Id::ZERO,
    };
    let write = (
        peer(9).id,
        String::new(),
        Field::new(stamp, None, "a", None),
    );
    Replicate::new(
        peer(0).id,
        write,
        4,
        (peers(others), copies),
        next_owner.map(peer),
        1,
    )
}

#[test]
fn whoever_is_beaten_or_superseded_says_so() {
    let stamp = Stamp {
        milliseconds: 7,
        counter: 0,
        node: Id::ZERO,
    };
    let mut op = replicate(&[1, 2, 3], 2, None);
    let (beaten, _) = drive(|ask| op.poll(ask), &mut |to, _| {
        told(if to == peer(2) {
            RecordReply::Beaten(stamp)
        } else {
            RecordReply::Stored
        })
    });
    assert_eq!(beaten, Replicated::Beaten(stamp));
    let mut op = replicate(&[1, 2, 3], 2, None);
    let (superseded, _) = drive(|ask| op.poll(ask), &mut |_, _| {
        told(RecordReply::Superseded(8))
    });
    assert_eq!(superseded, Replicated::Superseded(8));
}

#[test]
fn a_next_owner_counts_for_nothing_and_its_silence_is_told() {
    let mut op = replicate(&[1, 2], 2, Some(8));
    let (held, asked) = drive(|ask| op.poll(ask), &mut |to, _| {
        (to != peer(8)).then(|| told(RecordReply::Stored)).flatten()
    });
    let holders = [0, 1, 2].map(|place| peer(place).id).to_vec();
    let next_owner_lacks = true;
    assert_eq!(
        held,
        Replicated::Held {
            holders,
            next_owner_lacks,
            leavers: Vec::new(),
        }
    );
    assert_eq!(asked.len(), 3);
}

proptest! {
    #[test]
    fn it_ends_and_asks_nobody_twice_and_holds_what_was_said(
        silent in prop::collection::vec(any::<bool>(), 8), copies in 0..6_usize,
    ) {
        let others = [1, 2, 3, 4, 5, 6, 7];
        let mut op = replicate(&others, copies, None);
        let answers = |to: Peer| !silent[others.iter().position(|&place| peer(place) == to).expect("one of them")];
        let (held, asked) = drive(|ask| op.poll(ask), &mut |to, _| {
            if answers(to) { told(RecordReply::Stored) } else { None }
        });
        let Replicated::Held { holders, .. } = held else {
            panic!("{held:?}");
        };
        let live = others.iter().filter(|&&place| answers(peer(place))).count();
        prop_assert_eq!(holders.len(), 1 + copies.min(live));
        let mut places: Vec<Peer> = asked.into_iter().map(|(to, _)| to).collect();
        let count = places.len();
        places.sort();
        places.dedup();
        prop_assert_eq!(places.len(), count);
    }
}
