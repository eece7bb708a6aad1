//! What may be drawn: settings of nodes and things that go wrong; what clients do stands in
//! `workloads.rs`. A new kind is one entry, and nothing else in this folder knows any of them by name.
//!
//! Distributions are general: they know the bounds that the documentation gives a setting and which
//! lengths and numbers mean something in any scenario, and no fault that was ever found.

use toml::{Table, Value};

use super::hand::{Hand, MINUTE, SECOND, section, time, whole};
use super::workloads::WORKLOADS;

/// Something that can be drawn.
pub(super) struct Kind<T> {
    /// What it is called, on the command line and in titles.
    pub(super) name: &'static str,
    /// How often it is drawn, held against the others.
    pub(super) weight: u32,
    /// Whether machines must be what no socket lets them be, so that only `events` can do it.
    pub(super) only_events: bool,
    /// Draws it.
    pub(super) draw: fn(&mut Hand) -> T,
}

/// A setting of nodes, which is left out as often as not.
pub(super) struct Setting {
    pub(super) key: &'static str,
    /// In how many of a hundred scenarios it is named.
    pub(super) named: u64,
    pub(super) draw: fn(&mut Hand) -> Value,
}

/// Draws a length of time that means something to faults and clients drawn later.
pub(super) fn meant(hand: &mut Hand, least: u64, most: u64) -> Value {
    let length = whole(hand.related(least, most)).clamp(least, most);
    hand.means(length);
    time(length)
}

/// The settings apart from those that [`super::draw`] draws first: `successors`, `replicas`, `acks`
/// and `stabilize_every`.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "fix_fingers_every",
        named: 30,
        draw: |hand| time(whole(hand.magnitude(SECOND, MINUTE))),
    },
    Setting {
        key: "request_timeout",
        named: 20,
        draw: |hand| time(whole(hand.magnitude(300, SECOND))),
    },
    Setting {
        key: "request_timeout_max",
        named: 20,
        draw: |hand| meant(hand, 2 * SECOND, 10 * SECOND),
    },
    Setting {
        key: "attempts",
        named: 25,
        draw: |hand| i64::from(hand.pick(&[1_u8, 2, 3, 4])).into(),
    },
    Setting {
        key: "remembered",
        named: 30,
        draw: |hand| i64::from(hand.pick(&[1_u8, 2, 3, 4, 8, 64])).into(),
    },
    Setting {
        key: "probe_every_max",
        named: 15,
        draw: |hand| {
            let periods = hand.number(1, 4);
            time(periods * hand.period)
        },
    },
    Setting {
        key: "found_after",
        named: 50,
        draw: |hand| meant(hand, 5 * SECOND, MINUTE),
    },
    Setting {
        key: "repair_every",
        named: 30,
        draw: |hand| meant(hand, SECOND, MINUTE),
    },
    Setting {
        key: "tombstones_for",
        named: 40,
        draw: |hand| meant(hand, 20 * SECOND, 2 * MINUTE),
    },
    Setting {
        key: "hand_over_within",
        named: 35,
        draw: |hand| meant(hand, 5 * SECOND, MINUTE),
    },
];

