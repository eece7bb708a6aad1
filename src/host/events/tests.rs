//! What the stream says, and what becomes of it when nobody reads.

use std::io;
use std::sync::Arc;

use super::*;
use crate::host::hooks::Hooks;
use crate::host::limits::EVENT_BYTES;
use cuerda_core::chord::{
    Config, Event, Ignored, LookupError, Node, Refusal, Versions, VersionsApart,
};
use cuerda_core::record::{Conflict, Field, Record, Stamp, StampText};
use cuerda_core::ring::test_peers::{peer, peers};
use cuerda_core::ring::{Fingers, Id, Neighbours};
use cuerda_core::store::{Batch, Notes};

const KEY: [u8; 32] = [7; 32];

fn stamp(milliseconds: u64) -> Stamp {
    Stamp {
        milliseconds,
        counter: 3,
        node: peer(1).id,
    }
}

/// A node in its place.
fn node(place: u8) -> Node {
    let (me, others) = (peer(place), peers(&[place + 1, place + 2]));
    let config = Config {
        successors: 2,
        replicas: 1,
        ..Config::default()
    };
    Node::member(
        Arc::new(config),
        2,
        Neighbours::given(me, peer(9), &others, 2),
        Fingers::new(),
    )
}

fn batch(number: u64) -> Batch {
    let (key, other) = (Id::of_key(b"song"), Id::of_key(b"other"));
    let fields = [
        (
            "".to_owned(),
            Field::new(stamp(2), Some(stamp(1)), "la la", Some(9)),
        ),
        ("gone".to_owned(), Field::tombstone(stamp(3), None)),
    ];
    Batch {
        number,
        records: vec![(key, Some(fields.into_iter().collect())), (other, None)],
        notes: Some(Notes {
            mark: 5,
            alive: 6,
            forgotten: 4,
            held: Some(Id::of_key(b"start")),
            scrubbed: None,
        }),
        set_aside: false,
    }
}

/// One event of each kind that is in the stream.
fn events() -> Vec<Event> {
    let conflict = Conflict {
        name: "field".to_owned(),
        kept: stamp(2),
        lost: stamp(1),
    };
    let later = Versions {
        newest: 9,
        oldest: 8,
    };
    let apart = VersionsApart {
        ours: Versions {
            newest: 2,
            oldest: 1,
        },
        theirs: later,
    };
    vec![
        Event::Joined,
        Event::NeighboursChanged,
        Event::Stranded,
        Event::Leaving,
        Event::Left,
        Event::PresumedDead(peer(2)),
        Event::Conflict(Id::of_key(b"song"), conflict),
        Event::SetAside,
        Event::LeftBehind { records: 3 },
        Event::Damaged(Id::of_key(b"song")),
        Event::Refused(peer(2), Refusal::Cluster),
        Event::Refused(peer(2), Refusal::Version(apart)),
        Event::Ignored(peer(2), Ignored::Unasked),
    ]
}

