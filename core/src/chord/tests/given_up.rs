//! What an operation still waited for when it is given up, nobody waits for any more.

use super::promises::{key, owner};
use crate::chord::open_requests::Waiter;
use crate::chord::{Event, Ignored, Input, RecordReply, RecordRequest, Reply, Request, Timer};
use crate::ring::test_peers::peer;

#[test]
fn a_former_owner_waits_for_the_holders_of_none_of_its_writes() {
    let mut former = owner();
    let (first, second) = (former.write(1, "a"), former.write(2, "b"));
    former.told(60, first[0].1, RecordReply::Superseded(9));
    assert_eq!(former.replied().len(), 2, "both are tried elsewhere");
    former.net.take_events();
    for (to, number, _) in [&first[1], &second[0], &second[1]] {
        former.told(*to, *number, RecordReply::Stored);
        let told = former.net.take_events();
        assert_eq!(told, [Event::Ignored(peer(*to), Ignored::Unasked)]);
    }
}

#[test]
fn who_has_given_all_away_waits_only_for_its_neighbours_to_take_note() {
    let mut bench = owner();
    for (to, number, _) in bench.write(1, "a") {
        bench.told(to, number, RecordReply::Stored);
    }
    bench.sent();
    // Whom it compares itself with as an owner is of no interest when it is none any more.
    bench.timer(Timer::Repair);
    assert_eq!(bench.asked_about_records().len(), 1);
    bench.handle(Input::Leave);
    let asked = bench.asked_about_records();
    let [(60, number, RecordRequest::Leave)] = &asked[..] else {
        panic!("before all else the successor is to stay: {asked:?}");
    };
    bench.told(60, *number, RecordReply::Stays(true));
    let asked = bench.asked_about_records();
    let [(60, number, RecordRequest::Compare { question, .. })] = &asked[..] else {
        panic!("first the successor is to have all: {asked:?}");
    };
    let answer = question.answer(&bench.net.store);
    bench.told(60, *number, RecordReply::Compared { answer, epoch: 1 });
    let asked = bench.asked_about_records();
    let [(60, number, RecordRequest::HandOver { .. })] = &asked[..] else {
        panic!("then it is to serve it: {asked:?}");
    };
    bench.told(60, *number, RecordReply::Taken);
    let asked = bench.asked();
    let leaving =
        |(_, _, request): &&(u8, u32, Request)| matches!(request, Request::Leaving { .. });
    let goodbyes: Vec<(u8, u32)> = asked
        .iter()
        .filter(leaving)
        .map(|(to, number, _)| (*to, *number))
        .collect();
    let is_find = |(_, _, request): &&(u8, u32, Request)| matches!(request, Request::Find { .. });
    let (to, number, _) = asked.iter().find(is_find).expect("it seeks the owner");
    bench.reply(*to, *number, Reply::Owner);
    let asked = bench.asked_about_records();
    let [(owner, number, RecordRequest::Confirm { .. })] = &asked[..] else {
        panic!("it asks the owner whether enough others hold it: {asked:?}");
    };
    let (safe, other) = (vec![key(45)], Vec::new());
    bench.told(*owner, *number, RecordReply::Confirmed { safe, other });
    // Its time for leaving is of no interest any more.
    let waits = bench.node.requests.open();
    assert_eq!(waits.len(), 2);
    assert!(waits.values().all(|waiter| *waiter == Waiter::Membership));
    bench.net.take_events();
    for (to, number) in goodbyes {
        assert_eq!(bench.net.take_events(), []);
        bench.reply(to, number, Reply::Noted);
    }
    assert!(bench.net.take_events().contains(&Event::Left));
}