/// What can go wrong. Each draws a `[[fault]]` whose `at` is set by whoever asks.
pub(super) const FAULTS: &[Kind<Table>] = &[
    Kind {
        name: "leave",
        weight: 16,
        only_events: false,
        draw: |hand| leaving(hand, |hand| on(hand, "leave")),
    },
    Kind {
        name: "return",
        weight: 6,
        only_events: false,
        draw: |hand| leaving(hand, |hand| lasting(hand, "leave")),
    },
    Kind {
        name: "join",
        weight: 8,
        only_events: false,
        draw: |hand| section([("kind", "join".into()), ("count", newcomers(hand))]),
    },
    Kind {
        name: "visit",
        weight: 6,
        only_events: false,
        draw: |hand| {
            let mut fault = section([("kind", "join".into()), ("count", newcomers(hand))]);
            last(hand, &mut fault);
            fault
        },
    },
    Kind {
        name: "crash",
        weight: 8,
        only_events: false,
        draw: |hand| few(hand, |hand| on(hand, "crash")),
    },
    Kind {
        name: "restart",
        weight: 14,
        only_events: false,
        draw: |hand| lasting(hand, "crash"),
    },
    Kind {
        name: "wipe",
        weight: 6,
        only_events: false,
        draw: |hand| {
            let mut fault = few(hand, |hand| lasting(hand, "crash"));
            fault.insert("disk".to_owned(), "lost".into());
            fault
        },
    },
    Kind {
        name: "pause",
        weight: 10,
        only_events: false,
        draw: |hand| lasting(hand, "pause"),
    },
    Kind {
        name: "partition",
        weight: 18,
        only_events: false,
        draw: partition,
    },
    Kind {
        name: "one_way",
        weight: 4,
        only_events: false,
        draw: |hand| {
            let from = hand.victims();
            let to = match hand.percent(50) {
                true => "100%".into(),
                false => hand.victims(),
            };
            let mut fault = section([("kind", "one_way".into()), ("from", from), ("to", to)]);
            last(hand, &mut fault);
            fault
        },
    },
    Kind {
        name: "slow",
        weight: 4,
        only_events: false,
        draw: |hand| {
            let mut fault = lasting(hand, "slow");
            let extra = whole(hand.magnitude(50, 3 * SECOND));
            fault.insert("extra".to_owned(), time(extra));
            fault
        },
    },
    Kind {
        name: "loss",
        weight: 4,
        only_events: false,
        draw: |hand| {
            let mut fault = lasting(hand, "loss");
            let share = hand.pick(&[0.02, 0.1, 0.3, 0.5, 0.9]);
            fault.insert("share".to_owned(), share.into());
            fault
        },
    },
    Kind {
        name: "skew",
        weight: 8,
        only_events: false,
        draw: skew,
    },
    Kind {
        name: "disk",
        weight: 4,
        only_events: false,
        draw: |hand| {
            let mut fault = lasting(hand, "disk");
            let what = hand.pick(&["fails", "torn", "slow"]);
            fault.insert("what".to_owned(), what.into());
            if what == "slow" {
                let extra = whole(hand.magnitude(10, 2 * SECOND));
                fault.insert("extra".to_owned(), time(extra));
            }
            fault
        },
    },
    Kind {
        name: "rot",
        weight: 8,
        only_events: false,
        draw: |hand| {
            let mut fault = few(hand, |hand| on(hand, "disk"));
            fault.insert("what".to_owned(), "flip".into());
            let count = hand.pick(&[1_i64, 3, 10, 1000]);
            fault.insert("count".to_owned(), count.into());
            fault
        },
    },
    Kind {
        name: "rolling",
        weight: 10,
        only_events: false,
        draw: |hand| {
            let kind = hand.pick(&["restart", "restart", "pause", "crash"]);
            in_turn(hand, kind, true)
        },
    },
    Kind {
        name: "leave-in-turn",
        weight: 5,
        only_events: false,
        draw: |hand| leaving(hand, |hand| in_turn(hand, "leave", false)),
    },
    Kind {
        name: "move",
        weight: 6,
        only_events: true,
        draw: |hand| match hand.percent(30) {
            true => in_turn(hand, "move", true),
            false => lasting(hand, "move"),
        },
    },
    Kind {
        name: "old-disk",
        weight: 5,
        only_events: false,
        draw: |hand| {
            let mut fault = few(hand, |hand| lasting(hand, "snapshot"));
            // Whoever sets its beginning keeps it within the run.
            let age = whole(hand.magnitude(SECOND, 5 * MINUTE));
            fault.insert("age".to_owned(), time(age));
            fault
        },
    },
    Kind {
        name: "twin",
        weight: 5,
        only_events: true,
        draw: |hand| {
            let mut fault = lasting(hand, "twin");
            let crowd = hand.pick(&[1, 1, 1, 2, hand.nodes]);
            let nodes = hand.selector(crowd);
            fault.insert("nodes".to_owned(), nodes);
            fault
        },
    },
    Kind {
        name: "clock",
        weight: 6,
        only_events: false,
        draw: clock,
    },
    Kind {
        name: "bad-links",
        weight: 4,
        only_events: false,
        draw: |hand| {
            let kind = hand.pick(&["slow", "loss"]);
            let mut fault = section([("kind", kind.into()), ("from", hand.victims())]);
            let to = match hand.percent(50) {
                true => "rest".into(),
                false => hand.victims(),
            };
            fault.insert("to".to_owned(), to);
            last(hand, &mut fault);
            match kind {
                "slow" => {
                    let extra = whole(hand.magnitude(50, 3 * SECOND));
                    fault.insert("extra".to_owned(), time(extra));
                }
                _ => {
                    let share = hand.pick(&[0.1, 0.5, 0.9]);
                    fault.insert("share".to_owned(), share.into());
                }
            }
            fault
        },
    },
];

/// Comings and goings that go on for a while.
pub(super) const CHURN: &str = "churn";

/// A fault on some nodes.
fn on(hand: &mut Hand, kind: &str) -> Table {
    section([("kind", kind.into()), ("nodes", hand.victims())])
}

/// A fault after which somebody stays: all but one are hit at most.
fn leaving(hand: &mut Hand, draw: impl Fn(&mut Hand) -> Table) -> Table {
    let mut fault = draw(hand);
    if fault.get("nodes").and_then(Value::as_str) == Some("100%") {
        let all_but_one = hand.nodes.saturating_sub(1);
        fault.insert("nodes".to_owned(), hand.named(all_but_one));
    }
    fault
}