/// All that a stream says once its reporter is gone.
fn written(lines: Lines) -> String {
    let mut text = Vec::new();
    lines.write(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn read(text: &str) -> Vec<Line> {
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

fn counts(lines: &[Line]) -> Vec<(&What, u64)> {
    let counted = lines.iter().map(|line| match &line.what {
        What::Missed { count } => (&line.what, *count),
        what => (what, 1),
    });
    counted.collect()
}

#[test]
fn each_kind_of_line_looks_as_documented_and_is_read_again() {
    let (mut reporter, lines) = Reporter::new(Detail::All, &KEY);
    let nodes = [node(1), node(3)];
    for node in &nodes {
        reporter.started(node);
    }
    for event in events() {
        reporter.on_event(&nodes[0], &event);
    }
    drop(reporter.commit(&nodes[1], &batch(1)));
    reporter.committed(&nodes[1], 1);
    drop(reporter);
    let mut lines = read(&written(lines));
    // The clock of this machine tells the times.
    let times: Vec<u64> = lines.iter().map(|line| line.at_us).collect();
    assert!(times[0] > 1_700_000_000_000_000, "{times:?}");
    for (number, line) in (1..).zip(&mut lines) {
        line.at_us = number;
    }
    lines.push(Line {
        at_us: 99,
        by: None,
        what: What::Missed { count: 4 },
    });
    let shown: Vec<String> = lines
        .iter()
        .map(|line| serde_json::to_string(line).unwrap())
        .collect();
    assert_eq!(read(&shown.join("\n")), lines);
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_batch_comes_back_as_it_was() {
    let batch = batch(7);
    let text = serde_json::to_string(&Committed::new(&batch)).unwrap();
    let back: Committed = serde_json::from_str(&text).unwrap();
    assert_eq!(back.batch(), Ok(batch));
}

#[test]
fn a_batch_is_told_when_it_is_on_the_disk_and_only_if_wanted() {
    for (detail, told) in [(Detail::Ring, vec![]), (Detail::All, vec![1, 2])] {
        let (mut reporter, lines) = Reporter::new(detail, &KEY);
        let node = node(1);
        for number in 1..=3 {
            drop(reporter.commit(&node, &batch(number)));
        }
        reporter.committed(&node, 1);
        reporter.committed(&node, 2);
        // The process dies before the third is there.
        drop(reporter);
        let lines = read(&written(lines));
        let numbers = lines.iter().map(|line| match &line.what {
            What::Committed(committed) => committed.number,
            what => panic!("{what:?}"),
        });
        assert_eq!(numbers.collect::<Vec<_>>(), told);
    }
}

#[test]
fn answers_to_clients_are_not_told() {
    let (mut reporter, lines) = Reporter::new(Detail::All, &KEY);
    let lookup = Event::Lookup {
        token: 1,
        result: Err(LookupError::NotMember),
        timeouts: 0,
    };
    reporter.on_event(&node(1), &lookup);
    drop(reporter);
    assert_eq!(written(lines), "");
}

#[test]
fn lines_that_found_no_room_are_counted_where_they_are_missing() {
    let (mut reporter, lines) = Reporter::with_room(Detail::All, &KEY, 2);
    let node = node(1);
    for _ in 0..5 {
        reporter.on_event(&node, &Event::SetAside);
    }
    drop(reporter);
    let lines = read(&written(lines));
    assert_eq!(
        counts(&lines),
        [
            (&What::SetAside, 1),
            (&What::SetAside, 1),
            (&What::Missed { count: 3 }, 3)
        ]
    );
}

#[test]
fn large_lines_are_counted_by_their_bytes() {
    let (mut reporter, lines) = Reporter::new(Detail::All, &KEY);
    let node = node(1);
    let large = EVENT_BYTES / 4;
    let field = Field::new(stamp(1), None, vec![0; large], None);
    for number in 1..=10 {
        let batch = Batch {
            number,
            records: vec![(Id::of_key(b"song"), Some(Record::of("", field.clone())))],
            notes: None,
            set_aside: false,
        };
        drop(reporter.commit(&node, &batch));
        reporter.committed(&node, number);
    }
    // A small one still finds room, and stands behind what is missing.
    reporter.on_event(&node, &Event::SetAside);
    drop(reporter);
    let lines = read(&written(lines));
    let counted: Vec<u64> = counts(&lines).iter().map(|(_, count)| *count).collect();
    assert_eq!(counted, [1, 1, 1, 7, 1]);
    assert_eq!(lines[4].what, What::SetAside);
}

#[test]
fn a_reader_that_is_gone_holds_nothing_up() {
    struct Gone;
    impl io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (mut reporter, lines) = Reporter::new(Detail::All, &KEY);
    let node = node(1);
    reporter.on_event(&node, &Event::SetAside);
    let error = lines.write(&mut Gone).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    reporter.on_event(&node, &Event::SetAside);
}

#[test]
fn a_line_of_an_earlier_release_is_read() {
    let line = r#"{"at_us":1,"node":0,"id":"a9993e364706816aba3e25717850c26c9cd0d89d","event":"conflict","key":"a9993e364706816aba3e25717850c26c9cd0d89d","name":"","kept":"2.0@a9993e364706816aba3e25717850c26c9cd0d89d","lost":"1.0@a9993e364706816aba3e25717850c26c9cd0d89d"}"#;
    let [line] = &read(line)[..] else {
        panic!("one line")
    };
    let key = Id::of_key(b"abc");
    assert_eq!(line.by, Some(By { node: 0, id: key }));
    let written = |milliseconds| {
        StampText(Stamp {
            milliseconds,
            counter: 0,
            node: key,
        })
    };
    assert_eq!(
        line.what,
        What::Conflict {
            key,
            name: String::new(),
            kept: written(2),
            lost: written(1)
        }
    );
}
