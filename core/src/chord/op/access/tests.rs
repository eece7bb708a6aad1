//! Accesses: referrals, readings from several holders, and that they end.

use super::*;
use crate::chord::ask::script::{drive, told};
use crate::protocol::LookupError;
use crate::ring::test_peers::{peer, peers};
use proptest::prelude::*;

const OWNER: u8 = 50;

fn field() -> Field {
    let stamp = Stamp {
        milliseconds: 5,
        counter: 0,
        node: Id::ZERO,
    };
    Field::new(stamp, None, "a", None)
}

fn write() -> AccessKind {
    AccessKind::Write {
        name: String::new(),
        field: field(),
        condition: Condition::None,
    }
}

/// Runs an operation whose look-ups all find the same owner, until it ends.
fn run(
    purpose: AccessKind,
    script: &mut dyn FnMut(Peer, &RecordRequest) -> Option<RecordReply>,
) -> (Step, usize) {
    let mut op = Access::new(1, peer(45).id, peer(1), purpose);
    let found = OwnerFound {
        owner: peer(OWNER),
        hops: 1,
        hops_to_predecessor: 1,
    };
    let mut asked = 0;
    let mut step = op.sought(Ok(found), None);
    for _ in 0..1000 {
        step = match step {
            Some(Step::Seek) => op.sought(Ok(found), None),
            Some(Step::Restamp(above)) => op.stamped(Stamp {
                milliseconds: above.milliseconds + 1,
                ..above
            }),
            Some(end) => return (end, asked),
            None => {
                let (next, questions) = drive(|ask| op.poll(ask), &mut |to, request| {
                    told(script(to, crate::chord::ask::script::body(request))?)
                });
                asked += questions.len();
                Some(next)
            }
        };
    }
    panic!("it does not end");
}

#[test]
fn a_referral_is_followed() {
    let (end, asked) = run(AccessKind::Read, &mut |to, _| {
        Some(if to == peer(OWNER) {
            RecordReply::NotServing {
                ask: peer(60),
                holders: vec![],
            }
        } else {
            RecordReply::Record {
                record: None,
                others: vec![],
                now: 7,
            }
        })
    });
    let Step::Read(Ok(fetched)) = end else {
        panic!("{end:?}");
    };
    assert!(fetched.authoritative && fetched.from == peer(60));
    assert_eq!(fetched.now, 7, "the time of who answered");
    assert_eq!(asked, 2);
}

#[test]
fn when_nobody_serves_the_key_the_newest_of_what_its_holders_have_is_read() {
    let (end, _) = run(AccessKind::Read, &mut |to, request| match request {
        RecordRequest::Read(_) => Some(RecordReply::NotServing {
            ask: peer(OWNER),
            holders: peers(&[OWNER, 60, 70]),
        }),
        RecordRequest::Fetch { keys, .. } => Some(RecordReply::Records {
            records: keys
                .iter()
                .map(|&key| {
                    let has = to == peer(60);
                    (
                        key,
                        if has {
                            Record::of("", field())
                        } else {
                            Record::default()
                        },
                    )
                })
                .collect(),
            more: None,
        }),
        // It gets what it lacked.
        RecordRequest::Merge(records) => {
            assert_eq!((to, records.len()), (peer(OWNER), 1));
            Some(RecordReply::Merged)
        }
        other => panic!("{other:?}"),
    });
    let Step::Read(Ok(fetched)) = end else {
        panic!("{end:?}");
    };
    assert!(!fetched.authoritative);
    assert_eq!(fetched.record, Some(Record::of("", field())));
}

/// What these hold is asked for, and answered by a record that only this one has.
fn fetched(to: Peer, request: &RecordRequest, has: u8) -> Option<RecordReply> {
    let RecordRequest::Fetch { keys, .. } = request else {
        return None;
    };
    let record = match to == peer(has) {
        true => Record::of("", field()),
        false => Record::default(),
    };
    let records = keys.iter().map(|&key| (key, record.clone())).collect();
    Some(RecordReply::Records {
        records,
        more: None,
    })
}

