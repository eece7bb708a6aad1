//! The bytes of every message, kept to the letter: nodes of other releases must read them.
//!
//! Whoever adds a kind of message adds it here, at the end. A line that changes is a message that
//! earlier releases don't understand any more.

use std::fmt::Write as _;

use crate::chord::{
    Claimed, Condition, Copies, Denied, Doubts, Held, Hello, Message, RecordNotice, RecordReply,
    RecordRequest, Refusal, Reply, Request, RequestId, Stamped, Versions, VersionsApart, Wire,
    Written,
};
use crate::record::{
    Digest, DigestAnswer, DigestQuestion, Entry, Field, LimitError, PARTS, RangeDigest, Record,
    Stamp, TooFarAhead,
};
use crate::ring::test_peers::{peer, peers};
use crate::ring::{Id, KeyRange, SuccessorList};

const ID: RequestId = RequestId::of_node(2, 300);

fn stamp(counter: u32) -> Stamp {
    Stamp {
        milliseconds: 1_700_000_000_000,
        counter,
        node: peer(5).id,
    }
}

fn key() -> Id {
    Id::of_key(b"song")
}

fn record() -> Record {
    let fields = [
        (
            "".to_owned(),
            Field::new(stamp(1), None, "la", Some(1_700_000_060_000)),
        ),
        (
            "gone".to_owned(),
            Field::tombstone(stamp(2), Some(stamp(1))),
        ),
    ];
    fields.into_iter().collect()
}

fn entry() -> Entry {
    Entry {
        key: key(),
        digest: Digest::from_bytes([9; 20]),
    }
}

fn arc() -> KeyRange {
    KeyRange::new(peer(1).id, peer(2).id)
}

fn hello() -> Hello {
    Hello {
        versions: Versions {
            newest: 2,
            oldest: 1,
        },
        cluster: Id::of_key(b"cuerda"),
        successors: 8,
        replicas: 3,
        incarnation: 7,
        member: true,
    }
}

fn list() -> SuccessorList {
    SuccessorList::following(peer(1).id, peer(2), &peers(&[3]), 8)
}

fn refusals() -> Vec<Refusal> {
    let apart = VersionsApart {
        ours: Versions {
            newest: 4,
            oldest: 3,
        },
        theirs: Versions {
            newest: 2,
            oldest: 1,
        },
    };
    vec![
        Refusal::Version(apart),
        Refusal::Cluster,
        Refusal::Successors,
        Refusal::Replicas,
    ]
}

fn requests() -> Vec<Request> {
    vec![
        Request::Hello(hello()),
        Request::Ping,
        Request::Neighbours,
        Request::Find {
            key: key(),
            confirm: true,
        },
        Request::Leaving {
            predecessor: peer(1),
            successors: list(),
        },
        Request::Copies,
    ]
}

fn replies() -> Vec<Reply> {
    let mut replies = vec![Reply::Hello(hello())];
    replies.extend(refusals().into_iter().map(Reply::Refused));
    replies.extend([
        Reply::Pong,
        Reply::Busy,
        Reply::NotMember,
        Reply::Neighbours {
            predecessor: peer(1),
            successors: list(),
        },
        Reply::Owner,
        Reply::Covered(list()),
        Reply::Closer(peers(&[4])),
        Reply::Before(peer(4)),
        Reply::Noted,
        Reply::Joining {
            hello: hello(),
            running: 300,
            contacts: peers(&[4, 5]),
        },
        Reply::Copies(Copies {
            lacking: 300,
            settled: true,
            under_way: false,
        }),
    ]);
    replies
}

fn record_requests() -> Vec<RecordRequest> {
    let write = |condition| RecordRequest::Write {
        key: key(),
        name: "field".to_owned(),
        field: Field::new(stamp(1), Some(stamp(0)), "la", None),
        condition,
    };
    vec![
        RecordRequest::Read(key()),
        write(Condition::None),
        write(Condition::Absent),
        write(Condition::Stamp(stamp(0))),
        RecordRequest::Store {
            key: key(),
            part: record(),
            epoch: 300,
        },
        RecordRequest::Compare {
            question: DigestQuestion {
                arc: arc(),
                digest: RangeDigest::default().with(entry()),
            },
            assigns: true,
        },
        RecordRequest::Fetch {
            keys: vec![key()],
            after: Some("field".to_owned()),
        },
        RecordRequest::Merge(vec![(key(), record())]),
        RecordRequest::Claim(arc()),
        RecordRequest::HandOver {
            arc: arc(),
            epoch: 300,
            doubts: Doubts {
                arcs: vec![KeyRange::new(key(), peer(3).id)],
                since: 300,
            },
        },
        RecordRequest::Confirm {
            entries: vec![entry()],
            leaving: true,
        },
        RecordRequest::Forget(vec![(key(), "field".to_owned(), stamp(1))]),
        RecordRequest::Leave,
        RecordRequest::Held,
    ]
}