/// A fault that destroys disks: mostly of fewer nodes than hold a record.
fn few(hand: &mut Hand, draw: impl Fn(&mut Hand) -> Table) -> Table {
    let mut fault = draw(hand);
    if hand.percent(75) {
        let most = u64::from(hand.replicas.saturating_sub(1).max(1));
        let crowd = hand.number(1, most) as u32;
        fault.insert("nodes".to_owned(), hand.selector(crowd));
    }
    fault
}

/// The same, which ends.
fn lasting(hand: &mut Hand, kind: &str) -> Table {
    let mut fault = on(hand, kind);
    last(hand, &mut fault);
    fault
}

/// One node after the other; whoever sets the beginning draws how long it is from one to the next.
fn in_turn(hand: &mut Hand, kind: &str, ends: bool) -> Table {
    let crowd = match hand.percent(50) {
        true => hand.nodes,
        false => hand.crowd(),
    };
    let nodes = match crowd == hand.nodes && hand.percent(40) {
        true => "100%".into(),
        false => hand.named(crowd.min(12)),
    };
    let mut fault = section([("kind", kind.into()), ("nodes", nodes)]);
    fault.insert("apart".to_owned(), "1s".into());
    if ends {
        last(hand, &mut fault);
    }
    fault
}

/// Marks a fault as one that ends; whoever sets its beginning draws its length.
fn last(_: &mut Hand, fault: &mut Table) {
    fault.insert("for".to_owned(), "1s".into());
}

fn newcomers(hand: &mut Hand) -> Value {
    let n = u64::from(hand.nodes);
    let count = hand.pick(&[1, 1, 2, 3, n / 2, n, 2 * n, 3 * n]);
    (count.clamp(1, 16) as i64).into()
}

fn partition(hand: &mut Hand) -> Table {
    let half = "50%".into();
    let split = match hand.number(0, 9) {
        0..2 => vec![half],
        2..4 => {
            let one = hand.selector(1);
            hand.meets(one.clone());
            vec![one]
        }
        4..7 => vec![hand.victims()],
        7 => vec!["34%".into(), "33%".into()],
        // Each alone.
        _ => {
            let crowd = hand.crowd().min(8);
            let named = hand.named(crowd);
            hand.meets(named.clone());
            match named {
                Value::Array(each) => each,
                one => vec![one],
            }
        }
    };
    let split = split.into_iter().chain(["rest".into()]).collect();
    let mut fault = section([("kind", "partition".into()), ("split", Value::Array(split))]);
    last(hand, &mut fault);
    fault
}

fn skew(hand: &mut Hand) -> Table {
    let mut fault = if hand.percent(80) {
        lasting(hand, "skew")
    } else {
        on(hand, "skew")
    };
    let by = off_by(hand);
    fault.insert("by".to_owned(), by);
    fault
}

fn clock(hand: &mut Hand) -> Table {
    let mut fault = if hand.percent(60) {
        lasting(hand, "clock")
    } else {
        on(hand, "clock")
    };
    let drifts = hand.percent(30);
    if !drifts || hand.percent(30) {
        let jump = off_by(hand);
        fault.insert("jump".to_owned(), jump);
    }
    if drifts {
        let drift = hand.pick(&[
            "-50000ppm",
            "-1000ppm",
            "-100ppm",
            "100ppm",
            "1000ppm",
            "50000ppm",
        ]);
        fault.insert("drift".to_owned(), drift.into());
    }
    fault
}

/// How much a clock is ahead, or behind if it is negative.
fn off_by(hand: &mut Hand) -> Value {
    // An hour is what a node lets another's clock be ahead.
    let hour = 60 * MINUTE;
    let by = match hand.percent(50) {
        true => hand.pick(&[hour / 2, hour - MINUTE, hour + MINUTE, 3 * hour, 24 * hour]),
        false => whole(hand.magnitude(500, 4 * hour)),
    };
    match time(by) {
        Value::String(by) if hand.percent(35) => format!("-{by}").into(),
        by => by,
    }
}

/// All that `--about` can name.
#[must_use]
pub fn topics() -> Vec<&'static str> {
    let faults = FAULTS.iter().map(|kind| kind.name);
    let workloads = WORKLOADS.iter().map(|kind| kind.name);
    faults.chain([CHURN]).chain(workloads).collect()
}

/// Which of these only the world `events` can do, by the names of [`topics`].
pub fn only_events(about: &[String]) -> impl Iterator<Item = &str> {
    let only = |name: &&String| {
        let mut kinds = FAULTS.iter();
        kinds.any(|kind| kind.only_events && kind.name == name.as_str())
    };
    about.iter().filter(only).map(String::as_str)
}
