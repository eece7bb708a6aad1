//! The stream of events on stdout: what a harness outside of the process sees of a node.

use cuerda::host::events::{Around, By, Line, What};
use cuerda::ring::Id;
use nix::sys::signal::Signal;

use crate::process::Running;

/// A node that tells all.
fn telling(more: &[&str]) -> Running {
    Running::node(&[&["--events", "all", "--log", "warn"], more].concat())
}

fn line(text: &str) -> Line {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What a node told of itself until it had stopped. Its last line is not of the stream.
fn told(printed: &str) -> Vec<What> {
    let lines: Vec<&str> = printed.lines().collect();
    let (last, lines) = lines.split_last().expect("it told something");
    assert_eq!(*last, r#"{"event":"stopped","how":"left"}"#);
    lines.iter().map(|text| line(text).what).collect()
}

/// Where the first of these stands.
fn place(told: &[What], what: &str, is_it: impl Fn(&What) -> bool) -> usize {
    let place = told.iter().position(is_it);
    place.unwrap_or_else(|| panic!("{what} is not among {told:#?}"))
}

/// Whether this peer is the whole neighbourhood.
fn only(around: &Around, id: Id) -> bool {
    around.predecessor.id == id && around.successors.iter().all(|peer| peer.id == id)
}

#[test]
fn two_nodes_tell_how_they_meet_what_they_store_and_how_one_leaves() {
    let first = &mut telling(&["--replicas", "2"]);
    let second = &mut telling(&["--replicas", "2", "--join", &first.address()]);
    first.ring_of(2);
    let put = first.ask(&["put", "song", "la la"], 0);
    assert_eq!(put["said"], "stored on 2 of 2");
    let [one, other]: [Id; 2] = [&*first, &*second].map(|node| node.id().parse().expect("an id"));
    second.signal(Signal::SIGTERM);
    let (code, printed, log) = second.end();
    assert_eq!(code, Some(0), "{log}");

    let beginning = line(printed.lines().next().expect("it told something"));
    assert!(beginning.at_us > 1_700_000_000_000_000, "{beginning:?}");
    assert_eq!(beginning.by, Some(By { node: 0, id: other }));
    let seconds = told(&printed);
    assert!(
        matches!(&seconds[0], What::Started { incarnation: 1, address, .. }
            if address.to_string() == second.address()),
        "{seconds:#?}"
    );
    let key = Id::of_key(b"song");
    let stored = |what: &What| match what {
        What::Committed(committed) => committed.records.iter().any(|record| {
            let fields = record.fields.iter().flatten();
            let mut values = fields.filter_map(|(_, field)| field.value.as_ref());
            record.key == key && values.any(|value| value.0 == "la la")
        }),
        _ => false,
    };
    let order = [
        place(&seconds, "joined", |what| matches!(what, What::Joined(_))),
        place(
            &seconds,
            "the first as its neighbour",
            |what| matches!(what, What::NeighboursChanged(around) if only(around, one)),
        ),
        place(&seconds, "the record", stored),
        place(&seconds, "leaving", |what| matches!(what, What::Leaving(_))),
        place(&seconds, "left", |what| matches!(what, What::Left(_))),
    ];
    assert!(order.is_sorted(), "{order:?} of {seconds:#?}");
    let numbers: Vec<u64> = seconds
        .iter()
        .filter_map(|what| match what {
            What::Committed(committed) => Some(committed.number),
            _ => None,
        })
        .collect();
    assert_eq!(
        numbers,
        (1..).take(numbers.len()).collect::<Vec<_>>(),
        "each batch is told once and in order"
    );

    first.signal(Signal::SIGTERM);
    let (code, printed, log) = first.end();
    assert_eq!(code, Some(0), "{log}");
    let firsts = told(&printed);
    let met = place(
        &firsts,
        "the second as its neighbour",
        |what| matches!(what, What::NeighboursChanged(around) if only(around, other)),
    );
    let kept = place(&firsts, "the record", stored);
    let alone = place(
        &firsts[met..],
        "alone again",
        |what| matches!(what, What::NeighboursChanged(around) if only(around, one)),
    );
    let left = place(&firsts, "left", |what| matches!(what, What::Left(_)));
    let order = [met, kept, met + alone, left];
    assert!(order.is_sorted(), "{order:?} of {firsts:#?}");
}

#[test]
fn the_ring_alone_is_told_without_batches() {
    let mut node = Running::node(&["--events", "ring", "--replicas", "1"]);
    node.ring_of(1);
    node.ask(&["put", "song", "la la"], 0);
    node.signal(Signal::SIGTERM);
    let (_, printed, _) = node.end();
    let told = told(&printed);
    assert!(matches!(told[0], What::Started { .. }), "{told:#?}");
    let batch = told.iter().any(|what| matches!(what, What::Committed(_)));
    assert!(!batch, "{told:#?}");
}

/// How many values are put that take 48 KiB each: more than there is room for.
const PUTS: u64 = 600;

/// A ring of one that has told much more than there is room for, and that nobody has read.
fn unread() -> Running {
    let node = telling(&["--replicas", "1"]);
    node.ring_of(1);
    let control = node.started["control"].as_str().expect("an address");
    let url = format!("http://{control}/v1/records/song");
    for _ in 0..PUTS {
        let put = ureq::put(&url).send(&[b'x'; 48 * 1024][..]);
        assert!(put.expect("it goes on").status().is_success());
    }
    node
}

#[test]
fn whoever_stops_reading_does_not_stop_the_node_and_is_told_what_he_missed() {
    let mut node = unread();
    let (mut last, mut missed) = (0, 0);
    while last < PUTS {
        match line(&node.next_line()).what {
            // They come in several pieces: a small line may find room where a large one does not.
            What::Missed { count } => {
                last += count;
                missed += count;
            }
            What::Committed(committed) => {
                assert_eq!(committed.number, last + 1);
                last = committed.number;
            }
            _ => {}
        }
    }
    assert!(missed > 100, "{missed}");

    // Whoever reads again has it all again.
    node.ask(&["put", "another", "la la"], 0);
    let another = Id::of_key(b"another");
    let mut told = false;
    while !told {
        let What::Committed(committed) = line(&node.next_line()).what else {
            panic!("nothing else happens to a ring of one");
        };
        assert_eq!(committed.number, last + 1);
        last = committed.number;
        told = committed.records.iter().any(|of| of.key == another);
    }
}

#[test]
fn a_node_whose_events_nobody_reads_ends_all_the_same() {
    for signals in [1, 2] {
        let mut node = unread();
        for _ in 0..signals {
            node.signal(Signal::SIGTERM);
        }
        let (code, _, log) = node.end();
        assert!(log.contains("nobody reads"), "{log}");
        // The second may come when it has left already.
        assert!(code == Some(0) || signals == 2 && code == Some(1), "{log}");
    }
}