fn denials() -> Vec<Denied> {
    let limits = [
        LimitError::NameBytes(300),
        LimitError::ValueBytes(300),
        LimitError::Fields(300),
        LimitError::RecordBytes(300),
    ];
    let mut denials = vec![Denied::Changed(None), Denied::Changed(Some(stamp(1)))];
    denials.extend(limits.map(Denied::Limit));
    denials.extend([
        Denied::Ahead(TooFarAhead {
            stamp: stamp(1),
            by: 300,
        }),
        Denied::Keys(300),
        Denied::Beaten,
        Denied::TooManyWrites,
        Denied::Uncertain,
        Denied::ClockWrong(-3_600_000),
    ]);
    denials
}

fn record_replies() -> Vec<RecordReply> {
    let compared = |answer| RecordReply::Compared { answer, epoch: 300 };
    let claimed = |by| RecordReply::Claimed { by, epoch: 300 };
    let mut replies = vec![
        RecordReply::Record {
            record: Some(record()),
            others: peers(&[3]),
            now: 300,
        },
        RecordReply::NotServing {
            ask: peer(1),
            holders: peers(&[2]),
        },
        RecordReply::Written(Written {
            stamp: stamp(1),
            holders: vec![peer(1).id],
            wanted: 3,
            majority: true,
        }),
    ];
    replies.extend(denials().into_iter().map(RecordReply::Denied));
    let mut parts = Box::new([RangeDigest::default(); PARTS]);
    parts[1] = RangeDigest::default().with(entry());
    replies.extend([
        RecordReply::Stored,
        RecordReply::Beaten(stamp(2)),
        RecordReply::Superseded(300),
        compared(DigestAnswer::Same),
        compared(DigestAnswer::Parts(parts)),
        compared(DigestAnswer::Keys(vec![entry()])),
        RecordReply::Records {
            records: vec![(key(), record())],
            more: Some("field".to_owned()),
        },
        RecordReply::Merged,
        claimed(Claimed::Here),
        claimed(Claimed::Unknown),
        claimed(Claimed::Elsewhere),
        RecordReply::Taken,
        RecordReply::Confirmed {
            safe: vec![key()],
            other: vec![peer(1).id],
        },
        RecordReply::Stays(true),
        RecordReply::Leaving,
        RecordReply::Held(Some(Held {
            start: key(),
            at: 300,
        })),
        RecordReply::Ahead(TooFarAhead {
            stamp: stamp(4),
            by: 4_000_000,
        }),
    ]);
    replies
}

fn stamped<T>(body: T) -> Box<Stamped<T>> {
    let clock = stamp(4);
    Box::new(Stamped::new(clock, body))
}

/// One of each kind.
fn messages() -> Vec<Message> {
    let ask = |request| Message::Request { id: ID, request };
    let answer = |reply| Message::Reply { id: ID, reply };
    let records = |request| ask(Request::Records(stamped(request)));
    let of_records = |reply| answer(Reply::Records(stamped(reply)));
    let mut messages = vec![Message::Notify, Message::Introduce(peer(3))];
    messages.push(Message::Remember(peers(&[3, 4])));
    messages.extend(requests().into_iter().map(ask));
    messages.extend(replies().into_iter().map(answer));
    messages.extend(record_requests().into_iter().map(records));
    messages.extend(record_replies().into_iter().map(of_records));
    let tombstones = vec![(key(), "field".to_owned(), stamp(1))];
    messages.push(Message::Records(stamped(RecordNotice::Forget(tombstones))));
    messages.push(Message::Records(stamped(RecordNotice::AskClock)));
    messages.push(Message::Records(stamped(RecordNotice::Clock)));
    messages
}