#[test]
fn what_newcomers_have_is_not_read_while_each_takes_another_for_the_one_who_serves_the_key() {
    // 50 waits for what 60 serves, and 60 has never served it: 70 does, and hands it over.
    let mut rounds = 0;
    let mut script = |to: Peer, request: &RecordRequest| match request {
        RecordRequest::Read(_) if to == peer(OWNER) => {
            rounds += 1;
            Some(match rounds > 2 {
                true => RecordReply::Record {
                    record: None,
                    others: vec![],
                    now: 7,
                },
                false => RecordReply::NotServing {
                    ask: peer(60),
                    holders: peers(&[OWNER, 60]),
                },
            })
        }
        RecordRequest::Read(_) => Some(RecordReply::NotServing {
            ask: peer(OWNER),
            holders: peers(&[60, 70]),
        }),
        _ => panic!("nobody is asked for what was deleted since: {request:?}"),
    };
    let (end, _) = run(AccessKind::Read, &mut script);
    let Step::Read(Ok(read)) = end else {
        panic!("{end:?}");
    };
    assert!(read.authoritative && read.record.is_none());
    // It does not go on for ever.
    let (end, _) = run(AccessKind::Read, &mut |to, _| {
        let other = if to == peer(OWNER) { 60 } else { OWNER };
        Some(RecordReply::NotServing {
            ask: peer(other),
            holders: vec![],
        })
    });
    assert_eq!(end, Step::Read(Err(AccessError::NoOwner)));
}

#[test]
fn when_the_owner_is_silent_what_those_have_is_read_that_come_next() {
    let (end, _) = run(AccessKind::Read, &mut |to, request| match request {
        RecordRequest::Read(_) if to == peer(OWNER) => Some(RecordReply::NotServing {
            ask: peer(45),
            holders: peers(&[OWNER, 60, 70, 80]),
        }),
        RecordRequest::Read(_) => None,
        RecordRequest::Merge(_) => Some(RecordReply::Merged),
        _ => fetched(to, request, 80),
    });
    let Step::Read(Ok(read)) = end else {
        panic!("{end:?}");
    };
    assert_eq!(read.record, Some(Record::of("", field())));
}

#[test]
fn who_was_named_before_the_last_look_up_is_not_read_from() {
    // At first each names the other. When it is sought again, the owner says nothing more.
    let mut asked = 0;
    let (end, _) = run(AccessKind::Read, &mut |to, request| match request {
        RecordRequest::Read(_) => {
            asked += 1;
            let other = if to == peer(OWNER) { 60 } else { OWNER };
            (asked <= 2).then(|| RecordReply::NotServing {
                ask: peer(other),
                holders: peers(&[60, 70]),
            })
        }
        _ => panic!("{request:?}"),
    });
    assert_eq!(end, Step::Read(Err(AccessError::NoOwner)));
}

#[test]
fn a_write_that_may_have_been_done_is_not_stamped_anew() {
    let mut tries = 0;
    let (end, _) = run(write(), &mut |_, _| {
        tries += 1;
        (tries > 1).then(|| RecordReply::Beaten(field().stamp()))
    });
    assert_eq!(end, Step::Wrote(Err(Denied::Beaten.into())));
    // Without a doubt it is, but not for ever.
    let mut stamps = Vec::new();
    let (end, _) = run(write(), &mut |_, request| {
        let RecordRequest::Write { field, .. } = request else {
            panic!("{request:?}");
        };
        stamps.push(field.stamp());
        Some(RecordReply::Beaten(field.stamp()))
    });
    assert_eq!(end, Step::Wrote(Err(Denied::Beaten.into())));
    assert_eq!(stamps.len(), 1 + usize::from(limits::RESTAMPS));
    assert!(stamps.is_sorted());
}