/// The name of a kind. A new one does not compile before it stands here: it needs an example
/// above as well.
fn kind(message: &Message) -> String {
    let word = match message {
        Message::Notify => "notify",
        Message::Introduce(_) => "introduce",
        Message::Remember(_) => "remember",
        Message::Records(stamped) => match &stamped.body {
            RecordNotice::Forget(_) => "forget",
            RecordNotice::AskClock => "clock?",
            RecordNotice::Clock => "clock",
        },
        Message::Request { request, .. } => match request {
            Request::Hello(_) => "hello?",
            Request::Ping => "ping?",
            Request::Neighbours => "neighbours?",
            Request::Find { .. } => "find?",
            Request::Leaving { .. } => "leaving?",
            Request::Records(stamped) => match &stamped.body {
                RecordRequest::Read(_) => "read?",
                RecordRequest::Write { condition, .. } => match condition {
                    Condition::None => "write?",
                    Condition::Absent => "write if absent?",
                    Condition::Stamp(_) => "write if stamp?",
                },
                RecordRequest::Store { .. } => "store?",
                RecordRequest::Compare { .. } => "compare?",
                RecordRequest::Fetch { .. } => "fetch?",
                RecordRequest::Merge(_) => "merge?",
                RecordRequest::Claim(_) => "claim?",
                RecordRequest::HandOver { .. } => "hand over?",
                RecordRequest::Confirm { .. } => "confirm?",
                RecordRequest::Forget(_) => "forget?",
                RecordRequest::Leave => "leave?",
                RecordRequest::Held => "held?",
            },
            Request::Copies => "copies?",
        },
        Message::Reply { reply, .. } => match reply {
            Reply::Hello(_) => "hello",
            Reply::Joining { .. } => "joining",
            Reply::Refused(refusal) => match refusal {
                Refusal::Version(_) => "refused: version",
                Refusal::Cluster => "refused: cluster",
                Refusal::Successors => "refused: successors",
                Refusal::Replicas => "refused: replicas",
            },
            Reply::Pong => "pong",
            Reply::Busy => "busy",
            Reply::NotMember => "not member",
            Reply::Neighbours { .. } => "neighbours",
            Reply::Owner => "owner",
            Reply::Covered(_) => "covered",
            Reply::Closer(_) => "closer",
            Reply::Before(_) => "before",
            Reply::Noted => "noted",
            Reply::Records(stamped) => return record_reply(&stamped.body).to_owned(),
            Reply::Copies(_) => "copies",
        },
    };
    word.to_owned()
}

fn record_reply(reply: &RecordReply) -> &'static str {
    match reply {
        RecordReply::Record { .. } => "record",
        RecordReply::NotServing { .. } => "not serving",
        RecordReply::Written(_) => "written",
        RecordReply::Denied(denied) => match denied {
            Denied::Changed(None) => "denied: nothing there",
            Denied::Changed(Some(_)) => "denied: changed",
            Denied::Limit(LimitError::NameBytes(_)) => "denied: name",
            Denied::Limit(LimitError::ValueBytes(_)) => "denied: value",
            Denied::Limit(LimitError::Fields(_)) => "denied: fields",
            Denied::Limit(LimitError::RecordBytes(_)) => "denied: record",
            Denied::Ahead(_) => "denied: ahead",
            Denied::Keys(_) => "denied: keys",
            Denied::Beaten => "denied: beaten",
            Denied::TooManyWrites => "denied: too many",
            Denied::Uncertain => "denied: uncertain",
            Denied::ClockWrong(_) => "denied: clock",
        },
        RecordReply::Stored => "stored",
        RecordReply::Beaten(_) => "beaten",
        RecordReply::Superseded(_) => "superseded",
        RecordReply::Compared { answer, .. } => match answer {
            DigestAnswer::Same => "compared: same",
            DigestAnswer::Parts(_) => "compared: parts",
            DigestAnswer::Keys(_) => "compared: keys",
        },
        RecordReply::Records { .. } => "records",
        RecordReply::Merged => "merged",
        RecordReply::Claimed { by, .. } => match by {
            Claimed::Here => "claimed: here",
            Claimed::Unknown => "claimed: unknown",
            Claimed::Elsewhere => "claimed: elsewhere",
        },
        RecordReply::Taken => "taken",
        RecordReply::Confirmed { .. } => "confirmed",
        RecordReply::Stays(_) => "stays",
        RecordReply::Leaving => "leaving",
        RecordReply::Held(_) => "held",
        RecordReply::Ahead(_) => "ahead",
    }
}

#[test]
fn every_message_has_the_bytes_that_it_had_in_the_first_release() {
    let mut lines = String::new();
    let mut kinds = std::collections::BTreeSet::new();
    for message in messages() {
        let bytes = postcard::to_stdvec(&message).unwrap();
        assert_eq!(postcard::from_bytes::<Message>(&bytes), Ok(message.clone()));
        assert_eq!(message.wire_size(), bytes.len());
        assert!(kinds.insert(kind(&message)), "twice: {message:?}");
        write!(lines, "{:<22}", kind(&message)).unwrap();
        for byte in bytes {
            write!(lines, "{byte:02x}").unwrap();
        }
        lines.push('\n');
    }
    insta::assert_snapshot!(lines);
}