#[test]
fn a_beaten_write_goes_back_to_who_found_that_at_once() {
    // Not the one that was looked up, but the one that it named.
    let mut op = Access::new(1, peer(45).id, peer(1), write());
    let found = OwnerFound {
        owner: peer(OWNER),
        hops: 1,
        hops_to_predecessor: 1,
    };
    assert_eq!(op.sought(Ok(found), None), None);
    let mut asked = Vec::new();
    let mut answers = |op: &mut Access| {
        let (step, _) = drive(|ask| op.poll(ask), &mut |to, request| {
            asked.push(to);
            let RecordRequest::Write { field, .. } = crate::chord::ask::script::body(request)
            else {
                panic!("{request:?}");
            };
            told(match to == peer(OWNER) {
                true => RecordReply::NotServing {
                    ask: peer(60),
                    holders: peers(&[OWNER, 60]),
                },
                false => RecordReply::Beaten(field.stamp()),
            })
        });
        step
    };
    let above = field().stamp();
    assert_eq!(answers(&mut op), Step::Restamp(above));
    let next = Stamp {
        milliseconds: above.milliseconds + 1,
        ..above
    };
    assert_eq!(op.stamped(next), None);
    assert_eq!(answers(&mut op), Step::Restamp(next));
    assert_eq!(asked, [peer(OWNER), peer(60), peer(60)]);
    // Where this node serves the key itself, it is asked itself.
    let mut op = Access::new(1, peer(45).id, peer(OWNER), write());
    let here = op.sought(Ok(found), None);
    assert!(matches!(here, Some(Step::Here(_))), "{here:?}");
    let beaten = op.heard(peer(OWNER), Some(RecordReply::Beaten(above)));
    assert_eq!(beaten, Some(Step::Restamp(above)));
    let again = op.stamped(next);
    assert!(matches!(again, Some(Step::Here(_))), "{again:?}");
}

#[test]
fn silence_ends_it_after_some_rounds() {
    let (end, asked) = run(write(), &mut |_, _| None);
    assert_eq!(end, Step::Wrote(Err(AccessError::NoOwner)));
    assert_eq!(asked, usize::from(limits::ACCESS_ROUNDS));
    let mut op = Access::new(1, peer(45).id, peer(1), AccessKind::Read);
    let mut end = None;
    for _ in 0..limits::ACCESS_ROUNDS {
        end = op.sought(Err(LookupError::NoRoute), None);
    }
    assert_eq!(end, Some(Step::Read(Err(LookupError::NoRoute.into()))));
}

fn any_reply() -> impl Strategy<Value = Option<RecordReply>> {
    let places = || prop::collection::vec(any::<u8>(), 0..4);
    prop_oneof![
        Just(None),
        places().prop_map(|others| {
            let others = peers(&others);
            let record = Some(Record::of("", field()));
            Some(RecordReply::Record {
                record,
                others,
                now: 7,
            })
        }),
        (any::<u8>(), places()).prop_map(|(ask, holders)| Some(RecordReply::NotServing {
            ask: peer(ask),
            holders: peers(&holders),
        })),
        Just(Some(RecordReply::Beaten(field().stamp()))),
        Just(Some(RecordReply::Merged)),
    ]
}

proptest! {
    #[test]
    fn it_ends_whatever_it_is_told(
        replies in prop::collection::vec(any_reply(), 1..12), reads: bool,
    ) {
        let purpose = if reads { AccessKind::Read } else { write() };
        let mut next = 0;
        let (end, asked) = run(purpose, &mut |_, _| {
            next += 1;
            replies[next % replies.len()].clone()
        });
        prop_assert_ne!(matches!(end, Step::Read(_)), matches!(end, Step::Wrote(_) | Step::Here(_)));
        let holders = usize::from(limits::SUCCESSORS) + limits::REFERRALS;
        let most = (usize::from(limits::ACCESS_ROUNDS) + usize::from(limits::RESTAMPS)) * holders;
        prop_assert!(asked <= most);
    }
}
